//! What must hold after a run, one function a promise.
//!
//! In: worlds and runs. Out: nothing, or the sentence that says what is broken.
//! Deliberately absent: how a run came about.

use super::disk::{Disk, name, parent};
use super::run::Run;
use super::world::World;
use journal_format::value::{Kind, Side};
use std::collections::{BTreeMap, BTreeSet};
use sync_core::engine::Engine;
use unicode_normalization::UnicodeNormalization;

/// Each path, normalised, with what it is and holds.
pub type Picture = BTreeMap<String, (Kind, u64)>;

/// Draws what can be seen of a side.
#[must_use]
pub fn picture(world: &World, side: Side) -> Picture {
    let items = world.disk(side).items.iter();
    items
        .filter(|(path, _)| !world.is_hidden(side, path))
        .map(|(path, item)| (path.nfc().collect(), (item.kind, item.content)))
        .collect()
}

/// Writes a side as text: conflict marks become `~`, hidden items get a `?`.
#[must_use]
pub fn describe(disk: &Disk) -> String {
    let mut words: Vec<String> = disk
        .items
        .iter()
        .map(|(path, item)| {
            let shown = unmarked(path).replace(' ', "+");
            let hidden = if item.hidden.is_some() { "?" } else { "" };
            match item.kind {
                Kind::Directory => format!("{shown}/{hidden}"),
                Kind::File => format!("{shown}={}{hidden}", item.content),
                Kind::Symlink => format!("{shown}->{}{hidden}", item.content),
            }
        })
        .collect();
    words.sort();
    words.join(" ")
}

/// Replaces conflict marks in a path by `~`.
#[must_use]
pub fn unmarked(path: &str) -> String {
    let part = |part: &str| match part.find(" (conflict ") {
        Some(start) => {
            let end = part[start..]
                .find(')')
                .map_or(part.len(), |end| start + end + 1);
            format!("{}~{}", &part[..start], &part[end..])
        }
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A side with conflict names made plain, as a list that may repeat.
#[must_use]
pub fn outline(disk: &Disk) -> Vec<(String, Kind, u64)> {
    let mut lines: Vec<_> = disk
        .items
        .iter()
        .map(|(path, item)| {
            (
                unmarked(&path.nfc().collect::<String>()),
                item.kind,
                item.content,
            )
        })
        .collect();
    lines.sort();
    lines
}

/// The contents of a side, with repetitions.
#[must_use]
pub fn contents(disk: &Disk) -> Vec<u64> {
    let files = disk
        .items
        .values()
        .filter(|item| item.kind != Kind::Directory);
    let mut contents: Vec<u64> = files.map(|item| item.content).collect();
    contents.sort_unstable();
    contents
}

/// Tells whether a directory of a side holds names that mean the same.
#[must_use]
pub fn has_twins(world: &World) -> bool {
    let fold = world.disks.iter().any(|disk| disk.traits.fold_case);
    world.disks.iter().any(|disk| {
        let mut seen = BTreeSet::new();
        disk.items.keys().any(|path| {
            let plain: String = name(path).nfc().collect();
            let plain = if fold { plain.to_lowercase() } else { plain };
            !seen.insert((parent(path).to_owned(), plain))
        })
    })
}

/// Both sides hold the same.
///
/// # Errors
/// They differ.
pub fn sides_are_equal(world: &World) -> Result<(), String> {
    if picture(world, Side::Local) == picture(world, Side::Remote) {
        return Ok(());
    }
    let [local, remote] = world.disks.each_ref().map(describe);
    Err(format!("sides differ: local `{local}`, remote `{remote}`"))
}

/// What existed before a run, for [`nothing_is_lost`].
#[derive(Debug, Clone)]
pub struct Before {
    base: BTreeSet<u64>,
    held: [BTreeSet<u64>; 2],
}

impl Before {
    /// Notes the contents of the base and of both sides.
    #[must_use]
    pub fn new(base: &World, world: &World) -> Self {
        let set = |world: &World, side| {
            let items = world.disk(side).items.iter();
            let files = items.filter(|(path, item)| {
                item.kind != Kind::Directory && !world.is_hidden(side, path)
            });
            files.map(|(_, item)| item.content).collect()
        };
        Self {
            base: set(base, Side::Local),
            held: Side::BOTH.map(|side| set(world, side)),
        }
    }
}

/// Each content is on both sides or in the trash, or was the baseline's and a side
/// did away with it.
///
/// # Errors
/// One is lost.
pub fn nothing_is_lost(before: &Before, world: &World) -> Result<(), String> {
    let after = world.disks.each_ref().map(contents);
    for content in before.held.iter().flatten() {
        let everywhere = after.iter().all(|held| held.contains(content));
        let dismissed =
            before.base.contains(content) && before.held.iter().any(|held| !held.contains(content));
        if !everywhere && !dismissed && !world.trash.contains(content) {
            let [local, remote] = world.disks.each_ref().map(describe);
            return Err(format!(
                "content {content} is lost: local `{local}`, remote `{remote}`"
            ));
        }
    }
    Ok(())
}

/// Content that never was the baseline's exists somewhere, whatever else happened.
///
/// # Errors
/// It does not.
pub fn nothing_vanished(before: &Before, world: &World) -> Result<(), String> {
    let after = world.disks.each_ref().map(contents);
    let lost = before.held.iter().flatten().find(|content| {
        !before.base.contains(content)
            && !world.trash.contains(content)
            && !after.iter().any(|held| held.contains(content))
    });
    match lost {
        Some(content) => Err(format!("content {content} vanished")),
        None => Ok(()),
    }
}

/// Two runs end with the same trees, apart from the details of conflict names.
///
/// # Errors
/// They do not.
pub fn same_outline(one: &Run, other: &Run) -> Result<(), String> {
    for side in Side::BOTH {
        let [mine, theirs] = [one, other].map(|run| run.world.disk(side));
        if outline(mine) != outline(theirs) {
            let [mine, theirs] = [mine, theirs].map(describe);
            return Err(format!("{side}: once `{mine}`, once `{theirs}`"));
        }
    }
    Ok(())
}

/// Tells whether a run had a tie that "remote keeps the name" decided.
#[must_use]
pub fn has_tie(run: &Run) -> bool {
    use journal_format::event::{Case, ConflictEvent, Event};
    // A step aside (M4) hides the letter of the move that it is part of.
    let tied = |case| matches!(case, Case::C1 | Case::C2 | Case::C3 | Case::M3 | Case::M4);
    let raised = run.records.iter().any(|record| {
        matches!(&record.event, Event::Conflict(ConflictEvent::Raised { case, .. }) if tied(*case))
    });
    raised || run.started.iter().any(|operation| tied(operation.case))
}

/// The contents that a side cannot speak of.
pub fn hidden_contents(world: &World) -> impl Iterator<Item = u64> + '_ {
    Side::BOTH.into_iter().flat_map(move |side| {
        let items = world.disk(side).items.iter();
        items
            .filter(move |(path, _)| world.is_hidden(side, path))
            .map(|(_, item)| item.content)
    })
}

/// The objects that a side cannot speak of, with their directories.
#[must_use]
pub fn hidden_objects(world: &World) -> Vec<(Side, u64)> {
    let mut objects = Vec::new();
    for side in Side::BOTH {
        let items = &world.disk(side).items;
        let hidden = items.iter().filter(|(path, _)| world.is_hidden(side, path));
        objects.extend(hidden.map(|(_, item)| (side, item.object)));
    }
    objects.sort_unstable();
    objects
}

/// Another full look at both sides appends nothing and starts nothing.
///
/// # Errors
/// It does.
pub fn second_run_is_idle(run: &mut Run) -> Result<(), String> {
    let (records, started) = (run.records.len(), run.started.len());
    run.look();
    run.settle()?;
    if run.started.len() > started {
        return Err(format!("a second run starts {:?}", &run.started[started..]));
    }
    if run.records.len() > records {
        return Err(format!(
            "a second run appends {:?}",
            &run.records[records..]
        ));
    }
    Ok(())
}

/// Replaying the journal gives the state that the run has.
///
/// # Errors
/// It does not.
pub fn replay_is_equal(run: &Run) -> Result<(), String> {
    // The digest leaves out where in memory a node lies: a replay has no scans that
    // hold on to nodes, so it uses their places again sooner.
    let digest = |engine: &Engine| sync_core::checkpoint::digest(engine.state());
    let (live, again) = (digest(&run.engine), digest(&run.replayed()));
    if live == again {
        return Ok(());
    }
    Err(format!("a replay differs: {live:02x?}, {again:02x?}"))
}
