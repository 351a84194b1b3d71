//! The calls in flight, and who goes on next.
//!
//! In: port calls as futures that the world owns, so that a call may outlive its
//! caller's interest, as a system call does. Out: handles that complete when the
//! call does. Invariant: a call goes on only when it is picked, and one at a time;
//! watched by running every seed twice. Deliberately absent: threads, time, what
//! the calls do. A crash (`clear`) drops every call where it stands.

use futures::future::LocalBoxFuture;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Remembers that a future wants to be polled.
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Flag {
    /// A flag that is up.
    #[must_use]
    pub fn up() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    /// Tells whether it is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes it down; tells whether it was up.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All calls in flight.
#[derive(Default)]
pub struct Tasks {
    slots: RefCell<BTreeMap<u64, Slot>>,
    made: Cell<u64>,
}

struct Slot {
    label: Rc<str>,
    flag: Arc<Flag>,
    /// Absent while it is being polled.
    future: Option<LocalBoxFuture<'static, ()>>,
}

impl Tasks {
    /// Takes a call over.
    pub fn spawn<T: 'static>(
        self: &Rc<Self>,
        label: impl Into<Rc<str>>,
        dropped: impl FnOnce() -> bool + 'static,
        future: impl Future<Output = T> + 'static,
    ) -> Call<T> {
        let id = self.made.get() + 1;
        self.made.set(id);
        let done = Rc::new(RefCell::new(Done::<T>::default()));
        let result = Rc::clone(&done);
        let future = async move {
            let value = future.await;
            let mut done = result.borrow_mut();
            done.value = Some(value);
            if let Some(waker) = done.waker.take() {
                waker.wake();
            }
        };
        let slot = Slot {
            label: label.into(),
            flag: Flag::up(),
            future: Some(Box::pin(future)),
        };
        self.slots.borrow_mut().insert(id, slot);
        Call {
            id,
            done,
            tasks: Rc::clone(self),
            goes_on: Some(Box::new(dropped)),
        }
    }

    /// Returns the calls that can go on, in the order of their start.
    #[must_use]
    pub fn runnable(&self) -> Vec<u64> {
        self.slots
            .borrow()
            .iter()
            .filter(|(_, slot)| slot.flag.is_up())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Lets a call go on to its next point; returns its label.
    pub fn advance(&self, id: u64) -> Option<Rc<str>> {
        let (label, flag, mut future) = {
            let mut slots = self.slots.borrow_mut();
            let slot = slots.get_mut(&id)?;
            (
                Rc::clone(&slot.label),
                Arc::clone(&slot.flag),
                slot.future.take()?,
            )
        };
        flag.take();
        let waker = Waker::from(flag);
        let result = future.as_mut().poll(&mut Context::from_waker(&waker));
        let mut slots = self.slots.borrow_mut();
        match result {
            Poll::Ready(()) => drop(slots.remove(&id)),
            Poll::Pending => {
                if let Some(slot) = slots.get_mut(&id) {
                    slot.future = Some(future);
                }
            }
        }
        Some(label)
    }

    /// Drops every call where it stands.
    pub fn clear(&self) {
        // The calls hold handles that reach for the list when they are dropped.
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        drop(slots);
        self.slots.borrow_mut().clear();
    }

    /// Tells whether a call is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.borrow().is_empty()
    }
}

struct Done<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T> Default for Done<T> {
    fn default() -> Self {
        Self {
            value: None,
            waker: None,
        }
    }
}

/// A call in flight, as its caller sees it.
pub struct Call<T> {
    id: u64,
    done: Rc<RefCell<Done<T>>>,
    tasks: Rc<Tasks>,
    goes_on: Option<Box<dyn FnOnce() -> bool>>,
}

impl<T> Future for Call<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut done = self.done.borrow_mut();
        if let Some(value) = done.value.take() {
            drop(done);
            self.goes_on = None;
            return Poll::Ready(value);
        }
        done.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if self.goes_on.take().is_some_and(|goes_on| !goes_on()) {
            let slot = self.tasks.slots.borrow_mut().remove(&self.id);
            drop(slot);
        }
    }
}

/// Lets others go first: pending once, then ready when picked again.
#[derive(Debug, Default)]
pub struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
