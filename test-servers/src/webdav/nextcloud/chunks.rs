//! Chunked upload: a folder, parts, one MOVE. Version 2 numbers the parts and names the
//! destination with each request; version 1 names them by their range, the start first,
//! and is what rclone and older clients use.
//!
//! In: calls below `/remote.php/dav/uploads/<user>`. Out: answers, and a file at the end.
//! Invariant: parts become one file at once or not at all, and only if they are as long
//! together as was said. Uploads that are a day old are gone. Deliberately absent: a hash
//! of what was sent, which the server stores and never compares.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::answer::Answer;
use super::super::call::{Call, Map};
use super::super::content;
use super::super::faults::Fault;
use super::super::hrefs;
use super::super::names::Named;
use super::super::propfind::{Row, multistatus};
use super::super::props::{DAV, Name};
use super::super::quirks::{Percent, Quirks};
use super::super::server::State;
use super::super::tree::Node;
use super::super::versions::http_date;

/// Unfinished uploads by their name.
#[derive(Default)]
pub(in super::super) struct Uploads(BTreeMap<String, Upload>);

struct Upload {
    begun: u64,
    /// When it or its last part came.
    touched: u64,
    /// Whether it was begun without a destination.
    is_first_version: bool,
    /// By number, or by the first byte.
    parts: BTreeMap<u64, (String, Bytes)>,
}

impl Upload {
    const fn new(now: u64, is_first_version: bool) -> Self {
        Self {
            begun: now,
            touched: now,
            is_first_version,
            parts: BTreeMap::new(),
        }
    }

    fn lengths(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.parts.values().map(|(_, bytes)| bytes.len())
    }
}

impl Uploads {
    pub(in super::super) fn begin(&mut self, id: &str, now: u64) {
        let mut upload = Upload::new(now, false);
        let part = ("00001".to_owned(), Bytes::from_static(b"part"));
        upload.parts.insert(1, part);
        self.0.insert(id.to_owned(), upload);
    }

    pub(in super::super) fn age(&mut self, time: u64) {
        for upload in self.0.values_mut() {
            upload.begun = upload.begun.saturating_sub(time);
            upload.touched = upload.touched.saturating_sub(time);
        }
    }

    pub(in super::super) fn parts(&self) -> Vec<(String, usize)> {
        let counts = self.0.iter();
        counts
            .map(|(id, upload)| (id.clone(), upload.parts.len()))
            .collect()
    }
}

/// One call about an upload.
pub(super) struct Part<'a> {
    pub(super) quirks: &'a Quirks,
    pub(super) call: &'a Call,
    pub(super) map: &'a Map<'a>,
    pub(super) now: u64,
    pub(super) fault: Option<&'a Fault>,
}

impl Part<'_> {
    pub(super) fn answer(&self, state: &mut State, named: &Named) -> Answer {
        let now = self.now;
        let is_fresh = |upload: &Upload| now.saturating_sub(upload.begun) < DAY_US;
        state.uploads.0.retain(|_, upload| is_fresh(upload));
        let segments: Vec<&str> = named.segments.iter().map(String::as_str).collect();
        match (self.call.method.as_str(), segments.as_slice()) {
            ("MKCOL", [id]) => self.begin(state, id),
            ("PUT", [id, part]) => self.put(state, id, part),
            ("PROPFIND", [id]) => self.list(state, id),
            ("PROPFIND", []) => self.list_all(state),
            ("DELETE", [id]) => match state.uploads.0.remove(*id) {
                Some(_) => Answer::empty(204),
                None => gone(id),
            },
            ("DELETE", [id, part]) => {
                let upload = state.uploads.0.get_mut(*id);
                match upload.and_then(|upload| upload.parts.remove(&first_number(part)?)) {
                    Some(_) => Answer::empty(204),
                    None => gone(id),
                }
            }
            ("MOVE", [id, ".file"]) => self.assemble(state, id),
            _ => Answer::status(405),
        }
    }

    fn begin(&self, state: &mut State, id: &str) -> Answer {
        if state.uploads.0.contains_key(id) {
            let text = "The resource you tried to create already exists";
            return Answer::sabre(405, "MethodNotAllowed", text);
        }
        let is_first_version = !self.call.headers.contains_key("destination");
        if let Err(status) = self.destination()
            && !is_first_version
        {
            return Answer::status(status);
        }
        let upload = Upload::new(self.now, is_first_version);
        state.uploads.0.insert(id.to_owned(), upload);
        Answer::empty(201)
    }

    /// The place that it is for; version 2 wants it with every request.
    fn destination(&self) -> Result<Vec<String>, u16> {
        self.map.destination(self.call).map(|named| named.segments)
    }

    fn put(&self, state: &mut State, id: &str, part: &str) -> Answer {
        let known = state.uploads.0.get(id);
        let is_first_version = known.is_some_and(|upload| upload.is_first_version);
        if let Err(status) = self.destination()
            && !is_first_version
        {
            return Answer::status(status);
        }
        let number = if is_first_version {
            first_number(part)
        } else {
            part.parse().ok().filter(|number| PARTS.contains(number))
        };
        let Some(number) = number else {
            let text = "Invalid chunk name, must be numeric between 1 and 10000";
            return Answer::sabre(400, "BadRequest", text);
        };
        let total = self.call.number("oc-total-length").unwrap_or(0);
        let total = usize::try_from(total).unwrap_or(usize::MAX / 2);
        if content::is_too_much(self.quirks, state, 0, total) {
            return Answer::sabre(507, "InsufficientStorage", "Insufficient space");
        }
        let Some(upload) = state.uploads.0.get_mut(id) else {
            return gone(id);
        };
        upload.touched = self.now;
        let part = (part.to_owned(), self.call.body.clone());
        let old = upload.parts.insert(number, part);
        Answer::empty(if old.is_some() { 204 } else { 201 })
    }

    fn list_all(&self, state: &State) -> Answer {
        let own = self.row(self.call.path().to_owned(), 0, true, self.now);
        let rows = state.uploads.0.iter().map(|(id, upload)| {
            let id = hrefs::segment(Percent::STRICT, id);
            let href = format!("{}/{id}/", self.call.path().trim_end_matches('/'));
            self.row(href, 0, true, upload.touched)
        });
        let rows: Vec<_> = std::iter::once(own).chain(rows).collect();
        multistatus(self.quirks, &rows, "")
    }

    fn list(&self, state: &State, id: &str) -> Answer {
        let Some(upload) = state.uploads.0.get(id) else {
            return gone(id);
        };
        let folder = format!("{}/", self.call.path().trim_end_matches('/'));
        let mut rows = vec![self.row(folder.clone(), 0, true, upload.touched)];
        if self.call.header("depth") != Some("0") && self.fault != Some(&Fault::EmptyListing) {
            for (name, bytes) in upload.parts.values() {
                let name = hrefs::segment(Percent::STRICT, name);
                let href = format!("{folder}{name}");
                rows.push(self.row(href, bytes.len(), false, upload.touched));
            }
            let whole = upload.lengths().sum();
            let href = format!("{folder}.file");
            rows.push(self.row(href, whole, false, upload.touched));
        }
        multistatus(self.quirks, &rows, "")
    }

    fn row(&self, href: String, length: usize, folder: bool, time: u64) -> Row {
        let name = |local: &str| Name {
            space: DAV.to_owned(),
            local: local.to_owned(),
        };
        let kind = if folder {
            format!("<{}:collection/>", self.quirks.prefix)
        } else {
            String::new()
        };
        let mut found = vec![
            (name("resourcetype"), kind),
            (name("getlastmodified"), http_date(time)),
        ];
        if !folder {
            found.push((name("getcontentlength"), length.to_string()));
        }
        Row::of(href, found)
    }

    /// Makes one file of the parts.
    fn assemble(&self, state: &mut State, id: &str) -> Answer {
        let to = match self.destination() {
            Ok(to) => to,
            Err(status) => return Answer::status(status),
        };
        let Some(upload) = state.uploads.0.get(id) else {
            return gone(id);
        };
        if let Some(status) = self.refused(state, upload, &to) {
            return status;
        }
        let mut whole = BytesMut::new();
        for (_, part) in upload.parts.values() {
            whole.extend_from_slice(part);
        }
        let answer = content::store(self.quirks, state, self.call, &to, whole.freeze(), self.now);
        if answer.status < 300 {
            state.uploads.0.remove(id);
        }
        answer
    }

    fn refused(&self, state: &State, upload: &Upload, to: &[String]) -> Option<Answer> {
        let quirks = self.quirks;
        let length: usize = upload.lengths().sum();
        let small = |length| (length as u64) < quirks.chunk_min;
        if upload.lengths().rev().skip(1).any(small) {
            return Some(Answer::sabre(400, "BadRequest", "Chunk is too small"));
        }
        if let Some(total) = self.call.number("oc-total-length")
            && total != length as u64
        {
            let text = format!("Chunks on server do not sum up to {total} but to {length} bytes");
            return Some(Answer::sabre(400, "BadRequest", &text));
        }
        if let Some(status) = to.last().and_then(|name| quirks.refuses(name)) {
            return Some(Answer::status(status));
        }
        let known = state.tree.find(to);
        if !state.tree.has_parent(to) || known.is_some_and(Node::is_folder) {
            let text = "The destination node is not found";
            return Some(Answer::sabre(409, "Conflict", text));
        }
        if !quirks.chunk_conditions {
            return self.has_no_room(state, known, length);
        }
        // The part that is moved has no ETag, so only `If` can speak of the target.
        let seen = super::super::conditions::Seen {
            quirks,
            tree: &state.tree,
            map: self.map,
            now: self.now,
        };
        let unchanged = !self.call.headers.contains_key("if-match")
            && (!self.call.headers.contains_key("if") || seen.forbids(self.call, to).is_none());
        if !unchanged || (known.is_some() && self.call.header("overwrite") == Some("F")) {
            let text = "An If-Match header was specified, but it does not match";
            return Some(Answer::sabre(412, "PreconditionFailed", text));
        }
        self.has_no_room(state, known, length)
    }

    fn has_no_room(&self, state: &State, known: Option<&Node>, length: usize) -> Option<Answer> {
        let old = known.map_or(0, Node::len);
        let old = usize::try_from(old).unwrap_or(usize::MAX);
        content::is_too_much(self.quirks, state, old, length)
            .then(|| Answer::sabre(507, "InsufficientStorage", "Insufficient space"))
    }
}

/// The number that a part's name begins with.
fn first_number(name: &str) -> Option<u64> {
    let digits = name.split(|sign: char| !sign.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn gone(id: &str) -> Answer {
    let text = format!("File with name /uploads/{id} could not be located");
    Answer::sabre(404, "NotFound", &text)
}

const PARTS: std::ops::RangeInclusive<u64> = 1..=10_000;
const DAY_US: u64 = 86_400_000_000;
