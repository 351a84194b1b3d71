//! Orders and questions from outside, taken by the loop.
//!
//! In: [`Control`]s. Out: inputs for the engine, replies. Invariant: an order is
//! answered with an event's number only after that event is durable. Deliberately
//! absent: what an order means for the plan (`sync-core`). CRASH: replies are
//! dropped, which tells the askers.

use super::{Driver, Happening};
use crate::daemon::{Control, Lists};
use futures::StreamExt;
use futures::channel::oneshot;
use futures::stream::LocalBoxStream;
use journal_format::event::Order;
use journal_format::value::{Seq, Side};
use sync_core::input::Input;

/// An answer that waits until its event is durable.
pub(super) type Promise = (Seq, oneshot::Sender<Option<Seq>>);

impl<'a> Driver<'a> {
    pub(super) fn await_order(&mut self, mut orders: LocalBoxStream<'a, Control>) {
        self.push(async move {
            let order = orders.next().await;
            Happening::Ordered(orders, order)
        });
    }

    pub(super) fn ordered(&mut self, orders: LocalBoxStream<'a, Control>, order: Option<Control>) {
        let Some(order) = order else { return };
        self.obey(order);
        self.await_order(orders);
    }

    fn obey(&mut self, order: Control) {
        let now = self.now();
        match order {
            Control::Stop if self.is_stopping => self.is_stopped_at_once = true,
            Control::Stop => self.stop(),
            Control::SyncNow => self.sync_now(),
            Control::Approve { by } => self.engine.handle(Input::Approve { by }, now),
            Control::Release { halt, by } => {
                let standing = self.engine.state().halt;
                if standing.is_some_and(|standing| standing.seq == halt) {
                    self.engine.handle(Input::Approve { by }, now);
                }
            }
            Control::Resolve { path, keep, by } => {
                self.engine.handle(Input::Resolve { path, keep, by }, now);
            }
            Control::Order { order, by } => {
                self.engine.handle(Input::Order { order, by }, now);
                self.told.is_awaited = true;
                match order {
                    Order::Pause => {}
                    Order::Start => self.sync_now(),
                    Order::Stop => self.stop(),
                }
            }
            Control::Ask(order, reply) => self.ask(*order, reply),
            // An asker that is gone needs no answer.
            Control::List(reply) => {
                let lists = Lists {
                    seq: self.engine.state().seq,
                    problems: self.engine.problems(),
                    held: self.engine.held(),
                };
                reply.send(lists).ok();
            }
            Control::Copy(reply) => {
                reply.send(Box::new(self.engine.state().clone())).ok();
            }
        }
    }

    fn ask(&mut self, order: Control, reply: oneshot::Sender<Option<Seq>>) {
        let before = self.engine.state().seq;
        self.obey(order);
        let after = self.engine.state().seq;
        if after > before {
            self.promises.push((after, reply));
        } else {
            reply.send(None).ok();
        }
    }

    /// Gives the answers whose events are durable.
    pub(super) fn keep_promises(&mut self) {
        let durable = self.durable;
        let promises = std::mem::take(&mut self.promises);
        for (seq, reply) in promises {
            if seq <= durable {
                reply.send(Some(seq)).ok();
            } else {
                self.promises.push((seq, reply));
            }
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.engine.drain();
    }

    fn sync_now(&mut self) {
        self.engine.want_everything(Side::Local);
        if self.guide().is_some() {
            self.want_feed();
        } else {
            self.engine.want_everything(Side::Remote);
        }
        self.ask_at_once();
        self.engine.try_again();
    }
}
