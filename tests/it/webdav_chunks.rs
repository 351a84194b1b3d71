//! Large files in pieces on a server of Nextcloud's kind: what arrived is not sent again,
//! nothing of others is replaced, and no piece is left behind.

use crate::folders::{Memory, path, run};
use crate::program::{Lab, Running, read, until, write, write_long_ago};
use crate::webdav_site::{DavSite, try_out};
use journal_format::event::{Expected, Fact, FailureClass};
use journal_format::value::{DigestKind, Entry, Seq};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::{PortResult, Put, PutRequest, Remote, Source};
use std::time::Duration;
use test_servers::webdav::{Fault, Quirks, Rule};

/// A server that names this as its largest piece.
fn pieces(bytes: u64) -> Quirks {
    Quirks {
        chunk_max: Some(bytes),
        ..Quirks::nextcloud()
    }
}

/// A client that has tried its server.
fn tried(site: &DavSite) -> WebdavRemote {
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    run(remote.make_dir(&path("tried"))).expect("a folder, and the trials");
    site.server.log().clear();
    remote
}

fn put_as(remote: &WebdavRemote, source: Box<dyn Source>, replaces: &Expected) -> PortResult<Put> {
    run(remote.put(PutRequest {
        id: Seq(7),
        path: &path("big"),
        source,
        replaces,
        digest: DigestKind::Sha1,
    }))
}

fn put(remote: &WebdavRemote, bytes: &[u8], replaces: &Expected) -> PortResult<Put> {
    put_as(remote, Memory::on_disk(bytes), replaces)
}

fn entry(remote: &WebdavRemote) -> Entry {
    let found = run(remote.stat(&path("big"))).expect("stat");
    found.expect("something is there")
}

fn facts(remote: &WebdavRemote, name: &str) -> Vec<String> {
    let facts = remote.found_out().unwrap_or_default();
    let facts = facts.into_iter().filter(|fact: &Fact| fact.name == name);
    facts.map(|fact| fact.value).collect()
}

/// Bytes that are nowhere the same.
fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn is_part(entry: &test_servers::webdav::Entry) -> bool {
    entry.method == "PUT" && entry.path.starts_with("uploads:") && !entry.path.contains("-probe/")
}

/// The bytes of parts that the server got whole, and how many there were.
fn sent(site: &DavSite) -> (u64, usize) {
    let entries = site.server.log().entries();
    let parts = entries
        .iter()
        .filter(|entry| is_part(entry) && (200..300).contains(&entry.status));
    parts.fold((0, 0), |(bytes, count), entry| {
        (bytes + entry.bytes_in, count + 1)
    })
}

#[test]
fn a_large_file_goes_in_pieces_and_is_one_file_at_once() {
    let site = DavSite::of(pieces(PIECE));
    let remote = tried(&site);
    assert_eq!(facts(&remote, "chunks"), ["true"]);
    let old = content(2 * MIB, 1);
    let new = content(2 * MIB + 17, 2);
    let first = put(&remote, &old, &Expected::Absent).expect("stored");
    assert_eq!(site.hand().read("big").expect("there"), old);
    assert_eq!(sent(&site), (old.len() as u64, 8));
    let replaces = Expected::Version(first.entry.fingerprint);
    let id = entry(&remote).fingerprint.identity;
    let second = put(&remote, &new, &replaces).expect("replaced");
    assert_eq!(site.hand().read("big").expect("there"), new);
    assert_eq!(
        second.entry,
        Entry {
            digest: second.entry.digest,
            ..entry(&remote)
        }
    );
    assert_eq!(
        entry(&remote).fingerprint.identity,
        id,
        "it stays the same file"
    );
    assert!(site.hand().uploads().is_empty());
    assert_eq!(site.hand().time("big"), Some(Memory::MTIME_S));
}

#[test]
fn a_server_whose_last_move_ignores_conditions_gets_a_slot_first() {
    let site = DavSite::of(Quirks {
        chunk_conditions: false,
        ..pieces(PIECE)
    });
    let remote = tried(&site);
    assert_eq!(facts(&remote, "chunk_conditions"), ["false"]);
    let bytes = content(2 * MIB, 3);
    let put_one = put(&remote, &bytes, &Expected::Absent).expect("stored");
    assert_eq!(site.hand().read("big").expect("there"), bytes);
    site.hand().write("big", b"of another");
    for replaces in [
        Expected::Absent,
        Expected::Version(put_one.entry.fingerprint),
    ] {
        let error = put(&remote, &content(2 * MIB, 4), &replaces).expect_err("taken");
        assert_eq!(error.class, FailureClass::Precondition);
    }
    assert_eq!(site.hand().read("big").expect("kept"), b"of another");
    assert!(site.hand().uploads().is_empty());
    let left = site.hand().names();
    assert!(
        !left.iter().any(|name| name.contains("staging/")),
        "{left:?}"
    );
}

#[test]
fn a_server_without_pieces_gets_files_whole() {
    for quirks in [
        Quirks::none(),
        Quirks {
            chunks: false,
            ..pieces(PIECE)
        },
    ] {
        let kind = if quirks.nextcloud {
            DigestKind::Sha1
        } else {
            DigestKind::Blake3
        };
        let site = DavSite::of(quirks);
        let remote = tried(&site);
        let bytes = content(2 * MIB, 5);
        let stored = run(remote.put(PutRequest {
            id: Seq(7),
            path: &path("big"),
            source: Memory::file(&bytes),
            replaces: &Expected::Absent,
            digest: kind,
        }));
        stored.expect("stored");
        assert_eq!(site.hand().read("big").expect("there"), bytes);
        assert_eq!(sent(&site).1, 0);
    }
}

#[test]
fn an_upload_that_breaks_off_anywhere_goes_on_with_the_parts_that_are_there() {
    let bytes = content(2 * MIB, 6);
    let mut dice = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..12_u64 {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let (part, cut) = (dice % 8 + 1, dice / 8 % PIECE);
        let site = DavSite::of(pieces(PIECE));
        let remote = tried(&site);
        let fault = match round % 3 {
            0 => Fault::CutRequest(cut),
            1 => Fault::LoseAnswer,
            _ => Fault::StatusAfter(502),
        };
        let name = format!("uploads:/*/{part:05}");
        site.server
            .inject(Rule::on("PUT", fault.clone()).path(&name));
        let what = format!("{fault:?} in part {part}");
        let error = put(&remote, &bytes, &Expected::Absent).expect_err(&what);
        assert_eq!(error.class, FailureClass::Retry, "{what}: {error}");
        assert_eq!(site.hand().read("big"), None, "{what}");
        // Another process of the same client.
        let again = site.remote("client");
        run(again.tidy_up()).expect("tidy up");
        put(&again, &bytes, &Expected::Absent).expect(&what);
        assert_eq!(site.hand().read("big").expect("there"), bytes, "{what}");
        // What was cut off goes again, and nothing else does.
        let entries = site.server.log().entries();
        let parts = entries.iter().filter(|entry| is_part(entry));
        let again = if round % 3 == 0 { 1 } else { 0 };
        assert_eq!(parts.count(), 8 + again, "{what}");
        assert!(site.hand().uploads().is_empty(), "{what}");
    }
}

#[test]
fn a_last_move_whose_answer_got_lost_is_looked_for_and_nothing_is_sent_again() {
    let bytes = content(2 * MIB, 7);
    for (fault, is_done) in [
        (Fault::StatusAfter(504), true),
        (Fault::StatusAfter(500), true),
        (Fault::LoseAnswer, true),
        (Fault::Status(504), false),
        (Fault::Refuse, false),
        (Fault::Status(423), false),
        (Fault::RetryAfter(503, 1), false),
    ] {
        let site = DavSite::of(pieces(PIECE));
        let remote = tried(&site);
        site.server
            .inject(Rule::on("MOVE", fault.clone()).path("uploads:*"));
        let result = put(&remote, &bytes, &Expected::Absent);
        assert_eq!(result.is_ok(), is_done, "{fault:?}: {result:?}");
        if !is_done {
            assert_eq!(site.hand().uploads().len(), 1, "{fault:?}");
            put(&remote, &bytes, &Expected::Absent).expect("the move, again");
        }
        assert_eq!(site.hand().read("big").expect("there"), bytes, "{fault:?}");
        assert_eq!(sent(&site), (bytes.len() as u64, 8), "{fault:?}");
        assert!(site.hand().uploads().is_empty(), "{fault:?}");
    }
}

#[test]
fn what_came_in_between_is_never_replaced_by_pieces() {
    let site = DavSite::of(pieces(PIECE));
    let remote = tried(&site);
    let old = put(&remote, &content(2 * MIB, 8), &Expected::Absent).expect("stored");
    let replaces = Expected::Version(old.entry.fingerprint);
    // Right before the last move, after everything was looked at.
    let hand = site.hand();
    site.server.before("MOVE", "uploads:*", move || {
        hand.write("big", b"of another");
    });
    let error = put(&remote, &content(2 * MIB, 9), &replaces).expect_err("changed");
    assert_eq!(error.class, FailureClass::Precondition, "{error}");
    assert_eq!(site.hand().read("big").expect("kept"), b"of another");
    assert!(site.hand().uploads().is_empty());
    let hand = site.hand();
    hand.remove("big");
    site.server.before("MOVE", "uploads:*", move || {
        hand.write("big", b"new, of another");
    });
    let error = put(&remote, &content(2 * MIB, 10), &Expected::Absent).expect_err("taken");
    assert_eq!(error.class, FailureClass::Precondition, "{error}");
    assert_eq!(site.hand().read("big").expect("kept"), b"new, of another");
    assert!(site.hand().uploads().is_empty());
}

#[test]
fn content_that_changed_meanwhile_begins_anew_and_never_becomes_a_mix() {
    let site = DavSite::of(pieces(PIECE));
    let remote = tried(&site);
    let (one, other) = (content(2 * MIB, 11), content(2 * MIB, 12));
    site.server
        .inject(Rule::on("PUT", Fault::Status(500)).path("uploads:/*/00005"));
    put(&remote, &one, &Expected::Absent).expect_err("broken off");
    assert_eq!(site.hand().uploads().len(), 1);
    // Of the same size and time, as some programs leave it.
    put(&remote, &other, &Expected::Absent).expect("stored");
    assert_eq!(site.hand().read("big").expect("there"), other);
    assert_eq!(sent(&site).1, 4 + 8);
    assert!(site.hand().uploads().is_empty(), "of the earlier content");
    let replaces = Expected::Version(entry(&remote).fingerprint);
    let torn = Memory::on_disk_but(&one, &other);
    let error = put_as(&remote, torn, &replaces).expect_err("changed while it was read");
    assert_eq!(error.class, FailureClass::Precondition, "{error}");
    assert_eq!(site.hand().read("big").expect("kept"), other);
    assert!(site.hand().uploads().is_empty());
}

#[test]
fn too_large_pieces_become_smaller_ones_and_the_journal_remembers() {
    // A proxy with a limit that nobody told Nextcloud of.
    let site = DavSite::of(Quirks {
        body_max: Some(1024 * 1024),
        ..Quirks::nextcloud()
    });
    let remote = tried(&site);
    let bytes = content(3 * MIB, 13);
    let mut tries = 1;
    loop {
        match put(&remote, &bytes, &Expected::Absent) {
            Ok(_) => break,
            Err(error) => {
                assert_eq!(error.class, FailureClass::Retry, "{error}");
                tries += 1;
                assert!(tries < 6, "{error}");
            }
        }
    }
    assert_eq!(site.hand().read("big").expect("there"), bytes);
    assert_eq!(sent(&site).1, 3);
    assert!(site.hand().uploads().is_empty());
    assert_eq!(facts(&remote, "chunk_bytes_max"), ["1048576"]);
}

#[test]
fn without_pieces_too_large_is_a_problem_of_that_file() {
    let site = DavSite::of(Quirks {
        body_max: Some(1024 * 1024),
        ..Quirks::none()
    });
    let remote = tried(&site);
    let error = run(remote.put(PutRequest {
        id: Seq(7),
        path: &path("big"),
        source: Memory::file(&content(2 * MIB, 14)),
        replaces: &Expected::Absent,
        digest: DigestKind::Blake3,
    }));
    let error = error.expect_err("too large");
    assert_eq!(error.class, FailureClass::Unsupported);
    assert!(
        error.message.contains("too large for this server"),
        "{error}"
    );
}

#[test]
fn pieces_that_the_storage_does_not_take_are_a_problem_and_leave_nothing() {
    let site = DavSite::of(Quirks {
        chunk_min: 5 * 1024 * 1024,
        ..pieces(PIECE)
    });
    let remote = tried(&site);
    let error = put(&remote, &content(2 * MIB, 15), &Expected::Absent).expect_err("refused");
    assert_eq!(error.class, FailureClass::Unsupported, "{error}");
    assert!(site.hand().uploads().is_empty());
}

#[test]
fn old_uploads_of_ours_are_swept_and_no_other_is_touched() {
    let site = DavSite::timed(pieces(PIECE));
    let remote = tried(&site);
    for name in ["web-file-upload-1", "pydio-sync-00000000-of-another"] {
        site.hand().begin_upload(name);
    }
    site.server
        .inject(Rule::on("PUT", Fault::Status(500)).path("uploads:/*/00003"));
    put(&remote, &content(2 * MIB, 16), &Expected::Absent).expect_err("broken off");
    run(remote.tidy_up()).expect("tidy up");
    assert_eq!(site.hand().uploads().len(), 3, "a young one is kept");
    site.hand().age_uploads(Duration::from_secs(21 * 3600));
    run(remote.tidy_up()).expect("tidy up");
    let left: Vec<String> = site
        .hand()
        .uploads()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        left,
        ["pydio-sync-00000000-of-another", "web-file-upload-1"]
    );
}

#[test]
fn what_the_quota_has_no_room_for_is_not_sent() {
    for quirks in [Quirks::nextcloud(), Quirks::wsgidav()] {
        let kind = if quirks.nextcloud {
            DigestKind::Sha1
        } else {
            DigestKind::Blake3
        };
        let site = DavSite::of(Quirks {
            quota: Some(3 * 1024 * 1024),
            quota_unlimited: false,
            ..quirks
        });
        let remote = tried(&site);
        // What is tried beside a first upload takes room as well.
        try_out(&remote);
        site.server.log().clear();
        let send = |length| {
            run(remote.put(PutRequest {
                id: Seq(7),
                path: &path("big"),
                source: Memory::file(&content(length, 17)),
                replaces: &Expected::Absent,
                digest: kind,
            }))
        };
        let error = send(4 * MIB).expect_err("no room");
        assert_eq!(error.class, FailureClass::NoSpace);
        assert!(error.message.contains("room"), "{error}");
        let entries = site.server.log().entries();
        // What was broken off may be told late.
        let is_content = |path: &str| !path.starts_with("/.pydio-sync/probe");
        let mut sent = entries.iter().filter(|it| it.method == "PUT");
        assert!(sent.all(|it| !is_content(&it.path)), "{entries:?}");
        send(2 * MIB).expect("room enough");
    }
}

#[test]
fn killed_in_the_middle_of_an_upload_it_sends_the_rest_only() {
    let (lab, site) = (Lab::new(), DavSite::timed(pieces(PIECE)));
    let bytes = content(8 * MIB, 18);
    write_long_ago(&lab.local.join("small"), "small");
    assert_eq!(site.once(&lab).code, 0);
    write_long_ago(&lab.local.join("deep/big"), &bytes);
    for part in [7, 20] {
        // The server reads no further, so that there is a moment to kill it in.
        let stall = Rule::on("PUT", Fault::StallRequest(1000));
        let name = format!("uploads:/*/{part:05}");
        site.server.inject(stall.path(&name));
        let mut running = Running(site.command(&lab).spawn().expect("the program starts"));
        until("the parts before are there", || {
            site.hand()
                .uploads()
                .iter()
                .any(|(_, parts)| *parts == part - 1)
        });
        running.signal("-KILL");
        running.end();
        site.server.clear_faults();
        assert_eq!(site.hand().read("deep/big"), None);
    }
    let last = site.once(&lab);
    assert_eq!(last.code, 0, "{last:?}");
    assert_eq!(site.hand().read("deep/big").expect("there"), bytes);
    let (total, parts) = sent(&site);
    assert_eq!((total, parts), (bytes.len() as u64, 32), "each part once");
    assert!(site.hand().uploads().is_empty());
    let idle = site.once(&lab);
    assert_eq!((idle.code, &idle.summary["uploaded"]), (0, &0.into()));
}

#[test]
fn both_versions_survive_when_both_sides_changed_a_large_file() {
    let (lab, site) = (Lab::new(), DavSite::timed(pieces(PIECE)));
    let at = lab.local.join("big");
    write_long_ago(&at, content(2 * MIB, 19));
    assert_eq!(site.once(&lab).code, 0);
    let ours = content(2 * MIB + 1, 20);
    write(&at, &ours);
    write_long_ago(&at, &ours);
    let hand = site.hand();
    site.server
        .before("MOVE", "uploads:*", move || hand.write("big", b"theirs"));
    assert!([0, 3].contains(&site.once(&lab).code));
    assert!([0, 3].contains(&site.once(&lab).code));
    assert_eq!(site.hand().read("big").expect("there"), b"theirs");
    assert_eq!(read(&at), "theirs");
    let names = site.names();
    let copy = names.iter().find(|name| name.contains("(conflict "));
    let copy = copy.unwrap_or_else(|| panic!("{names:?}"));
    assert_eq!(site.hand().read(copy).expect("there"), ours);
    assert!(site.hand().uploads().is_empty());
}

#[test]
fn a_run_that_meets_a_fault_in_a_large_upload_is_made_good_by_the_next() {
    for (method, at, fault) in [
        ("MKCOL", "uploads:*", Fault::Status(500)),
        ("MKCOL", "uploads:*", Fault::LoseAnswer),
        ("PUT", "uploads:*3", Fault::CutRequest(100)),
        ("PUT", "uploads:*3", Fault::Status(507)),
        ("PUT", "uploads:*3", Fault::Status(404)),
        ("PROPFIND", "uploads:*", Fault::Html),
        ("PROPFIND", "uploads:*", Fault::EmptyListing),
        ("MOVE", "uploads:*", Fault::StatusAfter(504)),
        ("MOVE", "uploads:*", Fault::Status(504)),
        ("MOVE", "uploads:*", Fault::Status(404)),
        ("MOVE", "uploads:*", Fault::LoseAnswer),
    ] {
        let (lab, site) = (Lab::new(), DavSite::timed(pieces(PIECE)));
        let at_home = lab.local.join("big");
        let (old, new) = (content(2 * MIB, 21), content(2 * MIB + 5, 22));
        write_long_ago(&at_home, &old);
        assert_eq!(site.once(&lab).code, 0);
        write(&at_home, &new);
        write_long_ago(&at_home, &new);
        let what = format!("{method} {fault:?}");
        site.server.inject(Rule::on(method, fault).path(at));
        let hurt = site.once(&lab);
        let kept = site.hand().read("big").expect("never gone");
        assert!(kept == old || kept == new, "{what}: a mix");
        assert!([0, 4, 6].contains(&hurt.code), "{what}: {hurt:?}");
        site.server.clear_faults();
        let healed = site.once(&lab);
        assert_eq!(healed.code, 0, "{what}: {healed:?}");
        assert_eq!(site.hand().read("big").expect("there"), new, "{what}");
        assert!(site.hand().uploads().is_empty(), "{what}");
        assert_eq!(site.names(), ["big"], "{what}");
    }
}

const MIB: usize = 1024 * 1024;
/// The largest piece of most of these servers.
const PIECE: u64 = 256 * 1024;
