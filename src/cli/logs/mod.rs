//! Where log lines go. Never credentials, never content.
//!
//! In: flags. Out: a subscriber for the whole process, and the [`Switch`] that changes
//! its level while it runs. Invariants: results never mix with logs, which go to stderr
//! or a file; what happens within an operation says which one (span `operation` in span
//! `job`). Deliberately absent: facts (the journal has them), so a lost line loses
//! nothing. A crash leaves a last line that may be cut.

mod rotate;

use super::args::Common;
use super::values::LogFormat;
use rotate::Rotating;
use std::io::IsTerminal;
use std::sync::Mutex;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Changes how much is logged while the process runs.
#[derive(Debug, Clone)]
pub(super) struct Switch(reload::Handle<Targets, Registry>);

impl Switch {
    /// Logs what is at least as grave as `level` from now on: `error`, `warn`, `info`,
    /// `debug` or `trace`. Returns false for another word, and changes nothing.
    pub(super) fn set(&self, level: &str) -> bool {
        let named = LEVELS.into_iter().find(|(name, _)| *name == level);
        named.is_some_and(|(_, level)| self.0.reload(targets(level)).is_ok())
    }
}

/// Starts logging as the flags say. A log file that cannot be opened is told on
/// stderr, which then takes the log.
pub(super) fn start(args: &Common) -> Switch {
    let level = match (args.quiet, args.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, 2) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    let file = args.log_file.as_deref().map(Rotating::open);
    let (writer, is_coloured, problem) = match file {
        Some(Ok(file)) => (BoxMakeWriter::new(Mutex::new(file)), false, None),
        other => {
            let is_coloured = std::io::stderr().is_terminal() && super::text::may_colour();
            let problem = other.and_then(Result::err);
            (BoxMakeWriter::new(std::io::stderr), is_coloured, problem)
        }
    };
    let (filter, handle) = reload::Layer::new(targets(level));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match args.log_format {
        LogFormat::Text => {
            let layer = layer.with_target(false).with_ansi(is_coloured);
            registry.with(layer).init();
        }
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false);
            registry.with(layer).init();
        }
    }
    if let Some(error) = problem {
        tracing::error!(%error, "the log file cannot be opened; logging to stderr");
    }
    Switch(handle)
}

/// Our own lines only: what libraries say is for their developers, and nobody here
/// vouches that it holds no credentials.
fn targets(level: Level) -> Targets {
    Targets::new().with_target("pydio_sync", level)
}

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_changes_while_the_process_runs() {
        let (filter, handle) = reload::Layer::new(targets(Level::WARN));
        let switch = Switch(handle);
        let subscriber = tracing_subscriber::registry().with(filter);
        tracing::subscriber::with_default(subscriber, || {
            let is_told = || tracing::enabled!(target: "pydio_sync::x", Level::DEBUG);
            assert!(!is_told());
            assert!(switch.set("debug"));
            assert!(is_told());
            assert!(!tracing::enabled!(target: "reqwest", Level::ERROR));
            for wrong in ["", "Debug", "off", "pydio_sync=trace"] {
                assert!(!switch.set(wrong), "{wrong}");
            }
            assert!(is_told());
            assert!(switch.set("error"));
            assert!(!is_told());
        });
    }
}
