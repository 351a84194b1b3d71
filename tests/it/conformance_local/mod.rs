//! What every local side promises, checked on a real folder.

mod content;
mod scans;
mod slots;
mod watch;

use crate::folders::{Memory, path, run};
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Entry, Seq};
use pydio_sync::adapters::local_fs::LocalFolder;
use pydio_sync::adapters::rooted::{Filter, FilterRules, Options};
use pydio_sync::ports::{LocalFs, PortResult, RootState};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A claimed folder, with a place beside it that must not be touched.
struct World {
    base: TempDir,
    side: LocalFolder,
}

impl World {
    fn new() -> Self {
        Self::with(&FilterRules::default())
    }

    fn with(rules: &FilterRules) -> Self {
        let base = tempfile::tempdir().expect("temporary directory");
        let root = base.path().join("root");
        fs::create_dir(&root).expect("root");
        fs::create_dir(base.path().join("outside")).expect("outside");
        fs::write(base.path().join("outside/secret"), "secret").expect("secret");
        let filter = Filter::new(rules).expect("filter");
        let side = LocalFolder::open(&root, Options { filter }).expect("folder");
        run(side.claim_root("root-1")).expect("claim");
        Self { base, side }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.base.path().join("root").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let at = self.at(name);
        fs::create_dir_all(at.parent().expect("parent")).expect("directories");
        fs::write(at, text).expect("file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).expect("file")
    }

    async fn entry(&self, name: &str) -> Entry {
        let entry = self.side.stat(&path(name)).await.expect("stat");
        entry.unwrap_or_else(|| panic!("{name} is absent"))
    }

    async fn stage(&self, id: u64, bytes: &[u8]) {
        self.side
            .stage(Seq(id), Memory::file(bytes), DigestKind::Blake3)
            .await
            .expect("stage");
    }

    /// Every name that is not ours, with its content.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![self.at("")];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).expect("list") {
                let at = entry.expect("entry").path();
                let name = at
                    .strip_prefix(self.at(""))
                    .expect("below")
                    .display()
                    .to_string();
                if name == ".pydio-sync" {
                    continue;
                }
                if at.is_dir() && !at.is_symlink() {
                    waiting.push(at);
                } else {
                    let text = fs::read(&at).unwrap_or_default();
                    found.push(format!("{name}={}", String::from_utf8_lossy(&text)));
                }
            }
        }
        found.sort();
        found
    }

    fn assert_outside_untouched(&self) {
        let outside = self.base.path().join("outside");
        assert_eq!(fs::read(outside.join("secret")).expect("secret"), b"secret");
        assert_eq!(fs::read_dir(outside).expect("outside").count(), 1);
    }
}

fn class<T: std::fmt::Debug>(result: PortResult<T>) -> FailureClass {
    result.expect_err("a failure").class
}

#[test]
fn a_root_is_told_as_it_is_and_works_again_when_it_returns() {
    let world = World::new();
    let away = world.base.path().join("away");
    run(async {
        let present = |marker: &str| RootState::Present {
            marker: Some(marker.to_owned()),
        };
        assert_eq!(world.side.root().await, Ok(present("root-1")));
        assert_eq!(
            fs::metadata(world.at(".pydio-sync"))
                .expect("control")
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        fs::rename(world.at(""), &away).expect("away");
        assert_eq!(world.side.root().await, Ok(RootState::Missing));
        assert_eq!(
            class(world.side.make_dir(&path("d")).await),
            FailureClass::Precondition
        );
        fs::write(world.base.path().join("root"), "file").expect("file");
        assert_eq!(world.side.root().await, Ok(RootState::NotADirectory));
        fs::remove_file(world.base.path().join("root")).expect("file");
        fs::create_dir(world.at("")).expect("another root");
        // Nobody looked at the new root yet: nothing is written into it.
        assert_eq!(
            class(world.side.make_dir(&path("d")).await),
            FailureClass::Precondition
        );
        assert_eq!(
            world.side.root().await,
            Ok(RootState::Present { marker: None })
        );
        world.side.claim_root("root-2").await.expect("claim");
        assert_eq!(world.side.root().await, Ok(present("root-2")));
        world.side.make_dir(&path("d")).await.expect("works again");
        fs::write(world.at(".pydio-sync/root"), "two\nlines").expect("damage");
        assert!(matches!(
            world.side.root().await,
            Ok(RootState::Unreadable(_))
        ));
    });
    assert!(!away.join("d").exists());
}

#[test]
fn probes_agree_with_the_disk() {
    let world = World::new();
    let probes = run(world.side.probe()).expect("probe").expect("claimed");
    assert!(probes.symlinks);
    assert!(!probes.fold_case);
    assert!(probes.rename_noreplace && probes.rename_exchange);
    assert!(
        !fs::read_dir(world.at(".pydio-sync"))
            .expect("list")
            .any(|entry| entry
                .expect("entry")
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"probe"))
    );
}
