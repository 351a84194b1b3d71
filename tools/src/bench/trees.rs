//! Trees that are the same for the same seed, and their comparison.
//!
//! In: a seed, a number of files, their size. Out: folders of 100 files each with
//! times that lie in the past, so that nobody waits for them to settle. Invariant:
//! no two files have the same content. Deliberately absent: links, odd names; this
//! measures, tests look for mistakes.

use super::Result;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files in one folder.
const FOLDER_FILES: u64 = 100;
/// Seconds since 1970 of the oldest file.
const FIRST_SECONDS: u64 = 1_600_000_000;
/// What belongs to the programs, not to the tree: our folder, nextcloudcmd's database.
const PRIVATE: [&str; 2] = [".pydio-sync", ".sync_"];

/// Makes `files` files of `bytes` bytes in folders of a hundred.
pub(super) fn fill(root: &Path, seed: u64, files: u64, bytes: u64) -> Result<()> {
    for index in 0..files {
        let folder = root.join(format!("dir-{:04}", index / FOLDER_FILES));
        if index % FOLDER_FILES == 0 {
            fs::create_dir_all(&folder)?;
        }
        let name = format!("file-{:02}.dat", index % FOLDER_FILES);
        write(&folder.join(name), mix(seed, index), index, bytes)?;
    }
    Ok(())
}

/// Writes one file of `bytes` bytes, as old as `age` says.
pub(super) fn write(path: &Path, seed: u64, age: u64, bytes: u64) -> Result<()> {
    let file = File::create(path)?;
    let mut out = BufWriter::with_capacity(1 << 16, &file);
    io::copy(&mut Noise(seed).take(bytes), &mut out)?;
    out.flush()?;
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(FIRST_SECONDS + age))?;
    Ok(())
}

/// Fails with the first difference in names, kinds or sizes.
///
/// Both sides are walked in step: memory that this process once had would count as
/// the peak of every program it starts.
pub(super) fn same(one: &Path, other: &Path) -> Result<()> {
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let (ones, others) = (listing(&one.join(&folder))?, listing(&other.join(&folder))?);
        let differs = |(name, kind): &(&OsString, &Kind)| others.get(*name) != Some(*kind);
        let first = ones.iter().find(differs).map(|(name, _)| name);
        let extra = others.keys().find(|name| !ones.contains_key(*name));
        if let Some(name) = first.or(extra) {
            let path = folder.join(name);
            return Err(format!("the sides differ at {}", path.display()).into());
        }
        let folders = ones.iter().filter(|(_, kind)| **kind == Kind::Folder);
        open.extend(folders.map(|(name, _)| folder.join(name)));
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Kind {
    Folder,
    File { bytes: u64 },
}

/// What one folder holds.
fn listing(folder: &Path) -> Result<BTreeMap<OsString, Kind>> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let kind = if meta.is_dir() {
            Kind::Folder
        } else {
            Kind::File { bytes: meta.len() }
        };
        let name = entry.file_name();
        let is_private = |start: &&str| name.as_encoded_bytes().starts_with(start.as_bytes());
        if !PRIVATE.iter().any(is_private) {
            names.insert(name, kind);
        }
    }
    Ok(names)
}

/// A new seed from a seed and a number (splitmix64).
pub(super) fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Endless bytes that do not compress.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for chunk in buffer.chunks_mut(8) {
            self.0 = mix(self.0, 0);
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
        Ok(buffer.len())
    }
}
