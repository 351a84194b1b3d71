//! The rows of the table, in the order they are measured.
//!
//! In: a [`Lab`]. Out: outcomes, ours among them. Invariant: within a repetition
//! every program has its turn before the next repetition begins; rows that remove
//! many files come last. The next one: a file here, its name in [`NAMES`] and its
//! line in [`ROWS`].

mod deletes;
mod first;
mod idle;
mod large;
mod rename;
mod server;
mod steady;
mod webdav;

use super::Result;
use super::lab::Lab;
use super::process::Sample;
use super::report::{Figure, Outcome};

/// One thing that is measured.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: fn(&Lab) -> String,
    pub(super) run: fn(&Lab) -> Result<Vec<Outcome>>,
}

/// The names of [`ROWS`], for the command line.
pub(super) const NAMES: [&str; 19] = [
    "first-sync",
    "large-file",
    "no-change",
    "one-changed",
    "rename",
    "detection",
    "idle",
    "server-up",
    "server-down",
    "server-up-50ms",
    "server-down-50ms",
    "webdav-up",
    "webdav-down",
    "webdav-large-up",
    "webdav-large-down",
    "webdav-no-change",
    "webdav-one-changed",
    "webdav-rename",
    "deletes",
];

/// Everything that is measured.
pub(super) const ROWS: [Row; 19] = [
    Row {
        name: NAMES[0],
        title: first::title,
        run: first::run,
    },
    Row {
        name: NAMES[1],
        title: large::title,
        run: large::run,
    },
    Row {
        name: NAMES[2],
        title: steady::no_change_title,
        run: steady::no_change,
    },
    Row {
        name: NAMES[3],
        title: steady::one_changed_title,
        run: steady::one_changed,
    },
    Row {
        name: NAMES[4],
        title: rename::title,
        run: rename::run,
    },
    Row {
        name: NAMES[5],
        title: idle::detection_title,
        run: idle::detection,
    },
    Row {
        name: NAMES[6],
        title: idle::load_title,
        run: idle::load,
    },
    Row {
        name: NAMES[7],
        title: server::up_title,
        run: server::up,
    },
    Row {
        name: NAMES[8],
        title: server::down_title,
        run: server::down,
    },
    Row {
        name: NAMES[9],
        title: server::up_far_title,
        run: server::up_far,
    },
    Row {
        name: NAMES[10],
        title: server::down_far_title,
        run: server::down_far,
    },
    Row {
        name: NAMES[11],
        title: webdav::up_title,
        run: webdav::up,
    },
    Row {
        name: NAMES[12],
        title: webdav::down_title,
        run: webdav::down,
    },
    Row {
        name: NAMES[13],
        title: webdav::large_up_title,
        run: webdav::large_up,
    },
    Row {
        name: NAMES[14],
        title: webdav::large_down_title,
        run: webdav::large_down,
    },
    Row {
        name: NAMES[15],
        title: webdav::no_change_title,
        run: webdav::no_change,
    },
    Row {
        name: NAMES[16],
        title: webdav::one_changed_title,
        run: webdav::one_changed,
    },
    Row {
        name: NAMES[17],
        title: webdav::rename_title,
        run: webdav::rename,
    },
    Row {
        name: NAMES[18],
        title: deletes::title,
        run: deletes::run,
    },
];

/// Runs each contender once in each repetition; one that fails is out from then on.
fn interleave<C>(
    lab: &Lab,
    contenders: Vec<(String, C)>,
    mut work: impl FnMut(&C, u32) -> Result<Sample>,
) -> Vec<Outcome> {
    let mut figures: Vec<_> = contenders.iter().map(|_| Ok(Vec::new())).collect();
    for repetition in 0..lab.repeat {
        for ((_, contender), figure) in contenders.iter().zip(&mut figures) {
            let Ok(samples) = figure else { continue };
            match work(contender, repetition) {
                Ok(sample) => samples.push(sample),
                Err(error) => *figure = Err(error.to_string()),
            }
        }
    }
    let outcome = |((who, _), figure): ((String, C), std::result::Result<_, _>)| {
        Outcome::new(&who, figure.map_or_else(Figure::Failed, Figure::Runs))
    };
    contenders.into_iter().zip(figures).map(outcome).collect()
}
