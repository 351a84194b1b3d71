//! Numbers, sizes, times and names as people read them.
//!
//! In: values. Out: text. Invariant: no name from a disk or a journal can command the
//! terminal. Deliberately absent: JSON, in which values stay as they are.

use journal_format::value::Timestamp;
use std::fmt::Write;

/// `1 file`, `2 files`, `0 files`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `12 bytes`, `1.5 KiB`, `3.2 GiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => count(bytes, "byte", "bytes"),
    }
}

/// `2026-11-22 17:33:07 UTC`.
#[must_use]
pub fn time(time: Timestamp) -> String {
    let (year, month, day) = time.date_utc();
    let second = time.0.div_euclid(1000).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A text without what could command a terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if commands_terminal(c) {
            write!(plain, "{}", c.escape_unicode()).expect("writing to a string cannot fail");
        } else {
            plain.push(c);
        }
    }
    plain
}

/// The same for a message, whose lines stay lines. Those after the first are indented, so
/// that none of them is taken for another message.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain).collect();
    lines.join("\n  ")
}

/// Quotes a word for a shell, if it needs that. What a terminal would obey is written
/// as its bytes, so that a name can be copied from the screen.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "-_./%+:@".contains(c);
    if !word.is_empty() && word.chars().all(is_simple) {
        return word.to_owned();
    }
    if word.chars().any(commands_terminal) {
        return format!("$'{}'", escaped(word));
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A word as a shell reads it between `$'` and `'`.
fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if commands_terminal(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
            }
        } else {
            if matches!(c, '\'' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
    }
    text
}

/// Tells whether a terminal would do something else with it than show it: control
/// characters, line and paragraph separators, and what turns the direction of writing.
fn commands_terminal(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_breaks_lines_is_shown_as_its_number() {
        for c in "\u{0}\u{1b}\u{7f}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            let shown = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(plain(&format!("a{c}b")), shown);
        }
        assert_eq!(plain("d\u{2009}é 日本 \u{5d0}"), "d\u{2009}é 日本 \u{5d0}");
    }

    #[test]
    fn a_message_keeps_its_lines_and_no_more() {
        assert_eq!(
            plain_lines("a\u{1b}[2J\nb\r\n  c\td\re"),
            "a\\u{1b}[2J\n  b\n    c\\u{9}d\\u{d}e"
        );
    }

    #[test]
    fn a_quoted_name_can_be_copied_from_the_screen() {
        for (word, shown) in [
            ("a/b-1.txt", "a/b-1.txt"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", "'it'\\''s'"),
            ("a\u{1b}b;rm", "$'a\\x1bb;rm'"),
            // Two digits each, so that what follows is never taken for one of them.
            ("a\nb'\\", "$'a\\x0ab\\'\\\\'"),
            ("\u{202e}x", "$'\\xe2\\x80\\xaex'"),
        ] {
            assert_eq!(quoted(word), shown);
            assert_eq!(plain(&quoted(word)), shown);
        }
    }
}
