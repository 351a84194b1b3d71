//! Keeps a folder in step with a server or with another folder.

#[cfg(feature = "adapters")]
pub mod adapters;
#[cfg(feature = "adapters")]
pub mod cli;
pub mod daemon;
pub mod executor;
pub mod journal;
pub mod ports;
