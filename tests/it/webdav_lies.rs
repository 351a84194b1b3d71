//! What servers leave unsaid or say wrongly, each once, and what the remote makes of it.

use crate::folders::run;
use crate::program::{Lab, read, write_long_ago};
use crate::webdav_site::{DavSite, entry, fact, put};
use journal_format::event::{Expected, FailureClass};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::ports::Remote;
use std::fs;
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
