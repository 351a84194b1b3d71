//! The WebDAV server as clients meet it: presets, time, faults, Nextcloud's own.

use std::time::Duration;

use test_servers::plain::{Plain, Reply};
use test_servers::webdav::{DavServer, Fault, Options, Quirks, Rule, Scheme};

fn start(quirks: Quirks) -> (DavServer, Plain) {
    let server = DavServer::start(Options::new(quirks)).unwrap();
    let plain = client(&server);
    (server, plain)
}

fn client(server: &DavServer) -> Plain {
    let (user, password) = server.user();
    Plain::new(&server.url(), user, password)
}

fn ask(client: &Plain, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    client.ask(method, path, headers, b"").unwrap()
}

fn put(client: &Plain, path: &str, text: &str, headers: &[(&str, &str)]) -> Reply {
    client.ask("PUT", path, headers, text.as_bytes()).unwrap()
}

fn etag(client: &Plain, path: &str) -> Option<String> {
    let reply = ask(client, "PROPFIND", path, &[("Depth", "0")]);
    let text = reply.text();
    let (_, rest) = text.split_once("getetag>")?;
    Some(rest.split('<').next().unwrap().to_owned())
}

#[test]
fn a_weak_etag_ages_when_the_clock_moves_and_matches_only_then() {
    let (server, client) = start(Quirks::apache());
    put(&client, "/f", "one", &[]);
    let weak = etag(&client, "/f").unwrap();
    assert!(weak.starts_with("W/"), "{weak}");
    let strong = weak.replacen("W/", "", 1).replace("&quot;", "\"");
    let condition = [("If-Match", strong.as_str())];
    assert_eq!(put(&client, "/f", "two", &condition).status, 412);
    server.clock().advance(Duration::from_secs(2));
    assert_eq!(etag(&client, "/f").unwrap(), strong);
    assert_eq!(put(&client, "/f", "two", &condition).status, 204);
    assert_eq!(put(&client, "/f", "three", &condition).status, 412);
}

#[test]
fn a_folder_etag_changes_up_to_the_root_only_where_it_was_seen_to() {
    for (quirks, deep) in [(Quirks::nextcloud(), true), (Quirks::apache(), false)] {
        let (server, client) = start(quirks);
        server.hand().write("a/b/c", b"1");
        server.clock().advance(Duration::from_secs(5));
        let before = etag(&client, "/");
        put(&client, "/a/b/d", "2", &[]);
        server.clock().advance(Duration::from_secs(5));
        assert_eq!(etag(&client, "/") != before, deep);
    }
}

#[test]
fn a_second_write_in_one_second_is_invisible_where_it_was_seen_to_be() {
    for (quirks, seen) in [
        (Quirks::apache(), true),
        (Quirks::rclone(), true),
        (Quirks::wsgidav(), false),
        (Quirks::nextcloud(), false),
    ] {
        let (server, client) = start(quirks);
        server.hand().write("f", b"one");
        let before = etag(&client, "/f");
        put(&client, "/f", "two", &[]);
        assert_eq!(etag(&client, "/f") != before, seen);
    }
}

#[test]
fn a_chunked_upload_becomes_one_file_at_the_end() {
    let (server, client) = start(Quirks::nextcloud());
    let to = client.url("/big");
    let root = server.url().replace("/dav/files/", "/dav/uploads/");
    let uploads = Plain::new(&root, "alice", "secret");
    let headers = [("Destination", to.as_str()), ("OC-Total-Length", "6")];
    assert_eq!(ask(&uploads, "MKCOL", "/id", &headers).status, 201);
    assert_eq!(put(&uploads, "/id/00002", "def", &[]).status, 400);
    assert_eq!(put(&uploads, "/id/00002", "def", &headers).status, 201);
    let early = ask(&uploads, "MOVE", "/id/.file", &headers);
    assert_eq!(early.status, 400, "{}", early.text());
    assert_eq!(put(&uploads, "/id/00001", "abc", &headers).status, 201);
    assert_eq!(put(&uploads, "/id/00000", "abc", &headers).status, 400);
    let listed = ask(&uploads, "PROPFIND", "/id", &[("Depth", "1")]).text();
    assert!(
        listed.contains("/id/00001<") && listed.contains("/id/00002<"),
        "{listed}"
    );
    server.inject(Rule::on("MOVE", Fault::StatusAfter(504)));
    assert_eq!(ask(&uploads, "MOVE", "/id/.file", &headers).status, 504);
    assert_eq!(server.hand().read("big").unwrap(), b"abcdef");
    assert_eq!(ask(&uploads, "MOVE", "/id/.file", &headers).status, 404);
    assert!(server.hand().uploads().is_empty());
}

#[test]
fn parts_named_by_their_range_become_one_file_too() {
    let (server, client) = start(Quirks::nextcloud());
    let root = server.url().replace("/dav/files/", "/dav/uploads/");
    let uploads = Plain::new(&root, "alice", "secret");
    assert_eq!(ask(&uploads, "MKCOL", "/id", &[]).status, 201);
    for (name, text) in [("000000000000003-000000000000006", "def"), ("0-3", "abc")] {
        assert_eq!(put(&uploads, &format!("/id/{name}"), text, &[]).status, 201);
    }
    assert_eq!(put(&uploads, "/id/first", "x", &[]).status, 400);
    let to = client.url("/big");
    let headers = [("Destination", to.as_str())];
    assert_eq!(ask(&uploads, "MOVE", "/id/.file", &headers).status, 201);
    assert_eq!(server.hand().read("big").unwrap(), b"abcdef");
}

#[test]
fn a_bulk_upload_stores_each_file_even_when_it_ends_in_400() {
    let (server, client) = start(Quirks::nextcloud());
    let bulk = Plain::new(
        &format!("{}/remote.php/dav", server.web()),
        "alice",
        "secret",
    );
    let part = |path: &str, md5: &str| {
        format!(
            "--b\r\nX-File-Path: {path}\r\nX-File-Mtime: 1600000000\r\nX-File-Md5: {md5}\r\n\
             Content-Length: 1\r\n\r\nx\r\n"
        )
    };
    let good = "9dd4e461268c8034f5c8564e155c67a6";
    let kind = [("Content-Type", "multipart/related; boundary=b")];
    let body = part("/a", good) + &part("/b", "0") + &part("/no/c", good) + "--b--\r\n";
    let reply = bulk.ask("POST", "/bulk", &kind, body.as_bytes()).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = reply.text();
    assert_eq!(told.matches("\"error\":true").count(), 2, "{told}");
    assert_eq!(server.hand().time("a"), Some(1_600_000_000));
    let cut = part("/d", good) + "--b--";
    let reply = bulk.ask("POST", "/bulk", &kind, cut.as_bytes()).unwrap();
    assert_eq!(reply.status, 400);
    assert_eq!(server.hand().names(), ["a", "d"]);
    assert_eq!(ask(&client, "GET", "/d", &[]).body, b"x");
}

#[test]
fn a_login_gives_an_app_password_once_and_only_when_granted() {
    let (server, client) = start(Quirks::nextcloud());
    let web = Plain::new(&server.web(), "", "");
    let begun = web
        .ask("POST", "/index.php/login/v2", &[], b"")
        .unwrap()
        .text();
    let token = begun.split("\"token\":\"").nth(1).unwrap();
    let poll = format!("token={}", token.split('"').next().unwrap());
    let ask_again = || {
        web.ask("POST", "/login/v2/poll", &[], poll.as_bytes())
            .unwrap()
    };
    assert_eq!(ask_again().status, 404);
    assert_eq!(server.grant_logins(), 1);
    let told = ask_again().text();
    let password = told.split("\"appPassword\":\"").nth(1).unwrap();
    let app = Plain::new(&server.url(), "alice", password.split('"').next().unwrap());
    assert_eq!(ask_again().status, 404);
    server.log().clear();
    assert_eq!(ask(&app, "GET", "/", &[]).status, 501);
    assert_eq!(server.log().hashed(), 0);
    assert_eq!(ask(&client, "GET", "/", &[]).status, 501);
    assert_eq!(server.log().hashed(), 1);
    server.revoke();
    assert_eq!(ask(&app, "GET", "/", &[]).status, 401);
}

#[test]
fn a_session_cookie_saves_the_hashing() {
    let (server, client) = start(Quirks::nextcloud());
    let first = ask(&client, "PROPFIND", "/", &[("Depth", "0")]);
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let again = [("Depth", "0"), ("Cookie", cookie.as_str())];
    assert_eq!(ask(&client, "PROPFIND", "/", &again).status, 207);
    assert_eq!(server.log().hashed(), 1);
}

#[test]
fn each_way_to_log_in_refuses_what_is_wrong() {
    let schemes = [Scheme::Bearer("t0ken".to_owned()), Scheme::Digest(true)];
    let options = Options::new(Quirks::apache()).schemes(&schemes);
    let server = DavServer::start(options).unwrap();
    let reply = ask(&client(&server), "GET", "/f", &[]);
    assert_eq!(reply.status, 401);
    let offers = reply
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    assert_eq!(offers.count(), 2);
    let bearer = client(&server).authorized("Bearer t0ken");
    assert_eq!(ask(&bearer, "GET", "/f", &[]).status, 404);
    server.change_token("another");
    assert_eq!(ask(&bearer, "GET", "/f", &[]).status, 401);
}

#[test]
fn faults_say_whether_the_effect_is_there() {
    for (fault, expected) in [
        (Fault::Status(503), (Some(503), false)),
        (Fault::EarlyStatus(413), (Some(413), false)),
        (Fault::RetryAfter(429, 7), (Some(429), false)),
        (Fault::StatusAfter(502), (Some(502), true)),
        (Fault::Html, (Some(200), false)),
        (Fault::Refuse, (None, false)),
        (Fault::CutRequest(1), (None, false)),
        (Fault::LoseAnswer, (None, true)),
        (Fault::Delay(Duration::ZERO), (Some(201), true)),
    ] {
        let (server, client) = start(Quirks::none());
        server.inject(Rule::on("PUT", fault.clone()).path("/f"));
        let seen = client.ask("PUT", "/f", &[], b"content").ok();
        let effect = server.hand().read("f").is_some();
        assert_eq!(
            (seen.map(|reply| reply.status), effect),
            expected,
            "{fault:?}"
        );
        assert!(server.log().entries()[0].faulty);
    }
}

#[test]
fn a_listing_is_spoiled_as_a_rule_says() {
    let (server, client) = start(Quirks::none());
    for name in ["a", "b"] {
        server.hand().write(name, b"1");
    }
    let child = || "a".to_owned();
    for (fault, inside, count) in [
        (Fault::EmptyListing, "", 1),
        (Fault::NoSelf, "", 2),
        (Fault::Twice, "", 5),
        (
            Fault::ChildStatus(child(), 403),
            "HTTP/1.1 403 Forbidden",
            3,
        ),
        (
            Fault::ChildPropstat(child(), 404),
            "HTTP/1.1 404 Not Found</D:status></D:propstat>",
            3,
        ),
        (
            Fault::ChildHref(child(), "/../x".to_owned()),
            "<D:href>/../x</D:href>",
            3,
        ),
        (
            Fault::ChildEtag(child(), "W/\"x\"".to_owned()),
            "W/&quot;x&quot;",
            3,
        ),
        (
            Fault::Inserted("<!-- -->".to_owned()),
            "<!-- --></D:multistatus>",
            3,
        ),
    ] {
        server.inject(Rule::on("PROPFIND", fault.clone()));
        let text = ask(&client, "PROPFIND", "/", &[("Depth", "1")]).text();
        assert_eq!(
            text.matches("<D:response>").count(),
            count,
            "{fault:?} {text}"
        );
        assert!(text.contains(inside), "{fault:?} {text}");
    }
    for fault in [Fault::CutBody(300), Fault::CutChunked(300)] {
        server.inject(Rule::on("PROPFIND", fault.clone()));
        assert!(
            client.ask("PROPFIND", "/", &[("Depth", "1")], b"").is_err(),
            "{fault:?}"
        );
    }
    server.inject(Rule::on("PROPFIND", Fault::Truncate(300)));
    assert_eq!(
        ask(&client, "PROPFIND", "/", &[("Depth", "1")]).body.len(),
        300
    );
}

#[test]
fn a_locked_path_keeps_out_whoever_has_no_token() {
    let (server, client) = start(Quirks::apache());
    server.hand().write("d/f", b"1");
    assert!(server.hand().lock("d/f"));
    assert_eq!(put(&client, "/d/f", "2", &[]).status, 423);
    assert_eq!(ask(&client, "DELETE", "/d", &[]).status, 423);
    server.hand().unlock("d/f");
    let reply = ask(&client, "LOCK", "/d/f", &[]);
    let token = format!("({})", reply.header("lock-token").unwrap());
    assert_eq!(put(&client, "/d/f", "2", &[]).status, 423);
    assert_eq!(put(&client, "/d/f", "2", &[("If", &token)]).status, 204);
}

#[test]
fn a_folder_on_disk_is_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    std::fs::write(dir.path().join("d/f"), "old").unwrap();
    let options = Options::new(Quirks::none()).dir(dir.path());
    let server = DavServer::start(options).unwrap();
    let client = client(&server);
    assert_eq!(ask(&client, "GET", "/d/f", &[]).body, b"old");
    let to = client.url("/e");
    assert_eq!(
        ask(&client, "MOVE", "/d", &[("Destination", &to)]).status,
        201
    );
    assert_eq!(put(&client, "/e/g%20h", "new", &[]).status, 201);
    assert_eq!(ask(&client, "DELETE", "/e/f", &[]).status, 204);
    let left = std::fs::read(dir.path().join("e/g h")).unwrap();
    assert_eq!(
        (left, dir.path().join("e/f").exists()),
        (b"new".to_vec(), false)
    );
}
