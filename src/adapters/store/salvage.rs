//! A damaged journal, made usable as far as it can be read.
//!
//! In: a job's directory that no process has. Out: what was found, and a store with the
//! records up to the first gap, from wherever they can be had (`rescue`). Invariants: the
//! damaged files are read from a copy and then moved to `aside/`, where the newest few
//! stay; the next open tells the loss, so that both sides are scanned and nothing is
//! deleted unasked; what a newer release wrote is left alone. Watched by
//! `tests/it/journal/salvage`. Deliberately absent: records behind a gap, which nothing
//! can be concluded from. CRASH: leaves evidence of a loss and all files, in their places
//! or in `aside/`; salvaging again goes on.

use super::archive;
use super::build::{BuildError, into};
use super::lock::LockFile;
use super::open::{Evidence, GIVEN_UP_KEPT, new_id, rename};
use super::rescue::Rescue;
use super::witness::{Chain, Witness};
use super::{Layout, OpenError, files};
use crate::journal::verify::Found;
use crate::journal::{PortableReader, PortableWriter, ReadError, Stored, WriteError};
use crate::ports::Checkpoint;
use journal_format::portable::Header;
use journal_format::value::Seq;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// What became of a damaged journal.
#[derive(Debug)]
pub struct Salvaged {
    /// The head that was acknowledged, as far as is known.
    pub expected: Seq,
    /// The last record that was kept; 0 for none.
    pub kept: Seq,
    /// What was cut or skipped, in order.
    pub losses: Vec<String>,
    /// Where the damaged files are now.
    pub aside: PathBuf,
    /// The records that were kept, as a portable file.
    pub file: PathBuf,
}

/// Why nothing was salvaged. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The job's directory cannot be used, or another process has it.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// A newer release wrote it: an upgrade reads what this release cannot.
    #[error("event {seq}: {detail}")]
    Newer {
        /// The first such event.
        seq: Seq,
        /// What was found.
        detail: String,
    },
    /// What can be read cannot be written elsewhere.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// The new store cannot be made; the old files are in `aside/`.
    #[error("{0}")]
    Build(#[from] BuildError),
}

/// Salvages a job's journal. `name` is the job's id and label.
///
/// # Errors
/// See [`SalvageError`].
pub fn salvage(dir: &Path, name: (&str, &str), release: &str) -> Result<Salvaged, SalvageError> {
    let layout = Layout::new(dir);
    let io = |error: std::io::Error| OpenError::io(&error, &layout.root);
    layout.root.metadata().map_err(io)?;
    let lock = LockFile::acquire(&layout.lock)?;
    let evidence = Evidence::gather(&layout)?;
    let mut losses = Vec::new();
    let aside = files::next_aside(&layout.aside, "salvaged")?;
    let file = aside.join("kept.pydiojournal");
    let base = base(&layout, &evidence);
    let header = Header {
        journal: evidence.id().unwrap_or_default(),
        job: name.0.to_owned(),
        label: name.1.to_owned(),
        release: release.to_owned(),
        redacted: false,
        first: base.as_ref().map_or(Seq(1), |(state, _)| state.seq.next()),
        before: base.as_ref().map(|(_, before)| *before),
    };
    let kept = match write(&layout, &evidence, &header, &file, &mut losses) {
        Ok(kept) => kept,
        Err(error) => {
            std::fs::remove_dir_all(&aside).map_err(io)?;
            return Err(error);
        }
    };
    files::sync_directory(&aside).map_err(io)?;
    // A state that nothing follows is no journal.
    let base = base.filter(|(state, _)| kept > state.seq);
    let kept = if header.first > Seq(1) && base.is_none() {
        Seq::ZERO
    } else {
        kept
    };
    let expected = evidence.expected().max(kept);
    let told = expected.max(evidence.lost()).max(Seq(1));
    put_aside(&layout, &aside, told)?;
    let reader = PortableReader::open(File::open(&file).map_err(io)?).map_err(BuildError::Read)?;
    into(&layout, reader, Some(told), base)?;
    files::keep_newest(&layout.aside, "salvaged", GIVEN_UP_KEPT)?;
    drop(lock);
    let tail = Found::Missing {
        from: kept.next(),
        to: expected,
    };
    if expected > kept && losses.last() != tail.loss().as_ref() {
        losses.push(format!("so events {} to {expected} are lost", kept.next()));
    }
    Ok(Salvaged {
        expected,
        kept,
        losses,
        aside,
        file,
    })
}

/// Returns the state with which history begins, where older archives were dropped, and
/// the running hash there.
fn base(layout: &Layout, evidence: &Evidence) -> Option<(Checkpoint, Chain)> {
    let oldest = archive::list(&layout.archive).ok()?.into_iter().next()?;
    let seq = Seq(oldest.first.0.checked_sub(1)?);
    let state = archive::state_at(&layout.archive, seq, &evidence.id()?)?;
    Some((state, oldest.before().ok()?))
}

/// Writes the records up to the first gap; durable on return.
fn write(
    layout: &Layout,
    evidence: &Evidence,
    header: &Header,
    path: &Path,
    losses: &mut Vec<String>,
) -> Result<Seq, SalvageError> {
    let io = |error: std::io::Error| SalvageError::Open(OpenError::io(&error, path));
    let file = File::create_new(path).map_err(io)?;
    let mut writer = PortableWriter::begin(BufWriter::new(&file), header)?;
    let mut kept = archived(layout, header.first, &mut writer, losses)?;
    let rescue = Rescue::open(layout, evidence, kept.next())?;
    if let Some(why) = rescue.why() {
        losses.push(format!("the store cannot be opened as it is: {why}"));
    }
    survey(rescue, &mut kept, &mut writer, losses)?;
    writer.finish()?;
    file.sync_all().map_err(io)?;
    Ok(kept)
}

type Output<'a> = PortableWriter<BufWriter<&'a File>>;

/// Copies what the archives hold, up to the first gap.
fn archived(
    layout: &Layout,
    first: Seq,
    writer: &mut Output<'_>,
    losses: &mut Vec<String>,
) -> Result<Seq, SalvageError> {
    let listed = archive::list(&layout.archive);
    let listed = listed.map_err(|error| OpenError::io(&error, &layout.archive))?;
    let mut kept = Seq(first.0 - 1);
    for archive in listed {
        let read = File::open(&archive.path)
            .map_err(ReadError::Io)
            .and_then(PortableReader::open);
        let records = match read {
            Ok(reader) => reader,
            Err(error) => {
                losses.push(format!("{}: {error}", archive.path.display()));
                continue;
            }
        };
        for read in records {
            match read {
                Ok(stored) if stored.record.seq == kept.next() => {
                    kept = keep(&stored, writer)?;
                }
                Ok(_) => {}
                Err(error) if error.is_from_newer_release() => {
                    return Err(SalvageError::Newer {
                        seq: kept.next(),
                        detail: error.to_string(),
                    });
                }
                Err(error) => losses.push(format!("{}: {error}", archive.path.display())),
            }
        }
    }
    Ok(kept)
}

fn keep(stored: &Stored, writer: &mut Output<'_>) -> Result<Seq, SalvageError> {
    writer.record(stored.record.seq, &stored.bytes)?;
    Ok(stored.record.seq)
}

fn survey(
    rescue: Rescue,
    kept: &mut Seq,
    writer: &mut Output<'_>,
    losses: &mut Vec<String>,
) -> Result<(), SalvageError> {
    let mut skipped: Option<(Seq, Seq)> = None;
    for found in rescue {
        let loss = found.loss();
        match found {
            Found::Whole(stored) if stored.record.seq == kept.next() => {
                *kept = keep(&stored, writer)?;
            }
            Found::Whole(stored) => {
                let seq = stored.record.seq;
                skipped = Some((skipped.map_or(seq, |(first, _)| first), seq));
            }
            Found::Damaged {
                from,
                detail,
                is_newer: true,
                ..
            } => return Err(SalvageError::Newer { seq: from, detail }),
            Found::Damaged { .. } | Found::Missing { .. } => {
                loss.into_iter().for_each(|loss| tell(losses, loss));
            }
        }
    }
    if let Some((first, last)) = skipped {
        losses.push(format!(
            "events between {first} and {last} can be read and follow a gap, so they were skipped"
        ));
    }
    Ok(())
}

fn tell(losses: &mut Vec<String>, loss: String) {
    if losses.len() < LOSSES_MAX {
        losses.push(loss);
    }
}

/// Moves the damaged files away. Evidence of a loss stays all the time.
fn put_aside(layout: &Layout, aside: &Path, lost: Seq) -> Result<(), OpenError> {
    let witness = aside.join("witness");
    if layout.witness.exists() {
        files::copy_sparse(&layout.witness, &witness)
            .map_err(|error| OpenError::io(&error, &witness))?;
    }
    let told = Witness {
        lost,
        ..Witness::new(new_id()?)
    };
    told.save(&layout.witness)
        .map_err(|error| OpenError::io(&error, &layout.witness))?;
    for path in [
        &layout.journal,
        &layout.checkpoint,
        &layout.mark,
        &layout.archive,
    ] {
        if let Some(name) = path.file_name().filter(|_| path.exists()) {
            rename(path, &aside.join(name))?;
        }
    }
    Ok(())
}

const LOSSES_MAX: usize = 10_000;
