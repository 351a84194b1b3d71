//! What happened to a path, as people and programs read it.
//!
//! In: an explanation. Out: lines, or one object. Invariants: JSON leaves nothing out; for
//! people a file that is written all the time is one line, from its first change to its
//! last, and whatever else happened to it is a line of its own. Deliberately absent: what
//! happened (`journal::explain`). What else may be folded is an arm of [`Run::goes_on`].

use super::args::Args;
use super::print;
use super::text::{count, plain, size, time};
use crate::journal::explain::{Explanation, Fate, Told};
use journal_format::value::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

/// Prints what happened to a path: the answer first, then each event.
pub(super) fn explanation(args: &Args, job: &str, mut told: Explanation) {
    let place = print::state_dir_flag(args);
    // A command ends its line.
    let commands = told.trash.iter_mut().map(|version| &mut version.command);
    let offered = told.advice.iter_mut();
    let offered = offered.filter(|line| line.contains("pydio-sync "));
    commands
        .chain(offered)
        .for_each(|line| line.push_str(&place));
    if args.common.json {
        let mut value = json!(told);
        value["type"] = "explanation".into();
        value["job"] = job.into();
        print::data(&value);
        return;
    }
    print::line(&plain(&told.answer));
    for advice in &told.advice {
        print::line(&format!("  {}", plain(advice)));
    }
    for version in &told.trash {
        let what = match told.state {
            Fate::Gone => "bring it back",
            _ => "bring an older version back",
        };
        let (since, command) = (time(Timestamp(version.time)), plain(&version.command));
        print::line(&format!("  {what} (in the trash since {since}): {command}"));
    }
    if told.left_out > 0 {
        let older = count(told.left_out, "older event", "older events");
        print::line(&format!("({older} left out)"));
    }
    if told.begins > 1 {
        print::line(&format!(
            "(what was before event {} is not in this journal)",
            told.begins
        ));
    }
    let mut events = told.events.as_slice();
    while let Some((first, rest)) = events.split_first() {
        let run = Run::after(first, rest);
        let at = time(Timestamp(first.time));
        let text = plain(&first.text);
        let more = run.words();
        print::line(&format!("{:>8}  {at}  {text}{more}", first.seq));
        let folded = if more.is_empty() { 0 } else { run.length };
        events = rest.get(folded..).unwrap_or(&[]);
    }
}

/// What followed a first change and was more of the same: a file of one side changes and
/// is carried over, again and again.
#[derive(Default)]
struct Run {
    changes: u64,
    carried: u64,
    /// Transfers that gave way to the next change.
    late: u64,
    from_local: bool,
    /// How many events those are.
    length: usize,
    until: i64,
    last: u64,
    size: u64,
}

impl Run {
    fn after(first: &Told, rest: &[Told]) -> Self {
        let mut run = Self {
            from_local: first.event["side"] == "local",
            ..Self::default()
        };
        if !is_write(first) {
            return run;
        }
        let mut begun = BTreeSet::new();
        for (place, next) in rest.iter().enumerate() {
            if !run.goes_on(first, next, &mut begun) {
                break;
            }
            // The beginning of what may yet end otherwise is a line of its own.
            if next.kind != "operation_started" {
                (run.length, run.until, run.last) = (place + 1, next.time, next.seq);
            }
        }
        run
    }

    /// Takes an event that only says once more that the file was written to, or carried
    /// over. Tells whether it is one.
    fn goes_on(&mut self, first: &Told, next: &Told, begun: &mut BTreeSet<u64>) -> bool {
        let (side, path) = (&first.event["side"], &first.event["path"]);
        let event = &next.event;
        let is_same = event["side"] == *side && event["path"] == *path;
        let ends = || {
            let operation = event["operation"].as_u64();
            operation.is_some_and(|operation| begun.contains(&operation))
        };
        match &*next.kind {
            "observed" if is_same && is_write(next) => {
                self.changes += 1;
                self.size = event["entry"]["fingerprint"]["size"].as_u64().unwrap_or(0);
                true
            }
            "hashed" => is_same,
            "operation_started" => {
                let action = &event["action"];
                let is_carried = action["type"] == "transfer"
                    && action["from"] == *side
                    && action["source"] == *path
                    && !action["displaced"].is_object();
                if is_carried {
                    begun.insert(next.seq);
                }
                is_carried
            }
            "operation_succeeded" if ends() => {
                let is_plain = event["kept"].as_array().is_none_or(Vec::is_empty);
                self.carried += u64::from(is_plain);
                is_plain
            }
            "operation_failed" if ends() => {
                let is_late = event["class"] == "precondition";
                self.late += u64::from(is_late);
                is_late
            }
            _ => false,
        }
    }

    /// Tells the run; nothing where each of its events can be told.
    fn words(&self) -> String {
        if self.changes < FEW {
            return String::new();
        }
        let times = |number| count(number, "time", "times");
        let mut text = format!("; then changed {}", times(self.changes));
        if self.carried > 0 {
            let verb = if self.from_local {
                "uploaded"
            } else {
                "downloaded"
            };
            text.push_str(&format!(" and {verb} {}", times(self.carried)));
        }
        if self.late > 0 {
            text.push_str(&format!(" ({} too late)", times(self.late)));
        }
        let until = time(Timestamp(self.until));
        text.push_str(&format!(
            " until {until} (event {}), {} at last",
            self.last,
            size(self.size)
        ));
        text
    }
}

fn is_write(told: &Told) -> bool {
    told.kind == "observed" && told.event["path"].is_string()
}

/// Repetitions that are still shown one by one.
const FEW: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn told(seq: u64, kind: &str, event: Value) -> Told {
        Told {
            seq,
            time: i64::try_from(seq).expect("small") * 60_000,
            kind: kind.to_owned(),
            case: None,
            reason: None,
            text: kind.to_owned(),
            event,
        }
    }

    /// `w` a change, `u` the start of an upload, `s` and `f` its ends, `c` one that makes a
    /// copy, `g` that it is gone, `o` a change of another side.
    fn story(letters: &str) -> Vec<Told> {
        let mut begun = 0;
        let events = (1..).zip(letters.chars());
        let tell = |(seq, letter)| {
            let seen = |side| json!({"side": side, "path": "log", "entry": {"fingerprint": {"size": seq}}});
            let upload = |displaced: Value| {
                json!({"action": {
                    "type": "transfer", "from": "local", "source": "log", "displaced": displaced,
                }})
            };
            match letter {
                'w' => told(seq, "observed", seen("local")),
                'o' => told(seq, "observed", seen("remote")),
                'u' | 'c' => {
                    begun = seq;
                    let copy = json!({"conflict_copy": "log~"});
                    let displaced = if letter == 'c' {
                        copy
                    } else {
                        json!("discard")
                    };
                    told(seq, "operation_started", upload(displaced))
                }
                's' => {
                    let event = json!({"operation": begun, "kept": []});
                    told(seq, "operation_succeeded", event)
                }
                'f' => {
                    let event = json!({"operation": begun, "class": "precondition"});
                    told(seq, "operation_failed", event)
                }
                _ => told(seq, "gone", json!({"side": "local", "path": "log"})),
            }
        };
        events.map(tell).collect()
    }

    #[test]
    fn a_file_that_is_written_all_the_time_is_one_line() {
        let at = |minute: u32| format!("1970-01-01 00:{minute:02}:00 UTC");
        let table = [
            (
                "wwww",
                3,
                "; then changed 3 times until 4m (event 4), 4 bytes at last",
            ),
            (
                "wuswuswuswusg",
                11,
                "; then changed 3 times and uploaded 4 times until 12m (event 12), 10 bytes at last",
            ),
            // An upload that the next change overtook; one that may yet end otherwise.
            (
                "wuwfwuswwu",
                8,
                "; then changed 4 times and uploaded 1 time (1 time too late) until 9m (event 9), \
                 9 bytes at last",
            ),
            ("wuswus", 5, ""),
            ("wwwowwww", 2, ""),
            ("wwcsww", 1, ""),
            ("gwwww", 0, ""),
            ("w", 0, ""),
        ];
        for (letters, length, words) in table {
            let story = story(letters);
            let (first, rest) = story.split_first().expect("events");
            let run = Run::after(first, rest);
            let minute = words
                .split_once("until ")
                .and_then(|(_, rest)| rest.split_once('m'));
            let words = minute.map_or_else(String::new, |(minute, _)| {
                let minute = minute.parse().expect("a number");
                words.replace(&format!("{minute}m "), &format!("{} ", at(minute)))
            });
            assert_eq!((run.length, run.words()), (length, words), "{letters}");
        }
    }
}
