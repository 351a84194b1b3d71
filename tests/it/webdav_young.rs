//! Servers that tell versions by second and size: what another client writes in the same
//! second is neither replaced nor removed, and everybody reads it in the end.

use crate::folders::{items, path, request, run};
use crate::program::{Done, Lab, read, write};
use crate::webdav_site::{DavSite, entry, put, try_out};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Fingerprint, Seq};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::{Hint, Remote as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use test_servers::webdav::{Fault, Quirks, Rule};

fn begun(quirks: Quirks) -> (DavSite, WebdavRemote) {
    let site = DavSite::dated(quirks);
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    (site, remote)
}

fn is_marked(print: &Fingerprint) -> bool {
    let version = print.version.as_ref();
    version.is_some_and(|version| version.as_str().ends_with("~young"))
}

/// Servers by which two writes of one size within a second are one version.
const COARSE: [fn() -> Quirks; 2] = [Quirks::nginx, Quirks::wsgidav];

#[test]
fn an_edit_in_the_second_of_our_own_write_is_not_replaced_or_removed() {
    for quirks in COARSE {
        let (site, remote) = begun(quirks());
        let ours = put(&remote, "f", b"ours", &Expected::Absent).expect("put");
        let ours = ours.entry.fingerprint;
        assert!(is_marked(&ours));
        site.hand().write("f", b"them");
        assert_eq!(entry(&remote, "f").fingerprint, ours, "nobody can tell");
        for result in [
            put(&remote, "f", b"more", &Expected::Version(ours.clone())).map(drop),
            run(remote.remove(Seq(8), &path("f"), &ours)),
        ] {
            let class = result.expect_err("it is another one").class;
            assert_eq!(class, FailureClass::Precondition);
            assert_eq!(site.hand().read("f").expect("kept"), b"them");
        }
        site.age();
        let theirs = entry(&remote, "f").fingerprint;
        assert!(theirs != ours, "it is to be read again");
        put(&remote, "f", b"more", &Expected::Version(theirs)).expect("put");
        assert_eq!(site.hand().read("f").expect("ours"), b"more");
    }
}

#[test]
fn what_nobody_touched_since_our_own_write_is_replaced_and_removed_at_once() {
    for quirks in COARSE {
        let (site, remote) = begun(quirks());
        let one = put(&remote, "f", b"one", &Expected::Absent).expect("put");
        let one = Expected::Version(one.entry.fingerprint);
        let two = put(&remote, "f", b"two", &one).expect("put");
        let two = two.entry.fingerprint;
        run(remote.remove(Seq(8), &path("f"), &two)).expect("remove");
        assert_eq!(site.names(), Vec::<String>::new());
    }
}

#[test]
fn a_later_process_waits_for_a_young_version_and_reads_it_again() {
    let (site, remote) = begun(Quirks::nginx());
    let ours = put(&remote, "f", b"ours", &Expected::Absent).expect("put");
    let ours = ours.entry.fingerprint;
    site.hand().write("f", b"them");
    let later = site.remote("client");
    let replaces = Expected::Version(ours.clone());
    // Young or aged: it was seen when another one could look the same.
    for _ in 0..2 {
        let refused = put(&later, "f", b"more", &replaces).expect_err("unread");
        assert_eq!(refused.class, FailureClass::Precondition);
        let refused = run(later.remove(Seq(9), &path("f"), &ours)).expect_err("unread");
        assert_eq!(refused.class, FailureClass::Precondition);
        assert_eq!(site.hand().read("f").expect("kept"), b"them");
        site.age();
    }
}

#[test]
fn a_version_by_somebody_else_right_after_our_upload_is_not_taken_for_ours() {
    // No tag in the answer, and no tag that could tell it.
    for quirks in [Quirks::apache, Quirks::nginx] {
        let (site, remote) = begun(quirks());
        try_out(&remote);
        site.hand().write("f", b"old");
        site.age();
        let old = Expected::Version(entry(&remote, "f").fingerprint);
        let rule = Rule::on("PUT", Fault::Overtaken(b"them".to_vec())).path("/f");
        site.server.inject(rule);
        let put = put(&remote, "f", b"ours", &old).expect("put");
        site.age();
        let now = entry(&remote, "f").fingerprint;
        assert!(put.entry.fingerprint != now, "it is to be read again");
        assert_eq!(site.hand().read("f").expect("theirs"), b"them");
    }
    // The answer names the tag of what was stored.
    let (site, remote) = begun(Quirks::none());
    try_out(&remote);
    let rule = Rule::on("PUT", Fault::Overtaken(b"them".to_vec())).path("/f");
    site.server.inject(rule);
    let error = put(&remote, "f", b"ours", &Expected::Absent).expect_err("overtaken");
    assert_eq!(error.class, FailureClass::InDoubt);
}

#[test]
fn a_feed_hints_at_what_was_young_when_it_was_listed() {
    // Its tags of folders tell each change, those of files not always.
    let (site, remote) = begun(Quirks::nextcloud());
    site.hand().write("d/e/f", b"1");
    run(remote.make_dir(&path("tried"))).expect("a folder, and the trials");
    let feed = remote.feed().expect("a feed");
    let cursor = run(feed.since(None)).expect("a cursor").cursor;
    run(items(remote.scan(request(&[("", true)])))).expect("scan");
    site.hand().write("d/e/f", b"2");
    site.age();
    // A later process knows nothing of what was listed.
    let later = site.remote("client");
    let changes = run(later.feed().expect("a feed").since(Some(&cursor)));
    assert_eq!(changes.expect("changes").hints, [Hint::Rescan]);
    let changes = run(feed.since(Some(&cursor))).expect("changes");
    let hint = Hint::Path {
        path: path("d/e/f"),
        subtree: false,
    };
    assert_eq!(changes.hints, [hint]);
    assert!(changes.cursor != cursor);
    let after = run(feed.since(Some(&changes.cursor))).expect("changes");
    let quiet = run(feed.since(Some(&after.cursor))).expect("changes");
    assert_eq!((after.hints, quiet.hints), (vec![], vec![]));
    assert_eq!(quiet.cursor, after.cursor);
}

/// An edit that has settled, so that nobody waits, and is later than the server's first second.
fn edit_after(root: &Path, text: &str, first_s: u64) {
    write(&root.join("f"), text);
    let options = std::fs::File::options().write(true).open(root.join("f"));
    let then = UNIX_EPOCH + Duration::from_secs(first_s + 1);
    options.expect("file").set_modified(then).expect("its time");
}

fn once(lab: &Lab, site: &DavSite) -> Done {
    let done = site.once(lab);
    assert!([0, 4].contains(&done.code), "{done:?}");
    done
}

/// All that a client holds.
fn contents(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(&lab.local).expect("a folder");
    let files = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file());
    let mut found: Vec<String> = files.map(|path| read(&path)).collect();
    found.sort();
    found
}

#[test]
fn two_who_write_one_size_within_one_second_lose_nothing_and_become_equal() {
    for (mine, both_hold) in [
        (None, vec!["2"]),
        (Some("3"), vec!["2", "3"]),
        (Some("2"), vec!["2"]),
    ] {
        let (site, lab) = (DavSite::dated(Quirks::nginx()), Lab::new());
        site.hand().write("f", b"1");
        once(&lab, &site);
        assert_eq!(contents(&lab), ["1"]);
        // All of it within the second of the first version.
        site.hand().write("f", b"2");
        if let Some(text) = mine {
            edit_after(&lab.local, text, site.hand().time("f").expect("its time"));
        }
        once(&lab, &site);
        assert_eq!(site.hand().read("f").expect("theirs"), b"2");
        // That run ended while the version was young; the next one reads it.
        site.age();
        once(&lab, &site);
        site.age();
        let last = once(&lab, &site);
        assert_eq!(last.code, 0, "{last:?}");
        assert_eq!(contents(&lab), both_hold, "{mine:?}");
        let there = site.names().into_iter();
        let there = there.map(|name| site.hand().read(&name).expect("a file"));
        let mut there: Vec<_> = there.map(String::from_utf8).collect();
        there.sort_by_key(|text| text.clone().ok());
        let there: Result<Vec<String>, _> = there.into_iter().collect();
        assert_eq!(there.expect("text"), both_hold, "{mine:?}");
    }
}
