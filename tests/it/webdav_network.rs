//! The way to a WebDAV server: certificates of clients, the pace of requests.

use crate::folders::{path, run};
use crate::webdav_site::{DavSite, remote};
use pydio_sync::adapters::remote::Link;
use pydio_sync::ports::Remote as _;
use std::path::PathBuf;
use std::time::Duration;
use test_servers::front::Front;
use test_servers::webdav::{Quirks, Redirects};
use tokio::time::Instant;

fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

#[test]
fn a_server_that_wants_a_certificate_is_reached_with_client_cert_only() {
    let mut site = DavSite::of(Quirks::none());
    site.hand().write("f", b"f");
    let read = |name: &str| std::fs::read(tls(name)).expect(name);
    let clients = read("client-ca.pem");
    let front = Front::tls_among(
        &read("server.pem"),
        &read("server.key"),
        Some(&clients),
        site.server.port(),
    );
    let front = front.expect("front");
    site.place.url = format!("webdavs://127.0.0.1:{}", front.port());
    for (client_cert, is_welcome) in [
        (None, false),
        // Signed by an authority that the server does not know.
        (Some(tls("stranger.pem")), false),
        (Some(tls("client.pem")), true),
    ] {
        site.place.link = Link {
            ca_file: Some(tls("ca.pem")),
            client_cert: client_cert.clone(),
            timeout: Duration::from_secs(10),
            ..Link::default()
        };
        site.server.log().clear();
        let remote = remote(&site.place, site.server.user().1, "client");
        let looked = run(remote.stat(&path("f")));
        assert_eq!(looked.is_ok(), is_welcome, "{client_cert:?}: {looked:?}");
        let is_untrusted = looked.is_err_and(|error| error.is_untrusted);
        assert!(!is_untrusted, "the server's own certificate is believed");
        let asked = site.server.log().total();
        assert_eq!(asked > 0, is_welcome, "{client_cert:?}");
    }
}

#[test]
fn requests_do_not_come_faster_than_requests_max() {
    let table = [
        (Quirks::none(), 40),
        // Each look is sent twice, and the second one counts as much.
        (
            Quirks {
                redirects: Redirects::Slash,
                ..Quirks::none()
            },
            20,
        ),
    ];
    for (quirks, looks) in table {
        let mut site = DavSite::of(quirks);
        site.hand().make_folder("d");
        site.place.link.requests_max = 20;
        let remote = site.remote("client");
        site.server.log().clear();
        run(async {
            let begun = Instant::now();
            for _ in 0..looks {
                remote.stat(&path("d")).await.expect("stat");
            }
            // One second's worth may come at once; waiting longer is no fault.
            assert!(begun.elapsed() >= Duration::from_millis(950), "{looks}");
        });
        assert_eq!(site.server.log().total(), 40);
    }
}
