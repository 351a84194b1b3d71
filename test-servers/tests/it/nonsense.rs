//! Requests that make no sense: each is answered, and nothing leaves the folder.

use std::fs;

use test_servers::pydio::{Options, PydioServer, Quirks};

use crate::client::Client;

const ACTIONS: [&str; 20] = [
    "ls",
    "stat",
    "stat_hash",
    "mkdir",
    "mkfile",
    "upload/put",
    "upload/input_stream",
    "download",
    "changes",
    "rename",
    "move",
    "copy",
    "delete",
    "restore",
    "lsync",
    "index",
    "sl_lock",
    "state",
    "apply_check_hook",
    "keystore_list_tokens",
];

const PATHS: [&str; 18] = [
    "",
    "/",
    "/..",
    "/%2e%2e/%2e%2e/out",
    "/a%00b",
    "/%ff%fe",
    "/%",
    "/%zz",
    "/%25232",
    "/%23",
    "/a+b",
    "/?filter=x&seq_id",
    "/?nodes[]=/..&nodes[]=",
    "/?dest=..&file=/a",
    "/-1",
    "/99999999999999999999",
    "/%F0%9F%98%80?flatten",
    "/recycle_bin/../..",
];

const BODIES: [(&str, &str); 10] = [
    ("text/plain", ""),
    (
        "application/x-www-form-urlencoded",
        "file=/../../out&dest=/../x&filename_new=../../out&content=x&force=true",
    ),
    (
        "application/x-www-form-urlencoded",
        "file=/a&dest=/a/b&nodes[]=%ff&=&&==",
    ),
    (
        "application/x-www-form-urlencoded",
        "from=/..&to=/&hook_arg=-1&unlock=1",
    ),
    ("multipart/form-data", "no boundary"),
    ("multipart/form-data; boundary=", "----\r\n\r\n"),
    (
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"a\"",
    ),
    (
        "multipart/form-data; boundary=x",
        "--x\r\n\r\n\r\n--x\r\n\r\n--x--x--x\r\n",
    ),
    (
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"force_post\"\r\n\r\ntrue\r\n--x\r\nContent-Disposition: form-data; name=\"urlencoded_filename\"\r\n\r\n..%2F..%2Fout\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../out\"\r\n\r\nabc\r\n--x--\r\n",
    ),
    ("application/octet-stream", "raw"),
];

#[test]
fn every_request_is_answered_and_none_leads_out() {
    for quirks in [Quirks::none(), Quirks::all(), Quirks::v8_2()] {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("a/b");
        fs::create_dir_all(&inside).unwrap();
        let server = PydioServer::start(Options::new(&inside).quirks(quirks)).unwrap();
        let client = Client::new(&server);
        for (at, action) in ACTIONS.iter().enumerate() {
            for (path_at, path) in PATHS.iter().enumerate() {
                let (kind, body) = BODIES[(at + path_at) % BODIES.len()];
                let headers = [
                    ("Content-Type", kind),
                    ("Range", "bytes=5-2"),
                    ("X-File-Name", "../out"),
                ];
                let method = if (at + path_at) % 3 == 0 {
                    "GET"
                } else {
                    "POST"
                };
                let target = format!("/sync/{action}{path}");
                let reply = client.send(method, &target, &headers, body.as_bytes());
                assert!(
                    reply.is_ok(),
                    "{quirks:?} {method} {target} {kind} {body}: {reply:?}"
                );
            }
        }
        let names = |path: &std::path::Path| -> Vec<_> {
            fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect()
        };
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(names(&dir.path().join("a")), ["b"]);
        let mut served = names(&inside);
        served.sort();
        assert_eq!(served, [".pydio-server", "sync"]);
    }
}
