//! Uploads: whole files, chunks, and what goes wrong with them.

use std::fs;

use test_servers::pydio::{Options, PydioServer, Quirk, Quirks};

use crate::client::Client;

fn server(quirks: Quirks) -> (tempfile::TempDir, PydioServer, Client) {
    let dir = tempfile::tempdir().unwrap();
    let server = PydioServer::start(Options::new(dir.path()).quirks(quirks)).unwrap();
    let client = Client::new(&server);
    (dir, server, client)
}

fn chunk<'a>(total: &'a str, append: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("partial_upload", "true"),
        ("partial_target_bytesize", total),
    ];
    fields.extend(append.map(|name| ("appendto_urlencoded_part", name)));
    fields
}

#[test]
fn a_large_file_arrives_whole_and_so_does_a_small_one() {
    let (_dir, server, client) = server(Quirks::v6_4());
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for (name, content) in [
        ("small", &b"abc"[..]),
        ("large", &large),
        ("--xyz", b"\r\n--xy\r\n"),
    ] {
        let reply = client.upload("/sync/upload/put/", name, content, &[]);
        assert!(reply.text().contains("<add>"), "{}", reply.text());
        assert!(
            fs::read(server.folder("sync").join(name)).unwrap() == content,
            "{name}"
        );
        assert!(
            client.get(&format!("/sync/download/{name}")).body == content,
            "{name}"
        );
    }
}

#[test]
fn chunks_become_the_file_when_their_sum_is_the_announced_one() {
    let (_dir, server, client) = server(Quirks::v6_4());
    let folder = server.folder("sync");
    client.upload("/sync/upload/put/", "big", b"old", &[]);
    let first = client.upload("/sync/upload/put/", "big", b"aaaa", &chunk("10", None));
    assert!(first.text().ends_with("<tree ></tree>"));
    client.upload(
        "/sync/upload/put/",
        "tmp-1",
        b"bbbb",
        &chunk("10", Some("big")),
    );
    assert_eq!(fs::read(folder.join("big.dlpart")).unwrap(), b"aaaabbbb");
    assert_eq!(fs::read(folder.join("big")).unwrap(), b"old");
    let last = client.upload(
        "/sync/upload/put/",
        "tmp-2",
        b"cc",
        &chunk("10", Some("big")),
    );
    assert!(last.text().contains("<add>"));
    assert_eq!(fs::read(folder.join("big")).unwrap(), b"aaaabbbbcc");
    assert!(!folder.join("big.dlpart").exists());
}

#[test]
fn a_second_chunk_under_the_final_name_costs_the_old_version() {
    for (quirks, survives) in [
        (Quirks::v6_4(), false),
        (Quirks::v6_4().without(Quirk::Clobber), true),
    ] {
        let (_dir, server, client) = server(quirks);
        client.upload("/sync/upload/put/", "big", b"old", &[]);
        client.upload("/sync/upload/put/", "big", b"aaaa", &chunk("10", None));
        client.upload(
            "/sync/upload/put/",
            "big",
            b"bbbb",
            &chunk("10", Some("big")),
        );
        assert_eq!(server.folder("sync").join("big").exists(), survives);
    }
}

#[test]
fn one_chunk_never_completes_and_too_much_is_never_noticed() {
    let (_dir, server, client) = server(Quirks::v6_4());
    let folder = server.folder("sync");
    client.upload("/sync/upload/put/", "one", b"aaaa", &chunk("4", None));
    assert!(folder.join("one.dlpart").exists() && !folder.join("one").exists());
    client.upload(
        "/sync/upload/put/",
        "tmp",
        b"bbbb",
        &chunk("6", Some("one")),
    );
    assert_eq!(fs::read(folder.join("one.dlpart")).unwrap(), b"aaaabbbb");
    let none = client.upload("/sync/upload/put/", "tmp", b"bb", &chunk("6", Some("two")));
    assert!(none.text().contains("stat failed"), "{}", none.text());
}

#[test]
fn what_is_too_large_is_told_by_code_and_what_is_larger_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let server = PydioServer::start(Options::new(dir.path()).upload_max(1000, 2000)).unwrap();
    let client = Client::new(&server);
    for (length, expected) in [
        (1000, "<add>"),
        (1001, "(409)"),
        (3000, "Warning, missing headers!"),
    ] {
        let reply = client.upload("/sync/upload/put/", "f", &vec![b'x'; length], &[]);
        assert!(
            reply.text().contains(expected),
            "{length}: {}",
            reply.text()
        );
        assert_eq!(reply.status, 200);
    }
    assert!(
        client
            .upload("/sync/upload/put/", "e", b"", &[])
            .text()
            .ends_with("(410)")
    );
}
