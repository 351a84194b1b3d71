//! Tests of the real parts: folders, processes, sockets.

mod conformance_local;
mod conformance_store;
mod folders;
