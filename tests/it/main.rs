//! Tests of the real parts: folders, processes, sockets.

mod cli;
mod conformance_local;
mod conformance_remote;
mod conformance_store;
mod crash;
mod credentials;
mod daemon_folders;
mod folders;
mod jobs;
mod logs;
mod program;
mod server;
mod service;
mod trouble;
