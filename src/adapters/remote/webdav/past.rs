//! Whether the server went back in time, as after a restored backup.
//!
//! In: a cursor, which is a number that this client stored on the server. Out: the number
//! that is there, and that it is too low or missing. Invariant: numbers only grow; one is
//! stored after work of ours, at most every ten minutes, so what was restored from before
//! that has a lower one; content that came is work, too, where the number is no news for
//! others. What is there and is no number says nothing. Deliberately absent: what follows
//! (`sync-core: plan::safety`); places to look at (`feed`). RACE: work after the last
//! number is not missed. CRASH: a number that the journal does not know, which is a higher
//! one.

use super::http::Ask;
use super::server::Server;
use super::verdict::{Verdict, verdict};
use crate::adapters::rooted::CONTROL;
use crate::ports::{Changes, Hint, PortResult};
use bytes::Bytes;
use std::cell::Cell;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What this process knows of the number.
#[derive(Debug, Default)]
pub(super) struct Past {
    is_begun: Cell<bool>,
    /// Whether something was done since the last one was stored.
    is_news: Cell<bool>,
    stored: Cell<Option<Instant>>,
}

/// What stands on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Number(u64),
    Nonsense,
}

/// What came of a comparison.
pub(super) struct Compared {
    /// What is there now; 0 for nothing.
    pub(super) number: u64,
    /// Set when it went back, with what showed it.
    pub(super) rolled_back: Option<String>,
}

impl Past {
    /// Notes that both sides are about to come nearer to each other.
    pub(super) fn note(&self) {
        self.is_news.set(true);
    }

    /// Tells whether a number is to be stored.
    pub(super) fn is_due(&self) -> bool {
        let stored = self.stored.get();
        self.is_news.get() && stored.is_none_or(|at| at.elapsed() >= PAUSE)
    }
}

impl Server {
    /// Tells only whether the server went back since a cursor was taken.
    pub(super) async fn remember(&self, cursor: Option<&str>) -> PortResult<Changes> {
        let past = self.compare_past(cursor.and_then(read)).await?;
        // Where to look is not told, so at first everything is looked at.
        let is_first = !self.past.is_begun.replace(true);
        Ok(Changes {
            hints: is_first.then_some(Hint::Rescan).into_iter().collect(),
            cursor: text(past.number),
            rolled_back: past.rolled_back,
        })
    }

    /// Compares the number that is there with what is known, and stores the next one where
    /// that is due.
    pub(super) async fn compare_past(&self, known: Option<u64>) -> PortResult<Compared> {
        let there = self.number().await?;
        let rolled_back = gone_back(known, there).then(|| BACK.to_owned());
        let mut number = match there {
            There::Number(number) => number,
            There::Nothing => 0,
            There::Nonsense => known.unwrap_or(0),
        };
        if rolled_back.is_none() && self.past.is_due() {
            self.past.is_news.set(false);
            self.past.stored.set(Some(Instant::now()));
            let next = next(number.max(known.unwrap_or(0)));
            if self.store_number(next).await {
                number = next;
            }
        }
        Ok(Compared {
            number,
            rolled_back,
        })
    }

    async fn number(&self) -> PortResult<There> {
        let ask = Ask::read("GET", self.base.url(&self.number_path(), false));
        let answer = self.http.fetch(&ask).await?;
        Ok(match answer.status {
            200 => digits(&answer.body).map_or(There::Nonsense, There::Number),
            404 | 410 => There::Nothing,
            _ => There::Nonsense,
        })
    }

    /// Stores a number. Without it nothing is wrong, but for what is noticed later.
    async fn store_number(&self, number: u64) -> bool {
        let ask = Ask {
            body: Some(Bytes::from(format!("{number:020}\n"))),
            ..Ask::write("PUT", self.base.url(&self.number_path(), false))
        };
        let stored = match self.http.fetch(&ask).await {
            // "OK" is also what a page says that a proxy puts in the way.
            Ok(answer) if answer.status == 200 => self.number().await,
            Ok(answer) => verdict(&answer).map(|verdict| match verdict {
                Verdict::Done => There::Number(number),
                _ => There::Nothing,
            }),
            Err(error) => Err(error),
        };
        let is_stored = matches!(stored, Ok(There::Number(there)) if there == number);
        if !is_stored {
            tracing::info!(
                ?stored,
                "how far the server has come could not be stored there"
            );
        }
        is_stored
    }

    fn number_path(&self) -> String {
        format!("{CONTROL}/seen-{}", self.mark)
    }
}

/// Tells whether what is there is older than what is known.
fn gone_back(known: Option<u64>, there: There) -> bool {
    match (known, there) {
        (Some(known), There::Number(number)) => number < known,
        (Some(known), There::Nothing) => known > 0,
        (None, _) | (_, There::Nonsense) => false,
    }
}

/// Returns a number beyond one. That of the clock, where it serves, since a number of
/// before the backup may have been higher than what the restored server has.
fn next(last: u64) -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.as_secs().max(last.saturating_add(1))
}

/// Reads what is stored, all of it: a part would be a lower number.
fn digits(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.strip_suffix(b"\n")?;
    let is_fit = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_fit)?;
    text.parse().ok()
}

fn text(number: u64) -> String {
    format!("{KIND} {number}")
}

fn read(cursor: &str) -> Option<u64> {
    let (kind, number) = cursor.split_once(' ')?;
    number.parse().ok().filter(|_| kind == KIND)
}

/// Tells such cursors from those of feeds.
const KIND: &str = "past";
const DIGITS: usize = 20;
const BACK: &str = "the server holds an older state of this job than it did, as after a restore";
const PAUSE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_number_that_is_too_low_or_missing_means_back() {
        for (known, there, expected) in [
            (Some(7), There::Number(6), true),
            (Some(7), There::Nothing, true),
            (Some(7), There::Number(7), false),
            (Some(7), There::Number(8), false),
            (Some(7), There::Nonsense, false),
            (Some(0), There::Nothing, false),
            (None, There::Number(7), false),
            (None, There::Nothing, false),
        ] {
            assert_eq!(gone_back(known, there), expected, "{known:?} {there:?}");
        }
    }

    #[test]
    fn a_number_that_was_cut_is_none_and_numbers_only_grow() {
        let whole = format!("{:020}\n", 1_795_446_814);
        assert_eq!(digits(whole.as_bytes()), Some(1_795_446_814));
        for cut in 0..whole.len() {
            assert_eq!(digits(&whole.as_bytes()[..cut]), None, "{cut}");
        }
        assert_eq!(digits(b"<html>\n"), None);
        assert_eq!(digits(b"99999999999999999999\n"), None);
        assert_eq!(read(&text(42)), Some(42));
        assert_eq!(read("2 0123 f 4 tag[]"), None);
        assert!(next(0) > 1_700_000_000);
        assert_eq!(next(u64::MAX - 1), u64::MAX);
    }
}
