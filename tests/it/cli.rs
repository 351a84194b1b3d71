//! The command line from outside: exit codes, messages, job files, subcommands.

use crate::program::{Lab, Running, done, read, refused, tree, until, write};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::process::Stdio;

/// Flags, and what the message must hold. `LOCAL`, `REMOTE` and so on stand for
/// places of the lab.
const MISTAKES: [(&str, &[&str]); 34] = [
    ("-s REMOTE", &["no local folder", "-d DIR"]),
    (
        "-d LOCAL",
        &["http://localhost", "no workspace", "-w", "jobs check -s"],
    ),
    ("-s https://h/p -d LOCAL -w ws", &["no user", "-u NAME"]),
    (
        "-s https://h/p -d LOCAL -w ws -u me",
        &[
            "no password",
            "`me`",
            "PYDIO_SYNC_PASSWORD",
            "--password-file",
        ],
    ),
    (
        "-s https://h/p -d LOCAL -w ws -u me --password-file NOWHERE",
        &["password file", "No such file"],
    ),
    ("-s https://h/p -d LOCAL -w a/b -u me", &["a/b", "-r"]),
    ("-s https://h/p -d LOCAL -w ws -u me -r ../up", &["../up"]),
    (
        "-s https://me:pw@h/p -d LOCAL -w ws",
        &["holds credentials"],
    ),
    ("-s https://h/p?x=y -d LOCAL -w ws", &["`?`"]),
    ("-s http:// -d LOCAL -w ws", &["cannot be read"]),
    (
        "-s webdav://h/p -w ws -d LOCAL",
        &["WebDAV", "no workspace `ws`"],
    ),
    ("-s gopher://h -d LOCAL", &["gopher", "no kind of server"]),
    (
        "-s file://host/p -d LOCAL",
        &["another machine", "three slashes"],
    ),
    ("-s REMOTE -d LOCAL -w ws", &["no workspace `ws`"]),
    ("-s REMOTE -d LOCAL -r ../up", &["`../up` is no subfolder"]),
    (
        "-s REMOTE -d LOCAL -r sub",
        &["remote folder", "does not exist"],
    ),
    (
        "-s NOWHERE -d LOCAL",
        &["remote folder", "nowhere", "does not exist"],
    ),
    ("-s FILE -d LOCAL", &["remote folder", "is not a folder"]),
    ("-s REMOTE -d FILE", &["local folder", "is not a folder"]),
    (
        "-s REMOTE -d NOWHERE/x",
        &["the folder above it do not exist"],
    ),
    ("-s LOCAL -d LOCAL", &["lie in one another"]),
    ("-s LOCAL -d LOCAL/inside", &["lie in one another"]),
    ("-s LOCAL/inside -d LOCAL", &["lie in one another"]),
    (
        "-s REMOTE -d LOCAL --state-dir LOCAL/x",
        &["state folder", "lies in the synced"],
    ),
    (
        "-s REMOTE -d LOCAL --state-dir REMOTE",
        &["state folder", "lies in the synced"],
    ),
    (
        "-s REMOTE -d LOCAL --state-dir LAB",
        &["lies in the state folder"],
    ),
    (
        "-s REMOTE -d LOCAL -dir sideways",
        &["sideways", "bi, up, down"],
    ),
    ("-s REMOTE -d LOCAL -z 99999", &["99999", "1 to 65534"]),
    ("-s REMOTE -d LOCAL --no-such", &["--no-such"]),
    ("-f NOWHERE", &["job file", "No such file"]),
    ("-f FILE", &["line 1"]),
    ("-f FILE -d LOCAL", &["cannot be used with"]),
    ("status nobody", &["no job ran yet"]),
    ("trash", &["restore"]),
];

#[test]
fn a_mistake_in_the_flags_is_named_and_starts_nothing() {
    let lab = Lab::new();
    write(&lab.dir.path().join("file"), "x");
    write(&lab.local.join("mine"), "x");
    let top = lab.dir.path().display().to_string();
    let place = |word: &str| {
        ["LOCAL", "REMOTE", "FILE", "NOWHERE"]
            .iter()
            .fold(word.replace("LAB", &top), |word, name| {
                word.replace(name, &format!("{top}/{}", name.to_lowercase()))
            })
    };
    for (flags, parts) in MISTAKES {
        let words: Vec<String> = flags.split(' ').map(place).collect();
        let once = flags.starts_with('-').then_some("--once");
        let run = done(lab.bare().args(once).args(&words));
        assert_eq!(run.code, 2, "{flags}: {run:?}");
        refused(&run, parts);
        let is_touched = lab.local.join(".pydio-sync").exists();
        assert!(!is_touched, "{flags} touched the folder");
    }
    assert_eq!(tree(&lab.remote).len(), 0);
    assert!(!lab.state.exists(), "a journal was begun");
}

#[test]
fn the_old_flags_are_understood() {
    let lab = Lab::new();
    write(&lab.local.join("a"), "a");
    let flags = [
        "--remote_folder",
        "/",
        "--zmq_port",
        "5556",
        "-u",
        "me",
        "-p",
        "secret",
        "-dir",
        "up",
    ];
    let mut command = lab.bare();
    let url = format!("file://{}", lab.remote.display());
    command.args(["-s", &url, "-d"]).arg(&lab.local);
    let done = done(command.args(flags).args(["--once", "-v"]));
    assert_eq!(done.code, 0, "{done:?}");
    for part in ["--password-file", "ignored: password, user"] {
        assert_eq!(done.err.matches(part).count(), 1, "{part}: {done:?}");
    }
    assert!(!done.err.contains("secret"), "{done:?}");
    assert!(done.out.contains("1 file up, 1 byte"), "{done:?}");
    assert_eq!(read(&lab.remote.join("a")), "a");
}

#[test]
fn the_local_folder_is_made_when_only_its_last_part_is_missing() {
    let lab = Lab::new();
    fs::remove_dir(&lab.local).expect("empty");
    write(&lab.remote.join("a"), "a");
    let seen = lab.once(&["--dry-run"]);
    refused(&seen, &["local folder"]);
    assert!(!lab.local.exists(), "a dry run made a folder");
    lab.synced();
    assert_eq!(lab.equal().len(), 1);
}

#[test]
fn a_dry_run_says_what_a_run_then_does() {
    let lab = Lab::new();
    write(&lab.local.join("d/a"), "a");
    let seen = lab.once(&["--dry-run"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(
        seen.out
            .contains(r#""operation":"create remote folder","path":"d""#),
        "{seen:?}"
    );
    assert_eq!(tree(&lab.remote).len(), 0);
    assert_eq!(lab.synced().summary["uploaded"], 1);
    let again = done(lab.command().arg("--dry-run"));
    assert_eq!(again.out, "nothing to do\n");
}

/// A job file with these jobs; each pair of names is a local and a remote folder.
pub(crate) fn jobs(lab: &Lab, pairs: &[(&str, &str, Value)]) -> String {
    let mut list = Vec::new();
    for (local, remote, more) in pairs {
        let place = |name: &str| lab.dir.path().join(name);
        fs::create_dir_all(place(local)).expect("local");
        fs::create_dir_all(place(remote)).expect("remote");
        let mut job = json!({"directory": place(local), "server": place(remote)});
        let more = more.as_object().expect("an object").clone();
        job.as_object_mut().expect("an object").extend(more);
        list.push(job);
    }
    let path = lab.dir.path().join("jobs.json");
    fs::write(&path, Value::Array(list).to_string()).expect("job file");
    path.display().to_string()
}

#[test]
fn the_jobs_of_a_file_run_together_with_their_own_settings() {
    let lab = Lab::new();
    let file = jobs(
        &lab,
        &[
            (
                "l1",
                "r1",
                json!({"id": "one", "label": "One", "filters": {"excludes": ["*.o"]}}),
            ),
            (
                "l2",
                "r2",
                json!({"id": "two", "direction": "up", "user": "me"}),
            ),
            ("l3", "r3", json!({"id": "three", "active": false})),
        ],
    );
    let place = |path: &str| lab.dir.path().join(path);
    for path in ["l1/a", "l1/a.o", "r1/b", "l2/up", "r2/down", "l3/idle"] {
        write(&place(path), path);
    }
    let run = done(lab.bare().args(["-f", &file, "--once", "--json"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.out.matches(r#""type":"summary""#).count(), 2, "{run:?}");
    assert_eq!(
        tree(&place("r1")).into_keys().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(
        tree(&place("r2")).into_keys().collect::<Vec<_>>(),
        ["down", "up"]
    );
    assert_eq!(tree(&place("l2")).into_keys().collect::<Vec<_>>(), ["up"]);
    assert_eq!(tree(&place("r3")).len(), 0);
    let listed = lab.offline(&["jobs", "list"]);
    assert_eq!(listed.out.lines().count(), 2, "{listed:?}");
    refused(&lab.offline(&["events"]), &["which job?", "one, two"]);
    assert_eq!(lab.offline(&["conflicts", "One"]).out, "");
    let waiting = lab.offline(&["conflicts"]);
    assert_eq!(
        (waiting.code, waiting.out.lines().count()),
        (0, 1),
        "{waiting:?}"
    );
    assert!(
        waiting.out.starts_with("l2: ") && waiting.out.ends_with(": down\n"),
        "{waiting:?}"
    );
}

#[test]
fn one_job_in_trouble_does_not_stop_the_other_and_gives_the_exit_code() {
    let lab = Lab::new();
    let file = jobs(
        &lab,
        &[
            ("l1", "r1", json!({"id": "one"})),
            ("l2", "r2", json!({"id": "two"})),
        ],
    );
    let run = || done(lab.bare().args(["-f", &file, "--once"]));
    let place = |path: &str| lab.dir.path().join(path);
    write(&place("l1/a"), "a");
    assert_eq!(run().code, 0);
    fs::rename(place("l1"), place("away")).expect("rename");
    write(&place("l2/b"), "b");
    let halted = run();
    assert_eq!(halted.code, 5, "{halted:?}");
    assert!(halted.err.contains("l1: halted for safety"), "{halted:?}");
    assert_eq!(read(&place("r2/b")), "b");
    assert_eq!(read(&place("r1/a")), "a");
}

#[test]
fn a_mistake_in_a_job_file_starts_no_job() {
    let lab = Lab::new();
    let good = ("l1", "r1", json!({"id": "one"}));
    let table: [(Value, &str, &[&str]); 5] = [
        (
            json!({"direktion": "up"}),
            "l2",
            &["jobs.json", "/1/direktion", "did you mean `direction`"],
        ),
        (
            json!({"trash_days": "x"}),
            "l2",
            &["/1/trash_days", "\"x\"", "0 to 36500"],
        ),
        (json!({"id": "one"}), "l2", &["/1/id", "taken"]),
        (json!({}), "l1/inner", &["meet"]),
        (json!({"workspace": "ws"}), "l2", &["no workspace"]),
    ];
    for (more, local, parts) in table {
        let file = jobs(&lab, &[good.clone(), (local, "r2", more)]);
        write(&lab.dir.path().join("l1/a"), "a");
        refused(&done(lab.bare().args(["-f", &file, "--once"])), parts);
        refused(&lab.offline(&["jobs", "check", &file]), parts);
        assert_eq!(tree(&lab.dir.path().join("r1")).len(), 0, "{parts:?}");
    }
    let file = jobs(&lab, &[("l3", "r3", json!({"active": false}))]);
    refused(&done(lab.bare().args(["-f", &file])), &["no active job"]);
    assert_eq!(lab.offline(&["jobs", "check", &file]).code, 0);
}

#[test]
fn a_changed_filter_deletes_nothing_on_either_side() {
    let lab = Lab::new();
    let place = |path: &str| lab.dir.path().join(path);
    for path in ["l1/a.o", "l1/d/b.o", "l1/d/c", "r1/e.o", "r1/.hidden"] {
        write(&place(path), path);
    }
    let filters = [
        json!({"excludes": []}),
        json!({"excludes": ["*.o", ".*"]}),
        json!({"excludes": ["/d"]}),
        json!({"includes": ["c"], "excludes": []}),
        json!({"excludes": []}),
    ];
    for filter in filters {
        let more = json!({"id": "one", "filters": filter});
        let file = jobs(&lab, &[("l1", "r1", more)]);
        let run = done(lab.bare().args(["-f", &file, "--once", "--json"]));
        assert_eq!(run.code, 0, "{filter}: {run:?}");
        let deleted = [
            &run.summary["deleted_local"],
            &run.summary["deleted_remote"],
        ];
        assert_eq!(deleted, [0, 0], "{filter}: {run:?}");
        assert_eq!(tree(&place("l1")), tree(&place("r1")), "{filter}");
        assert_eq!(tree(&place("l1")).len(), 6, "{filter}");
    }
}

#[test]
fn a_halt_names_the_command_that_releases_it_and_it_does() {
    let lab = Lab::new();
    for number in 0..40 {
        write(&lab.local.join(format!("f{number}")), number.to_string());
    }
    lab.synced();
    for number in 0..30 {
        fs::remove_file(lab.local.join(format!("f{number}"))).expect("a file");
    }
    let halted = lab.once(&[]);
    assert_eq!(halted.code, 5, "{halted:?}");
    assert_eq!(tree(&lab.remote).len(), 40);
    assert_eq!(lab.offline(&["status"]).code, 5);
    let (_, words) = halted
        .err
        .split_once("pydio-sync approve ")
        .expect("the command");
    let words = words.lines().next().expect("a line");
    let words: Vec<&str> = std::iter::once("approve").chain(words.split(' ')).collect();
    assert_eq!(lab.offline(&words).code, 0);
    assert_eq!(lab.synced().summary["deleted_remote"], 30);
    assert_eq!(lab.equal().len(), 10);
    let nothing = lab.offline(&["approve"]);
    assert!(nothing.err.contains("nothing to approve"), "{nothing:?}");
}

#[test]
fn the_journal_is_printed_whole_and_in_order() {
    let lab = Lab::new();
    write(&lab.local.join("a"), "a");
    let head = lab.synced().summary["seq"].as_u64().expect("a number");
    let printed = lab.offline(&["events", "--json"]);
    let seqs: Vec<u64> = printed
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64())
        .map(|seq| seq.expect("a number"))
        .collect();
    assert_eq!(seqs, (1..=head).collect::<Vec<_>>());
    let tail = lab.offline(&["events", "--from", &head.to_string()]);
    assert_eq!(tail.out.lines().count(), 1, "{tail:?}");
    assert!(printed.out.contains("operation_succeeded"), "{printed:?}");
}

#[test]
fn help_manual_and_completions_are_there() {
    let lab = Lab::new();
    let help = lab.offline(&["--help"]);
    assert!(
        help.out.contains("Examples:") && help.out.contains("Exit codes"),
        "{help:?}"
    );
    let short = lab.offline(&["-h"]);
    assert!(
        short.out.len() < help.out.len() && !short.out.contains("Examples:"),
        "{short:?}"
    );
    assert!(lab.offline(&["man"]).out.contains(".TH"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            lab.offline(&["completions", shell])
                .out
                .contains("pydio-sync")
        );
    }
    assert!(lab.offline(&["--version"]).out.starts_with("pydio-sync "));
}

#[test]
fn a_long_list_of_problems_is_bounded_for_people() {
    let lab = Lab::new();
    for number in 0..70 {
        let path = lab.local.join(format!("pipe{number}"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a pipe");
    }
    let done = done(lab.command().arg("--once"));
    assert_eq!(done.code, 4, "{done:?}");
    assert_eq!(done.err.matches("not synced: ").count(), 50);
    assert!(done.err.contains("and 20 more"), "{done:?}");
    assert!(
        done.out.ends_with(" s)\n") && done.out.contains("70 not synced"),
        "{done:?}"
    );
    assert_eq!(lab.once(&[]).out.matches(r#""type":"problem""#).count(), 70);
}

#[test]
fn a_second_process_is_told_who_has_the_job() {
    let lab = Lab::new();
    write(&lab.local.join("a"), "a");
    let mut daemon = lab.start(&[]);
    until("the daemon works", || lab.remote.join("a").exists());
    let holder = format!("process {}", daemon.0.id());
    for done in [
        lab.once(&[]),
        lab.offline(&["status"]),
        lab.offline(&["approve"]),
    ] {
        assert_eq!(done.code, 8, "{done:?}");
        assert!(done.err.contains(&holder), "{done:?}");
    }
    daemon.signal("-TERM");
    assert_eq!(daemon.end().code(), Some(0));
    lab.synced();
}

#[test]
fn a_run_that_was_stopped_does_not_claim_to_be_in_sync() {
    let lab = Lab::new();
    for number in 0..3_000 {
        write(&lab.local.join(format!("d{}/f{number}", number % 50)), "x");
    }
    let mut command = lab.command();
    command.args(["--once", "--json"]).stdout(Stdio::piped());
    let mut run = Running(command.spawn().expect("the program starts"));
    until("it began", || lab.remote.join(".pydio-sync").exists());
    run.signal("-TERM");
    let code = run.end().code();
    let mut out = String::new();
    let mut pipe = run.0.stdout.take().expect("a pipe");
    pipe.read_to_string(&mut out).expect("UTF-8");
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains(r#""state":"stopped""#), "{out}");
    lab.synced();
    lab.equal();
}
