//! Orders to a job that runs, and questions that only its loop can answer.
//!
//! In: what people and programs ask for. Out: values for the driver. Invariant: a
//! reply about a change comes after its event is durable. Deliberately absent: who
//! may ask. CRASH: an order that was not journaled is forgotten; its reply is
//! dropped, which tells the asker.

use futures::channel::oneshot;
use journal_format::event::{Keep, Order};
use journal_format::value::{RelPath, Seq};
use sync_core::engine::Remark;
use sync_core::state::State;

/// An order from outside.
#[derive(Debug)]
pub enum Control {
    /// Finish what is in flight, then stop. A second one stops at once.
    Stop,
    /// Look at both sides now; whoever was out of reach is asked again.
    SyncNow,
    /// Release the halt in force.
    Approve {
        /// Who asks.
        by: String,
    },
    /// Release this halt, and no other.
    Release {
        /// The event that raised it.
        halt: Seq,
        /// Who asks.
        by: String,
    },
    /// Decide a conflict.
    Resolve {
        /// Where.
        path: RelPath,
        /// What is kept.
        keep: Keep,
        /// Who asks.
        by: String,
    },
    /// Pause, go on, or stop, as an event.
    Order {
        /// Which of them.
        order: Order,
        /// Who asks.
        by: String,
    },
    /// Do this and tell the number of the event it led to, once that is durable;
    /// nothing if it changed nothing.
    Ask(Box<Self>, oneshot::Sender<Option<Seq>>),
    /// List what a person should know of.
    List(oneshot::Sender<Lists>),
    /// Copy the state.
    Copy(oneshot::Sender<Box<State>>),
}

/// What a person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// The event after which this holds.
    pub seq: Seq,
    /// What cannot be synced.
    pub problems: Vec<Remark>,
    /// Conflicts that wait for a person, and divergences.
    pub held: Vec<Remark>,
}
