//! A mistake in a job file, in words.
//!
//! In: a place, a value, what would be right. Out: one message. Invariant: a value that
//! may be a password is never shown. Deliberately absent: the file's name (`jobfile`).

use serde_json::Value;
use std::fmt;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// A JSON pointer, a line, or empty for the whole file.
    place: String,
    problem: String,
}

impl Fault {
    /// A mistake of the file as a whole.
    pub(super) fn whole(problem: impl Into<String>) -> Self {
        Self::at(String::new(), problem)
    }

    /// A mistake at a place.
    pub(super) fn at(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }

    /// Adds the line on which the place is, where it is a JSON pointer.
    pub(super) fn on_its_line(mut self, bytes: &[u8]) -> Self {
        if let Some(line) = super::text::line(bytes, &self.place) {
            self.place = format!("{} (line {line})", self.place);
        }
        self
    }

    /// A value that cannot be right.
    pub(super) fn wrong(pointer: &str, value: &Value, wanted: &str) -> Self {
        let is_private = ["/password", "/proxy"]
            .iter()
            .any(|key| pointer.ends_with(key));
        let shown = if is_private {
            "this".to_owned()
        } else {
            shown(value)
        };
        Self::at(pointer, format!("{shown} cannot be: {wanted}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.place, self.problem)
        }
    }
}

/// The value as it stands in the file, shortened.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => return "an array".to_owned(),
        Value::Object(_) => return "an object".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

const SHOWN_CHARS_MAX: usize = 60;
