//! The trash by its commands: what they show, what they bring back and what they refuse.

use crate::program::{Lab, read, write_long_ago};
use serde_json::Value;
use std::fs;

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
