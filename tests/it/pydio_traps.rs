//! Surprises and traps of the Pydio protocol, each met by the client.

use crate::folders::{Memory, entries, items, lines, path, request, run};
use crate::pydio_bench::{Site, put, read};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{DigestKind, Entry, Kind, Seq};
use pydio_sync::adapters::remote::pydio::{PydioRemote, probe, workspaces};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{Chunk, PortResult, Put, PutRequest, Remote, RootState, Source, Task};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use test_servers::pydio::{Options, Quirk, Quirks, Rights, User, Workspace};

async fn try_put(
    remote: &PydioRemote,
    name: &str,
    source: Box<dyn Source>,
    replaces: &Expected,
) -> PortResult<Put> {
    let request = PutRequest {
        id: Seq(1),
        path: &path(name),
        source,
        replaces,
        digest: DigestKind::Md5,
    };
    remote.put(request).await
}

async fn entry(remote: &PydioRemote, name: &str) -> Entry {
    let entry = remote.stat(&path(name)).await.expect("stat");
    entry.unwrap_or_else(|| panic!("{name} is absent"))
}

async fn names(remote: &PydioRemote) -> Vec<String> {
    let items = items(remote.scan(request(&[("", true)])))
        .await
        .expect("scan");
    entries(&items).into_keys().collect()
}

fn class<T>(result: PortResult<T>) -> Option<FailureClass> {
    result.err().map(|error| error.class)
}

/// Content that does something once, when it is first read.
struct Meddling<F: FnMut()>(Box<dyn Source>, Option<F>);

impl<F: FnMut()> Source for Meddling<F> {
    fn entry(&self) -> &Entry {
        self.0.entry()
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        if let Some(mut act) = self.1.take() {
            act();
        }
        self.0.read()
    }

    fn file(&self) -> Option<Arc<fs::File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        self.0.verify()
    }
}

fn small_bodies(options: Options) -> Options {
    options.upload_max(64 * 1024, 1 << 20)
}

/// Content whose pieces differ.
fn long(bytes: usize, salt: u8) -> Vec<u8> {
    (0..bytes).map(|at| (at / 1000) as u8 ^ salt).collect()
}

#[test]
fn an_empty_file_is_made_and_never_by_force() {
    let site = Site::of(Quirks::v6_4());
    site.write("full", b"full");
    let remote = site.remote("client");
    run(async {
        put(&remote, "empty", b"", &Expected::Absent).await;
        let class = class(try_put(&remote, "full", Memory::file(b""), &Expected::Absent).await);
        assert_eq!(class, Some(FailureClass::Precondition));
        assert_eq!(read(&remote, "full").await.expect("full"), b"full");
        // Somebody makes the file between the look and the making.
        let at = site.server().folder("sync").join("raced");
        let taken = at.clone();
        let source = Meddling(
            Memory::file(b""),
            Some(move || fs::write(&taken, "theirs").expect("write")),
        );
        let raced = try_put(&remote, "raced", Box::new(source), &Expected::Absent).await;
        assert_eq!(
            raced.err().map(|error| error.class),
            Some(FailureClass::Precondition)
        );
        assert_eq!(fs::read(&at).expect("theirs"), b"theirs");
        let old = Expected::Version(entry(&remote, "full").await.fingerprint);
        put(&remote, "full", b"", &old).await;
        assert_eq!(read(&remote, "full").await.expect("full"), b"");
        let binned = site.server().folder("sync").join("recycle_bin/full");
        assert_eq!(fs::read(binned).expect("in the bin"), b"full");
    });
    assert_eq!(
        site.server().log().count("upload"),
        1,
        "the one that made it full"
    );
}

#[test]
fn something_new_never_replaces_what_came_in_between() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    let at = site.server().folder("sync").join("f.txt");
    let taken = at.clone();
    run(async {
        let source = Meddling(
            Memory::file(b"ours"),
            Some(move || fs::write(&taken, "theirs").expect("write")),
        );
        let raced = try_put(&remote, "f.txt", Box::new(source), &Expected::Absent).await;
        assert_eq!(class(raced), Some(FailureClass::Precondition));
        assert_eq!(names(&remote).await, ["f.txt"], "our copy is gone again");
    });
    assert_eq!(fs::read(&at).expect("file"), b"theirs");
}

#[test]
fn an_interrupted_large_upload_never_costs_the_old_version() {
    let new = long(300_000, 7);
    for cut_at in 0..6 {
        let site = Site::with(small_bodies);
        site.write("big", b"the old version");
        let remote = site.remote("client");
        run(async {
            let old = Expected::Version(entry(&remote, "big").await.fingerprint);
            let target = path("big");
            let request = PutRequest {
                id: Seq(1),
                path: &target,
                source: Memory::boxed(Kind::File, &new, 10_000),
                replaces: &old,
                digest: DigestKind::Md5,
            };
            let log = site.server().log();
            let mut putting = remote.put(request);
            let before = log.count("upload");
            let mut done = None;
            while log.count("upload") < before + cut_at && done.is_none() {
                tokio::select! {
                    put = &mut putting => done = Some(put),
                    () = tokio::task::yield_now() => {}
                }
            }
            drop(putting);
            let now = site.read("big").expect("there");
            match done {
                None => {
                    let is_old = now == b"the old version";
                    assert!(is_old || cut_at == 5 && now == new, "after {cut_at} pieces");
                }
                Some(put) => {
                    put.expect("put");
                    assert!(now == new);
                }
            }
            // The next try ends whole, whatever is left.
            if now != new {
                put(&remote, "big", &new, &old).await;
            }
            assert!(
                site.read("big") == Some(new.clone()),
                "after {cut_at} pieces"
            );
            assert_eq!(names(&remote).await, ["big"]);
        });
    }
}

#[test]
fn an_upload_goes_on_with_its_part_and_not_with_another_ones() {
    let content = long(300_000, 1);
    for (is_ours, what) in [(true, "ours"), (false, "another one's")] {
        let site = Site::with(small_bodies);
        let remote = site.remote("client");
        let part = site.server().folder("sync").join("big.dlpart");
        let piece = 64 * 1024 - 4096;
        let mut left = content[..2 * piece].to_vec();
        if !is_ours {
            left[0] ^= 1;
        }
        fs::write(&part, &left).expect("part");
        run(async {
            let first = try_put(&remote, "big", Memory::file(&content), &Expected::Absent).await;
            if is_ours {
                first.expect("put");
                assert_eq!(
                    site.server().log().count("upload"),
                    3,
                    "five pieces less two"
                );
            } else {
                assert_eq!(class(first), Some(FailureClass::Retry), "{what}");
                put(&remote, "big", &content, &Expected::Absent).await;
            }
            assert!(
                read(&remote, "big").await == Some(content.clone()),
                "{what}"
            );
            assert!(!part.exists(), "{what}");
        });
    }
}

#[test]
fn content_just_above_the_limit_goes_in_two_pieces_at_least() {
    let site = Site::with(small_bodies);
    let remote = site.remote("client");
    let piece = 64 * 1024 - 4096;
    run(async {
        for (name, size) in [
            ("a", piece),
            ("b", piece + 1),
            ("c", 2 * piece),
            ("d", 2 * piece + 1),
        ] {
            let content = long(size, 3);
            put(&remote, name, &content, &Expected::Absent).await;
            assert!(read(&remote, name).await == Some(content), "{name}");
        }
        assert_eq!(names(&remote).await, ["a", "b", "c", "d"]);
    });
    assert_eq!(site.server().log().count("upload"), 1 + 2 + 2 + 3);
}

#[test]
fn a_limit_below_what_the_server_says_is_found_out() {
    // PHP's limit for whole bodies drops all fields without a word.
    let site = Site::with(|options| options.upload_max(4 << 20, 300 * 1024));
    let remote = site.remote("client");
    let content = long(900_000, 5);
    run(async {
        let mut tries = 0;
        loop {
            tries += 1;
            match try_put(&remote, "big", Memory::file(&content), &Expected::Absent).await {
                Ok(_) => break,
                Err(error) => {
                    assert_eq!(error.class, FailureClass::Retry, "{error}");
                    assert!(tries < 8, "{error}");
                }
            }
        }
        assert!(read(&remote, "big").await == Some(content.clone()));
    });
}

#[test]
fn a_hash_that_stays_stale_is_seen_through() {
    let site = Site::with(small_bodies);
    let remote = site.remote("client");
    run(async {
        for round in 0..3 {
            let old = remote.stat(&path("big")).await.expect("stat");
            let replaces = old.map_or(Expected::Absent, |old| Expected::Version(old.fingerprint));
            let content = long(150_000, round);
            let written = put(&remote, "big", &content, &replaces).await;
            assert_eq!(written.entry.digest, written.source.digest);
            assert!(read(&remote, "big").await == Some(content), "round {round}");
            let now = entry(&remote, "big").await;
            let hashed = remote
                .hash(&path("big"), &now.fingerprint, DigestKind::Md5)
                .await;
            assert_eq!(
                hashed.expect("hash").digest,
                written.source.digest,
                "round {round}"
            );
        }
    });
}

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
        ] {
            let refused = [
                class(try_put(&remote, name, Memory::file(b"x"), &Expected::Absent).await),
                class(remote.make_dir(&path(name)).await),
                class(remote.rename(&path("d"), &path(name), &folder).await),
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
        let name = "e\u{301}t\u{e9}";
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
fn what_lies_in_the_flat_bin_is_never_replaced() {
    let site = Site::of(Quirks::v6_4());
    for (folder, text) in [("a", "one"), ("b", "two"), ("c", "three")] {
        site.write(&format!("{folder}/x.txt"), text.as_bytes());
    }
    let remote = site.remote("client");
    run(async {
        for (id, folder) in (1..).zip(["a", "b", "c"]) {
            let name = format!("{folder}/x.txt");
            let now = entry(&remote, &name).await.fingerprint;
            remote
                .remove(Seq(id), &path(&name), &now)
                .await
                .expect("remove");
        }
    });
    let bin = site.server().folder("sync").join("recycle_bin");
    let mut kept: Vec<String> = fs::read_dir(bin)
        .expect("bin")
        .map(|found| found.expect("entry").path())
        .filter(|found| {
            !found
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        })
        .map(|found: PathBuf| fs::read_to_string(found).expect("text"))
        .collect();
    kept.sort();
    assert_eq!(kept, ["one", "three", "two"]);
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
            class(remote.make_dir(&path("d")).await),
            Some(FailureClass::Denied)
        );
        assert!(names(&remote).await.is_empty());
    });
}

#[test]
fn a_full_quota_and_a_locked_file_are_told_apart() {
    let site = Site::with(|options| {
        options
            .workspace(Workspace::new("1", "sync").quota(3_000_000).with_locks())
            .user(User::new("alice", "secret"))
            .user(User::new("bob", "secret"))
    });
    site.write("locked", b"old");
    let lock = |user: &str| {
        let url = format!("{}/api/sync/sl_lock/locked", site.place.url);
        let user = user.to_owned();
        std::thread::spawn(move || {
            run(async {
                let client = reqwest::Client::new();
                let sent = client
                    .post(url)
                    .basic_auth(user, Some("secret"))
                    .send()
                    .await;
                assert!(sent.expect("lock").status().is_success());
            });
        })
        .join()
        .expect("lock");
    };
    lock("bob");
    let remote = site.remote("client");
    run(async {
        let old = Expected::Version(entry(&remote, "locked").await.fingerprint);
        let locked = try_put(&remote, "locked", Memory::file(b"new"), &old).await;
        assert_eq!(class(locked), Some(FailureClass::Retry));
        let expect = entry(&remote, "locked").await.fingerprint;
        let removed = remote.remove(Seq(1), &path("locked"), &expect).await;
        assert_eq!(class(removed), Some(FailureClass::Retry));
        let large = try_put(
            &remote,
            "large",
            Memory::file(&[0; 4_000_000]),
            &Expected::Absent,
        )
        .await;
        assert_eq!(class(large), Some(FailureClass::NoSpace));
        put(&remote, "small", b"x", &Expected::Absent).await;
        let uploads = site.server().log().entries();
        assert!(
            !uploads
                .iter()
                .any(|entry| entry.action == "upload" && entry.path.contains("large"))
        );
    });
    assert_eq!(site.read("locked").expect("file"), b"old");
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
        assert_eq!(class(refused), Some(FailureClass::Auth));
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
