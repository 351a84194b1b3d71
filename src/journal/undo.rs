//! How to undo in the local folder what sync did there, from the journal alone.
//!
//! In: the records from the first to the last, and which of them are meant. Out: steps,
//! newest first, each with what must still be there, and a list of what cannot be undone
//! here with the reason. Invariants: a step is what a person could do by hand, and puts
//! into the trash what it takes away; nothing is guessed. Watched by `tests`.
//! Deliberately absent: doing it (`executor::Hand`), the remote side (the next sync). A new
//! action is an arm of [`changes`].

mod collect;
#[cfg(test)]
mod tests;

pub use collect::{Collector, Which};

use super::text::plain;
use journal_format::event::{Action, Change, Expected, Kept, Operation, Outcome};
use journal_format::value::{Entry, Kind, RelPath, Seq, Timestamp};

/// What there is to undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undo {
    /// What can be tried, in this order.
    pub steps: Vec<Step>,
    /// What cannot.
    pub left: Vec<Left>,
}

/// One thing to do in the local folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The operation, or the earlier `undone`, that it takes back.
    pub undoes: Seq,
    /// When that was done.
    pub time: Timestamp,
    /// What to do.
    pub inverse: Inverse,
}

/// What takes a change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inverse {
    /// Puts an entry of the trash back.
    Restore {
        /// Where; without `over` it must be free.
        path: RelPath,
        /// Its name in the trash.
        entry: RelPath,
        /// What must be there; it goes to the trash.
        over: Option<Entry>,
    },
    /// Puts a file or link into the trash.
    PutAway {
        /// Where.
        path: RelPath,
        /// What must be there.
        expect: Entry,
    },
    /// Removes a folder, which must be empty.
    RemoveFolder {
        /// Where.
        path: RelPath,
        /// What must be there.
        expect: Entry,
    },
    /// Creates a folder at a path, which must be free.
    MakeFolder {
        /// Where.
        path: RelPath,
    },
    /// Renames.
    Rename {
        /// The path before.
        from: RelPath,
        /// The path after, which must be free.
        to: RelPath,
        /// What must be at `from`.
        expect: Entry,
    },
}

/// What cannot be undone here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The operation.
    pub undoes: Seq,
    /// When it was done.
    pub time: Timestamp,
    /// What it was about.
    pub path: RelPath,
    /// Why, for people.
    pub reason: String,
}

impl Inverse {
    /// Returns where a rename leads.
    #[must_use]
    pub const fn to(&self) -> Option<&RelPath> {
        match self {
            Self::Rename { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Returns what takes a change back; nothing for a change that makes no sense.
    #[must_use]
    pub fn of(change: &Change) -> Option<Self> {
        let path = change.path.clone();
        Some(match (&change.from, &change.now, &change.trashed) {
            (Some(to), Some(now), None) => Self::Rename {
                from: path,
                to: to.clone(),
                expect: now.clone(),
            },
            (Some(_), ..) => return None,
            (None, over, Some(entry)) => Self::Restore {
                path,
                entry: entry.clone(),
                over: over.clone(),
            },
            (None, Some(now), None) if now.kind() == Kind::Directory => Self::RemoveFolder {
                path,
                expect: now.clone(),
            },
            (None, Some(now), None) => Self::PutAway {
                path,
                expect: now.clone(),
            },
            (None, None, None) => Self::MakeFolder { path },
        })
    }

    /// Returns the path that it is about.
    #[must_use]
    pub const fn path(&self) -> &RelPath {
        match self {
            Self::Restore { path, .. }
            | Self::PutAway { path, .. }
            | Self::RemoveFolder { path, .. }
            | Self::MakeFolder { path } => path,
            Self::Rename { from, .. } => from,
        }
    }

    /// Returns its name for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Restore { .. } => "restore",
            Self::PutAway { .. } => "put_away",
            Self::RemoveFolder { .. } => "remove_folder",
            Self::MakeFolder { .. } => "make_folder",
            Self::Rename { .. } => "rename",
        }
    }

    /// Says what it does, and if what.
    #[must_use]
    pub fn words(&self) -> String {
        let quote = |path: &RelPath| format!("`{}`", plain(path.as_str()));
        let at = quote(self.path());
        match self {
            Self::Restore {
                entry, over: None, ..
            } => format!(
                "bring {at} back from the trash ({}), if the name is free",
                quote(entry)
            ),
            Self::Restore { entry, .. } => format!(
                "put the earlier version of {at} back from the trash ({}), if what is there is \
                 unchanged; that goes to the trash",
                quote(entry)
            ),
            Self::PutAway { .. } => format!("put {at} into the trash, if it is unchanged"),
            Self::RemoveFolder { .. } => format!("remove the folder {at}, if it is empty"),
            Self::MakeFolder { .. } => format!("create the folder {at}, if the name is free"),
            Self::Rename { to, .. } => format!(
                "rename {at} to {}, if it is still the same and that name is free",
                quote(to)
            ),
        }
    }
}

/// Returns what an operation changed in the local folder, in order, or why that is not
/// for us to undo. A hash changes nothing. `here` tells what the local folder held when it
/// ended; with that, what the operation carried to the remote is what is taken back.
fn changes(
    id: Seq,
    operation: &Operation,
    outcome: &Outcome,
    here: impl Fn(&RelPath) -> Option<Entry>,
) -> Result<Vec<Change>, String> {
    use journal_format::value::Side::{Local, Remote};
    let change =
        |path: &RelPath, from: Option<&RelPath>, now: Option<&Entry>| change(id, path, from, now);
    let trashed = |path: &RelPath, now: Option<&Entry>| trashed(id, outcome, path, now);
    let now = || outcome.target.as_ref().ok_or_else(|| MUTE.to_owned());
    match &operation.action {
        Action::Transfer {
            from: Remote,
            target,
            replaces,
            ..
        } => downloaded(id, target, replaces, outcome),
        Action::Transfer {
            from: Local,
            source,
            replaces,
            ..
        } => match trashed(source, outcome.source.as_ref()) {
            Some(replaced) if replaced.now.is_some() => Ok(vec![replaced]),
            _ if *replaces != Expected::Absent || !outcome.kept.is_empty() => {
                Err(uploaded(replaces, outcome))
            }
            _ => match here(source) {
                Some(entry) => Ok(vec![change(source, None, Some(&entry))]),
                None => Err(uploaded(replaces, outcome)),
            },
        },
        Action::MakeDirectory { side: Local, path } => Ok(vec![change(path, None, Some(now()?))]),
        Action::MakeDirectory { side: Remote, path } => match here(path) {
            Some(entry) => Ok(vec![change(path, None, Some(&entry))]),
            None => Err(YOUR_FOLDER.to_owned()),
        },
        Action::Move {
            side: Local,
            from,
            to,
            ..
        } => Ok(vec![change(to, Some(from), Some(now()?))]),
        Action::Move {
            side: Remote,
            from,
            to,
            ..
        } => match here(to) {
            Some(entry) => Ok(vec![change(to, Some(from), Some(&entry))]),
            None => Err(format!(
                "the rename was made here by hand; rename it back to `{}` to undo, or say `--mine`",
                plain(from.as_str())
            )),
        },
        Action::Remove {
            side, path, expect, ..
        } => match (trashed(path, None), side, expect.kind) {
            (Some(removed), ..) => Ok(vec![removed]),
            (None, Local, Kind::Directory) => Ok(vec![change(path, None, None)]),
            (None, Local, _) => Err("what it removed was not kept here".to_owned()),
            (None, Remote, _) => Err(DELETED_BY_HAND.to_owned()),
        },
        Action::Hash { .. } => Ok(Vec::new()),
    }
}

fn downloaded(
    id: Seq,
    target: &RelPath,
    replaces: &Expected,
    outcome: &Outcome,
) -> Result<Vec<Change>, String> {
    let now = outcome.target.as_ref().ok_or_else(|| MUTE.to_owned())?;
    if let Some(replaced) = trashed(id, outcome, target, Some(now)) {
        return Ok(vec![replaced]);
    }
    if *replaces != Expected::Absent && outcome.kept.is_empty() {
        return Err("the version that it replaced was not kept here".to_owned());
    }
    let moved = |kept: &Kept| change(id, &kept.path, Some(target), Some(&kept.entry));
    let made_way = outcome.kept.iter().map(moved);
    let arrived = change(id, target, None, Some(now));
    Ok(made_way.chain([arrived]).collect())
}

fn change(id: Seq, path: &RelPath, from: Option<&RelPath>, now: Option<&Entry>) -> Change {
    Change {
        undoes: Some(id),
        path: path.clone(),
        from: from.cloned(),
        now: now.cloned(),
        trashed: None,
    }
}

/// What an operation put into the trash, as a change of the path where it was.
fn trashed(id: Seq, outcome: &Outcome, path: &RelPath, now: Option<&Entry>) -> Option<Change> {
    outcome.trashed.as_ref().map(|entry| Change {
        trashed: Some(entry.clone()),
        ..change(id, path, None, now)
    })
}

/// Why an upload is not undone.
fn uploaded(replaces: &Expected, outcome: &Outcome) -> String {
    match (replaces, outcome.kept.first()) {
        (_, Some(kept)) => format!(
            "it is your own version; the other one is `{}` on the remote side",
            plain(kept.path.as_str())
        ),
        (Expected::Absent, None) => {
            "it is your own file; delete it to undo, or say `--mine`".to_owned()
        }
        (Expected::Version(_), None) => {
            "it is your own version, and the one that it replaced was not kept here; the \
             server's own versions may have it"
                .to_owned()
        }
    }
}

const MUTE: &str = "the journal does not say what came of it";
const YOUR_FOLDER: &str = "it is your own folder; delete it to undo, or say `--mine`";
const DELETED_BY_HAND: &str =
    "the deletion was made here by hand; the server's own recycle bin may have it";
