//! Where removed folders go on a Pydio server, and what goes with them.

use crate::folders::{items, lines, path, run};
use crate::pydio_site::{Site, class, entry, hinted, names, since};
use journal_format::event::FailureClass;
use journal_format::value::Seq;
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::ports::{PortResult, Remote, ScanRequest, ScanTarget};
use std::fs;
use std::path::PathBuf;
use test_servers::pydio::{Fault, Rule, Workspace};

fn site(has_bin: bool) -> Site {
    Site::with(|options| {
        let workspace = Workspace::new("1", "sync");
        options.workspace(if has_bin {
            workspace
        } else {
            workspace.without_bin()
        })
    })
}

fn on_disk(site: &Site, name: &str) -> PathBuf {
    site.server().folder("sync").join(name)
}

async fn remove(remote: &PydioRemote, name: &str) -> PortResult<()> {
    let now = entry(remote, name).await.fingerprint;
    remote.remove(Seq(7), &path(name), &now).await
}

/// All files below a folder that have this name.
fn found(folder: PathBuf, name: &str) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let counts = entries.map(|entry| {
        let entry = entry.expect("entry");
        usize::from(entry.file_name() == *name) + found(entry.path(), name)
    });
    counts.sum()
}

#[test]
fn what_a_server_hides_in_a_folder_outlives_the_removal_of_the_folder() {
    for has_bin in [true, false] {
        let site = site(has_bin);
        site.write("a/d/x", b"x");
        site.write("b/d/x", b"x");
        for folder in ["a/d", "b/d"] {
            fs::write(on_disk(&site, folder).join(".hidden"), "theirs").expect("hidden");
        }
        let remote = site.remote("client");
        run(async {
            names(&remote).await;
            for name in ["a/d/x", "b/d/x", "a/d", "b/d", "a", "b"] {
                remove(&remote, name).await.expect(name);
            }
            assert!(names(&remote).await.is_empty(), "with a bin: {has_bin}");
        });
        let kept = found(on_disk(&site, ""), ".hidden");
        assert_eq!(kept, 2, "with a bin: {has_bin}");
    }
}

#[test]
fn what_comes_into_a_folder_at_the_last_moment_brings_it_back() {
    for (has_bin, action) in [(true, "delete"), (false, "rename")] {
        let site = site(has_bin);
        site.write("d/x", b"x");
        let remote = site.remote("client");
        run(async {
            remove(&remote, "d/x").await.expect("the file");
            let late = on_disk(&site, "d/late");
            let fault = Rule::on(action, Fault::Appear(late.clone()));
            site.server().inject(fault);
            let removed = remove(&remote, "d").await;
            assert_eq!(class(&removed), Some(FailureClass::Precondition));
            assert_eq!(fs::read(&late).expect("late"), b"it appeared");
            assert_eq!(names(&remote).await, ["d", "d/late"]);
        });
    }
}

#[test]
fn a_bin_is_asked_for_once_a_round_however_many_folders_are_removed() {
    let site = site(true);
    for folder in ["a/x", "b/x", "c/x"] {
        site.write(folder, b"x");
    }
    let remote = site.remote("client");
    run(async {
        for folder in ["a", "b", "c"] {
            remove(&remote, &format!("{folder}/x")).await.expect("file");
        }
        remote.root().await.expect("root");
        let log = site.server().log();
        let before = log.count("ls");
        for folder in ["a", "b", "c"] {
            remove(&remote, folder).await.expect(folder);
        }
        // Each folder is looked at twice.
        assert_eq!(log.count("ls") - before, 3 * 2 + 1);
    });
}

/// A site whose administrator gave the bin another name, with `d/x` and `e/x`.
fn elsewhere() -> Site {
    let site = Site::with(|options| options.workspace(Workspace::new("1", "sync").bin("/trash")));
    site.write("d/x", b"first");
    site.write("e/x", b"second");
    site
}

#[test]
fn a_bin_of_any_name_keeps_all_versions_and_is_left_out() {
    let site = elsewhere();
    let remote = site.remote("client");
    run(async {
        for name in ["d/x", "e/x"] {
            remove(&remote, name).await.expect(name);
        }
        assert_eq!(names(&remote).await, ["d", "e"]);
    });
    let entries = fs::read_dir(on_disk(&site, "trash")).expect("the bin");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let shown = paths.filter(|path| !path.ends_with(".ajxp_recycle_cache.ser"));
    let mut kept: Vec<Vec<u8>> = shown.map(|path| fs::read(path).expect("file")).collect();
    kept.sort();
    assert_eq!(kept, [b"first".to_vec(), b"second".to_vec()]);
}

#[test]
fn what_the_feed_tells_of_a_bin_of_any_name_is_no_hint() {
    let site = elsewhere();
    let remote = site.remote("client");
    run(async {
        let begun = since(&remote, None).await;
        // With something in it already, and a change of what lies in it.
        site.ask("delete/", "file=/d/x");
        site.ask("rename/", "file=/trash/x&dest=/trash/y");
        let changes = since(&remote, Some(&begun.cursor)).await;
        let hinted = hinted(&changes);
        let is_in_bin = |target: &&ScanTarget| target.path.as_str().starts_with("trash");
        assert_eq!(hinted.iter().find(is_in_bin), None);
        let place = vec![ScanTarget {
            path: path("trash/y"),
            subtree: false,
        }];
        let seen = items(remote.scan(ScanRequest { targets: place })).await;
        assert_eq!(
            lines(&seen.expect("scan")),
            ["/ names trash", "/trash Excluded"]
        );
    });
}
