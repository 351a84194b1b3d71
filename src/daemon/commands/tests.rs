//! Frames from strangers and their replies, as tables.

use super::fault::{METHOD, NO_JOB, PARAMS, PARSE, REQUEST};
use super::request::parse;
use super::*;
use crate::daemon::supervisor::kit::{Memory, PretendHost, Started, StillClock, spec};
use crate::daemon::supervisor::{Frequency, Supervisor};
use crate::ports::{JournalReader, PortResult};
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::future::join;
use futures::{FutureExt, stream};
use journal_format::event::{Event, ObservationEvent, Record, SessionEvent};
use journal_format::value::{RelPath, Seq, Side, Timestamp};
use std::sync::Arc;

struct Release;

impl Program for Release {
    fn version(&self) -> &str {
        "1.2.3"
    }

    fn pid(&self) -> u32 {
        4242
    }

    fn set_log_level(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

fn supervisor<'a>(host: &'a PretendHost, clock: &'a StillClock) -> Supervisor<'a> {
    let specs = ["a", "b"].map(|id| spec(id, Frequency::Auto, ""));
    let supervisor = Supervisor::new(host, clock, specs.into());
    let ended = supervisor
        .run(stream::pending().boxed_local())
        .now_or_never();
    assert_eq!(ended, None, "it runs on");
    supervisor
}

/// Answers a job's next order as its loop would.
async fn obey(run: &mut Started, seq: Option<u64>) {
    match run.orders.next().await.expect("an order") {
        Control::Ask(_, reply) => reply.send(seq.map(Seq)).expect("somebody waits"),
        Control::List(reply) => {
            let remark = |path: &str, case| Remark {
                path: RelPath::new(path).expect("a path"),
                case,
                detail: "why".to_owned(),
            };
            let lists = Lists {
                seq: Seq(9),
                problems: vec![remark("p", journal_format::event::Case::P1)],
                held: ["x", "y", "z"]
                    .map(|path| remark(path, journal_format::event::Case::C1))
                    .into(),
            };
            reply.send(lists).expect("somebody waits");
        }
        Control::Copy(reply) => reply.send(Box::default()).expect("somebody waits"),
        Control::SyncNow => {}
        other => panic!("unexpected {other:?}"),
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or(Value::Null)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn whatever_is_no_request_is_refused_with_the_code_of_the_page() {
    let table: [(&str, i64); 24] = [
        ("{", PARSE),
        ("[1,", PARSE),
        ("[]", REQUEST),
        ("[1]", REQUEST),
        ("{}", REQUEST),
        (
            r#"{"jsonrpc": "1.0", "id": 1, "method": "version"}"#,
            REQUEST,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": [1], "method": "version"}"#,
            REQUEST,
        ),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": 7}"#, REQUEST),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "nothing"}"#,
            METHOD,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "version", "params": []}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "version", "params": {"a": 1}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "job.pause", "params": {"job": 1}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "job.pause", "params": {"by": "a\nb"}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "conflict.list"}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "conflict.list", "params": {"job": "a", "limit": 0}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "conflict.resolve", "params": {"job": "a", "path": "../x", "keep": "both"}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "conflict.resolve", "params": {"job": "a", "path": "x", "keep": "mine"}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {"job": "a"}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {"job": "a", "from": -1}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {"job": "a", "from": 1, "limit": 1001}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {"job": "a", "from": 1, "topics": ["live"]}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "subscribe.snapshot", "params": {"job": "a", "from": 3}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "log.level", "params": {"level": "loud"}}"#,
            PARAMS,
        ),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "job.status", "params": {"job": "c"}}"#,
            NO_JOB,
        ),
    ];
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    for (request, code) in table {
        let reply = json(&block_on(desk.reply(request.as_bytes())));
        let reply = reply.get(0).unwrap_or(&reply);
        assert_eq!(reply["error"]["code"], code, "{request}: {reply}");
    }
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(
        json(&block_on(desk.reply(deep.as_bytes())))["error"]["code"],
        PARSE
    );
    let many = format!("[{}1]", "1,".repeat(200));
    assert_eq!(
        json(&block_on(desk.reply(many.as_bytes())))["error"]["code"],
        REQUEST
    );
    let code = examples_code();
    assert_eq!(code, NO_JOB);
}

/// The error that the page shows.
fn examples_code() -> i64 {
    let page = include_str!("../PROTOCOL.md");
    let block = page.split("```json error\n").nth(1).expect("the block");
    let shown = json(block.split("```").next().expect("an end").as_bytes());
    shown["error"]["code"].as_i64().expect("a code")
}

#[test]
fn the_old_words_are_answered_as_the_old_client_did() {
    let table: [(&[u8], &str); 11] = [
        (b"STATUS", "RUNNING"),
        (b"  STATUS 1\n", "RUNNING"),
        (b"LIST-JOBS", r#"["/far/a - /near/a","/far/b - /near/b"]"#),
        (b"PAUSE", "PAUSED"),
        (b"START 0", "RUNNING"),
        (b"PAUSE 2", "ERROR no job 2"),
        (b"PAUSE -1", "undefined reply"),
        (b"pause", "undefined reply"),
        (b"", "undefined reply"),
        (b"\xff\xfe", "undefined reply"),
        (b"STATUS 0 0", "undefined reply"),
    ];
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    let mut runs = ["a", "b"].map(|id| host.take(id).expect("it runs"));
    let mut asked = [0, 0];
    for (word, expected) in table {
        // A word waits for its answers, of which one that is dropped is one.
        let answering = async {
            for (run, asked) in runs.iter_mut().zip(&mut asked) {
                while let Ok(order) = run.orders.try_recv() {
                    *asked += usize::from(matches!(order, Control::Ask(..)));
                }
            }
        };
        let (reply, ()) = block_on(join(desk.reply(word), answering));
        assert_eq!(String::from_utf8_lossy(&reply), expected);
    }
    assert_eq!(asked, [2, 1], "PAUSE and START 0");
    *host.file.borrow_mut() = Some(Err("line 1: no".to_owned()));
    assert_eq!(block_on(desk.reply(b"RELOAD")), b"ERROR line 1: no");
    *host.file.borrow_mut() = Some(Ok(["a", "b"]
        .map(|id| spec(id, Frequency::Auto, ""))
        .into()));
    assert_eq!(block_on(desk.reply(b"RELOAD")), b"RELOADED");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn an_order_is_answered_with_the_number_of_its_event() {
    let table = [
        (
            "job.pause",
            r#""job": "a""#,
            Some(7),
            json!({"jobs": [{"job": "a", "seq": 7, "state": "paused"}]}),
        ),
        (
            "job.start",
            r#""job": "a""#,
            None,
            json!({"jobs": [{"job": "a", "seq": null, "state": "starting"}]}),
        ),
        (
            "job.stop",
            r#""job": "The a""#,
            Some(8),
            json!({"jobs": [{"job": "a", "seq": 8, "state": "stopped"}]}),
        ),
        (
            "job.sync_now",
            r#""job": "a""#,
            None,
            json!({"jobs": [{"job": "a", "seq": null, "state": "starting"}]}),
        ),
        (
            "halt.approve",
            r#""job": "a", "halt": 3"#,
            Some(9),
            json!({"job": "a", "seq": 9}),
        ),
        (
            "conflict.resolve",
            r#""job": "a", "path": "x", "keep": "both""#,
            Some(10),
            json!({"job": "a", "seq": 10}),
        ),
        (
            "conflict.list",
            r#""job": "a", "from": 1, "limit": 1"#,
            None,
            json!({
            "job": "a", "seq": 9, "total": 3, "next": 2,
            "conflicts": [{"path": "y", "type": "conflict", "case": "C1"}]}),
        ),
        (
            "problem.list",
            r#""job": "a""#,
            None,
            json!({
            "job": "a", "seq": 9, "total": 1, "next": null,
            "problems": [{"path": "p", "case": "P1", "detail": "why"}]}),
        ),
    ];
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    let mut run = host.take("a").expect("it runs");
    for (method, params, seq, expected) in table {
        let request = format!(
            r#"{{"jsonrpc": "2.0", "id": "i", "method": "{method}", "params": {{{params}}}}}"#
        );
        let (reply, ()) = block_on(join(desk.reply(request.as_bytes()), obey(&mut run, seq)));
        let reply = json(&reply);
        assert_eq!(reply["result"], expected, "{method}: {reply}");
        assert_eq!(reply["id"], "i");
    }
    for method in ["halt.approve", "conflict.resolve"] {
        let request = format!(
            r#"{{"jsonrpc": "2.0", "id": 1, "method": "{method}", "params": {{"job": "a"{}}}}}"#,
            if method == "halt.approve" {
                ""
            } else {
                r#", "path": "x", "keep": "both""#
            }
        );
        let (reply, ()) = block_on(join(desk.reply(request.as_bytes()), obey(&mut run, None)));
        assert_eq!(json(&reply)["error"]["code"], NOTHING_THERE, "{method}");
    }
}

#[test]
fn notifications_get_no_reply_and_batches_get_one_for_each_call() {
    let version = r#"{"jsonrpc": "2.0", "id": 1, "method": "version"}"#;
    let silent = r#"{"jsonrpc": "2.0", "method": "version"}"#;
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    assert_eq!(block_on(desk.reply(silent.as_bytes())), b"");
    assert_eq!(
        block_on(desk.reply(format!("[{silent},{silent}]").as_bytes())),
        b""
    );
    let batch = format!("[{version},{silent},7,{version}]");
    let replies = json(&block_on(desk.reply(batch.as_bytes())));
    let kinds: Vec<bool> = replies
        .as_array()
        .expect("an array")
        .iter()
        .map(|reply| reply["result"]["version"] == "1.2.3")
        .collect();
    assert_eq!(kinds, [true, false, true]);
}

/// A journal whose older events are not kept any more.
struct Shortened(Memory, Seq);

impl JournalReader for Shortened {
    fn id(&self) -> String {
        self.0.id()
    }

    fn head(&self) -> Seq {
        self.0.head()
    }

    fn first(&self) -> Seq {
        self.1
    }

    fn read(&self, from: Seq, limit: usize) -> BoxFuture<'static, PortResult<Vec<Record>>> {
        assert!(from >= self.1, "nothing is asked for that is not there");
        self.0.read(from, limit)
    }
}

#[test]
fn events_before_the_first_kept_one_are_refused_with_its_number() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    let memory = Memory::default();
    for seq in 40..=45 {
        memory.push(Record {
            seq: Seq(seq),
            time: Timestamp(0),
            event: Event::Session(SessionEvent::SessionStopped),
        });
    }
    let journal = Arc::new(Shortened(memory, Seq(40)));
    host.take("a").expect("it runs").line.opened(journal);
    for (from, is_there) in [(0, false), (1, false), (39, false), (40, true), (45, true)] {
        let request = format!(
            r#"{{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {{"job": "a", "from": {from}}}}}"#
        );
        let reply = json(&block_on(desk.reply(request.as_bytes())));
        if is_there {
            let messages = reply["result"]["messages"].as_array().expect("messages");
            assert_eq!(messages[0]["body"]["seq"], from, "{reply}");
        } else {
            assert_eq!(reply["error"]["code"], fault::GONE, "{reply}");
            assert_eq!(reply["error"]["data"]["first"], 40, "{reply}");
        }
    }
}

#[test]
fn pages_of_a_journal_lead_to_its_end_and_need_it_open() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    let read = |from: u64| {
        let request = format!(
            r#"{{"jsonrpc": "2.0", "id": 1, "method": "journal.read", "params": {{"job": "a", "from": {from}, "limit": 2}}}}"#
        );
        json(&block_on(desk.reply(request.as_bytes())))
    };
    assert_eq!(read(0)["error"]["code"], fault::NOT_RUNNING);
    let memory = Arc::new(Memory::default());
    for seq in 1..=5 {
        let gone = ObservationEvent::Gone {
            side: Side::Local,
            path: RelPath::new(if seq % 2 == 0 { "even" } else { "odd" }).expect("a path"),
            epoch: seq,
        };
        memory.push(Record {
            seq: Seq(seq),
            time: Timestamp(0),
            event: Event::Observation(gone),
        });
    }
    host.take("a").expect("it runs").line.opened(memory);
    let mut seqs = Vec::new();
    let mut from = 0;
    while from <= 5 {
        let page = read(from);
        let messages = page["result"]["messages"].as_array().expect("messages");
        seqs.extend(
            messages
                .iter()
                .map(|message| message["body"]["seq"].as_u64()),
        );
        assert_eq!(page["result"]["head"], 5);
        from = page["result"]["next"].as_u64().expect("a number");
    }
    assert_eq!(seqs, (1..=5).map(Some).collect::<Vec<_>>());
    let request = r#"{"jsonrpc": "2.0", "id": 1, "method": "explain", "params": {"job": "a", "path": "even"}}"#;
    let story = json(&block_on(desk.reply(request.as_bytes())));
    let result = &story["result"];
    let events = result["events"].as_array().expect("events");
    let found: Vec<_> = events.iter().map(|event| event["seq"].as_u64()).collect();
    assert_eq!(found, [Some(2), Some(4)], "{story}");
    assert_eq!(result["state"], "gone");
    assert_eq!(result["head"], 5);
}

#[test]
fn a_snapshot_is_shared_for_a_minute_after_its_last_use() {
    let (host, clock) = (PretendHost::default(), StillClock::default());
    let supervisor = supervisor(&host, &clock);
    let desk = Desk::new(&supervisor, &Release);
    let mut run = host.take("a").expect("it runs");
    run.line.opened(Arc::new(Memory::default()));
    let first =
        br#"{"jsonrpc": "2.0", "id": 1, "method": "subscribe.snapshot", "params": {"job": "a"}}"#;
    let (reply, ()) = block_on(join(desk.reply(first), obey(&mut run, None)));
    let name = json(&reply)["result"]["snapshot"].clone();
    assert_eq!(name, "a-0-1");
    clock.pass(59_000);
    assert_eq!(
        json(&block_on(desk.reply(first)))["result"]["snapshot"],
        name,
        "shared"
    );
    let next = br#"{"jsonrpc": "2.0", "id": 1, "method": "subscribe.snapshot", "params": {"job": "a", "snapshot": "a-0-1", "from": 1}}"#;
    clock.pass(59_000);
    assert_eq!(
        json(&block_on(desk.reply(next)))["result"]["nodes"],
        json!([])
    );
    clock.pass(60_000);
    let late = json(&block_on(desk.reply(next)));
    assert_eq!(late["error"]["code"], fault::NO_SNAPSHOT, "{late}");
}

proptest::proptest! {
    #[test]
    fn no_frame_makes_the_parser_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        parse(&body);
        let mut text = b"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"journal.read\", \"params\": ".to_vec();
        text.extend_from_slice(&body);
        text.push(b'}');
        parse(&text);
    }
}
