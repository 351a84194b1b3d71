//! The program: hands its arguments to the command line and returns its exit code.
//!
//! In: the process's arguments. Out: an exit code of the contract. Deliberately
//! absent: everything else (`pydio_sync::cli`).

fn main() -> std::process::ExitCode {
    pydio_sync::cli::main(std::env::args_os())
}
