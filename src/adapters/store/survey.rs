//! Reading everything that can still be read.
//!
//! In: a store that may be damaged. Out: its records, and between them what is damaged
//! or missing, with its numbers: what is damaged alike is one finding. Invariants: ends; a
//! block that cannot be read costs the records in it and no others. Deliberately absent:
//! mending, other ways to a record (`rescue`). CRASH: leaves nothing.

use super::engine::{Engine, Values};
use super::read::decode;
use crate::journal::Stored;
use crate::journal::verify::Found;
use fjall::Slice;
use journal_format::value::Seq;

/// Goes through a store from a number on, up to the head that it should have.
pub(super) struct Survey {
    engine: Engine,
    values: Values,
    next: Seq,
    head: Seq,
    /// What was read ahead.
    read: Option<Result<(Seq, Slice), String>>,
    waiting: Option<Found>,
    tries: u32,
}

impl Survey {
    pub(super) fn new(engine: Engine, from: Seq, head: Seq) -> Self {
        Self {
            values: engine.iter(from),
            engine,
            next: from,
            head,
            read: None,
            waiting: None,
            tries: 0,
        }
    }

    /// What stands at a key; the numbers before it are missing.
    fn at(&mut self, seq: Seq, bytes: &[u8]) -> Found {
        let from = self.next;
        self.next = seq.next();
        let found = whole(seq, bytes);
        if seq > from {
            self.waiting = Some(found);
            let to = Seq(seq.0 - 1);
            return Found::Missing { from, to };
        }
        found
    }

    /// All records from the next one on that cannot be read for the same reason: a block
    /// holds many.
    fn unread(&mut self, why: &str) -> Found {
        let from = self.next;
        loop {
            self.next = self.next.next();
            self.tries += 1;
            if self.tries >= TRIES_MAX || self.next > self.head {
                self.values = Values::none();
                break;
            }
            self.values = self.engine.iter(self.next);
            match self.values.next() {
                Some(Err(other)) if other == why => {}
                read => {
                    self.read = read;
                    break;
                }
            }
        }
        Found::Damaged {
            from,
            to: Seq(self.next.0 - 1),
            detail: format!("cannot be read: {why}"),
            is_newer: false,
        }
    }
}

impl Iterator for Survey {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(found) = self.waiting.take() {
            return Some(found);
        }
        loop {
            match self.read.take().or_else(|| self.values.next()) {
                Some(Ok((seq, bytes))) if seq >= self.next => return Some(self.at(seq, &bytes)),
                // Keys are in order; one that is not was read already.
                Some(Ok(_)) => {}
                Some(Err(why)) => return Some(self.unread(&why)),
                None if self.next <= self.head => {
                    let from = std::mem::replace(&mut self.next, self.head.next());
                    let to = self.head;
                    return Some(Found::Missing { from, to });
                }
                None => return None,
            }
        }
    }
}

fn whole(seq: Seq, bytes: &[u8]) -> Found {
    match decode(seq, bytes) {
        Ok(record) => {
            let bytes = bytes.to_vec();
            Found::Whole(Box::new(Stored { record, bytes }))
        }
        Err(unread) => Found::Damaged {
            from: seq,
            to: seq,
            detail: unread.detail,
            is_newer: unread.is_newer,
        },
    }
}

/// Records behind one another that cannot be read, after which the rest is given up.
const TRIES_MAX: u32 = 100_000;
