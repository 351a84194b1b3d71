//! What servers leave unsaid or say wrongly, each once, and what the remote makes of it.

use crate::folders::run;
use crate::program::{Lab, done, read, write_long_ago};
use crate::webdav_site::{DavSite, entry, fact, put};
use journal_format::event::{Expected, FailureClass};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::Remote;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use test_servers::webdav::{Clock, Fault, Options, Quirks, Rule};

/// A site with `d/x`, and a client of it.
fn begun(quirks: Quirks) -> (DavSite, WebdavRemote) {
    let site = DavSite::of(quirks);
    site.hand().write("d/x", b"x");
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    (site, remote)
}

#[test]
fn what_a_server_says_commands_no_terminal() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = format!("webdav://{}/d", port.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for peer in port.incoming() {
            answer_with_commands(&mut peer.expect("a peer"));
        }
    });
    let lab = Lab::new();
    let mut command = lab.bare();
    command.args(["-s", &place, "-u", "ada", "-z", "0", "--once", "-d"]);
    let told = done(command.arg(&lab.local).env("PYDIO_SYNC_PASSWORD", "p"));
    assert_eq!(told.code, 6, "{told:?}");
    assert!(told.err.contains("\\u{1b}[2J"), "{told:?}");
    let commands = |c: char| c != '\n' && c.is_control() || ['\u{2028}', '\u{202e}'].contains(&c);
    assert!(!told.err.contains(commands), "{told:?}");
    assert!(
        told.err
            .lines()
            .all(|line| !line.starts_with("all is well"))
    );
    let status = lab.offline(&["status"]);
    assert!(!status.out.contains(commands), "{status:?}");
}

/// Answers one request, whatever it is, with a listing of something elsewhere.
fn answer_with_commands(peer: &mut TcpStream) {
    let mut asked = BufReader::new(peer.try_clone().expect("a reader")).lines();
    while asked
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let body = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\"><d:response><d:href>/else\
                \u{1b}[2J\u{2028}\u{202e}\nall is well</d:href><d:propstat><d:prop>\
                <d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 \
                OK</d:status></d:propstat></d:response></d:multistatus>";
    let answer = format!(
        "HTTP/1.1 207 Multi-Status\r\nDAV: 1\r\nContent-Type: application/xml\r\nContent-Length: \
         {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // It may have heard enough.
    peer.write_all(answer.as_bytes()).ok();
}

#[test]
fn a_server_that_writes_in_place_never_has_half_a_version_at_the_name() {
    for (base, in_place) in [
        (Quirks::none(), false),
        (Quirks::none(), true),
        (Quirks::nginx(), true),
    ] {
        let (site, remote) = begun(Quirks {
            put_in_place: in_place,
            ..base
        });
        put(&remote, "d/new", b"new", &Expected::Absent).expect("put");
        assert_eq!(fact(&remote, "atomic_put"), (!in_place).to_string());
        let x = Expected::Version(entry(&remote, "d/x").fingerprint);
        let cut = Rule::on("PUT", Fault::CutRequest(1 << 20));
        site.server.inject(cut);
        let big = vec![b'b'; 3 << 20];
        let error = put(&remote, "d/x", &big, &x).expect_err("cut");
        assert!(matches!(
            error.class,
            FailureClass::Retry | FailureClass::InDoubt
        ));
        assert_eq!(site.hand().read("d/x").expect("kept"), b"x");
    }
}

#[test]
fn names_with_a_dot_are_not_deleted_when_a_server_begins_to_hide_them() {
    let hiding = Quirks {
        hides_dot_files: true,
        ..Quirks::none()
    };
    for later in [Quirks::nginx(), hiding] {
        let (lab, files) = (Lab::new(), tempfile::tempdir().expect("a folder"));
        let site = |quirks, port| {
            let options = Options::new(quirks).clock(Clock::machine());
            DavSite::with(options.dir(files.path()).port(port))
        };
        let synced = |site: &DavSite| {
            let done = site.once(&lab);
            assert!([0, 4].contains(&done.code), "{done:?}");
        };
        for name in [".env", "d/.env", "d/plain", "plain"] {
            write_long_ago(&lab.local.join(name), name);
        }
        let first = site(Quirks::rclone(), 0);
        synced(&first);
        assert_eq!(fs::read(files.path().join(".env")).expect("sent"), b".env");
        let port = first.server.port();
        drop(first);
        fs::remove_file(files.path().join("d/plain")).expect("remove");
        let second = site(later, port);
        synced(&second);
        synced(&second);
        for name in [".env", "d/.env", "plain"] {
            assert_eq!(read(&lab.local.join(name)), name);
        }
        assert!(!lab.local.join("d/plain").exists());
    }
}
