//! The daemon against servers of both kinds: what others change arrives, outages and
//! refusals are told once and mended, logins that grow old are renewed.

use crate::daemon::Daemon;
use crate::far::Far;
use crate::program::{Lab, done, read, tree, until, write_long_ago};
use crate::pydio_site::Site;
use crate::webdav_site::DavSite;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};
use test_servers::pydio;
use test_servers::webdav::{Clock, Fault, Options, Quirks, Rule, Scheme};

/// A daemon on a server, in sync.
fn daemon(far: &Far, lab: &Lab) -> Daemon {
    let mut command = far.command(lab, &json!({"poll_interval": 1, "timeout": 5}));
    let told = File::create(lab.dir.path().join("told")).expect("a file");
    let daemon = Daemon::start(lab, command.arg("-v").stderr(told));
    daemon.wait_for("job", "synced");
    daemon
}

/// How many of its lines hold these words.
fn told(lab: &Lab, words: &str) -> usize {
    let text = read(&lab.dir.path().join("told"));
    text.lines().filter(|line| line.contains(words)).count()
}

/// What is written here arrives there.
fn sends(far: &Far, lab: &Lab, name: &str, text: &str) {
    write_long_ago(&lab.local.join(name), text);
    until("it arrives on the server", || {
        far.read(name).is_some_and(|found| found == text)
    });
}

#[test]
fn what_others_change_on_a_server_arrives_by_its_feed() {
    for far in Far::both() {
        let lab = Lab::new();
        far.write("d/old", b"old");
        let daemon = daemon(&far, &lab);
        far.write("d/new", b"of another");
        until("a new file arrives", || lab.local.join("d/new").exists());
        far.write("d/new", b"of another, edited");
        until("an edit arrives", || {
            fs::read(lab.local.join("d/new")).is_ok_and(|text| text.ends_with(b"edited"))
        });
        far.rename("d/old", "d/moved");
        until("a move arrives", || {
            lab.local.join("d/moved").exists() && !lab.local.join("d/old").exists()
        });
        far.remove("d/new");
        until("a deletion arrives", || !lab.local.join("d/new").exists());
        daemon.stop();
    }
}

#[test]
fn what_the_feed_of_an_sqlite_server_hides_is_mended_by_the_comparison_of_folders() {
    let quirks = pydio::Quirks::v6_4().with(pydio::Quirk::Sqlite);
    let far = Far::Pydio(Site::of(quirks));
    let lab = Lab::new();
    for name in ["d/x", "d/e/y", "gone/z", "stays/s"] {
        far.write(name, name.as_bytes());
    }
    let Far::Pydio(site) = &far else {
        unreachable!("made above");
    };
    // Times are whole seconds: what changes next must show in them.
    for folder in ["", "d", "d/e", "gone", "stays"] {
        let folder = File::open(site.server().folder("sync").join(folder));
        let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        folder.expect("folder").set_modified(time).expect("time");
    }
    let often = json!({"poll_interval": 1, "recheck": 5});
    let daemon = Daemon::start(&lab, &mut far.command(&lab, &often));
    daemon.wait_for("job", "synced");
    assert!(lab.local.join("d/e/y").exists());
    let before = site.server().last_seq();
    far.rename("d", "moved");
    site.ask("delete/", "file=/gone");
    assert_eq!(site.server().last_seq(), before, "the feed says nothing");
    far.write("moved/e/new", b"below what moved");
    let wanted = [
        "moved/",
        "moved/e/",
        "moved/e/new",
        "moved/e/y",
        "moved/x",
        "stays/",
        "stays/s",
    ];
    // Before the folder is read whole: a folder in it that leaves meanwhile ends the test.
    until("the old places are left", || {
        ["d", "gone"]
            .iter()
            .all(|name| !lab.local.join(name).exists())
    });
    until("the tree is mended", || {
        tree(&lab.local).into_keys().eq(wanted)
    });
    daemon.wait_for("job", "synced");
    daemon.stop();
    let idle = far.synced(&lab, &often);
    assert!(idle.is_idle(), "{idle:?}");
}

#[test]
fn an_outage_is_told_once_and_work_goes_on_when_the_server_is_back() {
    for far in Far::both() {
        let lab = Lab::new();
        let daemon = daemon(&far, &lab);
        far.go_away();
        write_long_ago(&lab.local.join("meanwhile"), "x");
        daemon.wait_for("job", "offline");
        let asked = far.refused();
        until("it is asked again", || far.refused() > asked);
        far.mend();
        until("what waited arrives", || far.read("meanwhile").is_some());
        daemon.wait_for("job", "synced");
        assert_eq!(told(&lab, "out of reach"), 1, "{}", far.name());
        assert_eq!(told(&lab, "within reach again"), 1, "{}", far.name());
        daemon.stop();
    }
}

#[test]
fn a_password_that_is_refused_meanwhile_is_told_once_and_not_tried_again() {
    for far in Far::both() {
        let lab = Lab::new();
        let daemon = daemon(&far, &lab);
        far.lock_out();
        write_long_ago(&lab.local.join("meanwhile"), "x");
        daemon.wait_for("job", "credentials");
        let status = daemon.status("job");
        let reason = status["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("refused the password"), "{status}");
        assert!(status["next_try"].is_null(), "{status}");
        // What was under way at once, and no more.
        assert!(far.refused() <= 3, "{}: {}", far.name(), far.refused());
        assert_eq!(told(&lab, "refused the password"), 1, "{}", far.name());
        daemon.stop();
        far.mend();
        far.synced(&lab, &json!({}));
        assert_eq!(far.read("meanwhile").as_deref(), Some("x"));
    }
}

#[test]
fn a_person_who_says_start_has_a_refused_password_tried_again_at_once() {
    for far in Far::both() {
        let lab = Lab::new();
        let daemon = daemon(&far, &lab);
        far.lock_out();
        write_long_ago(&lab.local.join("meanwhile"), "x");
        daemon.wait_for("job", "credentials");
        let before = far.refused();
        daemon.ask("job.start", json!({"job": "job"}));
        until("it was tried again", || far.refused() > before);
        daemon.wait_for("job", "credentials");
        // Nothing but what the person asked for.
        assert!(far.refused() <= before + 2, "{}", far.name());
        far.mend();
        let started = lab.offline(&["start", "job"]);
        assert_eq!(started.code, 0, "{started:?}");
        daemon.wait_for("job", "synced");
        assert_eq!(far.read("meanwhile").as_deref(), Some("x"));
        daemon.stop();
    }
}

/// When each failed operation is to be tried again, and how long after its failure.
fn waits(daemon: &Daemon) -> Vec<i64> {
    let page = json!({"job": "job", "from": 1, "limit": 1000});
    let page = daemon.ask("journal.read", page);
    let messages = page["messages"].as_array().expect("messages").iter();
    let failed = messages.filter(|message| message["body"]["type"] == "operation_failed");
    let time = |value: &Value| value.as_i64().expect("a time");
    failed
        .map(|message| time(&message["body"]["retry_at"]) - time(&message["body"]["time"]))
        .collect()
}

#[test]
fn a_person_has_what_a_server_put_off_tried_at_once_and_once() {
    let site = DavSite::of(Quirks::nextcloud());
    let far = Far::Dav(site);
    let lab = Lab::new();
    let daemon = daemon(&far, &lab);
    let Far::Dav(site) = &far else {
        unreachable!("made above");
    };
    let later = Rule::on("PUT", Fault::RetryAfter(503, HOUR_S));
    site.server.inject(later.always());
    write_long_ago(&lab.local.join("put off"), "x");
    until("it is put off", || waits(&daemon).len() == 1);
    for (tries, order) in [(2, "job.sync_now"), (3, "job.start")] {
        daemon.ask(order, json!({"job": "job"}));
        until("it was tried again", || waits(&daemon).len() == tries);
        assert_eq!(far.refused(), tries, "{order}");
    }
    // By itself it waits as long as the server wants it to, each time.
    assert!(waits(&daemon).iter().all(|ms| *ms >= HOUR_MS));
    far.mend();
    daemon.ask("job.sync_now", json!({"job": "job"}));
    until("it arrives", || far.read("put off").is_some());
    daemon.wait_for("job", "synced");
    daemon.stop();
}

#[test]
fn a_person_has_a_server_that_put_off_everything_asked_at_once() {
    for order in ["job.sync_now", "job.start"] {
        let far = Far::Dav(DavSite::of(Quirks::nextcloud()));
        let lab = Lab::new();
        let daemon = daemon(&far, &lab);
        let Far::Dav(site) = &far else {
            unreachable!("made above");
        };
        site.server
            .inject(Rule::new(Fault::RetryAfter(429, HOUR_S)).always());
        write_long_ago(&lab.local.join("meanwhile"), "x");
        daemon.wait_for("job", "offline");
        let status = daemon.status("job");
        let next = status["next_try"].as_i64().expect("a time");
        let since = status["since"].as_i64().expect("a time");
        assert!(next - since > HOUR_MS / 2, "{status}");
        far.mend();
        daemon.ask(order, json!({"job": "job"}));
        daemon.wait_for("job", "synced");
        assert_eq!(far.read("meanwhile").as_deref(), Some("x"));
        daemon.stop();
    }
}

/// As long as a server may ask for in these tests.
const HOUR_S: u64 = 3600;
const HOUR_MS: i64 = 3_600_000;

#[test]
fn a_password_that_was_kept_anew_counts_at_a_start_or_a_reload() {
    for order in ["start", "reload"] {
        for far in Far::both() {
            let lab = Lab::new();
            let (url, user, password) = far.account();
            let keep = |password: &str| {
                let mut login = lab.bare();
                login.args(["login", "--unchecked", "-s", &url, "-u", &user]);
                let kept = done(login.env("HOME", lab.dir.path()).args(["-p", password]));
                assert_eq!(kept.code, 0, "{kept:?}");
            };
            keep("a wrong one");
            let mut command = far.command(&lab, &json!({"poll_interval": 1}));
            command.env_remove("PYDIO_SYNC_PASSWORD");
            let daemon = Daemon::start(&lab, &mut command);
            daemon.wait_for("job", "credentials");
            keep(&password);
            let told = lab.offline(&[order, "job"]);
            assert_eq!(told.code, 0, "{told:?}");
            daemon.wait_for("job", "synced");
            daemon.stop();
        }
    }
}

#[test]
fn logins_that_grow_old_are_renewed_and_no_upload_is_lost() {
    for scheme in [Scheme::Digest(true), Scheme::Digest(false), Scheme::Basic] {
        let options = Options::new(Quirks::nextcloud()).clock(Clock::machine());
        let far = Far::Dav(DavSite::with(
            options.schemes(std::slice::from_ref(&scheme)),
        ));
        let lab = Lab::new();
        let daemon = daemon(&far, &lab);
        let Far::Dav(site) = &far else {
            unreachable!("made above");
        };
        for (name, length) in [("small", 10), ("large", 3 << 20)] {
            site.server.revoke();
            sends(&far, &lab, name, &"x".repeat(length));
        }
        daemon.wait_for("job", "synced");
        assert_eq!(told(&lab, "refuses user and password"), 0, "{scheme:?}");
        daemon.stop();
    }
}

#[test]
fn a_token_that_ends_rests_the_job_until_it_counts_again() {
    let token = Scheme::Bearer("secret".to_owned());
    let options = Options::new(Quirks::none()).clock(Clock::machine());
    let mut site = DavSite::with(options.schemes(&[token]));
    site.place.user = String::new();
    let far = Far::Dav(site);
    let lab = Lab::new();
    let daemon = daemon(&far, &lab);
    let Far::Dav(site) = &far else {
        unreachable!("made above");
    };
    sends(&far, &lab, "before", "x");
    site.server.change_token("another");
    write_long_ago(&lab.local.join("after"), "x");
    daemon.wait_for("job", "credentials");
    let refused = site.server.log().entries();
    let refused = refused.iter().filter(|entry| entry.status == 401);
    // One that asks who it is, at the first start, and those that were under way.
    assert!(refused.count() <= 5, "it hammers");
    // The process tries it again a minute later at the soonest.
    daemon.stop();
    site.server.change_token("secret");
    far.synced(&lab, &json!({}));
    assert_eq!(far.read("after").as_deref(), Some("x"));
}
