//! A damaged journal, and the job behind it, which loses nothing.

use super::job_of;
use crate::program::{Lab, read, write};
use std::path::Path;

fn spoil_version(job: &Path) {
    std::fs::remove_file(job.join("journal/version")).expect("remove");
}

fn spoil_everything(job: &Path) {
    std::fs::remove_dir_all(job.join("journal")).expect("remove");
}

fn spoil_witness(job: &Path) {
    std::fs::write(job.join("witness"), "?").expect("write");
}

#[test]
fn a_salvaged_job_goes_on_and_loses_nothing() {
    type Spoil = fn(&Path);
    // What could be read tells what was deleted, so that a person is asked; where nothing
    // could, what was deleted on one side comes back from the other.
    let table: [(Spoil, i32); 3] = [
        (spoil_version, 5),
        (spoil_everything, 0),
        (spoil_witness, 5),
    ];
    for (spoil, code) in table {
        let lab = Lab::new();
        for name in ["a", "b", "c"] {
            write(&lab.local.join(format!("{name}.txt")), name);
        }
        lab.synced();
        let job = job_of(&lab);
        spoil(&job);
        // Meanwhile people go on.
        std::fs::remove_file(lab.local.join("a.txt")).expect("deleted");
        write(&lab.local.join("b.txt"), "an edit");
        let stopped = lab.once(&[]);
        assert_eq!(stopped.code, 7, "{}", stopped.err);
        assert!(stopped.err.contains("journal salvage"), "{}", stopped.err);
        let out = lab.dir.path().join("kept.pydiojournal");
        let done = lab.offline(&["journal", "salvage", "--out", out.to_str().expect("text")]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_eq!(
            lab.offline(&["journal", "verify", out.to_str().expect("text")])
                .code,
            0
        );
        let careful = lab.once(&[]);
        assert_eq!(careful.code, code, "{} {}", careful.out, careful.err);
        assert!(
            lab.remote.join("a.txt").exists(),
            "nothing is deleted unasked"
        );
        if careful.code == 5 {
            assert_eq!(lab.offline(&["approve"]).code, 0);
        }
        let after = lab.once(&[]);
        assert_eq!(after.code, 0, "{} {}", after.out, after.err);
        let contents: Vec<String> = lab
            .equal()
            .keys()
            .filter(|name| name.ends_with(".txt"))
            .map(|name| read(&lab.local.join(name)))
            .collect();
        // What was deleted comes back, or was asked for.
        let asked = careful.code == 5;
        for content in ["a", "an edit", "c"].into_iter().skip(usize::from(asked)) {
            assert!(
                contents.iter().any(|found| found == content),
                "{contents:?}"
            );
        }
    }
}

#[test]
fn figures_after_a_salvage_blame_no_process() {
    let lab = Lab::new();
    write(&lab.local.join("a.txt"), "a");
    lab.synced();
    write(&lab.local.join("b.txt"), "b");
    lab.synced();
    let job = job_of(&lab);
    // The last record is damaged: the stop of the second session.
    let log = job.join("journal/0.jnl");
    let mut bytes = std::fs::read(&log).expect("the store's log");
    let last = bytes
        .windows(4)
        .rposition(|it| it == b"PSJR")
        .expect("a record");
    bytes[last + 30] ^= 0xff;
    std::fs::write(&log, bytes).expect("damaged");
    assert_eq!(lab.offline(&["journal", "salvage"]).code, 0);
    let told = lab.offline(&["journal", "stat"]);
    assert_eq!(told.code, 0, "{told:?}");
    let first = told.out.lines().next().expect("a line");
    assert!(
        first.ends_with(", salvaged or imported, and not run since"),
        "{told:?}"
    );
    assert_eq!(lab.once(&[]).code, 0);
    let told = lab.offline(&["journal", "stat"]).out;
    assert!(
        told.contains("3 sessions, 1 of them is not known to its end;"),
        "{told}"
    );
    assert!(!told.contains("did not stop by itself"), "{told}");
}

#[test]
fn a_whole_journal_is_left_alone() {
    let lab = Lab::new();
    write(&lab.local.join("a.txt"), "a");
    lab.synced();
    let before = lab.offline(&["journal", "cat"]).out;
    let done = lab.offline(&["journal", "salvage"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("whole"), "{}", done.err);
    assert_eq!(lab.offline(&["journal", "cat"]).out, before);
    assert!(!job_of(&lab).join("aside/salvaged-000001").exists());
}
