//! Answers in the shapes that the server has, see the table of shapes in each maker.
//!
//! In: texts and nodes. Out: status, headers, body. Invariant: everything that comes from
//! a name or a message is escaped here. Deliberately absent: when to give which answer.

use std::fmt::Write as _;
use std::fs::File;

use bytes::Bytes;

/// What goes back to the client.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

/// What an answer carries.
pub(super) enum Body {
    Bytes(Bytes),
    /// So many bytes of an open file, from where it stands.
    File(File, u64),
}

impl Body {
    /// Its length in bytes.
    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

const XML: &str = "text/xml; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";

impl Answer {
    /// 200 with this content type.
    pub(super) fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: Body::Bytes(body.into()),
        }
    }

    /// Plain text: upload errors and some others.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        Self::new(HTML, text)
    }

    /// Nothing: unknown actions, plugins that are not there, some successes.
    pub(super) fn empty() -> Self {
        Self::text(Bytes::new())
    }

    /// An XML document of the server's usual root, with this inside.
    pub(super) fn tree(inside: &str) -> Self {
        Self::xml(&format!("<tree >{inside}</tree>"))
    }

    /// An XML document.
    pub(super) fn xml(document: &str) -> Self {
        Self::new(XML, format!("{DECLARATION}{document}"))
    }

    /// The usual error.
    pub(super) fn error(text: &str) -> Self {
        Self::tree(&message("ERROR", text))
    }

    /// No right for this in this workspace.
    pub(super) fn forbidden(text: &str) -> Self {
        Self::tree(&format!("{}<require_auth/>", message("ERROR", text)))
    }

    /// Done, with what changed.
    pub(super) fn success(text: &str, diff: &Diff) -> Self {
        Self::tree(&format!("{}{}", message("SUCCESS", text), diff.xml()))
    }

    /// 401 with or without a challenge.
    pub(super) fn unauthorized(text: &'static str, challenge: bool) -> Self {
        let mut answer = Self::text(text);
        answer.status = 401;
        if challenge {
            let basic = "Basic realm=\"Pydio API\"".to_owned();
            answer.headers.push(("WWW-Authenticate", basic));
        }
        answer
    }

    /// A page of the web server in front.
    pub(super) fn page(status: u16, title: &str) -> Self {
        let mut answer = Self::new(
            "text/html; charset=iso-8859-1",
            format!(
                "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
                 <title>{title}</title>\n</head><body>\n<h1>{title}</h1>\n</body></html>\n"
            ),
        );
        answer.status = status;
        answer
    }
}

/// The first line of every XML answer.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// A message element.
pub(super) fn message(kind: &str, text: &str) -> String {
    format!("<message type=\"{kind}\">{}</message>", escape(text))
}

/// What an action changed, as `nodes_diff` shows it; the parts are XML.
#[derive(Default)]
pub(super) struct Diff {
    pub(super) remove: String,
    pub(super) add: String,
    pub(super) update: String,
}

impl Diff {
    /// Adds a node that is gone.
    pub(super) fn removed(&mut self, path: &str) {
        // A String takes everything that is written to it.
        let _ = write!(self.remove, "<tree filename=\"{}\"/>", escape(path));
    }

    /// The element, or nothing when nothing changed.
    pub(super) fn xml(&self) -> String {
        let part = |name: &str, inside: &str| {
            if inside.is_empty() {
                String::new()
            } else {
                format!("<{name}>{inside}</{name}>")
            }
        };
        let parts =
            part("remove", &self.remove) + &part("add", &self.add) + &part("update", &self.update);
        part("nodes_diff", &parts)
    }
}

/// Escapes for XML text and attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

/// A JSON string as PHP writes it: slashes and everything beyond ASCII escaped.
pub(super) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // A String takes everything that is written to it.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}
