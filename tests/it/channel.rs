//! The daemon and those who talk to it, all real: subcommands and the mirror.

use crate::mirror::{dumped, logged, mirror, on_disk, start};
use crate::program::{Done, Lab, Running, until, write, write_long_ago};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Starts the daemon on any two ports. Returns it and its only job.
fn daemon(lab: &Lab) -> (Running, String) {
    let mut command = lab.bare();
    command.arg("-s").arg(&lab.remote).arg("-d").arg(&lab.local);
    command.args(["-z", "auto"]).stdout(Stdio::null());
    let running = Running(command.stderr(Stdio::null()).spawn().expect("it starts"));
    let mut job = None;
    until("the daemon answers", || {
        let note = std::fs::read_to_string(lab.state.join("ports.json")).unwrap_or_default();
        let ours = format!("\"pid\":{}", running.0.id());
        if note.contains(&ours) {
            let told = lab.offline(&["status", "--json"]);
            let status: Option<Value> =
                serde_json::from_str(told.out.lines().next().unwrap_or_default()).ok();
            job = status.and_then(|status| status["job"].as_str().map(str::to_owned));
        }
        job.is_some()
    });
    (running, job.expect("an id"))
}

fn status(lab: &Lab) -> (Done, Value) {
    let told = lab.offline(&["status", "--json"]);
    let first = told.out.lines().next().unwrap_or_default().to_owned();
    (told, serde_json::from_str(&first).unwrap_or(Value::Null))
}

fn until_state(lab: &Lab, wanted: &str) -> Done {
    let mut last = None;
    until(wanted, || {
        let (told, status) = status(lab);
        let is_there = status["state"] == wanted;
        last = Some(told);
        is_there
    });
    last.expect("it was asked")
}

/// Does a part of what users do, on both sides.
fn work(lab: &Lab, part: usize) {
    for number in 0..250 {
        let path = format!("p{part}/d{}/f{number}", number % 5);
        let root = if number % 3 == 0 {
            &lab.remote
        } else {
            &lab.local
        };
        write(&root.join(path), format!("{part} {number}"));
    }
    if part > 0 {
        let before = part - 1;
        let old = lab.local.join(format!("p{before}/d1"));
        // It may not have come over yet, or not whole: then that is what moves.
        std::fs::rename(old, lab.local.join(format!("moved{part}"))).ok();
        std::fs::remove_dir_all(lab.remote.join(format!("p{before}/d2"))).ok();
    }
}

#[test]
fn the_mirror_is_the_journal_after_kills_of_daemon_and_subscriber() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("first"), "first");
    let (mut running, job) = daemon(&lab);
    until_state(&lab, "synced");
    let mut follower = start(mirror(&lab, &job, &[]));
    // From here on each follower goes on where the one before was.
    until("the mirror has begun", || {
        follower.goes_on() && lab.dir.path().join("save").exists()
    });
    for part in 0..4 {
        work(&lab, part);
        let seen = lab.local.join(format!("p{part}/d0/f0"));
        until("the work is under way", || seen.exists());
        if part % 2 == 0 {
            // Killed, as a dropped process of a test is.
            drop(running);
            running = daemon(&lab).0;
        } else {
            drop(follower);
            follower = start(mirror(&lab, &job, &[]));
        }
    }
    until("both sides are equal", || {
        same(&lab.local, &lab.remote) && status(&lab).1["state"] == "synced"
    });
    drop(follower);
    let printed = lab.offline(&["events", "--json"]);
    let events: Vec<Value> = printed
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(events.len() > 2000, "{}", events.len());
    let last = events.len().to_string();
    let mut checked = start(mirror(&lab, &job, &["--until", &last, "--check"]));
    assert!(checked.end().success(), "the mirror is not the snapshot");
    let ours = logged(&lab);
    let first = usize::try_from(ours[0]["seq"].as_u64().expect("a number")).expect("small");
    assert_eq!(ours[..=events.len() - first], events[first - 1..]);
    assert_eq!(dumped(&lab, "local"), on_disk(&lab.local));
    assert_eq!(dumped(&lab, "remote"), on_disk(&lab.remote));
    running.signal("-TERM");
    assert_eq!(running.end().code(), Some(0));
}

fn same(local: &Path, remote: &Path) -> bool {
    // A tree that changes while it is read is not the same yet.
    std::panic::catch_unwind(|| on_disk(local) == on_disk(remote)).unwrap_or(false)
}

#[test]
fn orders_reach_the_daemon_and_the_journal_says_who_gave_them() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    let (mut running, job) = daemon(&lab);
    let told = until_state(&lab, "synced");
    assert_eq!(told.code, 0, "{told:?}");
    let paused = lab.offline(&["pause"]);
    assert_eq!((paused.code, paused.out), (0, format!("{job}: paused\n")));
    until_state(&lab, "paused");
    write_long_ago(&lab.local.join("b"), "b");
    let started = lab.offline(&["start", &job]);
    assert_eq!(started.code, 0, "{started:?}");
    until("the file crosses", || lab.remote.join("b").exists());
    assert_eq!(lab.offline(&["sync-now"]).code, 0);
    let events = lab.offline(&["events", "--json"]).out;
    let orders: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|event| event["type"] == "ordered")
        .collect();
    let words: Vec<_> = orders.iter().map(|event| event["order"].clone()).collect();
    assert_eq!(words, ["pause", "start"]);
    let by = orders[0]["by"].as_str().expect("who");
    assert!(by.ends_with("(command line)"), "{by}");
    until_state(&lab, "synced");
    // Both ways tell the same of a path. The last event is durable a little later.
    let mut running_story = told;
    until("its end is told", || {
        running_story = lab.offline(&["explain", "b"]);
        running_story.out.contains("is in sync on both sides")
    });
    assert!(
        running_story.out.contains("upload `b`"),
        "{running_story:?}"
    );
    running.signal("-TERM");
    assert_eq!(running.end().code(), Some(0));
    assert!(!lab.state.join("ports.json").exists());
    let story_at_rest = lab.offline(&["explain", "b"]);
    assert_eq!(running_story.out, story_at_rest.out);
    assert_eq!(lab.offline(&["status"]).code, 0);
}

#[test]
fn a_halt_is_released_and_a_conflict_decided_while_the_job_runs() {
    let lab = Lab::new();
    for number in 0..40 {
        write_long_ago(&lab.local.join(format!("f{number}")), number.to_string());
    }
    lab.synced();
    for number in 0..30 {
        std::fs::remove_file(lab.local.join(format!("f{number}"))).expect("a file");
    }
    let (mut running, job) = daemon(&lab);
    let told = until_state(&lab, "halted");
    assert_eq!(told.code, 5, "{told:?}");
    assert!(
        told.err.contains(&format!("pydio-sync approve {job}")),
        "{told:?}"
    );
    let approved = lab.offline(&["approve"]);
    assert_eq!(approved.code, 0, "{approved:?}");
    until("the deletions go over", || !lab.remote.join("f0").exists());
    until_state(&lab, "synced");
    assert_eq!(lab.equal().len(), 10);
    running.signal("-TERM");
    assert_eq!(running.end().code(), Some(0));
}
