//! Typed reading of one JSON object. `null` counts as left out.
//!
//! In: a JSON value and its pointer. Out: texts, flags, numbers within bounds, words of
//! a list; or a fault that names place, value and what is wanted. Deliberately absent:
//! which keys a job has (`job`).

use super::fault::Fault;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// An object and where it stands.
pub(super) struct Fields<'a> {
    at: &'a str,
    object: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Takes a value for an object.
    pub(super) fn of(at: &'a str, value: &'a Value) -> Result<Self, Fault> {
        let object = value
            .as_object()
            .ok_or_else(|| Fault::wrong(at, value, "an object `{ }` is wanted"))?;
        Ok(Self { at, object })
    }

    /// Refuses keys that are not known, and names the nearest one that is.
    pub(super) fn only(&self, known: &[&str], prefix: &str) -> Result<(), Fault> {
        let stray = self.object.keys().find(|key| {
            !known.contains(&key.as_str()) && (prefix.is_empty() || !key.starts_with(prefix))
        });
        let Some(key) = stray else { return Ok(()) };
        let near = known
            .iter()
            .map(|known| (distance(key, known), known))
            .min()
            .filter(|(distance, known)| *distance <= 2 || *distance * 3 <= known.len());
        let problem = match near {
            Some((_, known)) => format!("unknown key; did you mean `{known}`?"),
            None => format!("unknown key; known are {}", known.join(", ")),
        };
        Err(Fault::at(pointer(self.at, key), problem))
    }

    /// A value, if it is there and not `null`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Fault> {
        self.read(key, "a text in quotes is wanted", Value::as_str)
    }

    /// True or false, which the old client sometimes wrote in quotes.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        self.read(key, "true or false is wanted", |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            _ => None,
        })
    }

    /// A whole number within bounds.
    pub(super) fn whole(
        &self,
        key: &str,
        bounds: RangeInclusive<i64>,
        unit: &str,
    ) -> Result<Option<i64>, Fault> {
        let wanted = format!(
            "a whole number from {} to {} is wanted ({unit})",
            bounds.start(),
            bounds.end()
        );
        self.read(key, &wanted, |value| {
            value.as_i64().filter(|number| bounds.contains(number))
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Fault> {
        let names: Vec<String> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let wanted = format!("one of {} is wanted", names.join(", "));
        self.read(key, &wanted, |value| {
            let text = value.as_str()?;
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, meaning)| *meaning)
        })
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>, Fault> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let at = pointer(self.at, key);
        let array = value
            .as_array()
            .ok_or_else(|| Fault::wrong(&at, value, "a list `[ ]` of texts is wanted"))?;
        let texts = array.iter().enumerate().map(|(place, value)| {
            value.as_str().map(str::to_owned).ok_or_else(|| {
                let at = pointer(&at, &place.to_string());
                Fault::wrong(&at, value, "a text in quotes is wanted")
            })
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Says that a value, which is there, cannot be.
    pub(super) fn wrong(&self, key: &str, wanted: &str) -> Fault {
        let value = self.object.get(key).unwrap_or(&Value::Null);
        Fault::wrong(&pointer(self.at, key), value, wanted)
    }

    /// Says that a key is missing.
    pub(super) fn missing(&self, key: &str, wanted: &str) -> Fault {
        Fault::at(self.at, format!("`{key}` is missing: {wanted}"))
    }

    fn read<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| self.wrong(key, wanted))
    }
}

/// Appends a name to a JSON pointer.
pub(super) fn pointer(parent: &str, name: &str) -> String {
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// How many letters have to be put in, left out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    // Long keys are no typos; their tail changes nothing.
    for (i, a) in one.chars().take(KEY_CHARS_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

const KEY_CHARS_MAX: usize = 64;
