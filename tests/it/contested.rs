//! What waits for a decision of a person, and what became of it.

use crate::program::{Lab, read, refused, write};
use serde_json::json;
use std::fs;

#[test]
fn a_conflict_waits_for_its_resolution() {
    for (keep, wanted, names) in [
        ("local", "mine", 1),
        ("remote", "theirs", 1),
        ("both", "theirs", 2),
    ] {
        let lab = Lab::new();
        write(&lab.local.join("d/a"), "old");
        lab.synced();
        write(&lab.local.join("d/a"), "mine");
        write(&lab.remote.join("d/a"), "theirs");
        let manual = ["--conflict", "manual"];
        assert_eq!(lab.once(&manual).code, 3);
        let status = lab.offline(&["status", "--json"]);
        assert_eq!(status.code, 3, "{status:?}");
        assert!(status.out.contains(r#""conflicts":1"#), "{status:?}");
        let listed = lab.offline(&["conflicts"]);
        assert_eq!(listed.out, "C1 conflict: d/a\n");
        refused(
            &lab.offline(&["resolve", "d/b", "--keep", keep]),
            &["no conflict waits"],
        );
        assert_eq!(lab.offline(&["resolve", "d/a", "--keep", keep]).code, 0);
        let run = lab.once(&manual);
        assert_eq!(run.code, 0, "{keep}: {run:?}");
        assert_eq!(read(&lab.local.join("d/a")), wanted);
        assert_eq!(lab.equal().len(), 1 + names, "{keep}");
        assert_eq!(lab.offline(&["status"]).code, 0);
    }
}

#[test]
fn a_contested_name_goes_to_whom_its_resolution_says() {
    for (keep, holder, other) in [
        ("local", "n=mine", "n~/in=theirs"),
        ("remote", "n/in=theirs", "n~=mine"),
        ("both", "n/in=theirs", "n~=mine"),
    ] {
        let lab = Lab::new();
        write(&lab.local.join("a"), "a");
        write(&lab.local.join("b"), "b");
        lab.synced();
        write(&lab.local.join("n"), "mine");
        write(&lab.remote.join("n/in"), "theirs");
        fs::rename(lab.local.join("a"), lab.local.join("x")).expect("a move");
        fs::rename(lab.remote.join("b"), lab.remote.join("x")).expect("a move");
        let manual = ["--conflict", "manual"];
        assert_eq!(lab.once(&manual).code, 3);
        for path in ["n", "x"] {
            assert_eq!(lab.offline(&["resolve", path, "--keep", keep]).code, 0);
        }
        let run = lab.once(&manual);
        assert_eq!(run.code, 0, "{keep}: {run:?}");
        let after: Vec<String> = lab
            .equal()
            .into_keys()
            .filter(|name| !name.ends_with('/'))
            .map(|name| format!("{}={}", unmarked(&name), read(&lab.local.join(&name))))
            .collect();
        let moved = if keep == "local" {
            ["x=a", "x~=b"]
        } else {
            ["x=b", "x~=a"]
        };
        for wanted in [holder, other].into_iter().chain(moved) {
            assert!(after.contains(&wanted.to_owned()), "{keep}: {after:?}");
        }
        let again = lab.once(&manual);
        assert_eq!((again.code, &again.summary["moved"]), (0, &json!(0)));
    }
}

#[test]
fn a_conflict_copy_of_the_same_content_is_not_made_twice() {
    let lab = Lab::new();
    write(&lab.local.join("f.txt"), "old");
    lab.synced();
    for theirs in ["theirs", "theirs again"] {
        write(&lab.local.join("f.txt"), "mine");
        write(&lab.remote.join("f.txt"), theirs);
        assert_eq!(lab.once(&[]).code, 0);
        let names: Vec<String> = lab.equal().keys().map(|name| unmarked(name)).collect();
        assert_eq!(names, ["f~.txt", "f.txt"], "{theirs}");
        assert_eq!(read(&lab.local.join("f.txt")), theirs);
    }
    let trash = lab.offline(&["trash", "list"]);
    assert_eq!(trash.out.matches("f.txt, 4 bytes").count(), 1, "{trash:?}");
}

/// A path with `~` in the place of a conflict's mark.
fn unmarked(path: &str) -> String {
    let Some((before, mark)) = path.split_once(" (conflict ") else {
        return path.to_owned();
    };
    let (_, after) = mark.split_once(')').expect("the mark's end");
    format!("{before}~{after}")
}
