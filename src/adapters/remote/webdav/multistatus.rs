//! A multistatus, read response by response.
//!
//! In: bytes of an answer. Out: responses with the properties that the server vouches
//! for. Invariant: names are matched by namespace, never by prefix; entities are the five
//! of XML and numbers; each value is bounded. An answer that is no whole multistatus is
//! an error. Deliberately absent: what an href means (`href`).

use super::frame::Frames;
use quick_xml::NsReader;
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// What a server says of one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) href: String,
    /// The status of the whole response, where it has one.
    pub(super) status: Option<u16>,
    pub(super) props: Props,
}

/// The properties that were told with success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Props {
    /// Whether it is a collection; nothing when the server does not say.
    pub(super) is_folder: Option<bool>,
    pub(super) size: Option<u64>,
    /// Seconds since 1970.
    pub(super) mtime: Option<i64>,
    pub(super) etag: Option<String>,
    pub(super) file_id: Option<u64>,
    pub(super) checksums: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) quota_free: Option<i64>,
    pub(super) quota_used: Option<i64>,
}

/// A multistatus on its way.
#[derive(Debug, Default)]
pub(super) struct Reader {
    frames: Frames,
    is_begun: bool,
}

impl Reader {
    /// Takes a piece; hands on each response that became whole by it.
    ///
    /// # Errors
    /// What is wrong with the document, in words.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        each: &mut impl FnMut(Response),
    ) -> Result<(), String> {
        match self.frames.push(piece)? {
            Some(document) => {
                self.is_begun = true;
                parse(&document, each)
            }
            None => Ok(()),
        }
    }

    /// Ends the document.
    ///
    /// # Errors
    /// It is not whole.
    pub(super) fn end(&self) -> Result<(), String> {
        self.frames.end()?;
        if self.is_begun {
            Ok(())
        } else {
            Err("it is empty".to_owned())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Multistatus,
    Response,
    Href,
    Status,
    Propstat,
    Prop,
    ResourceType,
    Collection,
    Field(Field),
    Checksums,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Size,
    Mtime,
    Etag,
    FileId,
    Checksum,
    Fingerprint,
    QuotaFree,
    QuotaUsed,
}

/// What is being read.
#[derive(Default)]
struct State {
    open: Vec<Tag>,
    text: String,
    response: Response,
    props: Props,
    status: Option<u16>,
}

fn parse(document: &str, each: &mut impl FnMut(Response)) -> Result<(), String> {
    let mut reader = NsReader::from_str(document);
    let mut state = State::default();
    loop {
        let (namespace, event) = reader
            .read_resolved_event()
            .map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                let tag = state.tag(&namespace, start.local_name().as_ref())?;
                state.opened(tag);
            }
            Event::Empty(start) => {
                let tag = state.tag(&namespace, start.local_name().as_ref())?;
                state.opened(tag);
                state.closed(each)?;
            }
            Event::End(_) => state.closed(each)?,
            Event::Text(text) => state.say(&text)?,
            Event::CData(text) => state.say(&text)?,
            Event::GeneralRef(name) => state.say(&entity(&name)?)?,
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::DocType(_) => return Err("it has a document type".to_owned()),
        }
    }
    if state.open.is_empty() {
        Ok(())
    } else {
        Err("it ends too early".to_owned())
    }
}

impl State {
    fn tag(&self, namespace: &ResolveResult<'_>, name: &str) -> Result<Tag, String> {
        let space = match namespace {
            ResolveResult::Bound(Namespace(space)) => *space,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(prefix) => return Err(format!("`{prefix}:` is not declared")),
        };
        let tag = match (self.open.last(), space, name) {
            (None, DAV, "multistatus") => Tag::Multistatus,
            (None, ..) => return Err(format!("it is no multistatus but `{name:.40}`")),
            (Some(Tag::Multistatus), DAV, "response") => Tag::Response,
            (Some(Tag::Response), DAV, "href") => Tag::Href,
            (Some(Tag::Response | Tag::Propstat), DAV, "status") => Tag::Status,
            (Some(Tag::Response), DAV, "propstat") => Tag::Propstat,
            (Some(Tag::Propstat), DAV, "prop") => Tag::Prop,
            (Some(Tag::Prop), DAV, "resourcetype") => Tag::ResourceType,
            (Some(Tag::ResourceType), DAV, "collection") => Tag::Collection,
            (Some(Tag::Prop), DAV, "getcontentlength") => Tag::Field(Field::Size),
            (Some(Tag::Prop), DAV, "getlastmodified") => Tag::Field(Field::Mtime),
            (Some(Tag::Prop), DAV, "getetag") => Tag::Field(Field::Etag),
            (Some(Tag::Prop), DAV, "quota-available-bytes") => Tag::Field(Field::QuotaFree),
            (Some(Tag::Prop), DAV, "quota-used-bytes") => Tag::Field(Field::QuotaUsed),
            (Some(Tag::Prop), OC, "fileid") => Tag::Field(Field::FileId),
            (Some(Tag::Prop), OC, "data-fingerprint") => Tag::Field(Field::Fingerprint),
            (Some(Tag::Prop), OC, "checksums") => Tag::Checksums,
            (Some(Tag::Checksums), OC, "checksum") => Tag::Field(Field::Checksum),
            _ => Tag::Other,
        };
        Ok(tag)
    }

    fn opened(&mut self, tag: Tag) {
        match tag {
            Tag::Response => self.response = Response::default(),
            Tag::Propstat => {
                self.props = Props::default();
                self.status = None;
            }
            Tag::ResourceType => self.props.is_folder = Some(false),
            Tag::Collection => self.props.is_folder = Some(true),
            _ => {}
        }
        self.text.clear();
        self.open.push(tag);
    }

    fn closed(&mut self, each: &mut impl FnMut(Response)) -> Result<(), String> {
        let tag = self.open.pop().ok_or("it closes too much")?;
        let text = self.text.trim();
        match tag {
            // What is said of several addresses at once is said of none alone.
            Tag::Href if !self.response.href.is_empty() => {
                return Err("a response names several addresses".to_owned());
            }
            Tag::Href => text.clone_into(&mut self.response.href),
            Tag::Status => {
                let status = Some(status(text).ok_or_else(|| format!("no status: `{text:.40}`"))?);
                match self.open.last() {
                    Some(Tag::Propstat) => self.status = status,
                    _ => self.response.status = status,
                }
            }
            // Without a status of its own it counts as told.
            Tag::Propstat if self.status.is_none_or(is_success) => {
                self.response.props.take(std::mem::take(&mut self.props));
            }
            Tag::Field(field) if !text.is_empty() => self.props.set(field, text),
            Tag::Response => each(std::mem::take(&mut self.response)),
            _ => {}
        }
        self.text.clear();
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        if matches!(
            self.open.last(),
            Some(Tag::Href | Tag::Status | Tag::Field(_))
        ) {
            if self.text.len() + text.len() > VALUE_BYTES_MAX {
                return Err(format!("a value has more than {VALUE_BYTES_MAX} bytes"));
            }
            self.text.push_str(text);
        }
        Ok(())
    }
}

impl Props {
    fn set(&mut self, field: Field, text: &str) {
        let owned = || Some(text.to_owned());
        match field {
            Field::Size => self.size = text.parse().ok(),
            Field::Mtime => self.mtime = seconds(text),
            Field::Etag => self.etag = owned(),
            Field::FileId => self.file_id = text.parse().ok(),
            Field::Checksum => self.checksums = owned(),
            Field::Fingerprint => self.fingerprint = owned(),
            Field::QuotaFree => self.quota_free = text.parse().ok(),
            Field::QuotaUsed => self.quota_used = text.parse().ok(),
        }
    }

    fn take(&mut self, other: Self) {
        self.is_folder = other.is_folder.or(self.is_folder);
        self.size = other.size.or(self.size);
        self.mtime = other.mtime.or(self.mtime);
        self.etag = other.etag.or(self.etag.take());
        self.file_id = other.file_id.or(self.file_id);
        self.checksums = other.checksums.or(self.checksums.take());
        self.fingerprint = other.fingerprint.or(self.fingerprint.take());
        self.quota_free = other.quota_free.or(self.quota_free);
        self.quota_used = other.quota_used.or(self.quota_used);
    }
}

/// Reads a date of HTTP as seconds since 1970.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// Tells whether a status is a success.
pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Reads `HTTP/1.1 200 OK`.
fn status(text: &str) -> Option<u16> {
    let code = text.split_ascii_whitespace().nth(1)?;
    code.parse().ok().filter(|code| (100..600).contains(code))
}

fn entity(name: &BytesRef<'_>) -> Result<String, String> {
    if let Some(found) = name.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(found.to_string());
    }
    let text = match &**name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        other => return Err(format!("`&{other:.40};` is no entity of XML")),
    };
    Ok(text.to_owned())
}

const DAV: &str = "DAV:";
const OC: &str = "http://owncloud.org/ns";
const VALUE_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
