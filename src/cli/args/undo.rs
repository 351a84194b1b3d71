//! The flags of `undo`.
//!
//! In: arguments. Out: which job, what is to be undone. Invariant: a time is a time that
//! there is; one without a zone is UTC, as all times are that are printed. Deliberately
//! absent: the journal.

use crate::cli::exit::Failure;
use crate::journal::undo::Which;
use clap::Args as Group;
use journal_format::value::{Seq, Timestamp};

#[derive(Debug, Group)]
pub(in crate::cli) struct Undo {
    /// The job's id or label; may be left out when only one is known.
    #[arg(value_name = "JOB")]
    first: Option<String>,
    /// The operation or the undo that is to be undone, as `events` numbers it.
    #[arg(value_name = "SEQ", conflicts_with_all = ["last", "since"])]
    second: Option<u64>,
    /// Undo the last thing that was done.
    #[arg(long, conflicts_with = "since")]
    last: bool,
    /// Undo all that was done since then: `2h`, `3d`, `2026-11-22`,
    /// `'2026-11-22 17:30'` (UTC).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Also undo what followed from changes made here: files that were uploaded go to the
    /// trash, renames go back. Who gives a SEQ means it.
    #[arg(long)]
    pub(in crate::cli) mine: bool,
    /// Print what would be tried; change nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

/// A point in time as people name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    At(Timestamp),
    /// So many milliseconds ago.
    Ago(i64),
}

impl Undo {
    /// Returns the job and what is meant.
    ///
    /// # Errors
    /// It is not said what is to be undone.
    pub(in crate::cli) fn meant(&self, now: Timestamp) -> Result<(Option<&str>, Which), Failure> {
        let job = self.first.as_deref();
        if self.last {
            return Ok((job, Which::Last));
        }
        if let Some(moment) = self.since {
            let since = match moment {
                Moment::At(time) => time,
                Moment::Ago(millis) => Timestamp(now.0.saturating_sub(millis)),
            };
            return Ok((job, Which::Since(since)));
        }
        if let Some(seq) = self.second {
            return Ok((job, Which::Event(Seq(seq))));
        }
        // A job may be left out, its number may not.
        match job.and_then(|word| word.parse().ok()) {
            Some(seq) => Ok((None, Which::Event(Seq(seq)))),
            None => Err(Failure::usage(
                "it is not said what is to be undone",
                "name an event's number as `pydio-sync events` prints it, or `--last`, or \
                 `--since TIME`",
            )),
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    ago(text).or_else(|| at(text)).ok_or_else(|| {
        "write `90m`, `2h`, `3d`, `2026-11-22` or `2026-11-22 17:30` (UTC)".to_owned()
    })
}

/// `90s`, `15m`, `2h`, `3d`.
fn ago(text: &str) -> Option<Moment> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    Some(Moment::Ago(i64::from(number) * seconds * 1000))
}

/// `2026-11-22`, with ` 17:30`, `T17:30:05`, and with `Z` or ` UTC` behind, if one likes.
fn at(text: &str) -> Option<Moment> {
    let text = text
        .strip_suffix(" UTC")
        .or(text.strip_suffix('Z'))
        .unwrap_or(text);
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let numbers = |text: &str, mark| -> Option<Vec<i64>> {
        let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        let part = |part: &str| Some(part).filter(is_number)?.parse().ok();
        text.split(mark).map(part).collect()
    };
    let [year, month, day] = numbers(date, '-')?[..] else {
        return None;
    };
    let clock = numbers(clock, ':')?;
    let (hour, minute, second) = match clock[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let is_valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let time = Timestamp(seconds * 1000);
    let (_, _, same_day) = time.date_utc();
    (i64::from(same_day) == day).then_some(Moment::At(time))
}

/// Days since 1970 of a date in the Gregorian calendar; years begin in March, so that
/// the day that comes and goes is their last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let day_of_year = (153 * months + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_printed_or_refused() {
        let at = |millis| Some(Moment::At(Timestamp(millis)));
        let table = [
            ("1970-01-01", at(0)),
            ("2017-07-14 02:40", at(1_500_000_000_000)),
            ("2017-07-14 02:40:00 UTC", at(1_500_000_000_000)),
            ("2017-07-14T02:40:07Z", at(1_500_000_007_000)),
            ("2024-02-29", at(1_709_164_800_000)),
            ("90s", Some(Moment::Ago(90_000))),
            ("15m", Some(Moment::Ago(900_000))),
            ("2h", Some(Moment::Ago(7_200_000))),
            ("3d", Some(Moment::Ago(259_200_000))),
            ("2023-02-29", None),
            ("2023-13-01", None),
            ("2023-01-01 24:00", None),
            ("2023-01-01 1", None),
            ("+1-1-1", None),
            ("yesterday", None),
            ("h", None),
            ("", None),
            ("99999999999d", None),
        ];
        for (text, wanted) in table {
            assert_eq!(moment(text).ok(), wanted, "{text}");
        }
    }
}
