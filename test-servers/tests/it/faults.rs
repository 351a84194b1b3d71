//! Each fault as a client meets it, and what it leaves on the server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use test_servers::pydio::{Fault, Options, PydioServer, Rule};

use crate::client::Client;

fn server() -> (tempfile::TempDir, PydioServer, Client) {
    let dir = tempfile::tempdir().unwrap();
    let server = PydioServer::start(Options::new(dir.path())).unwrap();
    let client = Client::new(&server);
    (dir, server, client)
}

/// What a client sees of one upload of `/f`, and whether the file is there afterwards.
fn upload_with(fault: Fault) -> (Option<u16>, bool) {
    let (_dir, server, client) = server();
    server.inject(Rule::on("upload", fault).path("/f"));
    let seen = client.try_upload("/sync/upload/put/", "f", &[b'x'; 500_000], &[]);
    assert!(
        server
            .log()
            .entries()
            .iter()
            .any(|entry| entry.faulty && entry.path == "/f")
    );
    (
        seen.ok().map(|reply| reply.status),
        server.folder("sync").join("f").exists(),
    )
}

/// A connection on which the file `f` was asked for.
fn asked(server: &PydioServer) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let request = format!(
        "GET /api/sync/download/f HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\n\r\n",
        crate::client::ALICE
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn faults_say_whether_the_effect_is_there() {
    for (fault, expected) in [
        (Fault::Status(503), (Some(503), false)),
        (Fault::StatusAfter(502), (Some(502), true)),
        (Fault::Html, (Some(200), false)),
        (Fault::Unauthorized, (Some(401), false)),
        (Fault::Refuse, (None, false)),
        (Fault::LoseAnswer, (None, true)),
        (Fault::CutBody(10), (None, true)),
        (Fault::Delay(Duration::ZERO), (Some(200), true)),
        (Fault::Gzip, (Some(200), true)),
    ] {
        assert_eq!(upload_with(fault.clone()), expected, "{fault:?}");
    }
}

#[test]
fn a_request_that_is_cut_leaves_nothing() {
    let (_dir, server, client) = server();
    server.inject(Rule::on("upload", Fault::CutRequest(100_000)));
    let seen = client.try_upload("/sync/upload/put/", "f", &[b'x'; 500_000], &[]);
    assert!(seen.is_err());
    assert!(!server.folder("sync").join("f").exists());
    assert!(
        client
            .try_upload("/sync/upload/put/", "f", b"abc", &[])
            .is_ok(),
        "only once"
    );
}

#[test]
fn a_cut_answer_brings_its_beginning_and_a_dripping_one_all() {
    let (_dir, server, client) = server();
    client.upload("/sync/upload/put/", "f", b"0123456789", &[]);
    server.inject(Rule::on("download", Fault::CutBody(4)));
    let mut stream = asked(&server);
    let mut text = Vec::new();
    // The end may come as a reset; what came before it counts.
    drop(stream.read_to_end(&mut text));
    assert!(
        text.ends_with(b"\r\n\r\n0123"),
        "{}",
        String::from_utf8_lossy(&text)
    );
    server.inject(Rule::on(
        "download",
        Fault::Drip(3, Duration::from_millis(1)),
    ));
    assert_eq!(client.get("/sync/download/f").body, b"0123456789");
}

#[test]
fn a_stall_keeps_the_connection_and_leaves_the_rest_unread_or_unsent() {
    let (_dir, server, client) = server();
    client.upload("/sync/upload/put/", "f", b"0123456789", &[]);
    server.inject(Rule::on("download", Fault::StallBody(4)));
    let mut stream = asked(&server);
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n0123") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        text.extend(byte);
    }
    server.inject(Rule::on("upload", Fault::StallRequest(1)));
    let sender = std::thread::spawn(move || {
        client
            .try_upload("/sync/upload/put/", "g", &[b'x'; 500_000], &[])
            .is_err()
    });
    let folder = server.folder("sync");
    while server.log().count("upload") < 2 {
        std::thread::yield_now();
    }
    drop(server);
    assert!(sender.join().unwrap(), "the upload ends with the server");
    assert!(
        stream.read(&mut [0]).map_or(true, |read| read == 0),
        "so does the download"
    );
    assert!(!folder.join("g").exists());
}

#[test]
fn a_server_that_hangs_can_be_stopped_and_started_again() {
    let (dir, server, client) = server();
    client.upload("/sync/upload/put/", "f", b"abc", &[]);
    server.inject(Rule::on("stat", Fault::Hang));
    let waiting = std::thread::spawn(move || client.send("GET", "/sync/stat/f", &[], b"").is_err());
    while server.log().count("stat") == 0 {
        std::thread::yield_now();
    }
    let last = server.last_seq();
    drop(server);
    assert!(waiting.join().unwrap());
    let server = PydioServer::start(Options::new(dir.path())).unwrap();
    assert_eq!(server.last_seq(), last);
    let feed = Client::new(&server).get("/sync/changes/0").text();
    assert!(feed.contains("\\/f\""), "{feed}");
}
