//! Records and what is heard of them, as a table.

use super::*;
use journal_format::event::{Expected, Outcome};
use journal_format::value::{Entry, Fingerprint};

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn print(kind: Kind, size: u64) -> Fingerprint {
    Fingerprint {
        kind,
        size,
        mtime_ns: 0,
        identity: None,
        version: None,
    }
}

fn transfer(from: Side, target: &str) -> Action {
    let fingerprint = print(Kind::File, 7);
    Action::Transfer {
        from,
        source: path("source"),
        expect: Entry {
            fingerprint,
            digest: None,
        },
        target: path(target),
        replaces: Expected::Absent,
        displaced: journal_format::event::Displaced::Discard,
    }
}

fn moved(from: &str, to: &str) -> Action {
    Action::Move {
        side: Side::Local,
        from: path(from),
        to: path(to),
        expect: print(Kind::Directory, 0),
    }
}

fn record(seq: u64, event: OperationEvent) -> Record {
    Record {
        seq: Seq(seq),
        time: Timestamp(0),
        event: Event::Operation(event),
    }
}

fn start(action: Action) -> Record {
    let case = Case::U1;
    record(
        1,
        OperationEvent::Started {
            operation: Operation { case, action },
        },
    )
}

fn end() -> Record {
    let outcome = Outcome {
        bytes: 7,
        ..Outcome::default()
    };
    record(
        2,
        OperationEvent::Succeeded {
            operation: Seq(1),
            outcome,
        },
    )
}

/// `what side path (from) size`, as the end of an operation tells it.
fn line(projected: &Projected<'_>) -> String {
    projected.notification().map_or_else(String::new, |told| {
        let from = told
            .from
            .map_or_else(String::new, |from| format!(" ({from})"));
        let size = told
            .size
            .map_or_else(|| "-".to_owned(), |size| size.to_string());
        format!("{:?} {} {}{from} {size}", told.what, told.side, told.path)
    })
}

#[test]
fn the_end_of_an_operation_tells_what_the_table_says() {
    let remove = |kind| Action::Remove {
        side: Side::Remote,
        path: path("d/x"),
        expect: print(kind, 9),
        rescue: false,
    };
    let table = [
        (transfer(Side::Local, "a"), "Uploaded remote a 7"),
        (transfer(Side::Remote, "a"), "Downloaded local a 7"),
        (
            Action::MakeDirectory {
                side: Side::Remote,
                path: path("d"),
            },
            "Created remote d -",
        ),
        (moved("d/a", "d/b"), "Renamed local d/b (d/a) -"),
        (moved("d/a", "b"), "Moved local b (d/a) -"),
        (remove(Kind::File), "Deleted remote d/x 9"),
        (remove(Kind::Directory), "Deleted remote d/x -"),
        (
            Action::Hash {
                side: Side::Local,
                path: path("a"),
                expect: print(Kind::File, 9),
            },
            "",
        ),
    ];
    for (action, expected) in table {
        let (start, end) = (start(action), end());
        let mut projector = Projector::default();
        let began = projector.project(&start);
        assert_eq!(line(&began), "", "{expected}");
        assert_eq!(began.task().map(|task| task.step), Some(Step::Started));
        let ended = projector.project(&end);
        assert_eq!(line(&ended), expected);
        assert_eq!(ended.task().map(|task| task.id), Some(Seq(1)), "{expected}");
    }
}

#[test]
fn whoever_joins_late_hears_the_same_with_the_start_fetched() {
    let (start, end) = (start(transfer(Side::Local, "a")), end());
    let mut late = Projector::default();
    assert_eq!(late.missing(&start), None);
    assert_eq!(late.missing(&end), Some(Seq(1)));
    late.remember(&start);
    assert_eq!(late.missing(&end), None);
    assert_eq!(line(&late.project(&end)), "Uploaded remote a 7");
}

#[test]
fn a_failure_tells_nobody_but_those_who_follow_the_operation() {
    let start = start(transfer(Side::Local, "a"));
    let failed = record(
        2,
        OperationEvent::Failed {
            operation: Seq(1),
            class: FailureClass::Retry,
            detail: "busy".to_owned(),
            retry_at: Some(Timestamp(5)),
        },
    );
    let mut projector = Projector::default();
    projector.project(&start);
    let projected = projector.project(&failed);
    assert_eq!(projected.notification(), None);
    let step = projected.task().expect("it is about an operation").step;
    let expected = Step::Failed {
        class: FailureClass::Retry,
        detail: "busy",
        retry_at: Some(Timestamp(5)),
    };
    assert_eq!(step, expected);
}
