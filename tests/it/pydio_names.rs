//! Names, roots and listings of a Pydio server, and what they cost.

use crate::folders::{Memory, items, lines, path, request, run};
use crate::pydio_site::{Site, class, entry, names, put, read, try_put};
use journal_format::event::{Expected, FailureClass};
use pydio_sync::adapters::remote::pydio::{probe, workspaces};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{Remote, RootState};
use std::fs;
use test_servers::pydio::{Quirk, Quirks, Rights, User, Workspace};

#[test]
fn names_the_server_would_alter_are_refused_before_anything_is_sent() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        remote.make_dir(&path("d")).await.expect("folder");
        let folder = entry(&remote, "d").await.fingerprint;
        site.server().log().clear();
        for name in [
            ".x",
            "a?b",
            "a|b",
            "a\"b",
            "a\\b",
            "a<b",
            "a>b",
            " a",
            "a\tb",
            "&amp;",
            "recycle_bin_2",
            "x.dlpart",
            "e\u{301}t\u{e9}",
        ] {
            let refused = [
                class(&try_put(&remote, name, Memory::file(b"x"), &Expected::Absent).await),
                class(&remote.make_dir(&path(name)).await),
                class(&remote.rename(&path("d"), &path(name), &folder).await),
            ];
            assert_eq!(refused, [Some(FailureClass::Unsupported); 3], "{name}");
        }
        assert_eq!(site.server().log().total(), 0);
    });
}

#[test]
fn names_that_cannot_be_reached_are_told_as_such_and_never_as_absent() {
    let site = Site::of(Quirks::v6_4());
    let root = site.server().folder("sync");
    for name in ["a<b>.txt", "a|b", "fine", ".hidden", "x.dlpart"] {
        fs::write(root.join(name), "x").expect("file");
    }
    let remote = site.remote("client");
    let whole = lines(&run(items(remote.scan(request(&[("", true)])))).expect("scan"));
    assert_eq!(
        whole,
        [
            "/ whole",
            "/a<b>.txt InvalidName",
            "/a|b InvalidName",
            "/fine File",
            "/recycle_bin Excluded",
            "/x.dlpart Excluded"
        ]
    );
    let asked = request(&[("a<b>.txt", false), ("fine", false), ("nothing", false)]);
    let single = lines(&run(items(remote.scan(asked))).expect("scan"));
    assert_eq!(
        single,
        [
            "/ names a<b>.txt fine nothing",
            "/a<b>.txt InvalidName",
            "/fine File"
        ]
    );
}

#[test]
fn every_fine_name_is_written_signed_and_read_back_under_any_base() {
    let fine = [
        "a b~c+d.txt",
        "100%",
        "%41",
        "a#b",
        "a;b",
        "a,b",
        "it's",
        "[x]{y}",
        "$a=b@c:d*e",
        "a&b",
        "(1)!",
        "\u{a0}x",
        "日本",
        "Привет",
        "é",
        "😀",
        "trail ",
        "trail.",
        "-",
        "_.x",
    ];
    for (base, written) in [("", ""), ("/%7Eme/caf%C3%A9%20x", "/~me/caf%c3%a9 x")] {
        let mut site = Site::with(|options| options.quirks(Quirks::v8_2()).base(base));
        site.place.url = site.place.url.replace(base, written);
        let remote = site.remote("client");
        run(async {
            for name in fine {
                put(&remote, name, name.as_bytes(), &Expected::Absent).await;
                assert_eq!(
                    read(&remote, name).await.expect(name),
                    name.as_bytes(),
                    "{name}"
                );
            }
            assert_eq!(names(&remote).await.len(), fine.len());
        });
    }
}

#[test]
fn a_decomposed_name_of_ours_is_found_as_the_server_composes_it() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        let name = "e\u{301}te\u{301}";
        put(&remote, name, b"x", &Expected::Absent).await;
        assert_eq!(read(&remote, name).await.expect("file"), b"x");
        assert_eq!(names(&remote).await, ["\u{e9}t\u{e9}"]);
    });
    // A folder that another client made keeps its form.
    let folder = "u\u{308}";
    fs::create_dir(site.server().folder("sync").join(folder)).expect("folder");
    let late = site.remote("late");
    run(async {
        let name = format!("{folder}/x");
        put(&late, &name, b"y", &Expected::Absent).await;
        assert_eq!(read(&late, &name).await.expect("file"), b"y");
    });
    assert!(site.server().folder("sync").join(folder).join("x").exists());
}

#[test]
fn a_folder_above_the_page_limit_is_listed_whole_and_recursion_is_not_trusted() {
    let site = Site::with(|options| options.pages(10, 4));
    let root = site.server().folder("sync");
    for folder in ["many", "many/z-inner", "few"] {
        fs::create_dir_all(root.join(folder)).expect("folder");
    }
    for number in 0..23 {
        fs::write(root.join(format!("many/f{number:02}")), "x").expect("file");
        fs::write(root.join(format!("many/z-inner/g{number:02}")), "x").expect("file");
    }
    fs::write(root.join("few/one"), "x").expect("file");
    let remote = site.remote("client");
    let seen = lines(&run(items(remote.scan(request(&[("", true)])))).expect("scan"));
    assert_eq!(
        seen.iter()
            .filter(|line| line.starts_with("many/f"))
            .count(),
        23
    );
    assert_eq!(
        seen.iter()
            .filter(|line| line.starts_with("many/z-inner/g"))
            .count(),
        23
    );
    assert_eq!(
        seen.iter().filter(|line| line.ends_with(" whole")).count(),
        4
    );
}

#[test]
fn many_small_files_cost_about_one_request_each() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        let feed = remote.feed().expect("feed");
        feed.since(None).await.expect("begin");
        site.server().log().clear();
        let files: Vec<String> = (0..200).map(|number| format!("f{number:03}")).collect();
        let puts = files
            .iter()
            .map(|name| put(&remote, name, name.as_bytes(), &Expected::Absent));
        futures::future::join_all(puts).await;
        let folders: Vec<_> = (0..50)
            .map(|number| path(&format!("d{number:02}")))
            .collect();
        let made =
            futures::future::join_all(folders.iter().map(|folder| remote.make_dir(folder))).await;
        assert!(made.iter().all(Result::is_ok));
        let counts = site.server().log().counts();
        assert_eq!(counts.get("upload"), Some(&200));
        assert!(site.server().log().total() < 240, "{counts:?}");
        assert_eq!(names(&remote).await.len(), 250);
        site.server().log().clear();
        let gets = files.iter().map(|name| read(&remote, name));
        for (name, bytes) in files.iter().zip(futures::future::join_all(gets).await) {
            assert_eq!(bytes.as_deref(), Some(name.as_bytes()));
        }
        let counts = site.server().log().counts();
        assert_eq!(counts.get("download"), Some(&200));
        assert!(site.server().log().total() < 240, "{counts:?}");
    });
}

#[test]
fn a_read_only_workspace_is_told_with_a_way_out() {
    let site = Site::with(|options| {
        let alice = User::new("alice", "secret").limited("sync", Some(Rights::Read));
        options.user(alice)
    });
    let remote = site.remote("client");
    run(async {
        let refused = try_put(&remote, "f", Memory::file(b"x"), &Expected::Absent).await;
        let error = refused.expect_err("refused");
        assert_eq!(error.class, FailureClass::Denied);
        assert!(error.message.contains("`down`"), "{error}");
        assert_eq!(
            class(&remote.make_dir(&path("d")).await),
            Some(FailureClass::Denied)
        );
        assert!(names(&remote).await.is_empty());
    });
}

#[test]
fn a_workspace_or_folder_that_is_not_there_is_missing_and_never_empty() {
    let mut site = Site::with(|options| {
        options
            .workspace(Workspace::new("1", "sync"))
            .workspace(Workspace::new("2", "secret"))
            .user(User::new("alice", "secret").limited("secret", None))
    });
    for (workspace, folder) in [("nothing", ""), ("secret", ""), ("sync", "no/folder")] {
        site.place.workspace = workspace.to_owned();
        site.place.folder = path(folder);
        let remote = site.remote("client");
        assert_eq!(
            run(remote.root()),
            Ok(RootState::Missing),
            "{workspace}/{folder}"
        );
        let scanned = run(items(remote.scan(request(&[("", true)]))));
        assert!(scanned.is_err(), "{workspace}/{folder}");
    }
}

#[test]
fn a_root_is_known_by_id_alias_and_scheme_free_name() {
    let mut site = Site::with(|options| {
        options
            .workspace(Workspace::new("7", "sync"))
            .workspace(Workspace::new("8", "mine").per_user())
            .user(User::new("alice", "secret"))
            .user(User::new("bob", "secret"))
    });
    let mut marker = |workspace: &str, folder: &str, user: &str| {
        site.place.workspace = workspace.to_owned();
        site.place.folder = path(folder);
        site.place.user = user.to_owned();
        run(site.remote("client").root()).expect("root")
    };
    let known = marker("sync", "", "alice");
    assert!(matches!(&known, RootState::Present { marker: Some(_) }));
    assert_eq!(marker("7", "", "alice"), known);
    assert_eq!(marker("sync", "", "bob"), known);
    let own = marker("mine", "", "alice");
    assert_ne!(own, known);
    assert_ne!(
        marker("mine", "", "bob"),
        own,
        "each user has a tree of its own there"
    );
}

#[test]
fn workspaces_and_facts_are_told_before_a_job_is_made() {
    let site = Site::with(|options| {
        options
            .workspace(Workspace::new("1", "sync").quota(1 << 20))
            .workspace(Workspace::new("2", "plain").not_syncable())
            .user(User::new("alice", "secret").limited("plain", Some(Rights::Read)))
    });
    run(async {
        let all = workspaces(&site.place, Secret::new("secret"), "probe")
            .await
            .expect("workspaces");
        let syncable = all.iter().filter(|found| found.is_syncable());
        let slugs: Vec<&str> = syncable.map(|found| found.slug.as_str()).collect();
        assert_eq!(slugs, ["sync", "plain"]);
        assert!(all[0].has_feed && all[0].is_writable && !all[1].has_feed && !all[1].is_writable);
        let report = probe(&site.place, Secret::new("secret"), "probe")
            .await
            .expect("report");
        assert!(report.facts.iter().all(|fact| fact.is_good), "{report:?}");
        let refused = probe(&site.place, Secret::new("wrong"), "probe").await;
        assert_eq!(class(&refused), Some(FailureClass::Auth));
        let mut elsewhere = site.place.clone();
        elsewhere.workspace = "nothing".to_owned();
        let report = probe(&elsewhere, Secret::new("secret"), "probe")
            .await
            .expect("report");
        assert!(report.facts[0].text.contains("sync"), "{report:?}");
    });
}

#[test]
fn a_server_without_hashes_or_tokens_is_served_all_the_same() {
    let site = Site::of(Quirks::v6_4().with(Quirk::NoTokens).with(Quirk::EmptyArray));
    let remote = site.remote("client");
    run(async {
        put(&remote, "f", b"f", &Expected::Absent).await;
        assert_eq!(read(&remote, "f").await.expect("file"), b"f");
        assert_eq!(names(&remote).await, ["f"]);
    });
    let asked = site.server().log().count("keystore_generate_auth_token");
    assert_eq!(asked, 1, "a refusal is for good");
}
