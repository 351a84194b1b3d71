//! Any journal gives the same records, whoever has it.

use crate::conformance_store::{open, records, wait};
use crate::program::{Lab, done, write};
use journal_format::event::Record;
use journal_format::value::Seq;
use pydio_sync::adapters::store::Reading;
use pydio_sync::ports::Store;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn read(reading: &Reading, from: u64) -> Vec<Record> {
    let entries = reading.entries(Seq(from));
    entries.map(|read| read.expect("a record").record).collect()
}

/// Every file with its length and time, apart from the lock, which tells who looked.
fn seen(dir: &Path) -> BTreeMap<PathBuf, (u64, i64)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        let meta = path.metadata().expect("seen");
        if path.ends_with("lock") || path.ends_with("copies") {
            continue;
        }
        if meta.is_dir() {
            found.extend(seen(&path));
        } else {
            found.insert(path, (meta.len(), meta.mtime_nsec()));
        }
    }
    found
}

#[test]
fn a_reader_of_a_closed_journal_stops_nobody() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    let id = journal.id();
    for from in (1..6000).step_by(500) {
        wait(journal.append(records(from, 500))).expect("append");
    }
    journal.close().expect("close");
    let witness = std::fs::read(folder.path().join("witness")).expect("witness");
    let reading = Reading::open(folder.path()).expect("open");
    assert_eq!((reading.id(), reading.head()), (id, Seq(6000)));
    assert!(reading.is_at_rest());
    assert_eq!(read(&reading, 1), records(1, 6000));
    assert_eq!(read(&reading, 5990), records(5990, 11));
    assert_eq!(read(&reading, 6001), []);
    // A reader keeps nobody from the job.
    let (journal, _) = open(folder.path()).expect("it is read, and can be opened");
    journal.close().expect("close");
    assert_eq!(read(&reading, 1), records(1, 6000));
    drop(reading);
    let after = std::fs::read(folder.path().join("witness")).expect("witness");
    assert!(witness == after);
    open(folder.path()).expect("it can be opened again");
}

#[test]
fn a_running_journal_is_read_beside_its_writer() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    let mut next = 1;
    // Across flushes of the store, whose memory holds 16 MiB.
    while next < 90_000 {
        let calls: Vec<_> = (0..10)
            .map(|n| journal.append(records(next + n * 1000, 1000)))
            .collect();
        let reading = Reading::open(folder.path()).expect("open");
        assert!(!reading.is_at_rest());
        let head = reading.head().0;
        assert!(head + 1 >= next, "{head} of {next} acknowledged");
        assert_eq!(
            read(&reading, head.max(51) - 50),
            records(head.max(51) - 50, head.min(51))
        );
        drop(reading);
        for call in calls {
            wait(call).expect("append");
        }
        next += 10_000;
    }
    let reading = Reading::open(folder.path()).expect("open");
    assert_eq!(read(&reading, 1).len(), 90_000);
    drop(reading);
    let left = std::fs::read_dir(folder.path().join("copies")).expect("copies");
    assert_eq!(left.count(), 0, "copies are removed");
}

#[test]
fn a_journal_that_was_not_closed_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    wait(journal.append(records(1, 300))).expect("append");
    let dead = tempfile::tempdir().expect("temporary folder");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(folder.path().join("."))
        .arg(dead.path())
        .status();
    assert!(copied.expect("cp").success());
    let before = seen(dead.path());
    let reading = Reading::open(dead.path()).expect("open");
    assert_eq!(read(&reading, 1), records(1, 300));
    drop(reading);
    assert_eq!(seen(dead.path()), before);
}

#[test]
fn a_journal_is_read_where_its_folder_takes_no_copy() {
    let lab = Lab::new();
    write(&lab.local.join("a"), "one");
    lab.synced();
    let mut jobs = std::fs::read_dir(lab.state.join("jobs")).expect("jobs");
    let job = jobs.next().expect("one").expect("entry").path();
    // As on a disk that is full or may only be read.
    std::fs::remove_dir_all(job.join("copies")).ok();
    write(&job.join("copies"), "no folder");
    let elsewhere = lab.dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    for words in [
        "status",
        "events",
        "conflicts",
        "explain a",
        "journal verify",
    ] {
        let mut command = lab.bare();
        command.args(words.split(' ')).env("TMPDIR", &elsewhere);
        let told = done(&mut command);
        assert_eq!(told.code, 0, "{words}: {told:?}");
    }
    let planned = done(lab.command().arg("--dry-run").env("TMPDIR", &elsewhere));
    assert_eq!(planned.code, 0, "{planned:?}");
    let left = std::fs::read_dir(&elsewhere).expect("list").count();
    assert_eq!(left, 0, "copies are removed");
    let nowhere = elsewhere.join("nowhere");
    let refused = done(lab.bare().arg("events").env("TMPDIR", nowhere));
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("/copies"), "{refused:?}");
}

#[test]
fn cat_picks_events_and_stops_nobody() {
    let lab = Lab::new();
    write(&lab.local.join("letters/draft.txt"), "one");
    write(&lab.local.join("other.txt"), "two");
    lab.synced();
    let whole = lab.offline(&["journal", "cat"]);
    let events = lab.offline(&["events"]);
    assert_eq!((whole.code, &whole.out), (0, &events.out));
    let some = lab.offline(&["journal", "cat", "--path", "letters/draft.txt", "--json"]);
    assert!(some.out.contains("letters/draft.txt"), "{}", some.out);
    assert!(!some.out.contains("other.txt"), "{}", some.out);
    let typed = lab.offline(&["journal", "cat", "--type", "root_configured", "--to", "5"]);
    assert_eq!(typed.out.lines().count(), 1, "{}", typed.out);
    let unknown = lab.offline(&["journal", "cat", "--type", "nothing"]);
    assert_eq!(unknown.code, 2);
    let nobody = lab.offline(&["journal", "cat", "nobody.pydiojournal"]);
    assert_eq!(nobody.code, 2, "{}", nobody.err);
}
