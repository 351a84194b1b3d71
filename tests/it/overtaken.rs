//! Scans of a server that a rename overtakes, request by request: the folder is moved
//! here as well, and nothing of it is transferred or deleted.

use crate::program::{Lab, tree, until};
use crate::webdav_site::DavSite;
use std::fs;
use test_servers::webdav::Quirks;

/// A server with files in `in/d` and `out`, synced; and a change of each, so that the next run
/// lists them.
fn site(files: usize) -> (DavSite, Lab) {
    let (site, lab) = (DavSite::timed(Quirks::nextcloud()), Lab::new());
    for n in 0..files {
        site.hand().write(&format!("in/d/{n}"), b"content");
    }
    site.hand().write("out/old", b"old");
    site.synced(&lab);
    site.server.log().clear();
    site.hand().write("in/new", b"new");
    site.hand().write("out/new", b"new");
    (site, lab)
}

/// Moves the folder right before `late` is listed, once `early` was.
fn rename_between(site: &DavSite, early: &'static str, late: &str) {
    let (log, hand) = (site.server.log(), site.hand());
    site.server.before("PROPFIND", late, move || {
        until("the other one is listed", || {
            let entries = log.entries();
            let mut entries = entries.iter();
            entries.any(|entry| entry.path == early && entry.depth == "1")
        });
        hand.rename("in/d", "out/d");
    });
}

#[test]
fn a_folder_renamed_between_two_listings_is_moved_and_not_transferred() {
    for (early, late) in [("/out", "/in"), ("/in", "/out"), ("/in", "/in/d")] {
        let (site, lab) = site(25);
        rename_between(&site, early, late);
        let done = site.synced(&lab);
        let told = format!("{early} before {late}: {done:?}");
        assert_eq!(done.summary["moved"], 1, "{told}");
        assert_eq!(done.summary["downloaded"], 2, "{told}");
        assert_eq!(done.summary["deleted_local"], 0, "{told}");
        assert!(lab.local.join("out/d/24").exists(), "{told}");
        assert!(!lab.local.join("in/d").exists(), "{told}");
    }
}

#[test]
fn a_folder_that_is_removed_costs_one_reading_of_the_feed_whatever_it_held() {
    let (site, lab) = site(15);
    site.hand().remove("in/d");
    let done = site.synced(&lab);
    assert_eq!(done.summary["deleted_local"], 16, "{done:?}");
    assert_eq!(tree(&lab.local).len(), 5, "{:?}", fs::read_dir(&lab.local));
    let entries = site.server.log().entries();
    let about = entries
        .iter()
        .filter(|entry| entry.path.starts_with("/in/d"));
    assert_eq!(about.count(), 0, "{entries:?}");
}
