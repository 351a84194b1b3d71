//! A Pydio server and a network at their worst.

use crate::folders::{Memory, entries, items, lines, path, request, run};
use crate::pydio_site::{Site, class, entry, put, read, try_put};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::Seq;
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::adapters::rooted::{Filter, FilterRules};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{Remote, RootState};
use std::time::Duration;
use test_servers::pydio::{Fault, Options, Quirks, Rights, Rule, User, Workspace};

/// What happens before the server does anything.
const BEFORE: [Fault; 4] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Html,
    Fault::Refuse,
];
/// What happens to an answer after the server did everything.
const AFTER: [Fault; 5] = [
    Fault::StatusAfter(500),
    Fault::StatusAfter(504),
    Fault::LoseAnswer,
    Fault::CutBody(20),
    Fault::Gzip,
];

#[test]
fn a_listing_that_fails_in_any_way_proves_nothing_absent() {
    let site = Site::of(Quirks::v6_4());
    for name in ["a", "d/x", "d/e/y"] {
        site.write(name, b"1");
    }
    let remote = site.remote("client");
    run(async {
        let whole = request(&[("", true)]);
        let known = lines(&items(remote.scan(whole.clone())).await.expect("scan"));
        let faults = BEFORE.iter().chain(&AFTER).cloned();
        let cuts = (0..12).map(|step| Fault::CutBody(step * 150));
        for fault in faults
            .chain(cuts)
            .chain([Fault::ErrorInside, Fault::Unauthorized])
        {
            for action in ["ls", "stat", "stat_hash", "changes"] {
                for times in [1, 2, 8] {
                    let remote = site.remote("client");
                    site.server()
                        .inject(Rule::on(action, fault.clone()).times(times));
                    let scanned = items(remote.scan(whole.clone())).await;
                    site.server().clear_faults();
                    if let Ok(found) = scanned {
                        let found = lines(&found);
                        for line in found {
                            let is_said = known.contains(&line) || line.contains("unlisted");
                            assert!(is_said, "{action} {fault:?} {times}: {line}");
                        }
                    }
                    let single = request(&[("d/x", false), ("nothing", false)]);
                    site.server()
                        .inject(Rule::on(action, fault.clone()).times(times));
                    let looked = items(remote.scan(single)).await;
                    site.server().clear_faults();
                    if let Ok(found) = looked {
                        assert_eq!(entries(&found).len(), 1, "{action} {fault:?} {times}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_change_that_failed_before_it_happened_is_no_success_and_changed_nothing() {
    let site = Site::of(Quirks::v6_4());
    site.write("f", b"old");
    run(async {
        for fault in BEFORE {
            let remote = site.remote("client");
            let old = remote
                .stat(&path("f"))
                .await
                .expect("stat")
                .expect("there")
                .fingerprint;
            for action in ["upload", "mkdir", "rename", "delete"] {
                site.server().inject(Rule::on(action, fault.clone()));
                let result = match action {
                    "upload" => class(
                        &try_put(
                            &remote,
                            "f",
                            Memory::file(b"newer"),
                            &Expected::Version(old.clone()),
                        )
                        .await,
                    ),
                    "mkdir" => class(&remote.make_dir(&path("d")).await),
                    "rename" => class(&remote.rename(&path("f"), &path("g"), &old).await),
                    _ => class(&remote.remove(Seq(1), &path("f"), &old).await),
                };
                site.server().clear_faults();
                let is_careful =
                    matches!(result, Some(FailureClass::Retry | FailureClass::InDoubt));
                assert!(is_careful, "{action} {fault:?}: {result:?}");
                assert_eq!(site.names(), ["f"], "{action} {fault:?}");
                assert_eq!(site.read("f").expect("f"), b"old", "{action} {fault:?}");
            }
        }
    });
}

#[test]
fn a_change_whose_answer_got_lost_is_in_doubt() {
    for fault in AFTER {
        let site = Site::of(Quirks::v6_4());
        site.write("f", b"old");
        site.write("gone", b"x");
        let remote = site.remote("client");
        run(async {
            let version = async |name: &str| {
                remote
                    .stat(&path(name))
                    .await
                    .expect("stat")
                    .expect("there")
                    .fingerprint
            };
            let (old, gone) = (version("f").await, version("gone").await);
            site.server().inject(Rule::on("upload", fault.clone()));
            let put = try_put(
                &remote,
                "f",
                Memory::file(b"newer"),
                &Expected::Version(old),
            )
            .await;
            assert_eq!(class(&put), Some(FailureClass::InDoubt), "{fault:?}");
            assert_eq!(site.read("f").expect("f"), b"newer", "whole, not mixed");
            site.server().inject(Rule::on("mkdir", fault.clone()));
            let made = remote.make_dir(&path("d")).await;
            assert_eq!(class(&made), Some(FailureClass::InDoubt), "{fault:?}");
            site.server().inject(Rule::on("delete", fault.clone()));
            let removed = remote.remove(Seq(1), &path("gone"), &gone).await;
            assert_eq!(class(&removed), Some(FailureClass::InDoubt), "{fault:?}");
            let now = version("f").await;
            site.server().inject(Rule::on("rename", fault.clone()));
            let moved = remote.rename(&path("f"), &path("g"), &now).await;
            assert_eq!(class(&moved), Some(FailureClass::InDoubt), "{fault:?}");
            assert_eq!(site.names(), ["d", "g"]);
        });
    }
}

#[test]
fn a_piece_whose_answer_got_lost_is_not_sent_twice() {
    let content: Vec<u8> = (0..300_000).map(|at| (at / 999) as u8).collect();
    for nth in 1..=5 {
        for fault in [Fault::LoseAnswer, Fault::Refuse, Fault::CutRequest(30_000)] {
            let site = Site::with(|options: Options| options.upload_max(64 * 1024, 1 << 20));
            site.write("big", b"old");
            let remote = site.remote("client");
            run(async {
                let old = remote
                    .stat(&path("big"))
                    .await
                    .expect("stat")
                    .expect("there")
                    .fingerprint;
                let old = Expected::Version(old);
                site.server()
                    .inject(Rule::on("upload", fault.clone()).nth(nth));
                let first = try_put(&remote, "big", Memory::file(&content), &old).await;
                assert!(first.is_err(), "{nth} {fault:?}");
                let now = site.read("big").expect("there");
                assert!(now == b"old" || now == content, "{nth} {fault:?}");
                if now == b"old" {
                    put(&remote, "big", &content, &old).await;
                }
                assert!(site.read("big") == Some(content.clone()), "{nth} {fault:?}");
            });
        }
    }
}

#[test]
fn a_download_that_breaks_goes_on_where_it_was_and_never_ends_short() {
    let content: Vec<u8> = (0..500_000).map(|at| (at / 777) as u8).collect();
    let site = Site::of(Quirks::v6_4());
    site.write("big", &content);
    let remote = site.remote("client");
    run(async {
        for cut in [0, 1, 1000, 400_000, 499_999] {
            site.server().log().clear();
            site.server()
                .inject(Rule::on("download", Fault::CutBody(cut)));
            assert!(
                read(&remote, "big").await.as_deref() == Some(&content[..]),
                "cut at {cut}"
            );
            assert_eq!(site.server().log().count("download"), 2);
        }
        let target = path("big");
        let now = remote.stat(&target).await.expect("stat").expect("there");
        for fault in [
            Fault::Html,
            Fault::Status(404),
            Fault::Gzip,
            Fault::ErrorInside,
        ] {
            site.server()
                .inject(Rule::on("download", fault.clone()).always());
            let mut source = remote.open(&target, &now.fingerprint).await.expect("open");
            let mut bytes = 0;
            let end = loop {
                match source.read().await {
                    Ok(Some(piece)) => bytes += piece.len(),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            site.server().clear_faults();
            assert!(end.is_err() && bytes < content.len(), "{fault:?}");
        }
    });
}

#[test]
fn content_that_changes_while_it_is_read_is_refused_at_its_end() {
    let site = Site::of(Quirks::v6_4());
    site.write("f", &[1; 200_000]);
    let remote = site.remote("client");
    run(async {
        let target = path("f");
        let now = remote.stat(&target).await.expect("stat").expect("there");
        let mut source = remote.open(&target, &now.fingerprint).await.expect("open");
        let mut last = source.read().await;
        site.write("f", &[2; 200_001]);
        while matches!(&last, Ok(Some(_))) {
            last = source.read().await;
        }
        assert_eq!(class(&last), Some(FailureClass::Precondition));
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_a_slow_one_is_not() {
    let mut site = Site::of(Quirks::v6_4());
    site.write("f", &[7; 60_000]);
    site.place.link.timeout = Duration::from_millis(700);
    run(async {
        let remote = site.remote("client");
        site.server()
            .inject(Rule::on("stat_hash", Fault::Hang).always());
        let looked = remote.stat(&path("f")).await;
        assert_eq!(class(&looked), Some(FailureClass::Retry));
        site.server().clear_faults();
        let slow = Fault::Drip(10_000, Duration::from_millis(250));
        site.server().inject(Rule::on("download", slow));
        assert_eq!(
            read(&remote, "f").await.map(|bytes| bytes.len()),
            Some(60_000)
        );
        site.server().inject(Rule::on("upload", Fault::HangAfter));
        let hung = try_put(&remote, "g", Memory::file(b"x"), &Expected::Absent).await;
        assert_eq!(class(&hung), Some(FailureClass::InDoubt));
        site.server()
            .inject(Rule::on("upload", Fault::StallBody(10)));
        let stalled = try_put(&remote, "i", Memory::file(b"x"), &Expected::Absent).await;
        assert_eq!(class(&stalled), Some(FailureClass::InDoubt));
        let stalled = Fault::StallRequest(100_000);
        site.server().inject(Rule::on("upload", stalled));
        let large = Memory::file(&[7; 8 << 20]);
        let ended = try_put(&remote, "h", large, &Expected::Absent).await;
        let is_careful = matches!(
            class(&ended),
            Some(FailureClass::Retry | FailureClass::InDoubt)
        );
        assert!(is_careful, "{ended:?}");
        site.server().clear_faults();
        let late = Fault::Delay(Duration::from_millis(200));
        site.server().inject(Rule::on("stat_hash", late));
        assert!(remote.stat(&path("h")).await.is_ok_and(|h| h.is_none()));
    });
}

#[test]
fn refused_credentials_are_asked_once_and_then_left_alone() {
    let site = Site::of(Quirks::v6_4());
    let filter = Filter::default();
    let remote =
        PydioRemote::open(&site.place, Secret::new("wrong"), "client", filter).expect("remote");
    run(async {
        for _ in 0..5 {
            assert_eq!(class(&remote.root().await), Some(FailureClass::Auth));
            assert_eq!(
                class(&remote.stat(&path("f")).await),
                Some(FailureClass::Auth)
            );
        }
    });
    assert_eq!(site.server().log().total(), 1);
}

#[test]
fn a_wrong_password_is_tried_once_however_many_jobs_have_it() {
    let site = Site::of(Quirks::v6_4());
    let wrong = Secret::new("wrong");
    let open = |number: usize| {
        let filter = Filter::new(&FilterRules::default()).expect("filter");
        let client = format!("client {number}");
        PydioRemote::open(&site.place, wrong.clone(), &client, filter).expect("remote")
    };
    let remotes: Vec<PydioRemote> = (0..4).map(open).collect();
    run(async {
        let asked = futures::future::join_all(remotes.iter().map(|remote| remote.root())).await;
        for found in asked {
            assert_eq!(class(&found), Some(FailureClass::Auth));
        }
        assert_eq!(site.server().log().total(), 1);
    });
}

#[test]
fn keys_that_were_revoked_are_renewed_once_for_all() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        put(&remote, "f", b"f", &Expected::Absent).await;
        // Refusals of what was under way come before, during and after the renewal.
        for _ in 0..100 {
            site.server().log().clear();
            site.server().revoke_tokens("alice");
            let looks = (0..8).map(|_| remote.root());
            for look in futures::future::join_all(looks).await {
                look.expect("a look with new keys");
            }
            let renewals = site.server().log().count("keystore_generate_auth_token");
            assert_eq!(renewals, 1);
        }
    });
}

#[test]
fn two_jobs_of_one_user_do_not_revoke_each_others_keys() {
    let site = Site::of(Quirks::v6_4());
    let (one, other) = (site.remote("one"), site.remote("two"));
    run(async {
        for _ in 0..3 {
            one.root().await.expect("root");
            other.root().await.expect("root");
        }
    });
    assert_eq!(site.server().log().count("keystore_generate_auth_token"), 2);
}

#[test]
fn a_workspace_that_was_made_anew_under_its_name_is_another_root() {
    let mut site = Site::with(|options| options.workspace(Workspace::new("1", "sync")));
    site.write("f", b"f");
    let remote = site.remote("client");
    run(async {
        let root = remote.root().await.expect("root");
        let old = entry(&remote, "f").await;
        let log = site.server().log();
        let asked = log.total();
        assert_eq!(remote.root().await.as_ref(), Ok(&root));
        assert_eq!(log.total() - asked, 2, "the workspaces and the folder");
        site.restart(|options| options.workspace(Workspace::new("2", "sync")));
        site.server().reset_index().expect("no rows");
        let other = remote.root().await.expect("root");
        assert!(matches!(other, RootState::Present { .. }));
        assert_ne!(other, root);
        // Nor is what was known of the one a fact about the other.
        let now = entry(&remote, "f").await;
        assert_ne!(now.fingerprint.identity, old.fingerprint.identity);
        site.restart(|options| options.workspace(Workspace::new("3", "other")));
        assert_eq!(remote.root().await, Ok(RootState::Missing));
    });
}

#[test]
fn a_right_that_was_taken_away_is_seen_at_the_next_look_at_the_root() {
    let mut site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        put(&remote, "before", b"1", &Expected::Absent).await;
        let reader = User::new("alice", "secret").limited("sync", Some(Rights::Read));
        site.restart(|options| options.user(reader));
        remote.root().await.expect("root");
        let log = site.server().log();
        let asked = log.total();
        let refused = try_put(&remote, "f", Memory::file(b"f"), &Expected::Absent).await;
        assert_eq!(class(&refused), Some(FailureClass::Denied));
        assert_eq!(
            log.total(),
            asked,
            "nothing is asked of a server that forbids it"
        );
    });
}

#[test]
fn a_server_that_moved_is_not_followed_with_credentials() {
    let mut site = Site::of(Quirks::v6_4());
    site.server().inject(Rule::new(Fault::Status(302)).always());
    let remote = site.remote("client");
    assert_eq!(class(&run(remote.root())), Some(FailureClass::Unsupported));
    site.place.url = "http://127.0.0.1:1/pydio".to_owned();
    assert_eq!(
        class(&run(site.remote("client").root())),
        Some(FailureClass::Retry)
    );
}

#[test]
fn no_message_holds_a_signature_or_a_password() {
    let site = Site::of(Quirks::v6_4());
    let remote = site.remote("client");
    run(async {
        remote.root().await.expect("root");
        for fault in BEFORE.into_iter().chain(AFTER).chain([Fault::CutBody(1)]) {
            site.server()
                .inject(Rule::on("stat_hash", fault.clone()).always());
            if let Err(error) = remote.stat(&path("f")).await {
                let text = format!("{error} {error:?}");
                assert!(
                    !text.contains("auth_") && !text.contains("secret"),
                    "{text}"
                );
            }
            site.server().clear_faults();
        }
    });
}
