//! The text of a JSON file, value by value, so that one can be found and taken out
//! without touching the rest.
//!
//! In: bytes that a parser has accepted, a JSON pointer. Out: where that value stands,
//! or the bytes without it or with one more. Invariant: every byte that is not asked
//! for stays as it was. Deliberately absent: judging JSON (`unique`).

use std::ops::Range;

/// A value of an object or an array, with its key if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    key: Option<String>,
    /// Key and value.
    whole: Range<usize>,
    value: Range<usize>,
}

/// The line on which a value begins, counted from 1.
pub(super) fn line(bytes: &[u8], pointer: &str) -> Option<usize> {
    let (_, item) = find(bytes, pointer)?;
    let before = bytes.get(..item.whole.start)?;
    Some(1 + before.iter().filter(|byte| **byte == b'\n').count())
}

/// The file without one value, its key and one comma.
pub(in crate::cli) fn without(bytes: &[u8], pointer: &str) -> Option<Vec<u8>> {
    let (siblings, item) = find(bytes, pointer)?;
    let place = siblings.iter().position(|sibling| *sibling == item)?;
    let hole = match (place.checked_sub(1), siblings.get(place + 1)) {
        (_, Some(next)) => item.whole.start..next.whole.start,
        (Some(previous), None) => siblings[previous].whole.end..item.whole.end,
        (None, None) => item.whole,
    };
    let mut rest = bytes.get(..hole.start)?.to_vec();
    rest.extend_from_slice(bytes.get(hole.end..)?);
    Some(rest)
}

/// The file with one more value at the end of the array or object that it is.
/// In an object the value stands under `key`.
pub(in crate::cli) fn with(bytes: &[u8], key: &str, value: &str) -> Option<Vec<u8>> {
    let mut scan = Scan {
        bytes,
        at: start(bytes),
    };
    scan.space();
    let is_object = match scan.peek()? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let open = scan.at;
    let items = scan.items()?;
    let key = serde_json::Value::from(key).to_string();
    let entry = if is_object {
        format!("{key}: {value}")
    } else {
        value.to_owned()
    };
    let (at, text) = match items.last() {
        Some(last) => (last.whole.end, format!(",\n  {entry}")),
        None => (open + 1, format!("\n  {entry}\n")),
    };
    let mut whole = bytes.get(..at)?.to_vec();
    whole.extend_from_slice(text.as_bytes());
    whole.extend_from_slice(bytes.get(at..)?);
    Some(whole)
}

/// Finds a value and those that stand beside it.
fn find(bytes: &[u8], pointer: &str) -> Option<(Vec<Item>, Item)> {
    let mut at = start(bytes);
    let mut found = None;
    for name in pointer.strip_prefix('/')?.split('/') {
        let name = name.replace("~1", "/").replace("~0", "~");
        let mut scan = Scan { bytes, at };
        scan.space();
        let items = scan.items()?;
        let fits = |(place, item): &(usize, &Item)| match &item.key {
            Some(key) => *key == name,
            None => place.to_string() == name,
        };
        let (_, item) = items.iter().enumerate().find(fits)?;
        let item = item.clone();
        at = item.value.start;
        found = Some((items, item));
    }
    found
}

fn start(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Reads an array or object, up to behind its end.
    fn items(&mut self) -> Option<Vec<Item>> {
        let is_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            match self.peek()? {
                b'}' | b']' => {
                    self.at += 1;
                    return Some(items);
                }
                b',' => self.at += 1,
                _ => items.push(self.item(is_object)?),
            }
        }
    }

    fn item(&mut self, has_key: bool) -> Option<Item> {
        let start = self.at;
        let mut key = None;
        if has_key {
            let text = self.value()?;
            key = Some(serde_json::from_slice(self.bytes.get(text)?).ok()?);
            self.space();
            self.at += 1;
            self.space();
        }
        let value = self.value()?;
        Some(Item {
            key,
            whole: start..value.end,
            value,
        })
    }

    /// Passes over a value. The parser before has bounded how deep it is.
    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        match self.peek()? {
            b'{' | b'[' => {
                self.items()?;
            }
            b'"' => {
                self.at += 1;
                while self.peek()? != b'"' {
                    self.at += if self.peek()? == b'\\' { 2 } else { 1 };
                }
                self.at += 1;
            }
            _ => {
                let is_inside = |byte: u8| !byte.is_ascii_whitespace() && !b",]}".contains(&byte);
                while self.peek().is_some_and(is_inside) {
                    self.at += 1;
                }
                if self.at == start {
                    return None;
                }
            }
        }
        Some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, pointer: &str) -> Option<String> {
        without(text.as_bytes(), pointer).map(|bytes| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn a_value_goes_with_its_key_and_one_comma_and_nothing_else_changes() {
        let table = [
            (r#"[{"a": 1, "b": 2}]"#, "/0/a", r#"[{"b": 2}]"#),
            (r#"[{"a": 1, "b": 2}]"#, "/0/b", r#"[{"a": 1}]"#),
            (r#"[{"a": 1}]"#, "/0/a", "[{}]"),
            (
                "[{\n  \"a\": 1,\n  \"b\" : \"x\\\"},\"\n}]",
                "/0/b",
                "[{\n  \"a\": 1\n}]",
            ),
            (
                r#"{"x/y": {"a": [1, {"b": 2}], "c": null}}"#,
                "/x~1y/a",
                r#"{"x/y": {"c": null}}"#,
            ),
            (r#"[ 1 ,2, 3 ]"#, "/1", "[ 1 ,3 ]"),
            (r#"{"\u0061": 1, "b": 2}"#, "/a", r#"{"b": 2}"#),
        ];
        for (before, pointer, after) in table {
            assert_eq!(
                edited(before, pointer).as_deref(),
                Some(after),
                "{before} {pointer}"
            );
        }
        assert_eq!(edited("[1]", "/1"), None);
        assert_eq!(edited("7", "/0"), None);
    }

    #[test]
    fn a_value_is_put_at_the_end() {
        let table = [
            ("[]", "[\n  {}\n]"),
            ("[{\"a\": 1}]\n", "[{\"a\": 1},\n  {}]\n"),
            ("{\n  \"a\": {}\n}", "{\n  \"a\": {},\n  \"new\": {}\n}"),
        ];
        for (before, after) in table {
            let whole = with(before.as_bytes(), "new", "{}").expect("a container");
            assert_eq!(String::from_utf8(whole).expect("UTF-8"), after);
        }
    }

    #[test]
    fn a_value_is_found_on_its_line() {
        let text = b"\xef\xbb\xbf[\n {\"a\":\n 1,\n\n \"b\": 2}]";
        assert_eq!(line(text, "/0"), Some(2));
        assert_eq!(line(text, "/0/b"), Some(5));
        assert_eq!(line(text, "/1"), None);
    }
}
