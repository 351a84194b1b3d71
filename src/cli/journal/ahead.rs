//! Records that are read and decoded while those before them are looked at.
//!
//! In: records, from wherever they are kept. Out: the same, in order, each once, the error
//! at the end included. Invariants: a bounded number of records waits; the thread ends
//! before its reader's journal does; a panic there is one here. Deliberately absent: what
//! records mean. CRASH: reads only.

use crate::journal::ReadError;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Records on their way from another thread.
pub(in crate::cli) struct Ahead<T> {
    batches: Option<Receiver<Batch<T>>>,
    batch: std::vec::IntoIter<Result<T, ReadError>>,
    thread: Option<JoinHandle<()>>,
}

type Batch<T> = Vec<Result<T, ReadError>>;

impl<T: Send + 'static> Ahead<T> {
    /// Begins to read.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn of(
        records: impl Iterator<Item = Result<T, ReadError>> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let mut records = records.fuse();
        let read = move || {
            loop {
                let batch: Batch<T> = records.by_ref().take(BATCH_RECORDS).collect();
                // Nobody may want them any more.
                if batch.is_empty() || sender.send(batch).is_err() {
                    return;
                }
            }
        };
        let name = "journal-ahead".to_owned();
        Ok(Self {
            thread: Some(std::thread::Builder::new().name(name).spawn(read)?),
            batches: Some(receiver),
            batch: Vec::new().into_iter(),
        })
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(next) = self.batch.next() {
            return Some(next);
        }
        match self.batches.as_ref()?.recv() {
            Ok(batch) => self.batch = batch.into_iter(),
            Err(_) => {
                self.batches = None;
                let ended = self.thread.take().map(JoinHandle::join);
                if let Some(Err(panic)) = ended {
                    std::panic::resume_unwind(panic);
                }
            }
        }
        self.batch.next()
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        // The thread ends at its next batch; what it panics of is of no interest any more.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

const BATCH_RECORDS: usize = 256;
const BATCHES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn all_come_in_order_with_the_error_at_the_end() {
        for count in [0, 1, 255, 256, 257, 5000_u32] {
            let numbers = (0..count)
                .map(Ok)
                .chain([Err(ReadError::Io(std::io::ErrorKind::UnexpectedEof.into()))]);
            let mut read = Ahead::of(numbers).expect("a thread");
            for number in 0..count {
                assert_eq!(read.next().expect("a number").expect("no error"), number);
            }
            assert!(read.next().is_some_and(|last| last.is_err()));
            assert!(read.next().is_none());
        }
    }

    #[test]
    fn who_stops_early_ends_the_thread() {
        let made = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&made);
        let endless = std::iter::repeat_with(move || Ok(counted.fetch_add(1, Ordering::SeqCst)));
        let mut read = Ahead::of(endless).expect("a thread");
        assert_eq!(read.next().expect("one").expect("no error"), 0);
        drop(read);
        assert_eq!(Arc::strong_count(&made), 1, "the thread has ended");
    }

    #[test]
    fn a_panic_there_is_one_here() {
        let panics = std::iter::from_fn(|| -> Option<Result<u32, ReadError>> { panic!("there") });
        let mut read = Ahead::of(panics).expect("a thread");
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read.next()));
        assert!(caught.is_err());
    }
}
