//! Tests of the real parts: disks, processes, servers.

mod conformance_local;
mod conformance_remote;
mod folders;
