//! The place where a benchmark happens: scratch folders, sizes, repetitions.
//!
//! In: the arguments. Out: fresh folders and scaled sizes. Invariant: nothing is
//! removed between two measurements unless a row asks for it, because creating
//! files is slow for a while after many were removed; the whole scratch folder
//! goes at the end. A crash leaves it behind, under the name of the process.

use super::peers::{Pair, Peer};
use super::{Args, Result, trees};
use std::cell::{Cell, OnceCell};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of the files in the large settled tree; they are never moved in bulk.
const SETTLED_BYTES: u64 = 128;

pub(super) struct Lab {
    pub(super) binary: PathBuf,
    pub(super) repeat: u32,
    pub(super) seed: u64,
    scratch: PathBuf,
    divisor: u64,
    made: Cell<u32>,
    settled: OnceCell<Settled>,
}

/// The pairs that are in sync, or why one is not.
type Settled = Vec<(Peer, std::result::Result<Pair, String>)>;

impl Lab {
    /// Finds the binary and makes the scratch folder.
    pub(super) fn open(args: &Args) -> Result<Self> {
        let binary = fs::canonicalize(&args.binary)
            .map_err(|error| format!("{}: {error}; build it first", args.binary.display()))?;
        let scratch = args.scratch.join(std::process::id().to_string());
        fs::create_dir_all(&scratch)?;
        Ok(Self {
            binary,
            repeat: args.repeat,
            seed: args.seed,
            scratch: fs::canonicalize(scratch)?,
            divisor: if args.small { 10 } else { 1 },
            made: Cell::new(0),
            settled: OnceCell::new(),
        })
    }

    /// Where everything lies.
    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A size, smaller for a quick check.
    pub(super) fn scaled(&self, size: u64) -> u64 {
        (size / self.divisor).max(1)
    }

    /// A folder nobody has used.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let number = self.made.get();
        self.made.set(number + 1);
        let path = self.scratch.join(format!("{number:03}-{name}"));
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// Two folders, the first one filled with `files` files of `bytes` bytes.
    pub(super) fn pair(&self, name: &str, files: u64, bytes: u64) -> Result<Pair> {
        let pair = Pair::new(&self.fresh(name)?)?;
        trees::fill(&pair.remote, self.seed, files, bytes)?;
        Ok(pair)
    }

    /// Two-way peers, each with a pair of 100,000 files that it has synced.
    pub(super) fn settled(&self) -> &Settled {
        self.settled.get_or_init(|| {
            let settle = |peer: &Peer| -> Result<Pair> {
                let files = self.scaled(100_000);
                let pair = self.pair("settled", files, SETTLED_BYTES)?;
                peer.settle(self, &pair)?;
                Ok(pair)
            };
            let two_way = Peer::two_way();
            let settled = two_way.map(|peer| (peer, settle(&peer).map_err(|e| e.to_string())));
            settled.collect()
        })
    }
}

impl Drop for Lab {
    #[expect(clippy::print_stderr, reason = "the last word of a command")]
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.scratch) {
            eprintln!("bench: {} is left: {error}", self.scratch.display());
        }
    }
}
