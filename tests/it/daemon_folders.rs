//! The running daemon on two folders.

use crate::program::{Lab, Running, done, read, tree, until, write};
use serde_json::json;
use std::fs;
use std::process::Stdio;

fn stop(mut daemon: Running, signal: &str) {
    daemon.signal(signal);
    assert_eq!(daemon.end().code(), Some(0), "{signal}");
}

#[test]
fn changes_travel_both_ways_while_it_runs() {
    let lab = Lab::new();
    let daemon = lab.start(&[]);
    write(&lab.local.join("d/up"), "1");
    write(&lab.remote.join("e/down"), "2");
    until("new files arrive", || {
        lab.remote.join("d/up").exists() && lab.local.join("e/down").exists()
    });
    write(&lab.local.join("d/up"), "edited");
    until("an edit arrives", || {
        read(&lab.remote.join("d/up")) == "edited"
    });
    fs::rename(lab.remote.join("e"), lab.remote.join("f")).expect("rename");
    until("a rename arrives", || lab.local.join("f/down").exists());
    fs::remove_file(lab.local.join("f/down")).expect("a file");
    until("a deletion arrives", || !lab.remote.join("f/down").exists());
    stop(daemon, "-TERM");
    lab.synced();
    assert_eq!(lab.equal().len(), 3);
}

#[test]
fn a_burst_of_files_in_new_folders_is_seen_whole() {
    let lab = Lab::new();
    let daemon = lab.start(&[]);
    write(&lab.local.join("ready"), "x");
    until("the daemon works", || lab.remote.join("ready").exists());
    for round in 0..60 {
        for file in 0..10 {
            let name = format!("burst/{}/{round}/deep/er/{file}", round % 7);
            write(&lab.local.join(&name), &name);
            write(&lab.remote.join(format!("other/{name}")), &name);
        }
    }
    let is_there = |root: &std::path::Path, above: &str| {
        (0..60).all(|round| {
            let deep = root.join(format!("{above}burst/{}/{round}/deep/er", round % 7));
            fs::read_dir(deep).is_ok_and(|entries| entries.count() == 10)
        })
    };
    until("all of it arrives", || {
        is_there(&lab.remote, "") && is_there(&lab.local, "other/")
    });
    stop(daemon, "-TERM");
    let idle = lab.synced();
    assert_eq!(idle.summary["uploaded"], 0, "{idle:?}");
    lab.equal();
}

#[test]
fn a_clean_stop_leaves_nothing_to_recover() {
    for signal in ["-TERM", "-INT"] {
        let lab = Lab::new();
        write(&lab.local.join("a"), "a");
        let daemon = lab.start(&[]);
        until("the daemon works", || lab.remote.join("a").exists());
        stop(daemon, signal);
        let next = lab.once(&["-v"]);
        assert_eq!(next.code, 0, "{next:?}");
        assert!(!next.err.contains("did not stop cleanly"), "{next:?}");
        let mut killed = lab.start(&[]);
        write(&lab.local.join("b"), "b");
        until("the daemon works", || lab.remote.join("b").exists());
        killed.signal("-KILL");
        assert_eq!(killed.end().code(), None);
        let next = lab.once(&["-v"]);
        assert_eq!(next.code, 0, "{next:?}");
        assert!(next.err.contains("did not stop cleanly"), "{next:?}");
        assert_eq!(lab.equal().len(), 2);
    }
}

#[test]
fn several_jobs_run_in_one_daemon() {
    let lab = Lab::new();
    let place = |name: &str| lab.dir.path().join(name);
    for name in ["l1", "r1", "l2", "r2"] {
        fs::create_dir(place(name)).expect("folder");
    }
    let jobs = json!({
        "one": {"directory": place("l1"), "server": place("r1")},
        "two": {"directory": place("l2"), "server": place("r2"), "direction": "down"},
    });
    fs::write(place("jobs.json"), jobs.to_string()).expect("job file");
    let mut command = lab.bare();
    command.arg("-f").arg(place("jobs.json")).args(["-z", "0"]);
    let daemon = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let daemon = Running(daemon.expect("the program starts"));
    write(&place("l1/a"), "a");
    write(&place("r2/b"), "b");
    until("both jobs work", || {
        place("r1/a").exists() && place("l2/b").exists()
    });
    let busy = done(lab.bare().arg("-f").arg(place("jobs.json")).arg("--once"));
    assert_eq!(busy.code, 8, "{busy:?}");
    stop(daemon, "-TERM");
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert_eq!(
        status.out.matches("synced when it stopped").count(),
        2,
        "{status:?}"
    );
}

#[test]
fn a_running_daemon_says_at_once_that_it_halted_and_how_to_go_on() {
    let lab = Lab::new();
    for number in 0..40 {
        write(&lab.local.join(format!("f{number}")), number.to_string());
    }
    lab.synced();
    let errors = lab.dir.path().join("errors");
    let mut command = lab.command();
    command.stdout(Stdio::null());
    command.stderr(fs::File::create(&errors).expect("a file"));
    let daemon = Running(command.spawn().expect("the program starts"));
    write(&lab.local.join("ready"), "x");
    until("the daemon works", || lab.remote.join("ready").exists());
    let files = fs::read_dir(&lab.local).expect("a folder");
    let files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    for file in files.iter().filter(|path| path.is_file()) {
        fs::remove_file(file).expect("a file");
    }
    until("it says so", || {
        read(&errors).contains("pydio-sync approve")
    });
    let left = tree(&lab.remote).len();
    assert!(left >= 15, "only {left} files are left");
    stop(daemon, "-TERM");
}

#[test]
fn a_folder_that_was_away_is_watched_again() {
    let lab = Lab::new();
    let place = |name: &str| lab.dir.path().join(name);
    for name in ["near", "far"] {
        fs::create_dir(place(name)).expect("folder");
    }
    // Only a watch sees a change before the test gives up.
    let job = json!({
        "one": {"directory": place("near"), "server": place("far"), "poll_interval": 3600},
    });
    fs::write(place("jobs.json"), job.to_string()).expect("job file");
    let mut command = lab.bare();
    command.arg("-f").arg(place("jobs.json")).args(["-z", "0"]);
    let daemon = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let daemon = Running(daemon.expect("the program starts"));
    write(&place("near/d/first"), "x");
    until("the job works", || place("far/d/first").exists());
    for (gone, other) in [("near", "far"), ("far", "near")] {
        fs::rename(place(gone), place("away")).expect("it leaves");
        write(&place("away/d").join(format!("{gone} away")), "x");
        fs::rename(place("away"), place(gone)).expect("it is back");
        for name in [format!("{gone} away"), format!("{gone} back")] {
            write(&place(gone).join("d").join(&name), "x");
            until("it is seen", || place(other).join("d").join(&name).exists());
        }
    }
    stop(daemon, "-TERM");
}
