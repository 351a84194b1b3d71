//! Content on its way from one side to the other.
//!
//! In: nothing. Out: a version's content in pieces, or its open file. Invariant: all of
//! one version or an error; watched by the conformance suites. Deliberately absent:
//! where it goes. CRASH: a source leaves nothing behind; whoever reads it may keep a
//! beginning.

use super::Task;
use bytes::Bytes;
use journal_format::value::Entry;
use std::fs::File;
use std::sync::Arc;

/// A piece of content; empty never occurs.
pub type Chunk = Bytes;

/// One version of a file, or the target text of a symbolic link, being read.
///
/// The version was compared with the expectation when it was opened, and is
/// compared again before the end of the content is reported: a version that
/// changed meanwhile ends in an error, never in a short or mixed content.
pub trait Source {
    /// Returns what was opened. A symbolic link's content is its target text.
    fn entry(&self) -> &Entry;

    /// Returns the permission bits to give to a copy, where the side has them.
    fn mode(&self) -> Option<u32>;

    /// Reads on; nothing at the end, after the version was compared again.
    ///
    /// # Errors
    /// `Precondition` when the version changed; else as the side fails.
    fn read(&mut self) -> Task<'_, Option<Chunk>>;

    /// Names the version, if its content can be read on from behind a beginning that an
    /// earlier process read: the same name only for the same bytes.
    fn beginning(&self) -> Option<String> {
        None
    }

    /// Takes in the next piece of a beginning that is known, before anything was read;
    /// reading then goes on behind it. Only where there is a [`Source::beginning`], and
    /// never all of the content. A content that turns out to be another one in spite of
    /// its name ends in `Precondition`.
    fn know(&mut self, piece: &[u8]) {
        let _unused = piece;
    }

    /// Returns the open file for a copy inside the kernel, where there is one.
    /// Whoever copies from it calls [`Source::verify`] afterwards.
    fn file(&self) -> Option<Arc<File>>;

    /// Compares the version with the one that was opened, by open file *and*
    /// by path.
    ///
    /// # Errors
    /// `Precondition` when it changed.
    fn verify(&mut self) -> Task<'_, ()>;
}
