//! Watches a folder with inotify and hints at what may have changed.
//!
//! In: events of the `notify` crate, one watch a directory. Out: a stream of
//! hints. A directory is watched first and hinted at whole afterwards, so that
//! nothing made in it before the watch was in place is missed. Invariant: the
//! handler never blocks, and what waits is bounded: beyond that everything is
//! looked at again. Deliberately absent: truth, which comes from scans; settle
//! times; reading of files, ignore files too (what they leave out is hinted at and
//! left out by the scan). LIMIT: changes made on another machine (network
//! disks) and in paths longer than the kernel takes give no hint. Leaves nothing
//! behind.

mod arm;
mod inbox;

use super::fault::{fatal, unsupported};
use super::folder::Folder;
use super::ignores::IGNORE_FILE;
use crate::ports::{Hint, HintStream, PortError, PortResult};
use arm::Armer;
use futures::StreamExt;
use futures::stream;
use inbox::Inbox;
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RemoveKind};
use notify::{Config, ErrorKind, Event, RecommendedWatcher, Watcher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Starts to watch. Every directory is watched when this returns, which takes
/// about as long as a walk over them.
///
/// # Errors
/// `Unsupported` when the kernel's limits do not suffice, named in the message.
pub(crate) fn watch(folder: &Arc<Folder>) -> PortResult<HintStream<'static>> {
    let base = folder.base()?;
    let inbox = Arc::new(Inbox::default());
    let handler = Handler {
        root: base.canonical.clone(),
        folder: Arc::clone(folder),
        inbox: Arc::clone(&inbox),
    };
    let config = Config::default().with_follow_symlinks(false);
    let watcher = RecommendedWatcher::new(handler, config).map_err(|error| refusal(&error))?;
    let mut armer = Armer::new(Arc::clone(folder), base, watcher, Arc::clone(&inbox));
    armer.arm_all().map_err(|error| refusal(&error))?;
    std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || armer.run())
        .map_err(|error| fatal(error.to_string()))?;
    Ok(stream::unfold(Listening(inbox), next).boxed_local())
}

/// Stops the thread when the stream is dropped.
struct Listening(Arc<Inbox>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn next(listening: Listening) -> Option<(Vec<Hint>, Listening)> {
    let hints = futures::future::poll_fn(|context| listening.0.poll(context)).await?;
    Some((hints, listening))
}

/// Says what a limit is called.
fn refusal(error: &notify::Error) -> PortError {
    match &error.kind {
        ErrorKind::MaxFilesWatch => unsupported(
            "more directories than fs.inotify.max_user_watches allows; raise it with sysctl",
        ),
        ErrorKind::Io(io) if io.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            unsupported("fs.inotify.max_user_instances is used up; raise it with sysctl")
        }
        _ => unsupported(format!("the folder cannot be watched: {error}")),
    }
}

struct Handler {
    root: PathBuf,
    folder: Arc<Folder>,
    inbox: Arc<Inbox>,
}

impl notify::EventHandler for Handler {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) if event.need_rescan() => self.inbox.overflow(),
            Ok(event) => self.handle(&event),
            Err(error) => {
                tracing::debug!(%error, "the watcher failed");
                self.inbox.overflow();
            }
        }
    }
}

impl Handler {
    /// Returns after what time a file that changed now shows whether it changed since.
    fn grown_after(&self) -> Option<Duration> {
        let grain = self.folder.opened_before()?.disk().grain?;
        u64::try_from(grain.step_ns).ok().map(Duration::from_nanos)
    }

    fn handle(&self, event: &Event) {
        let Some(change) = change_of(&event.kind) else {
            return;
        };
        for path in &event.paths {
            if path == &self.root {
                // Attributes of the root change with every entry; only its
                // leaving counts.
                if change == Change::Left {
                    self.inbox.end();
                }
            } else if let Some(path) = relative(&self.root, path, &self.folder) {
                if path.name() == Some(IGNORE_FILE) {
                    // Other rules may show or hide anything beside or below it.
                    self.inbox.subtree(path.parent().unwrap_or_default());
                }
                self.inbox.changed(path.clone(), change == Change::Came);
                if let Some(wait) = self.grown_after() {
                    self.inbox.later(path, wait);
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Change {
    /// Something may have come here, a directory too.
    Came,
    /// Something left.
    Left,
    /// Something else happened to it.
    Other,
}

fn change_of(kind: &EventKind) -> Option<Change> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Change::Other),
        EventKind::Access(_) => None,
        EventKind::Create(CreateKind::File) => Some(Change::Other),
        EventKind::Create(_) => Some(Change::Came),
        EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::From)) => Some(Change::Left),
        EventKind::Modify(ModifyKind::Name(_)) => Some(Change::Came),
        EventKind::Remove(
            RemoveKind::File | RemoveKind::Folder | RemoveKind::Other | RemoveKind::Any,
        ) => Some(Change::Left),
        _ => Some(Change::Other),
    }
}

/// Nothing for what is ours or left out. What is no valid path is hinted at by
/// its directory.
fn relative(root: &Path, path: &Path, folder: &Folder) -> Option<journal_format::value::RelPath> {
    let mut path = path.strip_prefix(root).ok()?;
    let parsed = loop {
        match path.to_str().map(journal_format::value::RelPath::new) {
            Some(Ok(parsed)) => break parsed,
            _ => path = path.parent()?,
        }
    };
    let ours = parsed.names().next().is_some_and(super::source::is_control);
    let hinted = !parsed.is_root() && !ours && !folder.filter.excludes_path(parsed.as_str());
    hinted.then_some(parsed)
}
