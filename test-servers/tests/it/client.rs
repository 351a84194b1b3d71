//! A small HTTP client that shows exactly what came over the wire.
//!
//! In: a method, a target, headers, a body. Out: status, headers, body as they are.
//! Invariant: one connection a request, so a server that ends a connection is seen.
//! Deliberately absent: everything that a real client does to be kind.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use test_servers::pydio::PydioServer;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header by its name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Someone who asks a server.
pub(crate) struct Client {
    address: String,
    authorization: String,
    agent: String,
}

/// The credentials of the default user.
pub(crate) const ALICE: &str = "Basic YWxpY2U6c2VjcmV0";

impl Client {
    /// The default user of a server.
    pub(crate) fn new(server: &PydioServer) -> Self {
        Self::with(server, ALICE)
    }

    /// A user with these credentials.
    pub(crate) fn with(server: &PydioServer, authorization: &str) -> Self {
        Self {
            address: format!("127.0.0.1:{}", server.port()),
            authorization: authorization.to_owned(),
            agent: "python-requests/2.5.1 tests".to_owned(),
        }
    }

    /// GET below `/api`.
    pub(crate) fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], b"").unwrap()
    }

    /// POST of a form below `/api`; `fields` is encoded already.
    pub(crate) fn post(&self, target: &str, fields: &str) -> Reply {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", target, &[kind], fields.as_bytes())
            .unwrap()
    }

    /// Uploads a file as the old client does; `more` are further fields.
    pub(crate) fn upload(
        &self,
        target: &str,
        name: &str,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> Reply {
        self.try_upload(target, name, content, more).unwrap()
    }

    /// The same where the connection may end.
    pub(crate) fn try_upload(
        &self,
        target: &str,
        name: &str,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> io::Result<Reply> {
        let mut body = Vec::new();
        let fixed = [
            ("force_post", "true"),
            ("xhr_uploader", "true"),
            ("urlencoded_filename", name),
        ];
        for (field, value) in fixed.iter().chain(more) {
            let part = format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(
            b"--xyz\r\nContent-Disposition: form-data; name=\"userfile_0\"; filename=\"f\"\r\n",
        );
        body.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--xyz--\r\n");
        self.send(
            "POST",
            target,
            &[("Content-Type", "multipart/form-data; boundary=xyz")],
            &body,
        )
    }

    /// One request; `target` is what follows `/api`.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        self.whole(method, &format!("/api{target}"), headers, body)
    }

    /// One request with its whole target.
    pub(crate) fn whole(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        let has = |name: &str| {
            headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if !self.authorization.is_empty() && !has("authorization") {
            head += &format!("Authorization: {}\r\n", self.authorization);
        }
        if !has("user-agent") {
            head += &format!("User-Agent: {}\r\n", self.agent);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method != "GET" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&bytes, method == "HEAD")
    }
}

fn parse(bytes: &[u8], head_only: bool) -> io::Result<Reply> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(cut)?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    let length: Option<usize> = reply
        .header("content-length")
        .and_then(|length| length.parse().ok());
    if !head_only && length.is_some_and(|length| length != reply.body.len()) {
        return Err(cut());
    }
    Ok(reply)
}
