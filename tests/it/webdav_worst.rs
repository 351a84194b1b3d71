//! The program on a WebDAV server that fails at the worst moment and goes on failing:
//! what is under way is neither lost nor done twice, and what can be done is done.

use crate::daemon::Daemon;
use crate::far::Far;
use crate::program::{Done, Lab, Running, read, tree, until, write, write_long_ago};
use crate::webdav_recovery::{begun, finished, on_disk, on_server};
use crate::webdav_site::DavSite;
use serde_json::json;
use std::fs::{self, File};
use test_servers::webdav::{Entry, Fault, Quirks, Rule};

/// A large file that goes in eight pieces.
const MIB: usize = 1024 * 1024;

fn in_pieces() -> Quirks {
    Quirks {
        chunk_max: Some(256 * 1024),
        ..Quirks::nextcloud()
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|at| ((at / 251) ^ at) as u8)
        .collect()
}

fn moves(site: &DavSite) -> Vec<Entry> {
    let entries = site.server.log().entries().into_iter();
    let is_last = |entry: &Entry| {
        entry.method == "MOVE" && entry.path.starts_with("uploads:") && !is_trial(entry)
    };
    entries.filter(is_last).collect()
}

fn is_trial(entry: &Entry) -> bool {
    entry.path.contains("-probe/")
}

/// How many pieces the server got.
fn parts(site: &DavSite) -> usize {
    let entries = site.server.log().entries().into_iter();
    let is_part = |entry: &Entry| {
        entry.method == "PUT" && entry.path.starts_with("uploads:") && !is_trial(entry)
    };
    entries.filter(is_part).count()
}

/// A lab that is in sync and has a large file to send.
fn about_to_send() -> (Lab, DavSite, Vec<u8>) {
    let (lab, site) = (Lab::new(), DavSite::timed(in_pieces()));
    write_long_ago(&lab.local.join("small"), "small");
    site.synced(&lab);
    let bytes = content(2 * MIB);
    write_long_ago(&lab.local.join("deep/big"), &bytes);
    (lab, site, bytes)
}

/// The next run finishes, sends no piece again, and leaves nothing behind.
fn is_sent_once(what: &str, lab: &Lab, site: &DavSite, bytes: &[u8]) {
    let last = site.once(lab);
    assert_eq!(last.code, 0, "{what}: {last:?}");
    assert_eq!(
        site.hand().read("deep/big").expect("there"),
        bytes,
        "{what}"
    );
    assert_eq!(parts(site), 8, "{what}: each piece once");
    assert!(site.hand().uploads().is_empty(), "{what}");
    assert_eq!(site.names(), ["deep", "deep/big", "small"], "{what}");
    let idle = site.once(lab);
    assert!(idle.code == 0 && idle.is_idle(), "{what}: {idle:?}");
    let names: Vec<String> = tree(&lab.local).into_keys().collect();
    assert_eq!(names, ["deep/", "deep/big", "small"], "{what}");
}

#[test]
fn killed_while_the_last_move_of_an_upload_is_under_way_it_looks_what_became_of_it() {
    for fault in [Fault::HangAfter, Fault::Hang] {
        let (lab, site, bytes) = about_to_send();
        let what = format!("{fault:?}");
        site.server
            .inject(Rule::on("MOVE", fault).path("uploads:*"));
        let mut running = Running(site.command(&lab).spawn().expect("the program starts"));
        until("the move is asked for", || !moves(&site).is_empty());
        running.signal("-KILL");
        running.end();
        site.server.clear_faults();
        is_sent_once(&what, &lab, &site, &bytes);
    }
}

#[test]
fn a_last_move_that_works_after_its_504_is_waited_for_and_not_done_again() {
    // The server comes to its end while it is asked what became of it.
    let (lab, site, bytes) = about_to_send();
    site.server
        .inject(Rule::on("MOVE", Fault::Late(504)).path("uploads:*"));
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| site.once(&lab));
        until("the move is asked for", || !moves(&site).is_empty());
        assert_eq!(site.hand().catch_up(), [201]);
        run.join().expect("it ends")
    });
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(moves(&site).len(), 1, "asked for once");
    is_sent_once("while it looks", &lab, &site, &bytes);
}

#[test]
fn a_last_move_that_works_after_the_run_has_ended_is_found_by_the_next() {
    let (lab, site, bytes) = about_to_send();
    let rule = Rule::on("MOVE", Fault::Late(504)).path("uploads:*");
    site.server.inject(rule.always());
    let hurt = site.once(&lab);
    assert!([4, 6].contains(&hurt.code), "{hurt:?}");
    assert_eq!(site.hand().read("deep/big"), None);
    site.server.clear_faults();
    // The first one that was put off makes the file, the others find no pieces any more.
    let late = site.hand().catch_up();
    assert_eq!(late[0], 201, "{late:?}");
    assert!(late[1..].iter().all(|status| *status == 404), "{late:?}");
    let asked = moves(&site).len();
    is_sent_once("after the run", &lab, &site, &bytes);
    assert!(moves(&site).len() <= asked + 1, "{:?}", moves(&site));
}

/// How many requests a run takes that has everything to do.
fn requests(quirks: Quirks) -> usize {
    let (lab, site) = begun(quirks);
    site.server.log().clear();
    assert_eq!(site.once(&lab).code, 0);
    site.server.log().total()
}

/// A run that has everything to do meets a fault after some of its requests and from then
/// on, until it ends. The runs after it finish.
fn goes_on_failing(fault: &Fault, fifths: usize) {
    for quirks in [Quirks::none, Quirks::nextcloud] {
        let nth = (requests(quirks()) * fifths / 5) as u64;
        let what = format!("{fault:?} from request {nth} on");
        let (lab, site) = begun(quirks());
        site.server
            .inject(Rule::new(fault.clone()).nth(nth).always());
        let hurt = site.once(&lab);
        let met = site.server.log().entries();
        assert!(met.iter().any(|entry| entry.faulty), "{what}: not met");
        site.server.clear_faults();
        if hurt.code == 0 {
            // It says that nothing is left to do.
            assert_eq!(on_disk(&lab.local), finished(), "{what}: {hurt:?}");
            assert_eq!(on_server(&site), finished(), "{what}: {hurt:?}");
        }
        assert!([0, 4, 6].contains(&hurt.code), "{what}: {hurt:?}");
        for name in ["safe/a", "safe/b/c", "safe/b/d", "there/deep/z"] {
            let text = format!("begun with {name}");
            assert_eq!(on_disk(&lab.local).get(name), Some(&text), "{what}, here");
            assert_eq!(on_server(&site).get(name), Some(&text), "{what}, there");
        }
        site.age();
        let healed = site.once(&lab);
        assert_eq!(healed.code, 0, "{what}: {healed:?}");
        assert_eq!(on_disk(&lab.local), finished(), "{what}, here");
        assert_eq!(on_server(&site), finished(), "{what}, there");
    }
}

#[test]
fn a_server_that_fails_from_some_moment_on_costs_nothing_but_the_rest_of_the_run() {
    let faults = [
        Fault::Html,
        Fault::HtmlMultistatus,
        Fault::Status(401),
        Fault::RetryAfter(503, 1),
        Fault::RetryAfter(429, 1),
        Fault::StatusAfter(504),
        Fault::LoseAnswer,
    ];
    for fifths in 1..5 {
        // They mostly wait, so they do it together.
        std::thread::scope(|scope| {
            for fault in &faults {
                scope.spawn(move || goes_on_failing(fault, fifths));
            }
        });
    }
}

#[test]
fn what_a_server_leaves_in_doubt_for_ever_is_given_up_and_not_hammered() {
    for (method, path) in [("PUT", "/old"), ("MOVE", "*"), ("MKCOL", "/d")] {
        let (lab, site) = (Lab::new(), DavSite::timed(Quirks::none()));
        write_long_ago(&lab.local.join("old"), "old");
        site.synced(&lab);
        match method {
            "MKCOL" => fs::create_dir(lab.local.join("d")).expect("a folder"),
            "MOVE" => fs::rename(lab.local.join("old"), lab.local.join("f")).expect("rename"),
            _ => write_long_ago(&lab.local.join("old"), "newer"),
        }
        let rule = Rule::on(method, Fault::Status(502)).path(path);
        site.server.inject(rule.always());
        site.server.log().clear();
        let hurt = site.once(&lab);
        assert_eq!(hurt.code, 4, "{method}: {hurt:?}");
        let tries = site.server.log().count(method);
        assert!((2..=4).contains(&tries), "{method}: {tries} tries");
        site.server.clear_faults();
        assert_eq!(site.once(&lab).code, 0, "{method}");
    }
}

fn problem(done: &Done, words: &str) {
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.out.contains(words), "`{words}`: {done:?}");
}

#[test]
fn a_file_that_is_locked_waits_alone_until_it_is_not() {
    for quirks in [Quirks::none, Quirks::nginx, Quirks::apache] {
        let (lab, site) = begun(quirks());
        assert!(site.hand().lock("here/edit"));
        let hurt = site.once(&lab);
        problem(&hurt, "it is locked on the server");
        let held = "begun with here/edit".as_bytes();
        assert_eq!(site.hand().read("here/edit").expect("kept"), held);
        let mut wanted = finished();
        wanted.remove("here/edit");
        let mut there = on_server(&site);
        there.remove("here/edit");
        assert_eq!(there, wanted, "the others do not wait");
        site.hand().unlock("here/edit");
        assert_eq!(site.once(&lab).code, 0);
        assert_eq!(on_server(&site), finished());
        assert_eq!(on_disk(&lab.local), finished());
    }
}

#[test]
fn what_the_quota_has_no_room_for_waits_and_everything_else_goes_on() {
    for quirks in [Quirks::none, Quirks::wsgidav, Quirks::nextcloud] {
        let site = DavSite::timed(Quirks {
            quota: Some(3 * 1024 * 1024 / 2),
            quota_unlimited: false,
            ..quirks()
        });
        let lab = Lab::new();
        write_long_ago(&lab.local.join("old"), "old");
        write_long_ago(&lab.local.join("gone"), vec![1; 1024]);
        site.synced(&lab);
        site.hand().write("there", b"there");
        fs::remove_file(lab.local.join("gone")).expect("remove");
        // A small one is refused by the server itself, a large one before it is sent.
        write_long_ago(&lab.local.join("a-small"), vec![2; 900 * 1024]);
        write_long_ago(&lab.local.join("b-small"), vec![3; 900 * 1024]);
        write_long_ago(&lab.local.join("large"), vec![4; 3 * MIB]);
        write_long_ago(&lab.local.join("z"), "z");
        let hurt = site.once(&lab);
        problem(&hurt, "room");
        assert_eq!(hurt.summary["problems"], 2, "{hurt:?}");
        assert_eq!(read(&lab.local.join("there")), "there");
        let names = site.names();
        for (name, is_there) in [
            ("z", true),
            ("old", true),
            ("gone", false),
            ("large", false),
        ] {
            assert_eq!(names.contains(&name.to_owned()), is_there, "{names:?}");
        }
        let stored = names.iter().filter(|name| name.ends_with("-small")).count();
        assert_eq!(stored, 1, "{names:?}");
        // Somebody makes room for the other small one.
        fs::remove_file(lab.local.join("large")).expect("remove");
        let small = names.iter().find(|name| name.ends_with("-small"));
        fs::remove_file(lab.local.join(small.expect("one"))).expect("remove");
        site.once(&lab);
        site.synced(&lab);
        let left: Vec<String> = tree(&lab.local).into_keys().collect();
        assert_eq!(left, site.names());
        assert_eq!(left.len(), 4, "{left:?}");
    }
}

#[test]
fn a_folder_that_is_forbidden_is_told_and_holds_up_nothing_else() {
    for quirks in [Quirks::none, Quirks::nginx, Quirks::nextcloud] {
        let (lab, site) = begun(quirks());
        // Whatever is asked below it, and that it is there is seen from above.
        let rule = Rule::new(Fault::Status(403)).path("/here*");
        site.server.inject(rule.always());
        let hurt = site.once(&lab);
        assert_eq!(hurt.code, 4, "{hurt:?}");
        for (name, text) in finished() {
            assert_eq!(on_disk(&lab.local).get(&name), Some(&text), "{name} here");
            if !name.starts_with("here/") {
                assert_eq!(on_server(&site).get(&name), Some(&text), "{name} there");
            }
        }
        assert!(site.hand().read("here/old").is_some(), "not removed");
        site.server.clear_faults();
        assert_eq!(site.once(&lab).code, 0);
        assert_eq!(on_server(&site), finished());
        assert_eq!(on_disk(&lab.local), finished());
    }
}

#[test]
fn maintenance_is_told_once_and_work_goes_on_after_it() {
    let (lab, site) = (Lab::new(), DavSite::timed(Quirks::nextcloud()));
    site.hand().write("there", b"there");
    // The first upload of a client goes by a slot.
    write_long_ago(&lab.local.join("first"), "first");
    let hand = site.hand();
    let far = Far::Dav(site);
    let mut command = far.command(&lab, &json!({"poll_interval": 1, "timeout": 5}));
    let told = lab.dir.path().join("told");
    command
        .arg("-v")
        .stderr(File::create(&told).expect("a file"));
    let daemon = Daemon::start(&lab, &mut command);
    daemon.wait_for("job", "synced");
    // It begins between the content and what ends its upload.
    let Far::Dav(site) = &far else {
        unreachable!("made above");
    };
    let begins = hand.clone();
    site.server
        .before("PUT", "/new", move || begins.maintenance(true));
    write(&lab.local.join("old"), "old");
    write_long_ago(&lab.local.join("new"), "new");
    daemon.wait_for("job", "offline");
    let status = daemon.status("job");
    assert!(
        status["reason"].to_string().contains("maintenance"),
        "{status}"
    );
    hand.maintenance(false);
    daemon.ask("job.sync_now", json!({"job": "job"}));
    until("it is within reach", || {
        daemon.status("job")["state"] != "offline"
    });
    daemon.stop();
    // What was refused itself was told to come back in two minutes; a new process need not.
    far.synced(&lab, &json!({}));
    for (name, text) in [("old", "old"), ("new", "new")] {
        assert_eq!(far.read(name).as_deref(), Some(text));
    }
    let text = read(&told);
    let lines = text.lines().filter(|line| line.contains("out of reach"));
    assert_eq!(lines.count(), 1, "{text}");
}
