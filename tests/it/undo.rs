//! `undo` with the real program: what a colleague did comes back, on both sides.

use crate::program::{Done, Lab, Running, done, read, tree, until, write_long_ago};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// What somebody does on one side.
type Deed = fn(&Lab);

/// A lab in sync, with a file, a folder with a file, and one that stays.
fn settled() -> Lab {
    let lab = Lab::new();
    for name in ["a", "d/b", "stays"] {
        write_long_ago(&lab.local.join(name), format!("content of {name}"));
    }
    lab.synced();
    lab
}

/// A lab in which something was done and synced, and what both sides held before and after.
fn changed(what: &str, deed: Deed) -> (Lab, [BTreeMap<String, String>; 2]) {
    let lab = settled();
    let before = lab.equal();
    deed(&lab);
    lab.synced();
    let after = lab.equal();
    assert_ne!(before, after, "{what}");
    (lab, [before, after])
}

fn objects(done: &Done) -> Vec<Value> {
    let lines = done.out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn undone(lab: &Lab, words: &[&str]) -> Vec<Value> {
    let run = done(lab.bare().args(["undo", "--json", "--yes"]).args(words));
    assert_eq!(run.code, 0, "{run:?}");
    objects(&run)
}

fn seq(objects: &[Value]) -> String {
    let sum = objects.last().expect("a summary");
    assert_eq!(sum["type"], "undo_summary");
    sum["seq"].as_u64().expect("an event").to_string()
}

#[test]
fn what_a_colleague_did_is_undone_on_both_sides_and_done_again() {
    let table: [(&str, Deed); 5] = [
        ("delete", |lab| {
            fs::remove_file(lab.remote.join("a")).expect("a");
        }),
        ("rename", |lab| {
            fs::rename(lab.remote.join("a"), lab.remote.join("z")).expect("a");
        }),
        ("replace", |lab| {
            write_long_ago(&lab.remote.join("a"), "another, longer content");
        }),
        ("create", |lab| {
            write_long_ago(&lab.remote.join("n"), "new");
        }),
        ("make a folder", |lab| {
            fs::create_dir(lab.remote.join("n")).expect("n");
        }),
    ];
    for (what, deed) in table {
        let (lab, [before, after]) = changed(what, deed);
        let event = seq(&undone(&lab, &["--last"]));
        assert_eq!(tree(&lab.local), before, "{what}");
        assert_eq!(
            tree(&lab.remote),
            after,
            "{what}: the remote is for the next run"
        );
        lab.synced();
        assert_eq!(lab.equal(), before, "{what}");
        let again = seq(&undone(&lab, &[&event]));
        lab.synced();
        assert_eq!(lab.equal(), after, "{what}: the undo is undone");
        // What carried it to the remote is part of it.
        let last = undone(&lab, &["--last"]);
        assert_eq!(last[0]["undoes"].to_string(), again, "{what}");
        lab.synced();
        assert_eq!(lab.equal(), before, "{what}: and once more");
        assert_eq!(lab.offline(&["journal", "verify"]).code, 0, "{what}");
    }
}

#[test]
fn a_whole_day_is_undone_newest_first() {
    let lab = settled();
    let before = lab.equal();
    let since = "--since=1h";
    let events = lab.offline(&["events", "--json"]);
    let last = objects(&events).last().expect("an event")["seq"].as_u64();
    fs::remove_dir_all(lab.remote.join("d")).expect("d");
    fs::rename(lab.remote.join("a"), lab.remote.join("a2")).expect("a");
    write_long_ago(&lab.remote.join("n/o/p"), "new");
    lab.synced();
    let looked = lab.offline(&["undo", since, "--dry-run"]);
    assert_eq!(looked.code, 4, "own uploads are in the range: {looked:?}");
    for part in [
        "planned: bring `d/b` back",
        "not undone: `a`: it is your own file",
    ] {
        assert!(looked.out.contains(part), "`{part}` is not in {looked:?}");
    }
    let unasked = lab.offline(&["undo", since]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("--dry-run"), "{unasked:?}");
    assert_ne!(tree(&lab.local), before, "nothing was changed yet");
    let run = done(lab.bare().args(["undo", since, "--yes", "--json"]));
    assert_eq!(run.code, 4, "{run:?}");
    assert_eq!(tree(&lab.local), before);
    let told = objects(&run);
    // Only the first sync's uploads, which are the user's own files.
    let is_left = |it: &&Value| it["state"] == "left" && it["undoes"].as_u64() > last;
    assert_eq!(told.iter().find(is_left), None, "{run:?}");
    lab.synced();
    assert_eq!(lab.equal(), before);
}

#[test]
fn what_was_edited_since_is_not_touched() {
    let lab = settled();
    write_long_ago(&lab.remote.join("a"), "theirs, which is longer");
    fs::remove_file(lab.remote.join("d/b")).expect("d/b");
    lab.synced();
    write_long_ago(&lab.local.join("a"), "mine, written after that");
    write_long_ago(&lab.local.join("d/b"), "mine as well");
    let here = tree(&lab.local);
    let run = done(lab.bare().args(["undo", "--since", "1h", "--yes"]));
    assert_eq!(run.code, 4, "{run:?}");
    for part in ["`a`: it was changed since", "`d/b`: something is at"] {
        assert!(run.out.contains(part), "`{part}` is not in {run:?}");
    }
    assert_eq!(tree(&lab.local), here);
    lab.synced();
    assert_eq!(lab.equal(), here);
}

#[test]
fn an_undo_and_a_restore_are_events_that_explain_tells() {
    let lab = settled();
    fs::remove_file(lab.remote.join("d/b")).expect("d/b");
    lab.synced();
    let event = seq(&undone(&lab, &["--last"]));
    let told = lab.offline(&["explain", "d/b"]);
    assert!(
        told.out.contains("undid a change: `d/b` is there again"),
        "{told:?}"
    );
    let other = lab.offline(&["explain", "a"]);
    assert!(!other.out.contains("undid"), "{other:?}");
    undone(&lab, &[&event]);
    let told = lab.offline(&["explain", "d/b"]);
    assert!(told.out.contains("`d/b` is in the trash as"), "{told:?}");
    let listed = lab.offline(&["trash", "list", "--json"]);
    let [entry] = &objects(&listed)[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(entry["path"], "d/b", "its place is known by the event");
    let name = entry["entry"].as_str().expect("a name");
    assert_eq!(lab.offline(&["trash", "restore", name]).code, 0);
    assert_eq!(read(&lab.local.join("d/b")), "content of d/b");
    let events = lab.offline(&["events", "--json"]);
    let events = objects(&events);
    let [.., last, end] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(last["type"], "undone");
    assert_eq!(last["changes"][0]["path"], "d/b");
    assert_eq!(end["type"], "session_stopped");
    let stat = lab.offline(&["journal", "stat", "--json"]);
    assert_eq!(objects(&stat)[0]["sessions_unclean"], 0, "{stat:?}");
    assert_eq!(objects(&stat)[0]["origin"], "store", "{stat:?}");
    undone(&lab, &["--last"]);
    assert!(!lab.local.join("d/b").exists());
}

#[test]
fn an_undo_that_cannot_be_is_refused_and_changes_nothing() {
    let lab = settled();
    let before = tree(&lab.local);
    let table: [(&[&str], i32, &str); 6] = [
        (&["--yes"], 2, "not said what"),
        (&["999999", "--yes"], 2, "this journal ends at event"),
        (&["--since", "yesterday"], 2, "2026-11-22"),
        (&["nobody", "--last"], 2, "no job `nobody`"),
        (&["1", "2", "3"], 2, "3"),
        (&["--last", "--yes"], 4, "nothing was changed"),
    ];
    for (words, code, part) in table {
        let run = done(lab.bare().arg("undo").args(words));
        assert_eq!(run.code, code, "{words:?}: {run:?}");
        assert!(run.err.contains(part), "{words:?}: {run:?}");
        assert_eq!(tree(&lab.local), before);
    }
    let running = lab.start(&[]);
    write_long_ago(&lab.local.join("now"), "it runs");
    until("the job runs", || lab.remote.join("now").exists());
    let looked = lab.offline(&["undo", "--last", "--mine", "--dry-run"]);
    assert_eq!(looked.code, 0, "looking disturbs nobody: {looked:?}");
    assert!(
        looked.out.contains("put `now` into the trash"),
        "{looked:?}"
    );
    let held = lab.offline(&["undo", "--last", "--mine", "--yes"]);
    drop(running);
    assert_eq!(held.code, 8, "{held:?}");
    assert!(held.err.contains("stop that process"), "{held:?}");
    assert!(lab.local.join("now").exists());
}

#[test]
fn what_followed_from_ones_own_changes_is_undone_by_those_who_ask_for_it() {
    let table: [(&str, Deed); 3] = [
        ("a new file", |lab| {
            write_long_ago(&lab.local.join("n"), "new")
        }),
        ("a new folder", |lab| {
            fs::create_dir(lab.local.join("n")).expect("n");
        }),
        ("a rename", |lab| {
            fs::rename(lab.local.join("a"), lab.local.join("z")).expect("a");
        }),
    ];
    for (what, deed) in table {
        let (lab, [before, after]) = changed(what, deed);
        let left = done(lab.bare().args(["undo", "--last", "--yes"]));
        assert_eq!(left.code, 4, "{what}: {left:?}");
        assert!(left.out.contains("--mine"), "{what}: {left:?}");
        assert_eq!(tree(&lab.local), after, "{what}");
        // Its number alone says as much.
        let named = undone(&lab, &["--last", "--mine", "--dry-run"]);
        let operation = named[0]["undoes"].to_string();
        let event = seq(&undone(&lab, &[&operation]));
        lab.synced();
        assert_eq!(lab.equal(), before, "{what}");
        undone(&lab, &[&event]);
        lab.synced();
        assert_eq!(lab.equal(), after, "{what}: the undo is undone");
    }
    let lab = settled();
    let before = lab.equal();
    write_long_ago(&lab.local.join("a"), "an edit, which replaced a version");
    fs::remove_file(lab.local.join("d/b")).expect("d/b");
    lab.synced();
    let run = done(
        lab.bare()
            .args(["undo", "--since", "1h", "--mine", "--yes"]),
    );
    assert_eq!(run.code, 4, "{run:?}");
    for part in [
        "the one that it replaced was not kept here",
        "was made here by hand",
    ] {
        assert!(run.out.contains(part), "`{part}` is not in {run:?}");
    }
    assert!(before.contains_key("stays") && !lab.local.join("stays").exists());
}

#[test]
fn a_job_that_a_daemon_runs_rests_for_an_undo_and_goes_on() {
    let lab = settled();
    fs::remove_file(lab.remote.join("a")).expect("a");
    fs::remove_file(lab.remote.join("d/b")).expect("d/b");
    lab.synced();
    let mut command = lab.bare();
    command.arg("-s").arg(&lab.remote).arg("-d").arg(&lab.local);
    command.args(["-z", "auto"]);
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let mut running = Running(command.spawn().expect("the program starts"));
    // Until then `status` would open the journal itself, and be in the daemon's way.
    until("the daemon answers", || {
        lab.state.join("ports.json").exists()
    });
    until("the daemon has the job in sync", || {
        let status = lab.offline(&["status", "--json"]);
        status.out.contains(r#""state":"synced""#)
    });
    let looked = lab.offline(&["undo", "--last", "--dry-run"]);
    assert_eq!(looked.code, 0, "{looked:?}");
    let run = done(lab.bare().args(["undo", "--last", "--yes"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("started again"), "{run:?}");
    until("it came back on both sides", || {
        ["a", "d/b"]
            .iter()
            .any(|name| lab.local.join(name).exists() && lab.remote.join(name).exists())
    });
    let listed = lab.offline(&["trash", "list", "--json"]);
    let [entry] = &objects(&listed)[..] else {
        panic!("{listed:?}");
    };
    let name = entry["entry"].as_str().expect("a name");
    let restored = lab.offline(&["trash", "restore", name]);
    assert_eq!(restored.code, 0, "{restored:?}");
    until("both came back on both sides", || {
        ["a", "d/b"]
            .iter()
            .all(|name| lab.remote.join(name).exists())
    });
    let events = objects(&lab.offline(&["events", "--json"]));
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(count("undone"), 2);
    running.signal("-TERM");
    assert!(running.end().success());
    lab.synced();
    assert_eq!(lab.offline(&["journal", "verify"]).code, 0);
}
