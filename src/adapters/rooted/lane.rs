//! A queue of blocking work, done by a few threads of the pool.
//!
//! In: closures. Out: their results. A thread goes on as long as work waits, so
//! that many small calls do not cost a wake-up each. Invariant: no more than
//! `limit` threads at a time; work whose caller is gone before it began is never
//! begun. Deliberately absent: threads of its own, priorities.

use super::fault::fatal;
use super::folder::locked;
use crate::ports::PortResult;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A queue with a limit.
pub(crate) struct Lane {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
}

impl Lane {
    /// Makes a queue that at most `limit` threads work on.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            state: Mutex::default(),
        })
    }

    /// Does work on a thread and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let (sender, receiver) = oneshot::channel();
        self.submit(move || {
            if !sender.is_closed() {
                // A caller that went away meanwhile does not want the result.
                drop(sender.send(work()));
            }
        });
        receiver
            .await
            .map_err(|_| fatal("work on a folder stopped"))?
    }

    /// Puts work behind all that waits already; nobody hears of its end.
    pub(crate) fn submit(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        let mut state = locked(&self.state);
        state.jobs.push_back(Box::new(work));
        // A thread that is awake takes a few more sooner than another one wakes up.
        let is_behind = state.jobs.len() > state.threads * JOBS_A_THREAD;
        if is_behind && state.threads < self.limit {
            state.threads += 1;
            drop(state);
            let lane = Arc::clone(self);
            drop(tokio::task::spawn_blocking(move || lane.work()));
        }
    }

    fn work(&self) {
        loop {
            let job = {
                let mut state = locked(&self.state);
                let Some(job) = state.jobs.pop_front() else {
                    state.threads -= 1;
                    return;
                };
                job
            };
            // The caller hears of a panic by its channel; the others go on.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("work on a folder panicked");
            }
        }
    }
}

/// So many may wait for each thread before one more is asked for.
const JOBS_A_THREAD: usize = 4;
