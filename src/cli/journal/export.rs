//! `journal export`: a journal as one file.
//!
//! In: a journal, a range. Out: a portable file. Invariants: nothing is replaced; the
//! file has its name only once it is whole and durable; it is readable by its owner
//! only. CRASH: leaves `FILE.<process>.pydio-sync-part`, which nobody takes for a journal.

use super::source::{self, Entries, Source};
use crate::cli::args::Args;
use crate::cli::args::journal::Export;
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::shown;
use crate::cli::print;
use crate::cli::text::{count, size};
use crate::journal::{PortableWriter, RedactError, Redactor, WriteError};
use journal_format::encode_record;
use journal_format::event::Record;
use journal_format::portable::Header;
use journal_format::value::Seq;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use sync_core::checkpoint;
use sync_core::engine::Engine;

/// Writes the file.
///
/// # Errors
/// The journal is damaged, or the file cannot be written.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Export) -> Result<Exit, Failure> {
    let source = source::open(Some(&flags.journal), state_dir)?;
    let facts = source.facts();
    let first = Seq(flags.range.from).max(facts.first);
    let last = flags.range.to.map_or(facts.head, Seq).min(facts.head);
    if first > last.next() {
        let message = format!("no events {first} to {last}");
        let hint = format!("there are {} to {}", facts.first, facts.head);
        return Err(Failure::usage(message, hint));
    }
    let header = Header {
        journal: source.journal_id(),
        job: facts.job.clone(),
        label: facts.label.clone(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        redacted: facts.redacted,
        first,
        before: None,
    };
    let redactor = flags.redact.then(redactor).transpose()?;
    let header = redactor
        .as_ref()
        .map_or_else(|| header.clone(), |it| it.header(&header));
    let state = state_before(&source, first, redactor.as_ref())?;
    let target = Target::create(&flags.file)?;
    let state = state.as_deref();
    let events = write(&source, &header, last, (redactor.as_ref(), state), &target)?;
    let bytes = target.finish()?;
    if args.common.json {
        print::data(&json!({
            "type": "exported", "job": facts.job, "file": flags.file.to_string_lossy(),
            "first": first.0, "last": last.0, "head": facts.head.0, "events": events, "bytes": bytes,
            "redacted": header.redacted, "state": state.is_some(),
        }));
    } else {
        print::line(&format!(
            "{} in {}, {}",
            count(events, "event", "events"),
            shown(&flags.file),
            size(bytes)
        ));
    }
    Ok(source.exit())
}

fn write(
    source: &Source,
    header: &Header,
    last: Seq,
    (redactor, state): (Option<&Redactor>, Option<&[u8]>),
    target: &Target,
) -> Result<u64, Failure> {
    let out = BufWriter::with_capacity(OUT_BYTES, &target.file);
    let refused = |error: WriteError| unwritable(&target.wanted, &error);
    let mut writer = PortableWriter::begin(out, header).map_err(refused)?;
    if let Some(state) = state {
        writer.state(state).map_err(refused)?;
    }
    let mut events = 0;
    if last >= header.first {
        let entries: Box<Entries> = match redactor {
            Some(_) => Box::new(source.entries_ahead(header.first)?),
            None => source.entries(header.first)?,
        };
        for read in entries {
            let mut stored = read.map_err(|error| source.fault(error))?;
            let seq = stored.record.seq;
            if let Some(redactor) = redactor {
                stored.bytes = redacted(redactor, &stored.record)?;
            }
            writer.record(seq, &stored.bytes).map_err(refused)?;
            events += 1;
            if seq >= last {
                break;
            }
        }
    }
    writer.finish().map_err(refused)?;
    Ok(events)
}

/// Folds what comes before the first event that is written, so that whoever gets the file
/// knows from what it goes on; nothing if that is not known here.
fn state_before(
    source: &Source,
    first: Seq,
    redactor: Option<&Redactor>,
) -> Result<Option<Vec<u8>>, Failure> {
    let begins = source.facts().first;
    if first <= Seq(1) {
        return Ok(None);
    }
    let base = match source.base() {
        Ok(None) if begins > Seq(1) => return Ok(None),
        Ok(base) => base,
        Err(failure) => {
            print::words(&format!(
                "{}, so the file begins without it",
                failure.message
            ));
            return Ok(None);
        }
    };
    let mut engine = base.map_or_else(Engine::new, Engine::restore);
    if first > begins {
        for read in source.records(begins)? {
            let record = read.map_err(|error| source.fault(error))?;
            if record.seq >= first {
                break;
            }
            engine.replay(&record);
        }
    }
    let state = engine.state();
    Ok(Some(match redactor {
        None => checkpoint::encode(state),
        Some(redactor) => {
            let refused = |error: RedactError| Failure::new(Exit::Internal, error.to_string());
            checkpoint::encode(&redactor.state(state).map_err(refused)?)
        }
    }))
}

/// A redactor under a key of its own, which is gone with it.
fn redactor() -> Result<Redactor, Failure> {
    let source = "/dev/urandom";
    let mut key = [0; 32];
    let filled = File::open(source).and_then(|mut file| file.read_exact(&mut key));
    filled.map_err(|error| Failure::new(Exit::Internal, format!("{source}: {error}")))?;
    Ok(Redactor::new(key))
}

fn redacted(redactor: &Redactor, record: &Record) -> Result<Vec<u8>, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::new(Exit::Internal, error.to_string());
    let redacted = redactor.record(record).map_err(|error| refused(&error))?;
    encode_record(&redacted).map_err(|error| refused(&error))
}

/// A file on its way to its name.
pub(super) struct Target {
    pub(super) file: File,
    pub(super) wanted: PathBuf,
    temporary: PathBuf,
}

impl Target {
    /// Begins a file where none is.
    ///
    /// # Errors
    /// Something is there, or the folder refuses.
    pub(super) fn create(wanted: &Path) -> Result<Self, Failure> {
        // The file has its name only once it is whole, which nothing else than a name can.
        if wanted == Path::new("-") {
            return Err(Failure::usage(
                "`-` is no file: nothing is written to standard output",
                "name a file, or write `./-` for one of that name",
            ));
        }
        if wanted.symlink_metadata().is_ok() {
            return Err(Failure::usage(
                format!("`{}` is there already", shown(wanted)),
                "name a file that does not exist",
            ));
        }
        let mut name = wanted.as_os_str().to_owned();
        name.push(format!(".{}.pydio-sync-part", std::process::id()));
        let temporary = PathBuf::from(name);
        let file = File::options()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(|error| unwritable(wanted, &error))?;
        Ok(Self {
            file,
            wanted: wanted.to_owned(),
            temporary,
        })
    }

    /// Makes the file durable and gives it its name. Returns its size.
    ///
    /// # Errors
    /// The disk refuses, or something took the name meanwhile.
    pub(super) fn finish(self) -> Result<u64, Failure> {
        let done = || {
            self.file.sync_all()?;
            let bytes = self.file.metadata()?.len();
            renameat_with(
                CWD,
                &self.temporary,
                CWD,
                &self.wanted,
                RenameFlags::NOREPLACE,
            )?;
            let folder = self.wanted.parent().filter(|it| !it.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(bytes)
        };
        done().map_err(|error: std::io::Error| unwritable(&self.wanted, &error))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Not there any more after a finish.
        std::fs::remove_file(&self.temporary).ok();
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(
        format!("`{}` cannot be written: {error}", shown(path)),
        "check the folder and its disk",
    )
}

const OUT_BYTES: usize = 1 << 18;
