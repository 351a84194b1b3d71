//! What a halt holds back can be seen before it is released, wherever its number is told.

use crate::program::{Done, Lab, Running, done, until, write_long_ago};
use serde_json::Value;
use std::process::Stdio;

/// A lab that synced 30 files, of which 25 are gone on the remote side now.
fn mass_deletion() -> Lab {
    let lab = Lab::new();
    for number in 0..30 {
        write_long_ago(&lab.local.join(format!("f{number:02}")), number.to_string());
    }
    lab.synced();
    for number in 0..25 {
        let path = lab.remote.join(format!("f{number:02}"));
        std::fs::remove_file(path).expect("a file");
    }
    lab
}

fn looked(lab: &Lab, flags: &[&str]) -> Done {
    done(lab.command().arg("--dry-run").args(flags))
}

fn objects(done: &Done, kind: &str) -> Vec<Value> {
    let lines = done.out.lines();
    let values = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    values.filter(|value| value["type"] == kind).collect()
}

/// Looks with `--dry-run`, which must list what is held back as that and nothing else.
fn is_listed(lab: &Lab, why: &str) {
    let seen = looked(lab, &[]);
    assert_eq!(seen.code, 5, "{seen:?}");
    let held = "held back: D2 delete on the local side f";
    assert_eq!(seen.out.lines().count(), 25, "{seen:?}");
    assert!(
        seen.out.lines().all(|line| line.starts_with(held)),
        "{seen:?}"
    );
    assert!(seen.err.contains(why), "{seen:?}");
    assert!(
        seen.err.contains("D2: it was deleted on the remote side"),
        "{seen:?}"
    );
    let seen = looked(lab, &["--json"]);
    let held = objects(&seen, "held_back");
    assert_eq!((seen.code, held.len()), (5, 25), "{seen:?}");
    assert_eq!(held[0]["halt"], "too_many_deletions");
    assert_eq!(objects(&seen, "halted")[0]["count"], 25, "{seen:?}");
    assert_eq!(objects(&seen, "planned").len(), 0, "{seen:?}");
}

/// Asks `status`, which must list what is held back.
fn is_told(lab: &Lab) {
    let seen = lab.offline(&["status"]);
    assert_eq!(seen.code, 5, "{seen:?}");
    let held = seen
        .err
        .matches("held back: D2 delete on the local side f")
        .count();
    assert!(held == 5 && seen.err.contains("and 20 more"), "{seen:?}");
    let seen = lab.offline(&["status", "--json"]);
    assert_eq!(objects(&seen, "held_back").len(), 25, "{seen:?}");
}

#[test]
fn what_a_halt_holds_back_is_listed_before_it_is_released() {
    let lab = mass_deletion();
    is_listed(&lab, "would halt for safety: 25 entries would be deleted");
    assert_eq!(lab.once(&[]).code, 5);
    is_listed(&lab, "pydio-sync approve ");
    is_told(&lab);
    let seen = lab.offline(&["conflicts"]);
    assert!(
        seen.err.contains("halted for safety: 25 entries"),
        "{seen:?}"
    );
    assert!(!seen.err.contains("no conflict waits"), "{seen:?}");

    let replayed = lab.offline(&["journal", "replay"]);
    let (_, last) = replayed
        .out
        .rsplit_once("held back: 25 entries")
        .expect("a plan");
    assert_eq!(
        last.matches("held back: D2 remove local f").count(),
        25,
        "{last}"
    );
    let replayed = lab.offline(&["journal", "replay", "--json"]);
    let plans = objects(&replayed, "plan");
    let plan = plans.last().expect("a plan");
    assert_eq!(plan["brake"]["reason"], "too_many_deletions");
    assert_eq!(
        (&plan["count"], &plan["held_back"]["count"]),
        (&0.into(), &25.into())
    );
    assert_eq!(
        plan["held_back"]["steps"].as_array().map(Vec::len),
        Some(25)
    );

    assert_eq!(lab.offline(&["approve"]).code, 0);
    let seen = looked(&lab, &["--json"]);
    assert_eq!(
        (seen.code, objects(&seen, "planned").len()),
        (0, 25),
        "{seen:?}"
    );
    lab.synced();
    assert_eq!(lab.equal().len(), 5);
}

#[test]
fn it_is_listed_while_a_daemon_has_the_job() {
    let lab = mass_deletion();
    let mut command = lab.bare();
    command.arg("-s").arg(&lab.remote).arg("-d").arg(&lab.local);
    command.args(["-z", "auto"]).stdout(Stdio::null());
    let mut running = Running(command.stderr(Stdio::null()).spawn().expect("it starts"));
    until("the job is halted", || {
        let seen = lab.offline(&["status"]);
        seen.code == 5 && seen.out.contains("halted")
    });
    is_listed(&lab, "pydio-sync approve ");
    is_told(&lab);
    running.signal("-TERM");
    assert_eq!(running.end().code(), Some(0));
    assert_eq!(lab.local.read_dir().expect("there").count(), 31);
}

#[test]
fn a_dry_run_sees_a_folder_that_is_gone_and_writes_nothing() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    assert_eq!(looked(&lab, &[]).code, 0);
    let jobs = lab.state.join("jobs");
    assert!(!jobs.exists(), "a dry run began a journal");
    lab.synced();
    write_long_ago(&lab.local.join("b"), "b");
    std::fs::rename(&lab.remote, lab.dir.path().join("elsewhere")).expect("moved");
    let seen = looked(&lab, &[]);
    assert_eq!(seen.code, 5, "{seen:?}");
    assert!(!seen.out.contains("nothing to do"), "{seen:?}");
    assert!(seen.err.contains("would halt for safety"), "{seen:?}");
}
