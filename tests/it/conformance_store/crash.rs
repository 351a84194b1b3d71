//! Killed processes, a full disk, a second process: the test binary runs itself.

use super::{holds, open, records, wait};
use journal_format::event::FailureClass;
use journal_format::value::Seq;
use pydio_sync::adapters::store::{Health, OpenError};
use pydio_sync::ports::{History, Store};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CHILD: &str = "conformance_store::crash::a_child_does_what_its_parent_asks";

/// What this process is asked to do when it is a child, and where.
fn asked() -> Option<(String, PathBuf)> {
    let task = std::env::var("PYDIO_SYNC_TEST_TASK").ok()?;
    let dir = std::env::var_os("PYDIO_SYNC_TEST_DIR")?;
    Some((task, dir.into()))
}

pub(super) fn child(task: &str, dir: &Path, shell: Option<&str>) -> Child {
    let binary = std::env::current_exe().expect("this binary");
    let mut command = match shell {
        None => Command::new(&binary),
        Some(before) => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]);
            command.arg(&binary);
            command
        }
    };
    command
        .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
        .env("PYDIO_SYNC_TEST_TASK", task)
        .env("PYDIO_SYNC_TEST_DIR", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child")
}

pub(super) fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("the parent listens");
}

#[test]
fn a_child_does_what_its_parent_asks() {
    match asked() {
        None => {
            // Without a parent: what the child relies on, once.
            let folder = tempfile::tempdir().expect("temporary folder");
            append_rounds(folder.path(), 3);
            holds(&open(folder.path()).expect("open").0, 1 + 2 + 3);
        }
        Some((task, dir)) => match task.as_str() {
            "append" => append_rounds(&dir, u64::MAX),
            "hold" => hold(&dir),
            "fill" => fill(&dir),
            "archive" => super::archive::archive_on(&dir),
            other => panic!("unknown task {other}"),
        },
    }
}

/// Appends batches of growing and shrinking sizes and names each head that was
/// acknowledged.
fn append_rounds(dir: &Path, rounds: u64) {
    let (journal, _) = open(dir).expect("open");
    for round in 0..rounds {
        let count = 1 + round % 40;
        let head = journal.head().0;
        wait(journal.append(records(head + 1, count))).expect("append");
        say(&format!("acked {}", head + count));
    }
}

fn hold(dir: &Path) {
    let _held = open(dir).expect("open");
    say("ready");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("stdin");
}

fn acked(line: &str) -> Option<u64> {
    line.split("acked ").nth(1)?.trim().parse().ok()
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut head = 0;
    for round in 0..20 {
        let mut running = child("append", folder.path(), None);
        let output = running.stdout.take().expect("stdout");
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let lines = 1 + (random >> 33) % 120;
        let mut heard = BufReader::new(output).lines().map_while(Result::ok);
        let mut last = heard.by_ref().filter_map(|line| acked(&line));
        let mut newest = last
            .by_ref()
            .take(usize::try_from(lines).expect("small"))
            .last()
            .expect("it appends");
        running.kill().expect("kill");
        running.wait().expect("wait");
        newest = last.last().unwrap_or(newest);
        let (journal, health) = open(folder.path()).expect("open");
        assert!(matches!(health, Health::UncleanStop { .. }), "{health:?}");
        let found = journal.head().0;
        assert!(
            found >= newest && newest > head,
            "round {round}: {found} {newest}"
        );
        head = found;
        holds(&journal, head);
        wait(journal.verify()).expect("verify");
    }
}

#[test]
fn a_second_process_is_told_who_has_the_journal() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut running = child("hold", folder.path(), None);
    let output = running.stdout.take().expect("stdout");
    let mut heard = BufReader::new(output).lines().map_while(Result::ok);
    heard
        .find(|line| line.contains("ready"))
        .expect("the child opened it");
    let error = open(folder.path()).expect_err("in use");
    let OpenError::Locked { holder } = &error else {
        panic!("{error}");
    };
    assert!(
        holder.contains(&format!("process {}", running.id())),
        "{holder}"
    );
    drop(running.stdin.take());
    assert!(running.wait().expect("wait").success());
    drop(heard);
    let (journal, health) = open(folder.path()).expect("released");
    assert_eq!(health, Health::Clean);
    open(folder.path()).expect_err("in use by this process");
    drop(journal);
    open(folder.path()).expect("released by the drop");
}

#[test]
fn a_full_disk_stops_the_store_and_reopening_goes_on() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    wait(journal.append(records(1, 100))).expect("append");
    journal.close().expect("close");
    // Every open cuts the journal file to what is in it, so that a limit on file
    // sizes stops the next appends as a full disk does.
    drop(open(folder.path()).expect("open"));
    let limit = "trap '' XFSZ; ulimit -S -f 4096";
    let running = child("fill", folder.path(), Some(limit));
    let output = running.wait_with_output().expect("wait");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let head = text
        .lines()
        .filter_map(acked)
        .next_back()
        .expect("acknowledged");
    let (journal, health) = open(folder.path()).expect("open");
    assert_eq!(health, Health::Clean);
    holds(&journal, head);
}

/// Appends until the disk is full, frees space, reopens and goes on.
fn fill(dir: &Path) {
    let (journal, _) = open(dir).expect("open");
    let mut head = journal.head().0;
    let error = loop {
        match wait(journal.append(records(head + 1, 200))) {
            Ok(()) => head += 200,
            Err(error) => break error,
        }
        assert!(head < 100_000, "no limit on the size of files here");
    };
    assert_eq!(error.class, FailureClass::Fatal);
    assert_eq!(journal.head(), Seq(head));
    wait(journal.append(records(head + 1, 1))).expect_err("it stays stopped");
    holds(&journal, head);
    journal.close().expect_err("not clean");

    let free = rustix::process::Rlimit {
        current: None,
        maximum: None,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, free).expect("space");
    let (journal, health) = open(dir).expect("reopen");
    assert!(matches!(health, Health::UncleanStop { .. }), "{health:?}");
    // The batch that failed may be there: it was written and not acknowledged.
    let found = journal.head().0;
    assert!(found == head || found == head + 200, "{found} {head}");
    holds(&journal, found);
    wait(journal.append(records(found + 1, 10))).expect("append");
    say(&format!("acked {}", found + 10));
    journal.close().expect("close");
}
