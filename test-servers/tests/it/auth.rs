//! Key pairs and signatures, case by case as they were tried on a real server.

use std::fs;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use test_servers::pydio::{Options, PydioServer, Quirk, Quirks, Rights, User, Workspace};

use crate::client::{ALICE, Client};

/// What follows the path of a request signed over `path`.
fn signature(pair: &(String, String), path: &str) -> String {
    let (token, private) = pair;
    let mut mac = <Hmac<Sha256>>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(format!("{path}:nonce:{private}").as_bytes());
    let digits = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect::<String>();
    format!("auth_token={token}&auth_hash=nonce:{digits}")
}

fn pair(client: &Client, device: &str) -> (String, String) {
    let text = client
        .get(&format!("/pydio/keystore_generate_auth_token/{device}"))
        .text();
    let pair: serde_json::Value = serde_json::from_str(&text).unwrap();
    let part = |name: &str| pair[name].as_str().unwrap().to_owned();
    let (token, private) = (part("t"), part("p"));
    for text in [&token, &private] {
        assert!(text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
    (token, private)
}

fn server(base: &str) -> (tempfile::TempDir, PydioServer) {
    let dir = tempfile::tempdir().unwrap();
    let server = PydioServer::start(Options::new(dir.path()).base(base)).unwrap();
    for name in ["root.txt", "a b~c+d.txt", "é'(1)!*.txt"] {
        fs::write(server.folder("sync").join(name), "x").unwrap();
    }
    (dir, server)
}

#[test]
fn what_is_signed_is_the_canonical_path_whatever_was_sent() {
    for base in ["", "/pydio"] {
        let (_dir, server) = server(base);
        let (basic, nobody) = (Client::with(&server, ALICE), Client::with(&server, ""));
        let made = basic.whole(
            "GET",
            &format!("{base}/api/pydio/keystore_generate_auth_token/d"),
            &[],
            b"",
        );
        let made: serde_json::Value = serde_json::from_slice(&made.unwrap().body).unwrap();
        let pair = (
            made["t"].as_str().unwrap().to_owned(),
            made["p"].as_str().unwrap().to_owned(),
        );
        for (sent, signed, expected) in [
            ("stat/root.txt", "stat/root.txt", 200),
            ("changes/0/", "changes/0", 200),
            ("changes/0/", "changes/0/", 401),
            ("stat/a%20b%7Ec%2Bd.txt", "stat/a%20b%7Ec%2Bd.txt", 200),
            ("stat/a%20b~c%2Bd.txt", "stat/a%20b~c%2Bd.txt", 401),
            ("stat/a%20b~c%2Bd.txt", "stat/a%20b%7Ec%2Bd.txt", 200),
            ("stat/%C3%A9'(1)!*.txt", "stat/%C3%A9'(1)!*.txt", 401),
            (
                "stat/%C3%A9'(1)!*.txt",
                "stat/%C3%A9%27%281%29%21%2A.txt",
                200,
            ),
            (
                "stat/%c3%a9%27%281%29%21%2a.txt",
                "stat/%c3%a9%27%281%29%21%2a.txt",
                401,
            ),
        ] {
            let query = signature(&pair, &format!("{base}/api/sync/{signed}"));
            let target = format!("{base}/api/sync/{sent}?{query}");
            let reply = nobody.whole("GET", &target, &[], b"").unwrap();
            assert_eq!(reply.status, expected, "{base} {sent} signed as {signed}");
        }
        let query = signature(&pair, &format!("{base}/api/sync/stat"));
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let reply = nobody.whole(
            "POST",
            &format!("{base}/api/sync/stat/"),
            &[kind],
            query.as_bytes(),
        );
        assert_eq!(reply.unwrap().status, 200, "tokens in the body");
    }
}

#[test]
fn a_new_pair_for_a_device_ends_its_old_one_and_only_that() {
    let (dir, server) = server("");
    let (client, nobody) = (Client::new(&server), Client::with(&server, ""));
    let try_pair = |nobody: &Client, pair: &(String, String)| {
        let query = signature(pair, "/api/sync/stat/root.txt");
        nobody.get(&format!("/sync/stat/root.txt?{query}")).status
    };
    let (first, other) = (pair(&client, "dev-1"), pair(&client, "dev-2"));
    assert_eq!(try_pair(&nobody, &first), 200);
    let second = pair(&client, "dev-1");
    let loose = [pair(&client, ""), pair(&client, "")];
    let seen = [&first, &second, &other, &loose[0], &loose[1]].map(|pair| try_pair(&nobody, pair));
    assert_eq!(seen, [401, 200, 200, 200, 200]);
    let list = client.get("/pydio/keystore_list_tokens/").text();
    assert!(
        list.contains("\"DEVICE_ID\":\"dev-1\"") && list.contains("PydioSync"),
        "{list}"
    );
    assert_eq!(
        client.get("/pydio/keystore_list_tokens?x=y").text(),
        "",
        "6.x eats the query"
    );
    drop(server);
    let server = PydioServer::start(Options::new(dir.path())).unwrap();
    let (client, nobody) = (Client::new(&server), Client::with(&server, ""));
    assert_eq!(try_pair(&nobody, &second), 200, "pairs survive a restart");
    client.get("/pydio/keystore_revoke_tokens/");
    assert_eq!(try_pair(&nobody, &second), 401);
    assert_eq!(client.get("/pydio/keystore_list_tokens/").text(), "[]");
}

#[test]
fn headers_count_only_together_with_their_wrong_names() {
    let (_dir, server) = server("");
    let nobody = Client::with(&server, "");
    let pair = pair(&Client::new(&server), "d");
    let query = signature(&pair, "/api/sync/stat/root.txt");
    let hash = query.split_once("auth_hash=").unwrap().1;
    let right = [
        ("Pydio-Auth-Token", pair.0.as_str()),
        ("Pydio-Auth-Hash", hash),
    ];
    let both = [
        right[0],
        right[1],
        ("Auth-Token", pair.0.as_str()),
        ("Auth-Hash", hash),
    ];
    let status = |headers: &[(&str, &str)]| {
        nobody
            .send("GET", "/sync/stat/root.txt", headers, b"")
            .unwrap()
            .status
    };
    assert_eq!((status(&right), status(&both)), (401, 200));
}

#[test]
fn a_server_may_refuse_pairs_with_an_empty_answer() {
    let dir = tempfile::tempdir().unwrap();
    let quirks = Quirks::v6_4().with(Quirk::NoTokens);
    let server = PydioServer::start(Options::new(dir.path()).quirks(quirks)).unwrap();
    let reply = Client::new(&server).get("/pydio/keystore_generate_auth_token/d");
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
}

#[test]
fn users_see_what_they_may_and_write_where_they_may() {
    let dir = tempfile::tempdir().unwrap();
    let limited = User::new("bob", "secret")
        .limited("one", Some(Rights::Read))
        .limited("two", None);
    let options = Options::new(dir.path())
        .user(User::new("alice", "secret"))
        .user(limited)
        .workspace(Workspace::new("1", "one"))
        .workspace(Workspace::new("2", "two"))
        .workspace(Workspace::new("3", "mine").per_user());
    let server = PydioServer::start(options).unwrap();
    let (alice, bob) = (
        Client::new(&server),
        Client::with(&server, "Basic Ym9iOnNlY3JldA=="),
    );
    assert!(alice.get("/one/mkdir/d").text().contains("SUCCESS"));
    assert!(bob.get("/one/mkdir/e").text().contains("<require_auth/>"));
    assert_eq!(bob.get("/two/stat/").status, 401);
    let list = bob.get("/pydio/state/user/repositories").text();
    assert!(
        list.contains("repositorySlug=\"one\"") && list.contains("acl=\"r\""),
        "{list}"
    );
    assert!(!list.contains("repositorySlug=\"two\""));
    alice.get("/mine/mkdir/hers");
    assert_eq!(bob.get("/mine/stat/hers").text(), "{}");
    assert!(server.folder("mine").join("alice/hers").is_dir());
    assert!(bob.get("/mine/changes/0").text().contains("\"changes\":[]"));
}
