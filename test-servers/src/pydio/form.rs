//! Bodies of requests: form fields, and files that may be large.
//!
//! In: a body in pieces. Out: fields, and one file in memory or spooled to disk with its
//! hash. Invariant: fields are bounded, and what is larger than a piece of memory goes
//! to a spool file that vanishes with its owner. Deliberately absent: nested multiparts
//! and more than one file, which nobody sends. Crash: spool files, emptied at the start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use md5::{Digest as _, Md5};

use super::call::Params;

/// A file that came with a request.
pub(super) struct Upload {
    content: Content,
    pub(super) length: u64,
    /// Lower-case hex.
    pub(super) md5: String,
}

enum Content {
    Memory(Vec<u8>),
    Disk(Temporary),
}

/// A file that goes when its owner goes.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It was moved to its place, or nobody wants it.
        drop(fs::remove_file(&self.0));
    }
}

/// Where files wait until they have a place.
pub(super) struct Spool {
    folder: PathBuf,
    next: AtomicU64,
}

impl Spool {
    /// Uses a folder, which is emptied.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            next: AtomicU64::new(0),
        })
    }

    fn name(&self) -> PathBuf {
        self.folder
            .join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Upload {
    /// Puts the content where it belongs, over what is there, in one step.
    pub(super) fn store(&self, spool: &Spool, path: &Path) -> io::Result<()> {
        match &self.content {
            Content::Memory(bytes) => {
                let temporary = Temporary(spool.name());
                fs::write(&temporary.0, bytes)?;
                fs::rename(&temporary.0, path)
            }
            Content::Disk(file) => fs::rename(&file.0, path),
        }
    }

    /// Writes the content to a path as well.
    pub(super) fn store_copy(&self, path: &Path) -> io::Result<()> {
        match &self.content {
            Content::Memory(bytes) => fs::write(path, bytes),
            Content::Disk(file) => fs::copy(&file.0, path).map(drop),
        }
    }

    /// Appends the content to a file that is there.
    pub(super) fn append(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(path)?;
        match &self.content {
            Content::Memory(bytes) => file.write_all(bytes),
            Content::Disk(spooled) => io::copy(&mut File::open(&spooled.0)?, &mut file).map(drop),
        }
    }
}

/// Takes a file in pieces.
struct Taker<'a> {
    spool: &'a Spool,
    memory: Vec<u8>,
    disk: Option<(File, Temporary)>,
    length: u64,
    md5: Md5,
}

impl<'a> Taker<'a> {
    fn new(spool: &'a Spool) -> Self {
        Self {
            spool,
            memory: Vec::new(),
            disk: None,
            length: 0,
            md5: Md5::new(),
        }
    }

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.length += piece.len() as u64;
        self.md5.update(piece);
        if self.disk.is_none() && self.memory.len() + piece.len() > MEMORY_MAX_BYTES {
            let path = self.spool.name();
            let mut file = File::create(&path)?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.disk = Some((file, Temporary(path)));
        }
        match &mut self.disk {
            Some((file, _)) => file.write_all(piece),
            None => {
                self.memory.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    fn finish(self) -> Upload {
        Upload {
            content: match self.disk {
                Some((_, temporary)) => Content::Disk(temporary),
                None => Content::Memory(self.memory),
            },
            length: self.length,
            md5: hex(&self.md5.finalize()),
        }
    }
}

/// Reads one body, piece by piece.
pub(super) enum Reader<'a> {
    /// `name=value&...`.
    Fields(Vec<u8>),
    /// A multipart form.
    Multipart(Box<Multipart<'a>>),
    /// The content itself.
    Raw(Box<Raw<'a>>),
}

/// A body without form.
pub(super) struct Raw<'a>(Taker<'a>);

/// A multipart form at work.
pub(super) struct Multipart<'a> {
    spool: &'a Spool,
    /// `\r\n--boundary`.
    boundary: Vec<u8>,
    /// What is not understood yet; the first line is given a line end before it.
    pending: Vec<u8>,
    part: Part<'a>,
    params: Params,
    file: Option<Upload>,
}

enum Part<'a> {
    /// The lines before a part's content.
    Head,
    Field(String, Vec<u8>),
    File(Taker<'a>),
    /// Nothing: before the first boundary, after the last one, or nobody's part.
    End,
}

impl<'a> Reader<'a> {
    /// Reads what a content type announces.
    pub(super) fn new(spool: &'a Spool, content_type: &str) -> Self {
        if content_type.starts_with("application/x-www-form-urlencoded") {
            return Self::Fields(Vec::new());
        }
        let boundary = content_type
            .strip_prefix("multipart/form-data")
            .and_then(|rest| rest.split_once("boundary="))
            .map(|(_, value)| {
                value
                    .split(';')
                    .next()
                    .unwrap_or("")
                    .trim()
                    .trim_matches('"')
            });
        match boundary {
            Some(boundary) => Self::Multipart(Box::new(Multipart {
                spool,
                boundary: format!("\r\n--{boundary}").into_bytes(),
                pending: b"\r\n".to_vec(),
                part: Part::End,
                params: Params::default(),
                file: None,
            })),
            None => Self::Raw(Box::new(Raw(Taker::new(spool)))),
        }
    }

    /// Takes the next piece of the body.
    pub(super) fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Fields(bytes) => {
                if bytes.len() + piece.len() <= FIELDS_MAX_BYTES {
                    bytes.extend_from_slice(piece);
                }
                Ok(())
            }
            Self::Multipart(form) => form.take(piece),
            Self::Raw(raw) => raw.0.take(piece),
        }
    }

    /// Adds the fields to the parameters and returns the file.
    pub(super) fn finish(self, params: &mut Params) -> Option<Upload> {
        match self {
            Self::Fields(bytes) => {
                params.add_query(&bytes);
                None
            }
            Self::Multipart(form) => {
                params.append(form.params);
                form.file
            }
            Self::Raw(raw) => Some(raw.0.finish()),
        }
    }
}

impl<'a> Multipart<'a> {
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(piece);
        loop {
            if let Part::Head = self.part {
                let Some(at) = find(&self.pending, b"\r\n\r\n") else {
                    if self.pending.len() > FIELDS_MAX_BYTES {
                        self.pending.clear();
                    }
                    return Ok(());
                };
                let head: Vec<u8> = self.pending.drain(..at + 4).take(at).collect();
                self.part = self.open(&String::from_utf8_lossy(&head));
                continue;
            }
            let Some(at) = find(&self.pending, &self.boundary) else {
                let keep = self.boundary.len().min(self.pending.len());
                let ready: Vec<u8> = self.pending.drain(..self.pending.len() - keep).collect();
                return self.content(&ready);
            };
            let after = at + self.boundary.len();
            if self.pending.len() < after + 2 {
                return Ok(());
            }
            let last: Vec<u8> = self.pending.drain(..at).collect();
            self.content(&last)?;
            self.close();
            let end = self.pending[self.boundary.len()..].starts_with(b"--");
            self.pending.drain(..self.boundary.len() + 2);
            self.part = if end { Part::End } else { Part::Head };
        }
    }

    /// What follows this head; a part's file is known by its filename.
    fn open(&self, head: &str) -> Part<'a> {
        let disposition = head
            .lines()
            .find(|line| {
                line.to_ascii_lowercase()
                    .starts_with("content-disposition:")
            })
            .unwrap_or("");
        if parameter(disposition, "filename").is_some() {
            return Part::File(Taker::new(self.spool));
        }
        match parameter(disposition, "name") {
            Some(name) => Part::Field(name, Vec::new()),
            None => Part::End,
        }
    }

    fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.part {
            Part::File(taker) => taker.take(bytes),
            Part::Field(_, value) => {
                if value.len() + bytes.len() <= FIELDS_MAX_BYTES {
                    value.extend_from_slice(bytes);
                }
                Ok(())
            }
            Part::Head | Part::End => Ok(()),
        }
    }

    fn close(&mut self) {
        match std::mem::replace(&mut self.part, Part::End) {
            Part::Field(name, value) => {
                self.params
                    .add(name, String::from_utf8_lossy(&value).into_owned());
            }
            Part::File(taker) => self.file = Some(taker.finish()),
            Part::Head | Part::End => {}
        }
    }
}

/// Hashes what a reader gives.
pub(super) fn md5_of(mut file: impl io::Read) -> io::Result<String> {
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&md5.finalize()));
        }
        md5.update(&buffer[..read]);
    }
}

/// Hashes bytes.
pub(super) fn md5_of_bytes(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `name="value"` in a header.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').find_map(|part| {
        let value = part.trim().strip_prefix(name)?.strip_prefix('=')?;
        Some(value.trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if text[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

const MEMORY_MAX_BYTES: usize = 1024 * 1024;
const FIELDS_MAX_BYTES: usize = 4 * 1024 * 1024;
