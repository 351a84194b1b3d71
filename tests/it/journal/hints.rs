//! What every command says about a journal that it cannot use: exit code 7, and the step
//! that helps, which is another one for damage, for a newer release and for a journal
//! that is somebody else's.

use super::job_of;
use crate::program::{Lab, write};
use std::fs;
use std::path::Path;

/// A job that synced once.
fn lab() -> Lab {
    let lab = Lab::new();
    write(&lab.local.join("a.txt"), "a");
    lab.synced();
    lab
}

fn no_version(_: &Lab, job: &Path) {
    fs::remove_file(job.join("journal/version")).expect("removed");
}

fn gone(_: &Lab, job: &Path) {
    fs::remove_dir_all(job.join("journal")).expect("removed");
}

fn evidence_spoilt(_: &Lab, job: &Path) {
    fs::write(job.join("witness"), "?").expect("written");
}

/// The version stands behind the magic.
fn evidence_of_tomorrow(_: &Lab, job: &Path) {
    let path = job.join("witness");
    let mut bytes = fs::read(&path).expect("a witness");
    let at = bytes.iter().position(|byte| *byte == 0).expect("a version");
    bytes[at] = 0x7f;
    fs::write(path, bytes).expect("written");
}

fn of_another_job(lab: &Lab, job: &Path) {
    let other = self::lab();
    let theirs = job_of(&other).join("journal");
    fs::remove_dir_all(job.join("journal")).expect("removed");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([&theirs, &job.join("journal")])
        .status();
    assert!(copied.expect("cp").success(), "{}", lab.state.display());
}

type Spoil = fn(&Lab, &Path);

#[test]
fn each_command_ends_with_7_and_names_the_step_that_helps() {
    const SALVAGE: &str = "journal salvage";
    const UPGRADE: &str = "upgrade";
    const OWN: &str = "--state-dir";
    let table: [(&str, Spoil, &str); 5] = [
        ("no version", no_version, SALVAGE),
        ("gone", gone, SALVAGE),
        ("evidence spoilt", evidence_spoilt, SALVAGE),
        ("evidence of tomorrow", evidence_of_tomorrow, UPGRADE),
        ("another job's", of_another_job, OWN),
    ];
    for (what, spoil, step) in table {
        let lab = lab();
        spoil(&lab, &job_of(&lab));
        let commands: [&[&str]; 9] = [
            &["status"],
            &["events"],
            &["explain", "a.txt"],
            &["journal", "stat"],
            &["journal", "cat"],
            &["journal", "verify"],
            &["journal", "explain", "a.txt"],
            &["journal", "replay"],
            &["undo", "--last", "--dry-run"],
        ];
        let mut told: Vec<_> = commands
            .iter()
            .map(|words| (words.join(" "), lab.offline(words)))
            .collect();
        told.push(("a run".to_owned(), lab.once(&[])));
        for (words, done) in told {
            assert_eq!(done.code, 7, "{what}: {words}: {done:?}");
            for known in [SALVAGE, UPGRADE, OWN] {
                let is_named = done.err.contains(known);
                assert_eq!(is_named, known == step, "{what}: {words}: {}", done.err);
            }
        }
    }
}

#[test]
fn a_file_of_tomorrow_wants_an_upgrade() {
    let lab = lab();
    let file = lab.dir.path().join("whole.pydiojournal");
    let name = file.to_str().expect("text");
    let job = job_of(&lab);
    let job = job
        .file_name()
        .and_then(|name| name.to_str())
        .expect("text");
    assert_eq!(lab.offline(&["journal", "export", job, name]).code, 0);
    let mut bytes = fs::read(&file).expect("a file");
    bytes[8] += 1;
    fs::write(&file, bytes).expect("written");
    for words in [
        &["journal", "stat", name][..],
        &["journal", "cat", name],
        &["journal", "verify", name],
        &["journal", "explain", name, "a.txt"],
        &["journal", "import", name, "--job", "fresh"],
    ] {
        let done = lab.offline(words);
        assert_eq!(done.code, 7, "{words:?}: {done:?}");
        assert!(done.err.contains("upgrade"), "{words:?}: {done:?}");
        assert!(!done.err.contains("salvage"), "{words:?}: {done:?}");
    }
}
