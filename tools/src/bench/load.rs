//! A plain load generator: the requests that a sync cannot do without, and no more.
//!
//! In: a server's port, a tree or a place for one. Out: the files on the other side.
//! Invariant: as many connections as the program has transfers at once, each kept open.
//! Deliberately absent: looking before, checking after, remembering; that is the point.

use super::Result;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Transfers at once, as the program's default.
pub(super) const AT_ONCE: usize = 4;

/// `alice:secret`, as the server's default user.
const BASIC: &str = "Basic YWxpY2U6c2VjcmV0";

/// Uploads a tree of folders with files.
pub(super) fn upload(port: u16, root: &Path) -> Result<()> {
    let files = files(root)?;
    let mut nodes = String::new();
    for folder in fs::read_dir(root)? {
        nodes += &format!("nodes[]=/{}&", folder?.file_name().to_string_lossy());
    }
    let kind = "application/x-www-form-urlencoded";
    Connection::open(port)?.ask("POST", "mkdir/", kind, nodes.as_bytes())?;
    at_once(
        &files,
        |file, connection| {
            let bytes = fs::read(root.join(file))?;
            let folder = file.parent().unwrap_or(Path::new("")).display();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let mut body = Vec::with_capacity(bytes.len() + 1000);
            for (field, value) in [
                ("force_post", "true"),
                ("xhr_uploader", "true"),
                ("urlencoded_filename", &*name),
            ] {
                write!(
                    body,
                    "--xyz\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
                )?;
            }
            let part = "form-data; name=\"userfile_0\"; filename=\"f\"";
            write!(body, "--xyz\r\nContent-Disposition: {part}\r\n\r\n")?;
            body.extend_from_slice(&bytes);
            body.extend_from_slice(b"\r\n--xyz--\r\n");
            let kind = "multipart/form-data; boundary=xyz";
            let answer = connection.ask("POST", &format!("upload/put/{folder}"), kind, &body)?;
            if answer.windows(5).any(|five| five == b"<add>") {
                Ok(())
            } else {
                Err(String::from_utf8_lossy(&answer).into_owned().into())
            }
        },
        port,
    )
}

/// Downloads a tree whose names are known already.
pub(super) fn download(port: u16, names: &Path, root: &Path) -> Result<()> {
    let files = files(names)?;
    for folder in fs::read_dir(names)? {
        fs::create_dir(root.join(folder?.file_name()))?;
    }
    at_once(
        &files,
        |file, connection| {
            let target = format!("download/{}", file.display());
            let bytes = connection.ask("GET", &target, "", b"")?;
            Ok(fs::write(root.join(file), bytes)?)
        },
        port,
    )
}

/// A WebDAV server on this machine, and who uses it.
#[derive(Clone)]
pub(super) struct Dav {
    pub(super) port: u16,
    /// The path of the root, without a slash at the end.
    pub(super) root: String,
    /// What `Authorization` says.
    pub(super) authorization: String,
}

impl Dav {
    fn head(&self, method: &str, target: &str, length: usize) -> String {
        format!(
            "{method} {}/{target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {}\r\n\
             Content-Length: {length}\r\n\r\n",
            self.root, self.port, self.authorization
        )
    }

    /// Uploads a tree of folders with files.
    pub(super) fn upload(&self, root: &Path) -> Result<()> {
        let mut connection = Connection::open(self.port)?;
        for folder in fs::read_dir(root)? {
            let name = format!("{}/", folder?.file_name().to_string_lossy());
            connection.exchange(&self.head("MKCOL", &name, 0), b"", 201)?;
        }
        let put = |file: &Path, connection: &mut Connection| {
            let bytes = fs::read(root.join(file))?;
            let head = self.head("PUT", &file.to_string_lossy(), bytes.len());
            connection.exchange(&head, &bytes, 201).map(drop)
        };
        at_once(&files(root)?, put, self.port)
    }

    /// Downloads a tree whose names are known already.
    pub(super) fn download(&self, names: &Path, root: &Path) -> Result<()> {
        for folder in fs::read_dir(names)? {
            fs::create_dir(root.join(folder?.file_name()))?;
        }
        let get = |file: &Path, connection: &mut Connection| {
            let head = self.head("GET", &file.to_string_lossy(), 0);
            let bytes = connection.exchange(&head, b"", 200)?;
            Ok(fs::write(root.join(file), bytes)?)
        };
        at_once(&files(names)?, get, self.port)
    }
}

/// Does the work for each file, some at once, and returns the first error.
fn at_once(
    files: &[PathBuf],
    work: impl Fn(&Path, &mut Connection) -> Result<()> + Sync,
    port: u16,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let one = || -> std::result::Result<(), String> {
        let mut connection = Connection::open(port).map_err(|error| error.to_string())?;
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(file, &mut connection).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        let mut result = Ok(());
        for worker in workers {
            let ended = worker
                .join()
                .unwrap_or_else(|_| Err("a worker panicked".to_owned()));
            result = result.and(ended);
        }
        Ok(result?)
    })
}

/// The files in the folders of a tree, as paths from its root.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        for file in fs::read_dir(folder.path())? {
            files.push(Path::new(&folder.file_name()).join(file?.file_name()));
        }
    }
    Ok(files)
}

/// A connection that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends one request to the workspace and returns the body of the answer.
    fn ask(&mut self, method: &str, target: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>> {
        let head = format!(
            "{method} /api/sync/{target} HTTP/1.1\r\nHost: bench\r\nAuthorization: {BASIC}\r\n\
             User-Agent: python-requests\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.exchange(&head, body, 200)
    }

    /// Sends a request and returns the body of an answer with this status.
    fn exchange(&mut self, head: &str, body: &[u8], wanted: u16) -> Result<Vec<u8>> {
        let mut request = head.as_bytes().to_vec();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)?;
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the server ended the connection".into());
            }
            if status.is_empty() {
                status.clone_from(&line);
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        if status.starts_with(&format!("HTTP/1.1 {wanted}")) {
            Ok(answer)
        } else {
            let asked = head.lines().next().unwrap_or_default();
            Err(format!("{asked}: {}", status.trim()).into())
        }
    }
}
