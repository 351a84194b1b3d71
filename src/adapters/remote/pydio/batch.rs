//! Questions of many operations in one request.
//!
//! In: keys, one at a time. Out: the answer to each. Invariant: whoever joined a batch
//! before it was sent gets its answer; one batch is on its way at a time, and meanwhile
//! the next one grows; a dropped asker stops nobody else. Deliberately absent: tasks
//! and threads: the askers themselves drive their batch. Leaves nothing behind.

use crate::ports::{PortError, PortResult};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use journal_format::event::FailureClass;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

type Answers<V> = Result<Rc<BTreeMap<String, V>>, PortError>;
type Fetch<V> =
    Box<dyn Fn(Vec<String>) -> LocalBoxFuture<'static, PortResult<BTreeMap<String, V>>>>;
type Keys = Rc<RefCell<BTreeSet<String>>>;

/// Gathers questions of one kind.
pub(super) struct Batcher<V>(Rc<Inner<V>>);

struct Inner<V> {
    fetch: Fetch<V>,
    open: RefCell<Option<Open<V>>>,
    gate: Semaphore,
    /// How long a batch waits for those that are coming.
    patience: Duration,
    coming: Cell<usize>,
    changed: Notify,
}

struct Open<V> {
    keys: Keys,
    answers: Shared<LocalBoxFuture<'static, Answers<V>>>,
}

/// Somebody who will ask soon, for whom a batch waits a little.
pub(super) struct Coming<V>(Rc<Inner<V>>);

impl<V> Drop for Coming<V> {
    fn drop(&mut self) {
        let left = self.0.coming.get() - 1;
        self.0.coming.set(left);
        if left == 0 {
            self.0.changed.notify_waiters();
        }
    }
}

impl<V> Drop for Batcher<V> {
    fn drop(&mut self) {
        // The batch that is being gathered keeps all that it needs alive, itself too.
        let open = self.0.open.take();
        drop(open);
    }
}

impl<V: Clone + 'static> Batcher<V> {
    pub(super) fn new(patience: Duration, fetch: Fetch<V>) -> Self {
        Self(Rc::new(Inner {
            fetch,
            open: RefCell::default(),
            gate: Semaphore::new(1),
            patience,
            coming: Cell::new(0),
            changed: Notify::new(),
        }))
    }

    /// Announces a question.
    pub(super) fn coming(&self) -> Coming<V> {
        self.0.coming.set(self.0.coming.get() + 1);
        Coming(Rc::clone(&self.0))
    }

    /// Asks one question.
    pub(super) async fn ask(&self, key: &str) -> PortResult<V> {
        let found = self.join([key.to_owned()]).await?;
        answer(&found, key)
    }

    /// Asks a question that was announced.
    pub(super) async fn ask_as(&self, coming: Coming<V>, key: &str) -> PortResult<V> {
        let answers = self.join([key.to_owned()]);
        drop(coming);
        let found = answers.await?;
        answer(&found, key)
    }

    /// Asks a few questions that belong together.
    pub(super) async fn ask_few<const N: usize>(&self, keys: [&str; N]) -> PortResult<[V; N]> {
        let found = self.join(keys.map(str::to_owned)).await?;
        let mut answers = Vec::with_capacity(N);
        for key in keys {
            answers.push(answer(&found, key)?);
        }
        let wrong = |_| PortError::new(FailureClass::Fatal, "a batch lost an answer");
        <[V; N]>::try_from(answers).map_err(wrong)
    }

    /// Joins the batch that is being gathered; its answers come to whoever awaits.
    fn join(
        &self,
        keys: impl IntoIterator<Item = String>,
    ) -> Shared<LocalBoxFuture<'static, Answers<V>>> {
        let mut open = self.0.open.borrow_mut();
        let is_usable = open
            .as_ref()
            .is_some_and(|open| open.keys.borrow().len() < BATCH_MAX);
        if !is_usable {
            *open = Some(self.begin());
        }
        let Some(open) = open.as_ref() else {
            unreachable!("a batch was just begun");
        };
        let mut gathered = open.keys.borrow_mut();
        gathered.extend(keys);
        if gathered.len() >= ENOUGH {
            self.0.changed.notify_waiters();
        }
        open.answers.clone()
    }

    fn begin(&self) -> Open<V> {
        let keys = Keys::default();
        let (inner, own) = (Rc::clone(&self.0), Rc::clone(&keys));
        let answers = async move {
            // Those who start in the same turn join first.
            tokio::task::yield_now().await;
            inner.wait(&own).await;
            let _permit = inner.gate.acquire().await;
            let is_open = |open: &mut Open<V>| Rc::ptr_eq(&open.keys, &own);
            drop(inner.open.borrow_mut().take_if(is_open));
            let keys = own.take().into_iter().collect();
            (inner.fetch)(keys).await.map(Rc::new)
        };
        Open {
            keys,
            answers: answers.boxed_local().shared(),
        }
    }
}

impl<V> Inner<V> {
    /// Waits for those who are coming, but not for one who is long in coming alone.
    async fn wait(&self, keys: &Keys) {
        let end = tokio::time::sleep(self.patience);
        let mut end = std::pin::pin!(end);
        while self.coming.get() > 0 && keys.borrow().len() < ENOUGH {
            let known = keys.borrow().len();
            tokio::select! {
                () = &mut end => break,
                () = tokio::time::sleep(self.patience / LULLS) => {
                    if keys.borrow().len() == known {
                        break;
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }
}

fn answer<V: Clone>(found: &BTreeMap<String, V>, key: &str) -> PortResult<V> {
    let found = found.get(key).cloned();
    found.ok_or_else(|| PortError::new(FailureClass::Retry, format!("`{key}`: no answer")))
}

/// The most paths of one request.
pub(super) const BATCH_MAX: usize = 200;
/// A batch that nobody joined for this part of its patience is sent.
const LULLS: u32 = 8;
/// So many do not wait for more.
const ENOUGH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime")
            .block_on(future)
    }

    fn counting(patience: u64) -> (Rc<RefCell<Vec<usize>>>, Batcher<usize>) {
        let sizes = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&sizes);
        let fetch = move |keys: Vec<String>| {
            seen.borrow_mut().push(keys.len());
            async move {
                tokio::task::yield_now().await;
                Ok(keys
                    .into_iter()
                    .map(|key| (key.clone(), key.len()))
                    .collect())
            }
            .boxed_local()
        };
        (
            sizes,
            Batcher::new(Duration::from_secs(patience), Box::new(fetch)),
        )
    }

    #[test]
    fn questions_of_one_turn_share_a_request_of_bounded_size() {
        run(async {
            let (sizes, batcher) = counting(0);
            let keys: Vec<String> = (0..450).map(|n| format!("{n:05}")).collect();
            let answers = join_all(keys.iter().map(|key| batcher.ask(key))).await;
            assert!(answers.into_iter().all(|answer| answer == Ok(5)));
            let sizes = sizes.borrow();
            assert_eq!(sizes.iter().sum::<usize>(), 450);
            assert!(
                sizes.len() <= 4 && sizes.iter().all(|size| *size <= 200),
                "{sizes:?}"
            );
        });
    }

    #[test]
    fn a_dropped_asker_leaves_the_others_their_answer() {
        run(async {
            let (_, batcher) = counting(0);
            let mut first = Box::pin(batcher.ask("a"));
            assert!(futures::poll!(&mut first).is_pending());
            let second = batcher.ask("bb");
            drop(first);
            assert_eq!(second.await, Ok(2));
        });
    }

    #[test]
    fn a_batch_that_nobody_waits_for_goes_with_its_batcher() {
        run(async {
            let (sizes, batcher) = counting(3600);
            let coming = batcher.coming();
            for _ in 0..3 {
                // It begins, and waits for who is coming.
                let mut asker = Box::pin(batcher.ask("a"));
                assert!(futures::poll!(&mut asker).is_pending());
                assert!(futures::poll!(&mut asker).is_pending());
            }
            drop((coming, batcher));
            assert_eq!(Rc::strong_count(&sizes), 1);
        });
    }

    #[test]
    fn a_batch_waits_for_who_is_coming_and_no_longer() {
        run(async {
            let (sizes, batcher) = counting(3600);
            let coming = batcher.coming();
            let first = batcher.ask("a");
            let second = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                let second = batcher.ask("bb");
                futures::pin_mut!(second);
                assert!(futures::poll!(&mut second).is_pending());
                drop(coming);
                second.await
            };
            assert_eq!(futures::join!(first, second), (Ok(1), Ok(2)));
            assert_eq!(*sizes.borrow(), [2]);
        });
    }
}
