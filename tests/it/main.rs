//! Tests of the real parts: folders, processes, sockets.

mod channel;
mod cli;
mod conformance_local;
mod conformance_remote;
mod conformance_store;
mod crash;
mod credentials;
mod daemon;
mod daemon_folders;
mod folders;
mod jobs;
mod logs;
mod mirror;
mod program;
mod pydio_e2e;
mod pydio_faults;
mod pydio_feed;
mod pydio_names;
mod pydio_site;
mod pydio_traps;
mod server;
mod service;
mod stage;
mod subcommands;
mod trouble;
mod zmtp;
