//! What the program says of itself from outside, and to whom: status after a run that
//! failed, places of mistakes, plans that are held back, two daemons of one state folder.

use crate::program::{Done, Lab, PROGRAM, Running, done, read, tree, until, write, write_long_ago};
use crate::webdav_site::DavSite;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use test_servers::webdav::Quirks;

/// The last line on stdout, as JSON.
fn last(done: &Done) -> Value {
    let line = done.out.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

fn daemon(lab: &Lab, local: &str, remote: &str) -> Command {
    let mut command = lab.bare();
    for (flag, name) in [("-d", local), ("-s", remote)] {
        let place = lab.dir.path().join(name);
        fs::create_dir_all(&place).expect("a folder");
        command.arg(flag).arg(place);
    }
    command.args(["-z", "auto"]).stdout(Stdio::null());
    command
}

#[test]
fn another_daemon_leaves_the_ports_of_the_first_one_alone() {
    let lab = Lab::new();
    let note = lab.state.join("ports.json");
    let mut first = daemon(&lab, "local", "remote");
    let mut first = Running(first.stderr(Stdio::null()).spawn().expect("daemon"));
    until("the first one has told its ports", || note.exists());
    let ports = read(&note);
    let again = done(&mut daemon(&lab, "local", "remote"));
    assert_eq!(again.code, 8, "{again:?}");
    assert_eq!(read(&note), ports);
    let words = lab.dir.path().join("words");
    let mut second = daemon(&lab, "more", "elsewhere");
    let second = second.stderr(fs::File::create(&words).expect("a file"));
    let mut second = Running(second.spawn().expect("daemon"));
    until("the second one says who is there", || {
        read(&words).contains("has a daemon already, in use by process")
    });
    assert_eq!(read(&note), ports);
    second.signal("-TERM");
    assert!(second.end().success());
    until("the first one answers", || {
        lab.offline(&["status", "local"]).code == 0
    });
    let mode = fs::metadata(&lab.state).expect("a stat").permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
    first.signal("-TERM");
    assert!(first.end().success());
    assert!(!note.exists());
}

#[test]
fn a_working_directory_that_is_gone_is_no_damage() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    lab.synced();
    let script = "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"";
    for (words, code) in [
        (vec!["-s", "REMOTE", "-d", "LOCAL", "--once"], 0),
        (vec!["status"], 0),
        (vec!["-s", "remote", "-d", "LOCAL", "--once"], 2),
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", PROGRAM, "--state-dir"]);
        command.arg(&lab.state).current_dir(lab.dir.path());
        for word in words {
            match word {
                "REMOTE" => command.arg(&lab.remote),
                "LOCAL" => command.arg(&lab.local),
                word => command.arg(word),
            };
        }
        let done = done(&mut command);
        assert_eq!(done.code, code, "{done:?}");
    }
}

#[test]
fn a_job_whose_last_run_failed_is_not_called_in_sync() {
    let lab = Lab::new();
    let mut away = lab.bare();
    away.args(["-s", "webdav://127.0.0.1:1/dav", "-u", "ada", "-d"]);
    away.arg(&lab.local).env("PYDIO_SYNC_PASSWORD", "secret");
    let failed = done(away.args(["--once", "--json"]));
    assert_eq!(failed.code, 6, "{failed:?}");
    let summary = last(&failed);
    assert_eq!(
        (&summary["type"], &summary["state"]),
        (&"summary".into(), &"error".into())
    );
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 6, "{status:?}");
    assert!(status.out.contains("the last run, at "), "{status:?}");
    assert!(!status.out.contains("secret"), "{status:?}");
    fs::remove_file(
        lab.state
            .join("jobs")
            .join(job_of(&status))
            .join("ending.json"),
    )
    .expect("the note");
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 4, "{status:?}");
    assert!(status.out.contains("it never saw both sides"), "{status:?}");
}

/// The id in the first line of a status.
fn job_of(status: &Done) -> String {
    let (_, rest) = status.out.split_once('(').expect("an id");
    let (id, _) = rest.split_once(')').expect("its end");
    id.to_owned()
}

#[test]
fn a_run_that_succeeds_makes_good_for_one_that_failed() {
    let (lab, site) = (Lab::new(), DavSite::timed(Quirks::nextcloud()));
    site.synced(&lab);
    assert_eq!(lab.offline(&["status"]).code, 0);
    let mut command = site.command(&lab);
    command.env("PYDIO_SYNC_PASSWORD", "wrong");
    let refused = done(command.arg("--once"));
    assert_eq!(refused.code, 6, "{refused:?}");
    let line = refused.out.lines().last().unwrap_or_default();
    assert!(line.starts_with("error: nothing was done"), "{refused:?}");
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 6, "{status:?}");
    assert!(status.out.contains("refused the password"), "{status:?}");
    site.synced(&lab);
    assert_eq!(lab.offline(&["status"]).code, 0);
}

#[test]
fn a_run_that_was_killed_is_not_told_by_the_failure_of_the_one_before() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    lab.synced();
    let note = job_place(&lab).join("ending.json");
    let earlier = json!({"exit": 6, "reason": "the run before", "time": 1});
    fs::write(&note, earlier.to_string()).expect("the note");
    assert!(lab.offline(&["status"]).out.contains("the run before"));
    write_long_ago(&lab.local.join("b"), "b");
    let mut running = lab.start(&[]);
    until("it is carried over", || lab.remote.join("b").exists());
    running.signal("-KILL");
    running.end();
    let status = lab.offline(&["status"]);
    assert!(status.out.contains("did not stop by itself"), "{status:?}");
    assert!(note.exists(), "it was killed before it could leave a note");
}

fn job_place(lab: &Lab) -> std::path::PathBuf {
    let mut jobs = fs::read_dir(lab.state.join("jobs")).expect("jobs");
    jobs.next().expect("a job").expect("an entry").path()
}

#[test]
fn results_that_cannot_be_printed_are_told() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    lab.synced();
    for words in [
        &["events", "--json"][..],
        &["man"],
        &["jobs", "list"],
        &["journal", "cat"],
        &["journal", "tree", "--side", "local"],
        &["journal", "replay"],
        &["journal", "replay", "--json"],
        &["journal", "replay", "--path", "a"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full");
        let mut command = lab.bare();
        let output = command
            .args(words)
            .stdout(full.expect("a full disk"))
            .output();
        let output = output.expect("the program runs");
        let words_told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {words_told}");
        assert!(words_told.contains("could be printed"), "{words_told}");
    }
}

#[test]
fn a_mistake_in_a_job_files_places_is_named_with_file_and_line() {
    let lab = Lab::new();
    let file = lab.dir.path().join("jobs.json");
    let good = json!({"id": "good", "server": lab.remote, "directory": lab.local});
    let table = [
        (json!({"server": "ftp://h/x"}), "ftp"),
        (json!({"workspace": "ws"}), "ws"),
        (json!({"remote_folder": "../up"}), "../up"),
        (
            json!({"server": lab.dir.path().join("none")}),
            "does not exist",
        ),
        (
            json!({"directory": lab.dir.path().join("a/b")}),
            "do not exist",
        ),
        (json!({"directory": lab.local.join("in")}), "meet"),
        (
            json!({"server": "https://me:pw@h/x", "workspace": "w"}),
            "credentials",
        ),
    ];
    for (change, part) in table {
        let elsewhere = lab.dir.path().join("elsewhere");
        fs::create_dir_all(&elsewhere).expect("a folder");
        let mut bad = json!({"id": "bad", "server": lab.remote, "directory": elsewhere});
        for (key, value) in change.as_object().expect("an object") {
            bad[key] = value.clone();
        }
        write(&file, format!("[{good},\n\n{bad}]"));
        for once in [Some("--once"), None] {
            let mut command = lab.bare();
            command.arg("-f").arg(&file).args(["-z", "0"]).args(once);
            let refused = done(&mut command);
            assert_eq!(refused.code, 2, "{part}: {refused:?}");
            let place = format!("{}: /1 (line 3): ", file.display());
            for part in [&*place, part] {
                assert!(refused.err.contains(part), "`{part}` is not in {refused:?}");
            }
        }
    }
    assert!(tree(&lab.remote).is_empty());
}

#[test]
fn a_state_folder_that_cannot_be_is_a_mistake() {
    let lab = Lab::new();
    let file = lab.dir.path().join("file");
    write(&file, "x");
    for once in [Some("--once"), None] {
        let mut command = lab.command();
        let refused = done(command.arg("--state-dir").arg(&file).args(once));
        assert_eq!(refused.code, 2, "{refused:?}");
        for part in ["state folder", "file", "--state-dir"] {
            assert!(refused.err.contains(part), "{refused:?}");
        }
    }
    assert!(!lab.local.join(".pydio-sync").exists());
}

#[test]
fn a_folder_that_may_not_be_written_to_is_a_mistake() {
    let lab = Lab::new();
    for side in ["-s", "-d"] {
        let (other, place) = if side == "-s" {
            ("-d", &lab.local)
        } else {
            ("-s", &lab.remote)
        };
        let mut command = lab.bare();
        command.args([side, "/sys/kernel", other]).arg(place);
        let refused = done(command.args(["--once", "-z", "0"]));
        assert_eq!(refused.code, 2, "{refused:?}");
        for part in ["cannot be written to", ".pydio-sync"] {
            assert!(refused.err.contains(part), "{refused:?}");
        }
    }
}

#[test]
fn a_job_file_without_active_jobs_stops_them_when_it_is_read_again() {
    let lab = Lab::new();
    let file = lab.dir.path().join("jobs.json");
    let save = |is_active: bool| {
        let job = json!([{
            "id": "job", "server": lab.remote, "directory": lab.local, "active": is_active,
        }]);
        write(&file, job.to_string());
    };
    save(false);
    let refused = done(lab.bare().arg("-f").arg(&file));
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("jobs.json"), "{refused:?}");
    save(true);
    let mut command = lab.bare();
    command.arg("-f").arg(&file).args(["-z", "auto"]);
    let mut running = Running(command.spawn().expect("daemon"));
    until("the job is in sync", || {
        lab.offline(&["status", "--json"])
            .out
            .contains("\"synced\"")
    });
    save(false);
    let read_again = lab.offline(&["reload", "--json"]);
    assert_eq!(read_again.code, 0, "{read_again:?}");
    assert_eq!(last(&read_again)["removed"], json!(["job"]));
    until("the job has stopped", || {
        lab.offline(&["status", "--json"])
            .out
            .contains("\"stopped\"")
    });
    save(true);
    assert_eq!(
        last(&lab.offline(&["reload", "--json"]))["added"],
        json!(["job"])
    );
    running.signal("-TERM");
    assert!(running.end().success());
}

/// Answers a prompt the moment it appears; prints whether the terminal showed what is
/// typed then, what it showed in all, and the exit code.
const TYPIST: &str = r#"
import json, os, pty, sys, termios
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown, echoes = b"", None
while True:
    try:
        shown += os.read(terminal, 4096)
    except OSError:
        break
    if echoes is None and b": " in shown:
        echoes = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.write(terminal, b"s3cr3t\n")
_, status = os.waitpid(child, 0)
print(json.dumps([echoes, shown.decode(), os.waitstatus_to_exitcode(status)]))
"#;

#[test]
fn a_password_that_is_typed_at_once_is_not_shown() {
    let lab = Lab::new();
    let mut command = lab.wrapped(&["python3", "-c", TYPIST]);
    command.args([
        "-s",
        "webdav://127.0.0.1:1/dav",
        "-u",
        "ada",
        "--once",
        "-d",
    ]);
    let typed = done(command.arg(&lab.local));
    let told: Value = serde_json::from_str(typed.out.trim()).expect("JSON");
    assert_eq!(
        (&told[0], &told[2]),
        (&false.into(), &6.into()),
        "{typed:?}"
    );
    let shown = told[1].as_str().expect("a text");
    assert!(shown.contains("Password of ada at"), "{shown}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn a_job_that_the_daemon_is_just_opening_is_waited_for() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    let mut command = daemon(&lab, "local", "remote");
    let mut running = Running(command.spawn().expect("daemon"));
    until("the job is in sync", || {
        lab.offline(&["status", "--json"])
            .out
            .contains("\"synced\"")
    });
    for _ in 0..5 {
        for order in ["stop", "start"] {
            assert_eq!(lab.offline(&[order]).code, 0);
        }
        let story = lab.offline(&["explain", "a"]);
        assert_eq!(story.code, 0, "{story:?}");
    }
    running.signal("-TERM");
    assert!(running.end().success());
}
