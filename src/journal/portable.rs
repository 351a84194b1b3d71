//! Portable files over `Read` and `Write`.
//!
//! In: a reader or a writer. Out: records with their bytes, one by one. Invariants: no
//! more than one record and a buffer of fixed size is in memory; the iterator ends with
//! an error or after a whole trailer, never in silence. Deliberately absent: the layout
//! (`journal_format::portable`), names of files. CRASH: a file without trailer.

use super::{ReadError, Stored};
use journal_format::portable::{Decoder, Encoder, Header, OutOfOrder, Part, STATE_MAGIC, Trailer};
use journal_format::value::Seq;
use journal_format::{EncodeError, RECORD_BYTES_MAX};
use std::io::{ErrorKind, Read, Write};

/// Reads a portable file.
#[derive(Debug)]
pub struct PortableReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer was read from the input and not yet taken.
    start: usize,
    end: usize,
    is_last: bool,
    decoder: Decoder,
    header: Header,
    trailer: Option<Trailer>,
    is_broken: bool,
}

/// How much of a state is written at once.
const PIECE_BYTES: usize = 1 << 17;

/// Why a portable file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The header cannot be written.
    #[error("{0}")]
    Header(EncodeError),
    /// A record does not follow the one before.
    #[error("{0}")]
    Order(OutOfOrder),
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl<R: Read> PortableReader<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// The input is no portable file, or cannot be read.
    pub fn open(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            buffer: vec![0; FIRST_BYTES],
            start: 0,
            end: 0,
            is_last: false,
            decoder: Decoder::new(),
            header: Header {
                journal: [0; 16],
                job: String::new(),
                label: String::new(),
                release: String::new(),
                redacted: false,
                first: Seq(1),
                before: None,
            },
            trailer: None,
            is_broken: false,
        };
        if let Some((Part::Header(header), used)) = reader.part()? {
            reader.start += used;
            reader.header = header;
        }
        Ok(reader)
    }

    /// Returns what the file says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the state before the first record, as bytes of a checkpoint, if the file has
    /// it. To be asked before the records are read.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read.
    pub fn state(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut state: Option<Vec<u8>> = None;
        while self.is_state_next()? {
            if let Some((Part::State(piece), used)) = self.part()? {
                self.start += used;
                state.get_or_insert_default().extend_from_slice(&piece);
            }
        }
        Ok(state)
    }

    fn is_state_next(&mut self) -> Result<bool, ReadError> {
        while self.end - self.start < STATE_MAGIC.len() && !self.is_last {
            self.fill()?;
        }
        let unread = &self.buffer[self.start..self.end];
        Ok(self.header.first > Seq(1) && unread.starts_with(&STATE_MAGIC))
    }

    /// Returns the file's end, once it was read.
    pub const fn trailer(&self) -> Option<Trailer> {
        self.trailer
    }

    /// Returns how many bytes were read and understood.
    pub const fn offset(&self) -> u64 {
        self.decoder.offset()
    }

    fn part(&mut self) -> Result<Option<(Part, usize)>, ReadError> {
        loop {
            let unread = &self.buffer[self.start..self.end];
            match self.decoder.step(unread, self.is_last)? {
                None if self.is_last => return Ok(None),
                None => self.fill()?,
                part => return Ok(part),
            }
        }
    }

    /// Reads on. The buffer grows up to what the longest record needs.
    fn fill(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let longer = (self.buffer.len() * 2).min(RECORD_BYTES_MAX + FIRST_BYTES);
            self.buffer.resize(longer, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_last = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
    }

    fn stored(&mut self) -> Result<Option<Stored>, ReadError> {
        loop {
            match self.part()? {
                Some((Part::State(_), used)) => self.start += used,
                part => return self.taken(part),
            }
        }
    }

    fn taken(&mut self, part: Option<(Part, usize)>) -> Result<Option<Stored>, ReadError> {
        match part {
            Some((Part::Record(record), used)) => {
                let end = self.start + used;
                let bytes = self.buffer[self.start..end].to_vec();
                self.start = end;
                Ok(Some(Stored { record, bytes }))
            }
            Some((Part::Trailer(trailer), used)) => {
                self.start += used;
                self.trailer = Some(trailer);
                // Whatever follows is an error of the next step.
                self.part()?;
                Ok(None)
            }
            Some((Part::Header(_) | Part::State(_), _)) | None => Ok(None),
        }
    }
}

impl<R: Read> Iterator for PortableReader<R> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken || self.trailer.is_some() {
            return None;
        }
        let next = self.stored();
        self.is_broken = next.is_err();
        next.transpose()
    }
}

/// Writes a portable file.
#[derive(Debug)]
pub struct PortableWriter<W> {
    output: W,
    encoder: Encoder,
}

impl<W: Write> PortableWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// The header breaks a rule, or the output refuses.
    pub fn begin(mut output: W, header: &Header) -> Result<Self, WriteError> {
        let (encoder, bytes) = Encoder::begin(header).map_err(WriteError::Header)?;
        output.write_all(&bytes)?;
        Ok(Self { output, encoder })
    }

    /// Writes the state that the events before the first record fold to, as bytes of a
    /// checkpoint; before the records.
    ///
    /// # Errors
    /// A record was written, there is none before the first, or the output refuses.
    pub fn state(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            let framed = self.encoder.state(piece).map_err(WriteError::Order)?;
            self.output.write_all(&framed)?;
        }
        Ok(())
    }

    /// Writes a record as it is.
    ///
    /// # Errors
    /// It does not follow the one before, or the output refuses.
    pub fn record(&mut self, seq: Seq, envelope: &[u8]) -> Result<(), WriteError> {
        self.encoder
            .record(seq, envelope)
            .map_err(WriteError::Order)?;
        Ok(self.output.write_all(envelope)?)
    }

    /// Writes the trailer and flushes; the caller makes it durable.
    ///
    /// # Errors
    /// The output refuses.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.output.write_all(&self.encoder.finish())?;
        self.output.flush()?;
        Ok(self.output)
    }
}

const FIRST_BYTES: usize = 1 << 16;
