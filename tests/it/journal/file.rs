//! Export, import, stat, verify; and files that are none.

use crate::program::{Done, Lab, done, write};
use pydio_sync::journal::{PortableReader, PortableWriter};
use serde_json::Value;
use std::path::Path;

fn value(done: &Done) -> Value {
    let last = done.out.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{done:?}"))
}

/// A lab that synced once, with its journal as a file.
fn exported() -> (Lab, String) {
    let lab = Lab::new();
    write(&lab.local.join("letters/draft.txt"), "one");
    write(&lab.remote.join("other.txt"), "two");
    lab.synced();
    let file = lab.dir.path().join("whole.pydiojournal");
    let file = file.to_str().expect("text").to_owned();
    let job = value(&lab.offline(&["journal", "stat", "--json"]))["job"].clone();
    let done = lab.offline(&["journal", "export", job.as_str().expect("a job"), &file]);
    assert_eq!(done.code, 0, "{}", done.err);
    (lab, file)
}

#[test]
fn a_dash_is_no_file() {
    let lab = Lab::new();
    write(&lab.local.join("a"), "a");
    lab.synced();
    let at = lab.dir.path();
    let job = super::job_of(&lab);
    let job = job
        .file_name()
        .and_then(|name| name.to_str())
        .expect("text");
    for words in [
        &["journal", "export", job, "-"][..],
        &[
            "journal",
            "minimize",
            "--keep",
            "operation:upload",
            "--out",
            "-",
        ],
        &[
            "journal",
            "minimize",
            "--keep",
            "operation:upload",
            "--fixture",
            "-",
        ],
    ] {
        let done = done(lab.bare().args(words).current_dir(at));
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{done:?}");
        assert!(done.err.contains("./-"), "{done:?}");
        assert!(!at.join("-").exists(), "{words:?}");
    }
    let named = done(
        lab.bare()
            .args(["journal", "export", job, "./-"])
            .current_dir(at),
    );
    assert_eq!(named.code, 0, "{named:?}");
    assert!(at.join("-").is_file());
}

#[test]
fn a_file_says_what_its_journal_says() {
    let (lab, file) = exported();
    for words in [
        &["journal", "cat"][..],
        &["journal", "cat", "--path", "letters/draft.txt", "--json"],
        &["journal", "verify"],
    ] {
        let of_job = lab.offline(words);
        let of_file = lab.offline(&[words, &[&file]].concat());
        assert_eq!(
            (of_job.code, of_file.code),
            (0, 0),
            "{} {}",
            of_job.err,
            of_file.err
        );
        assert_eq!(of_job.out, of_file.out, "{words:?}");
    }
    let of_job = value(&lab.offline(&["journal", "stat", "--json"]));
    let of_file = value(&lab.offline(&["journal", "stat", "--json", &file]));
    for key in [
        "kinds",
        "head",
        "first",
        "journal",
        "job",
        "sessions",
        "last_time",
    ] {
        assert_eq!(of_job[key], of_file[key], "{key}");
    }
    assert_eq!(of_job["sessions_unclean"], 0);
    assert!(of_job["space"]["store"].as_u64().expect("bytes") > 0);
    let text = lab.offline(&["journal", "stat"]).out;
    assert!(
        text.contains("operation_succeeded") && text.contains("on the disk"),
        "{text}"
    );
}

#[test]
fn an_export_replaces_nothing_and_a_range_is_exact() {
    let (lab, file) = exported();
    let again = lab.offline(&["journal", "export", &file, &file]);
    assert_eq!(again.code, 2);
    let part = lab.dir.path().join("part.pydiojournal");
    let part = part.to_str().expect("text");
    let done = lab.offline(&[
        "journal", "export", &file, part, "--from", "3", "--to", "5", "--json",
    ]);
    assert_eq!(
        (done.code, &value(&done)["events"]),
        (0, &3.into()),
        "{}",
        done.err
    );
    let shown = lab.offline(&["journal", "cat", part]);
    let numbers: Vec<_> = shown
        .out
        .lines()
        .map(|line| line.split(' ').next())
        .collect();
    assert_eq!(numbers, [Some("3"), Some("4"), Some("5")]);
    let refused = lab.offline(&["journal", "import", part]);
    assert_eq!(refused.code, 2, "{}", refused.err);
}

#[test]
fn a_lost_journal_is_imported_and_deletes_nothing_unasked() {
    let (lab, file) = exported();
    let refused = lab.offline(&["journal", "import", &file]);
    assert_eq!(refused.code, 2, "never over a journal: {}", refused.err);
    let before = lab.offline(&["journal", "cat"]).out;
    std::fs::remove_dir_all(lab.state.join("jobs")).expect("lost");
    let done = lab.offline(&["journal", "import", &file]);
    assert_eq!(done.code, 0, "{}", done.err);
    std::fs::remove_file(lab.remote.join("other.txt")).expect("deleted meanwhile");
    let run = lab.once(&[]);
    assert_eq!(run.code, 5, "{} {}", run.out, run.err);
    assert!(lab.local.join("other.txt").exists());
    let after = lab.offline(&["journal", "cat"]).out;
    assert!(after.starts_with(&before), "the old events are there");
    assert!(after.contains("history_lost"), "{after}");
    assert_eq!(lab.offline(&["journal", "verify"]).code, 0);
    assert_eq!(lab.offline(&["approve"]).code, 0);
    lab.synced();
    assert!(!lab.local.join("other.txt").exists());
}

fn refused(lab: &Lab, file: &Path, code: i32, expected: &str) {
    let path = file.to_str().expect("text");
    let target = lab.dir.path().join("target.pydiojournal");
    let target = target.to_str().expect("text");
    for words in [
        &["journal", "cat", path][..],
        &["journal", "stat", path],
        &["journal", "verify", path],
        &["journal", "export", path, target],
        &["journal", "import", path, "--job", "fresh"],
    ] {
        let done = lab.offline(words);
        assert_eq!(done.code, code, "{words:?}: {done:?}");
        let told = done.out + &done.err;
        assert!(
            told.contains(expected) && told.contains("offset"),
            "{words:?}: {told}"
        );
    }
    assert!(!Path::new(target).exists());
    assert!(!lab.state.join("jobs/fresh/journal").exists());
}

#[test]
fn what_is_no_journal_is_told_with_its_place() {
    let (lab, file) = exported();
    let good = std::fs::read(&file).expect("read");
    let bad = lab.dir.path().join("bad.pydiojournal");
    let with = |bytes: &[u8], code: i32, expected: &str| {
        std::fs::write(&bad, bytes).expect("write");
        refused(&lab, &bad, code, expected);
    };
    let altered = |at: usize, bit: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= bit;
        bytes
    };
    with(b"", 2, "no portable journal begins here");
    with(
        b"PK\x03\x04 and more of something else",
        2,
        "no portable journal begins here",
    );
    with(&altered(8, 2), 7, "version 3, expected 1");
    with(&altered(13, 0x40), 7, "expected at most 16384");
    with(&altered(30, 1), 7, "checksum");
    let middle = good.len() / 2;
    with(&altered(middle, 0x20), 7, "expected");
    with(&good[..middle], 7, "expected record");
    // Where it ends is where it can be read to, whichever command asks.
    let told = |words: &[&str]| {
        let done = lab.offline(&[words, &[bad.to_str().expect("text")]].concat());
        let text = done.out + &done.err;
        let (_, place) = text.split_once("expected record ").expect("a place");
        place.split(' ').next().expect("a number").to_owned()
    };
    assert_eq!(told(&["journal", "stat"]), told(&["journal", "verify"]));
    with(&good[..good.len() - 24], 7, "or the trailer");
    with(&[&good[..], b"more"].concat(), 7, "expected");
}

#[test]
fn vectors_of_damaged_files_are_refused_in_words() {
    let lab = Lab::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("journal-format/vectors");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("vectors") {
        let path = entry.expect("entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !name.ends_with(".pydiojournal") {
            continue;
        }
        let done = lab.offline(&["journal", "verify", path.to_str().expect("text")]);
        let expected = match name {
            "damaged-portable-nothing.pydiojournal" | "damaged-portable-foreign.pydiojournal" => 2,
            name if name.starts_with("damaged-") => 7,
            // Its events come from all over: their stamped digest fits no replay.
            "portable-every-event.pydiojournal" => continue,
            _ => 0,
        };
        assert_eq!(done.code, expected, "{name}: {done:?}");
        seen += 1;
    }
    assert!(seen > 10);
}

#[test]
fn a_redacted_export_names_nobody_and_can_be_read() {
    let lab = Lab::new();
    write(
        &lab.local.join("Letters to Ada/draft of the will.docx"),
        "one",
    );
    write(&lab.remote.join("smith.johnson"), "two");
    lab.synced();
    let whole = lab.dir.path().join("whole.pydiojournal");
    let hidden = lab.dir.path().join("hidden.pydiojournal");
    let (whole, hidden) = (
        whole.to_str().expect("text"),
        hidden.to_str().expect("text"),
    );
    let job = value(&lab.offline(&["journal", "stat", "--json"]))["job"].clone();
    let job = job.as_str().expect("a job");
    assert_eq!(lab.offline(&["journal", "export", job, whole]).code, 0);
    let done = lab.offline(&["journal", "export", job, hidden, "--redact"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let bytes = std::fs::read(hidden).expect("read");
    for text in [
        "Letters", "Ada", "draft", "will", "smith", "johnson", "local-", job,
    ] {
        let is_there = bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        assert!(!is_there, "{text}");
    }
    assert_eq!(lab.offline(&["journal", "verify", hidden]).code, 0);
    let kinds =
        |file: &str| value(&lab.offline(&["journal", "stat", "--json", file]))["kinds"].clone();
    let events = |file: &str| {
        let kinds = kinds(file);
        let kinds = kinds.as_object().expect("kinds").clone();
        kinds
            .into_iter()
            .map(|(name, kind)| (name, kind["events"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        std::collections::BTreeMap::from_iter(events(whole)),
        std::collections::BTreeMap::from_iter(events(hidden))
    );
    assert_eq!(lab.offline(&["journal", "import", hidden]).code, 2);
}

#[test]
fn an_imported_journal_is_a_job_before_it_runs() {
    let (lab, file) = exported();
    let done = lab.offline(&["journal", "import", &file, "--job", "old/one"]);
    assert_eq!(done.code, 0, "{}", done.err);
    for words in [
        &["journal", "stat", "old/one"][..],
        &["journal", "verify", "old/one"],
        &["explain", "old/one", "other.txt"],
        &["jobs", "list"],
    ] {
        let done = lab.offline(words);
        assert_eq!(done.code, 0, "{words:?}: {} {}", done.out, done.err);
        assert!(!done.err.contains("no job"), "{words:?}: {}", done.err);
    }
    assert!(lab.offline(&["jobs", "list"]).out.contains("old/one"));
    assert_eq!(lab.offline(&["status", "old/one"]).code, 4);
    let undo = lab.offline(&["undo", "old/one", "--last", "--mine", "--yes"]);
    assert_eq!(undo.code, 2, "{} {}", undo.out, undo.err);
    assert!(undo.err.contains("run the job once"), "{}", undo.err);
}

#[test]
fn a_job_without_its_note_is_known_by_its_journal() {
    let lab = Lab::new();
    write(&lab.local.join("a.txt"), "a");
    lab.synced();
    std::fs::remove_file(super::job_of(&lab).join("job.json")).expect("lost");
    let status = lab.offline(&["status"]);
    assert_eq!(status.code, 0, "{} {}", status.out, status.err);
    assert!(
        status.out.contains("synced"),
        "{} {}",
        status.out,
        status.err
    );
    lab.synced();
}

#[test]
fn an_import_that_fails_leaves_no_job() {
    let (lab, file) = exported();
    let bytes = std::fs::read(&file).expect("read");
    let cut = lab.dir.path().join("cut.pydiojournal");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).expect("write");
    let cut = cut.to_str().expect("text");
    let done = lab.offline(&["journal", "import", cut, "--job", "fresh"]);
    assert_eq!(done.code, 7, "{}", done.err);
    assert!(!lab.state.join("jobs/fresh").exists());
    let done = lab.offline(&["journal", "import", &file, "--job", ""]);
    assert_eq!(done.code, 2, "{}", done.err);
}

#[test]
fn what_is_no_file_is_not_read() {
    let lab = Lab::new();
    let folder = lab.dir.path().join("folder.pydiojournal");
    std::fs::create_dir(&folder).expect("a folder");
    let pipe = lab.dir.path().join("pipe.pydiojournal");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a pipe");
    for path in [folder, pipe] {
        let path = path.to_str().expect("text");
        for words in [
            &["journal", "stat", path][..],
            &["journal", "verify", path],
            &["journal", "import", path, "--job", "fresh"],
        ] {
            let done = lab.offline(words);
            assert_eq!(done.code, 2, "{words:?}: {}", done.err);
            assert!(
                done.err.contains("it is no file"),
                "{words:?}: {}",
                done.err
            );
        }
    }
}

/// The checksum of an envelope, as the specification has it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    });
    !sum
}

/// Makes the last record one of a release to come, by its tag.
fn of_tomorrow(bytes: &[u8]) -> Vec<u8> {
    let mut reader = PortableReader::open(bytes).expect("header");
    let header = reader.header().clone();
    let mut stored: Vec<_> = reader.by_ref().map(|read| read.expect("record")).collect();
    let last = stored.last_mut().expect("a record");
    last.bytes[6..8].copy_from_slice(&999_u16.to_le_bytes());
    let body = last.bytes.len() - 4;
    let sum = crc32(&last.bytes[..body]);
    last.bytes[body..].copy_from_slice(&sum.to_le_bytes());
    let mut writer = PortableWriter::begin(Vec::new(), &header).expect("begun");
    for each in &stored {
        writer
            .record(each.record.seq, &each.bytes)
            .expect("written");
    }
    writer.finish().expect("finished")
}

#[test]
fn who_wrote_what_cannot_be_read_is_named() {
    let (lab, file) = exported();
    let bytes = of_tomorrow(&std::fs::read(&file).expect("read"));
    std::fs::write(&file, bytes).expect("write");
    for words in [
        &["journal", "stat", &file][..],
        &["journal", "cat", &file],
        &["journal", "verify", &file],
        &["journal", "explain", &file, "other.txt"],
        &["journal", "import", &file, "--job", "fresh"],
    ] {
        let done = lab.offline(words);
        assert_eq!(done.code, 7, "{words:?}: {}", done.err);
        let release = env!("CARGO_PKG_VERSION");
        let expected = format!("a later build of release {release} wrote it: upgrade this one");
        assert!(done.err.contains(&expected), "{words:?}: {}", done.err);
    }
}

#[test]
fn verify_of_a_damaged_file_says_what_to_do() {
    let (lab, file) = exported();
    let bytes = std::fs::read(&file).expect("read");
    for (cut, expected) in [
        (bytes.len() / 2, "whole; export it anew"),
        (9, "export it anew"),
    ] {
        std::fs::write(&file, &bytes[..cut]).expect("write");
        let done = lab.offline(&["journal", "verify", &file]);
        assert_eq!(done.code, 7, "{}", done.err);
        assert!(done.err.contains(expected), "{}", done.err);
        assert!(!done.err.contains("verify"), "{}", done.err);
        assert!(!done.err.contains("salvage"), "{}", done.err);
    }
}
