//! Older records move to archives: what is read stays the same, whatever is cut short.

use super::crash::{child, say};
use super::{holds, records, wait};
use journal_format::value::Seq;
use pydio_sync::adapters::store::{Journal, OpenError, Options, Reading, Retention};
use pydio_sync::ports::{Checkpoint, History, Store};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

fn opened(dir: &Path, bytes_max: u64) -> Result<Journal, OpenError> {
    let retention = Retention {
        events_min: 200,
        bytes_max,
    };
    let options = Options {
        retention,
        ..Options::default()
    };
    Journal::open(dir, options).map(|opened| opened.journal)
}

/// Appends 300 records and saves a checkpoint at the head, `rounds` times.
fn grow(journal: &Journal, rounds: u64) {
    for _ in 0..rounds {
        let from = journal.head().0 + 1;
        wait(journal.append(records(from, 300))).expect("append");
        let checkpoint = Checkpoint {
            seq: journal.head(),
            bytes: vec![7; 100],
        };
        wait(journal.save_checkpoint(checkpoint)).expect("save");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(listed) = std::fs::read_dir(dir.join("archive")) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("entry").file_name();
    let mut names: Vec<String> = listed
        .map(|entry| name(entry).into_string().expect("text"))
        .collect();
    names.sort();
    names
}

/// Checks by every way of reading that nothing is missing between first and head.
fn is_one_journal(dir: &Path, bytes_max: u64) -> (u64, u64) {
    let reading = Reading::open(dir).expect("open to be read");
    let (first, head) = (reading.first().0, reading.head().0);
    let expected = records(first, head + 1 - first);
    let read: Vec<_> = reading
        .entries(Seq(1))
        .map(|read| read.expect("a record").record)
        .collect();
    assert!(read == expected, "{first} to {head}");
    assert_eq!(
        reading.base().map(|base| base.seq.0),
        (first > 1).then(|| first - 1)
    );
    drop(reading);
    let journal = opened(dir, bytes_max).expect("open");
    assert_eq!((journal.first().0, journal.head().0), (first, head));
    let read = wait(journal.read(Seq(first), usize::MAX)).expect("read");
    assert!(read == expected, "{first} to {head}");
    assert_eq!(wait(journal.verify()).expect("whole").head, Seq(head));
    (first, head)
}

#[test]
fn what_is_archived_reads_as_before() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let journal = opened(dir.path(), u64::MAX).expect("open");
    grow(&journal, 3);
    journal.close().expect("close");
    assert_eq!(
        names(dir.path()),
        [
            "00000000000000000001-00000000000000000300.pydiojournal",
            "00000000000000000300.checkpoint",
            "00000000000000000301-00000000000000000600.pydiojournal",
            "00000000000000000600.checkpoint",
        ]
    );
    let reading = Reading::open(dir.path()).expect("open");
    assert_eq!((reading.kept(), reading.head()), (Seq(601), Seq(900)));
    drop(reading);
    assert_eq!(is_one_journal(dir.path(), u64::MAX), (1, 900));
    let journal = opened(dir.path(), u64::MAX).expect("open");
    holds(&journal, 900);
    for from in [1, 299, 300, 301, 450, 599, 600, 601, 899] {
        let page = wait(journal.read(Seq(from), 5)).expect("read");
        assert!(page == records(from, (901 - from).min(5)), "{from}");
    }
    let all = wait(journal.reader().sift(Box::new(|_| true)));
    assert!(all.expect("sift") == records(1, 900));
}

#[test]
fn beyond_the_bound_the_oldest_events_are_dropped() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let bound = 250_000;
    let journal = opened(dir.path(), bound).expect("open");
    grow(&journal, 12);
    journal.close().expect("close");
    let (first, head) = is_one_journal(dir.path(), bound);
    assert!(first > 1 && head == 3600, "{first} to {head}");
    let archive = dir.path().join("archive");
    let size = |name: &String| archive.join(name).metadata().expect("file").len();
    assert!(names(dir.path()).iter().map(size).sum::<u64>() <= bound);
    let journal = opened(dir.path(), bound).expect("open");
    let refused = wait(journal.read(Seq(1), 1)).expect_err("it is gone");
    assert!(refused.message.contains("not kept any more"), "{refused:?}");
    assert_eq!(journal.reader().first(), Seq(first));
    journal.close().expect("close");
    // Without the newest checkpoint a kept state and what follows it are enough.
    std::fs::remove_file(dir.path().join("checkpoint")).expect("removed");
    let journal = opened(dir.path(), bound).expect("open");
    let found = wait(journal.checkpoint()).expect("read").expect("a state");
    assert!((Seq(first - 1)..=Seq(head)).contains(&found.seq));
}

#[test]
fn whatever_step_was_the_last_one_it_is_one_journal() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let journal = opened(dir.path(), u64::MAX).expect("open");
    grow(&journal, 2);
    journal.close().expect("close");
    let early = tempfile::tempdir().expect("temporary folder");
    copy(dir.path(), early.path());
    let journal = opened(dir.path(), u64::MAX).expect("open");
    grow(&journal, 2);
    journal.close().expect("close");
    let archive = |name: &str| dir.path().join("archive").join(name);
    let later = "00000000000000000301-00000000000000000600.pydiojournal";
    let state = "00000000000000000600.checkpoint";
    let half = |from: &Path, to: &Path| {
        let bytes = std::fs::read(from).expect("read");
        std::fs::write(to, &bytes[..bytes.len() / 2]).expect("write");
    };
    type Step<'a> = &'a dyn Fn(&Path);
    let steps: [(&str, Step<'_>); 3] = [
        ("the state is kept", &|to| {
            std::fs::copy(archive(state), to.join(state))
                .map(drop)
                .expect("copied");
        }),
        ("the archive is half written", &|to| {
            half(&archive(later), &to.join(later).with_extension("new"));
        }),
        (
            "the archive is there, and the store holds the same",
            &|to| {
                std::fs::copy(archive(state), to.join(state))
                    .map(drop)
                    .expect("copied");
                std::fs::copy(archive(later), to.join(later))
                    .map(drop)
                    .expect("copied");
            },
        ),
    ];
    for (step, make) in steps {
        let cut = tempfile::tempdir().expect("temporary folder");
        copy(early.path(), cut.path());
        make(&cut.path().join("archive"));
        assert_eq!(is_one_journal(cut.path(), u64::MAX), (1, 600), "{step}");
        let journal = opened(cut.path(), u64::MAX).expect("open");
        grow(&journal, 2);
        journal.close().expect("close");
        assert_eq!(is_one_journal(cut.path(), u64::MAX), (1, 1200), "{step}");
        assert!(
            names(cut.path()).iter().all(|name| !name.ends_with(".new")),
            "{step}"
        );
    }
}

#[test]
fn an_archive_that_is_gone_is_told() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let journal = opened(dir.path(), u64::MAX).expect("open");
    grow(&journal, 4);
    journal.close().expect("close");
    std::fs::remove_dir_all(dir.path().join("archive")).expect("removed");
    let refused = opened(dir.path(), u64::MAX).expect_err("history is gone");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[test]
fn killed_at_any_moment_of_archiving_it_is_one_journal() {
    let rounds = std::env::var("ARCHIVE_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(6);
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut child = child("archive", dir.path(), None);
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let told = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("saved ")?.parse::<u64>().ok());
        // Another number of checkpoints each time, so that it dies at another step.
        for head in told.take(2 + round * 5 % 7) {
            acknowledged = head;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("the end");
        let (first, head) = is_one_journal(dir.path(), BOUND);
        assert!(
            head >= acknowledged,
            "round {round}: {head}, told {acknowledged}"
        );
        assert!(first <= head);
    }
    let found = names(dir.path());
    assert!(
        found.iter().any(|name| name.ends_with(".pydiojournal")),
        "{found:?}"
    );
}

/// What the child does until it is killed.
pub(super) fn archive_on(dir: &Path) {
    let journal = opened(dir, BOUND).expect("open");
    loop {
        grow(&journal, 1);
        say(&format!("saved {}", journal.head()));
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.expect("cp").success());
}

const BOUND: u64 = 400_000;
