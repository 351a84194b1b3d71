//! The progress bar: on a terminal only.

use super::args::Args;
use crate::ports::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use journal_format::event::Record;
use std::io::IsTerminal;

/// Shows how far the work is.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(super) fn new(args: &Args) -> Self {
        let wanted = args.once && !args.quiet && !args.dry_run && std::io::stderr().is_terminal();
        if !wanted {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template(
            "{spinner} {msg} [{bar:30}] {pos}/{len} {per_sec} eta {eta}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Bar {
    fn appended(&self, _records: &[Record]) {}

    fn progress(&self, progress: &Progress) {
        let Some(bar) = &self.0 else { return };
        bar.set_length(progress.items_total);
        bar.set_position(progress.items_done);
        bar.set_message(format!(
            "{} scanned, {} sent",
            progress.scanned,
            indicatif::HumanBytes(progress.bytes_done)
        ));
    }
}
