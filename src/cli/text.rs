//! Durations and colours as people read them, and what `journal::text` has.
//!
//! In: values. Out: text. Invariant: no name from a disk can command the terminal.
//! Deliberately absent: JSON, in which values stay as they are.

pub(super) use crate::journal::text::{count, plain, plain_lines, quoted, size, time};
use std::time::Duration;

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

/// Whether colours are wanted at all, wherever there is a terminal (`NO_COLOR`).
pub(super) fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal_format::value::Timestamp;

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
