//! `tools/clients/mirror.py`: a subscriber that misses nothing.

use crate::program::{Lab, Running, read, tree, until, write_long_ago};
use crate::stage::{Answer, Stage};
use pydio_sync::ports::Message;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const JOURNAL: &str = "00112233445566778899aabbccddeeff";

/// A history with everything that a mirror has to follow: new files, edits, moves of
/// folders, deletions, a conflict. Returns its events.
fn history(lab: &Lab) -> Vec<Value> {
    for number in 0..600 {
        let path = format!("d{}/e{}/f{number}", number % 7, number % 3);
        write_long_ago(&lab.local.join(path), number.to_string());
    }
    write_long_ago(&lab.remote.join("from/there"), "there");
    lab.synced();
    std::fs::rename(lab.local.join("d1"), lab.local.join("moved")).expect("rename");
    std::fs::rename(lab.remote.join("from/there"), lab.remote.join("here")).expect("rename");
    std::fs::remove_dir_all(lab.remote.join("d2")).expect("removed");
    write_long_ago(&lab.local.join("d3/e0/f3"), "edited here and longer");
    write_long_ago(&lab.local.join("d4/both"), "mine");
    write_long_ago(&lab.remote.join("d4/both"), "theirs!");
    lab.synced();
    std::fs::rename(lab.remote.join("d5"), lab.remote.join("moved/d5")).expect("rename");
    std::fs::remove_file(lab.local.join("here")).expect("removed");
    lab.synced();
    let printed = lab.offline(&["events", "--json"]);
    let lines = printed.out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// A journal that grows while it is told of.
struct Told {
    events: Vec<Value>,
    head: AtomicUsize,
    /// How long the journal grows for now.
    written: AtomicUsize,
    chance: Mutex<u64>,
}

impl Told {
    fn message(&self, at: usize) -> Value {
        let mut body = self.events[at].clone();
        body["v"] = 1.into();
        body["journal"] = JOURNAL.into();
        if body.get("job").is_none() {
            body["job"] = "docs".into();
        }
        body
    }

    fn answer(&self, method: &str, params: &Value) -> Answer {
        if method != "journal.read" {
            return Err((-32601, "no such method"));
        }
        let number = |key: &str| usize::try_from(params[key].as_u64().unwrap_or(1)).expect("small");
        let head = self.head.load(Ordering::Acquire);
        let first = number("from") - 1;
        let end = head.min(first + number("limit").min(40)).max(first);
        let messages: Vec<Value> = (first..end)
            .map(|at| json!({"topic": "journal.docs", "body": self.message(at)}))
            .collect();
        Ok(json!({
            "job": "docs", "journal": JOURNAL, "head": head, "next": end + 1,
            "messages": messages,
        }))
    }

    /// Up to twenty events more, of which some are lost on their way, and the head.
    fn news(&self) -> Vec<Message> {
        let mut chance = self.chance.lock().expect("chance");
        let mut next = || {
            *chance ^= *chance << 13;
            *chance ^= *chance >> 7;
            *chance ^= *chance << 17;
            *chance
        };
        let first = self.head.load(Ordering::Acquire);
        let end = self.written.load(Ordering::Acquire).min(first + 20);
        self.head.store(end, Ordering::Release);
        let mut messages = Vec::new();
        for at in first..end {
            if next() % 9 != 0 {
                messages.push(Message {
                    topic: "journal.docs".to_owned(),
                    seq: at as u64 + 1,
                    body: self.message(at).to_string().into_bytes(),
                });
            }
        }
        if next() % 4 == 0 || first == end {
            let head = json!({
                "v": 1, "job": "docs", "journal": JOURNAL, "seq": 0, "time": 0, "type": "head",
                "head": end,
            });
            messages.push(Message {
                topic: "live.head.docs".to_owned(),
                seq: 0,
                body: head.to_string().into_bytes(),
            });
        }
        messages
    }
}

fn python() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python3");
    let own = if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    };
    std::env::var_os("PYDIO_SYNC_PYTHON").map_or(own, PathBuf::from)
}

/// The mirror with its files in a folder.
pub(crate) fn mirror(lab: &Lab, job: &str, flags: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/clients/mirror.py");
    let mut command = Command::new(python());
    command.arg(script).arg(job).args(flags);
    for name in ["save", "log", "dump"] {
        command
            .arg(format!("--{name}"))
            .arg(lab.dir.path().join(name));
    }
    command
        .env("PYDIO_SYNC_STATE_DIR", &lab.state)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

pub(crate) fn start(mut command: Command) -> Running {
    let started = command.spawn();
    Running(started.expect("Python starts; README.md says how to set it up"))
}

/// The events that the mirror logged.
pub(crate) fn logged(lab: &Lab) -> Vec<Value> {
    let text = read(&lab.dir.path().join("log"));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// What the mirror says a side holds, in the words of [`tree`] without hashes.
pub(crate) fn dumped(lab: &Lab, side: &str) -> BTreeMap<String, String> {
    let dump: Value = serde_json::from_str(&read(&lab.dir.path().join("dump"))).expect("JSON");
    let paths = dump[side].as_object().expect("a side");
    let shown = paths.iter().map(|(path, it)| match it[0].as_str() {
        Some("directory") => (format!("{path}/"), String::new()),
        _ => (path.clone(), format!("{} bytes", it[1])),
    });
    shown.collect()
}

pub(crate) fn on_disk(root: &Path) -> BTreeMap<String, String> {
    let found = tree(root).into_iter();
    found
        .map(|(path, what)| match what.split_once(" bytes") {
            Some((bytes, _)) => (path, format!("{bytes} bytes")),
            None => (path, what),
        })
        .collect()
}

#[test]
fn a_mirror_misses_nothing_whatever_is_lost_killed_or_restarted() {
    let lab = Lab::new();
    let told = Arc::new(Told {
        events: history(&lab),
        head: AtomicUsize::new(0),
        written: AtomicUsize::new(0),
        chance: Mutex::new(0x9E37_79B9_7F4A_7C15),
    });
    let count = told.events.len();
    assert!(count > 2000, "{count}");
    told.written.store(count * 3 / 4, Ordering::Release);
    let open = || {
        let (answers, news) = (Arc::clone(&told), Arc::clone(&told));
        let answer = move |method: &str, params: &Value| answers.answer(method, params);
        Stage::new(&lab.state, answer, "journal.docs", move || news.news())
    };
    let saved = || {
        let text = std::fs::read_to_string(lab.dir.path().join("save")).unwrap_or_default();
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        usize::try_from(value["seq"].as_u64().unwrap_or(0)).expect("small")
    };
    let flags = ["--from-start"];
    let mut stage = open();
    for part in 1..4 {
        let mut running = start(mirror(&lab, "docs", &flags));
        until("the mirror is some way on", || {
            running.goes_on() && saved() >= count * part / 6
        });
        // The subscriber is killed while events come in.
        drop(running);
    }
    let until_all = ["--from-start", "--until", &count.to_string()];
    let mut last = start(mirror(&lab, "docs", &until_all));
    until("the mirror is nearly there", || {
        last.goes_on() && saved() >= count * 2 / 3
    });
    // The daemon goes, with what it had sent, and comes back on other ports.
    drop(stage);
    told.written.store(count, Ordering::Release);
    stage = open();
    assert!(last.end().success());
    let reads = stage.asked("journal.read").len();
    assert!(reads > 0, "nothing was read after the restart");
    assert_eq!(logged(&lab), told.events);
    assert_eq!(dumped(&lab, "local"), on_disk(&lab.local));
    assert_eq!(dumped(&lab, "remote"), on_disk(&lab.remote));
}
