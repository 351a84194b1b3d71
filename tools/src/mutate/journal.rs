//! Mutated records and portable files.
//!
//! In: bytes that look like a journal. Out: how far they were understood, or which
//! promise broke. Checked: no panic, what was decoded encodes to the same again, pieces
//! of any size give the same records, no more comes out than went in.

use super::{Chance, INPUT_BYTES_MAX};
use journal_format::portable::TRAILER_BYTES;
use journal_format::{HEADER_BYTES, decode_record, encode_record};
use pydio_sync::journal::PortableReader;
use std::io::Read;
use std::path::Path;

/// The golden vectors with an ending.
pub(super) fn samples(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../journal-format/vectors");
    let files = std::fs::read_dir(folder).expect("the vectors are there");
    let mut paths: Vec<_> = files.map(|file| file.expect("a vector").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    let read = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a vector"));
    read.filter(|bytes| bytes.len() < INPUT_BYTES_MAX).collect()
}

/// Decodes a record as it is.
pub(super) fn envelope(input: &[u8]) -> Result<usize, String> {
    let Ok(record) = decode_record(input) else {
        return Ok(0);
    };
    let bytes = encode_record(&record).map_err(|error| format!("decoded, not encoded: {error}"))?;
    if decode_record(&bytes).as_ref() == Ok(&record) {
        Ok(4)
    } else {
        Err("decoded, and another record when encoded".to_owned())
    }
}

/// Decodes a record whose length and checksum are made right, so that its fields are
/// looked at.
pub(super) fn fields(input: &[u8]) -> Result<usize, String> {
    let mut mended = input.to_vec();
    mend(&mut mended);
    envelope(&mended)
}

fn mend(bytes: &mut [u8]) {
    let Some(length) = bytes.len().checked_sub(HEADER_BYTES + 4) else {
        return;
    };
    let announced = u32::try_from(length).expect("short");
    bytes[..5].copy_from_slice(b"PSJR\x01");
    bytes[24..28].copy_from_slice(&announced.to_le_bytes());
    let end = bytes.len() - 4;
    let sum = crc(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
}

/// Reads a portable file, as it is and with its last checksum made right, whole and in
/// pieces.
pub(super) fn portable(input: &[u8], seed: u64) -> Result<usize, String> {
    let mut mended = input.to_vec();
    if mended.len() > TRAILER_BYTES {
        let end = mended.len() - 4;
        let sum = crc(&mended[..end]);
        mended[end..].copy_from_slice(&sum.to_le_bytes());
    }
    let depth = [input, &mended].map(|bytes| {
        let whole = read(bytes, usize::MAX);
        let mut chance = Chance(seed);
        let pieces = read(bytes, 1 + chance.below(50));
        if whole != pieces {
            return Err("something else comes out of pieces".to_owned());
        }
        if whole.1 > bytes.len() {
            return Err("more comes out than went in".to_owned());
        }
        Ok(whole.0)
    });
    let [plain, mended] = depth;
    Ok(plain?.max(mended?))
}

/// How many records, their bytes, and the error at the end.
fn read(bytes: &[u8], piece: usize) -> (usize, usize, Option<String>) {
    let mut reader = match PortableReader::open(Pieces { bytes, piece }) {
        Ok(reader) => reader,
        Err(error) => return (0, 0, Some(error.to_string())),
    };
    let (mut records, mut length) = (0, 0);
    match reader.state() {
        Ok(state) => length += state.map_or(0, |state| state.len()),
        Err(error) => return (records, length, Some(error.to_string())),
    }
    for read in reader {
        match read {
            Ok(stored) => {
                records += 1;
                length += stored.bytes.len();
            }
            Err(error) => return (records, length, Some(error.to_string())),
        }
    }
    (records, length, None)
}

struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = self.piece.min(out.len());
        self.bytes.read(&mut out[..length])
    }
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
