//! The daemon's sockets: a small endpoint of ZMTP 3.1 on tokio.
//!
//! In: connections of any peer that can reach the port. Out: the ports `Publisher` and
//! `CommandSource`, and a client for our own commands. Invariants: a peer can neither
//! stop the daemon nor make it use more memory than `limits` allows, and its identity
//! is never believed; watched by `tests/it/zmtp/attacks.rs`. `decoder` and `session`
//! are the protocol without IO, `link` is one connection, `publisher` and `router` are
//! what the two sockets do with theirs. Deliberately absent: mechanisms other than NULL,
//! ZMTP 1 and 2, bridges between sockets (decision 0018). Specifications: ZeroMQ RFC 23
//! and 37 (ZMTP), 28 (requests) and 29 (publishing).

mod audience;
mod bind;
mod client;
mod decoder;
mod filter;
mod holder;
mod limits;
mod link;
mod listener;
mod publisher;
mod router;
mod session;
mod slots;
#[cfg(test)]
mod tests;
mod wire;

pub use audience::Standing;
pub use bind::{BindError, Options, Port, Sockets};
pub use client::{ClientError, Received, Request, Subscription};
pub use decoder::Violation;
pub use limits::{Caps, Limits};
pub use publisher::PubSocket;
pub use router::CommandSocket;
pub use session::{Event, Session};
pub use wire::SocketType;
