//! Conflict names and temporary names.
//!
//! In: a name and what makes its bearer distinct. Out: a name that fits 255 bytes.
//! Invariants: deterministic; a conflict name is never nested. Deliberately absent:
//! whether the name is free (`goals` asks the tree).

use journal_format::value::{NAME_BYTES_MAX, RelPath, Timestamp};

/// Steps of our own moves, at the root, have names that begin so.
const TEMPORARY: &str = "pydio-sync-moving-";
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

/// Makes the temporary name of a node's own move; from the second attempt on with a
/// counter.
pub(crate) fn temporary_name(uid: u64, attempt: u32) -> String {
    let counter = if attempt == 0 {
        String::new()
    } else {
        format!("-{attempt}")
    };
    format!("{TEMPORARY}{uid:016x}{counter}")
}

/// Tells whether the path that a move of ours leads to is a temporary one. Nothing
/// follows from such a name by itself: what people call so is theirs.
pub(crate) fn is_temporary(to: &RelPath) -> bool {
    to.as_str().starts_with(TEMPORARY) && to.parent().is_some_and(|parent| parent.is_root())
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
    fn temporary_names_are_told_at_the_root_only() {
        let is_told = |path: &str| is_temporary(&RelPath::new(path).expect("a path"));
        for attempt in 0..3 {
            let name = temporary_name(7, attempt);
            assert!(is_told(&name));
            assert!(!is_told(&format!("d/{name}")));
        }
        assert!(!is_told("pydio-sync-moved"));
    }
}
