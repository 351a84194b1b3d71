//! Events that are missing at a journal's end, and who tells.

use super::job_of;
use crate::program::{Lab, until, write};
use std::fs;
use std::path::{Path, PathBuf};

fn synced() -> Lab {
    let lab = Lab::new();
    for name in ["a", "b", "c"] {
        write(&lab.local.join(format!("{name}.txt")), name);
    }
    lab.synced();
    lab
}

/// The store's own journal and how much of it is used.
fn journal_file(job: &Path) -> (PathBuf, usize) {
    let path = job.join("journal/0.jnl");
    let bytes = fs::read(&path).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0);
    (path, used.expect("content") + 1)
}

/// Cuts the last events off.
fn cut(job: &Path) {
    let (path, used) = journal_file(job);
    let file = fs::File::options().write(true).open(path).expect("open");
    file.set_len(used as u64 / 2).expect("cut");
}

/// Changes one bit in the middle.
fn flip(job: &Path) {
    let (path, used) = journal_file(job);
    let mut bytes = fs::read(&path).expect("read");
    bytes[used / 2] ^= 4;
    fs::write(&path, bytes).expect("flip");
}

#[test]
fn whoever_reads_a_shortened_journal_says_so() {
    let lab = synced();
    cut(&job_of(&lab));
    let readers: [&[&str]; 7] = [
        &["status"],
        &["explain", "a.txt"],
        &["events"],
        &["conflicts"],
        &["journal", "stat"],
        &["journal", "cat"],
        &["journal", "verify"],
    ];
    for words in readers {
        let done = lab.offline(words);
        assert_eq!(done.code, 7, "{words:?}: {} {}", done.out, done.err);
        let told = format!("{}{}", done.out, done.err);
        assert!(told.contains("missing"), "{words:?}: {told}");
        assert!(!done.err.contains("WARN"), "{words:?}: {}", done.err);
    }
    let run = lab.synced();
    assert!(run.err.contains("are missing"), "{}", run.err);
    for words in readers {
        let done = lab.offline(words);
        assert_eq!(done.code, 0, "{words:?}: {} {}", done.out, done.err);
        assert!(!done.err.contains("missing"), "{words:?}: {}", done.err);
    }
}

#[test]
fn verify_says_that_a_loss_would_go_unnoticed_without_a_witness() {
    let lab = synced();
    let job = job_of(&lab);
    fs::remove_file(job.join("witness")).expect("remove");
    for also in ["", "mark"] {
        if !also.is_empty() {
            fs::remove_file(job.join(also)).expect("remove");
        }
        let done = lab.offline(&["journal", "verify"]);
        assert_eq!(done.code, 0, "{} {}", done.out, done.err);
        assert!(done.err.contains("witness"), "{}", done.err);
    }
}

#[test]
fn verify_of_a_store_that_does_not_open_names_events_and_the_real_place() {
    let lab = synced();
    let job = job_of(&lab);
    flip(&job);
    let done = lab.offline(&["journal", "verify"]);
    assert_eq!(done.code, 7, "{} {}", done.out, done.err);
    let place = job.join("journal");
    assert!(
        done.out.contains(place.to_str().expect("text")),
        "{}",
        done.out
    );
    assert!(done.out.contains("damaged: event"), "{}", done.out);
    for strange in ["copies", "Fjall", "Mismatch"] {
        let told = format!("{}{}", done.out, done.err);
        assert!(!told.contains(strange), "{told}");
    }
    assert!(done.err.contains("journal salvage"), "{}", done.err);
}

#[test]
fn a_salvaged_journal_is_whole_and_waits_for_its_run() {
    let lab = synced();
    let job = job_of(&lab);
    flip(&job);
    let salvaged = lab.offline(&["journal", "salvage"]);
    assert_eq!(salvaged.code, 0, "{}", salvaged.err);
    let lost = salvaged.out.lines().filter(|line| line.contains(" to "));
    assert!(lost.count() <= 2, "{}", salvaged.out);
    let verified = lab.offline(&["journal", "verify"]);
    assert_eq!(verified.code, 0, "{} {}", verified.out, verified.err);
    assert!(verified.err.contains("salvaged"), "{}", verified.err);
    let again = lab.offline(&["journal", "salvage"]);
    assert!(again.err.contains("whole"), "{}", again.err);
    assert!(!job.join("aside/salvaged-000002").exists());
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 4, "{} {}", status.out, status.err);
    assert!(
        status.out.contains("looks at both sides anew"),
        "{}",
        status.out
    );
    lab.synced();
    assert_eq!(lab.offline(&["status"]).code, 0);
}

#[test]
fn status_says_that_a_job_was_killed() {
    let lab = synced();
    assert!(
        lab.offline(&["status"])
            .out
            .contains("synced when it stopped")
    );
    let mut running = lab.start(&[]);
    write(&lab.local.join("d.txt"), "d");
    until("the new file is synced", || {
        lab.remote.join("d.txt").exists()
    });
    running.signal("-KILL");
    running.end();
    let status = lab.offline(&["status"]);
    assert!(
        status.out.contains("did not stop by itself"),
        "{}",
        status.out
    );
}
