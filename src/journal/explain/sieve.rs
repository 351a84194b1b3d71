//! Which stored records can be about some paths, told from their bytes.
//!
//! In: paths; records as bytes, in order. Out: yes or no, a yes too many rather than a
//! no too many. Invariant: an event that names one of the paths, or a folder above one,
//! is let through, and so is the end of what such an event began. Deliberately absent:
//! decoding. A new event that ends another one is an arm of `Peek::ends`.

use journal_format::value::{RelPath, Seq};
use journal_format::{Tag, codec, peek};
use memchr::memmem::Finder;
use std::collections::BTreeSet;

/// Lets through what can be about some paths.
pub struct Sieve {
    needles: Vec<Finder<'static>>,
    /// Operations and conflicts that began and did not end.
    begun: BTreeSet<Seq>,
    /// Whether each group of moves is wanted, to find further names.
    all_moves: bool,
    left: usize,
}

impl Sieve {
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a RelPath>, all_moves: bool) -> Self {
        let mut whole = BTreeSet::new();
        for path in paths {
            let mut next = Some(path.clone());
            while let Some(path) = next.filter(|path| !path.is_root()) {
                next = path.parent();
                whole.insert(path);
            }
        }
        // A path is stored with its length in front, so that no other one is meant.
        let needles = whole.iter().filter_map(|path| {
            let bytes = codec::encode(&path.as_str()).ok()?;
            Some(Finder::new(&bytes).into_owned())
        });
        Self {
            needles: needles.collect(),
            begun: BTreeSet::new(),
            all_moves,
            left: RECORDS_MAX,
        }
    }

    /// Tells whether the next record is let through.
    pub fn wants(&mut self, bytes: &[u8]) -> bool {
        let wanted = self.left > 0 && self.is_about(bytes);
        self.left -= usize::from(wanted);
        wanted
    }

    fn is_about(&mut self, bytes: &[u8]) -> bool {
        // What cannot be made out here is told by decoding it.
        let Some(seen) = peek(bytes) else { return true };
        let names_one = || {
            self.needles
                .iter()
                .any(|needle| needle.find(seen.payload).is_some())
        };
        match seen.tag {
            Tag::DigestStamped | Tag::FeedRead | Tag::RemoteProbed => false,
            Tag::RootConfigured
            | Tag::PolicyChanged
            | Tag::RootIdentified
            | Tag::SessionStarted
            | Tag::SessionStopped
            | Tag::HistoryLost
            | Tag::HaltRaised
            | Tag::HaltApproved
            | Tag::HaltCleared
            | Tag::RemoteRolledBack
            | Tag::Ordered => true,
            Tag::Moved => self.all_moves || names_one(),
            Tag::OperationStarted | Tag::ConflictRaised => {
                let is_named = names_one();
                if is_named {
                    self.begun.insert(seen.seq);
                }
                is_named
            }
            Tag::OperationSucceeded
            | Tag::OperationFailed
            | Tag::ConflictResolved
            | Tag::ConflictSettled => {
                seen.ends().is_none_or(|begun| self.begun.contains(&begun)) || names_one()
            }
            Tag::Observed | Tag::Gone | Tag::Unknown | Tag::Hashed | Tag::Adopted | Tag::Undone => {
                names_one()
            }
        }
    }
}

/// Records that one question looks at.
pub(super) const RECORDS_MAX: usize = 200_000;
