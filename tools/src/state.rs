//! The engine's state for many files: how large, how fast to fold, to save, to load.
//!
//! In: a number of files, made up in memory. Out: one line a figure. Invariant: the
//! events are those of a first sync (observed on both sides, adopted), folded as a
//! replay would. Deliberately absent: disks; a process of its own, so that memory
//! can be told.

use crate::memory::Process;
use journal_format::event::{Case, Event, ObservationEvent, OperationEvent, Record};
use journal_format::value::{
    Digest, Entry, Fingerprint, Identity, Kind, RelPath, Seq, Side, Timestamp,
};
use std::process::ExitCode;
use std::time::Instant;
use sync_core::checkpoint;
use sync_core::engine::Engine;

/// What to make up.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files; one directory for each 45 of them.
    #[arg(long, default_value_t = 1_000_000)]
    files: u64,
}

pub(crate) const FILES_A_DIRECTORY: u64 = 45;

/// Folds, saves and loads a state, and prints what that takes.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut engine = Engine::new();
    let mut seq = Seq::ZERO;
    let mut folding = std::time::Duration::ZERO;
    for chunk in 0..args.files.div_ceil(FILES_A_DIRECTORY) {
        let records = records(chunk, &mut seq);
        let began = now();
        records.iter().for_each(|record| engine.replay(record));
        folding += began.elapsed();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = seq.0 as f64 / folding.as_secs_f64();
    println!("files {}", args.files);
    println!("events {seq}, folded {rate:.0}/s");
    println!(
        "resident after folding {} MB",
        mb(Process::Own.resident_kib())
    );
    let began = now();
    let digest = checkpoint::digest(engine.state());
    println!("digest in {} ms", began.elapsed().as_millis());
    let began = now();
    let bytes = checkpoint::encode(engine.state());
    println!(
        "checkpoint encoded in {} ms, {} bytes",
        began.elapsed().as_millis(),
        bytes.len()
    );
    drop(engine);
    let began = now();
    let state = match checkpoint::decode(&bytes) {
        Ok(state) => state,
        Err(error) => {
            println!("the checkpoint does not decode: {error:?}");
            return ExitCode::FAILURE;
        }
    };
    println!("checkpoint decoded in {} ms", began.elapsed().as_millis());
    drop(bytes);
    println!(
        "resident after loading {} MB, peak {} MB",
        mb(Process::Own.resident_kib()),
        mb(Process::Own.peak_kib())
    );
    if checkpoint::digest(&state) == digest {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The events of one directory.
pub(crate) fn records(chunk: u64, seq: &mut Seq) -> Vec<Record> {
    let mut records = Vec::new();
    let mut push = |event: Event| {
        *seq = seq.next();
        records.push(Record {
            seq: *seq,
            time: Timestamp(1_700_000_000_000),
            event,
        });
    };
    let directory = format!("project-{:04}/folder-{chunk:06}", chunk / 100);
    let mut both = |path: &str, kind: Kind, number: u64| {
        let Ok(path) = RelPath::new(path) else { return };
        for side in Side::BOTH {
            let entry = entry(kind, number, side);
            let path = path.clone();
            push(Event::Observation(ObservationEvent::Observed {
                side,
                path,
                entry,
            }));
        }
        let (local, remote, case) = (path.clone(), path, Case::A1);
        push(Event::Operation(OperationEvent::Adopted {
            local,
            remote,
            case,
        }));
    };
    if chunk.is_multiple_of(100) {
        both(
            &format!("project-{:04}", chunk / 100),
            Kind::Directory,
            chunk,
        );
    }
    both(&directory, Kind::Directory, chunk);
    for file in 0..FILES_A_DIRECTORY {
        let number = chunk * FILES_A_DIRECTORY + file;
        both(
            &format!("{directory}/report-{number:08}.txt"),
            Kind::File,
            number,
        );
    }
    records
}

fn entry(kind: Kind, number: u64, side: Side) -> Entry {
    let is_file = kind == Kind::File;
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    let offset = if side == Side::Local { 0 } else { 1 << 40 };
    let fingerprint = Fingerprint {
        kind,
        size: if is_file { number % 100_000 } else { 0 },
        mtime_ns: if is_file {
            1_600_000_000_000_000_000
        } else {
            0
        },
        identity: Some(Identity {
            device: 2049,
            object: number + offset,
            born_ns: 1,
        }),
        version: None,
    };
    Entry {
        fingerprint,
        digest: is_file.then_some(Digest::Blake3(digest)),
    }
}

fn mb(kib: Option<u64>) -> String {
    kib.map_or_else(|| "unknown".to_owned(), |kib| (kib / 1024).to_string())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
