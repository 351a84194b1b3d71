//! Tests of the real parts: folders, processes, sockets.

mod cli;
mod conformance_local;
mod conformance_remote;
mod conformance_store;
mod crash;
mod daemon_folders;
mod folders;
mod program;
mod pydio_bench;
mod pydio_faults;
mod pydio_feed;
mod pydio_traps;
mod trouble;
