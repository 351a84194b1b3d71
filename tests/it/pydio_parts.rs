//! Two clients that send one large name to a Pydio server at once: they share its part.

use crate::folders::{Memory, run};
use crate::pydio_site::{Site, class, entry, names, put, read, try_put};
use journal_format::event::{Expected, FailureClass};
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::ports::{PortResult, Put};
use std::fs;
use std::pin::Pin;

/// A piece of at most 60 KiB.
fn site() -> Site {
    Site::with(|options| options.upload_max(64 * 1024, 1 << 20))
}

/// Content that tells at each byte whose it is.
fn content(of: u8, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at / 1000) as u8 & 0x3f | of).collect()
}

/// An upload under way.
struct Sending<'a> {
    future: Pin<Box<dyn Future<Output = PortResult<Put>> + 'a>>,
    result: Option<PortResult<Put>>,
}

impl<'a> Sending<'a> {
    fn of(remote: &'a PydioRemote, bytes: &'a [u8], replaces: &'a Expected) -> Self {
        let source = Memory::on_disk(bytes);
        Self {
            future: Box::pin(try_put(remote, "big", source, replaces)),
            result: None,
        }
    }

    /// Goes on until the server took so many pieces in all, or to the end.
    async fn go_on(&mut self, site: &Site, pieces: usize) {
        while self.result.is_none() && site.server().log().count("upload") < pieces {
            tokio::select! {
                result = &mut self.future => self.result = Some(result),
                () = tokio::task::yield_now() => {}
            }
        }
    }

    async fn end(mut self, site: &Site) -> PortResult<Put> {
        self.go_on(site, usize::MAX).await;
        self.result.expect("it ended")
    }
}

#[test]
fn two_clients_that_send_one_name_at_once_never_leave_a_mix() {
    for (bytes, has_old) in [(100_000, true), (100_000, false), (200_000, true)] {
        let versions = [content(0x40, bytes), content(0x80, bytes)];
        for (first, second) in (0..4).flat_map(|one| (1..4).map(move |other| (one, other))) {
            let case = format!("{bytes} bytes, after {first} and {second} pieces, {has_old}");
            let site = site();
            let remotes = [site.remote("one"), site.remote("two")];
            run(async {
                let mut old = Expected::Absent;
                if has_old {
                    put(&remotes[0], "big", b"old", &old).await;
                    old = Expected::Version(entry(&remotes[0], "big").await.fingerprint);
                }
                site.server().log().clear();
                let mut one = Sending::of(&remotes[0], &versions[0], &old);
                let mut two = Sending::of(&remotes[1], &versions[1], &old);
                one.go_on(&site, first).await;
                two.go_on(&site, first + second).await;
                let ends = [one.end(&site).await, two.end(&site).await];
                let now = site.read("big");
                let is_whole = now.as_ref().is_none_or(|now| versions.contains(now));
                let is_old = now.as_deref() == Some(b"old");
                assert!(is_whole || is_old, "{case}: a mix");
                for end in &ends {
                    let class = class(end);
                    let is_told = [
                        None,
                        Some(FailureClass::Retry),
                        Some(FailureClass::Precondition),
                    ];
                    assert!(is_told.contains(&class), "{case}: {end:?}");
                }
                // Whoever tries it alone now goes through, whatever is left of the part.
                if ends.iter().all(Result::is_err) {
                    for _ in 0..2 {
                        let source = Memory::on_disk(&versions[0]);
                        let again = try_put(&remotes[0], "big", source, &old).await;
                        if again.is_ok() {
                            break;
                        }
                    }
                    assert!(
                        read(&remotes[0], "big").await == Some(versions[0].clone()),
                        "{case}"
                    );
                }
                assert_eq!(names(&remotes[0]).await, ["big"], "{case}");
            });
        }
    }
}

#[test]
fn a_client_that_gives_up_leaves_the_part_that_another_one_began() {
    let site = site();
    let remotes = [site.remote("one"), site.remote("two")];
    let versions = [content(0x40, 200_000), content(0x80, 200_000)];
    run(async {
        put(&remotes[0], "big", b"old", &Expected::Absent).await;
        let old = Expected::Version(entry(&remotes[0], "big").await.fingerprint);
        site.server().log().clear();
        let mut one = Sending::of(&remotes[0], &versions[0], &old);
        let mut two = Sending::of(&remotes[1], &versions[1], &old);
        one.go_on(&site, 2).await;
        two.go_on(&site, 4).await;
        // The first one meets the part of the second one, and stops before it adds to it.
        assert_eq!(class(&one.end(&site).await), Some(FailureClass::Retry));
        two.end(&site).await.expect("nobody disturbed it");
    });
    assert!(site.read("big") == Some(versions[1].clone()));
    let part = site.server().folder("sync").join("big.dlpart");
    assert!(!fs::exists(part).expect("a look"));
}
