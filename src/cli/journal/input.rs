//! A file that a person named as a journal.
//!
//! In: a path. Out: the bytes of a portable journal: the file's own, or those of a text
//! (`journal minimize --fixture`, `journal cat --json`) made into one. Invariants: nothing
//! but a file is opened; a text is read whole only up to a bound. Deliberately absent: what
//! is in the journal (`source`).

use crate::cli::exit::Failure;
use crate::cli::offline::shown;
use crate::journal::fixture;
use std::fs::File;
use std::io::{Cursor, Read, Result, Seek, SeekFrom};
use std::path::Path;

/// A portable journal.
pub(in crate::cli) enum Input {
    File(File),
    Memory(Cursor<Vec<u8>>),
}

/// Opens what a person named as a file.
///
/// # Errors
/// It is not there, or no file, or a text that is none of events.
pub(in crate::cli) fn opened(path: &Path) -> std::result::Result<Input, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("`{}` cannot be read: {error}", shown(path)),
            "name a job, or a file that `pydio-sync journal export` wrote, or `journal minimize \
             --fixture`",
        )
    };
    // Looked at before: opening a pipe would wait for whoever writes into it.
    let open = path.metadata().and_then(|seen| {
        if seen.is_file() {
            text_or_file(File::open(path)?, seen.len())
        } else {
            Err(std::io::Error::other("it is no file"))
        }
    });
    match open {
        Ok((file, None)) => Ok(Input::File(file)),
        Ok((_, Some(text))) => {
            let bytes = fixture::portable(&text).map_err(|why| refused(&why))?;
            Ok(Input::Memory(Cursor::new(bytes)))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// Reads a file that begins as JSON does; a portable journal begins otherwise.
fn text_or_file(mut file: File, length: u64) -> Result<(File, Option<String>)> {
    let mut first = [0; 1];
    let is_text = length > 0 && file.read(&mut first)? == 1 && first == *b"{";
    file.rewind()?;
    if !is_text {
        return Ok((file, None));
    }
    let mut text = String::new();
    (&file).take(TEXT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        let why = "it is too long for a text; `pydio-sync journal export` writes long journals";
        return Err(std::io::Error::other(why));
    }
    Ok((file, Some(text)))
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(bytes) => bytes.seek(to),
        }
    }
}

/// A million events are longer.
const TEXT_BYTES_MAX: u64 = 256 << 20;
