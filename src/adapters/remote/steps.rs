//! Scans that go on step by step.
//!
//! In: a request, and a walk that makes one step at a time. Out: the port's stream.
//! Invariant: after the first error nothing comes any more, so that no listing that follows
//! it is taken for part of a whole. Deliberately absent: what a step asks a server for. A
//! dropped stream leaves nothing behind.

use crate::ports::{PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget};
use futures::stream;
use journal_format::value::RelPath;
use std::collections::VecDeque;

/// Something that looks at places of a remote.
pub(super) trait Steps: 'static {
    /// Looks at some more; nothing at the end.
    fn step(&mut self) -> impl Future<Output = PortResult<Option<Vec<ScanItem>>>>;
}

/// Makes all steps of a scan.
pub(super) fn steps<S: Steps>(walk: S) -> ScanStream<'static> {
    Box::pin(stream::unfold(Some(walk), async |walk| {
        let mut walk = walk?;
        match walk.step().await {
            Ok(None) => None,
            Ok(Some(items)) => Some((Ok(items), Some(walk))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// Sorts a request into places to look at and folders to list with all below. Who asks for
/// everything needs no look at a part of it.
pub(super) fn begin(request: ScanRequest) -> (Vec<ScanTarget>, VecDeque<RelPath>) {
    let is_all = |target: &ScanTarget| target.path.is_root() && target.subtree;
    if request.targets.iter().any(is_all) {
        (Vec::new(), VecDeque::from([RelPath::root()]))
    } else {
        (request.targets, VecDeque::new())
    }
}
