//! The way to a Pydio server: certificates, proxies, limits.

use crate::folders::{Memory, path, run};
use crate::pydio_site::{Site, class, put, read, try_put, try_put_as};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::Seq;
use pydio_sync::adapters::remote::Link;
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{PortResult, Remote};
use std::path::PathBuf;
use std::time::Duration;
use test_servers::front::Front;
use test_servers::pydio::Quirks;
use tokio::time::Instant;

fn tls(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// A test server that is reached by TLS.
fn secured() -> (Site, Front) {
    let mut site = Site::of(Quirks::v6_4());
    let read = |name: &str| std::fs::read(tls(name)).expect(name);
    let front = Front::tls(
        &read("server.pem"),
        &read("server.key"),
        site.server().port(),
    );
    let front = front.expect("front");
    site.place.url = format!("https://127.0.0.1:{}", front.port());
    (site, front)
}

fn look(site: &Site) -> PortResult<bool> {
    let remote = site.remote("client");
    run(remote.stat(&path("f"))).map(|found| found.is_some())
}

#[test]
fn a_certificate_counts_only_with_its_authority_or_by_trust_ssl() {
    let (mut site, _front) = secured();
    for (link, is_believed) in [
        (Link::default(), false),
        (
            Link {
                ca_file: Some(tls("ca.pem")),
                ..Link::default()
            },
            true,
        ),
        (
            Link {
                trust_ssl: true,
                ..Link::default()
            },
            true,
        ),
    ] {
        site.server().log().clear();
        site.place.link = link.clone();
        let looked = look(&site);
        assert_eq!(looked.is_ok(), is_believed, "{link:?}: {looked:?}");
        let is_untrusted = looked.is_err_and(|error| error.is_untrusted);
        assert_eq!(is_untrusted, !is_believed, "{link:?}");
        let asked = site.server().log().total();
        assert_eq!(asked > 0, is_believed, "nothing is told to a stranger");
    }
    run(async {
        let remote = site.remote("client");
        let content = vec![7; 3 << 20];
        put(&remote, "large", &content, &Expected::Absent).await;
        assert!(read(&remote, "large").await == Some(content));
    });
}

#[test]
fn a_file_without_certificates_is_refused_before_anything_is_sent() {
    let (mut site, _front) = secured();
    for file in [tls("README.md"), tls("absent.pem")] {
        site.place.link.ca_file = Some(file.clone());
        let password = Secret::new("secret");
        let opened = pydio_sync::adapters::remote::pydio::PydioRemote::open(
            &site.place,
            password,
            "client",
            pydio_sync::adapters::rooted::Filter::new(&Default::default()).expect("filter"),
        );
        assert_eq!(
            class(&opened.map(drop)),
            Some(FailureClass::Unsupported),
            "{file:?}"
        );
    }
    assert_eq!(site.server().log().total(), 0);
}

#[test]
fn everything_goes_through_the_proxy_and_nothing_around_it() {
    let (tls_site, _front) = secured();
    for mut site in [Site::of(Quirks::v6_4()), tls_site] {
        let proxy = Front::proxy().expect("proxy");
        let address = format!("http://ada:word@127.0.0.1:{}", proxy.port());
        site.place.link = Link {
            ca_file: Some(tls("ca.pem")),
            proxy: Some(Secret::new(address.as_str())),
            ..Link::default()
        };
        run(async {
            let remote = site.remote("client");
            put(&remote, "f", b"content", &Expected::Absent).await;
            assert_eq!(read(&remote, "f").await.expect("file"), b"content");
        });
        let heads = proxy.heads();
        assert!(!heads.is_empty());
        let place = site
            .place
            .url
            .split_once("://")
            .expect("scheme")
            .1
            .to_owned();
        for head in &heads {
            let line = head.lines().next().expect("line");
            assert!(line.contains(&place), "{line}");
            let head = head.to_ascii_lowercase();
            // `ada:word`
            assert!(
                head.contains("proxy-authorization: basic ywrhondvcmq="),
                "{line}"
            );
            assert_eq!(
                line.starts_with("CONNECT "),
                site.place.url.starts_with("https"),
                "what is secret is not told to the proxy"
            );
        }
        // A proxy that is away is not gone around.
        drop(proxy);
        site.server().log().clear();
        assert_eq!(class(&look(&site)), Some(FailureClass::Retry));
        assert_eq!(site.server().log().total(), 0);
    }
}

/// The most that a limit lets through: what it allows for the time and one second more.
fn allowed(rate: u64, began: Instant) -> u64 {
    let time = began.elapsed() + Duration::from_secs(1);
    rate * u64::try_from(time.as_millis()).expect("time") / 1000 + SLACK_BYTES
}

#[test]
fn no_more_is_sent_than_the_limit_allows_as_the_server_sees_it() {
    let mut site = Site::with(|options| options.upload_max(32 * 1024, 1 << 20));
    site.place.link.limit_up = RATE;
    let remote = site.remote("client");
    let log = site.server().log();
    // In pieces, and in one.
    let (one, other) = (vec![1; 300_000], vec![2; 20_000]);
    run(async {
        let began = Instant::now();
        let puts = futures::future::join(
            try_put(&remote, "one", Memory::file(&one), &Expected::Absent),
            try_put_as(
                Seq(2),
                &remote,
                "other",
                Memory::file(&other),
                &Expected::Absent,
            ),
        );
        let mut puts = std::pin::pin!(puts);
        let done = loop {
            tokio::select! {
                done = &mut puts => break done,
                () = tokio::task::yield_now() => {}
            }
            let uploads = log.entries().into_iter();
            let uploads = uploads.filter(|entry| entry.action == "upload");
            let (count, came) = uploads.fold((0, 0), |(count, came), entry| {
                (count + 1, came + entry.bytes_in)
            });
            // Fields and the lines between them are not content.
            let most = allowed(RATE, began) + count * FORM_BYTES_MAX;
            assert!(came <= most, "{came} bytes in {count} requests, not {most}");
        };
        assert!(done.0.is_ok() && done.1.is_ok(), "{done:?}");
        assert!(320_000 <= allowed(RATE, began));
    });
}

#[test]
fn no_more_is_read_than_the_limit_allows() {
    let mut site = Site::of(Quirks::v6_4());
    for name in ["one", "other"] {
        site.write(name, &[3; 150_000]);
    }
    site.place.link.limit_down = RATE;
    let remote = site.remote("client");
    run(async {
        let mut sources = Vec::new();
        for name in ["one", "other"] {
            let now = remote.stat(&path(name)).await.expect("stat");
            let expect = now.expect("there").fingerprint;
            sources.push(remote.open(&path(name), &expect).await.expect("open"));
        }
        let began = Instant::now();
        let came = std::cell::Cell::new(0);
        let reads = sources.into_iter().map(async |mut source| {
            while let Some(piece) = source.read().await.expect("read") {
                came.set(came.get() + piece.len() as u64);
                assert!(came.get() <= allowed(RATE, began));
            }
        });
        futures::future::join_all(reads).await;
        assert_eq!(came.get(), 300_000);
    });
}

const RATE: u64 = 200_000;
const SLACK_BYTES: u64 = 1000;
const FORM_BYTES_MAX: u64 = 2000;
