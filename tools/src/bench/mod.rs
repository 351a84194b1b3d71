//! Measures the built program beside its peers and prints one table.
//!
//! In: the release binary, the peers that are installed, a seed. Out: a Markdown
//! table of medians, peak memory and ratios, with the machine it was taken on.
//! Invariant: what stands in one table was taken in one run, the peers in turns
//! within each repetition, and each run's result was compared, not believed.
//! Deliberately absent: any judgement by exit code; a slow machine is no defect.
//! A crash leaves the scratch folder. The next one: a row in `rows/mod.rs`.

mod dav;
mod lab;
mod live;
mod load;
mod peers;
mod process;
mod report;
mod rows;
mod trees;

#[cfg(test)]
mod tests;

use lab::Lab;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What `tools bench` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The rows to measure, separated by commas; all without it.
    #[arg(long, value_delimiter = ',', value_parser = rows::NAMES)]
    rows: Vec<String>,
    /// The program to measure.
    #[arg(
        long,
        env = "PYDIO_SYNC_BINARY",
        default_value = "target/release/pydio-sync"
    )]
    binary: PathBuf,
    /// Where the trees are made and removed; decides which disk is measured.
    #[arg(long, default_value = "target/bench")]
    scratch: PathBuf,
    /// Repetitions; the table shows their median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// What the trees are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Divides all sizes by ten: checks the harness, measures nothing.
    #[arg(long)]
    small: bool,
    /// Writes the table there as well.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Measures and prints; fails only if it could not measure.
#[expect(clippy::print_stderr, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    match measure(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]
fn measure(args: &Args) -> Result<()> {
    let lab = Lab::open(args)?;
    let mut table = report::opening(&lab)?;
    print!("{table}");
    for row in rows::ROWS {
        if !args.rows.is_empty() && !args.rows.iter().any(|name| name == row.name) {
            continue;
        }
        eprintln!("bench: {} ...", row.name);
        let lines = report::lines(&(row.title)(&lab), (row.run)(&lab)?);
        print!("{lines}");
        table.push_str(&lines);
    }
    let closing = report::closing();
    print!("{closing}");
    table.push_str(&closing);
    if let Some(out) = &args.out {
        fs::write(out, table)?;
    }
    Ok(())
}
