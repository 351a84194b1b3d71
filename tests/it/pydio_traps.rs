//! Surprises and traps of the Pydio protocol, each met by the client.

use crate::folders::{Memory, Watched, path, run};
use crate::pydio_site::{Site, class, entry, names, put, read, try_put, try_put_as};
use futures::future::join_all;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{DigestKind, Kind, Seq};
use pydio_sync::ports::{PutRequest, Remote};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use test_servers::pydio::{Fault, Options, Quirks, Rule, User, Workspace};

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
        let class = class(&try_put(&remote, "full", Memory::file(b""), &Expected::Absent).await);
        assert_eq!(class, Some(FailureClass::Precondition));
        assert_eq!(read(&remote, "full").await.expect("full"), b"full");
        // Somebody makes the file between the look and the making.
        let at = site.server().folder("sync").join("raced");
        let taken = at.clone();
        let source = Watched(Memory::file(b""), move || {
            fs::write(&taken, "theirs").expect("write")
        });
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
        let source = Watched(Memory::file(b"ours"), move || {
            fs::write(&taken, "theirs").expect("write")
        });
        let raced = try_put(&remote, "f.txt", Box::new(source), &Expected::Absent).await;
        assert_eq!(class(&raced), Some(FailureClass::Precondition));
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
                    assert!(is_old || cut_at >= 5 && now == new, "after {cut_at} pieces");
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

/// Cuts at each request in turn, in each way, the whole upload of a new version.
#[test]
fn an_upload_cut_at_any_request_costs_no_version_and_no_second_run() {
    let new = long(300_000, 7);
    for fault in [
        Fault::Refuse,
        Fault::LoseAnswer,
        Fault::Status(503),
        Fault::CutRequest(30_000),
        // The process is killed before and after the server did its part.
        Fault::Hang,
        Fault::HangAfter,
    ] {
        for nth in 1.. {
            let case = format!("{fault:?} at request {nth}");
            let site = Site::with(small_bodies);
            site.write("big", b"the old version");
            let log = site.server().log();
            let is_cut = || log.entries().iter().any(|entry| entry.faulty);
            run(async {
                let remote = site.remote("client");
                let old = Expected::Version(entry(&remote, "big").await.fingerprint);
                site.server().inject(Rule::new(fault.clone()).nth(nth));
                let mut putting =
                    std::pin::pin!(try_put(&remote, "big", Memory::on_disk(&new), &old));
                let is_killed = matches!(fault, Fault::Hang | Fault::HangAfter);
                while !(is_killed && is_cut()) {
                    tokio::select! {
                        _ = &mut putting => break,
                        () = tokio::task::yield_now() => {}
                    }
                }
            });
            site.server().clear_faults();
            let now = fs::read(site.server().folder("sync").join("big")).expect(&case);
            assert!(now == b"the old version" || now == new, "{case}");
            let is_last = !is_cut();
            run(async {
                let remote = site.remote("client");
                let found = entry(&remote, "big").await.fingerprint;
                if now != new {
                    let found = Expected::Version(found);
                    let again = try_put(&remote, "big", Memory::on_disk(&new), &found);
                    again.await.expect(&case);
                }
                assert!(read(&remote, "big").await == Some(new.clone()), "{case}");
            });
            let names = fs::read_dir(site.server().folder("sync")).expect("folder");
            let names: Vec<_> = names
                .map(|entry| entry.expect("entry").file_name())
                .collect();
            let left = names.iter().filter(|name| *name != "recycle_bin").count();
            assert_eq!(left, 1, "{case}: {names:?}");
            if is_last {
                assert!(nth > 8, "{case}: there were more requests than that");
                break;
            }
        }
    }
}

#[test]
fn a_large_replacement_is_looked_at_again_before_its_last_bytes() {
    for upload_max in [64 * 1024, 64 << 20] {
        let site = Site::with(|options| options.upload_max(upload_max, 64 << 20));
        site.write("big", b"the old version");
        let at = site.server().folder("sync").join("big");
        let remote = site.remote("client");
        run(async {
            let old = Expected::Version(entry(&remote, "big").await.fingerprint);
            let content = Memory::boxed(Kind::File, &long(3 << 20, 5), 1 << 16);
            let there = at.clone();
            let write = move || fs::write(&there, "somebody else's version").expect("write");
            let source = Box::new(Watched(content, write));
            let request = PutRequest {
                id: Seq(1),
                path: &path("big"),
                source,
                replaces: &old,
                digest: DigestKind::Md5,
            };
            let ended = remote.put(request).await;
            assert_eq!(class(&ended), Some(FailureClass::Precondition));
        });
        assert_eq!(fs::read(&at).expect("file"), b"somebody else's version");
    }
}

#[test]
fn a_replacement_follows_its_look_whatever_else_waits() {
    let mut site = Site::of(Quirks::v6_4());
    site.write("edited", b"the old version");
    site.place.link.poolsize = 2;
    let remote = site.remote("client");
    let log = site.server().log();
    run(async {
        let old = Expected::Version(entry(&remote, "edited").await.fingerprint);
        log.clear();
        // The first one keeps its place meanwhile, so all others go through the other one.
        let late = Fault::Delay(Duration::from_secs(3));
        site.server().inject(Rule::on("upload", late));
        let write = async |id: u8| {
            let is_edit = id == 14;
            // The others after it wait behind the first ones, as it does.
            while id >= 14 && log.count("upload") == 0 {
                tokio::task::yield_now().await;
            }
            let source = Memory::file(&long(100_000, id));
            let (name, replaces) = if is_edit {
                ("edited".to_owned(), &old)
            } else {
                (format!("new {id}"), &Expected::Absent)
            };
            try_put_as(Seq(u64::from(id)), &remote, &name, source, replaces).await
        };
        let written = join_all((1..40).map(write)).await;
        assert!(written.iter().all(Result::is_ok));
    });
    let entries = log.entries();
    let of_edited = |action: &str| {
        let mut all = entries.iter();
        let at = all.position(|entry| entry.action == action && entry.path == "/edited");
        at.expect(action)
    };
    let between = of_edited("upload") - of_edited("stat_hash") - 1;
    assert_eq!(between, 0, "of {}", entries.len());
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
                assert_eq!(class(&first), Some(FailureClass::Retry), "{what}");
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
    // The first piece is shorter than the others.
    assert_eq!(site.server().log().count("upload"), 1 + 2 + 3 + 3);
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
fn what_lies_in_the_flat_bin_is_never_replaced() {
    let site = Site::of(Quirks::v6_4());
    let all = ["one", "two", "three", "four", "five", "six"];
    for text in all {
        site.write(&format!("{text}/x.txt"), text.as_bytes());
    }
    let remote = site.remote("client");
    let remove = async |id: u64, folder: &str| {
        let name = format!("{folder}/x.txt");
        let now = entry(&remote, &name).await.fingerprint;
        let removed = remote.remove(Seq(id), &path(&name), &now).await;
        removed.expect("remove");
    };
    run(async {
        remove(1, all[0]).await;
        remove(2, all[1]).await;
        let rest = (3..).zip(&all[2..]).map(|(id, folder)| remove(id, folder));
        join_all(rest).await;
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
    assert_eq!(kept, ["five", "four", "one", "six", "three", "two"]);
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
        assert_eq!(class(&locked), Some(FailureClass::Retry));
        let expect = entry(&remote, "locked").await.fingerprint;
        let removed = remote.remove(Seq(1), &path("locked"), &expect).await;
        assert_eq!(class(&removed), Some(FailureClass::Retry));
        let large = try_put(
            &remote,
            "large",
            Memory::file(&[0; 4_000_000]),
            &Expected::Absent,
        )
        .await;
        assert_eq!(class(&large), Some(FailureClass::NoSpace));
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
