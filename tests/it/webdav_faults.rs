//! What goes wrong on a WebDAV server: nothing follows from it but another try.

use crate::folders::{items, lines, path, request, run};
use crate::webdav_site::{DavSite, entry, fact, fetch, put, send, tried};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{DigestKind, Fingerprint, Seq};
use pydio_sync::adapters::local_fs::LocalFolder;
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::adapters::rooted::{Filter, FilterRules, Options as FolderOptions};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{Hint, LocalFs, PortResult, Remote, RootState};
use std::time::Duration;
use test_servers::webdav::{Entry as Asked, Fault, Options, Quirks, Redirects, Rule, Scheme};

fn scan(remote: &WebdavRemote, name: &str) -> PortResult<Vec<String>> {
    run(items(remote.scan(request(&[(name, true)])))).map(|items| lines(&items))
}

/// What a listing says of a folder.
const FOLDER: &str = "<D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>\
                      </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>";

#[test]
fn a_listing_that_is_not_whole_says_nothing_of_what_lies_in_it() {
    let (site, remote) = tried(Quirks::none());
    let whole = [
        "/ names d",
        "/d Directory",
        "d/ whole",
        "d/x File",
        "d/y File",
    ];
    assert_eq!(scan(&remote, "d").expect("scan"), whole);
    let away = |fault| Rule::on("PROPFIND", fault).path("/d*").nth(2).times(2);
    for fault in [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(423),
        Fault::Status(500),
        Fault::RetryAfter(503, 1),
        Fault::Html,
        Fault::HtmlMultistatus,
        Fault::CutBody(200),
        Fault::CutChunked(200),
        Fault::Truncate(300),
        Fault::NoSelf,
        Fault::Twice,
        Fault::Refuse,
        Fault::Redirect(302, "/login".to_owned()),
        Fault::Redirect(307, "http://127.0.0.1:1/d/".to_owned()),
        Fault::ChildHref("x".to_owned(), "/d/../x".to_owned()),
        Fault::ChildHref("x".to_owned(), "/elsewhere/x".to_owned()),
        Fault::ChildHref("x".to_owned(), "http://example.org/d/x".to_owned()),
        Fault::ChildHref("x".to_owned(), "/d/a%2Fb".to_owned()),
        Fault::Inserted("<D:response><D:href>/d/&bomb;</D:href></D:response>".to_owned()),
        Fault::Inserted(format!(
            "<D:response><D:href>/d/</D:href>{FOLDER}</D:response>"
        )),
        Fault::Inserted(format!(
            "<D:response><D:href>/d/z</D:href><D:href>/d/w</D:href>{FOLDER}</D:response>"
        )),
    ] {
        site.server.inject(away(fault.clone()));
        let found = scan(&remote, "d");
        let is_unknown = match &found {
            Err(_) => true,
            Ok(lines) => lines.contains(&"d unlisted Unreadable".to_owned()),
        };
        assert!(is_unknown, "{fault:?}: {found:?}");
        site.server.clear_faults();
    }
}

#[test]
fn a_child_of_which_too_little_is_told_is_unknown() {
    let (site, remote) = tried(Quirks::none());
    for fault in [
        Fault::ChildStatus("x".to_owned(), 403),
        Fault::ChildStatus("x".to_owned(), 404),
        Fault::ChildPropstat("x".to_owned(), 500),
        Fault::ChildLacks("x".to_owned(), vec!["getcontentlength".to_owned()]),
        Fault::ChildLacks("x".to_owned(), vec!["resourcetype".to_owned()]),
    ] {
        site.server
            .inject(Rule::on("PROPFIND", fault.clone()).path("/d*").nth(2));
        let found = scan(&remote, "d").expect("scan");
        assert!(
            found.contains(&"d/x Unreadable".to_owned()),
            "{fault:?}: {found:?}"
        );
        assert!(
            found.contains(&"d/y File".to_owned()),
            "{fault:?}: {found:?}"
        );
        site.server.clear_faults();
    }
}

#[test]
fn a_folder_that_seems_to_be_empty_is_asked_twice() {
    let (site, remote) = tried(Quirks::none());
    scan(&remote, "").expect("scan");
    site.server
        .inject(Rule::on("PROPFIND", Fault::EmptyListing).path("/d*").nth(2));
    let found = scan(&remote, "d").expect("scan");
    assert!(
        found.contains(&"d unlisted Unreadable".to_owned()),
        "{found:?}"
    );
}

#[test]
fn an_answer_that_got_lost_is_in_doubt_only_where_something_may_have_happened() {
    let (site, remote) = tried(Quirks::none());
    let x = entry(&remote, "d/x").fingerprint;
    site.server.inject(Rule::on("PUT", Fault::LoseAnswer));
    let result = put(&remote, "d/new", b"new", &Expected::Absent);
    assert_eq!(result.expect_err("lost").class, FailureClass::InDoubt);
    assert_eq!(site.hand().read("d/new").expect("stored"), b"new");
    site.server
        .inject(Rule::on("DELETE", Fault::StatusAfter(502)));
    let result = run(remote.remove(Seq(8), &path("d/x"), &x));
    assert_eq!(result.expect_err("lost").class, FailureClass::InDoubt);
    site.server
        .inject(Rule::on("PUT", Fault::RetryAfter(429, 7)));
    let busy = put(&remote, "d/busy", b"b", &Expected::Absent).expect_err("busy");
    assert_eq!(
        (busy.class, busy.retry_after_ms),
        (FailureClass::Retry, Some(7000))
    );
    for (status, class) in [
        (423, FailureClass::Retry),
        (507, FailureClass::NoSpace),
        (413, FailureClass::Unsupported),
        (403, FailureClass::Denied),
    ] {
        site.server.inject(Rule::on("PUT", Fault::Status(status)));
        let error = put(&remote, "d/busy", b"b", &Expected::Absent).expect_err("refused");
        assert_eq!(error.class, class, "{status}");
    }
    site.server.maintenance(true);
    assert_eq!(
        run(remote.root()).expect_err("away").class,
        FailureClass::Retry
    );
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_what_may_have_happened_is_in_doubt() {
    // A client that knows the server already, and bears less silence.
    let (site, known) = tried(Quirks::nginx());
    let facts = known.found_out().expect("facts");
    let mut place = site.place.clone();
    place.link.timeout = Duration::from_millis(700);
    let impatient = |client: &str| {
        let remote = crate::webdav_site::remote(&place, site.server.user().1, client);
        remote.recall(&facts);
        remote
    };
    let remote = impatient("c");
    put(&remote, "d/z", b"z", &Expected::Absent).expect("put");
    let z = entry(&remote, "d/z").fingerprint;
    site.server
        .inject(Rule::on("PROPFIND", Fault::Hang).always());
    let looked = run(remote.stat(&path("d/z")));
    assert_eq!(looked.expect_err("silent").class, FailureClass::Retry);
    site.server.clear_faults();
    let slow = Fault::Drip(20_000, Duration::from_millis(250));
    site.hand().write("slow", &[7; 100_000]);
    site.server.inject(Rule::on("GET", slow).path("/slow"));
    assert_eq!(fetch(&remote, "slow").map(|bytes| bytes.len()), Ok(100_000));
    for fault in [Fault::Hang, Fault::HangAfter] {
        let silent = |method: &str| site.server.inject(Rule::on(method, fault.clone()));
        let mut ends = Vec::new();
        silent("PUT");
        ends.push(put(&remote, "d/new", b"new", &Expected::Absent).map(drop));
        silent("MOVE");
        ends.push(put(&remote, "d/other", b"o", &Expected::Absent).map(drop));
        silent("MKCOL");
        ends.push(run(remote.make_dir(&path("made"))).map(drop));
        silent("MOVE");
        ends.push(run(remote.rename(&path("d/z"), &path("d/zz"), &z)).map(drop));
        for (at, end) in ends.into_iter().enumerate() {
            let class = end.expect_err("silent").class;
            // A slot that may not be there puts nothing in doubt.
            let wanted = match at {
                0 => FailureClass::Retry,
                _ => FailureClass::InDoubt,
            };
            assert_eq!(class, wanted, "{fault:?} {at}");
        }
        site.server.clear_faults();
    }
    // What was done was done once, and what was not left nothing half.
    assert_eq!(site.hand().read("d/zz").expect("moved"), b"z");
    assert_eq!(site.hand().read("d/other").expect("stored"), b"o");
    assert!(
        site.hand()
            .read("d/new")
            .is_none_or(|bytes| bytes == b"new")
    );
}

#[test]
fn what_came_in_between_is_never_replaced_or_removed() {
    for quirks in [
        Quirks::none(),
        Quirks::nginx(),
        Quirks::rclone(),
        Quirks::nextcloud(),
    ] {
        let name = quirks.name;
        let (site, remote) = tried(quirks);
        let x = entry(&remote, "d/x").fingerprint;
        site.hand().write("d/x", b"of another");
        for result in [
            put(&remote, "d/x", b"ours", &Expected::Version(x.clone())).map(drop),
            put(&remote, "d/x", b"ours", &Expected::Absent).map(drop),
            run(remote.remove(Seq(9), &path("d/x"), &x)),
            run(remote.rename(
                &path("d/y"),
                &path("d/x"),
                &entry(&remote, "d/y").fingerprint,
            ))
            .map(drop),
            run(remote.make_dir(&path("d"))).map(drop),
        ] {
            assert_eq!(
                result.expect_err(name).class,
                FailureClass::Precondition,
                "{name}"
            );
        }
        assert_eq!(
            site.hand().read("d/x").expect("kept"),
            b"of another",
            "{name}"
        );
        let d = entry(&remote, "d").fingerprint;
        let result = run(remote.remove(Seq(10), &path("d"), &d));
        assert_eq!(
            result.expect_err(name).class,
            FailureClass::Precondition,
            "{name}"
        );
        assert_eq!(site.names(), ["d", "d/x", "d/y"], "{name}");
    }
}

#[test]
fn names_that_a_server_hides_are_problems_and_not_deletions() {
    for (quirks, name) in [
        (Quirks::nginx(), "d/.hidden"),
        (Quirks::nextcloud(), "d/x.part"),
    ] {
        let (site, remote) = tried(quirks);
        let error = put(&remote, name, b"x", &Expected::Absent).expect_err("hidden");
        assert_eq!(error.class, FailureClass::Unsupported);
        site.hand().write(name, b"there");
        let found = scan(&remote, name).expect("scan");
        assert!(
            found.iter().any(|line| line.ends_with("InvalidName")),
            "{found:?}"
        );
    }
}

#[test]
fn names_that_a_server_refuses_are_told_before_anything_is_sent() {
    let (site, remote) = tried(Quirks::nextcloud());
    site.server.log().clear();
    for name in ["d/a\\b", "d/a\nb", "d/.htaccess", "d/.HTACCESS"] {
        let error = put(&remote, name, b"x", &Expected::Absent).expect_err(name);
        assert_eq!(error.class, FailureClass::Unsupported, "{name:?}");
    }
    for method in ["PUT", "MOVE", "POST"] {
        assert_eq!(site.server.log().count(method), 0, "{method}");
    }
    assert_eq!(site.names(), ["d", "d/x", "d/y"]);
}

#[test]
fn a_redirect_that_only_adds_a_slash_is_followed() {
    let quirks = Quirks {
        redirects: Redirects::Slash,
        ..Quirks::none()
    };
    let (site, remote) = tried(quirks);
    site.server.log().clear();
    assert_eq!(
        entry(&remote, "d").fingerprint.kind,
        journal_format::value::Kind::Directory
    );
    let entries = site.server.log().entries();
    let statuses: Vec<u16> = entries.iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, [301, 207]);
}

#[test]
fn every_way_to_log_in_works_and_a_refusal_is_not_repeated() {
    for scheme in [Scheme::Basic, Scheme::Digest(true), Scheme::Digest(false)] {
        let site =
            DavSite::with(Options::new(Quirks::none()).schemes(std::slice::from_ref(&scheme)));
        assert!(run(site.remote("c").root()).is_ok(), "{scheme:?}");
        let wrong = crate::webdav_site::remote(&site.place, "wrong", "c");
        let before = site.server.log().total();
        assert_eq!(
            run(wrong.root()).expect_err("refused").class,
            FailureClass::Auth
        );
        assert_eq!(site.server.log().total(), before, "{scheme:?}");
    }
    let token = Scheme::Bearer("a token".to_owned());
    let site = DavSite::with(Options::new(Quirks::none()).schemes(&[token]));
    let mut place = site.place.clone();
    place.user = String::new();
    let remote = crate::webdav_site::remote(&place, "a token", "c");
    let wanted = RootState::Present { marker: None };
    assert_eq!(run(remote.root()), Ok(wanted));
}

#[test]
fn a_wrong_password_is_tried_once_however_many_jobs_have_it() {
    let scheme = Scheme::Basic;
    let site = DavSite::with(Options::new(Quirks::none()).schemes(std::slice::from_ref(&scheme)));
    let open = |password: &Secret, number: usize| {
        let filter = Filter::new(&FilterRules::default()).expect("filter");
        let client = format!("client {number}");
        WebdavRemote::open(&site.place, Some(password.clone()), &client, filter).expect("remote")
    };
    let (wrong, right) = (Secret::new("wrong"), Secret::new(site.server.user().1));
    run(async {
        let log = site.server.log();
        for (password, count) in [(&wrong, 4), (&wrong, 2)] {
            let before = log.total();
            let remotes: Vec<WebdavRemote> = (0..count).map(|n| open(password, n)).collect();
            let looks = remotes.iter().map(|remote| remote.root());
            for found in futures::future::join_all(looks).await {
                assert_eq!(found.map_err(|error| error.class), Err(FailureClass::Auth));
            }
            // Each asks without a password at first; the wrong one is sent once in all.
            let tries = usize::from(count == 4);
            assert_eq!(log.total() - before, count + tries);
        }
        let remotes: Vec<WebdavRemote> = (0..4).map(|n| open(&right, n)).collect();
        let looks = remotes.iter().map(|remote| remote.root());
        for found in futures::future::join_all(looks).await {
            assert_eq!(found, Ok(RootState::Present { marker: None }));
        }
    });
}

#[test]
fn a_download_goes_on_where_it_broke_and_ends_whole_or_not_at_all() {
    let (site, remote) = tried(Quirks::none());
    let big: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    site.hand().write("big", &big);
    let print = entry(&remote, "big").fingerprint;
    let read = || {
        run(async {
            let mut source = remote.open(&path("big"), &print).await?;
            let mut bytes = Vec::new();
            while let Some(piece) = source.read().await? {
                bytes.extend(piece);
            }
            Ok(bytes)
        })
    };
    site.server.log().clear();
    site.server.inject(Rule::on("GET", Fault::CutBody(500_000)));
    assert_eq!(read(), Ok(big.clone()));
    assert_eq!(site.server.log().count("GET"), 2);
    site.server.inject(Rule::on("GET", Fault::Html));
    let result: PortResult<Vec<u8>> = read();
    assert!(result.is_err());
    site.server.inject(Rule::on("GET", Fault::FalseGzip));
    assert!(read().is_err());
    site.server
        .inject(Rule::on("GET", Fault::Delay(Duration::from_millis(1))));
    site.hand().write("big", &big[1..]);
    assert_eq!(
        read().expect_err("another one").class,
        FailureClass::Precondition
    );
}

#[test]
fn a_download_that_goes_on_never_mixes_two_versions() {
    let big: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let quirks = [
        Quirks::none(),
        Quirks::nginx(),
        Quirks {
            ranges: false,
            ..Quirks::none()
        },
    ];
    for quirks in quirks {
        let has_ranges = quirks.ranges;
        let (site, remote) = tried(quirks);
        site.hand().write("big", &big);
        let broken = || Rule::on("GET", Fault::CutBody(500_000)).path("/big");
        site.server.inject(broken());
        assert_eq!(fetch(&remote, "big"), Ok(big.clone()), "{has_ranges}");
        // Of the same length, between the break and the next request.
        let edited: Vec<u8> = big.iter().map(|byte| !byte).collect();
        site.server.clock().advance(Duration::from_secs(5));
        let hand = site.hand();
        site.server.inject(broken());
        let expect = entry(&remote, "big").fingerprint;
        let ended = run(async {
            let mut source = remote.open(&path("big"), &expect).await?;
            site.server
                .before("GET", "/big", move || hand.write("big", &edited));
            while source.read().await?.is_some() {}
            Ok::<(), pydio_sync::ports::PortError>(())
        });
        let class = ended.expect_err("two versions").class;
        assert_eq!(class, FailureClass::Precondition, "{has_ranges}");
    }
}

#[test]
fn downloads_that_all_break_wait_for_each_other_and_all_end() {
    let count = 6;
    let content = vec![7; 16 << 20];
    let mut site = DavSite::of(Quirks::none());
    for number in 0..count {
        site.hand().write(&number.to_string(), &content);
    }
    // One place for all of them: whoever breaks off waits behind the others.
    site.place.link.poolsize = 2;
    let remote = site.remote("client");
    let prints = (0..count).map(|number| entry(&remote, &number.to_string()).fingerprint);
    let prints: Vec<_> = prints.collect();
    let root = tempfile::tempdir().expect("temporary directory");
    let local = LocalFolder::open(root.path(), FolderOptions::default()).expect("folder");
    run(local.claim_root("root-1")).expect("claim");
    let cut = Rule::on("GET", Fault::CutBody(12 << 20)).times(count);
    site.server.inject(cut);
    let stage = async |(number, print): (u64, &Fingerprint)| {
        let source = remote.open(&path(&number.to_string()), print).await?;
        local.stage(Seq(number), source, DigestKind::Blake3).await
    };
    // Fewer threads than downloads that began.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build();
    let staged = runtime.expect("runtime").block_on(async {
        let all = futures::future::join_all((0..).zip(&prints).map(stage));
        tokio::time::timeout(Duration::from_secs(60), all).await
    });
    let staged = staged.expect("they do not hold each other up");
    assert!(staged.iter().all(|staged| {
        let bytes = staged.as_ref().map(|staged| staged.bytes);
        bytes == Ok(content.len() as u64)
    }));
}

#[test]
fn what_a_server_can_do_is_found_out_while_large_files_come() {
    let mut site = DavSite::of(Quirks::none());
    site.hand().write("big", &[7; 16 << 20]);
    site.place.link.poolsize = 2;
    site.place.link.timeout = Duration::from_secs(1);
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    // It takes a few times as long as an answer may.
    let slow = Fault::Drip(2 << 20, Duration::from_millis(400));
    site.server.inject(Rule::on("GET", slow).path("*big"));
    let print = entry(&remote, "big").fingerprint;
    run(async {
        let big = path("big");
        let download = async {
            // Right before the trial that looks while an upload is under way.
            let is_next = |entry: &Asked| entry.method == "PUT" && entry.path.ends_with("/f");
            while !site.server.log().entries().iter().any(is_next) {
                tokio::task::yield_now().await;
            }
            let mut source = remote.open(&big, &print).await.expect("open");
            while source.read().await.expect("read").is_some() {}
        };
        let upload = send(&remote, "new", b"new", &Expected::Absent);
        let ((), sent) = futures::future::join(download, upload).await;
        sent.expect("an upload, and the trials");
    });
    assert_eq!(fact(&remote, "atomic_put"), "true");
}

#[test]
fn folders_tags_say_where_to_look_and_a_restored_server_is_noticed() {
    let (site, remote) = tried(Quirks::nextcloud());
    for number in 0..5 {
        site.hand().write(&format!("many/{number}/x"), b"x");
    }
    let feed = remote.feed().expect("a feed");
    let first = run(feed.since(None)).expect("a cursor");
    assert_eq!(first.hints, []);
    scan(&remote, "").expect("scan");
    let since = |cursor: &str| run(feed.since(Some(cursor))).expect("changes");
    assert_eq!(since(&first.cursor), first);
    site.hand().write("many/3/new", b"new");
    site.hand().write("d/x", b"changed");
    site.hand().remove("d/y");
    site.hand().write("fresh/z", b"z");
    site.server.log().clear();
    let second = since(&first.cursor);
    let hint = |name: &str, subtree| Hint::Path {
        path: path(name),
        subtree,
    };
    let mut hints = second.hints.clone();
    hints.sort_by_key(|hint| format!("{hint:?}"));
    let wanted = [
        hint("d/x", false),
        hint("d/y", false),
        hint("fresh", true),
        hint("many/3/new", false),
    ];
    assert_eq!(hints, wanted);
    // The root twice, and the four folders above what changed.
    assert!(
        site.server.log().total() <= 6,
        "{:?}",
        site.server.log().counts()
    );
    assert_eq!(since(&second.cursor).hints, []);
    let again = site.remote("client");
    let after = run(again.feed().expect("a feed").since(Some(&first.cursor)));
    assert_eq!(after.expect("changes").hints, [Hint::Rescan]);
    site.hand().set_fingerprint("restored");
    let restored = since(&second.cursor);
    assert!(restored.rolled_back.is_some() && restored.hints == [Hint::Rescan]);
    let (_site, plain) = tried(Quirks::apache());
    let feed = plain.feed().expect("asked");
    assert!(!feed.tells_places());
    let wanted = [Hint::Rescan];
    assert_eq!(run(feed.since(None)).expect("a number").hints, wanted);
}
