//! The change feed of a Pydio server: what it costs and tells, and where a reader of it
//! begins anew.

use crate::folders::{entries, items, path, request, run};
use crate::pydio_site::{Site, all, look, md5, object, put, rename, since};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::Digest;
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::ports::{Changes, Hint, Remote};
use std::collections::BTreeMap;
use std::fs;
use test_servers::pydio::{Fault, Options, Quirk, Quirks, Rule, Workspace};

#[test]
fn the_first_listing_knows_ids_and_hashes_from_one_reading_of_the_feed() {
    let site = Site::of(Quirks::v6_4());
    for number in 0..5 {
        site.write(&format!("d{number}/x"), format!("{number}").as_bytes());
    }
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        assert!(begun.hints.is_empty() && begun.rolled_back.is_none());
        site.server().log().clear();
        let found = all(&remote).await;
        assert_eq!(found.len(), 10);
        assert!(found.values().all(|entry| object(entry).is_some()));
        assert_eq!(found["d3/x"].digest, md5(b"3"));
        assert_eq!(
            site.server().log().counts(),
            BTreeMap::from([("ls".to_owned(), 1)])
        );
    });
}

#[test]
fn an_idle_feed_costs_one_request_and_a_start_needs_no_listing() {
    let site = Site::of(Quirks::v6_4());
    site.write("a", b"a");
    let cursor = run(async { since(&site.remote("client"), None).await.cursor });
    site.write("b", b"b");
    let remote = site.remote("client");
    run(async {
        let first = since(&remote, Some(&cursor)).await;
        assert_eq!(look(&remote, &first).await, ["/ names b", "/b File"]);
        site.server().log().clear();
        let second = since(&remote, Some(&first.cursor)).await;
        assert_eq!((second.hints.len(), second.cursor), (0, first.cursor));
        assert_eq!(site.server().log().total(), 1);
    });
}

#[test]
fn an_edit_of_equal_size_within_one_second_is_seen() {
    let site = Site::of(Quirks::v6_4()).in_new_folder();
    let begun = run(async { since(&site.remote("client"), None).await });
    site.write("f", b"common");
    let first = site.remote("client");
    let second = run(async {
        let changes = since(&first, Some(&begun.cursor)).await;
        assert_eq!(seen_digest(&first, &changes).await, md5(b"common"));
        changes
    });
    site.write("f", b"theirs");
    for cursor in [&begun.cursor, &second.cursor] {
        let remote = site.remote("client");
        run(async {
            let changes = since(&remote, Some(cursor)).await;
            assert_eq!(seen_digest(&remote, &changes).await, md5(b"theirs"));
        });
    }
}

/// What a look at the hints says of the file `f`.
async fn seen_digest(remote: &PydioRemote, changes: &Changes) -> Option<Digest> {
    assert!(!changes.hints.is_empty());
    let asked = request(&[("f", false)]);
    let found = entries(&items(remote.scan(asked)).await.expect("scan"));
    found["f"].digest
}

#[test]
fn a_move_shows_the_same_node_at_its_new_place() {
    let site = Site::of(Quirks::v6_4());
    site.write("d/x", b"x");
    site.write("f", b"f");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        let was = all(&remote).await;
        rename(&site, "f", "d/g");
        rename(&site, "d", "e");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let seen = look(&remote, &changes).await;
        assert!(seen.contains(&"e/g File".to_owned()), "{seen:?}");
        let now = all(&remote).await;
        for (from, to) in [("f", "e/g"), ("d", "e"), ("d/x", "e/x")] {
            assert!(object(&was[from]).is_some());
            assert_eq!(object(&was[from]), object(&now[to]), "{from} to {to}");
        }
    });
}

#[test]
fn what_we_write_has_its_id_at_once_and_its_echo_says_nothing_new() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        let written = put(&remote, "f", b"f", &Expected::Absent).await.entry;
        let folder = remote.make_dir(&path("d")).await.expect("folder");
        assert!(object(&written).is_some() && object(&folder).is_some());
        let echo = since(&remote, Some(&begun.cursor)).await;
        assert_eq!(echo.hints.len(), 2);
        let now = all(&remote).await;
        assert_eq!(
            (&now["f"], now["d"].fingerprint.identity),
            (&written, folder.fingerprint.identity)
        );
    });
}

#[test]
fn a_feed_that_starts_anew_is_told_and_everything_is_looked_at() {
    let site = Site::of(Quirks::v6_4());
    for number in 0..4 {
        site.write(&format!("f{number}"), b"x");
    }
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.server().reset_index().expect("reset");
        let reset = since(&remote, Some(&begun.cursor)).await;
        assert_eq!(reset.hints, [Hint::Rescan]);
        assert!(reset.rolled_back.is_some());
        assert_eq!(
            all(&remote).await.len(),
            4,
            "what stands there stands there"
        );
        // The same cursor again, as after a crash.
        assert!(
            since(&remote, Some(&begun.cursor))
                .await
                .rolled_back
                .is_some()
        );
    });
}

#[test]
fn a_feed_that_was_rolled_back_and_went_on_is_told_by_another_row_at_a_known_number() {
    let site = Site::of(Quirks::v6_4());
    site.write("a", b"a");
    let early = site.server().last_seq();
    for number in 0..3 {
        site.write(&format!("f{number}"), b"x");
    }
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.server().roll_back_index(early).expect("roll back");
        for number in 0..5 {
            site.write(&format!("g{number}"), b"x");
        }
        let changes = since(&remote, Some(&begun.cursor)).await;
        assert_eq!(changes.hints, [Hint::Rescan]);
        assert!(changes.rolled_back.is_some());
        assert_eq!(all(&remote).await.len(), 9);
        let next = since(&remote, Some(&changes.cursor)).await;
        assert!(next.hints.is_empty() && next.rolled_back.is_none());
    });
}

#[test]
fn ids_that_a_restored_server_gives_again_are_other_ids() {
    let site = Site::of(Quirks::v6_4());
    site.write("a", b"a");
    let early = site.server().last_seq();
    site.write("b", b"b");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        let was = all(&remote).await["b"].fingerprint.identity;
        site.server().roll_back_index(early).expect("roll back");
        site.write("c", b"c");
        for remote in [&remote, &site.remote("client")] {
            let changes = since(remote, Some(&begun.cursor)).await;
            assert!(changes.rolled_back.is_some());
            let now = all(remote).await["c"].fingerprint.identity;
            assert_eq!(
                was.map(|was| was.object),
                now.map(|now| now.object),
                "or the test proves nothing"
            );
            assert_ne!(was, now, "it is not `b` that moved");
            let next = site.remote("client");
            since(&next, Some(&changes.cursor)).await;
            assert_eq!(all(&next).await["c"].fingerprint.identity, now);
        }
    });
}

/// Two workspaces of one server, which has one counter for both.
fn two_workspaces() -> (Site, Site) {
    let site = Site::with(|options| {
        options
            .workspace(Workspace::new("1", "sync"))
            .workspace(Workspace::new("2", "other"))
    });
    let mut other = Site::with(|options| options);
    other.place = site.place.clone();
    other.place.workspace = "other".to_owned();
    (site, other)
}

#[test]
fn a_feed_that_lost_the_change_of_what_is_there_went_back_whoever_took_its_number() {
    let (site, other) = two_workspaces();
    site.write("a", b"a");
    let early = site.server().last_seq();
    site.write("a", b"edited");
    let cursor = run(async { since(&site.remote("client"), None).await.cursor });
    site.server().roll_back_index(early).expect("roll back");
    for number in 0..4 {
        other.write(&format!("g{number}"), b"x");
    }
    assert_eq!(site.server().last_seq(), early + 4);
    run(async {
        let changes = since(&site.remote("client"), Some(&cursor)).await;
        assert!(changes.rolled_back.is_some());
        assert_eq!(changes.hints, [Hint::Rescan]);
    });
}

#[test]
fn what_was_restored_and_came_to_the_same_newest_change_is_seen_by_a_process_that_begins() {
    let site = Site::of(Quirks::v6_4());
    site.write("busy", b"0");
    site.write("quiet", b"0");
    let early = site.server().last_seq();
    let edit = |name: &str, round: u32| site.write(name, format!("{round}").as_bytes());
    edit("quiet", 1);
    edit("busy", 1);
    let cursor = run(async { since(&site.remote("client"), None).await.cursor });
    let newest = site.server().last_seq();
    site.server().roll_back_index(early).expect("roll back");
    edit("busy", 2);
    edit("busy", 3);
    assert_eq!(site.server().last_seq(), newest);
    run(async {
        let changes = since(&site.remote("client"), Some(&cursor)).await;
        assert!(
            changes.rolled_back.is_some(),
            "a row before the newest differs"
        );
    });
}

#[test]
fn a_change_between_the_servers_two_queries_is_not_skipped() {
    let site = Site::of(Quirks::v6_4());
    site.write("a", b"a");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.write("b", b"b");
        site.server().inject(Rule::on("changes", Fault::FeedRace));
        let raced = since(&remote, Some(&begun.cursor)).await;
        let later = since(&remote, Some(&raced.cursor)).await;
        let seen = look(&remote, &later).await;
        assert!(seen.contains(&"/b File".to_owned()), "{seen:?}");
    });
}

#[test]
fn a_feed_that_is_cut_or_garbled_leaves_the_cursor_where_it_was() {
    let site = Site::of(Quirks::v6_4());
    site.write("a", b"a");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.write("b", b"b");
        for fault in [
            Fault::CutBody(0),
            Fault::CutBody(40),
            Fault::CutBody(300),
            Fault::Html,
            Fault::Gzip,
            Fault::ErrorInside,
            Fault::Status(502),
        ] {
            site.server()
                .inject(Rule::on("changes", fault.clone()).times(2));
            let failed = remote
                .feed()
                .expect("feed")
                .since(Some(&begun.cursor))
                .await;
            site.server().clear_faults();
            assert_eq!(
                failed.map_err(|error| error.class),
                Err(FailureClass::Retry),
                "{fault:?}"
            );
        }
        let changes = since(&remote, Some(&begun.cursor)).await;
        assert_eq!(look(&remote, &changes).await, ["/ names b", "/b File"]);
    });
}

#[test]
fn a_feed_that_lags_behind_gives_the_id_later() {
    let site = Site::of(Quirks::v6_4().with(Quirk::DeferredEvents));
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        put(&remote, "f", b"f", &Expected::Absent).await;
        let mut cursor = begun.cursor;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let changes = since(&remote, Some(&cursor)).await;
            seen.extend(look(&remote, &changes).await);
            cursor = changes.cursor;
        }
        assert!(seen.contains(&"/f File".to_owned()), "{seen:?}");
        assert!(object(&all(&remote).await["f"]).is_some());
    });
}

#[test]
fn a_filtered_folder_that_is_renamed_is_a_missing_root_and_no_deletions() {
    let mut site = Site::of(Quirks::v6_4());
    site.write("sub/x", b"x");
    site.write("other", b"o");
    site.place.folder = path("sub");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        assert_eq!(all(&remote).await.into_keys().collect::<Vec<_>>(), ["x"]);
        site.place.folder = path("");
        rename(&site, "sub", "gone");
        let root = remote.root().await;
        assert_eq!(root, Ok(pydio_sync::ports::RootState::Missing));
        let changes = since(&remote, Some(&begun.cursor)).await;
        let scanned = items(remote.scan(request(&[("", true)]))).await;
        assert!(scanned.is_err(), "an absent root lists nothing");
        assert!(changes.rolled_back.is_none());
    });
}

#[test]
fn a_cursor_of_another_folder_or_filter_means_looking_at_everything() {
    let mut site = Site::of(Quirks::v6_4());
    site.write("sub/x", b"x");
    let cursor = run(async { since(&site.remote("client"), None).await.cursor });
    site.place.folder = path("sub");
    let remote = site.remote("client");
    run(async {
        let changes = since(&remote, Some(&cursor)).await;
        assert_eq!(
            (changes.hints, changes.rolled_back),
            (vec![Hint::Rescan], None)
        );
        let nonsense = since(&remote, Some("nonsense")).await;
        assert_eq!(nonsense.hints, [Hint::Rescan]);
    });
}

#[test]
fn a_workspace_without_a_feed_says_so_and_is_listed() {
    let site = Site::with(|options: Options| {
        options.workspace(Workspace::new("1", "sync").not_syncable())
    });
    fs::create_dir_all(site.server().folder("sync").join("d")).expect("folder");
    let remote = site.remote("client");
    run(async {
        let class = remote
            .feed()
            .expect("feed")
            .since(None)
            .await
            .map_err(|error| error.class);
        assert_eq!(class, Err(FailureClass::Unsupported));
        put(&remote, "d/x", b"x", &Expected::Absent).await;
        assert_eq!(
            all(&remote).await.into_keys().collect::<Vec<_>>(),
            ["d", "d/x"]
        );
    });
}

#[test]
fn numbers_that_come_as_texts_are_numbers() {
    let site = Site::of(Quirks::v6_4().with(Quirk::TextNumbers));
    site.write("a", b"a");
    let remote = site.remote("client");
    run(async {
        since(&remote, None).await;
        assert_eq!(all(&remote).await["a"].digest, md5(b"a"));
    });
}
