//! The trash by its commands: what they show, what they bring back and what they refuse.

use crate::cli::jobs;
use crate::program::{Lab, done, read, refused, write, write_long_ago};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime};

/// A lab in which `d/a` went to the trash; with the name of its entry.
fn trashed() -> (Lab, String) {
    let lab = Lab::new();
    for name in ["d/a", "stays"] {
        write_long_ago(&lab.local.join(name), name);
    }
    lab.synced();
    fs::remove_file(lab.remote.join("d/a")).expect("a file");
    lab.synced();
    let listed = lab.offline(&["trash", "list", "--json"]);
    let entry: Value = serde_json::from_str(listed.out.trim()).expect("one entry");
    let name = entry["entry"].as_str().expect("a name").to_owned();
    (lab, name)
}

#[test]
fn a_trash_that_cannot_be_seen_is_not_called_empty() {
    let (lab, _) = trashed();
    let away = lab.dir.path().join("away");
    fs::rename(&lab.local, &away).expect("a folder");
    assert!(lab.offline(&["trash", "list"]).code > 0);
    // As where a disk was mounted.
    fs::create_dir(&lab.local).expect("a folder");
    let unmounted = lab.offline(&["trash", "list"]);
    assert_eq!((unmounted.code, unmounted.out.as_str()), (5, ""));
    assert!(
        unmounted.err.contains("put the folder back"),
        "{unmounted:?}"
    );
    // Another job's folder has a trash as well.
    let (other, _) = trashed();
    fs::remove_dir(&lab.local).expect("a folder");
    fs::rename(&other.local, &lab.local).expect("a folder");
    let wrong = lab.offline(&["trash", "list", "--json"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (5, ""));
    fs::remove_dir_all(&lab.local).expect("a folder");
    fs::rename(&away, &lab.local).expect("a folder");
    let back = lab.offline(&["trash", "list"]);
    assert!(back.code == 0 && back.out.contains("d/a"), "{back:?}");
}

#[test]
fn what_somebody_put_into_the_trash_commands_no_terminal() {
    let (lab, _) = trashed();
    let place = lab.local.join(".pydio-sync/trash/odd\u{1b}[2J");
    fs::write(place, "").expect("a file");
    let listed = lab.offline(&["trash", "list"]);
    assert!(listed.out.contains("odd\\u{1b}[2J"), "{listed:?}");
    assert!(!listed.out.contains('\u{1b}'), "{listed:?}");
}

#[test]
fn only_a_taken_name_is_a_mistake_of_whoever_restores() {
    let (lab, entry) = trashed();
    let to = |place: &str| lab.offline(&["trash", "restore", &entry, "--to", place]);
    let taken = to("stays");
    assert_eq!(taken.code, 2, "{taken:?}");
    assert!(taken.err.contains("something is at `stays`"), "{taken:?}");
    assert!(taken.err.contains("--to PATH"), "{taken:?}");
    let below_a_file = to("stays/a");
    assert_eq!(below_a_file.code, 4, "{below_a_file:?}");
    assert!(!below_a_file.err.contains("--to"), "{below_a_file:?}");
    assert_eq!(read(&lab.local.join("stays")), "stays");
    let restored = to("d/b");
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(read(&lab.local.join("d/b")), "d/a");
}

#[test]
fn what_was_deleted_comes_back_from_the_trash_and_replaces_nothing() {
    let lab = Lab::new();
    write(&lab.local.join("d/a"), "precious");
    write(&lab.local.join("stays"), "x");
    lab.synced();
    fs::remove_dir_all(lab.remote.join("d")).expect("a folder");
    lab.synced();
    assert!(!lab.local.join("d").exists());
    let listed = lab.offline(&["trash", "list", "--json"]);
    let entries: Vec<Value> = listed
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let entry = entries.iter().find(|entry| entry["path"] == "d/a");
    let name = entry.expect("it is listed")["entry"]
        .as_str()
        .expect("a name");
    write(&lab.local.join("d/a"), "another");
    let taken = lab.offline(&["trash", "restore", name]);
    refused(&taken, &["not restored", "--to PATH"]);
    assert_eq!(read(&lab.local.join("d/a")), "another");
    // A place that is absolute is meant as such, and is in the folder or refused.
    let elsewhere = lab.dir.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().expect("text");
    let outside = lab.offline(&["trash", "restore", name, "--to", elsewhere]);
    refused(&outside, &["is not in the local folder"]);
    let place = lab.local.join("e/f/back");
    let place = place.to_str().expect("text");
    let restored = lab.offline(&["trash", "restore", &name[..16], "--to", place]);
    assert_eq!(restored.code, 0, "{restored:?}");
    lab.synced();
    assert_eq!(read(&lab.remote.join("e/f/back")), "precious");
    refused(
        &lab.offline(&["trash", "restore", "zz"]),
        &["nothing in the trash"],
    );
}

#[test]
fn a_file_cut_short_under_its_old_time_leaves_the_whole_version_in_the_trash() {
    let then = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
    let written = |lab: &Lab, content: &str| {
        let path = lab.local.join("a");
        fs::write(&path, content).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(then).expect("its time");
    };
    for (shift, in_trash) in [(0, true), (1, false)] {
        let lab = Lab::new();
        written(&lab, "precious");
        lab.synced();
        // In place, as a power loss leaves it: the same file.
        written(&lab, "pre");
        if shift > 0 {
            let file = fs::File::options().write(true).open(lab.local.join("a"));
            let later = then + Duration::from_secs(shift);
            file.expect("a file").set_modified(later).expect("its time");
        }
        lab.synced();
        assert_eq!(read(&lab.remote.join("a")), "pre");
        let listed = lab.offline(&["trash", "list", "--json"]).out;
        let entries = listed
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let kept: Vec<Value> = entries
            .filter(|entry: &Value| entry["path"] == "a")
            .collect();
        assert_eq!(!kept.is_empty(), in_trash, "{shift} s later: {listed}");
        if let Some(entry) = kept.first() {
            let name = entry["entry"].as_str().expect("a name");
            let restored = lab.offline(&["trash", "restore", name, "--to", "whole"]);
            assert_eq!(restored.code, 0, "{restored:?}");
            assert_eq!(read(&lab.local.join("whole")), "precious");
        }
    }
}

#[test]
fn the_trash_is_tidied_by_age() {
    let lab = Lab::new();
    let file = jobs(&lab, &[("l1", "r1", json!({"id": "one", "trash_days": 0}))]);
    let place = |path: &str| lab.dir.path().join(path);
    let run = || {
        let run = done(lab.bare().args(["-f", &file, "--once"]));
        assert_eq!(run.code, 0, "{run:?}");
    };
    write(&place("l1/a"), "a");
    write(&place("l1/b"), "b");
    run();
    fs::remove_file(place("r1/a")).expect("a file");
    run();
    let trashed = || {
        fs::read_dir(place("l1/.pydio-sync/trash"))
            .expect("the trash")
            .count()
    };
    assert_eq!(trashed(), 1);
    run();
    assert_eq!(trashed(), 0);
}
