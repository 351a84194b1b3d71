//! The command line: arguments in, an exit code out.
//!
//! In: arguments, signals. Out: data on stdout, words on stderr, an exit code of
//! the contract. Invariant: bad input changes nothing. Deliberately absent: logic
//! worth a unit test of its own (that lives in the library). A crash leaves what
//! the adapters say. A new subcommand is a variant in `args` and an arm in
//! `offline`.

mod accounts;
mod args;
mod channel;
mod check;
mod config;
mod desk;
mod doctor;
mod ending;
mod exit;
mod follow;
mod job_args;
mod jobfile;
mod jobs;
mod journal;
mod kept;
mod known;
mod limits;
mod login;
mod logs;
mod look;
mod moved;
mod offline;
mod once;
mod online;
mod open;
mod pair;
mod password;
mod place;
mod planned;
mod print;
mod progress;
mod run;
mod serve;
mod server;
mod service;
mod signals;
mod story;
mod text;
mod trash;
mod undo;
mod values;
mod view;
mod voice;

use args::Args;
use exit::{Exit, Failure};

/// Runs the program. Returns its exit code.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    let args = match Args::parse_from_os(arguments) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::InSync
            };
            // Nothing can be told to anybody when the terminal is gone.
            drop(error.print());
            return code.into();
        }
    };
    let logs = logs::start(&args.common);
    limits::raise_open_files();
    let done = match &args.command {
        None => run::run(&args, &logs),
        Some(command) => offline::run(&args, command),
    };
    match done {
        Ok(Exit::InSync) if print::unprinted().is_some() => {
            let message = format!(
                "not all results could be printed: {}",
                print::unprinted().unwrap_or_default()
            );
            print::failure(&Failure::new(Exit::Internal, message));
            Exit::Internal.into()
        }
        Ok(exit) => exit.into(),
        Err(failure) => {
            print::failure(&failure);
            failure.exit.into()
        }
    }
}
