//! Small journals that still show what a long one showed.

use super::{Condition, Search, Shape, Trials, ddmin, renumbered};
use crate::journal::fixture;
use journal_format::event::{Case, Event, ObservationEvent, OperationEvent, Record, SessionEvent};
use journal_format::value::{
    Digest, DigestKind, Entry, Fingerprint, Identity, Kind, Policy, RelPath, Seq, Side, Timestamp,
};

fn entry(kind: Kind, object: u64, size: u64, mark: u8) -> Entry {
    let is_file = kind == Kind::File;
    Entry {
        fingerprint: Fingerprint {
            kind,
            size,
            mtime_ns: if is_file { i64::from(mark) } else { 0 },
            identity: Some(Identity {
                device: 1,
                object,
                born_ns: 1,
            }),
            version: None,
        },
        digest: is_file.then_some(Digest::Blake3([mark; 32])),
    }
}

/// A first sync of many files, then an edit of one of them on both sides.
fn journal(files: u64) -> Vec<Record> {
    let mut events = vec![Event::Session(SessionEvent::RootConfigured {
        job: "docs".to_owned(),
        label: "Documents".to_owned(),
        rules_version: 1,
        digest: DigestKind::Blake3,
        fold_case: false,
        policy: Policy::default(),
    })];
    let seen = |side, path: &str, entry| {
        let path = RelPath::new(path).expect("a path");
        Event::Observation(ObservationEvent::Observed { side, path, entry })
    };
    let mut both = |path: &str, kind, object| {
        for side in Side::BOTH {
            let far = if side == Side::Local { 0 } else { 1_000_000 };
            events.push(seen(side, path, entry(kind, object + far, 10, 1)));
        }
        let at = RelPath::new(path).expect("a path");
        events.push(Event::Operation(OperationEvent::Adopted {
            local: at.clone(),
            remote: at,
            case: Case::A1,
        }));
    };
    both("d", Kind::Directory, 1);
    for file in 0..files {
        both(&format!("d/f{file}"), Kind::File, 2 + file);
    }
    events.push(seen(Side::Local, "d/f1", entry(Kind::File, 3, 11, 2)));
    events.push(seen(
        Side::Remote,
        "d/f1",
        entry(Kind::File, 1_000_003, 12, 3),
    ));
    let record = |(seq, event)| Record {
        seq: Seq(seq),
        time: Timestamp(1_750_000_000_000),
        event,
    };
    (1..).zip(events).map(record).collect()
}

fn minimized(records: &[Record], condition: &Condition) -> Option<Vec<Record>> {
    let mut search = Search::new(condition);
    for record in records {
        if !search.take(record.clone()) {
            break;
        }
    }
    search.minimize().map(|it| it.records)
}

#[test]
fn a_small_journal_still_shows_what_the_long_one_showed() {
    let records = journal(300);
    for (text, most) in [
        ("conflict:d/f1", 5),
        ("rule:C1", 5),
        ("operation:adopt:d/f7", 5),
        ("operation:adopt", 4),
    ] {
        let condition = Condition::parse(text).expect("a condition");
        assert_eq!(condition.to_string(), text);
        let few = minimized(&records, &condition).expect(text);
        assert!(few.len() <= most, "{text}: {few:#?}");
        assert!(condition.shows_in(&few), "{text}");
        for left_out in 1..few.len() {
            let mut fewer = few.clone();
            fewer.remove(left_out);
            assert!(
                !condition.shows_in(&renumbered(&fewer)),
                "{text}: {left_out}"
            );
        }
        let seqs: Vec<u64> = few.iter().map(|record| record.seq.0).collect();
        let all: Vec<u64> = (1..=few.len() as u64).collect();
        assert_eq!(seqs, all, "{text}");
        let (head, read) = fixture::read(&fixture::write(text, "", &few)).expect("a fixture");
        assert_eq!((head.expect("a head").keep.as_str(), &read), (text, &few));
    }
    let never = Condition::parse("conflict:d/f2").expect("a condition");
    assert_eq!(minimized(&records, &never), None);
}

#[test]
fn the_search_ends_when_as_much_was_tried_as_may_be() {
    let condition = Condition::parse("conflict:d/f1").expect("a condition");
    let records = journal(60);
    for (max, shape) in [(5, Shape::Spent), (5_000, Shape::Minimal)] {
        let mut trials = Trials {
            max,
            ..Trials::new(&condition, None)
        };
        let mut asked = 0;
        let kept = ddmin(records.clone(), |candidate| {
            asked += 1;
            trials.shows(candidate)
        });
        let found = trials.minimized(&kept);
        assert_eq!(found.shape, shape);
        assert_eq!(asked, found.tried + usize::from(shape == Shape::Spent));
        assert!(condition.shows_in(&found.records), "{max}");
        assert!(found.records.len() < records.len(), "{max}");
    }
}

#[test]
fn a_condition_that_is_none_is_refused_in_words() {
    for text in [
        "",
        "conflict:",
        "conflict:../a",
        "operation:dance",
        "rule:Z9",
        "halt:x",
    ] {
        assert!(Condition::parse(text).is_err(), "{text}");
    }
}

#[test]
fn what_refers_to_a_record_follows_it_or_goes_with_it() {
    let mut records = journal(1);
    let halt = |halt| Event::Session(SessionEvent::HaltCleared { halt: Seq(halt) });
    let next = records.len() as u64 + 1;
    let raised = SessionEvent::HaltRaised {
        reason: journal_format::event::HaltReason::RootMissing,
        side: Side::Local,
        count: 0,
        plan: [0; 16],
    };
    for (seq, event) in [(next, Event::Session(raised)), (next + 1, halt(next))] {
        let time = Timestamp(1);
        let seq = Seq(seq);
        records.push(Record { seq, time, event });
    }
    let kept: Vec<Record> = records.iter().skip(3).cloned().collect();
    let small = renumbered(&kept);
    assert_eq!(small.last().expect("some").event, halt(next - 3));
    let without: Vec<Record> = records
        .iter()
        .filter(|it| it.seq.0 != next)
        .cloned()
        .collect();
    assert_eq!(renumbered(&without).len(), without.len() - 1);
}
