//! A REQ socket in a hundred lines, apart from the program's own.
//!
//! In: an address, a method. Out: the reply. Invariant: every wait is bounded.
//! Deliberately absent: everything that a friendly daemon does not need (ZeroMQ RFC 23).

use super::Result;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Asks questions, one after the other.
pub(super) struct Asker(TcpStream);

impl Asker {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&greeting())?;
        stream.write_all(&ready("REQ"))?;
        let mut theirs = [0; 64];
        stream.read_exact(&mut theirs)?;
        let mut asker = Self(stream);
        asker.frame()?;
        Ok(asker)
    }

    /// Asks one question, with parameters as JSON.
    pub(super) fn ask(&mut self, method: &str, params: &str) -> Result<Value> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let mut bytes = vec![MORE, 0];
        bytes.extend(frame(0, body.as_bytes()));
        self.0.write_all(&bytes)?;
        loop {
            let (flags, body) = self.frame()?;
            if flags & (MORE | COMMAND) == 0 {
                return Ok(serde_json::from_slice(&body)?);
            }
        }
    }

    fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut flags = [0];
        self.0.read_exact(&mut flags)?;
        let length = if flags[0] & LONG == 0 {
            let mut length = [0];
            self.0.read_exact(&mut length)?;
            u64::from(length[0])
        } else {
            let mut length = [0; 8];
            self.0.read_exact(&mut length)?;
            u64::from_be_bytes(length)
        };
        if length > BYTES_MAX {
            return Err(format!("a frame of {length} bytes").into());
        }
        let mut body = vec![0; usize::try_from(length)?];
        self.0.read_exact(&mut body)?;
        Ok((flags[0], body))
    }
}

/// Version 3.1, mechanism NULL.
pub(super) fn greeting() -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[11] = 1;
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// The command that ends the handshake.
pub(super) fn ready(socket: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type".to_vec();
    body.extend(u32::try_from(socket.len()).unwrap_or(0).to_be_bytes());
    body.extend(socket.as_bytes());
    frame(COMMAND, &body)
}

/// A frame with its flags and length.
pub(super) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(body.len()) {
        Ok(length) => vec![flags, length],
        Err(_) => {
            let mut bytes = vec![flags | LONG];
            bytes.extend((body.len() as u64).to_be_bytes());
            bytes
        }
    };
    bytes.extend(body);
    bytes
}

pub(super) const MORE: u8 = 1;
pub(super) const LONG: u8 = 2;
pub(super) const COMMAND: u8 = 4;
const PATIENCE: Duration = Duration::from_secs(30);
const BYTES_MAX: u64 = 64 << 20;
