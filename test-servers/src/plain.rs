//! A plain HTTP client for tests: it shows exactly what came over the wire.
//!
//! In: a method, a URL, headers, a body. Out: status, headers, body as they are.
//! Invariant: one connection a request, so a server that ends a connection is seen.
//! Deliberately absent: everything that a real client does to be kind.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Names and values as they came.
    pub headers: Vec<(String, String)>,
    /// The body, without what transfer encodings add.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header by its name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Somebody who asks a server below one address.
#[derive(Clone, Debug)]
pub struct Plain {
    host: String,
    root: String,
    authorization: String,
}

impl Plain {
    /// A client of `http://host:port/path` with a name and a password.
    #[must_use]
    pub fn new(url: &str, user: &str, password: &str) -> Self {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let (host, root) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self {
            host: host.to_owned(),
            root: root.trim_end_matches('/').to_owned(),
            authorization: basic(user, password),
        }
    }

    /// The same with another `Authorization`.
    #[must_use]
    pub fn authorized(mut self, value: &str) -> Self {
        value.clone_into(&mut self.authorization);
        self
    }

    /// The URL of a path below the root, as `Destination` wants it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.host, self.root)
    }

    /// Sends a request to an encoded path below the root.
    ///
    /// # Errors
    /// If no whole answer came.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: close\r\n\
             Content-Length: {}\r\n",
            self.root,
            self.host,
            self.authorization,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        // A server may answer and leave before it has read everything.
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(body));
        let mut raw = Vec::new();
        let read = stream.read_to_end(&mut raw);
        match parse(&raw, method) {
            Some(reply) => Ok(reply),
            None => sent
                .and(read.map(drop))
                .and(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// What `Authorization` says of a name and a password.
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

/// Reads a whole answer; nothing if it is cut.
fn parse(raw: &[u8], method: &str) -> Option<Reply> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: Vec::new(),
    };
    let rest = &raw[end + 4..];
    let chunked = reply.header("transfer-encoding") == Some("chunked");
    let length = reply.header("content-length");
    reply.body = if method == "HEAD" {
        Vec::new()
    } else if chunked {
        unchunk(rest)?
    } else if let Some(length) = length {
        rest.get(..length.parse().ok()?)?.to_vec()
    } else {
        rest.to_vec()
    };
    Some(reply)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let of = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit > three.len() {
                '='
            } else {
                char::from(DIGITS[value as usize])
            });
        }
    }
    text
}

const PATIENCE: Duration = Duration::from_secs(20);
