//! Where removed folders go on a Pydio server, and what goes with them.

use crate::folders::{path, run};
use crate::pydio_site::{Site, class, entry, names};
use journal_format::event::FailureClass;
use journal_format::value::Seq;
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::ports::{PortResult, Remote};
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
