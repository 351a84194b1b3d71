//! The two sides of a synced pair.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two sides that are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The folder on this machine.
    Local,
    /// The server, or the other folder.
    Remote,
}

impl Side {
    /// Both sides, local first.
    pub const BOTH: [Self; 2] = [Self::Local, Self::Remote];

    /// Returns the side opposite to this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Remote => "remote",
        })
    }
}
