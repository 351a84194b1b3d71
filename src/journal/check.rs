//! Whether a journal agrees with itself: folded whole, against what it says of its
//! state on the way and against a checkpoint.
//!
//! In: records from the first on, a checkpoint's bytes. Out: where they part. Invariant:
//! only digests of this release's fold are compared. Deliberately absent: checksums and
//! gaps, which reading finds. Memory is that of the state.

use super::text::hex;
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::value::Seq;
use sync_core::checkpoint::{self, CheckpointError};
use sync_core::engine::Engine;
use sync_core::limits::FOLD_VERSION;
use sync_core::state::State;

/// Folds a journal and compares on the way.
#[derive(Debug)]
pub struct Check {
    engine: Engine,
    cached: Option<State>,
    is_compared: bool,
    is_founded: bool,
}

impl Check {
    /// Begins with an empty state. `cached` is a checkpoint's number and bytes.
    ///
    /// # Errors
    /// What is wrong with the checkpoint; it is a cache, so that is no damage.
    pub fn new(cached: Option<(Seq, &[u8])>) -> (Self, Result<(), &'static str>) {
        let decoded = cached.map(|(seq, bytes)| (seq, checkpoint::decode(bytes)));
        let (cached, told) = match decoded {
            None => (None, Ok(())),
            Some((seq, Ok(state))) if state.seq == seq => (Some(state), Ok(())),
            Some((_, Ok(_))) => (None, Err("the checkpoint is of another event than it says")),
            Some((_, Err(CheckpointError::OtherFold))) => {
                (None, Err("the checkpoint is of another release"))
            }
            Some((_, Err(CheckpointError::Damaged))) => (None, Err("the checkpoint is damaged")),
        };
        let check = Self {
            engine: Engine::new(),
            cached,
            is_compared: false,
            is_founded: true,
        };
        (check, told)
    }

    /// Begins with the state that a journal goes on from, where older events are not kept.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn behind(
        base: (Seq, &[u8]),
        cached: Option<(Seq, &[u8])>,
    ) -> (Self, Result<(), &'static str>) {
        let (check, told) = Self::new(cached);
        let state = checkpoint::decode(base.1).ok();
        let state = state.filter(|state| state.seq == base.0);
        let is_founded = state.is_some();
        let engine = state.map_or_else(Engine::new, Engine::restore);
        let check = Self {
            engine,
            is_founded,
            ..check
        };
        (check, told)
    }

    /// Begins with a state, and nothing else to compare with.
    #[must_use]
    pub fn after(state: State) -> Self {
        Self {
            engine: Engine::restore(state),
            cached: None,
            is_compared: false,
            is_founded: true,
        }
    }

    /// Tells whether there is a state to fold on from: the empty one, or a usable one.
    #[must_use]
    pub const fn is_founded(&self) -> bool {
        self.is_founded
    }

    /// Folds the next record.
    ///
    /// # Errors
    /// The state that the journal or the checkpoint tells of is not the folded one.
    pub fn fold(&mut self, record: &Record) -> Result<(), String> {
        let mut told = Ok(());
        if let Event::Session(SessionEvent::DigestStamped {
            digest,
            fold_version: FOLD_VERSION,
        }) = &record.event
        {
            let folded = checkpoint::digest(self.engine.state());
            if folded != *digest {
                told = Err(format!(
                    "event {}: the state's digest is {}, expected {} as stamped",
                    record.seq,
                    hex(&folded),
                    hex(digest)
                ));
            }
        }
        self.engine.replay(record);
        let state = self.engine.state();
        if let Some(cached) = self.cached.take_if(|cached| cached.seq == record.seq) {
            self.is_compared = true;
            let (folded, kept) = (checkpoint::digest(state), checkpoint::digest(&cached));
            if folded != kept {
                told = Err(format!(
                    "the checkpoint at event {} has the digest {}, expected {} as replayed",
                    record.seq,
                    hex(&kept),
                    hex(&folded)
                ));
            }
        }
        told
    }

    /// Returns the folded state.
    #[must_use]
    pub fn state(&self) -> &State {
        self.engine.state()
    }

    /// Tells whether the checkpoint was compared.
    #[must_use]
    pub const fn is_compared(&self) -> bool {
        self.is_compared
    }
}
