//! Tests of real parts: folders, processes, sockets.

mod conformance_store;
