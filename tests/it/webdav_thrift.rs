//! Requests that are left out because an answer proved what they would show, and what is
//! found all the same.

use crate::folders::{Memory, items, path, request, run};
use crate::program::{Lab, write_long_ago};
use crate::webdav_site::{DavSite, entry, fetch, try_out};
use futures::future::join_all;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{DigestKind, Seq};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::{Changes, Hint, PortResult, Put, PutRequest, Remote as _, ScanItem, Scope};
use test_servers::webdav::{Fault, OcMtime, Quirks, Rule};

/// A site with a client that has tried it.
fn tried(quirks: Quirks) -> (DavSite, WebdavRemote) {
    let site = DavSite::dated(quirks);
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    run(remote.make_dir(&path("tried"))).expect("a folder");
    try_out(&remote);
    (site, remote)
}

async fn send(
    remote: &WebdavRemote,
    name: &str,
    bytes: &[u8],
    replaces: &Expected,
) -> PortResult<Put> {
    let request = PutRequest {
        id: Seq(name
            .bytes()
            .map(u64::from)
            .fold(7, |id, byte| (id * 31 + byte) % (1 << 40))),
        path: &path(name),
        source: Memory::file(bytes),
        replaces,
        digest: DigestKind::Blake3,
    };
    remote.put(request).await
}

fn put(remote: &WebdavRemote, name: &str, bytes: &[u8]) -> Put {
    run(send(remote, name, bytes, &Expected::Absent)).expect("put")
}

/// How many looks something takes.
fn looks(site: &DavSite, work: impl FnOnce()) -> usize {
    site.server.log().clear();
    work();
    site.server.log().count("PROPFIND")
}

#[test]
fn an_answer_that_tells_all_needs_no_look_once_one_agreed() {
    let (site, remote) = tried(Quirks::nextcloud());
    for (name, expected) in [
        ("1.txt", 1),
        ("2.txt", 0),
        ("tried/3.TXT", 0),
        ("4.jpg", 1),
        ("5", 1),
        ("6.txt.", 1),
        ("é.txt", 1),
        ("7.txt", 0),
    ] {
        let mut sent = None;
        let found = looks(&site, || sent = Some(put(&remote, name, name.as_bytes())));
        assert_eq!(found, expected, "{name}");
        let there = entry(&remote, name).fingerprint;
        assert_eq!(sent.map(|put| put.entry.fingerprint), Some(there), "{name}");
    }
    // The same for a version that replaces one.
    let old = Expected::Version(entry(&remote, "2.txt").fingerprint);
    let replaced = || drop(run(send(&remote, "2.txt", b"new", &old)).expect("put"));
    assert_eq!(looks(&site, replaced), 0);
    let large = vec![b'l'; 2 << 20];
    assert!(looks(&site, || drop(put(&remote, "large.txt", &large))) > 0);
}

#[test]
fn an_answer_that_tells_less_is_followed_by_a_look() {
    let table: [fn() -> Quirks; 6] = [
        || Quirks {
            oc_mtime: OcMtime::Silent,
            ..Quirks::nextcloud()
        },
        || Quirks {
            put_etag: false,
            ..Quirks::nextcloud()
        },
        || Quirks {
            conditions: false,
            ..Quirks::nextcloud()
        },
        || Quirks {
            file_ids: false,
            ..Quirks::nextcloud()
        },
        Quirks::apache,
        Quirks::wsgidav,
    ];
    for (at, quirks) in table.into_iter().enumerate() {
        let (site, remote) = tried(quirks());
        put(&remote, "1.txt", b"1");
        let again = looks(&site, || drop(put(&remote, "2.txt", b"2")));
        assert!(again > 0, "{at}");
    }
}

#[test]
fn a_slot_that_keeps_its_version_is_not_looked_at_again_under_its_name() {
    let (site, remote) = tried(Quirks::nginx());
    put(&remote, "1.txt", b"1");
    let facts = remote.found_out();
    let sent = || {
        let sent = put(&remote, "2.txt", b"22").entry.fingerprint;
        assert_eq!(sent, entry(&remote, "2.txt").fingerprint);
    };
    // The slot, the folder that a move would make, and the test's own.
    let found = looks(&site, sent);
    assert_eq!(found, 2, "{facts:?}");
    let names: Vec<String> = (3..15).map(|number| format!("{number}.txt")).collect();
    let log = site.server.log();
    // The first listing waits until all others lie in their slots.
    site.server
        .before("PROPFIND", "/.pydio-sync/staging*", move || {
            crate::program::until("all are sent", || log.count("PUT") >= 12);
        });
    let all = || {
        let puts = names
            .iter()
            .map(|name| send(&remote, name, name.as_bytes(), &Expected::Absent));
        for put in run(join_all(puts)) {
            put.expect("put");
        }
    };
    let found = looks(&site, all);
    assert!(found < 12, "{found} looks");
    for name in &names {
        assert_eq!(site.hand().read(name).as_deref(), Some(name.as_bytes()));
    }
}

#[test]
fn what_overtakes_an_upload_that_is_not_looked_at_is_found_and_stays() {
    for quirks in [Quirks::nextcloud, Quirks::nginx] {
        let (site, remote) = tried(quirks());
        put(&remote, "1.txt", b"1");
        site.server
            .inject(Rule::on("PUT", Fault::Overtaken(b"theirs".to_vec())).path("/2.txt"));
        let ours = put(&remote, "2.txt", b"ours").entry.fingerprint;
        if site.hand().read("2.txt").as_deref() == Some(b"ours") {
            // It came by a slot: somebody writes right after its move.
            site.hand().write("2.txt", b"theirs");
        }
        site.age();
        assert!(entry(&remote, "2.txt").fingerprint != ours);
        let replaces = Expected::Version(ours.clone());
        let refused = run(send(&remote, "2.txt", b"more", &replaces)).map(drop);
        let removed = run(remote.remove(Seq(9), &path("2.txt"), &ours));
        for result in [refused, removed] {
            let class = result.expect_err("it is another one").class;
            assert_eq!(class, FailureClass::Precondition);
        }
        assert_eq!(site.hand().read("2.txt").as_deref(), Some(&b"theirs"[..]));
    }
}

#[test]
fn content_whose_headers_are_those_of_the_listing_is_not_looked_at_again() {
    for quirks in [Quirks::nextcloud, Quirks::nginx, Quirks::apache] {
        let (site, remote) = tried(quirks());
        site.hand().write("old", b"content");
        site.age();
        let read = || assert_eq!(fetch(&remote, "old").expect("read"), b"content");
        // The test's own look at what it expects.
        assert_eq!(looks(&site, read), 1);
        if quirks().name != Quirks::apache().name {
            site.hand().write("young", b"content");
            let read = || assert_eq!(fetch(&remote, "young").expect("read"), b"content");
            assert_eq!(looks(&site, read), 2, "it may be the next version");
        }
        let nameless = Rule::on("GET", Fault::NoVersion).path("/old");
        site.server.inject(nameless);
        let read = || assert_eq!(fetch(&remote, "old").expect("read"), b"content");
        assert_eq!(looks(&site, read), 2, "the headers say nothing");
    }
    // A server that writes in place may send half of each.
    let quirks = Quirks {
        put_in_place: true,
        ..Quirks::nginx()
    };
    let (site, remote) = tried(quirks);
    site.hand().write("old", b"content");
    site.age();
    let read = || assert_eq!(fetch(&remote, "old").expect("read"), b"content");
    assert_eq!(looks(&site, read), 2);
}

fn since(remote: &WebdavRemote, cursor: &str) -> Changes {
    run(remote.feed().expect("a feed").since(Some(cursor))).expect("changes")
}

fn hint(name: &str, subtree: bool) -> Hint {
    Hint::Path {
        path: path(name),
        subtree,
    }
}

/// Folders with files, and a client that has seen them, with its cursor.
fn settled() -> (DavSite, WebdavRemote, String) {
    let (site, remote) = tried(Quirks::nextcloud());
    for folder in ["one", "two", "deep/er", "deep/too"] {
        site.hand().write(&format!("{folder}/x"), b"x");
        site.hand().write(&format!("{folder}/y"), b"y");
    }
    site.age();
    let first = run(remote.feed().expect("a feed").since(None)).expect("a cursor");
    run(items(remote.scan(request(&[("", true)])))).expect("scan");
    (site, remote, first.cursor)
}

/// Changes of every kind by a client.
fn work(remote: &WebdavRemote) {
    put(remote, "deep/er/new.txt", b"new");
    let x = entry(remote, "deep/er/x").fingerprint;
    run(send(remote, "deep/er/x", b"edited", &Expected::Version(x))).expect("put");
    let y = entry(remote, "deep/er/y").fingerprint;
    run(remote.remove(Seq(3), &path("deep/er/y"), &y)).expect("remove");
    run(remote.make_dir(&path("deep/made"))).expect("a folder");
    put(remote, "deep/made/file", b"in it");
    let too = entry(remote, "deep/too").fingerprint;
    run(remote.rename(&path("deep/too"), &path("deep/made/to"), &too)).expect("rename");
    put(remote, "deep/made/to/more", b"more");
}

#[test]
fn own_work_is_no_news_and_what_others_do_beside_it_is() {
    for is_later in [false, true] {
        let (site, first, cursor) = settled();
        // A later process knows nothing but the cursor, and that the server was tried.
        let facts = first.found_out().expect("facts");
        let later = site.remote("client");
        later.recall(&facts);
        let remote = if is_later { &later } else { &first };
        assert_eq!(since(remote, &cursor).hints, []);
        assert!(!remote.feed().expect("a feed").is_behind());
        work(remote);
        assert!(remote.feed().expect("a feed").is_behind());
        let after = since(remote, &cursor);
        assert_eq!(after.hints, [], "later: {is_later}");
        assert!(after.cursor != cursor && !remote.feed().expect("a feed").is_behind());
        // Another process starts from there.
        let next = site.remote("client");
        next.recall(&facts);
        assert_eq!(since(&next, &after.cursor).hints, []);
        work_beside(&site, remote, &after.cursor, is_later);
    }
}

/// Others change things before, beside and below our own work.
fn work_beside(site: &DavSite, remote: &WebdavRemote, cursor: &str, is_later: bool) {
    put(remote, "two/ours", b"ours");
    site.hand().write("two/theirs", b"theirs");
    site.hand().write("one/x", b"changed");
    site.hand().write("deep/made/to/x", b"changed as well");
    site.hand().write("deep/made/file", b"longer than ours");
    let mut hints = since(remote, cursor).hints;
    hints.sort_by_key(|hint| format!("{hint:?}"));
    // What was never listed is known by its tag, so it is told whole.
    let one = if is_later {
        hint("one", true)
    } else {
        hint("one/x", false)
    };
    let mut expected = vec![
        one,
        hint("deep/made/to/x", false),
        hint("two/theirs", false),
        hint("deep/made/file", false),
    ];
    expected.sort_by_key(|hint| format!("{hint:?}"));
    assert_eq!(hints, expected);
}

#[test]
fn what_others_changed_before_our_first_change_is_not_taken_for_known() {
    let (site, first, cursor) = settled();
    let facts = first.found_out().expect("facts");
    let remote = site.remote("client");
    remote.recall(&facts);
    assert_eq!(since(&remote, &cursor).hints, []);
    site.hand().write("two/theirs", b"theirs");
    work(&remote);
    assert_eq!(since(&remote, &cursor).hints, [Hint::Rescan]);
}

#[test]
fn a_run_after_own_work_lists_nothing() {
    let (lab, site) = (Lab::new(), DavSite::dated(Quirks::nextcloud()));
    site.hand().write("there/x", b"x");
    for number in 0..30 {
        write_long_ago(
            &lab.local.join(format!("dir-{}/{number}.txt", number % 10)),
            "x",
        );
    }
    site.synced(&lab);
    let listings = || {
        let entries = site.server.log().entries().into_iter();
        let is_ours = |path: &str| path.starts_with("/.pydio-sync");
        let listings = entries.filter(|entry| entry.depth == "1" && !is_ours(&entry.path));
        listings.map(|entry| entry.path).collect::<Vec<_>>()
    };
    site.server.log().clear();
    site.synced(&lab);
    assert_eq!(listings(), Vec::<String>::new());
    assert!(
        site.server.log().total() < 12,
        "{:?}",
        site.server.log().counts()
    );
    // One change lists what is around it, before and afterwards.
    write_long_ago(&lab.local.join("dir-3/new.txt"), "new");
    site.server.log().clear();
    assert_eq!(site.synced(&lab).summary["uploaded"], 1);
    let mut found = listings();
    found.sort();
    assert_eq!(found, ["/", "/", "/dir-3", "/dir-3"]);
    site.server.log().clear();
    site.synced(&lab);
    assert_eq!(listings(), Vec::<String>::new());
    // And what others do is found.
    site.hand().write("dir-4/theirs", b"theirs");
    assert_eq!(site.synced(&lab).summary["downloaded"], 1);
}

#[test]
fn a_look_by_either_form_of_a_name_shows_the_form_that_is_listed_and_no_second_thing() {
    let (site, remote) = tried(Quirks::nextcloud());
    let (decomposed, composed) = ("e\u{301}", "\u{e9}");
    put(&remote, decomposed, b"content");
    assert!(site.names().contains(&composed.to_owned()), "kept composed");
    for looked_at in [&[decomposed][..], &[composed], &[decomposed, composed]] {
        let targets: Vec<(&str, bool)> = looked_at.iter().map(|name| (*name, false)).collect();
        let found = run(items(remote.scan(request(&targets)))).expect("scan");
        let [ScanItem::Listing(listing)] = &found[..] else {
            panic!("{found:?}");
        };
        let names: Vec<&str> = listing.entries.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, [composed], "{looked_at:?}");
        let Scope::Names(scope) = &listing.scope else {
            panic!("{listing:?}");
        };
        assert!(scope.iter().any(|name| name == decomposed), "{looked_at:?}");
    }
}
