//! Numbers, sizes, times and paths as people read them.
//!
//! In: values. Out: text. Invariant: no name from a disk can command the terminal.
//! Deliberately absent: JSON, in which values stay as they are.

use journal_format::value::Timestamp;
use std::fmt::Write;
use std::time::Duration;

/// `1 file`, `2 files`, `0 files`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `12 bytes`, `1.5 KiB`, `3.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => count(bytes, "byte", "bytes"),
    }
}

/// `0.4 s`, `75 s`, `12 min 5 s`, `3 h 20 min`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{seconds}.{} s", time.subsec_millis() / 100),
        10..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `2026-11-22 17:33:07 UTC`.
pub(super) fn time(time: Timestamp) -> String {
    let (year, month, day) = time.date_utc();
    let second = time.0.div_euclid(1000).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Whether colours are wanted at all, wherever there is a terminal (`NO_COLOR`).
pub(super) fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text without what could command a terminal.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            write!(plain, "{}", c.escape_unicode()).expect("writing to a string cannot fail");
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short_and_right() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (millis, text) in [
            (0, "0.0 s"),
            (450, "0.4 s"),
            (9999, "9.9 s"),
            (119_000, "119 s"),
            (725_000, "12 min 5 s"),
            (12_000_000, "3 h 20 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(
            time(Timestamp(1_500_000_000_123)),
            "2017-07-14 02:40:00 UTC"
        );
        assert_eq!(time(Timestamp(-1)), "1969-12-31 23:59:59 UTC");
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\u{202e}é"),
            "a\\u{1b}[2Jb\\u{a}c\\u{202e}é"
        );
    }
}
