//! Runs the whole program in simulated worlds.
//!
//! In: a seed to replay, or how many seeds to try. Out: the story of the first
//! failure, or a line that says how many held; a replayed seed's journal as a file, for
//! `pydio-sync journal`. Invariant: a seed gives one run.

use journal_format::encode_record;
use journal_format::event::Record;
use journal_format::portable::Header;
use journal_format::value::Seq;
use proptests::program::Program;
use proptests::run::{replay, run_with};
use proptests::world::options::Options;
use pydio_sync::journal::PortableWriter;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Replay this seed and print its story.
    #[arg(long, conflicts_with = "count")]
    seed: Option<u64>,
    /// Give each world's remote a change feed.
    #[arg(long)]
    feed: bool,
    /// Let records wait for each other, as they do while thousands of files are transferred.
    #[arg(long)]
    patience: bool,
    /// How many of the last steps to print.
    #[arg(long, default_value_t = 400)]
    lines: usize,
    /// Write the replayed seed's journal there, as `journal export` would.
    #[arg(long, requires = "seed")]
    journal: Option<PathBuf>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1000)]
    count: u64,
}

impl Args {
    fn options(&self, seed: u64) -> Options {
        let mut options = Options::of(seed);
        if self.feed {
            options = options.with_feed();
        }
        if self.patience {
            options = options.with_patience();
        }
        options
    }
}

/// Runs seeds until one fails.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    if let Some(seed) = args.seed {
        let report = replay(seed, args.options(seed), args.lines, &Program);
        println!("{}", report.story);
        if let Some(file) = &args.journal
            && let Err(error) = export(file, &report.records)
        {
            println!("the journal was not written: {error}");
        }
        return verdict(seed, report.broken);
    }
    let mut failed = Vec::new();
    for seed in args.from..args.from.saturating_add(args.count) {
        let run = || run_with(seed, args.options(seed), &Program).broken;
        let broken = std::panic::catch_unwind(run);
        if let Some(broken) = broken.unwrap_or_else(|_| Some("a panic".to_owned())) {
            println!("seed {seed}: {broken}");
            failed.push(seed);
        }
    }
    println!("{} of {} seeds failed {failed:?}", failed.len(), args.count);
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn export(file: &Path, records: &[Record]) -> Result<(), Box<dyn std::error::Error>> {
    let header = Header {
        journal: [0; 16],
        job: "world".to_owned(),
        label: "world".to_owned(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        redacted: false,
        first: Seq(1),
        before: Some([0; 32]),
    };
    let mut writer = PortableWriter::begin(BufWriter::new(File::create(file)?), &header)?;
    for record in records {
        writer.record(record.seq, &encode_record(record)?)?;
    }
    writer.finish()?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command")]
fn verdict(seed: u64, broken: Option<String>) -> ExitCode {
    match broken {
        None => {
            println!("seed {seed} holds");
            ExitCode::SUCCESS
        }
        Some(broken) => {
            println!("seed {seed}: {broken}");
            ExitCode::FAILURE
        }
    }
}
