//! The subcommands from outside: what they ask of a daemon, and what they print, word by
//! word, whether a daemon answers or the journal at rest does.

use crate::program::{Done, Lab, Running, done, read, until, write_long_ago};
use crate::stage::{Answer, Stage};
use pydio_sync::ports::Message;
use serde_json::{Value, json};
use std::process::Stdio;

/// A scripted daemon, and the program that asks it.
struct Play {
    lab: Lab,
    stage: Stage,
}

impl Play {
    fn new(answer: fn(&str, &Value) -> Answer, news: fn() -> Vec<Message>) -> Self {
        Self::on("journal.docs", answer, news)
    }

    /// Gives the news once, when somebody wants the topic.
    fn on(
        topic: &'static str,
        answer: fn(&str, &Value) -> Answer,
        news: fn() -> Vec<Message>,
    ) -> Self {
        let lab = Lab::new();
        std::fs::create_dir(&lab.state).expect("state folder");
        let mut is_told = false;
        let once = move || {
            if std::mem::replace(&mut is_told, true) {
                Vec::new()
            } else {
                news()
            }
        };
        let stage = Stage::new(&lab.state, answer, topic, once);
        Self { lab, stage }
    }

    fn run(&self, line: &str) -> Done {
        let mut command = self.lab.bare();
        command.env("USER", "ada").env_remove("SUDO_USER");
        done(command.args(line.split(' ')))
    }
}

const JOURNAL: &str = "00112233445566778899aabbccddeeff";

fn docs_status() -> Value {
    json!({
        "v": 1, "job": "docs", "journal": JOURNAL, "seq": 3, "time": 1_500_000_000_500_i64,
        "type": "status", "state": "syncing", "reason": null, "since": 1_500_000_000_000_i64,
        "pending": 3, "conflicts": 1, "problems": 7, "divergences": 1, "halt": null,
        "changed": 1_500_000_000_123_i64, "next_try": null, "label": "Documents", "index": 0,
        "server": "/mnt/disk", "directory": "/home/ada/Documents",
    })
}

fn music_status() -> Value {
    json!({
        "v": 1, "job": "music", "journal": JOURNAL, "seq": 8, "time": 1_500_000_000_500_i64,
        "type": "status", "state": "halted", "reason": "stopped for safety", "pending": 41,
        "since": 0, "conflicts": 0, "problems": 0, "divergences": 0, "changed": null,
        "halt": {"seq": 8, "reason": "too_many_deletions", "side": "remote", "count": 41},
        "next_try": 1_500_000_060_000_i64, "label": "Music", "index": 1, "server": "/mnt/m",
        "directory": "/home/ada/Music",
    })
}

fn row(status: &Value) -> Value {
    json!({
        "job": status["job"], "label": status["label"], "index": status["index"],
        "server": status["server"], "directory": status["directory"], "remote_folder": "/",
        "direction": "bi", "frequency": "auto", "state": status["state"],
    })
}

/// The journal of `docs`: an upload. `music` has its approval.
fn event(seq: u64) -> Value {
    let body = match seq {
        1 => json!({
            "type": "observed", "side": "local", "path": "d/a",
            "entry": {"digest": null, "fingerprint": {"kind": "file", "size": 2048}},
        }),
        2 => json!({
            "type": "operation_started", "case": "U1", "action": {
                "type": "transfer", "from": "local", "source": "d/a", "target": "d/a",
                "displaced": "discard",
            },
        }),
        3 => json!({
            "type": "operation_succeeded", "operation": 2, "bytes": 2048, "kept": [],
            "trashed": null,
        }),
        _ => json!({"type": "halt_approved", "halt": 8, "by": "ada (command line)"}),
    };
    let mut whole = json!({
        "v": 1, "job": "docs", "journal": JOURNAL, "seq": seq,
        "time": 1_500_000_000_000_i64 + i64::try_from(seq).expect("small"),
    });
    let fields = body.as_object().expect("an object").clone();
    whole.as_object_mut().expect("an object").extend(fields);
    whole
}

fn script(method: &str, params: &Value) -> Answer {
    let job = params["job"].as_str();
    let from = params["from"].as_u64().unwrap_or_default();
    let limit = params["limit"].as_u64().unwrap_or_default();
    let orders = |state: &str| {
        let jobs = match job {
            Some(job) => vec![json!({"job": job, "seq": 129, "state": state})],
            None => ["docs", "music"]
                .map(|job| json!({"job": job, "seq": null, "state": state}))
                .into(),
        };
        Ok(json!({"jobs": jobs}))
    };
    match method {
        "version" => Ok(json!({"version": "0.1.0", "protocol": 1, "pid": std::process::id()})),
        "job.list" => Ok(json!({"jobs": [row(&docs_status()), row(&music_status())]})),
        "job.status" if job == Some("docs") => Ok(json!({"jobs": [docs_status()]})),
        "job.status" => Ok(json!({"jobs": [music_status()]})),
        "job.pause" => orders("paused"),
        "job.start" => orders("syncing"),
        "job.stop" => Err((-32004, "the job did not answer in time")),
        "job.sync_now" => orders("syncing"),
        "job.reload" if job.is_some() => Err((-32005, "jobs.json: /1/id: taken")),
        "job.reload" => {
            Ok(json!({"added": ["new"], "removed": [], "changed": ["docs"], "kept": []}))
        }
        "problem.list" => {
            let all: Vec<Value> = (0..7)
                .map(|n| json!({"path": format!("p{n}"), "case": "P1", "detail": "cannot be read"}))
                .collect();
            let end = (from + limit.min(3)).min(7);
            let next = (end < 7).then_some(end);
            let page =
                &all[usize::try_from(from).expect("small")..usize::try_from(end).expect("small")];
            Ok(json!({"job": job, "seq": 3, "total": 7, "next": next, "problems": page}))
        }
        "conflict.list" => Ok(json!({
            "job": job, "seq": 3, "total": 2, "next": null, "conflicts": [
                {"path": "d/c", "type": "conflict", "case": "C1"},
                {"path": "d/v", "type": "divergence", "case": "V1"},
            ],
        })),
        "conflict.resolve" if params["path"] == "d/c" => Ok(json!({"job": job, "seq": 9})),
        "conflict.resolve" => Err((-32003, "no conflict waits there")),
        "halt.approve" => Ok(json!({"job": job, "seq": 9})),
        "journal.read" => {
            let head = if from < 4 { 3 } else { 9 };
            let end = (from + limit.min(2)).min(head + 1);
            let messages: Vec<Value> = (from..end)
                .map(|seq| json!({"topic": "journal.docs", "body": event(seq)}))
                .collect();
            Ok(json!({
                "job": job, "journal": JOURNAL, "head": head, "next": end.max(from),
                "messages": messages,
            }))
        }
        "explain" => Ok(json!({
            "job": job, "journal": JOURNAL, "head": 3, "path": "d/a", "state": "synced",
            "answer": "`d/a` is in sync on both sides", "place": "d/a", "advice": ["look twice"],
            "trash": [{
                "entry": "0000000000000002-a", "path": "d/a", "seq": 3, "time": 1_500_000_000_000_i64,
                "command": "pydio-sync trash restore docs 0000000000000002",
            }],
            "events": [{
                "seq": 2, "time": 1_500_000_000_000_i64, "type": "operation_started", "case": "U1",
                "text": "upload `d/a`",
            }],
            "left_out": 7,
        })),
        _ => Err((-32601, "no such method")),
    }
}

/// Commands, exit codes, and all that is printed. `STATE` stands for the state folder.
const PRINTED: [(&str, i32, &str, &str); 17] = [
    (
        "status",
        5,
        "Documents (docs): syncing; 3 pending, 1 conflict, 7 not synced, 1 different on purpose; \
         last change 2017-07-14 02:40:00 UTC\n\
         Music (music): halted (stopped for safety); 41 pending, 0 conflicts, 0 not synced; event \
         8, 2017-07-14 02:40:00 UTC; next try 2017-07-14 02:41:00 UTC\n",
        "  not synced: p0: cannot be read\n  not synced: p1: cannot be read\n  not synced: p2: \
         cannot be read\n  not synced: p3: cannot be read\n  not synced: p4: cannot be read\n  \
         and 2 more; `--json` lists all\n  list what waits: pydio-sync conflicts docs --state-dir STATE\n  halted: \
         41 entries would be deleted on the remote side\n  if this is meant, release it with: \
         pydio-sync approve music --state-dir STATE\n",
    ),
    ("pause", 0, "docs: paused\nmusic: paused\n", ""),
    ("start docs", 0, "docs: syncing\n", ""),
    (
        "sync-now Mus",
        2,
        "",
        "pydio-sync: no job `Mus`; known are docs, music\n  name one by its id or its label\n",
    ),
    ("sync-now Music", 0, "music: syncing\n", ""),
    (
        "stop docs",
        1,
        "",
        "pydio-sync: the job did not answer in time\n  what was ordered may still happen; \
         `pydio-sync status` tells\n",
    ),
    ("reload", 0, "new: added\ndocs: changed\n", ""),
    (
        "reload docs",
        2,
        "",
        "pydio-sync: jobs.json: /1/id: taken\n  the old job file stays in force\n",
    ),
    (
        "conflicts docs",
        0,
        "C1 conflict: d/c\nV1 differs on purpose: d/v\n",
        "",
    ),
    (
        "resolve docs d/c --keep local",
        0,
        "",
        "decided; the job does it\n",
    ),
    (
        "resolve docs d/x --keep both",
        2,
        "",
        "pydio-sync: no conflict waits at `d/x`\n  `pydio-sync conflicts` lists those that do\n",
    ),
    (
        "approve docs",
        0,
        "",
        "the job is not halted: there is nothing to approve\n",
    ),
    (
        "approve music",
        0,
        "",
        "approved: 41 entries would be deleted on the remote side; the job goes on with exactly \
         that\n",
    ),
    (
        "approve music --json",
        0,
        "{\"halt\":{\"count\":41,\"reason\":\"too_many_deletions\",\"seq\":8,\"side\":\"remote\"},\
         \"job\":\"music\",\"seq\":9,\"type\":\"approved\"}\n",
        "approved: 41 entries would be deleted on the remote side; the job goes on with exactly \
         that\n",
    ),
    (
        "explain docs d/a",
        0,
        "`d/a` is in sync on both sides\n  look twice\n  bring an older version back (in the trash since 2017-07-14 02:40:00 \
         UTC): pydio-sync trash restore docs 0000000000000002 --state-dir STATE\n(7 older events left out)\n       \
         2  2017-07-14 02:40:00 UTC  upload `d/a`\n",
        "",
    ),
    (
        "events docs --from 3",
        0,
        "3 2017-07-14 02:40:00 UTC operation_succeeded {\"bytes\":2048,\"kept\":[],\"operation\":2,\
         \"trashed\":null}\n",
        "",
    ),
    (
        "pause docs --json",
        0,
        "{\"job\":\"docs\",\"seq\":129,\"state\":\"paused\",\"type\":\"ordered\"}\n",
        "",
    ),
];

#[test]
fn a_command_prints_what_the_daemon_says() {
    let play = Play::new(script, Vec::new);
    let state = play.lab.state.display().to_string();
    for (line, code, out, err) in PRINTED {
        let run = play.run(line);
        let told = run.err.replace(&state, "STATE");
        assert_eq!(
            (
                run.code,
                run.out.replace(&state, "STATE").as_str(),
                told.as_str()
            ),
            (code, out, err),
            "{line}"
        );
    }
    let by = "ada (command line)";
    assert_eq!(play.stage.asked("job.pause")[0], json!({"by": by}));
    assert_eq!(
        play.stage.asked("job.start"),
        [json!({"job": "docs", "by": by})]
    );
    assert_eq!(
        play.stage.asked("conflict.resolve")[0],
        json!({"job": "docs", "path": "d/c", "keep": "local", "by": by})
    );
    // The halt that was shown, and no other one.
    assert_eq!(
        play.stage.asked("halt.approve")[0],
        json!({"job": "music", "halt": 8, "by": by})
    );
}

#[test]
fn json_is_whole_and_says_what_it_is() {
    let play = Play::new(script, Vec::new);
    let lines = |line: &str| -> Vec<Value> {
        let run = play.run(line);
        let lines = run.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    let status = lines("status docs --json");
    assert_eq!(
        status[0],
        json!({
            "type": "status", "job": "docs", "label": "Documents", "state": "syncing",
            "reason": null, "pending": 3, "conflicts": 1, "problems": 7, "divergences": 1,
            "halt": null, "seq": 3, "time": 1_500_000_000_500_i64,
            "changed": 1_500_000_000_123_i64, "next_try": null,
        })
    );
    assert_eq!(status.len(), 8, "every problem is listed: {status:?}");
    assert_eq!(
        status[7],
        json!({"type": "problem", "job": "docs", "path": "p6", "detail": "cannot be read"})
    );
    assert_eq!(
        lines("conflicts docs --json")[1],
        json!({"type": "divergence", "job": "docs", "path": "d/v", "case": "V1"})
    );
    assert_eq!(
        lines("reload --json"),
        [json!({"type": "reloaded", "added": ["new"], "removed": [], "changed": ["docs"]})]
    );
    let events = lines("events docs --json");
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(
        events[0].get("journal"),
        None,
        "as the journal at rest tells it"
    );
}

/// Events beyond the journal's end as the script knows it: with a gap, a repetition and
/// a stranger's message between.
fn news() -> Vec<Message> {
    let message = |topic: &str, seq: u64, body: Value| Message {
        topic: topic.to_owned(),
        seq,
        body: body.to_string().into_bytes(),
    };
    let head = json!({"v": 1, "job": "docs", "type": "head", "head": 3});
    vec![
        message("journal.docs", 3, event(3)),
        message("journal.docs2", 4, event(4)),
        message("live.head.docs", 0, head),
        message("journal.docs", 4, event(4)),
        message("journal.docs", 5, event(5)),
        message("journal.docs", 9, event(9)),
    ]
}

#[test]
fn following_prints_each_event_once_and_reads_what_the_stream_lost() {
    let play = Play::new(script, news);
    let mut command = play.lab.bare();
    command.args(["events", "docs", "--follow", "--from", "2", "--json"]);
    let out = play.lab.dir.path().join("out");
    let file = std::fs::File::create(&out).expect("a file");
    let running = Running(
        command
            .stdout(file)
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts"),
    );
    until("all is printed", || read(&out).lines().count() >= 8);
    drop(running);
    let text = read(&out);
    let seqs: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|event| event["seq"].as_u64().expect("a number"))
        .collect();
    assert_eq!(seqs, [2, 3, 4, 5, 6, 7, 8, 9]);
}

/// A status as it is sent: without what only `job.status` tells. Twice the same, then a
/// job that is new.
fn changes() -> Vec<Message> {
    let mut synced = docs_status();
    synced["state"] = "synced".into();
    let fields = synced.as_object_mut().expect("an object");
    let _labels = ["label", "index", "server", "directory"].map(|key| fields.remove(key));
    let mut again = synced.clone();
    again["time"] = 1_500_000_000_900_i64.into();
    let mut other = synced.clone();
    other["job"] = "new".into();
    [("docs", synced), ("docs", again), ("new", other)]
        .map(|(job, body)| Message {
            topic: format!("status.{job}"),
            seq: 3,
            body: body.to_string().into_bytes(),
        })
        .into()
}

#[test]
fn watching_prints_a_line_for_each_change_and_none_for_a_repetition() {
    let play = Play::on("status.docs", script, changes);
    let out = play.lab.dir.path().join("out");
    let file = std::fs::File::create(&out).expect("a file");
    let mut command = play.lab.bare();
    command.args(["status", "--watch"]).stdout(file);
    let running = Running(command.stderr(Stdio::null()).spawn().expect("it starts"));
    until("the new job is told of", || {
        read(&out).contains("new (new)")
    });
    drop(running);
    let text = read(&out);
    let told: Vec<&str> = text
        .lines()
        .map(|line| line.split(';').next().expect("a state"))
        .collect();
    assert_eq!(
        told,
        [
            "Documents (docs): syncing",
            "Music (music): halted (stopped for safety)",
            "Documents (docs): synced",
            "new (new): synced",
        ]
    );
}

#[test]
fn without_a_daemon_orders_say_how_to_get_one() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("a"), "a");
    lab.synced();
    let orders = ["start", "pause", "stop", "reload", "sync-now"];
    let follows = ["status --watch", "events --follow"];
    for line in orders.into_iter().chain(follows) {
        let words: Vec<&str> = line.split(' ').collect();
        let run = lab.offline(&words);
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert!(run.err.contains("no daemon runs"), "{line}: {run:?}");
        assert!(run.err.contains("service install"), "{line}: {run:?}");
    }
    // A note of a daemon that was killed, or of a port that is somebody else's now.
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = stranger.local_addr().expect("its address").port();
    drop(stranger);
    let note = json!({
        "v": 1, "pid": 1, "publish": format!("tcp://127.0.0.1:{port}"),
        "commands": format!("tcp://127.0.0.1:{port}"),
    });
    std::fs::write(lab.state.join("ports.json"), note.to_string()).expect("a note");
    let run = lab.offline(&["status"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn a_daemon_of_another_process_number_is_a_stranger() {
    fn stranger(method: &str, params: &Value) -> Answer {
        match method {
            "version" => Ok(json!({"version": "0.1.0", "protocol": 1, "pid": 1})),
            _ => script(method, params),
        }
    }
    let play = Play::new(stranger, Vec::new);
    let run = play.run("pause docs");
    assert_eq!(run.code, 2, "{run:?}");
    assert!(play.stage.asked("job.pause").is_empty());
}

/// Replaces times and ids, which differ from run to run.
fn steady(text: &str, lab: &Lab) -> String {
    let top = lab.dir.path().display().to_string();
    let text = text.replace(&top, "LAB");
    let mut steady = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("20") {
        let (before, from) = rest.split_at(at);
        steady.push_str(before);
        let is_time = from.len() >= 23 && from[19..].starts_with(" UTC");
        let (word, length) = if is_time { ("TIME", 23) } else { ("20", 2) };
        steady.push_str(word);
        rest = &from[length..];
    }
    steady + rest
}

#[test]
fn the_journal_at_rest_tells_the_same() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("d/a"), "old");
    lab.synced();
    write_long_ago(&lab.local.join("d/a"), "mine and longer");
    write_long_ago(&lab.remote.join("d/a"), "theirs");
    assert_eq!(lab.once(&["--conflict", "manual"]).code, 3);
    let listed = lab.offline(&["jobs", "list", "--json"]);
    let job: Value = serde_json::from_str(&listed.out).expect("JSON");
    let id = job["job"].as_str().expect("an id");
    let table = [
        (
            "status",
            3,
            "local (ID): stopped (it does not run); 0 pending, 1 conflict, 0 not synced; event \
             N, TIME\n",
        ),
        ("conflicts", 0, "C1 conflict: d/a\n"),
    ];
    for (line, code, out) in table {
        let words: Vec<&str> = line.split(' ').collect();
        let run = lab.offline(&words);
        let text = steady(&run.out, &lab).replace(id, "ID");
        let head = lab.offline(&["events", "--json"]).out.lines().count();
        let text = text.replace(&format!("event {head},"), "event N,");
        assert_eq!((run.code, text.as_str()), (code, out), "{line}");
    }
    let story = lab.offline(&["explain", "d/a"]);
    let told = steady(&story.out, &lab);
    let expected = [
        "`d/a` waits for your decision: changed differently on both sides\n",
        "keep the local version; the remote one goes to the local trash: pydio-sync resolve ID d/a \
         --keep local",
        "  local side: `d/a` was there, a file of 3 bytes\n",
        "  upload `d/a`, a file of 3 bytes, if the name is still free there. Rule U1: ",
        "  uploaded, 3 bytes sent\n",
        "  local side: `d/a` was changed, from 3 bytes to 15 bytes\n",
        "  conflict. Rule C1: neither version may be lost",
    ];
    let told = told.replace(id, "ID");
    let mut left = told.as_str();
    for wanted in expected {
        let (_, rest) = left
            .split_once(wanted)
            .unwrap_or_else(|| panic!("{wanted}: {told}"));
        left = rest;
    }
    let whole = lab.offline(&["explain", "d/a", "--json"]);
    let whole: Value = serde_json::from_str(&whole.out).expect("one object");
    assert_eq!(
        (&whole["type"], &whole["state"]),
        (&json!("explanation"), &json!("conflict"))
    );
    let nothing = lab.offline(&["explain", "no/such"]);
    assert!(
        nothing
            .out
            .starts_with("the journal says nothing of `no/such`\n"),
        "{nothing:?}"
    );
}

#[test]
fn a_path_is_explained_as_a_shell_completes_it() {
    let lab = Lab::new();
    write_long_ago(&lab.local.join("d/a"), "one");
    lab.synced();
    let told = lab.offline(&["explain", "d/a"]);
    assert!(told.code == 0 && told.out.contains("uploaded"), "{told:?}");
    let absolute = lab.local.join("d/a").display().to_string();
    for spelled in ["./d/a", "d/a/", &absolute] {
        for words in [&["explain", spelled][..], &["journal", "explain", spelled]] {
            assert_eq!(lab.offline(words).out, told.out, "{words:?}");
        }
    }
    let outside = lab.offline(&["explain", "/elsewhere/d/a"]);
    let words = "`/elsewhere/d/a` is not in the local folder";
    assert!(
        outside.code == 2 && outside.err.contains(words),
        "{outside:?}"
    );
}
