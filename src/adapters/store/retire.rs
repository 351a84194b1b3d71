//! Records that the store need not hold any more move to archives.
//!
//! In: an open journal, right after a checkpoint was saved. Out: a portable file of what
//! the checkpoint before covers, and a smaller store. Invariants: an archive is whole,
//! durable and read back before the store drops its records; history always begins with
//! the first record or a kept state; archives take a bounded space. Watched by
//! `tests/it/conformance_store/archive`. Deliberately absent: what records mean. CRASH:
//! leaves a `.new` file, or records in both places; the next round goes on.

use super::archive::{self, Archive};
use super::shelf::{Records, Shelf};
use super::witness::Chain;
use super::{Layout, Retention, checkpoint, files};
use crate::journal::chained;
use crate::journal::{PortableReader, PortableWriter, WriteError};
use crate::ports::Checkpoint;
use journal_format::decode_record;
use journal_format::event::{Event, SessionEvent};
use journal_format::portable::Header;
use journal_format::value::Seq;
use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Keeps the checkpoint that is about to be replaced, if an archive should end with it.
pub(super) fn keep_state(
    layout: &Layout,
    records: &Records,
    retention: Retention,
    next: &Checkpoint,
) -> Option<Seq> {
    let shelf = records.shelf();
    let old = checkpoint::load(&layout.checkpoint, Some(&shelf.id))?;
    let events = old
        .seq
        .0
        .saturating_sub(shelf.last().0.max(shelf.first.0 - 1));
    // Not more space for states than for events.
    let least = old.bytes.len() as u64 / EVENT_BYTES;
    if old.seq >= next.seq || events < retention.events_min.max(least) {
        return None;
    }
    let kept = archive::checkpoint_path(&layout.archive, old.seq);
    let linked = files::make_directory(&layout.archive)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            std::fs::remove_file(&kept).ok();
            std::fs::hard_link(&layout.checkpoint, &kept)
                .or_else(|_| files::copy_sparse(&layout.checkpoint, &kept))
                .and_then(|()| files::sync_directory(&layout.archive))
                .map_err(|error| error.to_string())
        });
    match linked {
        Ok(()) => Some(old.seq),
        Err(error) => {
            tracing::warn!(%error, "no archive is made: the state cannot be kept");
            None
        }
    }
}

/// Archives what is up to `last`, and drops the oldest archives beyond the bound.
pub(super) fn retire(records: &Records, retention: Retention, last: Seq) -> Result<(), String> {
    let mut shelf = Shelf::clone(&records.shelf());
    remove_leftovers(&shelf.directory);
    let first = match shelf.last() {
        Seq::ZERO => shelf.first,
        last => last.next(),
    };
    if first <= last {
        let archive = write(records, &shelf, first, last)?;
        tracing::info!(%first, %last, bytes = archive.bytes, "events were archived");
        shelf.archives.push(archive);
        records.publish(shelf.clone());
    }
    records.engine.remove_to(shelf.last())?;
    drop_oldest(records, shelf, retention)
}

/// Writes an archive; whole, durable and read back on return.
fn write(records: &Records, shelf: &Shelf, first: Seq, last: Seq) -> Result<Archive, String> {
    let path = archive::path_of(&shelf.directory, first, last);
    let temporary = path.with_extension("new");
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    let refused = |error: WriteError| format!("{}: {error}", path.display());
    let header = header(records, shelf, first)?;
    let mut chain = header.before.unwrap_or_default();
    let file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(io)?;
    let out = BufWriter::with_capacity(WRITE_BYTES, &file);
    let mut writer = PortableWriter::begin(out, &header).map_err(refused)?;
    let before = chain;
    records.each(first, last, |seq, bytes| {
        chain = chained(&chain, bytes);
        writer.record(seq, bytes).map_err(refused)
    })?;
    writer.finish().map_err(refused)?;
    file.sync_all().map_err(io)?;
    if chain_of(&temporary, before)? != (last, chain) {
        return Err(format!("{}: it does not read as written", path.display()));
    }
    std::fs::rename(&temporary, &path).map_err(io)?;
    files::sync_directory(&shelf.directory).map_err(io)?;
    let bytes = path.metadata().map_err(io)?.len();
    Ok(Archive {
        first,
        last,
        path,
        bytes,
    })
}

/// Reads a file to its end; returns the last record and the running hash there.
fn chain_of(path: &Path, before: Chain) -> Result<(Seq, Chain), String> {
    let text = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| text(&error))?;
    let reader = PortableReader::open(file).map_err(|error| text(&error))?;
    let (mut last, mut chain) = (Seq::ZERO, before);
    for read in reader {
        let stored = read.map_err(|error| text(&error))?;
        last = stored.record.seq;
        chain = chained(&chain, &stored.bytes);
    }
    Ok((last, chain))
}

/// As the archive before has it, or as the journal's first event says.
fn header(records: &Records, shelf: &Shelf, first: Seq) -> Result<Header, String> {
    if let Some(newest) = shelf.archives.last() {
        let (_, before) = chain_of(&newest.path, newest.before()?)?;
        return Ok(Header {
            first,
            before: Some(before),
            release: RELEASE.to_owned(),
            ..newest.header()?
        });
    }
    let (mut job, mut label) = (String::new(), String::new());
    records.each(first, first, |_, bytes| {
        let record = decode_record(bytes).map_err(|error| error.to_string())?;
        if let Event::Session(SessionEvent::RootConfigured {
            job: id, label: it, ..
        }) = record.event
        {
            (job, label) = (id, it);
        }
        Ok::<(), String>(())
    })?;
    Ok(Header {
        journal: shelf.id,
        job,
        label,
        release: RELEASE.to_owned(),
        redacted: false,
        first,
        before: Some(shelf.before()?),
    })
}

/// Drops archives until the rest takes no more than the bound; the newest one stays.
fn drop_oldest(records: &Records, mut shelf: Shelf, retention: Retention) -> Result<(), String> {
    let io = |error: std::io::Error| format!("{}: {error}", shelf.directory.display());
    let states = archive::checkpoints(&shelf.directory).map_err(io)?;
    let bytes = |shelf: &Shelf| {
        let states = states.iter().filter(|(seq, _)| seq.next() >= shelf.first);
        let files = shelf.archives.iter().map(|archive| archive.bytes);
        files.sum::<u64>() + states.map(|(_, bytes)| bytes).sum::<u64>()
    };
    let mut dropped = Vec::new();
    while bytes(&shelf) > retention.bytes_max && shelf.archives.len() > 1 {
        let oldest = shelf.archives[0].clone();
        if archive::state_at(&shelf.directory, oldest.last, &shelf.id).is_none() {
            tracing::warn!(seq = %oldest.last, "archives stay: no state is kept that begins behind one");
            break;
        }
        shelf.archives.remove(0);
        shelf.first = oldest.last.next();
        dropped.push(oldest);
    }
    if dropped.is_empty() {
        return Ok(());
    }
    records.publish(shelf.clone());
    for archive in dropped {
        tracing::info!(first = %archive.first, last = %archive.last, "the oldest events were dropped");
        std::fs::remove_file(&archive.path).map_err(io)?;
    }
    let first = shelf.first;
    for (seq, _) in states.iter().filter(|(seq, _)| seq.next() < first) {
        let path = archive::checkpoint_path(&shelf.directory, *seq);
        std::fs::remove_file(&path).map_err(io)?;
    }
    files::sync_directory(&shelf.directory).map_err(io)
}

/// Removes what an earlier process did not finish.
fn remove_leftovers(directory: &Path) {
    for (name, path) in archive::names(directory).unwrap_or_default() {
        if Path::new(&name).extension().is_some_and(|it| it == "new") {
            std::fs::remove_file(&path).ok();
        }
    }
}

const RELEASE: &str = env!("CARGO_PKG_VERSION");
const WRITE_BYTES: usize = 1 << 18;
/// About what an event takes in an archive.
const EVENT_BYTES: u64 = 100;
