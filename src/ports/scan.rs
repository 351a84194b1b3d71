//! How a side is observed: roots, listings, hints.
//!
//! In: places to look at. Out: what stands there, or that nothing can be said.
//! Invariant: absence follows only from a listing that says which names it covers and
//! from a stream that ends without an error. Deliberately absent: order of entries.

use super::PortResult;
use futures::stream::LocalBoxStream;
use journal_format::event::UnknownReason;
use journal_format::value::{Entry, RelPath};

/// What is found where a root should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootState {
    /// Nothing, or something on its path is missing.
    Missing,
    /// Something that is no directory.
    NotADirectory,
    /// A directory that cannot be listed.
    Unreadable(String),
    /// A directory, with the id in its marker file if it has one.
    Present {
        /// The content of `.pydio-sync/root`.
        marker: Option<String>,
    },
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequest {
    /// At least one place.
    pub targets: Vec<ScanTarget>,
}

/// One place to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScanTarget {
    /// Where; the root's path stands for the whole side.
    pub path: RelPath,
    /// Whether everything below is listed too; otherwise only the path itself
    /// is looked at.
    pub subtree: bool,
}

/// One item of a scan.
///
/// A directory's listing comes before those of the directories in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanItem {
    /// What a directory holds.
    Listing(Listing),
    /// A directory that could not be listed completely: nothing can be said of
    /// what lies in it.
    Unlisted {
        /// Which directory.
        directory: RelPath,
        /// Why.
        reason: UnknownReason,
    },
}

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which directory.
    pub directory: RelPath,
    /// Which of its names were looked at; those without an entry are absent.
    pub scope: Scope,
    /// What was found, in no particular order.
    pub entries: Vec<Listed>,
}

/// Which names of a directory a listing speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them; the listing was read to its end without an error.
    Whole,
    /// All but those that begin with a dot and have no entry, of which nothing is
    /// known.
    WholeButDots,
    /// Only these.
    Names(Vec<String>),
}

/// One name of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name; for one that is no valid name, a readable form of it.
    pub name: String,
    /// What is there.
    pub seen: Seen,
}

/// What stands at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Something that can be synced.
    Entry(Entry),
    /// Something that cannot, or that is left out.
    Unknown(UnknownReason),
}

/// The items of a scan in batches. An error ends it and proves nothing absent;
/// dropping it stops the scan.
pub type ScanStream<'a> = LocalBoxStream<'a, PortResult<Vec<ScanItem>>>;

/// The unverified word of a watcher: something may have changed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A path; with `subtree`, everything below it as well.
    Path {
        /// Where.
        path: RelPath,
        /// Whether what lies below may have changed too.
        subtree: bool,
    },
    /// Changes were missed: look at everything.
    Rescan,
}

/// Hints as they come; its end means that the watcher cannot go on and that
/// only periodic scans are left.
pub type HintStream<'a> = LocalBoxStream<'a, Vec<Hint>>;

/// The files by which a tree says what it leaves out, for the directory they lie in and
/// all below. A folder reads its own; for a server those of the local side hold.
pub const IGNORE_FILE: &str = ".pydiosyncignore";
