//! File operations that cannot leave a root, shared by both kinds of folder.
//!
//! In: paths relative to a root and what is expected there. Out: the ports'
//! values. Invariant: everything below a root goes through `beneath`, which
//! crosses no link and no mount point; nothing is replaced unseen; `.pydio-sync`
//! is ours and never listed. Watched by `tests/it/conformance_*`. Deliberately
//! absent: what a conflict is, when to retry, which version wins. CRASH: slots in
//! `.pydio-sync/staging`, which each adapter's own rules settle. A new operation
//! is a method of `Folder` in a file of its own.

mod beneath;
mod copy;
mod fault;
mod filter;
mod flush;
mod folder;
mod grain;
mod ignores;
mod lane;
mod list;
mod look;
mod marker;
mod part;
mod probe;
mod rename;
mod scan;
mod slots;
mod source;
mod stage;
mod targets;
#[cfg(test)]
mod tests;
mod trash;
mod watch;
mod writers;

pub use filter::{Filter, FilterError, FilterRules};
pub use folder::Options;
pub use probe::Probes;
pub use trash::Trashed;

pub(crate) use beneath::{CONTROL, STAGING, TRASH, open_beneath};
pub(crate) use fault::{fault, unsupported};
pub(crate) use folder::{Base, Folder};
pub(crate) use look::is_expected;
pub(crate) use scan::scan;
pub(crate) use slots::{control_place, entry_in_slot, names_in, slot_name};
pub(crate) use watch::watch;
