//! What the change feed of a Pydio server leaves out, mixes up or tells wrongly, and how it
//! is seen all the same: looks at what it hints at, listings, the times of folders.

use crate::folders::{path, run};
use crate::pydio_site::{Site, all, look, md5, object, put, rename, since};
use journal_format::event::Expected;
use pydio_sync::ports::{Hint, Remote};
use std::fs;
use std::time::Duration;
use test_servers::pydio::{Quirk, Quirks, Workspace};

#[test]
fn a_false_deletion_of_everything_that_begins_alike_is_looked_at_and_not_believed() {
    let quirks = Quirks::v6_4();
    let site = Site::with(|options| {
        let workspace = Workspace::new("1", "sync").without_bin();
        options.quirks(quirks).workspace(workspace)
    });
    for name in ["foo/x", "foobar/y", "foo.txt"] {
        site.write(name, b"1");
    }
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        all(&remote).await;
        site.ask("delete/", "file=/foo");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let seen = look(&remote, &changes).await;
        for there in ["/foobar Directory", "foobar/y File", "/foo.txt File"] {
            assert!(seen.contains(&there.to_owned()), "{there}: {seen:?}");
        }
        assert!(
            !seen.iter().any(|line| line.starts_with("/foo ")),
            "{seen:?}"
        );
        assert_eq!(all(&remote).await.len(), 3);
    });
}

#[test]
fn names_that_the_database_mixes_up_never_get_each_others_hash() {
    let site = Site::of(Quirks::v6_4());
    for (name, text) in [("Abc.txt", "1"), ("abc.txt", "2"), ("abç.txt", "3")] {
        site.write(name, text.as_bytes());
    }
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.write("abc.txt", b"4");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let seen = look(&remote, &changes).await;
        assert!(seen.contains(&"/abc.txt File".to_owned()), "{seen:?}");
        let now = all(&remote).await;
        for (name, text) in [("Abc.txt", "1"), ("abc.txt", "4"), ("abç.txt", "3")] {
            let entry = &now[name];
            assert!(
                entry.digest.is_none() || entry.digest == md5(text.as_bytes()),
                "{name}"
            );
            let hashed = remote
                .hash(
                    &path(name),
                    &entry.fingerprint,
                    remote.capabilities().digest,
                )
                .await;
            assert_eq!(hashed.expect("hash").digest, md5(text.as_bytes()), "{name}");
        }
        rename(&site, "abc.txt", "other.txt");
        let renamed = since(&remote, Some(&changes.cursor)).await;
        let seen = look(&remote, &renamed).await;
        // The feed says that all three were renamed: each is looked at under both names.
        let there: Vec<&String> = seen.iter().filter(|line| line.ends_with(" File")).collect();
        assert_eq!(there, ["/Abc.txt File", "/abç.txt File", "/other.txt File"]);
        assert!(
            seen.iter()
                .any(|line| line.contains(" names ") && line.contains(" abc.txt")),
            "{seen:?}"
        );
        let names: Vec<String> = all(&remote).await.into_keys().collect();
        assert_eq!(names, ["Abc.txt", "abç.txt", "other.txt"]);
    });
}

#[test]
fn a_rename_of_letters_case_alone_is_looked_at_under_both_names() {
    let site = Site::of(Quirks::v6_4());
    site.write("Abc.txt", b"x");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        rename(&site, "Abc.txt", "abc.txt");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let seen = look(&remote, &changes).await;
        assert_eq!(seen, ["/ names Abc.txt abc.txt", "/abc.txt File"]);
    });
}

#[test]
fn names_that_the_feed_never_shows_are_in_the_full_listing() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        site.write("😀.txt", b"x");
        let changes = since(&remote, Some(&begun.cursor)).await;
        assert!(changes.hints.is_empty());
        let found = all(&remote).await;
        assert_eq!(found["😀.txt"].fingerprint.identity, None);
    });
}

#[test]
fn a_database_that_hides_moves_of_folders_is_caught_by_the_full_listing() {
    let site = Site::of(Quirks::v6_4().with(Quirk::Sqlite));
    site.write("d/x", b"x");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        all(&remote).await;
        rename(&site, "d", "e");
        since(&remote, Some(&begun.cursor)).await;
        let names: Vec<String> = all(&remote).await.into_keys().collect();
        assert_eq!(names, ["e", "e/x"]);
        // Our own move carries the ids although the feed is silent.
        let was = all(&remote).await;
        let folder = was["e"].fingerprint.clone();
        remote
            .rename(&path("e"), &path("f"), &folder)
            .await
            .expect("rename");
        let now = all(&remote).await;
        assert_eq!(now["f/x"], was["e/x"]);
    });
}

/// Makes all folders of the workspace old, so that a change shows in their seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's disk has the machine's time"
)]
fn age(site: &Site, names: &[&str]) {
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for name in names {
        let folder = site.server().folder("sync").join(name);
        let folder = fs::File::open(folder).expect("folder");
        folder.set_modified(long_ago).expect("time");
    }
}

#[test]
fn what_no_feed_shows_shows_in_the_times_of_folders() {
    type Act = fn(&Site);
    let cases: [(Quirks, Act, &str); 2] = [
        (
            Quirks::v6_4().with(Quirk::Sqlite),
            |site| rename(site, "top/d", "top/e"),
            "top/e/x",
        ),
        (
            Quirks::v6_4(),
            |site| site.write("top/😀.txt", b"y"),
            "top/😀.txt",
        ),
    ];
    for (quirks, act, wanted) in cases {
        let mut site = Site::of(quirks);
        site.place.link.recheck = Duration::ZERO;
        site.write("top/d/x", b"x");
        site.write("other/y", b"y");
        age(&site, &["", "top", "top/d", "other"]);
        let remote = site.remote("client");
        run(async {
            let begun = since(&remote, None).await;
            all(&remote).await;
            let first = since(&remote, Some(&begun.cursor)).await;
            assert!(first.hints.is_empty());
            act(&site);
            let changes = since(&remote, Some(&first.cursor)).await;
            let found = look(&remote, &changes).await.join("\n");
            let name = wanted.rsplit('/').next().expect("name");
            assert!(found.contains(name), "{found}");
            assert!(!found.contains("other"), "{found}");
            // What was told once is not told again; it costs a request.
            site.server().log().clear();
            let again = since(&remote, Some(&changes.cursor)).await;
            assert_eq!(again.hints, []);
            assert_eq!(site.server().log().total(), 2);
        });
    }
}

#[test]
fn a_change_that_the_feed_or_we_tell_of_is_no_hidden_one() {
    let mut site = Site::of(Quirks::v6_4());
    site.place.link.recheck = Duration::ZERO;
    site.write("top/d/x", b"x");
    age(&site, &["", "top", "top/d"]);
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        all(&remote).await;
        let first = since(&remote, Some(&begun.cursor)).await;
        put(&remote, "top/ours", b"1", &Expected::Absent).await;
        site.write("top/d/theirs", b"2");
        let changes = since(&remote, Some(&first.cursor)).await;
        let mut found = look(&remote, &changes).await;
        found.retain(|line| !line.contains(" names "));
        assert_eq!(found, ["top/d/theirs File", "top/ours File"]);
        // A process that listed nothing looks at everything once.
        let fresh = site.remote("client");
        let first = since(&fresh, Some(&changes.cursor)).await;
        assert!(first.hints.is_empty());
        let second = since(&fresh, Some(&first.cursor)).await;
        assert_eq!(second.hints, [Hint::Rescan]);
    });
}

#[test]
fn several_ids_for_one_path_are_no_identity() {
    let site = Site::with(|options| options.upload_max(64 * 1024, 1 << 20));
    site.write("big", &[1; 200_000]);
    site.write("big", &[2; 200_000]);
    let remote = site.remote("client");
    run(async {
        since(&remote, None).await;
        let found = all(&remote).await;
        assert_eq!(object(&found["big"]), None);
        let known = found["big"].digest;
        assert!(known.is_none() || known == md5(&[2; 200_000]));
    });
}

#[test]
fn an_index_that_was_made_anew_deletes_nothing() {
    let site = Site::of(Quirks::v6_4());
    site.write("d/x", b"x");
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        let was = all(&remote).await;
        site.server().reindex("sync");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let seen = look(&remote, &changes).await;
        assert!(
            seen.contains(&"d/x File".to_owned()) && seen.contains(&"/d Directory".to_owned()),
            "{seen:?}"
        );
        let now = all(&remote).await;
        assert_eq!(now["d/x"].digest, was["d/x"].digest);
        assert_ne!(object(&now["d/x"]), object(&was["d/x"]));
    });
}
