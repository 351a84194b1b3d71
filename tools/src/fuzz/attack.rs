//! What strangers send.
//!
//! In: a seed. Out: connections with nonsense of growing politeness: bytes, greetings,
//! frames, requests. Invariant: nothing that is sent orders anything, so that whatever
//! it leads to is a fault. A new kind of nonsense is an arm of [`Attack::nonsense`].

use super::peer::{COMMAND, LONG, MORE, frame, greeting, ready};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Chance from a seed.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn bytes(&mut self, end: usize) -> Vec<u8> {
        let count = self.below(end);
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// A stranger.
pub(super) struct Attack {
    pub(super) publish: SocketAddr,
    pub(super) commands: SocketAddr,
    /// The job's id, for requests that nearly make sense.
    pub(super) job: String,
    pub(super) chance: Chance,
}

impl Attack {
    /// Connects, sends, and goes away in one manner or another. Returns how many bytes
    /// were sent.
    pub(super) fn once(&mut self) -> std::io::Result<u64> {
        let is_publish = self.chance.below(2) == 0;
        let address = if is_publish {
            self.publish
        } else {
            self.commands
        };
        let bytes = self.nonsense(is_publish);
        let mut stream = TcpStream::connect_timeout(&address, MOMENT)?;
        stream.set_write_timeout(Some(MOMENT))?;
        stream.set_read_timeout(Some(MOMENT / 10))?;
        let mut sent = 0;
        while sent < bytes.len() {
            // In pieces of any size, as networks do.
            let end = bytes.len().min(sent + 1 + self.chance.below(4096));
            stream.write_all(&bytes[sent..end])?;
            sent = end;
        }
        match self.chance.below(4) {
            0 => stream.shutdown(Shutdown::Write)?,
            1 => {
                let mut answer = [0; 4096];
                // Some wait for answers, or for the end.
                for _ in 0..ANSWERS_MAX {
                    if stream.read(&mut answer)? == 0 {
                        break;
                    }
                }
            }
            _ => {}
        }
        Ok(sent as u64)
    }

    fn nonsense(&mut self, is_publish: bool) -> Vec<u8> {
        let socket = if is_publish { "SUB" } else { "REQ" };
        let mut bytes = Vec::new();
        match self.chance.below(8) {
            0 => return self.chance.bytes(8192),
            1 => {
                bytes.extend(greeting());
                bytes.extend(self.chance.bytes(4096));
                return bytes;
            }
            2 => {
                let mut half = greeting().to_vec();
                half.extend(ready(socket));
                half.truncate(self.chance.below(half.len()));
                return half;
            }
            3 => {
                let names = ["SUB", "REQ", "PUB", "ROUTER", "DEALER", "XSUB", "REP", "?"];
                bytes.extend(greeting());
                bytes.extend(ready(self.chance.pick(&names)));
            }
            _ => {
                bytes.extend(greeting());
                bytes.extend(ready(socket));
            }
        }
        for _ in 0..self.chance.below(20) {
            let part = self.message(is_publish);
            bytes.extend(part);
        }
        if self.chance.below(4) == 0 {
            self.spoil(&mut bytes);
        }
        bytes
    }

    fn message(&mut self, is_publish: bool) -> Vec<u8> {
        match self.chance.below(6) {
            0 => {
                let flags = self.chance.next().to_le_bytes()[0];
                let body = self.chance.bytes(300);
                frame(flags & !LONG, &body)
            }
            1 => {
                // A length that nobody can mean.
                let mut bytes = vec![LONG | (self.chance.next().to_le_bytes()[0] & MORE)];
                let length = self.chance.next() >> self.chance.below(60);
                bytes.extend(length.to_be_bytes());
                bytes.extend(self.chance.bytes(300));
                bytes
            }
            2 => {
                let names = ["PING", "PONG", "READY", "ERROR", "SUBSCRIBE", "CANCEL", "X"];
                let name = self.chance.pick(&names);
                let mut body = vec![u8::try_from(name.len()).unwrap_or(0)];
                body.extend(name.as_bytes());
                body.extend(self.chance.bytes(64));
                frame(COMMAND, &body)
            }
            3 => {
                let parts = self.chance.below(40);
                let mut bytes = Vec::new();
                for _ in 0..parts {
                    bytes.extend(frame(MORE, &self.chance.bytes(8)));
                }
                bytes
            }
            _ if is_publish => {
                let topics = ["", "journal.", "status.", "live.", "notify.", "task.x.1"];
                let mut body = vec![u8::from(self.chance.below(4) > 0)];
                body.extend(self.chance.pick(&topics).as_bytes());
                if self.chance.below(3) == 0 {
                    body.extend(self.chance.bytes(300));
                }
                frame(0, &body)
            }
            _ => {
                let mut bytes = frame(MORE, b"");
                let body = self.request();
                bytes.extend(frame(0, &body));
                bytes
            }
        }
    }

    /// A request that only asks, mostly spoilt.
    fn request(&mut self) -> Vec<u8> {
        let (method, params) = *self.chance.pick(&REQUESTS.each_ref());
        let params = params.replace("JOB", &self.job);
        let mut body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
                .into_bytes();
        match self.chance.below(6) {
            0 => body = self.chance.pick(&WORDS).as_bytes().to_vec(),
            1 => {
                let depth = self.chance.below(100_000);
                body = [b"[".repeat(depth), body].concat();
            }
            2 => {
                let batch = b",".to_vec();
                let many = self.chance.below(200);
                body = [&b"["[..], &[body, batch].concat().repeat(many), b"1]"].concat();
            }
            3 => {}
            _ => self.spoil(&mut body),
        }
        body
    }

    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.chance.below(8) {
            let at = self.chance.below(bytes.len());
            match self.chance.below(3) {
                _ if bytes.is_empty() => return,
                0 => bytes[at] ^= 1 << self.chance.below(8),
                1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, self.chance.next().to_le_bytes()[0]),
            }
        }
    }
}

/// Requests that change nothing.
const REQUESTS: [(&str, &str); 12] = [
    ("version", "{}"),
    ("job.list", "{}"),
    ("job.status", r#"{"job":"JOB"}"#),
    ("job.status", r#"{"job":"no such job"}"#),
    (
        "conflict.list",
        r#"{"job":"JOB","from":18446744073709551615}"#,
    ),
    ("problem.list", r#"{"job":"JOB","limit":1000}"#),
    ("journal.read", r#"{"job":"JOB","from":1,"limit":1000}"#),
    ("journal.read", r#"{"job":"JOB","from":-1,"limit":1e9}"#),
    ("subscribe.snapshot", r#"{"job":"JOB"}"#),
    (
        "subscribe.snapshot",
        r#"{"job":"JOB","snapshot":"x","from":7}"#,
    ),
    ("explain", r#"{"job":"JOB","path":"../../etc/passwd"}"#),
    ("explain", r#"{"job":"JOB","path":"file1"}"#),
];
const WORDS: [&str; 6] = [
    "STATUS",
    "STATUS 0",
    "LIST-JOBS",
    "STATUS 99999999999999999999",
    "",
    "?",
];
const MOMENT: Duration = Duration::from_secs(5);
/// After so many readings a subscriber has heard enough.
const ANSWERS_MAX: usize = 64;
