//! The thread on which requests are sent and answers arrive.
//!
//! In: work that can go to another thread. Out: its result. Invariant: a caller that goes
//! away takes its work with it, and no work outlives the wire: dropping it waits for the
//! thread, which ends at the next await of whatever it does. So what the job's own thread
//! is busy with holds up no request that was made before. Deliberately absent: what the
//! work is; limits (those who make the work have them). CRASH: as a lost connection.

use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use std::convert::Infallible;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A thread with a runtime of its own.
pub(crate) struct Wire {
    runtime: Handle,
    /// Ends the thread when it is dropped.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Retry` when the machine has no threads or descriptors left.
    pub(crate) fn start() -> PortResult<Self> {
        Self::start_in(std::thread::Builder::new().name("wire".to_owned()))
    }

    fn start_in(thread: std::thread::Builder) -> PortResult<Self> {
        let none = |error| PortError::new(FailureClass::Retry, format!("no thread: {error}"));
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let (begun, has_begun) = sync_channel(1);
        // The runtime is made there: here it could not be dropped when there is no thread.
        let work = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(begun.send(Err(error))),
            };
            drop(begun.send(Ok(runtime.handle().clone())));
            // It ends with its other half.
            drop(runtime.block_on(stopped));
            // A name that is looked up may take its time; nobody waits for it any more.
            runtime.shutdown_background();
        };
        let thread = thread.spawn(work).map_err(none)?;
        let ended = |_| std::io::Error::other("it ended");
        let runtime = has_begun.recv().map_err(ended).and_then(|begun| begun);
        Ok(Self {
            runtime: runtime.map_err(none)?,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Does work on the thread; dropping this call gives it up.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let task = self.runtime.spawn(work);
        let _given_up = GivenUp::of(&task);
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only whoever waits here gives it up, and the wire outlives this call.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was somebody's result already.
            drop(thread.join());
        }
    }
}

/// Gives work on the wire up when it is dropped.
pub(super) struct GivenUp(AbortHandle);

impl GivenUp {
    pub(super) fn of<T>(task: &tokio::task::JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        // Without effect on what has ended.
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    /// Tells when it is dropped.
    struct Told(Option<oneshot::Sender<()>>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.take().map(|told| told.send(()).ok());
        }
    }

    #[test]
    fn work_is_done_on_the_thread_and_its_result_comes_back() {
        let wire = Wire::start().expect("a wire");
        let name = run(wire.run(async { std::thread::current().name().map(str::to_owned) }));
        assert_eq!(name.as_deref(), Some("wire"));
    }

    #[test]
    fn a_machine_without_threads_is_asked_again_later() {
        // No thread gets so large a stack.
        let thread = std::thread::Builder::new().stack_size(1 << 50);
        let started = run(async { Wire::start_in(thread).map(drop) });
        assert_eq!(
            started.map_err(|error| error.class),
            Err(FailureClass::Retry)
        );
    }

    #[test]
    fn a_caller_that_goes_away_takes_its_work_with_it() {
        let wire = Wire::start().expect("a wire");
        run(async {
            let (told, dropped) = oneshot::channel();
            let (begun, has_begun) = oneshot::channel();
            let guard = Told(Some(told));
            let work = wire.run(async move {
                let _guard = guard;
                begun.send(()).ok();
                std::future::pending::<()>().await;
            });
            {
                let mut work = std::pin::pin!(work);
                tokio::select! {
                    () = &mut work => unreachable!("it never ends"),
                    begun = has_begun => begun.expect("it began"),
                }
            }
            dropped.await.expect("it was dropped");
        });
    }

    #[test]
    fn nothing_goes_on_when_the_wire_is_gone() {
        let wire = Wire::start().expect("a wire");
        let alive = Arc::new(());
        let work = Arc::clone(&alive);
        run(async {
            let mut call = Box::pin(wire.run(async move {
                let _work = work;
                std::future::pending::<()>().await;
            }));
            assert!(futures::poll!(&mut call).is_pending());
            // A leaked call is one that was not dropped before the wire.
            std::mem::forget(call);
        });
        drop(wire);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    #[should_panic(expected = "as it was")]
    fn a_panic_of_the_work_is_the_callers() {
        let wire = Wire::start().expect("a wire");
        run(wire.run(async { panic!("as it was") }));
    }
}
