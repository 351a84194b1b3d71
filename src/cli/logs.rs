//! Where log lines go. Never credentials, never content.
//!
//! In: flags. Out: a subscriber for the whole process. Invariant: results never mix with
//! logs, which go to stderr or a file. Deliberately absent: facts (the journal has
//! them), so a lost log line loses nothing.

use super::args::Common;
use super::values::LogFormat;
use std::sync::Mutex;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Starts logging as the flags say. A log file that cannot be opened is told on
/// stderr, which then takes the log.
pub(super) fn start(args: &Common) {
    let level = match (args.quiet, args.verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, 2) => tracing::Level::DEBUG,
        (false, _) => tracing::Level::TRACE,
    };
    let file = args.log_file.as_ref().map(|path| {
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
    });
    let (writer, problem) = match file {
        None => (BoxMakeWriter::new(std::io::stderr), None),
        Some(Ok(file)) => (BoxMakeWriter::new(Mutex::new(file)), None),
        Some(Err(error)) => (BoxMakeWriter::new(std::io::stderr), Some(error)),
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("pydio_sync={level}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false);
    match args.log_format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = problem {
        tracing::error!(%error, "the log file cannot be opened; logging to stderr");
    }
}
