//! Progress bars: on a terminal only, one a job.
//!
//! In: the driver's progress. Out: bars on stderr, gone at the end. Invariant: off a
//! terminal nothing is written, so that scripts see results only. Deliberately absent:
//! results (`print`).

use super::args::Args;
use crate::ports::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The place where bars are drawn.
pub(super) struct Bars(Option<MultiProgress>);

/// Shows how far a job's work is.
pub(super) struct Bar(Option<ProgressBar>);

impl Bars {
    pub(super) fn new(args: &Args) -> Self {
        let is_wanted = args.run.once
            && !args.run.dry_run
            && !args.common.quiet
            && std::io::stderr().is_terminal();
        let target = ProgressDrawTarget::stderr_with_hz(5);
        Self(is_wanted.then(|| MultiProgress::with_draw_target(target)))
    }

    pub(super) fn add(&self) -> Bar {
        Bar(self.0.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::no_length());
            let style =
                ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len} {msg}, eta {eta}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        }))
    }
}

impl Bar {
    /// A bar that is never drawn.
    pub(super) const fn hidden() -> Self {
        Self(None)
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }

    pub(super) fn progress(&self, progress: &Progress) {
        let Some(bar) = &self.0 else { return };
        bar.set_length(progress.items_total);
        bar.set_position(progress.items_done);
        let millis = u64::try_from(bar.elapsed().as_millis()).unwrap_or(u64::MAX);
        let rate = progress.bytes_done.saturating_mul(1000) / millis.max(1);
        bar.set_message(format!(
            "items, {} at {}/s, {} entries looked at",
            super::text::size(progress.bytes_done),
            super::text::size(rate),
            progress.scanned,
        ));
    }
}
