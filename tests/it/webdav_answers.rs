//! What an answer proves, and what becomes of things that a server half did.

use crate::folders::{items, lines, path, request, run};
use crate::webdav_site::{DavSite, entry, fact, fetch, put, tried};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Digest, DigestKind, Seq};
use pydio_sync::ports::{Hint, Remote as _};
use sha1::Digest as _;
use std::time::Duration;
use test_servers::plain::Plain;
use test_servers::webdav::{Fault, FileEtags, Quirks, Rule};

#[test]
fn a_success_that_does_not_say_done_is_looked_into() {
    let (site, remote) = tried(Quirks::none());
    let x = entry(&remote, "d/x").fingerprint;
    let d = entry(&remote, "d").fingerprint;
    // Nothing was done, whatever they say.
    for status in [200, 202, 207] {
        let results = |method: &str| {
            site.server
                .inject(Rule::on(method, Fault::Status(status)).times(1));
            let result = match method {
                "DELETE" => run(remote.remove(Seq(8), &path("d/x"), &x)),
                "MKCOL" => run(remote.make_dir(&path("made"))).map(drop),
                "MOVE" => run(remote.rename(&path("d"), &path("e"), &d)).map(drop),
                _ => put(&remote, "put", b"put", &Expected::Absent).map(drop),
            };
            site.server.clear_faults();
            result
        };
        for method in ["DELETE", "MKCOL", "MOVE", "PUT"] {
            let error = results(method).expect_err(method);
            assert_eq!(error.class, FailureClass::InDoubt, "{method} {status}");
        }
        assert_eq!(site.names(), ["d", "d/x", "d/y"]);
    }
    // It was done, in other words.
    site.server
        .inject(Rule::on("DELETE", Fault::StatusAfter(200)));
    run(remote.remove(Seq(9), &path("d/x"), &x)).expect("removed");
    site.server
        .inject(Rule::on("MOVE", Fault::StatusAfter(202)));
    run(remote.rename(&path("d"), &path("e"), &d)).expect("renamed");
    site.server
        .inject(Rule::on("MKCOL", Fault::StatusAfter(200)));
    run(remote.make_dir(&path("made"))).expect("made");
    assert_eq!(site.names(), ["e", "e/y", "made"]);
}

#[test]
fn what_was_taken_out_goes_back_while_the_process_lives() {
    for hurt in ["PROPFIND", "MOVE"] {
        let (site, remote) = tried(Quirks::nginx());
        let x = entry(&remote, "d/x").fingerprint;
        match hurt {
            // It lies in its slot, and can neither be looked at nor put back.
            "PROPFIND" => {
                let slot = "/.pydio-sync/removed/*";
                let look = Rule::on("PROPFIND", Fault::Status(503)).path(slot);
                site.server.inject(look);
                site.server
                    .inject(Rule::on("MOVE", Fault::Refuse).path(slot));
            }
            // The answer got lost, and so does the question what became of it.
            _ => {
                site.server.inject(Rule::on("MOVE", Fault::LoseAnswer));
                let slot = "/.pydio-sync/removed/*";
                let look = Rule::on("PROPFIND", Fault::Status(503)).path(slot);
                site.server.inject(look);
            }
        }
        let error = run(remote.remove(Seq(8), &path("d/x"), &x)).expect_err("hurt");
        assert_eq!(error.class, FailureClass::InDoubt, "{hurt}");
        assert_eq!(site.names(), ["d", "d/y"], "{hurt}: out of the way");
        run(remote.root()).expect("the root");
        assert_eq!(site.names(), ["d", "d/x", "d/y"], "{hurt}: back");
        run(remote.remove(Seq(9), &path("d/x"), &x)).expect("removed");
        assert_eq!(site.names(), ["d", "d/y"]);
    }
}

#[test]
fn what_was_let_go_and_refused_never_comes_back() {
    for refusals in [1, 2] {
        let (site, remote) = tried(Quirks::nginx());
        let x = entry(&remote, "d/x").fingerprint;
        let locked = Rule::on("DELETE", Fault::Status(423)).times(refusals);
        site.server.inject(locked);
        run(remote.remove(Seq(8), &path("d/x"), &x)).expect("it is gone from its name");
        if refusals == 2 {
            run(remote.root()).expect("the root");
        }
        let left = |site: &DavSite| {
            let names = site.hand().names().into_iter();
            names
                .filter(|name| name.ends_with("-8"))
                .collect::<Vec<_>>()
        };
        assert_eq!(left(&site).len(), 1, "{:?}", left(&site));
        let later = site.remote("client");
        run(later.tidy_up()).expect("tidy");
        assert_eq!(site.names(), ["d", "d/y"]);
        assert_eq!(left(&site), Vec::<String>::new());
    }
}

#[test]
fn a_folder_that_may_hide_something_is_kept_and_does_not_come_back() {
    let (site, remote) = tried(Quirks::nginx());
    site.hand().write("e/.hidden", b"somebody's");
    let e = entry(&remote, "e").fingerprint;
    run(remote.remove(Seq(8), &path("e"), &e)).expect("it looks empty");
    for _ in 0..2 {
        run(site.remote("client").tidy_up()).expect("tidy");
        assert_eq!(site.names(), ["d", "d/x", "d/y"]);
    }
    let names = site.hand().names();
    let kept = names.iter().find(|name| name.ends_with("/.hidden"));
    assert_eq!(
        site.hand().read(kept.expect("kept")).expect("a file"),
        b"somebody's"
    );
}

#[test]
fn a_server_that_moves_nothing_costs_nothing_of_what_lies_in_slots() {
    let (site, remote) = tried(Quirks::nginx());
    site.server
        .inject(Rule::on("MOVE", Fault::Status(405)).always());
    let x = entry(&remote, "d/x").fingerprint;
    site.server.log().clear();
    let error = run(remote.remove(Seq(8), &path("d/x"), &x)).expect_err("no MOVE");
    assert_eq!(error.class, FailureClass::Unsupported);
    let listed = site.server.log().entries();
    let listed = listed.iter().filter(|entry| entry.depth == "1").count();
    assert_eq!(listed, 0, "nobody's slots are looked through");
    assert_eq!(site.names(), ["d", "d/x", "d/y"]);
}

#[test]
fn a_stored_hash_is_a_claim_and_no_proof() {
    let (site, remote) = tried(Quirks::nextcloud());
    let (user, password) = site.server.user();
    let wrong = format!("SHA1:{}", "0".repeat(40));
    let headers = [("OC-Checksum", wrong.as_str())];
    let plain = Plain::new(&site.server.url(), user, password);
    let stored = plain.ask("PUT", "/d/x", &headers, b"content");
    assert_eq!(stored.expect("an answer").status, 204);
    let print = entry(&remote, "d/x").fingerprint;
    let hashed = run(remote.hash(&path("d/x"), &print, DigestKind::Sha1)).expect("hash");
    let real: [u8; 20] = sha1::Sha1::digest(b"content").into();
    assert_eq!(hashed.digest, Some(Digest::Sha1(real)));
}

#[test]
fn content_whose_headers_name_another_version_is_refused() {
    let (site, remote) = tried(Quirks::none());
    assert_eq!(fetch(&remote, "d/y"), Ok(b"yy".to_vec()));
    let rule = Rule::on("GET", Fault::WrongEtag).path("/d/x");
    site.server.inject(rule.always());
    let error = fetch(&remote, "d/x").expect_err("of another version");
    assert_eq!(error.class, FailureClass::Retry);
    site.server.clear_faults();
    assert_eq!(fetch(&remote, "d/x"), Ok(b"x".to_vec()));
}

#[test]
fn conditions_are_believed_only_if_nothing_else_explains_the_refusals() {
    let probe = "/.pydio-sync/probe*/a";
    let refused = |method, fault| Rule::on(method, fault).path(probe).always();
    for (rules, has_conditions) in [
        // DELETE is refused, whatever the condition.
        (vec![refused("DELETE", Fault::Status(405))], true),
        // It says no to all three, and does what it can.
        (
            vec![
                // After six writes for the tags and one for this.
                Rule::on("PUT", Fault::StatusAfter(412))
                    .path(probe)
                    .nth(8)
                    .times(2),
                refused("DELETE", Fault::Status(412)),
            ],
            false,
        ),
    ] {
        let site = DavSite::of(Quirks {
            conditions: has_conditions,
            ..Quirks::none()
        });
        let remote = site.remote("client");
        run(remote.claim_root("remote-1")).expect("claim");
        let count = rules.len();
        rules.into_iter().for_each(|rule| site.server.inject(rule));
        run(remote.make_dir(&path("new"))).expect("a folder, and the trials");
        assert_eq!(fact(&remote, "conditions"), "false", "{count}");
        let entries = site.server.log().entries();
        let met = entries.iter().filter(|entry| entry.faulty).count();
        assert_eq!(met, if count == 1 { 1 } else { 3 }, "each was met");
    }
    let (_site, remote) = tried(Quirks::none());
    assert_eq!(fact(&remote, "conditions"), "true");
}

#[test]
fn tags_that_come_again_are_not_sharp() {
    let (_site, remote) = tried(Quirks {
        file_etags: FileEtags::ByTurns,
        ..Quirks::none()
    });
    assert_eq!(fact(&remote, "sharp_tags"), "false");
    let (_site, remote) = tried(Quirks::none());
    assert_eq!(fact(&remote, "sharp_tags"), "true");
}

#[test]
fn tags_are_sharp_only_if_two_writes_were_within_one_second_of_the_server() {
    for (file_etags, is_slow, is_sharp) in [
        (FileEtags::Change, false, true),
        (FileEtags::Change, true, false),
        (FileEtags::MostChanges, false, false),
        (FileEtags::MostChanges, true, false),
    ] {
        let site = DavSite::dated(Quirks {
            file_etags,
            ..Quirks::nextcloud()
        });
        let writes = if is_slow { 12 } else { 0 };
        for _ in 0..writes {
            let clock = site.server.clock();
            let second = Duration::from_secs(1);
            site.server
                .before("PUT", "*probe*/a", move || clock.advance(second));
        }
        let remote = site.remote("client");
        run(remote.claim_root("remote-1")).expect("claim");
        run(remote.make_dir(&path("new"))).expect("a folder, and the trials");
        let facts = remote.found_out().expect("facts");
        let has = |name| facts.iter().any(|it| it.name == name && it.value == "true");
        assert_eq!(has("sharp_tags"), is_sharp, "{file_etags:?} {is_slow}");
        assert!(
            has("deep_tags"),
            "folders have another tag after each change"
        );
    }
}

#[test]
fn tags_that_stay_weak_do_not_keep_a_file_from_being_replaced() {
    let (site, remote) = tried(Quirks {
        file_etags: FileEtags::Weak,
        ..Quirks::none()
    });
    assert_eq!(fact(&remote, "conditions"), "true");
    let x = Expected::Version(entry(&remote, "d/x").fingerprint);
    let refused = put(&remote, "d/x", b"more", &x).expect_err("no condition is met");
    assert_eq!(refused.class, FailureClass::Retry);
    put(&remote, "d/x", b"more", &x).expect("without a condition");
    assert_eq!(site.hand().read("d/x").expect("x"), b"more");
    assert_eq!(fact(&remote, "conditions"), "false");
}

#[test]
fn what_a_walk_for_changes_found_is_told_again_if_it_did_not_end() {
    let (site, remote) = tried(Quirks::nextcloud());
    let feed = remote.feed().expect("a feed");
    let cursor = run(feed.since(None)).expect("a cursor").cursor;
    run(items(remote.scan(request(&[("", true)])))).expect("scan");
    site.hand().write("top", b"top");
    site.hand().write("d/z", b"z");
    site.hand().remove("d/x");
    let rule = Rule::on("PROPFIND", Fault::Status(503)).path("/d*");
    site.server.inject(rule);
    assert!(run(feed.since(Some(&cursor))).is_err());
    let hinted = |cursor: &str| {
        let changes = run(feed.since(Some(cursor))).expect("changes");
        let names = changes.hints.into_iter().map(|hint| match hint {
            Hint::Path { path, .. } => path.as_str().to_owned(),
            Hint::Rescan => "all".to_owned(),
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        (names, changes.cursor)
    };
    let (names, cursor) = hinted(&cursor);
    assert_eq!(names, ["d/x", "d/z", "top"]);
    // A look for one name in a folder does not see what else changed in it.
    site.hand().write("d/w", b"w");
    site.hand().remove("d/z");
    let found = run(items(remote.scan(request(&[("d/z", true)])))).expect("scan");
    assert!(!lines(&found).iter().any(|line| line.contains("d/w")));
    assert_eq!(hinted(&cursor).0, ["d/w", "d/z"]);
}
