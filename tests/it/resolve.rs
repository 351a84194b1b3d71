//! Each answer to each kind of conflict, with the program on two folders.
//!
//! A line is `base | local | remote | kept local | kept remote | kept both`: what both
//! sides hold first, what each one's user does, and what both hold after the answer.
//! `p=text` writes, `-p` removes, `p>q` renames; a conflict mark is shown as `~`.

use crate::program::{Lab, tree, write_long_ago};
use serde_json::Value;
use std::path::Path;

const TABLE: &str = "
a=1 | a=22 | a=333 | a=22 | a=333 | a=333 a~=22
 | a=22 | a=333 | a=22 | a=333 | a=333 a~=22
a=1 | a>b | a>c | b=1 | c=1 | c=1
d/x=1 | d>e | d>f | e/x=1 | f/x=1 | f/x=1
a=1 | -a a/x=2 | a=333 | a/x=2 a~=333 | a=333 a~/x=2 | a=333 a~/x=2
a=1 | a=333 | -a a/x=2 | a=333 a~/x=2 | a/x=2 a~=333 | a/x=2 a~=333
d/x=1 d/y=2 | -d d=5 | d/x=333 | d=5 d~/x=333 | d/x=333 d~=5 | d/x=333 d~=5
 | a=1 | a/x=2 | a=1 a~/x=2 | a/x=2 a~=1 | a/x=2 a~=1
a=1 b=22 | a>c | b>c | c=1 c~=22 | c=22 c~=1 | c=22 c~=1
a=1 | a>c | c=22 | c=1 c~=22 | c=22 c~=1 | c=22 c~=1
";

/// Here an edit or a move wins over a deletion without a question.
const UNASKED: &str = "
a=1 | a=22 | -a | a=22
a=1 | -a | a=22 | a=22
d/x=1 d/y=2 | -d | d/x=333 | d/x=333
d/x=1 d/y=2 | d/x=333 | -d | d/x=333
a=1 | a>b | -a | b=1
";

const MANUAL: [&str; 2] = ["--conflict", "manual"];

#[test]
fn each_answer_is_carried_out_and_then_nothing_waits() {
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        for (keep, place) in [("local", 3), ("remote", 4), ("both", 5)] {
            let what = format!("{line}, {keep}");
            let lab = apart(&columns);
            let sides = || [tree(&lab.local), tree(&lab.remote)];
            let run = lab.once(&MANUAL);
            assert_eq!(run.code, 3, "{what}: {run:?}");
            let listed = lab.offline(&["conflicts", "--json"]);
            let conflict: Value = serde_json::from_str(&listed.out).expect("one conflict");
            let path = conflict["path"].as_str().expect("a path");
            let before = sides();
            let decided = lab.offline(&["resolve", path, "--keep", keep]);
            assert_eq!((decided.code, sides()), (0, before), "{what}: {decided:?}");
            let run = lab.once(&MANUAL);
            assert_eq!(run.code, 0, "{what}: {run:?}");
            for side in [&lab.local, &lab.remote] {
                assert_eq!(files(side), words(columns[place]), "{what}");
            }
            let (listed, again) = (lab.offline(&["conflicts"]), lab.once(&MANUAL));
            assert_eq!((listed.out.as_str(), again.code), ("", 0), "{what}");
            assert!(again.is_idle(), "{what}: {again:?}");
        }
    }
}

#[test]
fn an_edit_against_a_deletion_is_not_asked_about() {
    for line in UNASKED.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let lab = apart(&columns);
        let run = lab.once(&MANUAL);
        assert_eq!(run.code, 0, "{line}: {run:?}");
        for side in [&lab.local, &lab.remote] {
            assert_eq!(files(side), words(columns[3]), "{line}");
        }
    }
}

#[test]
fn a_divergence_is_nothing_to_decide_and_hides_nothing_of_the_source() {
    for keep in ["local", "remote", "both"] {
        let lab = apart(&["", "a=1 s=1", "a/x=2"]);
        let up = ["--direction", "up"];
        let run = lab.once(&up);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(files(&lab.remote), words("a=1 a~/x=2 s=1"));
        let listed = lab.offline(&["conflicts", "--json"]).out;
        let objects = listed.lines().map(serde_json::from_str::<Value>);
        let listed: Vec<Value> = objects.map(|object| object.expect("JSON")).collect();
        assert!(!listed.is_empty());
        for divergence in listed {
            assert_eq!(divergence["type"], "divergence");
            let path = divergence["path"].as_str().expect("a path");
            let refused = lab.offline(&["resolve", path, "--keep", keep]);
            assert_eq!(refused.code, 2, "{refused:?}");
            assert!(refused.err.contains("nothing to decide"), "{refused:?}");
        }
        assert!(lab.once(&up).is_idle());
    }
}

/// A pair that was in sync, and was then changed on both sides.
fn apart(columns: &[&str]) -> Lab {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("other"), "in sync");
    play(&lab.local, columns[0]);
    lab.synced();
    play(&lab.local, columns[1]);
    play(&lab.remote, columns[2]);
    lab
}

fn play(root: &Path, commands: &str) {
    for command in commands.split_whitespace() {
        if let Some(path) = command.strip_prefix('-') {
            let path = root.join(path);
            if path.is_dir() {
                std::fs::remove_dir_all(path).expect("a folder");
            } else {
                std::fs::remove_file(path).expect("a file");
            }
        } else if let Some((from, to)) = command.split_once('>') {
            std::fs::rename(root.join(from), root.join(to)).expect("a rename");
        } else {
            let (path, text) = command.split_once('=').expect("a command");
            write_long_ago(&root.join(path), text);
        }
    }
}

/// The files of a side as the table writes them.
fn files(root: &Path) -> Vec<String> {
    let paths = tree(root).into_keys();
    let paths = paths.filter(|path| !path.ends_with('/') && path != "other");
    let mut found: Vec<String> = paths
        .map(|path| {
            let text = std::fs::read_to_string(root.join(&path)).expect("a file");
            format!("{}={text}", unmarked(&path))
        })
        .collect();
    found.sort();
    found
}

fn unmarked(path: &str) -> String {
    match (path.find(" (conflict "), path.find(')')) {
        (Some(start), Some(end)) => format!("{}~{}", &path[..start], &path[end + 1..]),
        _ => path.to_owned(),
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    words.sort();
    words
}
