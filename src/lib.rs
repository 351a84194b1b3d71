//! Keeps a folder in step with a server or with another folder.

#[cfg(feature = "adapters")]
pub mod adapters;
pub mod daemon;
pub mod executor;
pub mod ports;
