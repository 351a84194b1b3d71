//! The program against a Pydio server: the old flags, two clients, kills.
//!
//! With `PYDIO_SYNC_TEST_URL` and its companions set, the runs that need no faults
//! go against that server.

use crate::program::{Done, Lab, Running, done, read, tree, until, write_long_ago};
use crate::pydio_site::Site;
use md5::Digest as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use test_servers::pydio::{Fault, Quirk, Quirks, Rule};

/// Any server: the real one, or the test server with the quirks.
fn any(quirks: Quirks) -> Site {
    Site::real()
        .unwrap_or_else(|| Site::of(quirks))
        .in_new_folder()
}

fn command(lab: &Lab, site: &Site) -> Command {
    let mut command = lab.bare();
    let place = &site.place;
    command
        .args(["-s", &place.url, "-w", &place.workspace, "-u", &place.user])
        .args(["-r", place.folder.as_str(), "-z", "0", "-d"])
        .arg(&lab.local)
        .env("PYDIO_SYNC_PASSWORD", site.password());
    command
}

fn once(lab: &Lab, site: &Site) -> Done {
    done(command(lab, site).args(["--once", "--json"]))
}

fn synced(lab: &Lab, site: &Site) -> Done {
    let done = once(lab, site);
    assert_eq!(done.code, 0, "{done:?}");
    done
}

fn start(lab: &Lab, site: &Site) -> Running {
    let mut command = command(lab, site);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("the program starts"))
}

#[test]
fn the_old_flags_sync_both_ways_and_then_nothing_is_left_to_do() {
    let (lab, site) = (Lab::new(), any(Quirks::v6_4()));
    write_long_ago(&lab.local.join("here/a b.txt"), "from here");
    write_long_ago(&lab.local.join("empty"), "");
    site.write("there/é.txt", b"from there");
    let first = synced(&lab, &site);
    assert_eq!(
        (&first.summary["uploaded"], &first.summary["downloaded"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        site.names(),
        ["empty", "here", "here/a b.txt", "there", "there/é.txt"]
    );
    assert_eq!(read(&lab.local.join("there/é.txt")), "from there");
    let second = synced(&lab, &site);
    assert!(second.is_idle(), "{second:?}");
    fs::rename(lab.local.join("here"), lab.local.join("moved")).expect("rename");
    fs::remove_file(lab.local.join("there/é.txt")).expect("remove");
    write_long_ago(&lab.local.join("empty"), "filled");
    let third = synced(&lab, &site);
    assert_eq!(
        (&third.summary["moved"], &third.summary["uploaded"]),
        (&1.into(), &1.into())
    );
    assert_eq!(site.names(), ["empty", "moved", "moved/a b.txt", "there"]);
    assert_eq!(site.read("empty").expect("file"), b"filled");
}

#[test]
fn a_run_without_changes_costs_a_handful_of_requests() {
    let (lab, site) = (Lab::new(), Site::of(Quirks::v6_4()));
    for number in 0..60 {
        write_long_ago(
            &lab.local.join(format!("d{}/f{number}", number % 6)),
            number.to_string(),
        );
    }
    synced(&lab, &site);
    let counts = site.server().log().counts();
    assert_eq!(counts.get("upload"), Some(&60), "{counts:?}");
    assert!(site.server().log().total() < 90, "{counts:?}");
    synced(&lab, &site);
    site.server().log().clear();
    synced(&lab, &site);
    let counts = site.server().log().counts();
    assert!(site.server().log().total() <= 8, "{counts:?}");
    assert_eq!(counts.get("changes"), Some(&1), "{counts:?}");
    assert_eq!(counts.get("ls"), None, "{counts:?}");
}

#[test]
fn a_renamed_folder_is_one_request_beside_the_looks_whatever_it_holds() {
    let (lab, site) = (Lab::new(), Site::of(Quirks::v6_4()));
    for number in 0..60 {
        let name = format!("d/e{}/f{number}", number % 6);
        write_long_ago(&lab.local.join(name), number.to_string());
    }
    synced(&lab, &site);
    synced(&lab, &site);
    fs::rename(lab.local.join("d"), lab.local.join("renamed")).expect("rename");
    site.server().log().clear();
    let done = synced(&lab, &site);
    assert_eq!(done.summary["moved"], 1, "{done:?}");
    let counts = site.server().log().counts();
    assert_eq!(counts.get("rename"), Some(&1), "{counts:?}");
    for action in ["upload", "mkdir", "delete", "ls"] {
        assert_eq!(counts.get(action), None, "{counts:?}");
    }
    assert!(site.server().log().total() <= 14, "{counts:?}");
}

#[test]
fn two_clients_of_a_server_with_every_quirk_become_equal() {
    // What no feed ever shows waits for the next full listing, hours later.
    let all = Quirks::all()
        .without(Quirk::DeferredEvents)
        .without(Quirk::Sqlite);
    for quirks in [all, Quirks::v8_2()] {
        let site = any(quirks);
        let (one, two) = (Lab::new(), Lab::new());
        write_long_ago(&one.local.join("a/x"), "x");
        write_long_ago(&one.local.join("foo.txt"), "1");
        write_long_ago(&one.local.join("foobar/y"), "y");
        write_long_ago(&one.local.join("Abc"), "upper");
        write_long_ago(&one.local.join("abc"), "lower");
        write_long_ago(&one.local.join("😀"), "smile");
        synced(&one, &site);
        synced(&two, &site);
        assert_eq!(tree(&one.local), tree(&two.local));
        fs::rename(one.local.join("a"), one.local.join("b")).expect("rename");
        write_long_ago(&one.local.join("abc"), "lower, edited");
        write_long_ago(&two.local.join("a/new"), "into the old name");
        fs::remove_dir_all(two.local.join("foobar")).expect("remove");
        for _ in 0..3 {
            synced(&one, &site);
            synced(&two, &site);
        }
        let found = tree(&one.local);
        assert_eq!(found, tree(&two.local));
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert!(
            names.contains(&"b/new") && names.contains(&"b/x"),
            "{names:?}"
        );
        assert!(!names.contains(&"foobar/"), "{names:?}");
        assert_eq!(read(&two.local.join("abc")), "lower, edited");
    }
}

#[test]
fn edits_on_both_sides_end_as_two_files_on_both() {
    let (lab, site) = (Lab::new(), any(Quirks::v6_4()));
    write_long_ago(&lab.local.join("f.txt"), "common");
    synced(&lab, &site);
    write_long_ago(&lab.local.join("f.txt"), "mine, longer");
    site.write("f.txt", b"theirs");
    let done = once(&lab, &site);
    assert_eq!(read(&lab.local.join("f.txt")), "theirs", "{done:?}");
    let names = site.names();
    let copy = names.iter().find(|name| name.contains("(conflict"));
    let copy = copy.unwrap_or_else(|| panic!("{names:?}"));
    assert_eq!(site.read(copy).expect("copy"), b"mine, longer");
    assert_eq!(read(&lab.local.join(copy)), "mine, longer");
}

#[test]
fn an_old_hash_is_no_proof_that_a_file_of_another_size_is_the_same() {
    let site = Site::with(|options| options.upload_max(64 * 1024, 1 << 20));
    let (lab, other) = (Lab::new(), Lab::new());
    let at = site.server().folder("sync").join("f");
    let second = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let in_one_second = || {
        let file = fs::File::options().write(true).open(&at).expect("file");
        file.set_modified(second).expect("its time");
    };
    site.write("f", &[1; 100_000]);
    in_one_second();
    synced(&lab, &site);
    for size in [200_000, 150_000] {
        // In pieces, so that the server keeps the hash that it has.
        site.write("f", &vec![2; size]);
        in_one_second();
        synced(&lab, &site);
        synced(&other, &site);
        for lab in [&lab, &other] {
            let found = fs::read(lab.local.join("f")).expect("file");
            assert!(found == vec![2; size], "{size}: {} bytes", found.len());
        }
    }
    let hash = site.ask("stat_hash/f", "");
    let stale = md5::Md5::digest([1; 100_000]);
    let stale: String = stale.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(hash.contains(&stale), "the server did not lie: {hash}");
}

#[test]
fn faults_of_every_kind_end_in_the_right_tree() {
    let (lab, site) = (Lab::new(), Site::of(Quirks::v6_4()));
    for number in 0..8 {
        write_long_ago(
            &lab.local.join(format!("up{number}")),
            format!("up {number}"),
        );
        site.write(
            &format!("down{number}"),
            format!("down {number}").as_bytes(),
        );
    }
    for fault in [
        Fault::Status(503),
        Fault::StatusAfter(500),
        Fault::Html,
        Fault::Refuse,
        Fault::LoseAnswer,
        Fault::CutBody(10),
        Fault::Gzip,
    ] {
        for action in ["upload", "download", "stat_hash", "ls", "changes"] {
            site.server().inject(Rule::on(action, fault.clone()));
        }
    }
    for _ in 0..40 {
        if once(&lab, &site).code == 0 {
            break;
        }
    }
    site.server().clear_faults();
    synced(&lab, &site);
    assert_eq!(site.names().len(), 16);
    for number in 0..8 {
        assert_eq!(
            read(&lab.local.join(format!("down{number}"))),
            format!("down {number}")
        );
        let up = site.read(&format!("up{number}"));
        assert_eq!(up, Some(format!("up {number}").into_bytes()));
    }
}

#[test]
fn a_kill_in_the_middle_of_a_large_upload_or_download_costs_nothing() {
    let site = Site::with(|options| {
        // Slow enough to be killed in between.
        let latency = Duration::from_millis(20);
        options.upload_max(64 * 1024, 1 << 20).latency(latency)
    });
    let (one, two) = (Lab::new(), Lab::new());
    let content: Vec<u8> = (0..900_000u32).map(|at| (at / 512) as u8).collect();
    site.write("big", b"the old version");
    synced(&one, &site);
    write_long_ago(&one.local.join("big"), &content);
    let log = site.server().log();
    for wanted in [3, 5] {
        let before = log.count("upload");
        let mut running = start(&one, &site);
        until("some pieces were sent", || {
            log.count("upload") >= before + wanted
        });
        running.0.kill().expect("kill");
        running.0.wait().expect("wait");
        let now = site.read("big").expect("there");
        assert!(now == b"the old version" || now == content);
    }
    let before = log.count("upload");
    synced(&one, &site);
    assert!(site.read("big") == Some(content.clone()));
    let pieces = 900_000 / (64 * 1024 - 4096) + 1;
    assert!(
        log.count("upload") - before < pieces,
        "it went on in one run"
    );
    let slow = Fault::Drip(20_000, Duration::from_millis(30));
    site.server().inject(Rule::on("download", slow));
    let before = log.count("download");
    let mut running = start(&two, &site);
    until("the download began", || log.count("download") > before);
    running.0.kill().expect("kill");
    running.0.wait().expect("wait");
    site.server().clear_faults();
    synced(&two, &site);
    assert!(fs::read(two.local.join("big")).expect("file") == content);
    assert_eq!(tree(&one.local), tree(&two.local));
}

#[test]
fn a_wrong_password_and_a_missing_workspace_are_told_by_their_codes() {
    let (lab, mut site) = (Lab::new(), Site::of(Quirks::v6_4()));
    let mut wrong = command(&lab, &site);
    let refused = done(
        wrong
            .env("PYDIO_SYNC_PASSWORD", "wrong")
            .args(["--once", "--json"]),
    );
    assert_eq!(refused.code, 6, "{refused:?}");
    site.place.workspace = "nothing".to_owned();
    let missing = once(&lab, &site);
    assert_eq!(missing.code, 2, "{missing:?}");
}
