//! Conflict names and temporary names.
//!
//! In: a name and what makes its bearer distinct. Out: a name that fits 255 bytes.
//! Invariants: deterministic; a conflict name is never nested. Deliberately absent:
//! whether the name is free (`goals` asks the tree).

use journal_format::value::{NAME_BYTES_MAX, Timestamp};

/// Names that begin so are steps of our own moves, never a user's wish.
const MOVING: &str = "pydio-sync-moving-";
const MARK: &str = " (conflict ";

/// What tells a conflict copy from others of its name.
pub(crate) struct Distinction<'a> {
    pub(crate) label: &'a str,
    pub(crate) time: Timestamp,
    /// Four hexadecimal digits of the content.
    pub(crate) content: u16,
}

/// Makes `name (conflict <label> <date> <4 hex>).ext`; from the second attempt on
/// with a counter.
pub(crate) fn conflict_name(name: &str, distinction: &Distinction<'_>, attempt: u32) -> String {
    let (stem, extension) = split_extension(name);
    let stem = strip_mark(stem);
    let (year, month, day) = distinction.time.date_utc();
    let label: String = distinction
        .label
        .chars()
        .map(|c| if c == '/' || c.is_control() { '-' } else { c })
        .collect();
    let label = cut(&label, 64);
    let counter = if attempt == 0 {
        String::new()
    } else {
        format!(" {}", attempt + 1)
    };
    let content = distinction.content;
    let mark = format!("{MARK}{label} {year:04}-{month:02}-{day:02} {content:04x}{counter})");
    let room = NAME_BYTES_MAX - mark.len() - extension.len();
    format!("{}{mark}{extension}", cut(stem, room))
}

/// Makes the temporary name of a node's own move.
pub(crate) fn moving_name(uid: u64) -> String {
    format!("{MOVING}{uid:016x}")
}

/// Tells whether a name is a step of our own moves.
pub(crate) fn is_moving(name: &str) -> bool {
    moving_uid(name).is_some()
}

/// Returns the number of the node that has a temporary name.
pub(crate) fn moving_uid(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(MOVING)?;
    let is_ours = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_ours)
}

fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 17 => name.split_at(dot),
        _ => (name, ""),
    }
}

fn strip_mark(stem: &str) -> &str {
    match stem.rfind(MARK) {
        Some(start) if start > 0 && stem.ends_with(')') => &stem[..start],
        _ => stem,
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, attempt: u32) -> String {
        let time = Timestamp(1_767_225_600_000);
        conflict_name(
            name,
            &Distinction {
                label: "home",
                time,
                content: 0xbeef,
            },
            attempt,
        )
    }

    #[test]
    fn conflict_names_keep_the_extension_and_never_nest() {
        for (name, expect) in [
            ("a.txt", "a (conflict home 2026-01-01 beef).txt"),
            ("a", "a (conflict home 2026-01-01 beef)"),
            (".profile", ".profile (conflict home 2026-01-01 beef)"),
            (
                "a (conflict x 2020-01-01 0000).txt",
                "a (conflict home 2026-01-01 beef).txt",
            ),
        ] {
            assert_eq!(named(name, 0), expect);
        }
        assert_eq!(named("a.b", 1), "a (conflict home 2026-01-01 beef 2).b");
    }

    #[test]
    fn conflict_names_fit_a_name() {
        for long in [
            "x".repeat(255),
            "é".repeat(127),
            format!("{}.tar.gz", "y".repeat(240)),
        ] {
            assert!(named(&long, 7).len() <= NAME_BYTES_MAX);
        }
    }

    #[test]
    fn only_our_own_temporary_names_are_steps_of_a_move() {
        assert!(is_moving(&moving_name(7)));
        assert!(!is_moving("pydio-sync-moving-house"));
    }
}
