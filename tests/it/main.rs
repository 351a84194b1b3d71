//! Tests of the real parts: folders, processes, sockets.

mod conformance_local;
mod conformance_remote;
mod conformance_store;
mod folders;
