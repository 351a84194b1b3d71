//! Answers: a status, headers, bytes.
//!
//! In: what rooms want to say. Out: [`Answer`]. Invariant: everything that comes from a
//! name is escaped here before it stands in XML. Deliberately absent: when to say what.

use bytes::Bytes;

/// What goes back to the client.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    /// A status and nothing else.
    pub(super) const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A status with the page that web servers show.
    pub(super) fn page(status: u16, title: &str) -> Self {
        let html = format!(
            "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n\
             <title>{status} {title}</title>\n</head><body>\n<h1>{title}</h1>\n<p>Please <a \
             href=\"/login\">log in</a> or try again.<br>\n</body></html>\n"
        );
        Self::empty(status)
            .with("Content-Type", "text/html; charset=iso-8859-1")
            .body(html)
    }

    /// A status as this kind of request gives it: errors have a page, the rest nothing.
    pub(super) fn status(status: u16) -> Self {
        if status < 400 {
            Self::empty(status)
        } else {
            Self::page(status, "Something is not as it should be")
        }
    }

    /// An error as Nextcloud writes it.
    pub(super) fn sabre(status: u16, exception: &str, message: &str) -> Self {
        let xml = format!(
            "{DECLARATION}\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n  \
             <s:exception>Sabre\\DAV\\Exception\\{exception}</s:exception>\n  \
             <s:message>{}</s:message>\n</d:error>\n",
            escape(message)
        );
        Self::empty(status)
            .with("Content-Type", "application/xml; charset=utf-8")
            .body(xml)
    }

    /// JSON.
    pub(super) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::empty(status)
            .with("Content-Type", "application/json; charset=utf-8")
            .body(value.to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// The first line of every XML answer.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// Text as it may stand in an element. Line ends are written as numbers: a parser may
/// make others of them.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() && c != '\t' => escaped.push('_'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The usual words for a status, as a status line has them.
pub(super) fn reason(status: u16) -> &'static str {
    hyper::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}
