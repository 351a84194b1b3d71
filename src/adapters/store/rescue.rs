//! Everything of a store that can be read, one way or another.
//!
//! In: a job's store, damaged. Out: its records, and between them what cannot be had. Three
//! ways, each for what those before it do not give: the engine; the engine on `.jnl` files
//! that end before their first damaged batch; whole envelopes in the `.jnl` files, wherever
//! they stand. Invariants: only copies are opened, since opening cuts; another journal that
//! was put in the store's place gives nothing. Watched by
//! `tests/it/conformance_store/damage`. Deliberately absent: archives, mending. CRASH:
//! leaves a copy, which the next one removes.

use super::copy::Copied;
use super::engine::{self, Engine, Look};
use super::loose::Loose;
use super::open::Evidence;
use super::survey::Survey;
use super::{Layout, OpenError, archive, files};
use crate::journal::verify::Found;
use journal_format::value::Seq;
use std::fs::File;
use std::path::Path;

/// Goes through what can be read of a store, up to the head that it should have.
pub struct Rescue {
    survey: Option<Survey>,
    loose: Loose,
    /// What the engine does not give, and is looked for elsewhere.
    gap: Option<Found>,
    /// Why the engine does not open the store as it is.
    why: Option<String>,
    // Removed after the engine was closed.
    _copied: Option<Copied>,
}

/// A store that was opened, in whole or cut.
type Open = (Engine, Copied);

/// Goes through the store of a job's directory, whatever is damaged in it.
///
/// # Errors
/// The directory cannot be read, or the disk has no room for a copy.
pub fn rescue(dir: &Path) -> Result<Rescue, OpenError> {
    let layout = Layout::new(dir);
    let evidence = Evidence::gather(&layout)?;
    let archives =
        archive::list(&layout.archive).map_err(|error| OpenError::io(&error, &layout.archive))?;
    let archived = archives.last().map_or(Seq::ZERO, |newest| newest.last);
    Rescue::open(&layout, &evidence, archived.next())
}

impl Rescue {
    /// Opens what can be opened. Records before `from` are not looked at.
    pub(super) fn open(layout: &Layout, evidence: &Evidence, from: Seq) -> Result<Self, OpenError> {
        let (opened, why, loose) = if is_another(layout, evidence) {
            let why = "another journal was put in its place".to_owned();
            (None, Some(why), Loose::default())
        } else {
            let (opened, why) = open_somehow(layout)?;
            let loose = Loose::gather(&layout.journal);
            let loose = loose.map_err(|error| OpenError::io(&error, &layout.journal))?;
            (opened, why, loose)
        };
        let ends = opened.as_ref().and_then(|(engine, _)| engine.ends().ok());
        let head = ends.flatten().map_or(Seq::ZERO, |(_, head)| head);
        let head = head.max(evidence.expected()).max(loose.last());
        let (survey, copied) = match opened {
            Some((engine, copied)) => (Some(Survey::new(engine, from, head)), Some(copied)),
            None => (None, None),
        };
        let all = Found::Missing { from, to: head };
        Ok(Self {
            gap: Some(all).filter(|_| survey.is_none() && from <= head),
            survey,
            loose,
            why,
            _copied: copied,
        })
    }

    /// Tells why the store cannot be opened as it is.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// The beginning of a gap, up to the next record that stands elsewhere, or that record.
    fn step(&mut self, gap: Found) -> Found {
        let Some((from, to)) = gap.unread() else {
            return gap;
        };
        match self.loose.next(from, to) {
            None => gap,
            Some(seq) if seq == from => {
                self.gap = gap.within(from.next(), to);
                self.loose.take(seq)
            }
            Some(seq) => {
                let before = gap.within(from, Seq(seq.0 - 1));
                self.gap = gap.within(seq, to);
                before.unwrap_or(gap)
            }
        }
    }
}

impl Iterator for Rescue {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let found = match self.gap.take() {
            Some(gap) => gap,
            None => self.survey.as_mut()?.next()?,
        };
        Some(self.step(found))
    }
}

/// Whether the store says that it is another journal than the one beside which it lies.
fn is_another(layout: &Layout, evidence: &Evidence) -> bool {
    let written = files::read_bounded(&layout.id, 16).ok().flatten();
    matches!((written, evidence.id()), (Some(written), Some(known)) if written != known)
}

/// Opens a copy as it is, or else with shorter `.jnl` files, and tells why.
fn open_somehow(layout: &Layout) -> Result<(Option<Open>, Option<String>), OpenError> {
    match engine::look(&layout.journal)? {
        Look::Empty => return Ok((None, Some("it is gone".to_owned()))),
        Look::Partial(why) => return Ok((None, Some(why.to_owned()))),
        Look::Whole => {}
    }
    let whole = length(layout)?;
    match open_cut(layout, whole)? {
        Ok(opened) => Ok((Some(opened), None)),
        Err(why) => Ok((open_longest(layout, whole)?, Some(why))),
    }
}

/// Opens a copy with the longest `.jnl` files that can be opened. What a shorter one can
/// do, a longer one can too, up to the end of the first damaged batch.
fn open_longest(layout: &Layout, too_long: u64) -> Result<Option<Open>, OpenError> {
    let Ok(mut opened) = open_cut(layout, 0)? else {
        return Ok(None);
    };
    let (mut good, mut bad) = (0, too_long);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        match open_cut(layout, middle)? {
            Ok(longer) => (opened, good) = (longer, middle),
            Err(_) => bad = middle,
        }
    }
    Ok(Some(opened))
}

/// Opens a copy whose `.jnl` files have so many bytes together.
fn open_cut(layout: &Layout, bytes: u64) -> Result<Result<Open, String>, OpenError> {
    let copied = Copied::make(layout)?;
    let journal = &copied.layout.journal;
    let mut left = bytes;
    for path in
        engine::journal_files_in_order(journal).map_err(|error| OpenError::io(&error, journal))?
    {
        let io = |error: std::io::Error| OpenError::io(&error, &path);
        let file = File::options().write(true).open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        if left < length {
            file.set_len(left).map_err(io)?;
        }
        left = left.saturating_sub(length);
    }
    let opened = Engine::open(journal).and_then(|engine| {
        // Opened, it may still be unreadable.
        let ends = engine.ends();
        ends.map_err(|why| OpenError::damaged(why, journal))?;
        Ok(engine)
    });
    Ok(match opened {
        Ok(engine) => Ok((engine, copied)),
        Err(OpenError::Damaged { detail, .. }) => Err(detail),
        Err(error) => Err(copied.meant(layout, error).to_string()),
    })
}

/// Returns the bytes of all `.jnl` files together.
fn length(layout: &Layout) -> Result<u64, OpenError> {
    let io = |error: std::io::Error| OpenError::io(&error, &layout.journal);
    let mut sum = 0;
    for path in engine::journal_files(&layout.journal).map_err(io)? {
        sum += path.metadata().map_err(io)?.len();
    }
    Ok(sum)
}
