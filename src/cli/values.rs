//! Values of flags, in the words of the command line.
//!
//! In: words. Out: values of the journal's types. Invariant: clap refuses
//! every other word. Deliberately absent: defaults (`args`).

use clap::ValueEnum;
use journal_format::event::Keep;
use journal_format::value::{Direction, Solve};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// Both ways.
    Bi,
    /// From the local folder to the remote.
    Up,
    /// From the remote to the local folder.
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Winner {
    /// The remote version keeps the name, the local one becomes a conflict copy.
    Both,
    /// Nobody, until a person decides.
    Manual,
    /// The local version; the other one goes to the trash.
    Local,
    /// The remote version; the other one goes to the trash.
    Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Pick {
    /// The local version; the other one goes to the trash. Of two different things: the
    /// local one keeps the name, the other one gets a conflict name.
    Local,
    /// The remote version; the other one goes to the trash. Of two different things: the
    /// remote one keeps the name, the other one gets a conflict name.
    Remote,
    /// Both; the remote one keeps the name.
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON lines for programs.
    Json,
}

/// The port that publishes; the next one takes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// None.
    Off,
    /// Any free one.
    Auto,
    /// This one.
    Number(u16),
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse::<u16>()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(0)) => Ok(Self::Off),
            // The command port is the next one.
            (_, Ok(number)) if number < u16::MAX => Ok(Self::Number(number)),
            _ => Err("a port from 1 to 65534 is wanted, `auto`, or 0 for none".to_owned()),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => f.write_str("0"),
            Self::Auto => f.write_str("auto"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl Way {
    /// The word of a job file.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Bi => "bi",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Winner {
    /// The word of a job file.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Manual => "manual",
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Bi => Self::Bi,
            Way::Up => Self::Up,
            Way::Down => Self::Down,
        }
    }
}

impl From<Winner> for Solve {
    fn from(winner: Winner) -> Self {
        match winner {
            Winner::Both => Self::Both,
            Winner::Manual => Self::Manual,
            Winner::Local => Self::Local,
            Winner::Remote => Self::Remote,
        }
    }
}

impl From<Pick> for Keep {
    fn from(pick: Pick) -> Self {
        match pick {
            Pick::Local => Self::Local,
            Pick::Remote => Self::Remote,
            Pick::Both => Self::Both,
        }
    }
}
