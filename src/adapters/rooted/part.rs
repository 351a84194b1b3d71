//! Parts: large content on its way from a server, kept over a break.
//!
//! In: content that names its version. Out: the same content in a slot, of which what an
//! earlier try wrote is not fetched again. Invariant: only bytes that were durable are
//! gone on with, and only for the same version of the same path; the digest is that of
//! all bytes. Few parts are kept, and none for long. Deliberately absent: user's files;
//! a part has never had a path. CRASH: `NAME.part` with how much of it is durable in
//! `NAME.done`, neither of which is a slot.

use super::beneath::{STAGING, open_beneath};
use super::copy::{Beginning, Content, write_stream};
use super::fault::fault;
use super::folder::{Base, Folder, locked};
use super::look::look;
use super::rename::rename_new;
use super::slots::{control_place, names_in};
use super::stage::{CHUNKS_AHEAD, Wanted, pour};
use crate::ports::{Chunk, PortError, PortResult, Seen, Source};
use journal_format::event::FailureClass;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, OFlags, unlinkat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// A part that this process writes to.
struct Part {
    file: Arc<File>,
    done: Arc<File>,
    /// So many bytes of it are good.
    known: u64,
}

impl Folder {
    /// Fetches content into its part, and makes the part the slot once it is whole.
    pub(super) async fn fill_by_part(
        self: &Arc<Self>,
        wanted: Wanted,
        source: &mut dyn Source,
        version: &str,
    ) -> PortResult<Content> {
        let name = blake3::hash(version.as_bytes()).to_hex()[..NAME_DIGITS].to_owned();
        let (of, size) = (name.clone(), wanted.size);
        let part = self.run(move |folder| folder.open_part(&of, size)).await?;
        wanted.spared.store(part.known, Ordering::Release);
        let filled = self.go_on(&part, &wanted, source).await;
        let of = name.clone();
        match filled {
            Ok(content) => {
                let finish = move |folder: &Arc<Self>| folder.finish_part(&wanted, &of, &part);
                self.run(finish).await?;
                Ok(content)
            }
            Err(error) => {
                // A part that cannot be gone on with only takes room.
                let is_kept = matches!(error.class, FailureClass::Retry | FailureClass::Auth);
                self.run(move |folder| folder.leave_part(&of, is_kept))
                    .await?;
                Err(error)
            }
        }
    }

    async fn go_on(
        self: &Arc<Self>,
        part: &Part,
        wanted: &Wanted,
        source: &mut dyn Source,
    ) -> PortResult<Content> {
        let (sender, receiver) = mpsc::channel::<Chunk>(CHUNKS_AHEAD);
        let (known, size, digest) = (part.known, wanted.size, wanted.digest);
        let (file, done) = (Arc::clone(&part.file), Arc::clone(&part.done));
        let write = self.run_waiting(move |folder| {
            let note = |bytes| note(&done, bytes);
            let beginning = Beginning { known, note: &note };
            let written = write_stream(receiver, &file, digest, beginning);
            let content = written.map_err(|error| folder.not_staged(error))?;
            if content.bytes > known && content.bytes < size {
                // It broke off: all that came serves the next try.
                file.sync_data().map_err(|error| folder.not_staged(error))?;
                note(content.bytes);
            }
            Ok(content)
        });
        let file = Arc::clone(&part.file);
        let read = async move {
            let mut bytes = 0_u64;
            while bytes < known {
                let length = (known - bytes).min(PIECE_BYTES);
                let from = Arc::clone(&file);
                let piece = self.run_long(move |folder| {
                    let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
                    let read = from.read_exact_at(&mut piece, bytes);
                    read.map_err(|error| folder.not_staged(error))?;
                    Ok(piece)
                });
                let piece = piece.await?;
                source.know(&piece);
                bytes += length;
                if sender.send(piece.into()).await.is_err() {
                    return Ok(());
                }
            }
            pour(source, &sender, bytes, size).await
        };
        let (read, written) = futures::future::join(read, write).await;
        let content = read.and(written)?;
        if content.bytes != size {
            let text = format!("{} bytes came where {size} were announced", content.bytes);
            return Err(PortError::precondition(text));
        }
        Ok(content)
    }

    /// Opens a part, or begins one; makes room for it among the others.
    fn open_part(&self, name: &str, size: u64) -> PortResult<Part> {
        locked(&self.parts).insert(name.to_owned());
        self.prune_parts(PARTS_MAX - 1, i64::MIN)?;
        let base = self.base()?;
        let file = self.open_ours(&base, &format!("{name}{PART}"))?;
        let done = self.open_ours(&base, &format!("{name}{DONE}"))?;
        let noted = noted(&done);
        let length = file
            .metadata()
            .map_err(|error| self.not_staged(error))?
            .len();
        // The last byte is read in any case: with it comes the comparison of the version.
        let known = if noted <= length {
            noted.min(size - 1)
        } else {
            0
        };
        file.set_len(known)
            .map_err(|error| self.not_staged(error))?;
        self.changed_directory(STAGING);
        if known > 0 {
            tracing::info!(bytes = known, of = size, "a download goes on");
        }
        Ok(Part {
            file: Arc::new(file),
            done: Arc::new(done),
            known,
        })
    }

    fn open_ours(&self, base: &Base, name: &str) -> PortResult<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        let all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        control_place(base, STAGING, name)?;
        let file = open_beneath(base.as_fd(), &format!("{STAGING}/{name}"), flags, all);
        file.map(File::from).map_err(|error| self.not_staged(error))
    }

    /// Renames a whole part to its slot.
    fn finish_part(&self, wanted: &Wanted, name: &str, part: &Part) -> PortResult<()> {
        self.finish_slot(wanted, &part.file)?;
        let base = self.base()?;
        let of = format!("{name}{PART}");
        let from = control_place(&base, STAGING, &of)?;
        let to = control_place(&base, STAGING, &wanted.slot)?;
        rename_new(&from, &to).map_err(|error| fault(error, &wanted.slot))?;
        self.own_slot(wanted);
        self.leave_part(name, false)
    }

    /// Stops writing to a part, and removes what is not kept of it.
    fn leave_part(&self, name: &str, is_kept: bool) -> PortResult<()> {
        locked(&self.parts).remove(name);
        if is_kept {
            return Ok(());
        }
        let base = self.base()?;
        self.remove_part(&base, name)
    }

    fn remove_part(&self, base: &Base, name: &str) -> PortResult<()> {
        for end in [DONE, PART] {
            let name = format!("{name}{end}");
            let place = control_place(base, STAGING, &name)?;
            match unlinkat(&place, place.name, AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(fault(error, &name)),
            }
        }
        self.changed_directory(STAGING);
        Ok(())
    }

    /// Removes parts that nobody writes to: those last written to before a
    /// time in ns, and the oldest beyond `most`.
    pub(super) fn prune_parts(&self, most: usize, before_ns: i64) -> PortResult<()> {
        let base = self.base()?;
        let mut idle: Vec<(i64, String)> = Vec::new();
        for name in names_in(&base, STAGING)? {
            let of = name.strip_suffix(DONE).or(name.strip_suffix(PART));
            let Some(of) = of.filter(|of| is_name(of)) else {
                continue;
            };
            if locked(&self.parts).contains(of) || idle.iter().any(|(_, known)| known == of) {
                continue;
            }
            let place = control_place(&base, STAGING, &name)?;
            let found = look(&place, place.name, base.disk());
            let written_ns = match found.map_err(|error| fault(error, &name))? {
                Some(Seen::Entry(entry)) => entry.fingerprint.mtime_ns,
                Some(Seen::Unknown(_)) | None => i64::MIN,
            };
            idle.push((written_ns, of.to_owned()));
        }
        idle.sort_unstable_by(|one, other| other.cmp(one));
        for (at, (written_ns, name)) in idle.iter().enumerate() {
            if at >= most || *written_ns < before_ns {
                self.remove_part(&base, name)?;
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.len() == NAME_DIGITS && name.bytes().all(is_digit)
}

/// Writes down how many bytes are durable, in a fixed number of digits. What is lost of
/// it is fetched again.
fn note(done: &File, bytes: u64) {
    let text = format!("{bytes:020}\n");
    if let Err(error) = done.write_all_at(text.as_bytes(), 0) {
        tracing::debug!("how much of a part is durable is not kept: {error}");
    }
}

fn noted(done: &File) -> u64 {
    let read = || -> io::Result<[u8; 21]> {
        let mut text = [0; 21];
        done.read_exact_at(&mut text, 0)?;
        Ok(text)
    };
    let text = read().ok();
    let digits = text.as_ref().and_then(|text| text.strip_suffix(b"\n"));
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

const PART: &str = ".part";
const DONE: &str = ".done";
const NAME_DIGITS: usize = 32;
/// What is known already is read in pieces of this size.
const PIECE_BYTES: u64 = 1024 * 1024;
/// So many parts are kept at the most besides those that are written to.
pub(super) const PARTS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_nonsense_is_nothing() {
        let done = tempfile::tempfile().expect("a file");
        assert_eq!(noted(&done), 0);
        for bytes in [1, 16 << 20, 7, u64::MAX] {
            note(&done, bytes);
            assert_eq!(noted(&done), bytes);
        }
        for nonsense in [
            &b"1"[..],
            b"-0000000000000000001\n",
            b"000000000000000000001",
        ] {
            done.set_len(0).expect("empty");
            done.write_all_at(nonsense, 0).expect("write");
            assert_eq!(noted(&done), 0);
        }
    }
}
