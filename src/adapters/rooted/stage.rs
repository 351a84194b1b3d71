//! Copies content into a slot, hashing on the way.
//!
//! In: a source and a slot's name. Out: complete, verified content in the slot,
//! with the source's time and permission bits. Invariant: the digest is that of
//! the bytes that were written, and a slot is reported only if the source was
//! unchanged after the last byte. CRASH: a partial slot stays; its operation
//! never succeeded, so nobody takes it for content. Of what is large and comes over the
//! network a part stays (`part`), with which the next try goes on.

use super::beneath::{STAGING, open_beneath};
use super::copy::{Beginning, Content, SMALL_BYTES, copy_file, write_small, write_stream};
use super::fault::{fault, unsupported};
use super::folder::{Base, Folder, locked};
use super::slots::control_place;
use crate::adapters::digest::digest_of;
use crate::ports::{Chunk, PortError, PortResult, Source, Staged};
use journal_format::value::{DigestKind, Kind};
use rustix::fd::AsFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens, symlinkat, utimensat,
};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::mpsc;

/// What a slot gets besides its bytes.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) slot: String,
    pub(super) size: u64,
    mtime_ns: i64,
    mode: Option<u32>,
    pub(super) digest: DigestKind,
    /// Set once the slot was free and is ours.
    created: Arc<AtomicBool>,
    /// Bytes that an earlier try fetched.
    pub(super) spared: Arc<AtomicU64>,
}

impl Folder {
    /// Copies a source into a free slot. After an error the slot is empty.
    pub(crate) async fn stage(
        self: &Arc<Self>,
        slot: String,
        mut source: Box<dyn Source>,
        kind: DigestKind,
    ) -> PortResult<Staged> {
        let mut entry = source.entry().clone();
        let wanted = Wanted {
            slot,
            size: entry.fingerprint.size,
            mtime_ns: entry.fingerprint.mtime_ns,
            mode: source.mode(),
            digest: kind,
            created: Arc::default(),
            spared: Arc::default(),
        };
        let (slot, created) = (wanted.slot.clone(), Arc::clone(&wanted.created));
        let spared = Arc::clone(&wanted.spared);
        let result = self.fill(wanted, &mut *source).await;
        match result {
            Ok(content) => {
                entry.digest = Some(content.digest);
                Ok(Staged {
                    source: entry,
                    bytes: content.bytes - spared.load(Ordering::Acquire),
                })
            }
            Err(error) => {
                if created.load(Ordering::Acquire) {
                    self.run(move |folder| folder.discard(&slot)).await?;
                }
                Err(error)
            }
        }
    }

    async fn fill(
        self: &Arc<Self>,
        wanted: Wanted,
        source: &mut dyn Source,
    ) -> PortResult<Content> {
        let size = wanted.size;
        let content = match (source.entry().kind(), source.file()) {
            (Kind::Directory, _) => return Err(unsupported("a directory has no content")),
            (Kind::Symlink, _) => {
                let text = read_text(source).await?;
                self.run(move |folder| folder.fill_link(&wanted, &text))
                    .await?
            }
            (Kind::File, Some(file)) => {
                let content = if size <= SMALL_BYTES {
                    self.run(move |folder| folder.fill_from_file(&wanted, &file))
                        .await?
                } else {
                    self.run_long(move |folder| folder.fill_from_file(&wanted, &file))
                        .await?
                };
                source.verify().await?;
                content
            }
            (Kind::File, None) => match source.beginning() {
                Some(version) if size >= PART_SIZE_MIN => {
                    self.fill_by_part(wanted, source, &version).await?
                }
                _ => self.fill_from_peer(wanted, source).await?,
            },
        };
        if content.bytes == size {
            Ok(content)
        } else {
            Err(PortError::precondition(format!(
                "{} bytes came where {size} were announced",
                content.bytes
            )))
        }
    }

    fn fill_from_file(&self, wanted: &Wanted, source: &File) -> PortResult<Content> {
        let slot = self.create_slot(wanted)?;
        let copied = copy_file(source, &slot, wanted.size, wanted.digest);
        let content = copied.map_err(|error| self.not_staged(error))?;
        let content = content.ok_or_else(|| PortError::precondition("the file became shorter"))?;
        self.finish_slot(wanted, &slot)?;
        Ok(content)
    }

    /// Small content is collected and written in one go; larger content is
    /// written while the rest comes in.
    async fn fill_from_peer(
        self: &Arc<Self>,
        wanted: Wanted,
        source: &mut dyn Source,
    ) -> PortResult<Content> {
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut bytes: u64 = 0;
        while let Some(chunk) = source.read().await? {
            bytes = bytes.saturating_add(chunk.len() as u64);
            check_length(bytes, wanted.size)?;
            chunks.push(chunk);
            if bytes > SMALL_BYTES {
                return self.fill_meanwhile(wanted, source, chunks).await;
            }
        }
        self.run(move |folder| {
            let slot = folder.create_slot(&wanted)?;
            let written = write_small(&chunks, &slot, wanted.digest);
            let content = written.map_err(|error| folder.not_staged(error))?;
            folder.finish_slot(&wanted, &slot)?;
            Ok(content)
        })
        .await
    }

    async fn fill_meanwhile(
        self: &Arc<Self>,
        wanted: Wanted,
        source: &mut dyn Source,
        chunks: Vec<Chunk>,
    ) -> PortResult<Content> {
        let (sender, receiver) = mpsc::channel::<Chunk>(CHUNKS_AHEAD);
        let (size, mut bytes) = (wanted.size, 0u64);
        let write = self.run_waiting(move |folder| {
            let slot = folder.create_slot(&wanted)?;
            let none = Beginning {
                known: 0,
                note: &|_| {},
            };
            let written = write_stream(receiver, &slot, wanted.digest, none);
            let content = written.map_err(|error| folder.not_staged(error))?;
            if content.bytes == wanted.size {
                folder.finish_slot(&wanted, &slot)?;
            }
            Ok(content)
        });
        let read = async move {
            for chunk in chunks {
                bytes = bytes.saturating_add(chunk.len() as u64);
                if sender.send(chunk).await.is_err() {
                    return Ok(());
                }
            }
            pour(source, &sender, bytes, size).await
        };
        let (read, written) = futures::future::join(read, write).await;
        read.and(written)
    }

    fn fill_link(&self, wanted: &Wanted, text: &[u8]) -> PortResult<Content> {
        if text.is_empty() || text.contains(&0) {
            return Err(unsupported("a link without a target, or with NUL in it"));
        }
        let base = self.base()?;
        let place = control_place(&base, STAGING, &wanted.slot)?;
        symlinkat(text, &place, place.name).map_err(|error| self.not_staged(error))?;
        self.own_slot(wanted);
        let times = times(wanted.mtime_ns);
        utimensat(&place, place.name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.not_staged(error))?;
        self.changed_directory(STAGING);
        Ok(Content {
            digest: digest_of(wanted.digest, text),
            bytes: text.len() as u64,
        })
    }

    fn create_slot(&self, wanted: &Wanted) -> PortResult<Arc<File>> {
        let base = self.base()?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        // The user's mask applies; the directory lets nobody else in.
        let all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        let create = |base: &Base| {
            let path = format!("{STAGING}/{}", wanted.slot);
            open_beneath(base.as_fd(), &path, flags, all)
        };
        let file = match create(&base) {
            Err(rustix::io::Errno::NOENT) => {
                control_place(&base, STAGING, &wanted.slot)?;
                create(&base)
            }
            result => result,
        };
        let file = Arc::new(File::from(file.map_err(|error| self.not_staged(error))?));
        self.own_slot(wanted);
        Ok(file)
    }

    /// Names the folder, not the slot, whose name means nothing to a person.
    pub(super) fn not_staged(&self, error: impl Into<std::io::Error>) -> PortError {
        fault(
            error,
            format_args!("copying into `{}`", self.path.display()),
        )
    }

    pub(super) fn own_slot(&self, wanted: &Wanted) {
        locked(&self.staged).insert(wanted.slot.clone(), false);
        wanted.created.store(true, Ordering::Release);
    }

    pub(super) fn finish_slot(&self, wanted: &Wanted, file: &Arc<File>) -> PortResult<()> {
        if let Some(mode) = wanted.mode {
            let mode = Mode::from_raw_mode(mode & 0o777);
            fchmod(file, mode).map_err(|error| self.not_staged(error))?;
        }
        if wanted.mtime_ns != 0 {
            futimens(file, &times(wanted.mtime_ns)).map_err(|error| self.not_staged(error))?;
        }
        self.changed_file(file);
        Ok(())
    }
}

async fn read_text(source: &mut dyn Source) -> PortResult<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(chunk) = source.read().await? {
        text.extend_from_slice(&chunk);
        check_length(text.len() as u64, LINK_BYTES_MAX)?;
    }
    Ok(text)
}

/// Hands content on to its writer, from the byte on that comes next.
pub(super) async fn pour(
    source: &mut dyn Source,
    sender: &mpsc::Sender<Chunk>,
    mut bytes: u64,
    size: u64,
) -> PortResult<()> {
    while let Some(chunk) = source.read().await? {
        bytes = bytes.saturating_add(chunk.len() as u64);
        check_length(bytes, size)?;
        // The writer failed and says why itself.
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn check_length(bytes: u64, size: u64) -> PortResult<()> {
    if bytes <= size {
        Ok(())
    } else {
        Err(PortError::precondition(format!(
            "more than the {size} bytes announced"
        )))
    }
}

fn times(mtime_ns: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime_ns.div_euclid(1_000_000_000),
            tv_nsec: mtime_ns.rem_euclid(1_000_000_000),
        },
    }
}

/// Pieces that wait to be written.
pub(super) const CHUNKS_AHEAD: usize = 4;
/// From this size on what comes over the network is gone on with after a break.
const PART_SIZE_MIN: u64 = 16 * 1024 * 1024;
const LINK_BYTES_MAX: u64 = 4095;
