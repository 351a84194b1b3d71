//! What a restart finds after a stop at each step of a replacement or removal.

use super::note::{Note, note_name};
use super::put::{keep_beside, replace};
use super::tidy::tidy_up;
use crate::adapters::rooted::{Folder, Options};
use crate::ports::{Chunk, PortError, Source, Task};
use journal_format::value::{DigestKind, Entry, Fingerprint, Kind, RelPath, Seq};
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

const SLOT: &str = "0000000000000007-client";
const ID: Seq = Seq(7);

struct World {
    root: TempDir,
    folder: Arc<Folder>,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("temporary directory");
        let folder = Folder::new(root.path(), Options::default()).expect("folder");
        folder.claim("marker").expect("claim");
        fs::write(root.path().join("f"), "old").expect("file");
        Self { root, folder }
    }

    fn write(&self, text: &str) {
        fs::write(self.root.path().join("f"), text).expect("file");
    }

    fn expect(&self) -> Fingerprint {
        let entry = self.folder.stat(&path()).expect("stat");
        entry.expect("present").fingerprint
    }

    fn stage(&self) -> Fingerprint {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("runtime");
        let stage = self
            .folder
            .stage(SLOT.to_owned(), Box::new(Text::new()), DigestKind::Blake3);
        runtime.block_on(stage).expect("stage");
        let base = self.folder.base().expect("root");
        let place =
            crate::adapters::rooted::control_place(&base, crate::adapters::rooted::STAGING, SLOT);
        let place = place.expect("staging");
        crate::adapters::rooted::entry_in_slot(&base, &place)
            .expect("slot")
            .fingerprint
    }

    fn note(&self, ours: Option<Fingerprint>, expect: Fingerprint) {
        let note = Note {
            path: path(),
            ours,
            expect,
        };
        note.write(&self.folder.base().expect("root"), SLOT)
            .expect("note");
    }

    /// Every name with its content, ours included.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        for directory in ["", ".pydio-sync/staging"] {
            for entry in fs::read_dir(self.root.path().join(directory)).expect("list") {
                let at = entry.expect("entry").path();
                let name = at
                    .strip_prefix(self.root.path())
                    .expect("below")
                    .display()
                    .to_string();
                if name != ".pydio-sync" {
                    found.push(format!(
                        "{name}={}",
                        fs::read_to_string(at).unwrap_or_default()
                    ));
                }
            }
        }
        found.sort();
        found
    }
}

fn path() -> RelPath {
    RelPath::new("f").expect("path")
}

struct Text(Entry, Option<Chunk>);

impl Text {
    fn new() -> Self {
        let fingerprint = Fingerprint {
            kind: Kind::File,
            size: 3,
            mtime_ns: 1_000_000_000,
            identity: None,
            version: None,
        };
        let entry = Entry {
            fingerprint,
            digest: None,
        };
        Self(entry, Some(Chunk::from_static(b"new")))
    }
}

impl Source for Text {
    fn entry(&self) -> &Entry {
        &self.0
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async { Ok::<_, PortError>(self.1.take()) })
    }

    fn file(&self) -> Option<Arc<fs::File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

type Stop = fn(&World);

/// Where a client stops, how, and what is there once it has come back.
const STOPS: [(&str, Stop, &[&str]); 7] = [
    (
        "staged",
        |world| {
            world.stage();
        },
        &["f=old"],
    ),
    (
        "noted, not exchanged",
        |world| {
            let ours = world.stage();
            world.note(Some(ours), world.expect());
        },
        &["f=old"],
    ),
    (
        "exchanged with what was expected",
        |world| {
            let (ours, old) = (world.stage(), world.expect());
            world.note(Some(ours), old.clone());
            world
                .folder
                .exchange(SLOT, &path(), &old)
                .expect("exchange");
        },
        &["f=new"],
    ),
    (
        "exchanged with what came in between",
        |world| {
            let (ours, old) = (world.stage(), world.expect());
            world.note(Some(ours), old);
            world.write("edited");
            world
                .folder
                .exchange(SLOT, &path(), &world.expect())
                .expect("exchange");
        },
        &["f (kept 7)=edited", "f=new"],
    ),
    (
        "taken out, as expected",
        |world| {
            world.note(None, world.expect());
            world
                .folder
                .take(SLOT, &path(), &world.expect())
                .expect("take");
        },
        &[],
    ),
    (
        "taken out, but something else",
        |world| {
            world.note(None, world.expect());
            world.write("edited");
            world
                .folder
                .take(SLOT, &path(), &world.expect())
                .expect("take");
        },
        &["f=edited"],
    ),
    (
        "taken out with a damaged note",
        |world| {
            world
                .folder
                .take(SLOT, &path(), &world.expect())
                .expect("take");
            let note = note_name(SLOT);
            let at = world.root.path().join(".pydio-sync/staging").join(note);
            fs::write(at, "{").expect("note");
        },
        &["recovered (kept 7)=old"],
    ),
];

#[test]
fn a_stop_at_any_step_keeps_every_byte_of_a_user() {
    for (what, stop, expected) in STOPS {
        let world = World::new();
        stop(&world);
        tidy_up(&world.folder, "another").expect("tidy");
        let untouched = world.tree();
        assert!(
            untouched.iter().any(|line| line.contains(SLOT)),
            "{what}: {untouched:?}"
        );
        tidy_up(&world.folder, "client").expect("tidy");
        assert_eq!(world.tree(), expected, "{what}");
    }
}

#[test]
fn what_came_in_between_is_kept_beside_its_path() {
    let world = World::new();
    let mut expect = world.expect();
    world.stage();
    // As if the edit fell between the comparison and the exchange: the
    // comparison before it must pass, the one after it must not.
    expect.identity = None;
    world
        .folder
        .exchange(SLOT, &path(), &expect)
        .expect("exchange");
    fs::write(world.root.path().join("f (kept 7)"), "taken").expect("file");
    let kept = keep_beside(&world.folder, ID, SLOT, &path()).expect("kept");
    assert_eq!(kept.path.as_str(), "f (kept 7 2)");
    assert_eq!(
        world.tree(),
        ["f (kept 7 2)=old", "f (kept 7)=taken", "f=new"]
    );
}

#[test]
fn a_refused_replacement_leaves_neither_note_nor_change() {
    let world = World::new();
    world.stage();
    let expect = world.expect();
    world.write("edited");
    let refused = replace(&world.folder, ID, SLOT, &path(), &expect);
    assert!(refused.is_err());
    world.folder.discard(SLOT).expect("discard");
    assert_eq!(world.tree(), ["f=edited"]);
}
