use super::*;
use crate::daemon::supervisor::Frequency;
use journal_format::value::{Direction, Mode, Solve};

fn message(text: &str) -> String {
    parse(text.as_bytes()).expect_err("a mistake").to_string()
}

#[test]
fn a_file_of_the_old_client_is_read() {
    let text = r#"{"srv-ws": {
        "__type__": "JobConfig", "id": "srv-ws", "label": "Photos",
        "server": "file:///mnt/disk", "workspace": "", "directory": "/home/me/Photos",
        "remote_folder": "/sub", "user": "me", "direction": "up", "active": false,
        "monitor": true, "frequency": "auto", "start_time": {"h": 0, "m": 0},
        "solve": "manual", "trust_ssl": false, "timeout": 20, "poolsize": 4,
        "poll_interval": 15, "hide_up_dir": "false", "hide_bi_dir": "false",
        "server_configs": null, "trash_days": 7, "max_delete": "30%", "mode": "mirror",
        "filters": {"includes": ["*"], "excludes": ["*.o"]}
    }}"#;
    let jobs = parse(text.as_bytes()).expect("a good file");
    let job = &jobs[0];
    assert_eq!(job.id.as_deref(), Some("srv-ws"));
    assert_eq!(job.label.as_deref(), Some("Photos"));
    assert_eq!(job.remote_folder, "/sub");
    assert_eq!(job.policy.direction, Direction::Up);
    assert_eq!(job.policy.mode, Mode::Mirror);
    assert_eq!(job.policy.solve, Solve::Manual);
    assert_eq!(job.policy.brakes.deletions_percent_max, 30);
    assert_eq!(job.poll_interval_ms, 15_000);
    assert_eq!(job.trash_ms, 7 * 86_400_000);
    assert!(!job.is_active && job.frequency == Frequency::Auto);
    assert!(job.filter.excludes("", "a.o", false));
    assert!(!job.filter.excludes("", "a.tmp", false));
    assert_eq!(job.server_keys, ["user"]);
}

#[test]
fn what_is_left_out_has_the_defaults() {
    let text = r#"[{"server": "/r", "directory": "/l"}]"#;
    let jobs = parse(text.as_bytes()).expect("a good file");
    assert_eq!(jobs[0].policy, journal_format::value::Policy::default());
    assert!(jobs[0].is_active);
    assert!(jobs[0].filter.excludes("", "a.tmp", false));
    assert_eq!(parse(b"[]").expect("no jobs").len(), 0);
}

/// A job as the old client's own window wrote it.
const OLD_SERVER_JOB: &str = r#"{"cloud.example.org-my-files": {
    "__type__": "JobConfig", "id": "cloud.example.org-my-files", "label": "My files",
    "server": "https://cloud.example.org/pydio", "workspace": "my-files",
    "directory": "/home/me/Pydio", "remote_folder": "/", "user": "me",
    "direction": "bi", "active": "true", "monitor": "true", "frequency": "auto",
    "start_time": {"h": 0, "m": 0}, "solve": "manual", "trust_ssl": "false",
    "timeout": 30, "poolsize": 2, "poll_interval": 15, "recheck": 900,
    "ca_file": "/etc/own.pem", "proxy": "http://me:hunter2@proxy:3128",
    "limit_up": 1000, "limit_down": 0,
    "hide_up_dir": "false", "hide_bi_dir": "false", "hide_down_dir": "true",
    "server_configs": {"UPLOAD_MAX_SIZE": 1}, "password": "hunter2",
    "filters": {"includes": ["*"], "excludes": [".*", "*/.*", "/recycle_bin*",
        "*.pydio_dl", "*.pydio_dl.*", "*.DS_Store", ".~lock.*", "~*", "*.xlk", "*.tmp"]}
}}"#;

#[test]
fn a_server_job_of_the_old_client_keeps_its_meaning() {
    let jobs = parse(OLD_SERVER_JOB.as_bytes()).expect("a good file");
    let job = &jobs[0];
    assert_eq!(job.workspace.as_deref(), Some("my-files"));
    assert_eq!(job.user.as_deref(), Some("me"));
    assert!(job.is_active && job.frequency == Frequency::Auto && !job.link.trust_ssl);
    assert_eq!(job.link.timeout.as_secs(), 30);
    assert_eq!(
        (job.link.poolsize, job.link.limit_up, job.link.limit_down),
        (2, 1000, 0)
    );
    assert_eq!(job.link.ca_file.as_deref(), Some(Path::new("/etc/own.pem")));
    for (directory, name) in [("", ".x"), ("a", ".x"), ("", "recycle_bin"), ("a", "~x")] {
        assert!(
            job.filter.excludes(directory, name, false),
            "{directory}/{name}"
        );
    }
    assert!(!job.filter.excludes("a", "recycle_bin", true));
    assert!(!format!("{job:?}").contains("hunter2"), "{job:?}");
}

#[test]
fn hidden_names_are_left_out_with_a_pydio_server_only_and_excludes_replace_the_default() {
    let table = [
        ("/r", "", false, true),
        ("https://h/p", "", true, true),
        ("HTTP://h/p", "", true, true),
        (
            "https://h/p",
            r#", "filters": {"excludes": ["*.o"]}"#,
            false,
            false,
        ),
        (
            "https://h/p",
            r#", "filters": {"includes": ["*"]}"#,
            true,
            true,
        ),
    ];
    for (server, more, hidden, tmp) in table {
        let text = format!(r#"[{{"server": "{server}", "directory": "/l"{more}}}]"#);
        let jobs = parse(text.as_bytes()).expect("a good file");
        let excludes = |name| jobs[0].filter.excludes("d", name, false);
        assert_eq!((excludes(".x"), excludes("x.tmp")), (hidden, tmp), "{text}");
    }
}

/// What stands beside a good job's keys, and what the message must hold.
const MISTAKES: [(&str, &[&str]); 38] = [
    (r#""trust_ssl": "maybe""#, &["/0/trust_ssl", "\"maybe\""]),
    (r#""ca_file": "own.pem""#, &["/0/ca_file", "own.pem", "`/`"]),
    (
        r#""proxy": "me:4711@h""#,
        &["/0/proxy", "this cannot be", "http://host"],
    ),
    (r#""proxy": 4711"#, &["/0/proxy", "this cannot be"]),
    (
        r#""direktion": "up""#,
        &["/0/direktion", "did you mean `direction`"],
    ),
    (r#""Server": "x""#, &["/0/Server", "did you mean `server`"]),
    (
        r#""colour": 1"#,
        &["/0/colour", "unknown key", "trash_days"],
    ),
    (
        r#""direction": "sideways""#,
        &["/0/direction", "\"sideways\"", "\"bi\", \"up\", \"down\""],
    ),
    (r#""direction": 1"#, &["/0/direction", "1 cannot be"]),
    (r#""solve": "me""#, &["/0/solve", "\"me\"", "\"manual\""]),
    (r#""mode": "mirror""#, &["/0/mode", "`direction`"]),
    (r#""mode": "fast""#, &["/0/mode", "\"safe\""]),
    (
        r#""active": "yes""#,
        &["/0/active", "\"yes\"", "true or false"],
    ),
    (
        r#""poll_interval": 0"#,
        &["/0/poll_interval", "0 cannot be", "1 to 86400"],
    ),
    (
        r#""poll_interval": 1.5"#,
        &["/0/poll_interval", "1.5", "whole number"],
    ),
    (r#""trash_days": -1"#, &["/0/trash_days", "-1"]),
    (
        r#""trash_days": "30""#,
        &["/0/trash_days", "\"30\"", "whole number"],
    ),
    (
        r#""max_delete": "101%""#,
        &["/0/max_delete", "\"101%\"", "\"30%\""],
    ),
    (r#""max_delete": -3"#, &["/0/max_delete", "-3"]),
    (r#""max_delete": true"#, &["/0/max_delete", "true"]),
    (r#""timeout": 0"#, &["/0/timeout"]),
    (r#""recheck": 4"#, &["/0/recheck", "5 to 86400"]),
    (r#""poolsize": 1000"#, &["/0/poolsize", "1000", "1 to 64"]),
    (r#""limit_up": "fast""#, &["/0/limit_up", "bytes a second"]),
    (r#""trust_ssl": 1"#, &["/0/trust_ssl", "true or false"]),
    (r#""label": "a/b""#, &["/0/label", "a/b"]),
    (r#""id": """#, &["/0/id"]),
    (r#""id": 7"#, &["/0/id", "7", "a text"]),
    (r#""user": 7"#, &["/0/user"]),
    (r#""password": 4711"#, &["/0/password", "this cannot be"]),
    (
        r#""frequency": "time""#,
        &["/0/frequency", "\"time\"", "start_time"],
    ),
    (r#""frequency": "often""#, &["/0/frequency", "\"often\""]),
    (
        r#""start_time": {"h": 24}"#,
        &["/0/start_time/h", "24", "0 to 23"],
    ),
    (r#""filters": []"#, &["/0/filters", "an object"]),
    (
        r#""filters": {"exclude": []}"#,
        &["/0/filters/exclude", "did you mean `excludes`"],
    ),
    (
        r#""filters": {"excludes": ["a", 1]}"#,
        &["/0/filters/excludes/1", "1 cannot be"],
    ),
    (
        r#""filters": {"excludes": ["a["]}"#,
        &["/0/filters/excludes", "`a[`"],
    ),
    (r#""__type__": "Job""#, &["/0/__type__", "\"JobConfig\""]),
];

#[test]
fn a_mistake_is_named_with_its_place_and_what_would_be_right() {
    for (mistake, parts) in MISTAKES {
        let text = format!(r#"[{{"server": "/r", "directory": "/l", {mistake}}}]"#);
        let message = message(&text);
        for part in parts {
            assert!(message.contains(part), "{mistake}: {message}");
        }
        assert!(!message.contains("4711"), "a password is shown: {message}");
    }
}

#[test]
fn a_file_that_holds_no_jobs_is_refused() {
    let table: [(&str, &str); 12] = [
        ("", "line 1"),
        ("[{]", "line 1, column 3"),
        ("[\n{\"server\": \"/r\",\n}]", "line 3"),
        ("7", "an array of jobs"),
        (
            r#"{"server": "/r", "directory": "/l"}"#,
            "put the job into `[ ]`",
        ),
        ("[7]", "/0: 7 cannot be"),
        (r#"[{"directory": "/l"}]"#, "/0: `server` is missing"),
        (r#"[{"server": "/r"}]"#, "/0: `directory` is missing"),
        (r#"[{"server": "r", "directory": "/l"}]"#, "/0/server"),
        (r#"[{"server": "/r", "directory": "~/l"}]"#, "/0/directory"),
        (r#"[{"server": "/r", "server": "/q"}]"#, "stands twice"),
        (
            r#"{"a/b": {"id": "c", "server": "/r", "directory": "/l"}}"#,
            "/a~1b/id",
        ),
    ];
    for (text, part) in table {
        let message = message(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn two_jobs_of_one_id_are_refused() {
    let job = r#"{"id": "a", "server": "/r", "directory": "/l"}"#;
    let message = message(&format!("[{job}, {job}]"));
    assert!(message.contains("/1/id"), "{message}");
    assert!(message.contains("`a` is taken"), "{message}");
}

#[test]
fn a_deep_file_is_refused_and_not_followed() {
    let deep = "[".repeat(100_000);
    assert!(message(&deep).contains("line 1"));
}
