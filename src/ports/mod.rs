//! What the engine needs from the world, as traits.
//!
//! In: nothing. Out: the traits and value types that `executor` and `daemon` are
//! written against and that `adapters` and the simulator implement. Invariant:
//! every method says what is durable when it returns and what a dropped call may
//! leave behind. Deliberately absent: implementations, async runtimes, threads.
//! A new kind of peer is an adapter of [`Remote`], not a new trait.

mod bus;
mod clock;
mod content;
mod error;
mod local_fs;
mod observer;
mod remote;
mod scan;
mod store;

pub use bus::{Answer, Command, CommandSource, Message, Publisher, Reply};
pub use clock::Clock;
pub use content::{Chunk, Source};
pub use error::{PortError, PortResult, Task};
pub use local_fs::{Exchanged, Leftover, LocalFs, Slot, Staged};
pub use observer::{Observer, Phase, Progress, Status};
pub use remote::{Capabilities, Changes, Feed, Put, PutRequest, Remote};
pub use scan::{
    Hint, HintStream, IGNORE_FILE, Listed, Listing, RootState, ScanItem, ScanRequest, ScanStream,
    ScanTarget, Scope, Seen,
};
pub use store::{Checkpoint, History, JournalReader, Store, Wanted};
