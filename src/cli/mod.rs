//! The command line: arguments in, an exit code out.
//!
//! In: arguments, signals. Out: data on stdout, words on stderr, an exit code of
//! the contract. Invariant: bad input changes nothing. Deliberately absent: logic
//! worth a unit test of its own (that lives in the library). A crash leaves what
//! the adapters say. A new subcommand is a file here and an arm in `main`.

mod args;
mod exit;
mod logs;
mod pair;
mod print;
mod progress;
mod run;
mod signals;

use args::Args;
use clap::Parser;
use exit::Exit;

/// Runs the program. Returns its exit code.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    let args = match Args::try_parse_from(args::normalised(arguments)) {
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
    logs::start(&args);
    match run::run(&args) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            print::failure(&failure);
            failure.exit.into()
        }
    }
}
