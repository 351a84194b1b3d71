//! Cuts a long XML document into short ones, as its bytes arrive.
//!
//! In: pieces of a document. Out: documents with the same outermost element around
//! whole children of it. Invariant: what is pending is bounded; a document counts only
//! when its outermost element was closed and nothing but space followed, so a cut
//! listing never reads as a short one. Deliberately absent: names and values, which
//! `multistatus` reads with a real parser.

use memchr::{memchr, memmem};

/// A document on its way.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// How far the buffer was looked at.
    at: usize,
    /// The outermost element's start tag and end tag.
    outer: Option<(String, String)>,
    depth: usize,
    /// Whether the start tag was handed on.
    is_begun: bool,
    is_closed: bool,
}

/// What stands at a `<`.
enum Token {
    /// Not all of it is there yet.
    Partial,
    /// A comment, a declaration or the like; where it ends.
    Aside(usize),
    /// A start tag; where it ends, and whether it is its own end tag.
    Start(usize, bool),
    End(usize),
}

impl Frames {
    /// Takes a piece; returns what became whole by it.
    ///
    /// # Errors
    /// What is wrong with the document, in words.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Option<String>, String> {
        self.buffer.extend_from_slice(piece);
        let mut whole = 0;
        loop {
            let Some(next) = memchr(b'<', &self.buffer[self.at..]) else {
                // Before the first tag a mark of the byte order may still be cut.
                if self.outer.is_some() {
                    self.check_text(self.buffer.len())?;
                    self.at = self.buffer.len();
                }
                break;
            };
            let start = self.at + next;
            self.check_text(start)?;
            self.at = start;
            let was_closed = self.is_closed;
            let end = match token(&self.buffer[start..])? {
                Token::Partial => break,
                Token::Aside(length) => start + length,
                Token::Start(length, is_empty) => {
                    self.opened(start, start + length, is_empty)?;
                    start + length
                }
                Token::End(length) => {
                    self.depth = self.depth.checked_sub(1).ok_or("it closes too much")?;
                    self.is_closed |= self.depth == 0;
                    start + length
                }
            };
            self.at = end;
            if self.depth == 1 || self.is_closed && !was_closed {
                whole = end;
            }
        }
        let cut = self.cut(whole)?;
        if self.buffer.len() > PENDING_BYTES_MAX {
            return Err(format!(
                "one part of it has more than {PENDING_BYTES_MAX} bytes"
            ));
        }
        Ok(cut)
    }

    /// Ends the document.
    ///
    /// # Errors
    /// It is not whole.
    pub(super) fn end(&self) -> Result<(), String> {
        let rest = &self.buffer[self.at..];
        if self.is_closed && rest.iter().all(u8::is_ascii_whitespace) {
            Ok(())
        } else {
            Err("it ends too early".to_owned())
        }
    }

    fn opened(&mut self, start: usize, end: usize, is_empty: bool) -> Result<(), String> {
        if self.is_closed {
            return Err("something follows its end".to_owned());
        }
        if self.depth >= DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX}"));
        }
        if self.depth == 0 {
            let tag = String::from_utf8(self.buffer[start..end].to_vec());
            let tag = tag.map_err(|_| "it is not UTF-8".to_owned())?;
            let is_name = |c: char| !c.is_whitespace() && c != '/' && c != '>';
            let name: String = tag[1..].chars().take_while(|c| is_name(*c)).collect();
            self.outer = Some((tag, format!("</{name}>")));
        }
        if !is_empty {
            self.depth += 1;
        } else if self.depth == 0 {
            self.is_closed = true;
        }
        Ok(())
    }

    /// Outside of the outermost element there is space only.
    fn check_text(&self, end: usize) -> Result<(), String> {
        let is_outside = self.depth == 0;
        let text = &self.buffer[self.at..end];
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if is_outside && !text.iter().all(u8::is_ascii_whitespace) {
            return Err("it is no XML document".to_owned());
        }
        Ok(())
    }

    /// Takes whole children out of the buffer.
    fn cut(&mut self, whole: usize) -> Result<Option<String>, String> {
        let Some((open, close)) = &self.outer else {
            return Ok(None);
        };
        if whole == 0 {
            return Ok(None);
        }
        let children: Vec<u8> = self.buffer.drain(..whole).collect();
        self.at -= whole;
        let text = String::from_utf8(children).map_err(|_| "it is not UTF-8".to_owned())?;
        // The first and the last part bring the outermost element's own tags along.
        let mut document = if self.is_begun {
            format!("{open}{text}")
        } else {
            self.is_begun = true;
            let at = text.find(open.as_str()).unwrap_or_default();
            text[at..].to_owned()
        };
        let is_empty_element = open.ends_with("/>");
        if !self.is_closed && !is_empty_element {
            document.push_str(close);
        }
        Ok(Some(document))
    }
}

/// Reads what stands at the `<` that the bytes begin with.
fn token(bytes: &[u8]) -> Result<Token, String> {
    let until = |end: &[u8]| match memmem::find(bytes, end) {
        Some(at) => Token::Aside(at + end.len()),
        None => Token::Partial,
    };
    match bytes.get(1) {
        None => Ok(Token::Partial),
        Some(b'?') => {
            let aside = until(b"?>");
            if let Token::Aside(length) = aside {
                check_declaration(&bytes[..length])?;
            }
            Ok(aside)
        }
        Some(b'!') if bytes.starts_with(b"<!--") => Ok(until(b"-->")),
        Some(b'!') if bytes.starts_with(b"<![CDATA[") => Ok(until(b"]]>")),
        Some(b'!') if b"<!--".starts_with(bytes) || b"<![CDATA[".starts_with(bytes) => {
            Ok(Token::Partial)
        }
        Some(b'!') => Err("it has a document type".to_owned()),
        Some(b'/') => Ok(memchr(b'>', bytes).map_or(Token::Partial, |at| Token::End(at + 1))),
        Some(_) => Ok(tag_end(bytes).map_or(Token::Partial, |at| {
            Token::Start(at + 1, bytes[at - 1] == b'/')
        })),
    }
}

/// Finds the `>` of a start tag; in quotes it is text.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

fn check_declaration(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let other = text.starts_with("<?xml ") && text.contains("encoding") && !text.contains("utf-8");
    if other && !text.contains("us-ascii") {
        return Err("it is not UTF-8".to_owned());
    }
    Ok(())
}

const DEPTH_MAX: usize = 64;
/// One response with all its properties.
const PENDING_BYTES_MAX: usize = 1024 * 1024;
