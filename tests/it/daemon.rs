//! The daemon with its sockets: several jobs, orders, reloads, a stream without gaps.

use crate::program::{Lab, Running, done, until, write};
use pydio_sync::adapters::zmtp::{Received, Request, Subscription};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A running daemon and where it listens.
pub(crate) struct Daemon {
    pub(crate) running: Running,
    publish: SocketAddr,
    commands: SocketAddr,
}

/// Several jobs in one state folder.
struct House {
    lab: Lab,
}

impl House {
    fn new(jobs: &[&str]) -> Self {
        let house = Self { lab: Lab::new() };
        house.configure(jobs, &json!({}));
        house
    }

    fn near(&self, job: &str) -> PathBuf {
        self.lab.dir.path().join(format!("near-{job}"))
    }

    fn far(&self, job: &str) -> PathBuf {
        self.lab.dir.path().join(format!("far-{job}"))
    }

    fn file(&self) -> PathBuf {
        self.lab.dir.path().join("jobs.json")
    }

    /// Writes the job file; `more` are keys for every job.
    fn configure(&self, jobs: &[&str], more: &Value) {
        let jobs = jobs.iter().map(|job| {
            for folder in [self.near(job), self.far(job)] {
                fs::create_dir_all(folder).expect("a folder");
            }
            let mut keys = json!({
                "id": job, "label": format!("The {job}"),
                "directory": self.near(job), "server": self.far(job),
            });
            let more = more.as_object().expect("an object").clone();
            keys.as_object_mut().expect("an object").extend(more);
            keys
        });
        let text = Value::from(jobs.collect::<Vec<_>>()).to_string();
        fs::write(self.file(), text).expect("the job file");
    }

    fn once(&self) {
        let ran = done(self.lab.bare().arg("-f").arg(self.file()).arg("--once"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }

    fn start(&self) -> Daemon {
        let mut command = self.lab.bare();
        command.arg("-f").arg(self.file()).stderr(Stdio::null());
        Daemon::start(&self.lab, &mut command)
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

impl Daemon {
    /// Starts the program on a lab's state folder, and waits until it can be asked.
    pub(crate) fn start(lab: &Lab, command: &mut Command) -> Self {
        let note = lab.state.join("ports.json");
        fs::remove_file(&note).ok();
        let daemon = command.args(["-z", "auto"]).stdout(Stdio::null()).spawn();
        let running = Running(daemon.expect("the program starts"));
        until("the daemon tells where it listens", || note.exists());
        let note: Value =
            serde_json::from_slice(&fs::read(&note).expect("the note")).expect("JSON");
        assert_eq!(note["pid"], running.0.id());
        let address = |key: &str| {
            let text = note[key].as_str().expect("a text");
            let text = text.strip_prefix("tcp://").expect("an address");
            text.parse().expect("an address")
        };
        Self {
            running,
            publish: address("publish"),
            commands: address("commands"),
        }
    }

    fn say(&self, request: &str) -> String {
        let reply = run(async {
            let mut socket = Request::connect(self.commands, GUARD).await?;
            socket.ask(request.as_bytes(), GUARD).await
        });
        String::from_utf8(reply.expect("a reply")).expect("text")
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        serde_json::from_str(&self.say(&request.to_string())).expect("JSON")
    }

    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        let mut reply = self.call(method, params);
        assert!(reply.get("result").is_some(), "{method}: {reply}");
        reply["result"].take()
    }

    pub(crate) fn status(&self, job: &str) -> Value {
        self.ask("job.status", json!({"job": job}))["jobs"][0].take()
    }

    pub(crate) fn wait_for(&self, job: &str, state: &str) {
        until(&format!("{job} is {state}"), || {
            self.status(job)["state"] == state
        });
    }

    pub(crate) fn stop(mut self) {
        self.running.signal("-TERM");
        assert_eq!(self.running.end().code(), Some(0));
    }
}

#[test]
fn whoever_finds_the_note_can_stop_the_daemon() {
    let house = House::new(&["a"]);
    let note = house.lab.state.join("ports.json");
    // Each time at the first moment, of which there are many.
    for _ in 0..20 {
        let mut command = house.lab.bare();
        command.arg("-f").arg(house.file()).args(["-z", "auto"]);
        let daemon = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut running = Running(daemon.expect("the program starts"));
        while !note.exists() {
            assert!(running.goes_on());
        }
        let pid = running.0.id().to_string();
        let stopped = Command::new("kill").arg(pid).status();
        assert!(stopped.expect("kill").success());
        assert_eq!(running.end().code(), Some(0));
        assert!(!note.exists());
    }
}

#[test]
fn the_last_change_is_told_though_nothing_comes_after_it() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    write(&house.near("a").join("f"), "x");
    until("it arrives", || house.far("a").join("f").exists());
    daemon.wait_for("a", "synced");
    until("the change is told", || {
        daemon.status("a")["changed"].is_i64()
    });
    daemon.stop();
}

#[test]
fn a_job_in_trouble_does_not_disturb_the_others() {
    let house = House::new(&["good", "emptied", "gone", "busy"]);
    for number in 0..30 {
        write(&house.near("emptied").join(format!("f{number}")), "x");
    }
    write(&house.near("gone").join("a"), "a");
    house.once();
    for number in 0..30 {
        fs::remove_file(house.near("emptied").join(format!("f{number}"))).expect("a file");
    }
    fs::rename(house.far("gone"), house.far("elsewhere")).expect("a folder");
    let mut other = house.lab.bare();
    let flags = [house.far("busy"), house.near("busy")];
    other
        .arg("-s")
        .arg(&flags[0])
        .arg("-d")
        .arg(&flags[1])
        .args(["-z", "0"]);
    let other = Running(other.stderr(Stdio::null()).spawn().expect("it starts"));
    write(&house.near("busy").join("mine"), "x");
    until("another process works", || {
        house.far("busy").join("mine").exists()
    });

    let daemon = house.start();
    write(&house.near("good").join("a"), "a");
    until("the good job works", || {
        house.far("good").join("a").exists()
    });
    daemon.wait_for("emptied", "halted");
    daemon.wait_for("gone", "halted");
    daemon.wait_for("busy", "error");
    assert_eq!(daemon.status("gone")["halt"]["reason"], "root_missing");
    let halt = daemon.status("emptied")["halt"].clone();
    assert_eq!(halt["count"], 30, "{halt}");
    assert!(daemon.status("busy")["next_try"].is_i64());
    write(&house.far("good").join("b"), "b");
    until("and goes on", || house.near("good").join("b").exists());

    let wrong = daemon.call("halt.approve", json!({"job": "emptied", "halt": 1}));
    assert_eq!(wrong["error"]["code"], -32003, "{wrong}");
    let approved = daemon.ask(
        "halt.approve",
        json!({"job": "emptied", "halt": halt["seq"]}),
    );
    assert!(approved["seq"].as_u64() > halt["seq"].as_u64());
    until("the plan is carried out", || {
        fs::read_dir(house.far("emptied")).is_ok_and(|left| left.count() <= 1)
    });
    fs::rename(house.far("elsewhere"), house.far("gone")).expect("a folder");
    daemon.wait_for("gone", "synced");
    drop(other);
    daemon.ask("job.sync_now", json!({"job": "busy"}));
    daemon.wait_for("busy", "synced");
    daemon.stop();
}

#[test]
fn a_pause_holds_through_a_crash_until_the_job_is_started() {
    let house = House::new(&["a", "b"]);
    let daemon = house.start();
    daemon.wait_for("a", "synced");
    assert_eq!(daemon.say("STATUS"), "RUNNING");
    let listed: Value = serde_json::from_str(&daemon.say("LIST-JOBS")).expect("JSON");
    let line = format!(
        "{} - {}",
        house.far("a").display(),
        house.near("a").display()
    );
    assert_eq!(listed[0], line);
    for _ in 0..10 {
        // What is told right behind an order is what it led to.
        assert_eq!(daemon.say("PAUSE 0"), "PAUSED");
        assert_eq!(daemon.say("STATUS 0"), "PAUSED");
        assert_eq!(daemon.say("START 0"), "RUNNING");
        assert_eq!(daemon.say("STATUS 0"), "RUNNING");
    }
    assert_eq!(daemon.say("PAUSE 0"), "PAUSED");
    assert_eq!(daemon.say("STATUS"), "RUNNING");
    write(&house.near("a").join("later"), "x");
    write(&house.near("b").join("now"), "x");
    until("the other job works", || {
        house.far("b").join("now").exists()
    });
    let mut daemon = daemon;
    daemon.running.signal("-KILL");
    daemon.running.end();

    let daemon = house.start();
    daemon.wait_for("a", "paused");
    daemon.wait_for("b", "synced");
    assert!(!house.far("a").join("later").exists());
    let started = daemon.ask("job.start", json!({"job": "The a", "by": "ada"}));
    let seq = started["jobs"][0]["seq"].as_u64().expect("an event");
    until("it goes on", || house.far("a").join("later").exists());
    let page = daemon.ask("journal.read", json!({"job": "a", "from": seq, "limit": 1}));
    let event = &page["messages"][0]["body"];
    assert_eq!(event["type"], "ordered", "{page}");
    assert_eq!([&event["order"], &event["by"]], ["start", "ada"]);
    daemon.stop();
}

#[test]
fn what_changes_in_a_pause_is_counted_and_waits() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    daemon.wait_for("a", "synced");
    assert_eq!(daemon.say("PAUSE 0"), "PAUSED");
    assert_eq!(house.lab.offline(&["status"]).code, 0);
    write(&house.near("a").join("later"), "x");
    write(&house.far("a").join("there"), "x");
    until("both are seen", || daemon.status("a")["pending"] == 2);
    let told = house.lab.offline(&["status"]);
    assert_eq!(told.code, 4, "{told:?}");
    assert!(told.out.contains("paused; 2 pending"), "{told:?}");
    daemon.stop();
    let told = house.lab.offline(&["status"]);
    assert_eq!(told.code, 4, "{told:?}");
    assert!(told.out.contains("2 pending"), "{told:?}");
    assert!(!told.out.contains("synced when"), "{told:?}");

    write(&house.near("a").join("later still"), "x");
    let daemon = house.start();
    until("a new run looks as well", || {
        daemon.status("a")["pending"] == 3
    });
    assert_eq!(daemon.status("a")["state"], "paused");
    assert!(!house.far("a").join("later").exists());
    assert!(!house.near("a").join("there").exists());
    // Also one that was stopped in its pause.
    daemon.ask("job.stop", json!({"job": "a"}));
    daemon.wait_for("a", "stopped");
    assert_eq!(daemon.status("a")["pending"], 3);
    daemon.ask("job.start", json!({"job": "a"}));
    until("all of it goes on", || {
        house.far("a").join("later still").exists() && house.near("a").join("there").exists()
    });
    daemon.stop();
}

#[test]
fn a_stopped_job_says_what_it_knew_when_it_stopped() {
    let house = House::new(&["a", "busy"]);
    let mut other = house.lab.bare();
    other
        .arg("-s")
        .arg(house.far("busy"))
        .arg("-d")
        .arg(house.near("busy"));
    other.args(["-z", "0"]).stderr(Stdio::null());
    let other = Running(other.spawn().expect("it starts"));
    write(&house.near("busy").join("mine"), "x");
    until("another process works", || {
        house.far("busy").join("mine").exists()
    });
    let daemon = house.start();
    daemon.wait_for("a", "synced");
    daemon.wait_for("busy", "error");
    daemon.ask("job.stop", json!({}));
    daemon.wait_for("a", "stopped");
    daemon.wait_for("busy", "stopped");
    assert_eq!(daemon.status("a")["reason"], "synced when it stopped");
    let synced = house.lab.offline(&["status", "a"]);
    assert_eq!(synced.code, 0, "{synced:?}");
    let kept_away = house.lab.offline(&["status", "busy"]);
    assert_eq!(kept_away.code, 8, "{kept_away:?}");
    drop(other);
    daemon.stop();
}

#[test]
fn a_stopped_job_lets_go_of_its_journal() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    daemon.wait_for("a", "synced");
    daemon.ask("job.stop", json!({"job": "a"}));
    daemon.wait_for("a", "stopped");
    write(&house.near("a").join("f"), "x");
    house.once();
    assert!(house.far("a").join("f").exists());
    let closed = daemon.call("journal.read", json!({"job": "a", "from": 1}));
    assert_eq!(closed["error"]["code"], -32002);
    daemon.ask("job.start", json!({}));
    daemon.wait_for("a", "synced");
    daemon.stop();
}

#[test]
fn a_job_file_with_a_mistake_changes_nothing_and_a_right_one_only_what_it_says() {
    let house = House::new(&["same", "gone"]);
    let daemon = house.start();
    daemon.wait_for("same", "synced");
    let right = fs::read(house.file()).expect("the job file");
    fs::write(house.file(), "[{\"directry\": 1}]").expect("the job file");
    let refused = daemon.call("job.reload", json!({}));
    assert_eq!(refused["error"]["code"], -32005, "{refused}");
    assert!(daemon.say("RELOAD").starts_with("ERROR "));
    daemon.running.signal("-HUP");
    fs::write(house.file(), right).expect("the job file");
    let kept = daemon.ask("job.reload", json!({}));
    assert_eq!(kept["kept"], json!(["same", "gone"]), "{kept}");

    house.configure(&["same", "new"], &json!({}));
    daemon.running.signal("-HUP");
    until("the file is read", || {
        let jobs = daemon.ask("job.list", json!({}));
        jobs["jobs"][1]["job"] == "new"
    });
    write(&house.near("new").join("f"), "x");
    until("the new job works", || house.far("new").join("f").exists());
    house.configure(&["same", "new"], &json!({"direction": "down"}));
    let changed = daemon.ask("job.reload", json!({}));
    assert_eq!(changed["changed"], json!(["same", "new"]), "{changed}");
    daemon.wait_for("new", "synced");
    write(&house.near("new").join("kept"), "x");
    until("it has another direction", || {
        daemon.ask("job.sync_now", json!({"job": "new"}));
        daemon.status("new")["divergences"] == 1
    });
    daemon.stop();
}

#[test]
fn a_manual_job_runs_when_told() {
    let house = House::new(&["a"]);
    house.configure(&["a"], &json!({"frequency": "manual"}));
    let daemon = house.start();
    daemon.wait_for("a", "waiting");
    let listed = house
        .lab
        .offline(&["jobs", "list", "-f", &house.file().to_string_lossy()]);
    assert!(listed.out.trim_end().ends_with("; waiting"), "{listed:?}");
    write(&house.near("a").join("f"), "x");
    daemon.ask("job.sync_now", json!({"job": "a"}));
    until("it runs", || house.far("a").join("f").exists());
    daemon.wait_for("a", "waiting");
    daemon.stop();
}

#[test]
fn a_busy_port_is_told_and_nothing_is_started() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    let port = daemon.publish.port().to_string();
    let lab = Lab::new();
    let mut second = lab.bare();
    second
        .arg("-s")
        .arg(&lab.remote)
        .arg("-d")
        .arg(&lab.local)
        .args(["-z", &port]);
    let refused = done(&mut second);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains(&port) && refused.err.contains("-z auto"),
        "{refused:?}"
    );
    assert!(!lab.state.join("ports.json").exists());
    daemon.stop();
    assert!(!house.lab.state.join("ports.json").exists());
}

/// The recipe of the protocol page: every event of a job, each once, until all that
/// was written is synced.
async fn follow(daemon: &Daemon, is_written: impl Fn() -> bool) -> Vec<u64> {
    let prefixes = ["journal.a", "live.head.a"];
    let stream = Subscription::connect(daemon.publish, &prefixes, GUARD).await;
    let mut stream = stream.expect("a stream");
    let socket = Request::connect(daemon.commands, GUARD).await;
    let mut socket = socket.expect("a socket");
    let mut ask = async |method: &str, params: Value| -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let reply = socket.ask(request.to_string().as_bytes(), GUARD).await;
        let reply = reply.expect("a reply");
        serde_json::from_slice::<Value>(&reply).expect("JSON")["result"].take()
    };
    let mut snapshot = ask("subscribe.snapshot", json!({"job": "a"})).await;
    let mut last = snapshot["seq"].as_u64().expect("a number");
    while let Some(from) = snapshot["next"].as_u64() {
        let name = snapshot["snapshot"].take();
        let params = json!({"job": "a", "snapshot": name, "from": from});
        snapshot = ask("subscribe.snapshot", params).await;
    }
    let mut seen: Vec<u64> = (1..=last).collect();
    loop {
        let Received { topic, body, .. } = stream.next().await.expect("a message");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let is_head = topic.starts_with("live.head");
        let told = if is_head { &body["head"] } else { &body["seq"] };
        let told = told.as_u64().expect("a number");
        if !is_head && told == last + 1 {
            seen.push(told);
            last = told;
        }
        while told > last {
            let page = ask("journal.read", json!({"job": "a", "from": last + 1})).await;
            for message in page["messages"].as_array().expect("messages") {
                last = message["body"]["seq"].as_u64().expect("a number");
                seen.push(last);
            }
        }
        if is_head && is_written() {
            let status = ask("job.status", json!({"job": "a"})).await;
            let page = ask("journal.read", json!({"job": "a", "from": last})).await;
            if status["jobs"][0]["state"] == "synced" && page["head"] == last {
                return seen;
            }
        }
    }
}

#[test]
fn a_subscriber_who_follows_the_recipe_misses_nothing() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    daemon.wait_for("a", "synced");
    let writer = {
        let near = house.near("a");
        std::thread::spawn(move || {
            for number in 0..400 {
                write(
                    &near.join(format!("d{}/f{number}", number % 9)),
                    number.to_string(),
                );
            }
        })
    };
    let seen = run(follow(&daemon, || writer.is_finished()));
    writer.join().expect("it wrote");
    assert_eq!(
        seen,
        (1..=u64::try_from(seen.len()).expect("few")).collect::<Vec<_>>()
    );
    daemon.stop();
    let events = house.lab.offline(&["events", "--json"]);
    assert!(
        events.out.lines().count() >= seen.len(),
        "the end of the session follows"
    );
    assert!(seen.len() > 400, "{} events", seen.len());
}

#[test]
fn commands_are_answered_while_many_transfers_run() {
    let house = House::new(&["a"]);
    for number in 0..3_000 {
        write(
            &house.near("a").join(format!("d{}/f{number}", number % 50)),
            "some content",
        );
    }
    let daemon = house.start();
    let mut asked = 0;
    until("all arrived", || {
        asked += 1;
        assert_eq!(daemon.say("STATUS"), "RUNNING");
        let lists = daemon.call("conflict.list", json!({"job": "a"}));
        let code = lists["error"]["code"].as_i64();
        assert!(code.is_none() || code == Some(-32002), "{lists}");
        daemon.status("a")["state"] == "synced" && house.far("a").join("d49/f2999").exists()
    });
    assert!(asked > 1);
    assert_eq!(daemon.status("a")["pending"], 0);
    daemon.stop();
}

#[test]
fn what_strangers_send_is_refused_and_the_daemon_works_on() {
    let house = House::new(&["a"]);
    let daemon = house.start();
    for frame in [
        "",
        "\u{0}",
        "{",
        "[[[[",
        "{\"jsonrpc\": \"2.0\"}",
        "HELLO",
        "PAUSE 99",
    ] {
        let reply = daemon.say(frame);
        assert!(
            reply == "undefined reply" || reply.contains("error") || reply.starts_with("ERROR"),
            "{frame:?}: {reply}"
        );
    }
    daemon.wait_for("a", "synced");
    daemon.stop();
}

/// Longer than any reply may take; only a hang lasts as long.
const GUARD: Duration = Duration::from_secs(60);
