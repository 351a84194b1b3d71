//! What takes back what, from events written by hand.

use super::{Collector, Inverse, Undo, Which};
use journal_format::event::{
    Action, Case, Change, Displaced, Event, Expected, FailureClass, Kept, Operation,
    OperationEvent, Outcome, Record, SessionEvent,
};
use journal_format::value::{Entry, Fingerprint, Identity, Kind, RelPath, Seq, Side, Timestamp};

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn entry(object: u64) -> Entry {
    Entry {
        fingerprint: Fingerprint {
            kind: Kind::File,
            size: object,
            mtime_ns: 1,
            identity: Some(Identity {
                device: 1,
                object,
                born_ns: 1,
            }),
            version: None,
        },
        digest: None,
    }
}

fn folder(object: u64) -> Entry {
    let mut entry = entry(object);
    entry.fingerprint.kind = Kind::Directory;
    entry
}

fn transfer(from: Side, replaces: Expected, displaced: Displaced) -> Action {
    Action::Transfer {
        from,
        source: path("a"),
        expect: entry(1),
        target: path("a"),
        replaces,
        displaced,
    }
}

fn remove(side: Side, what: &Entry, rescue: bool) -> Action {
    Action::Remove {
        side,
        path: path("a"),
        expect: what.fingerprint.clone(),
        rescue,
    }
}

fn renamed(side: Side) -> Action {
    Action::Move {
        side,
        from: path("a"),
        to: path("b"),
        expect: entry(1).fingerprint,
    }
}

fn outcome(target: Option<Entry>, trashed: bool) -> Outcome {
    Outcome {
        source: Some(entry(9)),
        target,
        trashed: trashed.then(|| path("0-a")),
        ..Outcome::default()
    }
}

fn change(at: &str, from: Option<&str>, now: Option<Entry>, trashed: Option<&str>) -> Change {
    Change {
        undoes: None,
        path: path(at),
        from: from.map(path),
        now,
        trashed: trashed.map(path),
    }
}

/// A journal that is told record by record, a second each.
#[derive(Default)]
struct Journal(Vec<Record>);

impl Journal {
    fn tell(&mut self, event: Event) -> Seq {
        let seq = Seq(self.0.len() as u64 + 1);
        let time = Timestamp(seq.0.cast_signed() * 1000);
        self.0.push(Record { seq, time, event });
        seq
    }

    fn done(&mut self, action: Action, outcome: Outcome) -> Seq {
        let case = Case::D1;
        let operation = Operation { case, action };
        let id = self.tell(Event::Operation(OperationEvent::Started { operation }));
        self.tell(Event::Operation(OperationEvent::Succeeded {
            operation: id,
            outcome,
        }));
        id
    }

    fn undone(&mut self, undoes: Seq, mut changes: Vec<Change>) -> Seq {
        for change in &mut changes {
            change.undoes = Some(undoes);
        }
        let by = "a test".to_owned();
        self.tell(Event::Session(SessionEvent::Undone { changes, by }))
    }

    fn ask(&self, which: Which) -> Undo {
        let mut collector = Collector::new(which);
        self.0.iter().for_each(|record| collector.take(record));
        collector.finish()
    }

    /// Words for the steps, and the numbers that they take back.
    fn steps(&self, which: Which) -> Vec<(u64, &'static str)> {
        let undo = self.ask(which);
        assert!(undo.left.is_empty(), "{:?}", undo.left);
        let steps = undo.steps.iter();
        steps.map(|it| (it.undoes.0, it.inverse.word())).collect()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_local_change_has_its_inverse() {
    use Side::{Local, Remote};
    let version = || Expected::Version(entry(2).fingerprint);
    let restore = |over| Inverse::Restore {
        path: path("a"),
        entry: path("0-a"),
        over,
    };
    let put_away = || Inverse::PutAway {
        path: path("a"),
        expect: entry(1),
    };
    let back = |from: &str, object| Inverse::Rename {
        from: path(from),
        to: path("a"),
        expect: entry(object),
    };
    let copied = Outcome {
        kept: vec![Kept {
            path: path("copy"),
            entry: entry(2),
        }],
        ..outcome(Some(entry(1)), false)
    };
    let (new, old, copy) = (
        transfer(Remote, Expected::Absent, Displaced::Discard),
        transfer(Remote, version(), Displaced::Discard),
        transfer(Remote, version(), Displaced::ConflictCopy(path("copy"))),
    );
    let rescued = transfer(Local, version(), Displaced::Rescue);
    let make = Action::MakeDirectory {
        side: Local,
        path: path("a"),
    };
    let hash = Action::Hash {
        side: Local,
        path: path("a"),
        expect: entry(1).fingerprint,
    };
    let table = [
        (new, outcome(Some(entry(1)), false), vec![put_away()]),
        (
            old,
            outcome(Some(entry(1)), true),
            vec![restore(Some(entry(1)))],
        ),
        (copy, copied, vec![put_away(), back("copy", 2)]),
        (rescued, outcome(None, true), vec![restore(Some(entry(9)))]),
        (
            make,
            outcome(Some(folder(3)), false),
            vec![Inverse::RemoveFolder {
                path: path("a"),
                expect: folder(3),
            }],
        ),
        (
            renamed(Local),
            outcome(Some(entry(1)), false),
            vec![back("b", 1)],
        ),
        (
            remove(Local, &entry(1), false),
            outcome(None, true),
            vec![restore(None)],
        ),
        (
            remove(Local, &folder(3), false),
            outcome(None, false),
            vec![Inverse::MakeFolder { path: path("a") }],
        ),
        (
            remove(Remote, &entry(1), true),
            outcome(None, true),
            vec![restore(None)],
        ),
        (hash, outcome(Some(entry(1)), false), vec![]),
    ];
    for (action, outcome, wanted) in table {
        let mut journal = Journal::default();
        let id = journal.done(action.clone(), outcome);
        for which in [Which::Event(id), Which::Event(id.next()), Which::Last] {
            let undo = journal.ask(which);
            assert!(undo.left.is_empty(), "{action:?}: {:?}", undo.left);
            let steps: Vec<Inverse> = undo.steps.into_iter().map(|it| it.inverse).collect();
            assert_eq!(steps, wanted, "{action:?}");
        }
    }
}

#[test]
fn what_cannot_be_undone_is_listed_with_its_reason() {
    use Side::{Local, Remote};
    let version = || Expected::Version(entry(2).fingerprint);
    let beside = Outcome {
        kept: vec![Kept {
            path: path("theirs"),
            entry: entry(2),
        }],
        ..outcome(None, false)
    };
    let make = Action::MakeDirectory {
        side: Remote,
        path: path("a"),
    };
    let upload = |replaces| transfer(Local, replaces, Displaced::Discard);
    let table = [
        (
            upload(Expected::Absent),
            outcome(None, false),
            "your own file; delete it",
        ),
        (upload(version()), outcome(None, false), "was not kept here"),
        (upload(version()), beside, "the other one is `theirs`"),
        (make, outcome(None, false), "your own folder"),
        (
            renamed(Remote),
            outcome(None, false),
            "rename it back to `a`",
        ),
        (
            remove(Remote, &entry(1), false),
            outcome(None, false),
            "recycle bin",
        ),
        (
            remove(Remote, &folder(1), true),
            outcome(None, false),
            "recycle bin",
        ),
        (
            remove(Local, &entry(1), false),
            outcome(None, false),
            "not kept here",
        ),
        (
            transfer(Remote, version(), Displaced::Discard),
            outcome(Some(entry(1)), false),
            "not kept here",
        ),
        (
            transfer(Remote, Expected::Absent, Displaced::Discard),
            outcome(None, false),
            "does not say",
        ),
    ];
    for (action, outcome, part) in table {
        let mut journal = Journal::default();
        let id = journal.done(action.clone(), outcome);
        let undo = journal.ask(Which::Last);
        assert_eq!(undo.steps, [], "{action:?}");
        let [left] = &undo.left[..] else {
            panic!("{action:?}: {:?}", undo.left);
        };
        assert_eq!(left.undoes, id);
        assert!(left.reason.contains(part), "{action:?}: {}", left.reason);
    }
}

#[test]
fn each_undo_is_undone_the_same_way() {
    let table = [
        (change("a", None, Some(entry(1)), None), "put_away"),
        (change("a", None, Some(entry(1)), Some("0-a")), "restore"),
        (change("a", None, None, Some("0-a")), "restore"),
        (change("a", None, Some(folder(1)), None), "remove_folder"),
        (change("a", None, None, None), "make_folder"),
        (change("b", Some("a"), Some(entry(1)), None), "rename"),
    ];
    for (done, word) in table {
        let mut journal = Journal::default();
        let id = journal.undone(Seq(1), vec![done]);
        assert_eq!(journal.steps(Which::Event(id)), [(id.0, word)]);
        assert_eq!(journal.steps(Which::Last), [(id.0, word)]);
    }
    let senseless = change("a", Some("b"), None, None);
    assert_eq!(Inverse::of(&senseless), None);
}

#[test]
fn what_failed_or_never_ended_is_not_undone() {
    let mut journal = Journal::default();
    for is_failed in [true, false] {
        let operation = Operation {
            case: Case::D2,
            action: remove(Side::Local, &entry(1), false),
        };
        let id = journal.tell(Event::Operation(OperationEvent::Started { operation }));
        if is_failed {
            journal.tell(Event::Operation(OperationEvent::Failed {
                operation: id,
                class: FailureClass::InDoubt,
                detail: String::new(),
                retry_at: None,
            }));
        }
        for which in [Which::Event(id), Which::Last, Which::Since(Timestamp(0))] {
            assert_eq!(journal.ask(which), Undo::default());
        }
    }
}

#[test]
fn an_undo_of_several_events_is_one_and_newest_first() {
    let mut journal = Journal::default();
    let first = journal.undone(Seq(1), vec![change("d", None, Some(folder(1)), None)]);
    let second = journal.undone(Seq(1), vec![change("d/a", None, Some(entry(2)), None)]);
    journal.tell(Event::Session(SessionEvent::SessionStopped));
    let other = journal.undone(first, vec![change("e", None, Some(entry(3)), None)]);
    let both = [(first.0, "put_away"), (first.0, "remove_folder")];
    assert_eq!(journal.steps(Which::Event(first)), both);
    assert_eq!(journal.steps(Which::Event(second)), both);
    assert_eq!(journal.steps(Which::Last), [(other.0, "put_away")]);
}

#[test]
fn what_carried_an_undo_to_the_remote_is_part_of_it() {
    let mut journal = Journal::default();
    journal.done(remove(Side::Local, &entry(1), false), outcome(None, true));
    let undone = journal.undone(Seq(1), vec![change("a", None, Some(entry(1)), None)]);
    let upload = transfer(Side::Local, Expected::Absent, Displaced::Discard);
    let carrier = journal.done(upload.clone(), outcome(None, false));
    assert_eq!(journal.steps(Which::Last), [(undone.0, "put_away")]);
    let left = journal.ask(Which::Event(carrier)).left;
    let words = format!("undo that one, event {undone}");
    assert!(left[0].reason.contains(&words), "{left:?}");
    // A later version at that path is the user's own.
    let own = journal.done(upload, outcome(None, false));
    assert_eq!(journal.ask(Which::Last).left[0].undoes, own);
}

#[test]
fn what_was_undone_already_stays_undone_in_a_range() {
    let mut journal = Journal::default();
    let removed = journal.done(remove(Side::Local, &entry(1), false), outcome(None, true));
    let moved = journal.done(renamed(Side::Local), outcome(Some(entry(1)), false));
    let all = Which::Since(Timestamp(0));
    assert_eq!(
        journal.steps(all),
        [(moved.0, "rename"), (removed.0, "restore")]
    );
    assert_eq!(
        journal.steps(Which::Since(Timestamp(4000))),
        [(moved.0, "rename")]
    );
    journal.undone(moved, vec![change("a", Some("b"), Some(entry(1)), None)]);
    assert_eq!(journal.steps(all), [(removed.0, "restore")]);
    let made = change("d", None, Some(folder(2)), None);
    let back = change("a", None, Some(entry(1)), None);
    journal.tell(Event::Session(SessionEvent::SessionStopped));
    let undone = journal.undone(removed, vec![made, back]);
    assert_eq!(journal.steps(all), []);
    journal.tell(Event::Session(SessionEvent::SessionStopped));
    let again = journal.undone(undone, vec![change("a", None, None, Some("1-a"))]);
    assert_eq!(journal.steps(all), [(again.0, "restore")]);
}
