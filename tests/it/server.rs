//! The command line against a server: the old flags, passwords, workspaces, refusals.

use crate::program::{Done, Lab, Running, done, read, tree, write};
use crate::webdav_site::DavSite;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use test_servers::front::Front;
use test_servers::pydio::{Options, PydioServer, Rights, User, Workspace};
use test_servers::webdav::{self, Scheme};

/// A server with three workspaces and a user, beside a lab.
struct Site {
    lab: Lab,
    server: PydioServer,
}

const PASSWORD: &str = "hunter2 ünd: more";

impl Site {
    fn new() -> Self {
        let lab = Lab::new();
        let user = User::new("ada", PASSWORD)
            .limited("books", Some(Rights::Read))
            .limited("secret", None);
        let mut options = Options::new(&lab.dir.path().join("server"))
            .base("/pydio")
            .user(user);
        for (id, slug) in [("2", "my-files"), ("3", "books"), ("4", "secret")] {
            options = options.workspace(Workspace::new(id, slug));
        }
        fs::create_dir(lab.dir.path().join("server")).expect("a folder");
        let server = PydioServer::start(options).expect("it starts");
        Self { lab, server }
    }

    fn there(&self) -> PathBuf {
        self.server.folder("my-files")
    }

    /// The old client's flags, but for the password.
    fn flags(&self, workspace: &str) -> Command {
        let mut command = self.lab.bare();
        command.args(["-s", self.server.url(), "-w", workspace, "-u", "ada", "-d"]);
        command
            .arg(&self.lab.local)
            .args(["-z", "0", "--once", "--json"]);
        command
    }

    /// Runs the jobs of a file once.
    fn once_by(&self, file: &Path) -> Done {
        let mut command = self.lab.bare();
        done(
            command
                .arg("-f")
                .arg(file)
                .args(["--once", "--json", "-z", "0"]),
        )
    }

    fn login(&self, password: &str) -> Done {
        let file = self.lab.dir.path().join("password");
        write(&file, password);
        let words = [
            "login",
            "-s",
            self.server.url(),
            "-u",
            "ada",
            "--password-file",
        ];
        done(self.lab.bare().args(words).arg(file))
    }

    fn questions(&self) -> usize {
        self.server.log().total()
    }
}

#[test]
fn the_old_flags_sync_with_a_server_both_ways() {
    let site = Site::new();
    write(&site.lab.local.join("d/ünd +&%.txt"), "from here");
    write(&site.lab.local.join(".hidden"), "stays");
    write(&site.there().join("e/there"), "from there");
    let run = |more: &[&str]| done(site.flags("my-files").args(["-p", PASSWORD]).args(more));
    let first = run(&["--remote_folder", "/", "-dir", "bi"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(first.summary["state"], "synced");
    assert_eq!(
        (&first.summary["uploaded"], &first.summary["downloaded"]),
        (&json!(1), &json!(1))
    );
    assert!(!first.err.contains("hunter2") && !first.out.contains("hunter2"));
    let job = first.summary["job"].as_str().expect("an id");
    assert!(
        job.starts_with("127-0-0-1-") && job.contains("-my-files-"),
        "{job}"
    );
    assert_eq!(read(&site.there().join("d/ünd +&%.txt")), "from here");
    assert_eq!(read(&site.lab.local.join("e/there")), "from there");
    assert!(!site.there().join(".hidden").exists(), "hidden files stay");
    let again = run(&[]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.summary["uploaded"], 0);
    let listed = site.lab.offline(&["jobs", "list"]);
    let wanted = format!("{} my-files/ as ada", site.server.url());
    assert!(listed.out.contains(&wanted), "{listed:?}");
}

#[test]
fn a_password_that_the_server_takes_is_kept_and_then_used() {
    let site = Site::new();
    write(&site.lab.local.join("a"), "a");
    assert_eq!(
        done(&mut site.flags("my-files")).code,
        2,
        "none is known yet"
    );
    let wrong = site.login("wrong");
    assert_eq!(wrong.code, 6, "{wrong:?}");
    assert!(
        wrong.err.contains("refused the password of `ada`"),
        "{wrong:?}"
    );
    assert!(!site.lab.state.join("credentials.json").exists());
    let right = site.login(PASSWORD);
    assert_eq!(right.code, 0, "{right:?}");
    assert!(right.err.contains("the server takes it"), "{right:?}");
    let run = done(&mut site.flags("my-files"));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&site.there().join("a")), "a");
    // What is given for one call wins over what is kept.
    let other = done(site.flags("my-files").env("PYDIO_SYNC_PASSWORD", "wrong"));
    assert_eq!(other.code, 6, "{other:?}");
    assert_eq!(site.lab.offline(&["logout"]).code, 0);
    assert_eq!(done(&mut site.flags("my-files")).code, 2, "it is forgotten");
}

#[test]
fn a_refused_password_or_a_lost_server_ends_the_run_at_once() {
    let site = Site::new();
    write(&site.lab.local.join("a"), "a");
    assert_eq!(done(site.flags("my-files").args(["-p", PASSWORD])).code, 0);
    write(&site.lab.local.join("b"), "b");
    let before = site.questions();
    let refused = done(site.flags("my-files").args(["-p", "wrong"]));
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.err.contains("pydio-sync login"), "{refused:?}");
    let asked = site.questions() - before;
    assert!(asked <= 2, "{asked} requests with a wrong password");
    assert!(!site.there().join("b").exists());
    let url = site.server.url().to_owned();
    drop(site.server);
    let mut command = site.lab.bare();
    command.args([
        "-s", &url, "-w", "my-files", "-u", "ada", "-p", PASSWORD, "-d",
    ]);
    let away = done(command.arg(&site.lab.local).args(["-z", "0", "--once"]));
    assert_eq!(away.code, 6, "{away:?}");
    assert!(
        away.err.contains(&format!("`{url}` cannot be reached")),
        "{away:?}"
    );
}

#[test]
fn a_first_run_is_refused_where_nothing_can_be_synced() {
    let site = Site::new();
    let run = |workspace: &str, more: &[&str]| {
        done(site.flags(workspace).args(["-p", PASSWORD]).args(more))
    };
    let unknown = run("my-flies", &[]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.err.contains("no workspace `my-flies`"),
        "{unknown:?}"
    );
    assert!(unknown.err.contains("`my-files`, `books`"), "{unknown:?}");
    assert!(!unknown.err.contains("secret"), "{unknown:?}");
    assert_eq!(run("secret", &[]).code, 2);
    let folder = run("my-files", &["-r", "/nowhere"]);
    assert_eq!(folder.code, 2, "{folder:?}");
    assert!(folder.err.contains("nowhere` does not exist"), "{folder:?}");
    let mut daemon = site.lab.bare();
    let url = site.server.url();
    daemon.args([
        "-s", url, "-w", "my-flies", "-u", "ada", "-p", PASSWORD, "-d",
    ]);
    daemon
        .arg(&site.lab.local)
        .args(["-z", "0"])
        .stderr(Stdio::null());
    let ended = Running(daemon.spawn().expect("the program starts")).end();
    assert_eq!(ended.code(), Some(2), "a daemon starts no such job either");
    write(&site.server.folder("books").join("book"), "read me");
    let read_only = run("books", &[]);
    assert_eq!(read_only.code, 2, "{read_only:?}");
    assert!(read_only.err.contains("-dir down"), "{read_only:?}");
    assert_eq!(tree(&site.lab.local).len(), 0);
    let down = run("books", &["-dir", "down"]);
    assert_eq!(down.code, 0, "{down:?}");
    assert_eq!(read(&site.lab.local.join("book")), "read me");
}

#[test]
fn a_server_that_is_away_costs_nothing_but_the_exit_code() {
    let mut site = Site::new();
    let options = Options::new(&site.lab.dir.path().join("other"));
    fs::create_dir(site.lab.dir.path().join("other")).expect("a folder");
    // The port is free again, and nobody answers there.
    site.server = PydioServer::start(options).expect("it starts");
    let url = site.server.url().to_owned();
    let mut command = site.lab.bare();
    command.args([
        "-s", &url, "-w", "sync", "-u", "alice", "-p", "secret", "-d",
    ]);
    command.arg(&site.lab.local).args(["-z", "0", "--once"]);
    drop(site.server);
    let away = done(&mut command);
    assert_eq!(away.code, 6, "{away:?}");
    assert!(away.err.contains(&url), "{away:?}");
    assert!(!away.err.contains("secret"), "{away:?}");
    assert!(!site.lab.state.join("jobs").exists(), "a journal was begun");
}

#[test]
fn the_workspaces_of_a_server_are_listed_with_what_may_be_done_there() {
    let site = Site::new();
    let words = ["jobs", "check", "-s", site.server.url(), "-u", "ada"];
    let ask = |more: &[&str]| {
        done(
            site.lab
                .bare()
                .env("PYDIO_SYNC_PASSWORD", PASSWORD)
                .args(words)
                .args(more),
        )
    };
    let listed = ask(&[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    let lines: Vec<&str> = listed.out.lines().collect();
    assert_eq!(lines.len(), 2, "{listed:?}");
    assert!(
        lines[0].starts_with("my-files") && !lines[0].contains("read-only"),
        "{listed:?}"
    );
    assert!(
        lines[1].starts_with("books") && lines[1].contains("-dir down"),
        "{listed:?}"
    );
    let first = ask(&["--json"]).out.lines().next().map(str::to_owned);
    let first: Value = serde_json::from_str(&first.expect("a line")).expect("JSON");
    assert_eq!(
        (&first["alias"], &first["writable"]),
        (&json!("my-files"), &json!(true))
    );
}

#[test]
fn the_jobs_of_a_file_are_tried_and_doctor_looks_at_their_servers() {
    let site = Site::new();
    let file = site.lab.dir.path().join("jobs.json");
    let job = |workspace: &str, directory: &str| {
        let directory = site.lab.dir.path().join(directory);
        fs::create_dir_all(&directory).expect("a folder");
        json!({"id": workspace, "server": site.server.url(), "user": "ada",
            "workspace": workspace, "directory": directory, "password": PASSWORD})
    };
    let put = |jobs: Value| fs::write(&file, jobs.to_string()).expect("the job file");
    let path = file.display().to_string();
    put(json!([job("my-files", "l1")]));
    let good = site.lab.offline(&["jobs", "check", &path]);
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.err.contains("lets `ada` in"), "{good:?}");
    assert!(read(&file).contains("hunter2"), "a check changes no file");
    let well = site.lab.offline(&["doctor", "-f", &path]);
    assert_eq!(well.code, 0, "{well:?}");
    for line in [
        "ok    server http",
        "ok    clock",
        "ok    workspace my-files: can be synced",
        "ok    workspace my-files: it keeps a feed of changes",
        "ok    workspace my-files: folder `/` with",
    ] {
        assert!(well.out.contains(line), "`{line}`: {well:?}");
    }
    put(json!([job("my-files", "l1"), job("books", "l2")]));
    let bad = site.lab.offline(&["jobs", "check", &path]);
    assert_eq!(bad.code, 2, "{bad:?}");
    assert!(
        bad.err
            .contains("l2: the workspace `books` may only be read"),
        "{bad:?}"
    );
    let mut elsewhere = job("my-files", "l1");
    elsewhere["remote_folder"] = "/no/such".into();
    put(json!([elsewhere]));
    for words in [&["jobs", "check", &path][..], &["doctor", "-f", &path]] {
        let bad = site.lab.offline(words);
        assert_eq!(bad.code, 2, "{bad:?}");
        let said = "no folder `/no/such` in the workspace `my-files`";
        assert!(bad.out.contains(said) || bad.err.contains(said), "{bad:?}");
    }
    let before = site.questions();
    put(
        json!([{"id": "x", "server": site.server.url(), "user": "ada", "workspace": "my-files",
        "directory": site.lab.local, "password": "wrong"}]),
    );
    let ill = site.lab.offline(&["doctor", "-f", &path, "--json"]);
    assert_eq!(ill.code, 6, "{ill:?}");
    assert!(ill.out.contains("refused the password"), "{ill:?}");
    assert!(
        site.questions() - before <= 2,
        "a wrong password is tried once"
    );
}

#[test]
fn doctor_asks_the_servers_of_jobs_that_ran_by_flags_alone() {
    let site = Site::new();
    assert_eq!(site.login(PASSWORD).code, 0);
    let ran = done(&mut site.flags("my-files"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let well = site.lab.offline(&["doctor"]);
    assert_eq!(well.code, 0, "{well:?}");
    for line in [
        "ok    server http",
        "ok    workspace my-files: can be synced",
    ] {
        assert!(well.out.contains(line), "`{line}`: {well:?}");
    }
    // Which flags it had is not known, so nothing is sure to keep it from running.
    let gone = site
        .lab
        .offline(&["logout", "-s", site.server.url(), "-u", "ada"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    let ill = site.lab.offline(&["doctor"]);
    assert_eq!(ill.code, 0, "{ill:?}");
    assert!(ill.out.contains("warn  server http"), "{ill:?}");
    assert!(ill.out.contains("ran by flags alone"), "{ill:?}");
}

#[test]
fn the_way_to_a_server_can_be_told_to_login_to_checks_and_to_new_jobs() {
    let site = Site::new();
    let proxy = Front::proxy().expect("a proxy");
    let address = format!("http://ada:word@127.0.0.1:{}", proxy.port());
    let url = site.server.url();
    let way = ["-s", url, "-u", "ada", "--proxy", &address];
    let by_proxy = |words: &[&str]| {
        let before = proxy.heads().len();
        let mut command = site.lab.bare();
        let ended = done(
            command
                .args(words)
                .args(way)
                .env("PYDIO_SYNC_PASSWORD", PASSWORD),
        );
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(proxy.heads().len() > before, "around the proxy: {words:?}");
        assert!(!ended.err.contains("ada:word"), "{ended:?}");
    };
    by_proxy(&["login"]);
    by_proxy(&["jobs", "check"]);
    let cert = site.lab.dir.path().join("me.pem").display().to_string();
    let mut add = site.lab.bare();
    add.args(["jobs", "add", "-w", "my-files", "--client-cert", &cert]);
    add.args(["--ca-file", &cert]).args(way).arg("-d");
    let added = done(add.arg(&site.lab.local));
    assert_eq!(added.code, 0, "{added:?}");
    let file = site.lab.dir.path().join("config/pydio-sync/jobs.json");
    let jobs: Value = serde_json::from_str(&read(&file)).expect("JSON");
    for (key, value) in [
        ("proxy", &address),
        ("client_cert", &cert),
        ("ca_file", &cert),
    ] {
        assert_eq!(jobs[0][key], value.as_str(), "{jobs}");
    }
    let wrong = site
        .lab
        .offline(&["login", "-s", url, "-u", "ada", "--proxy", "ada:word@h"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_token_is_kept_for_a_server_without_a_user() {
    let token = Scheme::Bearer("a token".to_owned());
    let options = webdav::Options::new(webdav::Quirks::none()).clock(webdav::Clock::machine());
    let dav = DavSite::with(options.schemes(&[token]));
    let lab = Lab::new();
    let url = dav.place.url.as_str();
    let file = lab.dir.path().join("token");
    let login = |text: &str| {
        write(&file, text);
        let mut login = lab.bare();
        done(
            login
                .args(["login", "-s", url, "--password-file"])
                .arg(&file),
        )
    };
    assert_eq!(login("another").code, 6);
    let kept = login("a token");
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(kept.err.contains("the token for `"), "{kept:?}");
    write(&lab.local.join("a"), "a");
    let mut run = lab.bare();
    run.args(["-s", url, "--once", "--json", "-z", "0", "-d"]);
    let ran = done(run.arg(&lab.local));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(dav.hand().read("a").as_deref(), Some(&b"a"[..]));
    assert_eq!(
        lab.offline(&["logout"]).code,
        0,
        "the only account there is"
    );
}

#[test]
fn several_jobs_of_a_file_run_in_one_process_with_one_question_for_a_password() {
    let site = Site::new();
    assert_eq!(site.login(PASSWORD).code, 0);
    let local = |name: &str| site.lab.dir.path().join(name);
    let mut jobs = Vec::new();
    for (name, folder) in [("l1", "/one"), ("l2", "/two")] {
        fs::create_dir_all(local(name)).expect("a folder");
        fs::create_dir_all(site.there().join(folder.trim_start_matches('/'))).expect("a folder");
        write(&local(name).join(name), name);
        jobs.push(
            json!({"server": site.server.url(), "user": "ada", "workspace": "my-files",
            "remote_folder": folder, "directory": local(name)}),
        );
    }
    let file = local("jobs.json");
    fs::write(&file, Value::from(jobs).to_string()).expect("the job file");
    let run = site.once_by(&file);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.out.matches(r#""type":"summary""#).count(), 2, "{run:?}");
    assert_eq!(read(&site.there().join("one/l1")), "l1");
    assert_eq!(read(&site.there().join("two/l2")), "l2");
    let known = read(&file);
    let wrong = known.replace(r#""user":"ada""#, r#""user":"ada","password":"wrong""#);
    assert_ne!(known, wrong);
    fs::write(&file, wrong).expect("the job file");
    let before = site.questions();
    let refused = site.once_by(&file);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert_eq!(site.questions() - before, 1, "one try for all jobs");
    fs::write(&file, known).expect("the job file");
    let nested = read(&file).replace("/two", "/one/inner");
    fs::write(&file, nested).expect("the job file");
    let refused = site.once_by(&file);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("meet"), "{refused:?}");
}

#[test]
fn a_changed_filter_deletes_nothing_on_a_server_either() {
    let site = Site::new();
    assert_eq!(site.login(PASSWORD).code, 0);
    write(&site.lab.local.join("d/a.o"), "a");
    write(&site.lab.local.join(".b"), "b");
    write(&site.there().join("c.o"), "c");
    let file = site.lab.dir.path().join("jobs.json");
    // The server itself refuses hidden names, which is a problem and no deletion.
    let table = [
        (json!([]), 4),
        (json!(["*.o", ".*"]), 0),
        (json!(["/d", ".*"]), 0),
        (json!([]), 4),
    ];
    for (excludes, code) in table {
        let jobs = json!([{"id": "one", "server": site.server.url(), "user": "ada",
            "workspace": "my-files", "directory": site.lab.local,
            "filters": {"excludes": excludes}}]);
        fs::write(&file, jobs.to_string()).expect("the job file");
        let run = site.once_by(&file);
        assert_eq!(run.code, code, "{excludes}: {run:?}");
        for path in ["d/a.o", "c.o"] {
            assert!(
                site.lab.local.join(path).exists(),
                "{excludes}: {path} is gone here"
            );
            assert!(
                site.there().join(path).exists(),
                "{excludes}: {path} is gone there"
            );
        }
        assert!(site.lab.local.join(".b").exists(), "{excludes}");
    }
}
