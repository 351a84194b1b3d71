//! The program against WebDAV servers: flags, two clients, servers' own habits.

use crate::program::{Done, Lab, Running, done, read, tree, write_long_ago};
use crate::webdav_real::{Address, named};
use crate::webdav_site::DavSite;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use test_servers::webdav::{Fault, Quirks, Rule};

const SERVERS: [fn() -> Quirks; 6] = [
    Quirks::none,
    Quirks::apache,
    Quirks::nginx,
    Quirks::rclone,
    Quirks::wsgidav,
    Quirks::nextcloud,
];

/// A server and what is done there past the program.
enum Server {
    Own(Box<DavSite>),
    Real(Address),
}

impl Server {
    /// The own one as each, and the one that the environment names.
    fn all() -> impl Iterator<Item = Self> {
        let own = SERVERS.map(|quirks| Self::Own(Box::new(DavSite::timed(quirks()))));
        own.into_iter().chain(named().map(Self::Real))
    }

    fn synced(&self, lab: &Lab) -> Done {
        match self {
            Self::Own(site) => site.synced(lab),
            Self::Real(address) => address.synced(lab),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Own(site) => site.hand().write(name, bytes),
            Self::Real(address) => address.write(name, bytes),
        }
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self {
            Self::Own(site) => site.hand().read(name),
            Self::Real(address) => address.read(name),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Own(site) => site.names(),
            Self::Real(address) => address.names(),
        }
    }
}

#[test]
fn every_server_is_synced_both_ways_and_then_nothing_is_left_to_do() {
    for server in Server::all() {
        let lab = Lab::new();
        write_long_ago(&lab.local.join("here/a b#%.txt"), "from here");
        write_long_ago(&lab.local.join("empty"), "");
        server.write("there/é.txt", b"from there");
        let first = server.synced(&lab);
        assert_eq!(
            (&first.summary["uploaded"], &first.summary["downloaded"]),
            (&2.into(), &1.into())
        );
        assert_eq!(
            server.names(),
            ["empty", "here", "here/a b#%.txt", "there", "there/é.txt"]
        );
        assert_eq!(read(&lab.local.join("there/é.txt")), "from there");
        let second = server.synced(&lab);
        assert!(second.is_idle(), "{second:?}");
        fs::rename(lab.local.join("here"), lab.local.join("moved")).expect("rename");
        fs::remove_file(lab.local.join("there/é.txt")).expect("remove");
        write_long_ago(&lab.local.join("empty"), "filled");
        let third = server.synced(&lab);
        assert_eq!(
            (&third.summary["moved"], &third.summary["uploaded"]),
            (&1.into(), &1.into()),
            "{third:?}"
        );
        assert_eq!(
            server.names(),
            ["empty", "moved", "moved/a b#%.txt", "there"]
        );
        assert_eq!(server.read("empty").expect("file"), b"filled");
    }
}

#[test]
fn two_clients_of_one_tree_become_equal_and_lose_nothing() {
    for server in Server::all() {
        let (one, two) = (Lab::new(), Lab::new());
        write_long_ago(&one.local.join("a/x"), "x");
        write_long_ago(&one.local.join("both"), "base");
        write_long_ago(&one.local.join("tree/y"), "y");
        server.synced(&one);
        server.synced(&two);
        assert_eq!(tree(&one.local), tree(&two.local));
        fs::rename(one.local.join("a"), one.local.join("b")).expect("rename");
        write_long_ago(&one.local.join("both"), "of one");
        write_long_ago(&two.local.join("both"), "of the other");
        fs::remove_dir_all(two.local.join("tree")).expect("remove");
        for _ in 0..3 {
            server.synced(&one);
            server.synced(&two);
        }
        let found = tree(&one.local);
        assert_eq!(found, tree(&two.local));
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert!(
            names.contains(&"b/x") && !names.contains(&"tree/"),
            "{names:?}"
        );
        for length in ["6 bytes", "12 bytes"] {
            let is_there = found.values().any(|text| text.starts_with(length));
            assert!(is_there, "{length} are not in {found:?}");
        }
    }
}

#[test]
fn a_server_is_tried_once_and_the_journal_says_what_was_found() {
    let (lab, site) = (Lab::new(), DavSite::timed(Quirks::nginx()));
    write_long_ago(&lab.local.join("a"), "a");
    site.synced(&lab);
    let trials = |site: &DavSite| {
        let entries = site.server.log().entries();
        let is_trial = |path: &str| path.contains("/probe");
        entries.iter().filter(|entry| is_trial(&entry.path)).count()
    };
    assert!(trials(&site) > 0);
    assert!(
        !site
            .hand()
            .names()
            .iter()
            .any(|name| name.contains("probe"))
    );
    site.server.log().clear();
    write_long_ago(&lab.local.join("b"), "b");
    site.synced(&lab);
    assert_eq!(trials(&site), 0);
    let events = lab.offline(&["events", "--json"]).out;
    let probed: Vec<&str> = events
        .lines()
        .filter(|line| line.contains("remote_probed"))
        .collect();
    assert_eq!(probed.len(), 1, "{events}");
    for (name, value) in [
        ("conditions", "false"),
        ("atomic_put", "true"),
        ("lists_dot_names", "false"),
    ] {
        let fact = format!("{{\"name\":\"{name}\",\"value\":\"{value}\"}}");
        assert!(probed[0].contains(&fact), "{fact} is not in {probed:?}");
    }
}

#[test]
fn a_login_by_browser_keeps_an_app_password_that_later_runs_use() {
    let (lab, site) = (Lab::new(), DavSite::of(Quirks::nextcloud()));
    site.hand().write("there", b"there");
    let mut login = lab.bare();
    login.args(["login", "--web", "-s", &site.place.url]);
    login.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut login = Running(login.spawn().expect("the program starts"));
    let mut told = BufReader::new(login.0.stderr.take().expect("words"));
    let mut line = String::new();
    told.read_line(&mut line).expect("an address");
    assert!(line.contains("/login/v2/flow/"), "{line}");
    assert_eq!(site.server.grant_logins(), 1);
    assert_eq!(login.end().code(), Some(0));
    let mut run = lab.bare();
    run.args([
        "-s",
        &site.place.url,
        "-u",
        &site.place.user,
        "--once",
        "-z",
        "0",
        "-d",
    ]);
    let done = done(run.arg(&lab.local).arg("--json"));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(read(&lab.local.join("there")), "there");
}

#[test]
fn a_folder_that_may_only_be_read_is_told_as_such_and_not_as_an_outage() {
    for (status, methods) in [
        (403, &["MKCOL"][..]),
        (403, &["PUT"]),
        (405, &["MKCOL", "PUT"]),
    ] {
        let (lab, site) = (Lab::new(), DavSite::timed(Quirks::none()));
        site.hand().write("f", b"there");
        for method in methods {
            let rule = Rule::on(method, Fault::Status(status));
            site.server.inject(rule.always());
        }
        let refused = done(site.command(&lab).args(["--once", "-dir", "down"]));
        assert_eq!(refused.code, 2, "{refused:?}");
        for words in ["may only be read", "with `-dir down` too"] {
            assert!(refused.err.contains(words), "{refused:?}");
        }
        assert!(!refused.err.contains("cannot be reached"), "{refused:?}");
    }
}

#[test]
fn a_server_that_moves_nothing_is_told_as_such_and_not_as_a_place_that_is_taken() {
    for status in [405, 501] {
        let (lab, site) = (Lab::new(), DavSite::timed(Quirks::none()));
        let rule = Rule::on("MOVE", Fault::Status(status));
        site.server.inject(rule.always());
        let refused = done(site.command(&lab).arg("--once"));
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.err.contains("the method MOVE"), "{refused:?}");
    }
}
