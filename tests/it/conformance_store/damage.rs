//! Spoiled directories: each one is opened with everything, or the loss is told.

use super::{holds, open, record, records, wait};
use journal_format::value::Seq;
use pydio_sync::adapters::store::{Health, Journal, OpenError, Options, Reading, salvage};
use pydio_sync::ports::{History, Store};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HEAD: u64 = 500;
/// Enough for tables after a close.
const LARGE: u64 = 6000;

/// Copies a tree without the lock, as a dead process leaves it.
fn copy(from: &Path) -> TempDir {
    fn each(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("make");
        for entry in fs::read_dir(from).expect("list") {
            let entry = entry.expect("entry");
            let target = to.join(entry.file_name());
            if target.extension().is_some_and(|found| found == "new") {
                // On its way to replace another file.
                continue;
            }
            if entry.file_type().expect("type").is_dir() {
                each(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).expect("copy");
            }
        }
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    each(from, folder.path());
    folder
}

/// Makes a journal with `head` records that was closed, or that was not.
fn prepared(head: u64, closed: bool) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    // A new journal file is 64 MB of nothing; the second open cuts that off.
    open(folder.path()).expect("open").0.close().expect("close");
    let (journal, _) = open(folder.path()).expect("open");
    let mut next = 1;
    while next <= head {
        let count = 100.min(head + 1 - next);
        wait(journal.append(records(next, count))).expect("append");
        next += count;
    }
    if closed {
        journal.close().expect("close");
        return folder;
    }
    copy(folder.path())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn with_extension(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all = files(dir);
    all.retain(|path| path.extension().is_some_and(|found| found == extension));
    all
}

/// Opens and judges: everything is there, or the loss is told. Says which.
fn judge(dir: &Path, head: u64) -> &'static str {
    let (journal, health) = match open(dir) {
        Ok(opened) => opened,
        Err(OpenError::HistoryLost { expected, .. }) => {
            assert_eq!(expected, Seq(head));
            return "history lost";
        }
        Err(OpenError::Damaged { detail, .. }) => {
            assert!(!detail.is_empty());
            return "damaged";
        }
        Err(OpenError::Foreign { .. }) => return "foreign",
        Err(other) => panic!("{other}"),
    };
    let found = journal.head().0;
    let told = match health {
        Health::Shortened {
            expected,
            found: told,
        } => {
            assert_eq!(told, Seq(found));
            assert!(
                told < expected && expected >= Seq(head),
                "{told} {expected}"
            );
            "shortened"
        }
        Health::Created => panic!("a new journal in the place of one with {head} records"),
        Health::Clean | Health::UncleanStop { .. } => {
            assert_eq!(found, head, "a silent loss");
            "whole"
        }
    };
    match wait(journal.read(Seq(1), usize::MAX)) {
        Ok(read) => {
            assert_eq!(read, records(1, found));
            wait(journal.verify()).expect("what can be read is what was written");
            told
        }
        // Damage inside a table is found by the read.
        Err(error) => {
            assert!(!error.message.is_empty());
            "damaged"
        }
    }
}

#[test]
fn an_unclean_stop_loses_nothing_and_leaves_a_copy() {
    let dir = prepared(HEAD, false);
    for round in 0..5 {
        let (journal, health) = open(dir.path()).expect("open");
        let Health::UncleanStop { copied_aside } = health else {
            panic!("{health:?}");
        };
        assert!(!with_extension(&copied_aside, "jnl").is_empty());
        let head = HEAD + round;
        holds(&journal, head);
        wait(journal.append(records(head + 1, 1))).expect("append");
        let stopped = copy(dir.path());
        drop(journal);
        fs::remove_dir_all(dir.path()).expect("remove");
        fs::rename(stopped.path(), dir.path()).expect("rename");
    }
    let copies = fs::read_dir(dir.path().join("aside")).expect("list");
    let unclean = copies.filter(|entry| {
        let name = entry.as_ref().expect("entry").file_name();
        name.to_string_lossy().starts_with("unclean-")
    });
    assert_eq!(unclean.count(), 2);
}

type Spoil = fn(&Path);

/// A damage, how it is done, and what is told if the store was closed and if it was not.
const DAMAGES: [(&str, Spoil, &str, &str); 9] = [
    ("nothing", |_| {}, "whole", "whole"),
    (
        "journal directory gone",
        |dir| fs::remove_dir_all(dir.join("journal")).expect("remove"),
        "history lost",
        "history lost",
    ),
    (
        "journal directory emptied",
        |dir| {
            fs::remove_dir_all(dir.join("journal")).expect("remove");
            fs::create_dir(dir.join("journal")).expect("make");
        },
        "history lost",
        "history lost",
    ),
    (
        "journal files missing",
        |dir| {
            for path in with_extension(&dir.join("journal"), "jnl") {
                fs::remove_file(path).expect("remove");
            }
        },
        "damaged",
        "damaged",
    ),
    (
        "journal files emptied",
        |dir| {
            for path in with_extension(&dir.join("journal"), "jnl") {
                fs::write(path, "").expect("empty");
            }
        },
        "history lost",
        "history lost",
    ),
    (
        "version marker missing",
        |dir| fs::remove_file(dir.join("journal/version")).expect("remove"),
        "damaged",
        "damaged",
    ),
    (
        "keyspace version missing",
        |dir| fs::remove_file(dir.join("journal/keyspaces/1/current")).expect("remove"),
        "damaged",
        "damaged",
    ),
    (
        "witness missing",
        |dir| fs::remove_file(dir.join("witness")).expect("remove"),
        "whole",
        "whole",
    ),
    (
        "witness and mark of nothing",
        |dir| {
            fs::write(dir.join("witness"), "?").expect("write");
            fs::write(dir.join("mark"), "?").expect("write");
        },
        "damaged",
        "damaged",
    ),
];

#[test]
fn each_damage_is_told_or_harmless() {
    for closed in [true, false] {
        let whole = prepared(HEAD, closed);
        for (name, spoil, when_closed, when_not) in DAMAGES {
            let dir = copy(whole.path());
            spoil(dir.path());
            let expected = if closed { when_closed } else { when_not };
            assert_eq!(
                judge(dir.path(), HEAD),
                expected,
                "{name}, closed: {closed}"
            );
        }
    }
}

/// Salvages and judges: what is kept is a beginning of what was written, the damaged
/// files are still there, and the next open tells a loss until a record is appended.
fn salvaged(dir: &Path, head: u64) -> u64 {
    let found = salvage(dir, ("job", "Job"), "0.1.0").expect("salvaged");
    assert!(found.kept.0 <= head && found.expected >= found.kept);
    assert!(found.file.exists());
    let (journal, health) = open(dir).expect("open");
    holds(&journal, found.kept.0);
    assert!(
        matches!(health, Health::Shortened { expected, found: there }
            if expected > there && there == found.kept),
        "{health:?} after {found:?}"
    );
    wait(journal.verify()).expect("verify");
    let next = found.kept.0 + 1;
    wait(journal.append(records(next, 1))).expect("append");
    journal.close().expect("close");
    let (journal, health) = open(dir).expect("open");
    assert_eq!(health, Health::Clean);
    holds(&journal, next);
    found.kept.0
}

#[test]
fn each_damage_is_salvaged_as_far_as_it_can_be_read() {
    for closed in [true, false] {
        let whole = prepared(HEAD, closed);
        for (name, spoil, ..) in DAMAGES {
            let dir = copy(whole.path());
            spoil(dir.path());
            let place = dir.path().join("journal");
            let before = with_extension(dir.path(), "jnl").len();
            let kept = salvaged(dir.path(), HEAD);
            let gone = name.starts_with("journal ");
            assert_eq!(
                kept,
                if gone { 0 } else { HEAD },
                "{name}, closed: {closed}"
            );
            let aside = with_extension(&dir.path().join("aside"), "jnl");
            assert!(aside.len() >= before, "{name}: the damaged files are kept");
            assert!(place.exists(), "{name}");
        }
    }
}

#[test]
fn the_newest_salvaged_journals_stay_aside() {
    let dir = prepared(3, true);
    for _ in 0..7 {
        fs::remove_file(dir.path().join("journal/version")).expect("remove");
        salvage(dir.path(), ("job", "Job"), "0.1.0").expect("salvaged");
    }
    let aside = fs::read_dir(dir.path().join("aside")).expect("list");
    let mut names: Vec<_> = aside
        .map(|entry| entry.expect("entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with("salvaged-"))
        .collect();
    names.sort();
    let wanted = [3, 4, 5, 6, 7].map(|n| OsString::from(format!("salvaged-{n:06}")));
    assert_eq!(names, wanted);
}

#[test]
fn a_flipped_bit_costs_what_follows_it_and_nothing_before() {
    let whole = prepared(LARGE, true);
    let tables: Vec<PathBuf> = files(&whole.path().join("journal/keyspaces/1/tables"));
    let path = tables
        .iter()
        .max_by_key(|path| used_bytes(path))
        .expect("a table");
    let name = path.strip_prefix(whole.path()).expect("inside");
    let used = used_bytes(path);
    let mut partly = 0;
    for n in 1..8 {
        let dir = copy(whole.path());
        flip(&dir.path().join(name), used * n / 9);
        let kept = salvaged(dir.path(), LARGE);
        partly += u64::from(0 < kept && kept < LARGE);
    }
    assert!(partly > 3, "{partly} of 7 kept a part");
}

/// Changes one bit of a file.
fn flip(path: &Path, position: u64) {
    let file = fs::File::options().read(true).write(true).open(path);
    let file = file.expect("open");
    let mut byte = [0];
    file.read_at(&mut byte, position).expect("read");
    byte[0] ^= 4;
    file.write_all_at(&byte, position).expect("flip");
}

#[test]
fn a_flipped_bit_of_a_journal_file_costs_one_record_and_what_follows_it() {
    for closed in [true, false] {
        let whole = prepared(HEAD, closed);
        let place = with_extension(&whole.path().join("journal"), "jnl").remove(0);
        let name = place.strip_prefix(whole.path()).expect("inside");
        let bytes = fs::read(&place).expect("read");
        let used = used_bytes(&place);
        for n in 1..6 {
            let position = used * n / 6 + n;
            let dir = copy(whole.path());
            flip(&dir.path().join(name), position);
            let before = &bytes[..usize::try_from(position).expect("small")];
            let begun = before.windows(4).filter(|found| *found == b"PSJR").count() as u64;
            let kept = salvaged(dir.path(), HEAD);
            assert!(kept + 1 >= begun, "{kept} kept, {begun} before {position}");
        }
    }
}

#[test]
fn a_flipped_bit_of_a_journal_file_costs_nothing_of_the_tables() {
    let whole = prepared(LARGE, true);
    let (journal, _) = open(whole.path()).expect("open");
    wait(journal.append(records(LARGE + 1, 13))).expect("append");
    journal.close().expect("close");
    let place = with_extension(&whole.path().join("journal"), "jnl").remove(0);
    let used = used_bytes(&place);
    assert!(used < 10_000, "{used}");
    flip(&place, used / 2);
    let kept = salvaged(whole.path(), LARGE + 13);
    assert!(kept > LARGE, "{kept}");
}

#[test]
fn a_cut_journal_file_is_told() {
    for closed in [true, false] {
        let whole = prepared(HEAD, closed);
        let used = used_bytes(&with_extension(&whole.path().join("journal"), "jnl")[0]);
        assert!(used > 100_000, "{used}");
        for cut in [1, 2, 100, 5000, used / 2, used - 1] {
            let dir = copy(whole.path());
            let path = &with_extension(&dir.path().join("journal"), "jnl")[0];
            let file = fs::File::options().write(true).open(path).expect("open");
            file.set_len(used - cut).expect("cut");
            let told = judge(dir.path(), HEAD);
            assert!(
                ["shortened", "history lost"].contains(&told),
                "cut of {cut}, closed: {closed}: {told}"
            );
        }
    }
}

#[test]
fn a_zeroed_page_is_told() {
    let whole = prepared(HEAD, false);
    let used = used_bytes(&with_extension(&whole.path().join("journal"), "jnl")[0]);
    for page in 0..used / 4096 {
        let dir = copy(whole.path());
        let path = &with_extension(&dir.path().join("journal"), "jnl")[0];
        let file = fs::File::options().write(true).open(path).expect("open");
        file.write_all_at(&[0; 4096], page * 4096).expect("zero");
        assert_ne!(judge(dir.path(), HEAD), "whole", "page {page}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_told_or_harmless() {
    for (head, closed, flips) in [(HEAD, true, 60), (HEAD, false, 60), (LARGE, true, 120)] {
        let whole = prepared(head, closed);
        let names: Vec<PathBuf> = files(whole.path())
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name != "lock"))
            .collect();
        for path in names {
            let used = used_bytes(&path);
            let name = path.strip_prefix(whole.path()).expect("inside");
            let small = flips
                .min(used / 3 + 1)
                .min(if used < 4096 { 12 } else { flips });
            for n in 0..small {
                let position = n * used.max(1) / small + n * 7 % 11;
                let dir = copy(whole.path());
                let file = fs::File::options()
                    .read(true)
                    .write(true)
                    .open(dir.path().join(name))
                    .expect("open");
                let mut byte = [0];
                file.read_at(&mut byte, position).expect("read");
                byte[0] ^= 1 << (n % 8);
                file.write_all_at(&byte, position).expect("flip");
                drop(file);
                // It panics for a silent loss.
                judge(dir.path(), head);
            }
        }
    }
}

#[test]
fn a_loss_is_told_until_a_record_is_appended() {
    let dir = prepared(HEAD, false);
    let path = &with_extension(&dir.path().join("journal"), "jnl")[0];
    let used = used_bytes(path);
    let file = fs::File::options().write(true).open(path).expect("open");
    file.set_len(used / 2).expect("cut");
    let mut found = 0;
    for _ in 0..3 {
        let (journal, health) = open(dir.path()).expect("open");
        found = journal.head().0;
        assert!(0 < found && found < HEAD);
        let expected = Health::Shortened {
            expected: Seq(HEAD),
            found: Seq(found),
        };
        assert_eq!(health, expected);
        journal.close().expect("close");
    }
    let (journal, _) = open(dir.path()).expect("open");
    wait(journal.append(records(found + 1, 1))).expect("append");
    // The evidence follows the reply, and this waits for it.
    wait(journal.verify()).expect("verify");
    let stopped = copy(dir.path());
    journal.close().expect("close");
    let (journal, health) = open(dir.path()).expect("open");
    assert_eq!(health, Health::Clean);
    holds(&journal, found + 1);
    let (journal, health) = open(stopped.path()).expect("open");
    assert!(matches!(health, Health::UncleanStop { .. }), "{health:?}");
    holds(&journal, found + 1);
}

#[test]
fn an_accepted_loss_moves_the_old_journal_aside() {
    let spoils: [fn(&Path); 2] = [
        |dir| fs::remove_dir_all(dir.join("journal")).expect("remove"),
        |dir| fs::remove_file(dir.join("journal/version")).expect("remove"),
    ];
    for spoil in spoils {
        let dir = prepared(HEAD, true);
        let before = open(dir.path()).expect("open").0.id();
        spoil(dir.path());
        open(dir.path()).expect_err("not by itself");
        let accept = Options {
            accept_loss: true,
            ..Options::default()
        };
        let told = Health::Shortened {
            expected: Seq(HEAD),
            found: Seq::ZERO,
        };
        let opened = Journal::open(dir.path(), accept).expect("accepted");
        assert_eq!(opened.health, told);
        assert_ne!(opened.journal.id(), before);
        drop(opened);
        let witness = dir.path().join("aside/lost-000001/witness");
        assert!(witness.exists(), "the old files are kept");
        // Nobody has taken note of it yet.
        let (journal, health) = open(dir.path()).expect("open");
        assert_eq!(health, told);
        wait(journal.append(vec![record(1)])).expect("append");
        drop(journal);
        let (journal, health) = open(dir.path()).expect("open");
        assert_eq!(health, Health::Clean);
        holds(&journal, 1);
    }
}

#[test]
fn an_unreadable_witness_costs_no_record() {
    let dir = prepared(HEAD, true);
    fs::write(dir.path().join("witness"), "?").expect("write");
    let error = open(dir.path()).expect_err("not by itself");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    let accept = Options {
        accept_loss: true,
        ..Options::default()
    };
    let opened = Journal::open(dir.path(), accept).expect("accepted");
    assert!(matches!(opened.health, Health::Shortened { .. }));
    holds(&opened.journal, HEAD);
}

#[test]
fn another_journal_in_its_place_is_refused() {
    let mine = prepared(HEAD, true);
    let other = prepared(HEAD + 1, true);
    fs::remove_dir_all(mine.path().join("journal")).expect("remove");
    fs::rename(other.path().join("journal"), mine.path().join("journal")).expect("move");
    let error = open(mine.path()).expect_err("another journal");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    // Even when its identity is forged: its record is not the acknowledged one.
    let older = prepared(HEAD, true);
    let (journal, _) = open(older.path()).expect("open");
    wait(journal.append(records(HEAD + 1, 5))).expect("append");
    drop(journal);
    let forged = prepared(1, true);
    let (journal, _) = open(forged.path()).expect("open");
    let shifted = records(2, HEAD + 4).into_iter().map(|mut record| {
        record.time.0 += 1;
        record
    });
    wait(journal.append(shifted.collect())).expect("append");
    drop(journal);
    let id = fs::read(older.path().join("journal/id")).expect("read");
    fs::write(forged.path().join("journal/id"), id).expect("write");
    fs::remove_dir_all(older.path().join("journal")).expect("remove");
    fs::rename(forged.path().join("journal"), older.path().join("journal")).expect("move");
    let error = open(older.path()).expect_err("another history");
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn an_unfinished_creation_begins_again() {
    let whole = prepared(0, false);
    for missing in ["version", "keyspaces", "id"] {
        let dir = copy(whole.path());
        let path = dir.path().join("journal").join(missing);
        if path.is_dir() {
            fs::remove_dir_all(path).expect("remove");
        } else {
            fs::remove_file(path).expect("remove");
        }
        let seen = Reading::open(dir.path()).map(|reading| reading.head());
        assert!(
            matches!(seen, Err(OpenError::Unbegun { .. })),
            "{missing}: {seen:?}"
        );
        let (journal, _) = open(dir.path()).unwrap_or_else(|error| panic!("{missing}: {error}"));
        wait(journal.append(records(1, 3))).expect("append");
        holds(&journal, 3);
    }
}

/// Returns a file's length without the zeros at its end.
fn used_bytes(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0);
    used.map_or(0, |last| last as u64 + 1)
}
