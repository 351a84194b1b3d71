//! What an answer means, whose status hardly ever says so.
//!
//! In: answers. Out: documents, values, or errors with a class. Invariant: only
//! an answer that says success in the expected form is one; texts are in the user's
//! language and are passed on, never understood, but for codes in parentheses.
//! Deliberately absent: asking again. A new shape is an arm here and a recording
//! in the tests.

use super::http::{Answer, Effect, doubt, unsupported};
use super::xml::{self, Document};
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use serde_json::Value;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It took place, with what the server says that it touched.
    Done(Document),
    /// It did not, or not wholly.
    Refused(Refused),
    /// A plain text with a code.
    Code(u16, String),
    /// An upload that the server did not even take for one.
    NoFields,
}

/// A refusal in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) text: String,
    /// The right for this action is missing in this workspace.
    pub(super) is_denied: bool,
    /// What was done all the same.
    pub(super) document: Document,
}

impl Refused {
    /// Makes an error of it, of a class that was found out elsewhere.
    pub(super) fn error(&self, class: FailureClass, path: &str) -> PortError {
        if self.is_denied {
            return PortError::new(
                FailureClass::Denied,
                format!(
                    "`{path}`: {}; use the direction `down` to only receive",
                    self.text
                ),
            );
        }
        PortError::new(class, format!("`{path}`: {}", self.text))
    }
}

/// Reads the answer to a change.
///
/// # Errors
/// `InDoubt` when it says neither that it took place nor that it did not.
pub(super) fn verdict(answer: &Answer) -> PortResult<Verdict> {
    if let Some(document) = document(answer) {
        if document.errors.is_empty() && !document.require_auth {
            return Ok(Verdict::Done(document));
        }
        return Ok(Verdict::Refused(Refused {
            text: clean(&document.errors.join("; ")),
            is_denied: document.require_auth,
            document,
        }));
    }
    let text = plain(answer);
    if text.starts_with("Warning, missing headers") || text.starts_with("Warning, wrong headers") {
        return Ok(Verdict::NoFields);
    }
    if text.starts_with(NO_WORKSPACE) {
        return Err(PortError::new(FailureClass::Denied, text));
    }
    match code(&text) {
        Some(code) => Ok(Verdict::Code(code, text)),
        None => Err(strange(answer, Effect::Writes)),
    }
}

/// Reads a document that a question was answered with.
///
/// # Errors
/// `Precondition` when the server says that it cannot; `Retry` for anything that is
/// no whole document.
pub(super) fn listing(answer: &Answer) -> PortResult<Document> {
    let document = document(answer).ok_or_else(|| no_listing(answer))?;
    if let Some(text) = document.errors.first() {
        return Err(PortError::precondition(clean(text)));
    }
    if document.require_auth {
        return Err(PortError::new(
            FailureClass::Denied,
            "the server wants a log-in",
        ));
    }
    Ok(document)
}

fn no_listing(answer: &Answer) -> PortError {
    let text = plain(answer);
    if text.starts_with(NO_WORKSPACE) {
        return PortError::precondition(text);
    }
    strange(answer, Effect::Reads)
}

/// Reads JSON that a question was answered with; nothing for an empty answer, by
/// which the server says that it does not know the question.
///
/// # Errors
/// `Denied` or `Precondition` when the server refuses in XML or plain text; `Retry`
/// for anything else.
pub(super) fn json(answer: &Answer) -> PortResult<Option<Value>> {
    if answer.status == 206 {
        return Err(PortError::new(FailureClass::Retry, "a piece of an answer"));
    }
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    if let Ok(value) = serde_json::from_slice(&answer.body) {
        return Ok(Some(value));
    }
    listing(answer)?;
    Err(strange(answer, Effect::Reads))
}

/// Returns a parsed XML body; nothing when it is none or was cut.
pub(super) fn document(answer: &Answer) -> Option<Document> {
    let looks = answer.kind.contains("xml") || answer.body.starts_with(b"<?xml");
    if looks {
        xml::read(&answer.body).ok()
    } else {
        None
    }
}

fn strange(answer: &Answer, effect: Effect) -> PortError {
    let start = clean(&plain(answer));
    PortError::new(
        doubt(effect),
        format!(
            "an answer that Pydio does not give (status {}, {}): {start}",
            answer.status,
            if answer.kind.is_empty() {
                "no type"
            } else {
                &answer.kind
            }
        ),
    )
}

fn plain(answer: &Answer) -> String {
    let start = &answer.body[..answer.body.len().min(TEXT_BYTES_MAX)];
    String::from_utf8_lossy(start).trim().to_owned()
}

/// Takes markup and lines out of a text for people, and bounds it.
fn clean(text: &str) -> String {
    let text = text.replace("<br>", " ");
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(TEXT_CHARS_MAX)
        .collect();
    text.trim().to_owned()
}

/// Finds the code at the end of a plain text.
fn code(text: &str) -> Option<u16> {
    let inner = text.strip_suffix(')')?;
    let (_, digits) = inner.rsplit_once('(')?;
    digits.parse().ok().filter(|code| (100..600).contains(code))
}

/// Reads a number that some servers send as text.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Returns the items of what is an array or, for a single one, the item itself.
pub(super) fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

/// Makes the error of a 401 that is not about the credentials.
pub(super) fn forbidden(what: &str) -> PortError {
    PortError::new(
        FailureClass::Denied,
        format!("the server does not let this user into {what}"),
    )
}

/// Makes the error of a question that the server does not know.
pub(super) fn unknown(what: &str) -> PortError {
    unsupported(format!("the server does not offer {what}"))
}

const NO_WORKSPACE: &str = "Cannot find repository with ID";
const TEXT_BYTES_MAX: usize = 2000;
const TEXT_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, body: &str) -> Answer {
        Answer {
            status: 200,
            kind: kind.to_owned(),
            has_challenge: false,
            body: body.as_bytes().to_vec(),
        }
    }

    const XML: &str = "text/xml; charset=utf-8";
    const HTML: &str = "text/html; charset=utf-8";

    #[test]
    fn a_status_200_is_judged_by_its_body() {
        let refused = r#"<tree ><message type="ERROR">You have no write permission on this folder</message><require_auth/></tree>"#;
        let Ok(Verdict::Refused(found)) = verdict(&answer(XML, refused)) else {
            panic!("a refusal");
        };
        assert!(found.is_denied);
        assert_eq!(
            found.error(FailureClass::Retry, "/x").class,
            FailureClass::Denied
        );
        let table = [
            ("You must select a file (410)", 410),
            ("You are exceeding your quota (1 MB)! (507)", 507),
            ("The directory /a is not writeable.. (412)", 412),
        ];
        for (text, code) in table {
            assert_eq!(
                verdict(&answer(HTML, text)),
                Ok(Verdict::Code(code, text.to_owned()))
            );
        }
        assert_eq!(
            verdict(&answer(HTML, "Warning, missing headers!")),
            Ok(Verdict::NoFields)
        );
    }

    #[test]
    fn an_answer_in_no_known_form_leaves_a_change_in_doubt() {
        for (kind, body) in [
            (HTML, ""),
            (HTML, "<html><body>It works!</body></html>"),
            (XML, "<tree ><nodes_diff><add>"),
            ("application/json", "{}"),
        ] {
            let class = verdict(&answer(kind, body)).map_err(|error| error.class);
            assert_eq!(class, Err(FailureClass::InDoubt), "{body}");
        }
    }

    #[test]
    fn an_answer_in_no_known_form_is_no_listing_and_no_json() {
        for (kind, body, class) in [
            (HTML, "<html></html>", FailureClass::Retry),
            (XML, "<tree ><tree filename=\"/a\"", FailureClass::Retry),
            (
                HTML,
                "Cannot find repository with ID x",
                FailureClass::Precondition,
            ),
            (
                XML,
                r#"<tree ><message type="ERROR">no</message></tree>"#,
                FailureClass::Precondition,
            ),
            (XML, "<tree ><require_auth/></tree>", FailureClass::Denied),
        ] {
            let answer = answer(kind, body);
            assert_eq!(
                listing(&answer).map_err(|error| error.class),
                Err(class),
                "{body}"
            );
            assert_eq!(
                json(&answer).map_err(|error| error.class),
                Err(class),
                "{body}"
            );
        }
        assert_eq!(json(&answer(HTML, "\n")), Ok(None));
    }
}
