//! What a real server answered, asked again.
//!
//! In: `tests/exchanges/*.json`: requests and answers recorded with Pydio 6.4.2 on
//! MariaDB (`19` on SQLite), one exchange a line, `n` its number in the recording,
//! `before` what was put on disk first. Of the answers there is what a client may rely
//! on: attributes for browsers are left out, times are empty, a stat is its kind, size
//! and hash. Out: each exchange must give the same status, headers and body. What does
//! not apply is in [`LEFT_OUT`] and [`BODY_DIFFERS`], with the reason.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use test_servers::pydio::{Options, PydioServer, Quirk, Quirks, Rights, User, Workspace};

use crate::client::{ALICE, Client, Reply};

/// Recorded exchanges that are not in the copies, by file, and why.
const LEFT_OUT: &[(&str, &[u32], &str)] = &[
    (
        "01-auth",
        &[
            4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 23, 24, 25, 26, 27,
        ],
        "signed with pairs of that server; `auth` signs the same paths anew",
    ),
    (
        "02-registry",
        &[1, 2, 3, 4, 6, 7, 8],
        "160 kB of plugins, cut in the recording, and hooks that no sync client uses",
    ),
    ("14-lsync-index", &[8], "a PHP error of that installation"),
    (
        "19-sqlite-backend",
        &[1, 2, 3, 4, 5, 6, 7, 8],
        "the database was locked, so the folder was never made; `index` has the rule",
    ),
];

/// Exchanges of which the body is not compared, and why.
const BODY_DIFFERS: &[(&str, &[u32], &str)] = &[
    (
        "01-auth",
        &[3, 21],
        "the pair is made by chance; its form is compared",
    ),
    (
        "04-stat",
        &[15, 16, 17],
        "slices of a text with the numbers of that disk",
    ),
    (
        "07-chunked-upload",
        &[36],
        "the hash is old only if both versions fall into one second; `feed` has the rule",
    ),
    ("08-download", &[15], "an archive has many correct forms"),
    ("12-errors", &[20], "a page of the web server in front"),
    (
        "13-quota-locks",
        &[15],
        "the size of the hidden file in the bin",
    ),
];

/// Exchanges of which the headers are not compared, and why.
const HEADERS_DIFFER: &[(&str, &[u32], &str)] = &[
    (
        "04-stat",
        &[15, 16, 17],
        "they name the length of that text",
    ),
    ("08-download", &[15], "they name the archive's length"),
];

#[test]
fn what_a_real_server_answered_is_answered_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges");
    let mut failures = Vec::new();
    let mut count = 0;
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let exchanges: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let stage = Stage::new(&name);
        for exchange in exchanges.as_array().unwrap() {
            count += 1;
            failures.extend(stage.play(exchange));
        }
    }
    let left_out: usize = LEFT_OUT.iter().map(|(_, numbers, _)| numbers.len()).sum();
    assert!(
        failures.is_empty(),
        "{} of {count}:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert_eq!(
        (count, left_out),
        (454, 36),
        "all recorded ones but the session's are listed"
    );
}

/// A fresh server for the exchanges of one file.
struct Stage {
    name: String,
    dir: tempfile::TempDir,
    server: PydioServer,
}

impl Stage {
    fn new(name: &str) -> Self {
        let mut quirks = Quirks::v6_4();
        if name.starts_with("19") {
            quirks = quirks
                .with(Quirk::Sqlite)
                .without(Quirk::Collation)
                .without(Quirk::NoAstral);
        }
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path())
            .quirks(quirks)
            .user(
                User::new("alice", "secret")
                    .limited("private-admin", None)
                    .limited("read-only", Some(Rights::Read)),
            )
            .user(User::new("admin", "secret"))
            .workspace(Workspace::new("1", "my-files").label("My Files").per_user())
            .workspace(Workspace::new("2", "sync-test").label("Sync Test"))
            .workspace(
                Workspace::new("3", "sync-quota")
                    .label("Sync Quota")
                    .quota(1 << 20)
                    .with_locks(),
            )
            .workspace(
                Workspace::new("4", "no-recycle")
                    .label("No Recycle")
                    .without_bin(),
            )
            .workspace(Workspace::new("5", "read-only").label("Read Only"))
            .workspace(Workspace::new("6", "private-admin"));
        let server = PydioServer::start(options).unwrap();
        let stage = Self {
            name: name.to_owned(),
            dir,
            server,
        };
        match &name[..2] {
            "11" => stage.fill(112, 158),
            "12" => stage.fill(112, 179),
            "18" => stage.fill(173, 285),
            "19" => stage.first_rows(),
            _ => {}
        }
        stage
    }

    /// Uses up node ids and numbers of changes in a workspace that is not looked at.
    fn fill(&self, ids: u32, changes: u32) {
        let client = Client::new(&self.server);
        for id in 1..ids {
            client.get(&format!("/no-recycle/mkdir/d{id}"));
        }
        for change in ids..=changes {
            let content = vec![b'x'; change as usize];
            client.upload("/no-recycle/upload/put/", "f", &content, &[]);
        }
    }

    /// What the SQLite server had before its recording began.
    fn first_rows(&self) {
        let client = Client::new(&self.server);
        client.get("/sync-test/mkdir/d1");
        client.get("/sync-test/mkdir/d1/sub");
        client.upload("/sync-test/upload/put/d1", "a.txt", b"hello", &[]);
        client.upload("/sync-test/upload/put/", "root.txt", b"hello root", &[]);
    }

    /// The changes that the feeds of recording 11 show.
    fn story(&self) {
        let client = Client::new(&self.server);
        let put = |folder: &str, name: &str, content: &str| {
            client.upload(
                &format!("/my-files/upload/put/{folder}"),
                name,
                content.as_bytes(),
                &[],
            );
        };
        let rename = |from: &str, to: &str| {
            client.post("/my-files/rename", &format!("file={from}&dest={to}"));
        };
        client.get("/my-files/mkdir/p");
        client.get("/my-files/mkdir/p/q");
        put("p", "one.txt", "one");
        put("p/q", "two.txt", "abc");
        put("", "three.txt", "abc");
        put("p", "one.txt", "changed");
        rename("/three.txt", "/p/three.txt");
        rename("/p/q", "/q");
        put("", "tmp.txt", "abc");
        client.post("/my-files/delete/", "file=/tmp.txt&force_deletion=true");
        put("", "bin.txt", "abc");
        client.post("/my-files/delete/", "file=/bin.txt");
        put("", "back.txt", "abc");
        client.post("/my-files/delete/", "file=/back.txt");
        client.post(
            "/my-files/restore/",
            "file=/recycle_bin/back.txt&dir=/recycle_bin",
        );
        put("", "a1.txt", "abc");
        rename("/a1.txt", "/a2.txt");
        rename("/a2.txt", "/a3.txt");
        put("", "a3.txt", "new");
        rename("/a3.txt", "/a4.txt");
    }

    /// Sends one request and compares.
    fn play(&self, exchange: &Value) -> Option<String> {
        let number = u32::try_from(exchange["n"].as_u64().unwrap()).unwrap();
        if self.name.starts_with("11") && number == 3 {
            self.story();
        }
        for item in exchange["before"].as_array().into_iter().flatten() {
            self.lay_out(item[0].as_str().unwrap(), item[1].as_str());
        }
        let reply = self.send(exchange);
        let differences = self.differences(number, exchange, &reply);
        let note = exchange["note"].as_str().unwrap();
        (!differences.is_empty()).then(|| format!("{}/{number} {note}: {differences}", self.name))
    }

    fn lay_out(&self, path: &str, content: Option<&str>) {
        let path = self.dir.path().join(path);
        let Some(content) = content else {
            fs::create_dir_all(path).unwrap();
            return;
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = match content.strip_prefix("pattern:") {
            Some(length) => (0..length.parse().unwrap())
                .map(|n: u32| n.to_le_bytes()[0])
                .collect(),
            None => content.as_bytes().to_vec(),
        };
        fs::write(path, bytes).unwrap();
    }

    fn send(&self, exchange: &Value) -> Reply {
        let authorization = match exchange["as"].as_str() {
            Some("alice") => ALICE,
            Some("admin") => "Basic YWRtaW46c2VjcmV0",
            Some("nobody") => "Basic bm9ib2R5Ong=",
            Some(_) => "Basic YWxpY2U6d3Jvbmc=",
            None => "",
        };
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (name, value) in exchange["headers"].as_object().into_iter().flatten() {
            headers.push((name, value.as_str().unwrap()));
        }
        if headers.iter().all(|(name, _)| *name != "User-Agent") {
            headers.push(("User-Agent", "recorder/1.0"));
        }
        let method = exchange["method"].as_str().unwrap();
        let target = exchange["target"].as_str().unwrap();
        let body = body(&exchange["body"]);
        Client::with(&self.server, authorization)
            .whole(method, target, &headers, &body)
            .unwrap()
    }

    /// What is not as it was recorded.
    fn differences(&self, number: u32, exchange: &Value, reply: &Reply) -> String {
        let mut out = String::new();
        if exchange["status"] != reply.status {
            out += &format!(
                "\n  status {} instead of {}",
                reply.status, exchange["status"]
            );
        }
        if !self.listed(HEADERS_DIFFER, number) {
            for (name, value) in exchange["answer_headers"].as_object().unwrap() {
                if reply.header(name) != value.as_str() {
                    out += &format!("\n  {name}: {:?} instead of {value}", reply.header(name));
                }
            }
        }
        let recorded = &exchange["answer"];
        let found = reduced(recorded, reply);
        let same = match (recorded["begins"].as_str(), found["begins"].as_str()) {
            (Some(recorded), Some(found)) => found.starts_with(recorded),
            _ => found == *recorded,
        };
        if !same && !self.listed(BODY_DIFFERS, number) {
            let (found, recorded) = (found.to_string(), recorded.to_string());
            let same = found
                .bytes()
                .zip(recorded.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let tail = |text: &str| {
                let bytes = &text.as_bytes()[same.saturating_sub(60)..];
                String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
            };
            out += &format!(
                "\n  found    ...{}\n  recorded ...{}",
                tail(&found),
                tail(&recorded)
            );
        }
        out
    }

    fn listed(&self, list: &[(&str, &[u32], &str)], number: u32) -> bool {
        list.iter()
            .any(|(name, numbers, _)| *name == self.name && numbers.contains(&number))
    }
}

/// The bytes of a request's body.
fn body(recorded: &Value) -> Vec<u8> {
    let Some(form) = recorded["form"].as_array() else {
        return recorded.as_str().unwrap_or("").as_bytes().to_vec();
    };
    let boundary = "------recboundary1234";
    let mut out = Vec::new();
    for field in form {
        let (name, value) = (field[0].as_str().unwrap(), field[1].as_str().unwrap());
        let head = format!("{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        out.extend_from_slice(format!("{head}{value}\r\n").as_bytes());
    }
    if let Some(name) = recorded["filename"].as_str() {
        let head = format!(
            "{boundary}\r\nContent-Disposition: form-data; name=\"userfile_0\"; \
             filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        let file = &recorded["file"];
        match (file.as_str(), file["fill"].as_str()) {
            (Some(text), _) => out.extend_from_slice(text.as_bytes()),
            (None, Some(fill)) => {
                let count = usize::try_from(file["count"].as_u64().unwrap()).unwrap();
                out.resize(out.len() + count, fill.as_bytes()[0]);
            }
            (None, None) => out.extend(base64(file["base64"].as_str().unwrap())),
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("{boundary}--\r\n").as_bytes());
    out
}

/// A reply in the form of the recorded answer.
fn reduced(recorded: &Value, reply: &Reply) -> Value {
    let text = reply.text();
    let kind = recorded
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .as_str();
    match kind {
        "text" | "begins" => json!({ kind: stripped(&text) }),
        "json" => json!({ kind: serde_json::from_str(&text).map_or(Value::Null, facts) }),
        "lines" => {
            let lines = text.split('\n');
            let line = |line: &str| serde_json::from_str(line).map_or_else(|_| json!(line), facts);
            json!({ kind: lines.map(line).collect::<Vec<_>>() })
        }
        "repositories" => {
            let state: Value = serde_json::from_str(&text).unwrap();
            let repos = state["repositories"]["repo"].as_array().unwrap().iter();
            let files = repos.filter(|repo| repo["@access_type"] == "fs").cloned();
            let shown = files.map(|mut repo| {
                repo.as_object_mut()
                    .unwrap()
                    .retain(|key, _| key.starts_with('@') || key == "label");
                repo
            });
            json!({ kind: shown.collect::<Vec<_>>() })
        }
        _ if base64(recorded[kind].as_str().unwrap()) == reply.body => recorded.clone(),
        _ => json!({ kind: format!("{} other bytes", reply.body.len()) }),
    }
}

/// A stat as its kind, size and hash; a feed without times.
fn facts(value: Value) -> Value {
    const NAMES: [&str; 13] = [
        "dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size", "atime", "mtime", "ctime",
        "blksize", "blocks",
    ];
    let Value::Object(mut map) = value else {
        return match value {
            Value::Array(values) => Value::Array(values.into_iter().map(facts).collect()),
            other => other,
        };
    };
    let is_stat = NAMES.iter().enumerate().all(|(at, name)| {
        map.get(*name)
            .is_some_and(|value| value.is_i64() && map.get(&at.to_string()) == Some(value))
    });
    if is_stat {
        let hash = map.get("hash").and_then(Value::as_str);
        assert_eq!(map.len(), if hash.is_some() { 28 } else { 26 });
        assert_eq!(map.get("hash"), map.get("13"));
        let folder = map["mode"].as_i64().unwrap() & 0o40000 != 0;
        let kind = if folder {
            "folder".to_owned()
        } else {
            format!("file {}", map["size"])
        };
        return json!(hash.map_or_else(|| kind.clone(), |hash| format!("{kind} {hash}")));
    }
    if map.contains_key("node_path") {
        assert!(map.remove("mtime").is_some());
    }
    Value::Object(
        map.into_iter()
            .map(|(key, value)| (key, facts(value)))
            .collect(),
    )
}

/// XML without what only browsers want and without times.
fn stripped(text: &str) -> String {
    const DROPPED: [&str; 15] = [
        "mimestring_id",
        "icon",
        "fonticon",
        "openicon",
        "file_group",
        "file_owner",
        "ajxp_relativetime",
        "ajxp_description",
        "ajxp_im_time",
        "filesize",
        "mimestring",
        "overflowMessage",
        "remote_order",
        "currentOrderCol",
        "currentOrderDir",
    ];
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = [rest.find("<tree "), rest.find("<pagination ")]
        .into_iter()
        .flatten()
        .min()
    {
        let (before, tag) = rest.split_at(at);
        let end = tag.find('>').unwrap_or(tag.len());
        out.push_str(before);
        let mut inside = &tag[..end];
        while let Some(quote) = inside.find("=\"").or_else(|| inside.find("='")) {
            let start = inside[..quote].rfind(' ').unwrap_or(0);
            let name = inside[start..quote].trim();
            let mark = &inside[quote + 1..quote + 2];
            let close = quote + 2 + inside[quote + 2..].find(mark).unwrap();
            out.push_str(&inside[..start]);
            if matches!(name, "ajxp_modiftime" | "file_perms") {
                out.push_str(&format!(" {name}=\"\""));
            } else if !DROPPED.contains(&name) {
                out.push_str(&inside[start..=close]);
            }
            inside = &inside[close + 1..];
        }
        out.push_str(inside);
        rest = &tag[end..];
    }
    out + rest
}

/// Decodes base64 as the recordings have it.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text
        .bytes()
        .filter_map(|byte| DIGITS.iter().position(|known| *known == byte));
    let bits: Vec<bool> = digits
        .flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1))
        .collect();
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks_exact(8).map(byte).collect()
}
