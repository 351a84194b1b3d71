//! Samples to a Markdown table.
//!
//! In: outcomes. Out: text. Invariant: a failure is a line of the table, never a
//! missing one. Deliberately absent: measuring. The next one: a [`Figure`].

use super::Result;
use super::lab::Lab;
use super::peers::Peer;
use super::process::Sample;
use crate::memory::Process;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What was measured of one program in one row.
pub(super) struct Outcome {
    pub(super) who: String,
    pub(super) figure: Figure,
    pub(super) note: String,
}

pub(super) enum Figure {
    /// Repeated runs, shown by their median.
    Runs(Vec<Sample>),
    /// Many waits, shown by p50 and p99.
    Waits(Vec<Duration>),
    /// Processor time over wall time.
    Load(Duration, Duration),
    /// Why there is none.
    Failed(String),
}

impl Outcome {
    pub(super) fn new(who: &str, figure: Figure) -> Self {
        Self {
            who: who.to_owned(),
            figure,
            note: String::new(),
        }
    }

    /// The figure that ratios are taken of.
    pub(super) fn median(&self) -> Option<Duration> {
        match &self.figure {
            Figure::Runs(samples) => quantile(samples.iter().map(|s| s.wall).collect(), 50),
            Figure::Waits(waits) => quantile(waits.clone(), 50),
            Figure::Load(..) | Figure::Failed(_) => None,
        }
    }
}

/// Writes to the note of ours whether it stays below `limit`.
pub(super) fn ceiling(outcomes: &mut [Outcome], limit: Option<Duration>, words: &str) {
    let Some(ours) = outcomes.iter_mut().find(|o| o.who == Peer::Ours.name()) else {
        return;
    };
    let (Some(median), Some(limit)) = (ours.median(), limit) else {
        return;
    };
    let kept = if median <= limit { "kept" } else { "EXCEEDED" };
    if !ours.note.is_empty() {
        ours.note.push_str("; ");
    }
    ours.note
        .push_str(&format!("ceiling {} ({words}): {kept}", seconds(limit)));
}

/// The median of the outcome called `who`.
pub(super) fn median_of(outcomes: &[Outcome], who: &str) -> Option<Duration> {
    outcomes.iter().find(|outcome| outcome.who == who)?.median()
}

/// The value at `percent` of the sorted values, the nearest rank.
fn quantile(mut values: Vec<Duration>, percent: usize) -> Option<Duration> {
    values.sort();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}

/// The machine, the versions and the head of the table.
pub(super) fn opening(lab: &Lab) -> Result<String> {
    let mut text = String::new();
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    writeln!(
        text,
        "{}: {cores} cores, {} MiB memory, Linux {}, {}; medians of {}, seed {}.",
        first_line(Command::new("date").args(["-u", "+%F %H:%M UTC"])),
        kib / 1024,
        kernel.trim(),
        file_system(lab.scratch())?,
        lab.repeat,
        lab.seed,
    )?;
    let mut versions = vec![first_line(Command::new(&lab.binary).arg("--version"))];
    for peer in Peer::all().filter(|peer| ![Peer::Ours, Peer::CopyDurably].contains(peer)) {
        let (program, version) = peer.program();
        versions.push(first_line(Command::new(program).arg(version)));
    }
    versions.push(first_line(Command::new("find").arg("--version")));
    writeln!(text, "Versions: {}.\n", versions.join(", "))?;
    text.push_str("| what | program | time | spread | peak memory | beside ours | notes |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    Ok(text)
}

/// What the figures cannot tell.
pub(super) fn closing() -> String {
    let own = Process::Own.peak_kib().unwrap_or_default() * 1024;
    format!(
        "\nPeak memory is not resolved below {:.1} MiB: a child starts with its parent's.\n",
        mebi(own)
    )
}

/// One line a program.
pub(super) fn lines(title: &str, outcomes: Vec<Outcome>) -> String {
    let mut text = String::new();
    let ours = Peer::Ours.name();
    let bases: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            // Where a row has several places, the one at the same place.
            let place = outcome.who.rsplit_once(", ").map_or("", |(_, place)| place);
            median_of(&outcomes, &format!("{ours}, {place}")).or_else(|| median_of(&outcomes, ours))
        })
        .collect();
    for (outcome, base) in outcomes.into_iter().zip(bases) {
        let (time, spread, peak) = cells(&outcome.figure);
        let ratio = match (outcome.median(), base) {
            (Some(median), Some(base)) if !base.is_zero() => {
                format!("{:.2}", median.as_secs_f64() / base.as_secs_f64())
            }
            _ => String::new(),
        };
        let Outcome { who, note, .. } = outcome;
        text.push_str(&format!(
            "| {title} | {who} | {time} | {spread} | {peak} | {ratio} | {note} |\n"
        ));
    }
    text
}

fn cells(figure: &Figure) -> (String, String, String) {
    match figure {
        Figure::Runs(samples) => {
            let walls: Vec<_> = samples.iter().map(|sample| sample.wall).collect();
            let peak = samples.iter().filter_map(|sample| sample.peak_bytes).max();
            let peak = peak.map_or(String::new(), |peak| format!("{:.1} MiB", mebi(peak)));
            let spread = format!(
                "{} to {}",
                seconds(quantile(walls.clone(), 0).unwrap_or_default()),
                seconds(quantile(walls.clone(), 100).unwrap_or_default())
            );
            let median = seconds(quantile(walls, 50).unwrap_or_default());
            (median, spread, peak)
        }
        Figure::Waits(waits) => {
            let at = |percent| seconds(quantile(waits.clone(), percent).unwrap_or_default());
            let spread = format!("p99 {}, most {}", at(99), at(100));
            (format!("p50 {}", at(50)), spread, String::new())
        }
        Figure::Load(used, wall) => {
            let percent = 100.0 * used.as_secs_f64() / wall.as_secs_f64();
            let spread = format!("{} in {}", seconds(*used), seconds(*wall));
            (format!("{percent:.2} %"), spread, String::new())
        }
        Figure::Failed(why) => (
            format!("failed: {}", why.replace('|', "/")),
            String::new(),
            String::new(),
        ),
    }
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_millis(100) {
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn mebi(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn first_line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let line = text.lines().next().unwrap_or("version unknown");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The type of the file system that holds `path`.
fn file_system(path: &Path) -> Result<String> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|fields| fields.len() > 2 && path.starts_with(fields[1]));
    let deepest = holding.max_by_key(|fields| fields[1].len());
    Ok(deepest.map_or("unknown file system".to_owned(), |fields| {
        fields[2].to_owned()
    }))
}
