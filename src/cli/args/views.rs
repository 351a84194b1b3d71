//! The flags of those `journal` commands that tell what a journal means.
//!
//! In: arguments. Out: typed values. Invariant: rules are named as the flags of a run
//! name them. Deliberately absent: what the commands do.

use super::asked::{Asked, asked};
use super::journal::Named;
use super::relative;
use crate::cli::values::{Way, Winner};
use clap::{Args as Group, ValueEnum};
use journal_format::value::RelPath;
use std::path::PathBuf;

/// A tree that a journal tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Facet {
    /// What the local folder held.
    Local,
    /// What the remote held.
    Remote,
    /// What both agreed on.
    Synced,
}

/// How a one-way job treats its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OneWay {
    /// The target keeps what it has of its own.
    Safe,
    /// The target becomes what the source is.
    Mirror,
}

/// `journal tree`: time travel.
#[derive(Debug, Group)]
pub(in crate::cli) struct Tree {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    /// After which event [default: the newest].
    #[arg(long, value_name = "SEQ")]
    pub(in crate::cli) at: Option<u64>,
    /// Which tree.
    #[arg(long, value_name = "SIDE", default_value = "synced")]
    pub(in crate::cli) side: Facet,
    /// Only what is below this path.
    #[arg(long, value_name = "PATH", value_parser = relative)]
    pub(in crate::cli) path: Option<RelPath>,
}

/// `journal replay`: fold step by step.
#[derive(Debug, Group)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    /// The last event to fold [default: the newest].
    #[arg(long, value_name = "SEQ")]
    pub(in crate::cli) until: Option<u64>,
    /// Show the three trees around this path.
    #[arg(long, value_name = "PATH", value_parser = relative)]
    pub(in crate::cli) path: Option<RelPath>,
    /// Wait for a key after each step.
    #[arg(long)]
    pub(in crate::cli) step: bool,
}

/// `journal explain`: why a path is as it is.
#[derive(Debug, Group)]
pub(in crate::cli) struct ExplainIn {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    /// The path as it is or was: below the folder, or absolute in the local one.
    #[arg(value_parser = asked)]
    pub(in crate::cli) path: Asked,
}

/// `journal what-if`: the same observations under other rules.
#[derive(Debug, Group)]
pub(in crate::cli) struct WhatIf {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    /// Who wins when both sides changed the same file.
    #[arg(long, alias = "policy", value_name = "WHO")]
    pub(in crate::cli) conflict: Option<Winner>,
    /// Which way changes travel.
    #[arg(long, value_name = "WAY")]
    pub(in crate::cli) direction: Option<Way>,
    /// What becomes of the target's own changes, one way only.
    #[arg(long, value_name = "MODE")]
    pub(in crate::cli) mode: Option<OneWay>,
    /// Files that match no such pattern are not synced.
    #[arg(long, value_name = "GLOB")]
    pub(in crate::cli) include: Vec<String>,
    /// A pattern that is not synced.
    #[arg(long, value_name = "GLOB")]
    pub(in crate::cli) exclude: Vec<String>,
    /// How many deletions may happen unasked: a number, or a share as `30%`.
    #[arg(long, value_name = "LIMIT")]
    pub(in crate::cli) max_delete: Option<String>,
}

/// `journal compare`: two outputs of `replay`, or this release against one.
#[derive(Debug, Group)]
pub(in crate::cli) struct Compare {
    /// The output of another release's `journal replay --json`.
    #[arg(value_name = "OLD")]
    pub(in crate::cli) old: PathBuf,
    /// Another such output, a job or a portable journal file.
    #[arg(value_name = "NEW|JOB|FILE")]
    pub(in crate::cli) new: Option<String>,
}

/// `journal minimize`: the fewest events that still show something.
#[derive(Debug, Group)]
pub(in crate::cli) struct Minimize {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    /// What must still show: `conflict:PATH`, `operation:KIND[:PATH]`, `rule:LETTER`, `halt` or
    /// `digest-mismatch`.
    #[arg(long, value_name = "CONDITION")]
    pub(in crate::cli) keep: String,
    /// The portable file to write.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// The text fixture to write.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) fixture: Option<PathBuf>,
}
