//! What a watch hints at.

use super::World;
use crate::folders::run;
use futures::StreamExt;
use pydio_sync::adapters::rooted::FilterRules;
use pydio_sync::ports::{Hint, HintStream, LocalFs};
use std::fs;
use std::os::unix::fs::symlink;

type Change = fn(&World);

/// What is done, how, and which paths must be hinted at; each builds on the one before.
const CHANGES: [(&str, Change, &[&str]); 10] = [
    ("write", |world| world.write("d/f", "longer"), &["d/f"]),
    ("create", |world| world.write("d/g", ""), &["d/g"]),
    (
        "rename",
        |world| fs::rename(world.at("d/g"), world.at("h")).expect("rename"),
        &["d/g", "h"],
    ),
    (
        "link",
        |world| symlink("x", world.at("d/l")).expect("link"),
        &["d/l"],
    ),
    (
        "remove",
        |world| fs::remove_file(world.at("h")).expect("remove"),
        &["h"],
    ),
    (
        "mkdir",
        |world| fs::create_dir(world.at("n")).expect("mkdir"),
        &["n"],
    ),
    (
        "moved in",
        |world| {
            fs::rename(world.base.path().join("coming"), world.at("in")).expect("move");
        },
        &["in", "in/inner"],
    ),
    (
        "moved within",
        |world| {
            fs::rename(world.at("d"), world.at("e")).expect("move");
        },
        &["d", "e", "e/f"],
    ),
    (
        "other ignore rules",
        |world| world.write("e/.pydiosyncignore", "f"),
        &["e/any/thing"],
    ),
    (
        "under a new name",
        |world| world.write("e/f", "again"),
        &["e/f"],
    ),
];

#[test]
fn a_watch_hints_at_whatever_happens() {
    let world = World::with(&FilterRules {
        excludes: vec!["quiet".to_owned()],
        ..FilterRules::default()
    });
    world.write("d/f", "f");
    world.write("quiet/f", "f");
    fs::create_dir(world.base.path().join("coming")).expect("directory");
    fs::write(world.base.path().join("coming/inner"), "").expect("file");
    run(async {
        let mut watch = world.side.watch().expect("watch");
        for (what, change, expected) in CHANGES {
            world.write("quiet/f", what);
            world.write(".pydio-sync/x", what);
            change(&world);
            let covered = Covered::until(&mut watch, expected).await;
            let quiet = covered
                .paths
                .keys()
                .find(|path| path.starts_with("quiet") || path.starts_with(".pydio-sync"));
            assert_eq!((quiet, covered.rescan), (None, false), "{what}");
        }
        fs::rename(world.at(""), world.base.path().join("away")).expect("away");
        let last = Covered::until_end(&mut watch).await;
        assert!(last.rescan, "the root went away");
    });
}

#[test]
fn bursts_of_new_trees_are_hinted_at_whole() {
    for seed in 0..4u64 {
        let world = World::new();
        run(async {
            let mut watch = world.side.watch().expect("watch");
            let root = world.at("");
            let made = std::thread::spawn(move || grow(&root, seed))
                .join()
                .expect("tree");
            let made: Vec<&str> = made.iter().map(String::as_str).collect();
            Covered::until(&mut watch, &made).await;
        });
    }
}

/// Makes a tree of random shape as fast as it can; returns its files.
fn grow(root: &std::path::Path, seed: u64) -> Vec<String> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut directories = vec![String::new()];
    let mut files = Vec::new();
    for count in 0..3000 {
        let parent = &directories[usize::try_from(next(directories.len() as u64)).expect("index")];
        let name = format!("{parent}{count}");
        if next(3) == 0 {
            fs::create_dir(root.join(&name)).expect("directory");
            directories.push(format!("{name}/"));
        } else {
            fs::write(root.join(&name), "").expect("file");
            files.push(name);
        }
    }
    files
}

/// What hints said so far.
#[derive(Default)]
struct Covered {
    paths: std::collections::BTreeMap<String, bool>,
    rescan: bool,
}

impl Covered {
    /// Listens until all paths are covered; a watch that misses one fails here.
    async fn until(watch: &mut HintStream<'_>, wanted: &[&str]) -> Self {
        let mut covered = Self::default();
        while !wanted.iter().all(|path| covered.covers(path)) {
            let hints = tokio::time::timeout(PATIENCE, watch.next()).await;
            let missing = || {
                wanted
                    .iter()
                    .filter(|path| !covered.covers(path))
                    .collect::<Vec<_>>()
            };
            let hints = hints.unwrap_or_else(|_| panic!("no hint at {:?}", missing()));
            covered.add(hints.expect("the watch goes on"));
        }
        covered
    }

    async fn until_end(watch: &mut HintStream<'_>) -> Self {
        let mut covered = Self::default();
        while let Some(hints) = tokio::time::timeout(PATIENCE, watch.next())
            .await
            .expect("end")
        {
            covered.add(hints);
        }
        covered
    }

    fn add(&mut self, hints: Vec<Hint>) {
        for hint in hints {
            match hint {
                Hint::Rescan => self.rescan = true,
                Hint::Path { path, subtree } => {
                    *self.paths.entry(path.as_str().to_owned()).or_default() |= subtree;
                }
            }
        }
    }

    fn covers(&self, wanted: &str) -> bool {
        let ends = wanted.match_indices('/').map(|(at, _)| at);
        self.rescan
            || self.paths.contains_key(wanted)
            || ends
                .into_iter()
                .any(|end| self.paths.get(&wanted[..end]) == Some(&true))
    }
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
