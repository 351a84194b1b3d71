//! Tests of the real parts: folders, processes, sockets.

mod cli;
mod conformance_local;
mod conformance_remote;
mod conformance_store;
mod crash;
mod daemon;
mod daemon_folders;
mod folders;
mod logs;
mod program;
mod service;
mod trouble;
mod zmtp;
