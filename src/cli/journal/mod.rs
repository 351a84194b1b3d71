//! `journal`: looking at a journal, and moving it.
//!
//! In: a command, a job or a portable file. Out: lines or JSON, files, an exit code.
//! Invariants: whatever reads a journal gets it from [`source`], which disturbs nobody;
//! a damaged journal ends with exit code 7 and the place. Deliberately absent: what
//! records amount to (`crate::journal`). A new command: a struct and a variant in
//! `args::journal`, a file here, an arm of [`run`].

mod ahead;
mod cat;
mod compare;
mod explain;
mod export;
mod import;
mod input;
mod minimize;
mod replay;
mod salvage;
pub(super) mod source;
mod stat;
mod tree;
mod verify;
mod what_if;
pub(super) mod words;

pub(super) use explain::explained;

use super::args::Args;
use super::args::journal::JournalCommand;
use super::exit::{Exit, Failure};
use std::path::Path;

/// Carries out a `journal` command.
///
/// # Errors
/// In words, with the exit code.
pub(super) fn run(
    args: &Args,
    state_dir: &Path,
    command: &JournalCommand,
) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Cat(flags) => cat::run(args, state_dir, flags),
        JournalCommand::Compare(flags) => compare::run(args, state_dir, flags),
        JournalCommand::Explain(flags) => explain::run(args, state_dir, flags),
        JournalCommand::Export(flags) => export::run(args, state_dir, flags),
        JournalCommand::Salvage(flags) => salvage::run(args, state_dir, flags),
        JournalCommand::Import(flags) => import::run(args, state_dir, flags),
        JournalCommand::Minimize(flags) => minimize::run(args, state_dir, flags),
        JournalCommand::Replay(flags) => replay::run(args, state_dir, flags),
        JournalCommand::Stat(named) => stat::run(args, state_dir, named),
        JournalCommand::Tree(flags) => tree::run(args, state_dir, flags),
        JournalCommand::Verify(named) => verify::run(args, state_dir, named),
        JournalCommand::WhatIf(flags) => what_if::run(args, state_dir, flags),
    }
}
