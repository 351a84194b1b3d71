//! Stories of single paths, from events written by hand.
use super::kit::{
    JUNE, end, entry, explain, gone, journal, path, remove, renamed, seen, start, texts,
};
use super::{Context, Fate, Runs, gather_from, tell};
use journal_format::event::{
    Action, Case, Change, ConflictEvent, Displaced, Event, Expected, FailureClass, Keep, Kept,
    ObservationEvent, OperationEvent, Order, Outcome, SessionEvent, UnknownReason,
};
use journal_format::value::{Entry, Kind, Seq, Side, Solve, Timestamp};
use sync_core::engine::Engine;
use sync_core::state::State;

#[test]
fn a_deletion_by_a_colleague_leads_to_the_trash() {
    let file = entry(Kind::File, 2, 5);
    let trashed = Outcome {
        trashed: Some(path("000000000000000d-a")),
        ..Outcome::default()
    };
    let records = journal(vec![
        gone(Side::Remote, "d/a"),
        start(Case::D2, remove(Side::Local, "d/a", file)),
        end(13, trashed),
    ]);
    let told = explain("d/a", &records);
    assert_eq!(told.state, Fate::Gone);
    assert_eq!(
        told.answer,
        "`d/a` was deleted on the remote side (seen 2025-06-15 15:06:52 UTC), and so it was put \
         into the trash on the local side"
    );
    assert_eq!(
        told.trash[0].command,
        "pydio-sync trash restore docs 000000000000000d"
    );
    assert_eq!(
        texts(&told),
        [
            "local side: `d/a` was there, a file of 5 bytes",
            "remote side: `d/a` was there, a file of 5 bytes",
            "recorded as in sync. Rule A1: both sides hold the same, so nothing has to be sent",
            "remote side: `d/a` was no longer there",
            "move `d/a` on the local side to the trash, if it is still the version of 5 bytes, \
             last written 2025-06-15 15:06:40 UTC. Rule D2: it was deleted on the remote side and \
             nobody had changed it locally, so it is put into the trash here",
            "removed; what made way is in the trash as `000000000000000d-a`",
        ]
    );
}

#[test]
fn a_path_is_followed_through_renames_of_itself_and_of_its_folder() {
    let (file, folder) = (entry(Kind::File, 2, 5), entry(Kind::Directory, 1, 0));
    let there = |what: &Entry| Outcome {
        target: Some(what.clone()),
        ..Outcome::default()
    };
    let far = |from: &str, to: &str, what: &Entry| Action::Move {
        side: Side::Remote,
        from: path(from),
        to: path(to),
        expect: what.fingerprint.clone(),
    };
    let records = journal(vec![
        renamed(Side::Local, "d/a", "d/b", file.clone()),
        start(Case::M1, far("d/a", "d/b", &file)),
        end(13, there(&entry(Kind::File, 102, 5))),
        renamed(Side::Local, "d", "e", folder.clone()),
        start(Case::M1, far("d", "e", &folder)),
        end(16, there(&entry(Kind::Directory, 101, 0))),
    ]);
    for asked in ["d/a", "d/b", "e/b"] {
        let told = explain(asked, &records);
        assert_eq!(told.state, Fate::Synced, "{asked}: {told:?}");
        assert_eq!(told.place.as_deref(), Some("e/b"), "{asked}");
        let seqs: Vec<u64> = told.events.iter().map(|it| it.seq).collect();
        assert_eq!(seqs, [6, 7, 8, 12, 13, 14, 15, 16, 17], "{asked}: {told:?}");
    }
    let told = explain("d/a", &records);
    assert_eq!(
        told.answer,
        "`d/a` is called `e/b` now and is in sync on both sides"
    );
    assert_eq!(
        texts(&told)[6],
        "local side: its folder `d` was renamed, so `d/b` became `e/b`"
    );
}

/// What a journal ends with, what is asked, and the answer.
#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_answer_says_how_a_path_stands() {
    let unknown = |at: &str, reason| {
        Event::Observation(ObservationEvent::Unknown {
            side: Side::Local,
            path: path(at),
            reason,
        })
    };
    let upload = Action::Transfer {
        from: Side::Local,
        source: path("d/a"),
        expect: entry(Kind::File, 2, 9),
        target: path("d/a"),
        replaces: Expected::Version(entry(Kind::File, 102, 5).fingerprint),
        displaced: Displaced::Discard,
    };
    let failed = |retry_at| {
        Event::Operation(OperationEvent::Failed {
            operation: Seq(13),
            class: FailureClass::Retry,
            detail: "the server is busy".to_owned(),
            retry_at,
        })
    };
    let edit = |size| seen(Side::Local, "d/a", Kind::File, 2, size);
    let cases: Vec<(Vec<Event>, &str, Fate, &str)> = vec![
        (
            vec![],
            "d/a",
            Fate::Synced,
            "`d/a` is in sync on both sides",
        ),
        (
            vec![],
            "d/x",
            Fate::NeverSeen,
            "the journal says nothing of `d/x`",
        ),
        (
            vec![unknown("d/a", UnknownReason::Excluded)],
            "d/a",
            Fate::Ignored,
            "`d/a` is not synced: on the local side it is left out by a filter; it is neither \
             synced nor deleted",
        ),
        (
            vec![unknown("d", UnknownReason::Unreadable)],
            "d/a",
            Fate::Problem,
            "`d/a` is not synced: on the local side its folder `d` cannot be read or listed; check \
             its permissions",
        ),
        (
            vec![edit(9)],
            "d/a",
            Fate::Pending,
            "`d/a` is not synced yet: uploading is next, rule U1: it is new or changed on the local \
             side only, so the remote side follows",
        ),
        (
            vec![edit(9), start(Case::U1, upload.clone())],
            "d/a",
            Fate::Working,
            "`d/a` is being worked on",
        ),
        (
            vec![
                edit(9),
                start(Case::U1, upload),
                failed(Some(Timestamp(JUNE + 7_200_000))),
            ],
            "d/a",
            Fate::Pending,
            "`d/a` is not synced yet: the server is busy; the next try is at 2025-06-15 17:06:40 \
             UTC",
        ),
        (
            vec![gone(Side::Local, "d"), gone(Side::Remote, "d")],
            "d/a",
            Fate::Gone,
            "`d/a` was deleted on both sides",
        ),
    ];
    for (events, asked, fate, answer) in cases {
        let told = explain(asked, &journal(events));
        assert_eq!((told.state, told.answer.as_str()), (fate, answer));
    }
}

/// `d/a` is deleted on the remote side and put into the trash by event 14.
fn put_into_the_trash() -> Vec<Event> {
    let trashed = Outcome {
        trashed: Some(path("000000000000000d-a")),
        ..Outcome::default()
    };
    vec![
        gone(Side::Remote, "d/a"),
        start(
            Case::D2,
            remove(Side::Local, "d/a", entry(Kind::File, 2, 5)),
        ),
        end(13, trashed),
    ]
}

#[test]
fn what_happens_to_a_folder_later_is_no_event_of_what_had_left_it() {
    let folder = entry(Kind::Directory, 1, 0);
    let renamed_later = vec![renamed(Side::Local, "d", "e", folder.clone())];
    let deleted_later = vec![
        gone(Side::Remote, "d"),
        start(Case::D2, remove(Side::Local, "d", folder.clone())),
        end(16, Outcome::default()),
    ];
    for later in [renamed_later, deleted_later] {
        let mut events = put_into_the_trash();
        let alone = explain("d/a", &journal(events.clone()));
        events.extend(later);
        let told = explain("d/a", &journal(events));
        assert_eq!(told, alone);
    }
    // It went elsewhere, then the folder went: the old name does not share its fate.
    let away = vec![
        renamed(Side::Local, "d/a", "b", entry(Kind::File, 2, 5)),
        gone(Side::Local, "d"),
    ];
    let told = explain("d/a", &journal(away));
    let seqs: Vec<u64> = told.events.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, [6, 7, 8, 12], "{told:?}");
}

#[test]
fn what_was_brought_back_is_not_offered_again() {
    let told = |more: Vec<Event>| {
        let mut events = put_into_the_trash();
        events.extend(more);
        explain("d/a", &journal(events)).trash
    };
    assert_eq!(told(vec![]).len(), 1);
    let back = |undoes, at: &str| {
        let changes = vec![Change {
            undoes: Some(Seq(undoes)),
            path: path(at),
            from: None,
            now: Some(entry(Kind::File, 7, 5)),
            trashed: None,
        }];
        let by = "somebody".to_owned();
        vec![Event::Session(SessionEvent::Undone { changes, by })]
    };
    assert_eq!(told(back(13, "d/a")), []);
    // What came back is something else.
    assert_eq!(told(back(9, "d/a")).len(), 1);
}

#[test]
fn a_folder_that_was_removed_is_not_said_to_be_in_the_trash() {
    let records = journal(vec![
        gone(Side::Remote, "d"),
        start(
            Case::D2,
            remove(Side::Local, "d", entry(Kind::Directory, 1, 0)),
        ),
        end(13, Outcome::default()),
    ]);
    let told = explain("d", &records);
    assert_eq!(
        told.answer,
        "`d` was deleted on the remote side (seen 2025-06-15 15:06:52 UTC), and so it was removed \
         on the local side; files that were still in it were put into the trash one by one"
    );
    assert_eq!(
        told.advice,
        [
            "take back all that sync did in the local folder since then (add `--dry-run` to look \
             first): pydio-sync undo docs --since '2025-06-15 15:06:52'"
        ]
    );
    let words = texts(&told).join("\n");
    assert!(!words.contains("trash"), "{words}");
}

#[test]
fn a_conflict_offers_a_command_for_each_choice() {
    let mut events = vec![];
    for (side, size) in [(Side::Local, 8), (Side::Remote, 9)] {
        events.push(seen(side, "new one", Kind::File, size, size));
    }
    let mut records = journal(events);
    let Event::Session(SessionEvent::RootConfigured { policy, .. }) = &mut records[0].event else {
        panic!("the first event");
    };
    policy.solve = Solve::Manual;
    let at = path("new one");
    let told = |runs| {
        let job = "docs".to_owned();
        let now = Timestamp(JUNE + 3_600_000);
        let begins = Seq(1);
        tell(
            &at,
            &records,
            None,
            &Context {
                job,
                now,
                runs,
                begins,
            },
        )
    };
    let here = told(Runs::No);
    assert_eq!(here.state, Fate::Conflict);
    assert_eq!(
        here.answer,
        "`new one` waits for your decision: created differently on both sides"
    );
    assert_eq!(
        here.advice,
        [
            "keep both versions, the remote one under this name, the local one as a conflict \
             copy: pydio-sync resolve docs 'new one' --keep both",
            "keep the remote version; the local one goes to the trash: pydio-sync resolve docs \
             'new one' --keep remote",
            "keep the local version; the remote one goes to the local trash: pydio-sync resolve \
             docs 'new one' --keep local",
        ]
    );
    // Its job is not here.
    assert_eq!(told(Runs::Elsewhere).advice, [""; 0]);
}

#[test]
fn a_job_is_said_to_rest_only_by_who_knows_it() {
    let edited = journal(vec![seen(Side::Local, "d/a", Kind::File, 2, 9)]);
    let at = path("d/a");
    for (runs, lines) in [
        (Runs::No, 1),
        (Runs::Yes, 0),
        (Runs::Perhaps, 0),
        (Runs::Elsewhere, 0),
    ] {
        let job = "docs".to_owned();
        let now = Timestamp(JUNE + 3_600_000);
        let told = tell(
            &at,
            &edited,
            None,
            &Context {
                job,
                now,
                runs,
                begins: Seq(1),
            },
        );
        assert_eq!(told.advice.len(), lines, "{told:?}");
    }
}

#[test]
fn without_its_beginning_a_journal_tells_what_it_has_and_concludes_nothing() {
    let whole = journal(vec![seen(Side::Local, "d/a", Kind::File, 2, 9)]);
    let (before, rest) = whole.split_at(11);
    let told = |at: &str, base: Option<&State>| {
        let (job, now, runs) = ("docs".to_owned(), Timestamp(JUNE), Runs::Yes);
        let begins = rest[0].seq;
        let context = Context {
            job,
            now,
            runs,
            begins,
        };
        let at = path(at);
        let records = gather_from(rest, &at).expect("few records");
        tell(&at, &records, base, &context)
    };
    let alone = told("d/a", None);
    assert_eq!(alone.state, Fate::Unknown);
    assert_eq!(
        alone.answer,
        "how `d/a` stands cannot be told: this journal begins at event 12, and what was before is \
         not in it"
    );
    assert_eq!(alone.events.len(), 1);
    let quiet = told("other", None);
    assert!(
        quiet.answer.ends_with("since then it says nothing of it"),
        "{quiet:?}"
    );
    // With the state that it stands on, it tells as ever.
    let mut engine = Engine::new();
    before.iter().for_each(|record| engine.replay(record));
    let base = engine.state();
    assert_eq!(told("other", Some(base)).state, Fate::Synced);
    let edited = told("d/a", Some(base));
    assert_eq!(edited.state, Fate::Pending);
    assert_eq!(
        texts(&edited),
        ["local side: `d/a` was changed, from 5 bytes to 9 bytes"]
    );
    assert_eq!(told("nosuch", Some(base)).state, Fate::Unknown);
}

#[test]
fn an_event_is_told_to_programs_with_its_facts_and_its_reason() {
    let told = explain("d/a", &journal(put_into_the_trash()));
    let started = told.events.iter().find(|it| it.kind == "operation_started");
    let started = started.expect("an operation");
    assert_eq!(started.case.as_deref(), Some("D2"));
    assert_eq!(started.reason.as_deref(), Some(sync_core::reason(Case::D2)));
    assert_eq!(started.event["seq"], 13);
    assert_eq!(started.event["action"]["path"], "d/a");
}

#[test]
fn a_conflict_copys_story_begins_where_its_content_was_made() {
    let copy = "d/a (conflict docs 2025-06-15 0707)";
    let (mine, theirs) = (entry(Kind::File, 2, 7), entry(Kind::File, 102, 8));
    let sent = |from, at: &str, what: &Entry, replaces, displaced| Action::Transfer {
        from,
        source: path(at),
        expect: what.clone(),
        target: path(at),
        replaces,
        displaced,
    };
    let there = |source: &Entry, object, size, kept: Vec<Kept>| Outcome {
        source: Some(source.clone()),
        target: Some(entry(Kind::File, object, size)),
        kept,
        ..Outcome::default()
    };
    let kept = Kept {
        path: path(copy),
        entry: mine.clone(),
    };
    let expected = Expected::Version(mine.fingerprint.clone());
    let aside = Displaced::ConflictCopy(path(copy));
    let records = journal(vec![
        seen(Side::Local, "d/a", Kind::File, 2, 7),
        seen(Side::Remote, "d/a", Kind::File, 102, 8),
        start(
            Case::C1,
            sent(Side::Remote, "d/a", &theirs, expected, aside),
        ),
        end(14, there(&theirs, 9, 8, vec![kept])),
        start(
            Case::U1,
            sent(
                Side::Local,
                copy,
                &mine,
                Expected::Absent,
                Displaced::Discard,
            ),
        ),
        end(16, there(&mine, 109, 7, Vec::new())),
        seen(Side::Local, "d/a", Kind::File, 9, 30),
    ]);
    let told = explain(copy, &records);
    assert_eq!(told.state, Fate::Synced, "{told:?}");
    let texts = texts(&told);
    assert_eq!(texts[0], "local side: `d/a` was there, a file of 5 bytes");
    assert!(texts.contains(&"local side: `d/a` was changed, from 5 bytes to 7 bytes"));
    assert!(texts.last().expect("a story").starts_with("uploaded"));
    // The file itself goes its own way.
    let told = explain("d/a", &records);
    assert!(told.events.iter().all(|it| it.seq != 16), "{told:?}");
    assert_eq!(told.events.last().expect("a story").seq, 18);
}

#[test]
fn what_a_change_waits_for_is_named() {
    let now = JUNE + 3_600_000;
    let mut young = entry(Kind::File, 2, 9);
    young.fingerprint.mtime_ns = (now - 100) * 1_000_000;
    let written = Event::Observation(ObservationEvent::Observed {
        side: Side::Local,
        path: path("d/a"),
        entry: young,
    });
    let told = explain("d/a", &journal(vec![written]));
    let wanted = "`d/a` is not synced yet: it was written to a moment ago (2025-06-15 16:06:39 \
                  UTC), and a file that may still be written to is left alone for 500 ms; \
                  uploading is next";
    assert!(told.answer.starts_with(wanted), "{}", told.answer);

    for (keep, wanted) in [
        (
            Keep::Local,
            "you decided to keep the local version, uploading is next",
        ),
        (
            Keep::Remote,
            "you decided to keep the remote version, downloading is next",
        ),
        (
            Keep::Both,
            "you decided to keep both versions, downloading is next",
        ),
    ] {
        let told = explain(
            "d/a",
            &journal(vec![
                seen(Side::Local, "d/a", Kind::File, 2, 9),
                seen(Side::Remote, "d/a", Kind::File, 102, 8),
                Event::Conflict(ConflictEvent::Raised {
                    local: path("d/a"),
                    remote: path("d/a"),
                    case: Case::C1,
                }),
                Event::Conflict(ConflictEvent::Resolved {
                    conflict: Seq(14),
                    keep,
                    by: "ada".to_owned(),
                }),
            ]),
        );
        assert_eq!(told.answer, format!("`d/a` is not synced yet: {wanted}"));
    }
}

#[test]
fn a_paused_job_says_that_changes_wait() {
    let paused = Event::Session(SessionEvent::Ordered {
        order: Order::Pause,
        by: "ada".to_owned(),
    });
    let told = explain("d/a", &journal(vec![paused]));
    assert_eq!(told.state, Fate::Synced);
    assert_eq!(
        told.advice,
        [
            "the job is paused: what changes now waits until it goes on",
            "let it go on: pydio-sync start docs"
        ]
    );
}
