//! How many small contents may be in memory, and how many transfers wait their turn.
//!
//! In: sizes. Out: turns. Invariant: what holds a turn has no more bytes in memory than
//! three of the largest small contents a request; of what is smaller there are more, so
//! that enough is ready while requests are under way. Deliberately absent: requests
//! (those have places of their own).

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns that are taken by size.
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Makes turns beside so many requests at once.
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Semaphore::new(width * LARGE_A_REQUEST * LARGE)))
    }

    /// Waits for a turn for a content of this size.
    pub(crate) async fn take(&self, size: u64) -> Option<OwnedSemaphorePermit> {
        let semaphore = Arc::clone(&self.0);
        semaphore.acquire_many_owned(weight(size)).await.ok()
    }
}

fn weight(size: u64) -> u32 {
    let parts = size.div_ceil(PART_BYTES).clamp(SMALL, LARGE as u64);
    u32::try_from(parts).unwrap_or(1)
}

/// Some are read or looked at while others are sent.
const LARGE_A_REQUEST: usize = 3;
const PART_BYTES: u64 = 64 * 1024;
/// What a content counts that is sent from memory, or in pieces.
const LARGE: usize = 16;
const SMALL: u64 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_contents_take_the_place_of_several_small_ones() {
        let turns = Turns::new(1);
        let take = |size| {
            let turn = futures::FutureExt::now_or_never(turns.take(size));
            turn.flatten()
        };
        let small: Vec<_> = std::iter::from_fn(|| take(4096)).collect();
        assert_eq!(small.len(), 8);
        assert!(take(0).is_none());
        drop(small);
        let large: Vec<_> = std::iter::from_fn(|| take(1 << 40)).collect();
        assert_eq!(large.len(), LARGE_A_REQUEST);
        assert!(take(4096).is_none());
    }
}
