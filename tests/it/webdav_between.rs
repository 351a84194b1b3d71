//! What comes in between: others who write while a content is on its way, pages that stand
//! where an answer should, folders of ours that somebody removed.

use crate::folders::{Memory, Watched, path, run};
use crate::program::until;
use crate::webdav_real::{Address, MORE_REAL, REAL, preset, real};
use crate::webdav_site::{DavSite, entry, fetch, put, send, tried, try_out};
use futures::channel::oneshot;
use futures::future::{Either, select};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{DigestKind, Kind, Seq};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::{PutRequest, Remote as _};
use std::pin::pin;
use std::time::Duration;
use test_servers::webdav::{Fault, Quirks, Rule};

/// Has another client write to a name when part of our content has left.
fn is_kept(server: &str, address: &Address, size: usize, is_new: bool) {
    let case = format!("{server}: {size} bytes, new: {is_new}");
    let remote = address.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    // What an upload that breaks off leaves is tried beside it.
    put(&remote, "first", b"first", &Expected::Absent).expect(&case);
    let replaces = if is_new {
        Expected::Absent
    } else {
        address.write("big", b"the old version");
        // Nothing but a condition or a look is then in the way.
        until("the old version ages", || !is_young(&remote));
        Expected::Version(entry(&remote, "big").fingerprint)
    };
    let (mut left, mut is_met) = (size / (1 << 16) / 2, false);
    let other = address.clone();
    let meddle = move || {
        left = left.saturating_sub(1);
        if left == 0 && !is_met {
            is_met = true;
            other.write("big", b"of another client");
        }
    };
    let source = Memory::boxed(Kind::File, &vec![7; size], 1 << 16);
    let result = run(remote.put(PutRequest {
        id: Seq(7),
        path: &path("big"),
        source: Box::new(Watched(source, meddle)),
        replaces: &replaces,
        digest: DigestKind::Blake3,
    }));
    let class = result.map_err(|error| error.class);
    assert_eq!(class, Err(FailureClass::Precondition), "{case}");
    let kept = address.read("big").expect(&case);
    assert_eq!(kept, b"of another client", "{case}");
}

fn is_young(remote: &WebdavRemote) -> bool {
    let version = entry(remote, "big").fingerprint.version;
    version.is_some_and(|version| version.as_str().ends_with("~young"))
}

fn all_are_kept(server: &str, address: impl Fn() -> Address) {
    for size in [3 << 20, 300_000] {
        for is_new in [false, true] {
            is_kept(server, &address(), size, is_new);
        }
    }
}

#[test]
fn what_another_client_writes_while_a_content_is_sent_is_kept_by_each_real_server() {
    for server in REAL.into_iter().chain(MORE_REAL) {
        all_are_kept(server, || real(server).in_new_folder());
    }
}

#[test]
fn what_another_client_writes_while_a_content_is_sent_is_kept_by_each_preset() {
    for (server, quirks) in Quirks::PRESETS {
        let site = preset(quirks());
        all_are_kept(server, || site.1.clone().in_new_folder());
    }
}

#[test]
fn a_page_that_says_nothing_of_a_version_is_no_beginning_of_a_content() {
    for quirks in [Quirks::none(), Quirks::nginx(), Quirks::wsgidav()] {
        for size in [50_000, 3 << 20] {
            let name = quirks.name;
            let (site, remote) = tried(quirks.clone());
            let content: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            site.hand().write("d/x", &content);
            let page = Rule::on("GET", Fault::HtmlCut(20)).path("/d/x").times(1);
            site.server.inject(page);
            let failed = fetch(&remote, "d/x").expect_err(name);
            assert_eq!(failed.class, FailureClass::Retry, "{name}: {failed}");
            assert!(
                fetch(&remote, "d/x").expect(name) == content,
                "{name} {size}"
            );
        }
    }
}

#[test]
fn a_page_in_place_of_an_upload_s_answer_does_not_stand_for_a_version_of_the_same_size() {
    for (name, quirks) in Quirks::PRESETS {
        let (site, remote) = tried(quirks());
        let old = Expected::Version(entry(&remote, "d/x").fingerprint);
        site.server
            .inject(Rule::on("PUT", Fault::Html).path("/d/x").times(1));
        let first = put(&remote, "d/x", b"z", &old).map_err(|error| error.class);
        // Some write elsewhere first, and to the name by a move.
        let there = site.hand().read("d/x").expect(name);
        match first {
            Ok(_) => assert_eq!(there, b"z", "{name}"),
            Err(class) => {
                assert_eq!(class, FailureClass::InDoubt, "{name}");
                assert_eq!(there, b"x", "{name}");
            }
        }
    }
}

#[test]
fn folders_of_ours_that_somebody_removed_are_made_again() {
    for quirks in [Quirks::nginx(), Quirks::rclone(), Quirks::wsgidav()] {
        let name = quirks.name;
        let (site, remote) = tried(quirks);
        for room in ["staging", "removed"] {
            site.hand().remove(&format!(".pydio-sync/{room}"));
        }
        let new = || put(&remote, "d/new", b"new", &Expected::Absent);
        let first = new().map(drop).map_err(|error| error.class);
        if first.is_err() {
            assert_eq!(first, Err(FailureClass::Retry), "{name}");
            new().expect(name);
        }
        site.hand().remove(".pydio-sync/removed");
        let y = entry(&remote, "d/y").fingerprint;
        let remove = || run(remote.remove(Seq(9), &path("d/y"), &y));
        let first = remove().map_err(|error| error.class);
        if first.is_err() {
            assert_eq!(first, Err(FailureClass::Retry), "{name}");
            remove().expect(name);
        }
        assert_eq!(site.names(), ["d", "d/new", "d/x"], "{name}");
    }
}

#[test]
fn a_replacement_follows_its_look_whatever_takes_the_places() {
    let mut site = DavSite::of(Quirks::rclone());
    site.place.link.poolsize = 2;
    // The others keep their places for good.
    site.place.link.timeout = Duration::from_secs(3600);
    site.hand().write("edited", b"the old version");
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    try_out(&remote);
    site.age();
    let old = Expected::Version(entry(&remote, "edited").fingerprint);
    let (began, is_looking) = oneshot::channel();
    let slow_look = Rule::on("PROPFIND", Fault::Delay(Duration::from_millis(500)));
    site.server.inject(slow_look.path("/edited"));
    let begin = move || began.send(()).expect("somebody waits");
    site.server.before("PROPFIND", "/edited", begin);
    run(async {
        let edit = pin!(send(&remote, "edited", b"the new version", &old));
        // They take both places, the second one as soon as the look is answered.
        let others = pin!(async {
            is_looking.await.expect("a look");
            site.server.inject(Rule::on("PUT", Fault::Hang).times(2));
            let one = pin!(send(&remote, "one", b"1", &Expected::Absent));
            let two = pin!(send(&remote, "two", b"2", &Expected::Absent));
            select(one, two).await.factor_first().0
        });
        let written = pin!(async {
            for _ in 0..60_000 {
                if site.hand().read("edited").expect("a file") == b"the new version" {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("waited ten minutes");
        });
        match select(select(edit, written), others).await {
            Either::Left(_) => {}
            Either::Right((others, _)) => panic!("it waited for the others: {others:?}"),
        }
    });
}
