//! Rows of the protocol that a client meets seldom and must survive all the same.

use crate::folders::{Memory, entries, items, path, run};
use crate::pydio_site::{Site, all, entry, hinted, names, put, read, since, try_put};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Entry, Seq};
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::ports::{Changes, Remote, RootState, ScanRequest};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use test_servers::pydio::{Fault, Options, Quirk, Quirks, Rule, User, Workspace};

/// A look at everything that the feed tells of; what was seen there, gone things as none.
async fn follow(
    remote: &PydioRemote,
    cursor: &mut String,
) -> (Changes, BTreeMap<String, Option<Entry>>) {
    let changes = since(remote, Some(cursor)).await;
    cursor.clone_from(&changes.cursor);
    let targets = hinted(&changes);
    let paths = targets.iter().map(|target| (target.path.to_string(), None));
    let mut seen: BTreeMap<_, _> = paths.collect();
    let found = items(remote.scan(ScanRequest { targets })).await;
    let found = entries(&found.expect("scan"));
    seen.extend(found.into_iter().map(|(path, entry)| (path, Some(entry))));
    (changes, seen)
}

async fn begin(remote: &PydioRemote) -> String {
    since(remote, None).await.cursor
}

fn without_bin(quirks: Quirks) -> Site {
    Site::with(|options: Options| {
        let workspace = Workspace::new("1", "sync").without_bin();
        options.quirks(quirks).workspace(workspace)
    })
}

/// Renames as another client, whatever its own index says.
fn rename(site: &Site, from: &str, to: &str) {
    let answer = site.ask("rename/", &format!("file=/{from}&dest=/{to}"));
    assert!(answer.contains("SUCCESS"), "{answer}");
}

fn delete(site: &Site, name: &str) {
    let answer = site.ask("delete/", &format!("file=/{name}"));
    assert!(answer.contains("SUCCESS"), "{answer}");
}

#[test]
fn a_resume_asks_for_no_hash_of_a_part_by_range() {
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at / 999) as u8).collect();
    let site = Site::with(|options| options.upload_max(64 * 1024, 1 << 20));
    let remote = site.remote("client");
    run(async {
        site.server()
            .inject(Rule::on("upload", Fault::LoseAnswer).nth(3));
        let first = try_put(&remote, "big", Memory::file(&content), &Expected::Absent).await;
        assert!(first.is_err());
        put(&remote, "big", &content, &Expected::Absent).await;
        site.server()
            .inject(Rule::on("download", Fault::CutBody(100_000)));
        assert!(read(&remote, "big").await == Some(content.clone()));
    });
    let entries = site.server().log().entries();
    let ranged = entries.iter().filter(|entry| entry.range.is_some());
    let ranged: Vec<_> = ranged.map(|entry| entry.action.as_str()).collect();
    assert_eq!(ranged, ["download"], "the one that went on");
    let uploads = site.server().log().count("upload");
    assert!(
        uploads < 3 + 5,
        "{uploads}: the pieces that were there stayed"
    );
}

#[test]
fn no_query_ever_becomes_part_of_an_action() {
    let site = Site::of(Quirks::none().with(Quirk::QueryInAction));
    let remote = site.remote("client");
    run(async {
        assert!(matches!(remote.root().await, Ok(RootState::Present { .. })));
        remote.make_dir(&path("d")).await.expect("folder");
        put(&remote, "d/f", b"f", &Expected::Absent).await;
        put(&remote, "large", &[7; 2 << 20], &Expected::Absent).await;
        let now = entry(&remote, "d/f").await.fingerprint;
        remote
            .rename(&path("d/f"), &path("g"), &now)
            .await
            .expect("rename");
        remote
            .remove(Seq(1), &path("g"), &now)
            .await
            .expect("remove");
        let mut cursor = begin(&remote).await;
        follow(&remote, &mut cursor).await;
        assert_eq!(names(&remote).await, ["d", "large"]);
    });
    let counts = site.server().log().counts();
    let odd = counts.keys().find(|action| action.contains('?'));
    assert_eq!(odd, None, "{counts:?}");
    assert!(counts.len() >= 10, "{counts:?}");
}

#[test]
fn every_request_comes_from_what_the_server_takes_for_a_sync_client() {
    let site = Site::with(|options| options.upload_max(64 * 1024, 1 << 20).pages(3, 2));
    let remote = site.remote("client");
    run(async {
        let mut cursor = begin(&remote).await;
        for number in 0..5 {
            put(&remote, &format!("f{number}"), b"1", &Expected::Absent).await;
        }
        put(&remote, "large", &[7; 200_000], &Expected::Absent).await;
        read(&remote, "large").await.expect("content");
        follow(&remote, &mut cursor).await;
        assert_eq!(all(&remote).await.len(), 6);
    });
    let entries = site.server().log().entries();
    assert!(entries.iter().any(|entry| entry.action == "ls"));
    let other = entries
        .iter()
        .find(|entry| !entry.agent.contains("python-requests"));
    assert_eq!(other, None);
}

#[test]
fn a_download_goes_on_rightly_whatever_the_server_makes_of_a_range() {
    let content: Vec<u8> = (0..300_000_u32).map(|at| (at / 999) as u8).collect();
    let six = Quirks::v6_4();
    let real = six.without(Quirk::ExclusiveRange);
    for quirks in [six, real, six.with(Quirk::RangeIgnored)] {
        let site = Site::of(quirks);
        site.write("big", &content);
        let remote = site.remote("client");
        run(async {
            for cut in [1, 150_000, 299_999] {
                site.server()
                    .inject(Rule::on("download", Fault::CutBody(cut)));
                let found = read(&remote, "big").await;
                assert!(found.as_deref() == Some(&content[..]), "{quirks:?} {cut}");
            }
            // Shorter by now: what is left of it is not the rest of what was asked for.
            let now = entry(&remote, "big").await.fingerprint;
            let mut source = remote.open(&path("big"), &now).await.expect("open");
            site.server()
                .inject(Rule::on("download", Fault::CutBody(200_000)));
            let mut last = source.read().await;
            fs::write(site.server().folder("sync").join("big"), &content[..1000]).expect("file");
            while matches!(&last, Ok(Some(_))) {
                last = source.read().await;
            }
            assert!(last.is_err(), "{quirks:?}");
        });
    }
}

#[test]
fn what_is_written_after_a_deletion_in_the_background_stays() {
    let site = without_bin(Quirks::v8_2());
    let at = |name: &str| site.server().folder("sync").join(name);
    for name in ["large", "emptied"] {
        let file = fs::File::create(at(name)).expect("file");
        file.set_len(11 << 20).expect("length");
    }
    let remote = site.remote("client");
    run(async {
        let now = entry(&remote, "large").await.fingerprint;
        let removed = remote.remove(Seq(1), &path("large"), &now).await;
        assert_eq!(removed, Ok(()));
        assert!(!at("large").exists(), "it is gone when that is said");
        put(&remote, "large", b"anew", &Expected::Absent).await;
        let old = Expected::Version(entry(&remote, "emptied").await.fingerprint);
        put(&remote, "emptied", b"", &old).await;
        for _ in 0..10 {
            remote.root().await.expect("root");
        }
    });
    assert_eq!(fs::read(at("large")).expect("file"), b"anew");
    assert_eq!(fs::read(at("emptied")).expect("file"), b"");
}

#[test]
fn a_deletion_in_the_background_that_meets_another_version_is_in_doubt() {
    let site = without_bin(Quirks::v8_2());
    let at = site.server().folder("sync").join("large");
    let file = fs::File::create(&at).expect("file");
    file.set_len(11 << 20).expect("length");
    let remote = site.remote("client");
    run(async {
        let now = entry(&remote, "large").await.fingerprint;
        let target = path("large");
        let mut removing = remote.remove(Seq(1), &target, &now);
        let log = site.server().log();
        while log.count("delete") == 0 {
            tokio::select! {
                ended = &mut removing => panic!("{ended:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        fs::write(&at, "somebody else's").expect("write");
        let ended = removing.await.map_err(|error| error.class);
        // The server takes its time for some requests more, so a look meets this version
        // first, which is not what was to be deleted.
        assert_eq!(ended, Err(FailureClass::InDoubt));
        assert_eq!(fs::read(&at).expect("not waited for"), b"somebody else's");
    });
}

#[test]
fn rows_that_only_tell_the_time_of_a_folder_cost_no_look() {
    let site = Site::of(Quirks::v6_4());
    site.write("d/e/x", b"x");
    let remote = site.remote("client");
    run(async {
        let mut cursor = begin(&remote).await;
        let was = all(&remote).await;
        for folder in ["d", "d/e"] {
            let folder = fs::File::open(site.server().folder("sync").join(folder));
            let time = std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            folder.expect("folder").set_modified(time).expect("time");
        }
        site.ask("resync_storage/", "");
        site.server().log().clear();
        let (changes, _) = follow(&remote, &mut cursor).await;
        assert_eq!(changes.hints, []);
        assert_eq!(site.server().log().total(), 1);
        let rows = site.ask("changes/0/?stream=true", "");
        assert!(rows.contains("\"type\":\"content\""), "{rows}");
        assert_eq!(
            all(&remote).await,
            was,
            "a folder's time is no change of it"
        );
    });
}

#[test]
fn what_comes_back_from_the_bin_is_the_node_that_it_was() {
    let site = Site::of(Quirks::v6_4());
    site.write("d/f", b"f");
    let remote = site.remote("client");
    run(async {
        let mut cursor = begin(&remote).await;
        let was = all(&remote).await;
        assert!(was["d/f"].fingerprint.identity.is_some());
        delete(&site, "d/f");
        let (_, gone) = follow(&remote, &mut cursor).await;
        assert_eq!(gone["d/f"], None);
        assert!(!gone.keys().any(|path| path.contains("recycle_bin")));
        site.ask("restore/", "file=/recycle_bin/f&dir=/recycle_bin");
        let (_, back) = follow(&remote, &mut cursor).await;
        assert_eq!(back["d/f"].as_ref(), Some(&was["d/f"]));
        // A folder with everything in it, by way of the bin under another name.
        delete(&site, "d");
        follow(&remote, &mut cursor).await;
        rename(&site, "recycle_bin/d", "elsewhere");
        let (_, moved) = follow(&remote, &mut cursor).await;
        assert_eq!(moved["elsewhere/f"].as_ref(), Some(&was["d/f"]));
    });
}

#[test]
fn what_survived_a_false_deletion_is_followed_although_the_feed_lost_it() {
    let site = without_bin(Quirks::v6_4());
    for name in ["foo", "foo.txt", "food/x", "fool/y", "foolish"] {
        site.write(name, name.as_bytes());
    }
    let remote = site.remote("client");
    run(async {
        let mut cursor = begin(&remote).await;
        all(&remote).await;
        delete(&site, "foo");
        let (_, seen) = follow(&remote, &mut cursor).await;
        assert_eq!(seen["foo"], None);
        for name in ["foo.txt", "food", "food/x", "fool", "fool/y", "foolish"] {
            assert!(seen[name].is_some(), "{name}");
        }
        rename(&site, "foo.txt", "renamed.txt");
        let (_, seen) = follow(&remote, &mut cursor).await;
        assert!(seen["renamed.txt"].is_some());
        assert_eq!(seen["foo.txt"], None, "the feed said nothing of it");
        rename(&site, "food", "moved");
        let (_, seen) = follow(&remote, &mut cursor).await;
        assert!(seen["moved"].is_some() && seen["moved/x"].is_some());
        assert_eq!(seen["food"], None);
        site.write("foolish", b"edited");
        let (_, seen) = follow(&remote, &mut cursor).await;
        let edited = seen["foolish"].as_ref().map(|entry| entry.fingerprint.size);
        assert_eq!(edited, Some(6));
        let whole: Vec<String> = all(&remote).await.into_keys().collect();
        let now = [
            "fool",
            "fool/y",
            "foolish",
            "moved",
            "moved/x",
            "renamed.txt",
        ];
        assert_eq!(whole, now);
    });
}

#[test]
fn what_rights_hide_is_gone_and_what_they_show_is_new_and_nothing_was_rolled_back() {
    let site = Site::with(|options| {
        options
            .user(User::new("alice", "secret"))
            .user(User::new("bob", "secret"))
    });
    let mut bob = Site::with(|options| options);
    bob.place = site.place.clone();
    bob.place.user = "bob".to_owned();
    for name in ["secret/s", "open/o", "open/deep/d"] {
        site.write(name, name.as_bytes());
    }
    let mask = |folder: &str, is_hidden: bool| {
        site.server().mask("bob", "sync", folder, is_hidden);
    };
    mask("/secret", true);
    let remote = bob.remote("client");
    run(async {
        let mut cursor = begin(&remote).await;
        let visible: Vec<String> = all(&remote).await.into_keys().collect();
        assert_eq!(visible, ["open", "open/deep", "open/deep/d", "open/o"]);
        rename(&site, "secret/s", "open/shown");
        rename(&site, "open/o", "secret/hidden");
        let (changes, seen) = follow(&remote, &mut cursor).await;
        assert_eq!(changes.rolled_back, None);
        assert!(seen["open/shown"].is_some());
        assert_eq!(seen["open/o"], None);
        assert!(
            !seen.keys().any(|path| path.starts_with("secret")),
            "{seen:?}"
        );
        // A right that is taken away alters rows that were read before.
        mask("/open/deep", true);
        site.write("open/new", b"n");
        let (changes, _) = follow(&remote, &mut cursor).await;
        assert_eq!(changes.rolled_back, None);
        let visible: Vec<String> = all(&remote).await.into_keys().collect();
        assert_eq!(visible, ["open", "open/new", "open/shown"]);
        mask("/open", true);
        let (changes, _) = follow(&remote, &mut cursor).await;
        assert_eq!(changes.rolled_back, None);
        assert_eq!(all(&remote).await.len(), 0);
        mask("/open", false);
        mask("/secret", false);
        mask("/open/deep", false);
        let (changes, _) = follow(&remote, &mut cursor).await;
        assert_eq!(changes.rolled_back, None);
        assert_eq!(all(&remote).await.len(), 7);
    });
}
