//! `journal`: looking at a journal, and moving it.
//!
//! In: a command, a job or a portable file. Out: lines or JSON, files, an exit code.
//! Invariants: whatever reads a journal gets it from [`source`], which disturbs nobody;
//! a damaged journal ends with exit code 7 and the place. Deliberately absent: what
//! records amount to (`crate::journal`). A new command: a struct and a variant in
//! `args::journal`, a file here, an arm of [`run`].

mod cat;
mod explain;
mod minimize;
mod replay;
pub(super) mod source;
mod tree;

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
        JournalCommand::Explain(flags) => explain::run(args, state_dir, flags),
        JournalCommand::Minimize(flags) => minimize::run(args, state_dir, flags),
        JournalCommand::Replay(flags) => replay::run(args, state_dir, flags),
        JournalCommand::Tree(flags) => tree::run(args, state_dir, flags),
    }
}
