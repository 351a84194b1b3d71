//! A thread that runs blocking calls one after another.
//!
//! In: closures. Out: their results, awaited from any async runtime. Invariant:
//! calls run in the order they were made. Deliberately absent: a pool, a bound
//! (callers await each call). Dropping the worker lets the queued calls finish
//! first. A crash leaves what the call that ran leaves.

use futures::channel::oneshot;
use std::sync::mpsc;
use std::thread::JoinHandle;

type Call = Box<dyn FnOnce() + Send>;

/// The calling side of a worker.
#[derive(Debug, Clone)]
pub(super) struct Calls(mpsc::Sender<Call>);

#[derive(Debug)]
pub(super) struct Worker {
    calls: Option<Calls>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(name: &str) -> std::io::Result<Self> {
        let (calls, queue) = mpsc::channel::<Call>();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || queue.into_iter().for_each(|call| call()))?;
        Ok(Self {
            calls: Some(Calls(calls)),
            thread: Some(thread),
        })
    }

    /// Queues a call. The receiver ends without a value if the call panicked.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        match &self.calls {
            Some(calls) => calls.run(call),
            None => oneshot::channel().1,
        }
    }

    /// Returns a way to queue calls from other threads. The worker ends only after
    /// all of them were dropped.
    pub(super) fn calls(&self) -> Option<Calls> {
        self.calls.clone()
    }
}

impl Calls {
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, receiver) = oneshot::channel();
        let call: Call = Box::new(move || {
            // Nobody may be waiting any more; that is no error.
            reply.send(call()).ok();
        });
        self.0.send(call).ok();
        receiver
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.calls.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
