//! WebDAV servers that take names that differ in case only for one.

use crate::folders::{path, run};
use crate::program::{Lab, read, tree, write_long_ago};
use crate::webdav_site::{DavSite, entry};
use pydio_sync::ports::Remote;
use std::fs;
use test_servers::webdav::{Clock, Options, Quirks};

/// Servers that fold case: one that says how a name is spelled, and one that repeats how
/// it was asked for.
fn folding() -> [Quirks; 2] {
    [Quirks::none(), Quirks::rclone()].map(|quirks| Quirks {
        folds_case: true,
        ..quirks
    })
}

fn site(quirks: Quirks) -> DavSite {
    DavSite::with(Options::new(quirks).clock(Clock::machine()))
}

/// The contents of all files, on both sides the same.
fn contents(site: &DavSite, lab: &Lab) -> Vec<String> {
    let here = tree(&lab.local).into_keys();
    let mut here: Vec<String> = here.map(|name| read(&lab.local.join(name))).collect();
    let names = site.names();
    let there = names.iter().filter_map(|name| site.hand().read(name));
    let mut there: Vec<String> = there
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    here.sort();
    there.sort();
    assert_eq!(here, there, "{names:?}");
    there
}

#[test]
fn whether_case_counts_is_tried_with_our_own_folder() {
    for (name, quirks) in Quirks::PRESETS {
        let site = DavSite::of(quirks());
        let folds = run(site.remote("client").folds_case());
        assert_eq!(folds, Ok(false), "{name}");
        assert!(site.names().is_empty(), "{name}");
    }
    for quirks in folding() {
        let site = DavSite::of(quirks);
        assert_eq!(run(site.remote("client").folds_case()), Ok(true));
    }
}

#[test]
fn a_name_gets_another_case_where_both_are_one() {
    for quirks in folding() {
        let site = DavSite::of(quirks);
        site.hand().write("d/x", b"x");
        let remote = site.remote("client");
        run(remote.claim_root("remote-1")).expect("claim");
        for (from, to) in [("d/x", "d/X"), ("d", "D")] {
            let now = entry(&remote, from).fingerprint;
            run(remote.rename(&path(from), &path(to), &now)).expect("renamed");
        }
        assert_eq!(site.names(), ["D", "D/X"]);
        assert_eq!(site.hand().read("D/X").expect("kept"), b"x");
    }
}

#[test]
fn a_file_that_gets_another_case_here_is_never_lost() {
    let ways = [true, false];
    let all = folding().into_iter();
    let all = all.flat_map(|quirks| ways.map(|is_renamed| (quirks.clone(), is_renamed)));
    for (quirks, is_renamed) in all {
        let (site, lab) = (site(quirks), Lab::new());
        let (old, new) = (lab.local.join("A.txt"), lab.local.join("a.txt"));
        write_long_ago(&old, "its content");
        site.synced(&lab);
        if is_renamed {
            fs::rename(&old, &new).expect("rename");
        } else {
            // As programs do that write a file anew: nothing tells that it is a rename.
            write_long_ago(&new, "its content");
            fs::remove_file(&old).expect("remove");
        }
        for _ in 0..3 {
            site.once(&lab);
        }
        assert_eq!(contents(&site, &lab), ["its content"], "{is_renamed}");
    }
}

#[test]
fn one_name_in_two_cases_on_two_sides_is_a_conflict_that_keeps_both() {
    for quirks in folding() {
        let (site, lab) = (site(quirks), Lab::new());
        write_long_ago(&lab.local.join("B.txt"), "one");
        site.hand().write("b.txt", b"two");
        for _ in 0..3 {
            site.once(&lab);
        }
        assert_eq!(contents(&site, &lab), ["one", "two"]);
    }
}

#[test]
fn two_names_that_are_one_there_both_stay_here() {
    for quirks in folding() {
        let (site, lab) = (site(quirks), Lab::new());
        for (name, text) in [("C.txt", "one"), ("c.txt", "two")] {
            write_long_ago(&lab.local.join(name), text);
        }
        for _ in 0..3 {
            site.once(&lab);
        }
        let names: Vec<String> = tree(&lab.local).into_keys().collect();
        assert_eq!(names, ["C.txt", "c.txt"]);
        assert_eq!(read(&lab.local.join("C.txt")), "one");
        assert_eq!(read(&lab.local.join("c.txt")), "two");
        assert_eq!(site.names().len(), 1);
    }
}
