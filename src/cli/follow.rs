//! Going on with what happens: `events --follow`, `status --watch`.
//!
//! In: the daemon's stream. Out: lines, until interrupted or nobody reads. Invariant:
//! events are printed in order and without a gap: whatever the stream lost is read from
//! the journal. Deliberately absent: daemons that end, after which the command ends too
//! (`tools/clients/mirror.py` goes on).

use super::args::{Events, Status as StatusFlags};
use super::channel::{Refused, topic_word};
use super::desk::{Desk, PAGE_EVENTS};
use super::exit::{Exit, Failure};
use super::online;
use super::text::may_colour;
use super::view::Status;
use super::{desk, print};
use crate::adapters::zmtp::{ClientError, Received, Subscription};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;

/// Prints a job's events from a number on, and goes on.
///
/// # Errors
/// No daemon has the job, or it ended.
pub(super) async fn events(desk: &mut Desk<'_>, flags: &Events) -> Result<Exit, Failure> {
    let found = desk.running(flags.job.as_deref()).await?;
    let word = topic_word(&found.id);
    let topics = [format!("journal.{word}"), format!("live.head.{word}")];
    let prefixes: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut stream = desk.asked()?.subscribe(&prefixes).await?;
    let mut follower = Follower {
        job: found.id,
        journal: None,
        next: flags.from.max(1),
    };
    while follower.catch_up(desk).await? {
        loop {
            match follower.heard(desk, &topics, stream.next().await.map_err(ended)?)? {
                Heard::Nothing => {}
                Heard::Gap => break,
                Heard::NobodyReads => return Ok(Exit::InSync),
            }
        }
    }
    Ok(Exit::InSync)
}

struct Follower {
    job: String,
    journal: Option<String>,
    /// The first event that was not printed.
    next: u64,
}

enum Heard {
    Nothing,
    Gap,
    NobodyReads,
}

impl Follower {
    /// Reads to the journal's end. Returns false when nobody reads what is printed.
    async fn catch_up(&mut self, desk: &mut Desk<'_>) -> Result<bool, Failure> {
        loop {
            let daemon = desk.asked()?;
            let page = daemon.page(&self.job, self.next, PAGE_EVENTS).await;
            if let Some((first, words)) = page.as_ref().err().and_then(Refused::gone) {
                print::words(words);
                self.next = first;
                continue;
            }
            let page = page?;
            if self
                .journal
                .as_ref()
                .is_some_and(|old| *old != page.journal)
            {
                print::words("the journal began anew");
                self.journal = None;
                self.next = 1;
                continue;
            }
            self.journal = Some(page.journal.clone());
            let (next, head) = (page.next, page.head);
            for event in page.events() {
                if !print::offer(&desk.event_text(&event)) {
                    return Ok(false);
                }
            }
            if next > head || next <= self.next {
                self.next = self.next.max(next);
                return Ok(true);
            }
            self.next = next;
        }
    }

    fn heard(
        &mut self,
        desk: &Desk<'_>,
        topics: &[String; 2],
        received: Received,
    ) -> Result<Heard, Failure> {
        let [events, head] = topics;
        if received.topic == *head {
            let body = parsed(&received.body)?;
            let is_behind = body["head"].as_u64().is_some_and(|head| head >= self.next);
            return Ok(if is_behind {
                Heard::Gap
            } else {
                Heard::Nothing
            });
        }
        if received.topic != *events || received.seq < self.next {
            return Ok(Heard::Nothing);
        }
        let body = parsed(&received.body)?;
        let is_same = body["journal"].as_str() == self.journal.as_deref();
        if received.seq > self.next || !is_same {
            return Ok(Heard::Gap);
        }
        self.next += 1;
        let is_read = print::offer(&desk.event_text(&online::event(body)));
        Ok(if is_read {
            Heard::Nothing
        } else {
            Heard::NobodyReads
        })
    }
}

/// Shows how jobs stand, and goes on. On a terminal the lines are drawn over.
///
/// # Errors
/// No daemon runs, or it ended.
pub(super) async fn status(desk: &mut Desk<'_>, flags: &StatusFlags) -> Result<Exit, Failure> {
    desk.asked()?;
    let only = match &flags.job {
        Some(name) => Some(desk.running(Some(name)).await?.id),
        None => None,
    };
    let prefix = match &only {
        Some(id) => format!("status.{}", topic_word(id)),
        None => "status.".to_owned(),
    };
    let mut stream = desk.asked()?.subscribe(&[&prefix]).await?;
    let mut board = Board {
        is_drawn_over: std::io::stdout().is_terminal() && !desk.args.common.json && may_colour(),
        ..Board::default()
    };
    for row in desk.asked()?.rows().await? {
        if only.as_ref().is_none_or(|id| *id == row.job) {
            let status = desk.asked()?.status(&row.job).await?;
            board.take(status);
        }
    }
    let mut changed: Vec<String> = board.jobs.keys().cloned().collect();
    while board.show(desk, &changed) {
        changed = vec![board.heard(&mut stream, only.as_deref()).await?];
    }
    Ok(Exit::InSync)
}

#[derive(Default)]
struct Board {
    jobs: BTreeMap<String, Status>,
    is_drawn_over: bool,
    lines: usize,
}

impl Board {
    /// Takes a status. Tells whether it says anything new.
    fn take(&mut self, mut status: Status) -> bool {
        let old = self.jobs.get(&status.job);
        // Messages leave the label out.
        if status.label.is_empty() {
            status.label = old.map_or_else(|| status.job.clone(), |old| old.label.clone());
        }
        let is_new = old.is_none_or(|old| {
            let time = status.time;
            *old != status
                && Status {
                    time,
                    ..old.clone()
                } != status
        });
        self.jobs.insert(status.job.clone(), status);
        is_new
    }

    /// Waits until a job says something new. Returns its id.
    async fn heard(
        &mut self,
        stream: &mut Subscription,
        only: Option<&str>,
    ) -> Result<String, Failure> {
        loop {
            let received = stream.next().await.map_err(ended)?;
            let status: Status = serde_json::from_value(parsed(&received.body)?)
                .map_err(|error| Refused::Nonsense(error.to_string()))?;
            let id = status.job.clone();
            if only.is_none_or(|only| only == id) && self.take(status) {
                return Ok(id);
            }
        }
    }

    /// Prints what changed, or everything over what was there. Returns false when
    /// nobody reads.
    fn show(&mut self, desk: &Desk<'_>, changed: &[String]) -> bool {
        if !self.is_drawn_over {
            let changed = changed.iter().filter_map(|id| self.jobs.get(id));
            return changed.into_iter().all(|status| {
                print::offer(&if desk.args.common.json {
                    desk::typed("status", json!(status)).to_string()
                } else {
                    status.line()
                })
            });
        }
        let mut lines = Vec::new();
        for status in self.jobs.values() {
            lines.push(status.shown());
            let flag = print::state_dir_flag(desk.args);
            let ways = status.ways_out(&[], &desk.state_dir, &flag);
            lines.extend(ways.into_iter().map(|line| format!("  {line}")));
        }
        print::offer(&self.drawn(&lines))
    }

    /// Draws lines over those before. Each takes one row, however narrow the terminal is,
    /// or the next ones would be drawn over the wrong rows: what is too long is cut there.
    fn drawn(&mut self, lines: &[String]) -> String {
        let mut text = UNWRAPPED.to_owned();
        if self.lines > 0 {
            write!(text, "\u{1b}[{}A\u{1b}[J", self.lines).expect("writing to a string");
        }
        text.push_str(&lines.join("\n"));
        text.push_str(WRAPPED);
        self.lines = lines.len();
        text
    }
}

fn parsed(body: &[u8]) -> Result<Value, Failure> {
    let value = serde_json::from_slice(body);
    Ok(value.map_err(|error| Refused::Nonsense(error.to_string()))?)
}

fn ended(error: ClientError) -> Failure {
    Failure::new(Exit::Internal, format!("the daemon ended: {error}"))
}

/// Has a terminal cut lines that are longer than it is wide, and wrap them again.
const UNWRAPPED: &str = "\u{1b}[?7l";
const WRAPPED: &str = "\u{1b}[?7h";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_over_takes_a_row_a_line_on_every_terminal() {
        let mut board = Board::default();
        let lines = ["a".repeat(500), "b".to_owned()];
        let first = board.drawn(&lines);
        assert_eq!(first, format!("\u{1b}[?7l{}\nb\u{1b}[?7h", lines[0]));
        let second = board.drawn(&lines[1..]);
        assert_eq!(second, "\u{1b}[?7l\u{1b}[2A\u{1b}[Jb\u{1b}[?7h");
        assert!(
            board
                .drawn(&lines)
                .starts_with("\u{1b}[?7l\u{1b}[1A\u{1b}[J")
        );
    }
}
