//! Development tools, one binary with one file or folder a subcommand.
//!
//! In: the workspace, or a seed. Out: findings, tables, vectors; data on stdout,
//! words on stderr, and an exit code. Invariant: nothing here ships to users and
//! no other package depends on it. A crash leaves at most a scratch folder.
//! The next one: a module with `Args` and `run`, one variant and one arm below.

mod bench;
mod fuzz;
mod journal;
mod memory;
mod mutate;
mod pydio_server;
mod serving;
mod sim;
mod state;
mod stream;
mod tidy;
mod webdav_server;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "tools", about = "Development tools of pydio-sync")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the rules of the tree that the compiler cannot check.
    Tidy(tidy::Args),
    /// Measures the program beside its peers and prints a table.
    Bench(bench::Args),
    /// Runs the program in simulated worlds.
    Sim(sim::Args),
    /// Runs the daemon while strangers send nonsense to its ports.
    Fuzz(fuzz::Args),
    /// Serves a folder as a Pydio server does, for tests and for trying the program.
    PydioServer(pydio_server::Args),
    /// Serves WebDAV as Nextcloud, Apache, nginx, rclone or WsgiDAV do.
    WebdavServer(webdav_server::Args),
    /// Feeds mutated inputs to a parser.
    Mutate(mutate::Args),
    /// Measures the publishing socket.
    Stream(stream::Args),
    /// Makes up a journal of any length.
    Journal(journal::Args),
    /// Measures the engine's state for many files.
    State(state::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Tidy(args) => tidy::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::PydioServer(args) => pydio_server::run(&args),
        Command::WebdavServer(args) => webdav_server::run(&args),
        Command::Mutate(args) => mutate::run(&args),
        Command::Stream(args) => stream::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::State(args) => state::run(&args),
    }
}
