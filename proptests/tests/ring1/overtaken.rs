//! Scans that a move overtakes: one folder was read before it, another one after it.
//! What moved is not taken for deleted and new, and what is deleted is believed to be.

use journal_format::event::{Action, Operation, UnknownReason};
use journal_format::value::{Kind, RelPath, Side};
use proptests::ring1::case::{Case, Setup, commands};
use proptests::ring1::random::Random;
use proptests::ring1::run::Run;
use sync_core::engine::WantedScan;
use sync_core::input::{Found, Input, Sight};

/// `in/d` with many files, and an empty `out`.
fn filled() -> Run {
    let files = (0..30).map(|n| format!("in/d/e/{n}={}", n + 10));
    let case = Case {
        base: commands("in/; out/; in/d/; in/d/e/; in/keep=1")
            .into_iter()
            .chain(files)
            .collect(),
        changes: [Vec::new(), Vec::new()],
        setup: Setup::default(),
    };
    case.synced().expect("a base syncs")
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn directory_of(found: &Found) -> &RelPath {
    match found {
        Found::Listing { directory, .. } | Found::Unlisted { directory, .. } => directory,
    }
}

/// What listing everything gives now.
fn listings(run: &Run, side: Side) -> Vec<Found> {
    let wanted = WantedScan {
        targets: vec![(RelPath::root(), true)],
        whole: true,
    };
    run.world.scan(side, &wanted, &mut Random::new(1))
}

/// A whole scan of which the listings of `early` are older than `change`. A folder that
/// was named and is not there any more when it is to be listed cannot be read.
fn overtaken(run: &mut Run, side: Side, change: &str, early: &[&str]) -> Vec<Found> {
    let before = listings(run, side);
    assert!(run.world.apply(side, change), "{change}");
    let after = listings(run, side);
    let mut parts = Vec::new();
    let mut open = vec![RelPath::root()];
    while let Some(directory) = open.pop() {
        let is_early = early.contains(&directory.as_str());
        let mut seen = if is_early { &before } else { &after }.iter();
        let listed = seen.find(|found| *directory_of(found) == directory);
        if let Some(Found::Listing { entries, .. }) = listed {
            open.extend(folders(&directory, entries));
        }
        let reason = UnknownReason::Unreadable;
        parts.push(
            listed
                .cloned()
                .unwrap_or(Found::Unlisted { directory, reason }),
        );
    }
    parts
}

fn folders(directory: &RelPath, entries: &[(String, Sight)]) -> Vec<RelPath> {
    let is_folder =
        |sight: &Sight| matches!(sight, Sight::Entry(entry) if entry.kind() == Kind::Directory);
    let folders = entries.iter().filter(|(_, sight)| is_folder(sight));
    folders
        .filter_map(|(name, _)| directory.join(name).ok())
        .collect()
}

/// Has the engine take a scan, hints that came meanwhile, and its end.
fn take(run: &mut Run, side: Side, parts: Vec<Found>, hints: &[&str]) {
    run.handle(Input::ScanStarted { side, whole: true });
    for found in parts {
        run.handle(Input::Scanned { side, found });
    }
    for hint in hints {
        run.handle(Input::Hint {
            side,
            path: Some(path(hint)),
            subtree: true,
        });
    }
    run.handle(Input::ScanFinished {
        side,
        complete: true,
    });
}

fn is_move(operation: &Operation) -> bool {
    matches!(&operation.action, Action::Move { .. })
}

#[test]
fn what_moves_while_it_is_looked_at_is_moved_on_the_other_side() {
    // What was listed before the move, and what was hinted at before the scan's end.
    let table: [(&[&str], &[&str]); 5] = [
        // Missing, and its new place was seen too early.
        (&["out"], &["in/d", "out/d"]),
        (&["out"], &["out/d"]),
        // Its new place was seen, and its old place too early; its own listing failed.
        (&["", "in"], &["in/d"]),
        (&["", "in"], &[]),
        // The same, and it was listed before as well.
        (&["", "in", "in/d", "in/d/e"], &[]),
    ];
    for side in Side::BOTH {
        for (early, hints) in table {
            let mut run = filled();
            let parts = overtaken(&mut run, side, "mv in/d out/d", early);
            take(&mut run, side, parts, hints);
            run.settle().expect("settles");
            let told = format!("{side:?} {early:?} {hints:?}: {:?}", run.started);
            assert!(run.engine.state().halt.is_none(), "{told}");
            assert!(run.started.iter().all(is_move), "{told}");
            assert_eq!(run.started.len(), 1, "{told}");
        }
    }
}

#[test]
fn at_a_start_what_a_move_overtook_is_looked_at_before_anything_is_planned() {
    for side in Side::BOTH {
        let mut run = filled();
        run.crash_after(0).expect("a restart");
        let other = side.other();
        let parts = listings(&run, other);
        take(&mut run, other, parts, &[]);
        run.engine.next_scan(other);
        run.engine.next_scan(side);
        let parts = overtaken(&mut run, side, "mv in/d out/d", &["", "in"]);
        take(&mut run, side, parts, &[]);
        assert!(!run.engine.has_seen_both(), "{side:?}");
        run.settle().expect("settles");
        assert!(run.engine.has_seen_both(), "{side:?}");
        let moved: Vec<_> = run.started.iter().filter(|it| is_move(it)).collect();
        assert_eq!((moved.len(), run.started.len()), (1, 1), "{side:?}");
    }
}

/// How often a side's paths are looked at once more.
fn looks(run: &mut Run, side: Side) -> Vec<usize> {
    let mut looks = Vec::new();
    while let Some(wanted) = run.engine.next_scan(side) {
        looks.push(wanted.targets.len());
        assert!(!wanted.whole && looks.len() < 10, "{wanted:?}");
        let parts = run.world.scan(side, &wanted, &mut Random::new(1));
        take(run, side, parts, &[]);
    }
    looks
}

#[test]
fn a_deletion_is_believed_though_hints_wait_after_one_look_at_its_top() {
    for side in Side::BOTH {
        let mut run = filled();
        let parts = overtaken(&mut run, side, "rm in/d/e", &[]);
        take(&mut run, side, parts, &["in/keep"]);
        let is_there = |run: &Run| {
            let gone = run.engine.state().tree.lookup(side, &path("in/d/e"));
            gone.is_some()
        };
        assert!(is_there(&run), "it may have moved");
        assert_eq!(looks(&mut run, side), [2], "it and what was hinted at");
        assert!(!is_there(&run));
    }
}

#[test]
fn a_deletion_without_a_hint_needs_no_other_look() {
    for side in Side::BOTH {
        let mut run = filled();
        let parts = overtaken(&mut run, side, "rm in/d/e", &[]);
        take(&mut run, side, parts, &[]);
        assert!(looks(&mut run, side).is_empty());
        let gone = run.engine.state().tree.lookup(side, &path("in/d/e"));
        assert_eq!(gone, None);
    }
}

#[test]
fn a_folder_that_stands_at_two_places_for_good_is_two_after_one_more_look() {
    for side in Side::BOTH {
        let mut run = filled();
        let mut parts = listings(&run, side);
        double(&mut parts);
        take(&mut run, side, parts.clone(), &[]);
        let wanted = run.engine.next_scan(side).expect("another look");
        let mut targets: Vec<&str> = wanted.targets.iter().map(|it| it.0.as_str()).collect();
        targets.sort_unstable();
        assert_eq!(targets, ["in/d", "out/d"]);
        take(&mut run, side, parts, &[]);
        assert_eq!(run.engine.next_scan(side), None);
        let lookup = |at: &str| run.engine.state().tree.lookup(side, &path(at));
        assert!(lookup("in/d/e/7").is_some() && lookup("out/d").is_some());
        assert_ne!(lookup("in/d"), lookup("out/d"));
    }
}

/// Has `in/d` show in `out` as well.
fn double(parts: &mut [Found]) {
    let at = |parts: &[Found], text: &str| {
        let mut parts = parts.iter();
        parts.position(|found| directory_of(found).as_str() == text)
    };
    let (from, to) = (at(parts, "in"), at(parts, "out"));
    let Found::Listing { entries, .. } = &parts[from.expect("listed")] else {
        return;
    };
    let twin = entries.iter().find(|(name, _)| name == "d").cloned();
    if let Found::Listing { entries, .. } = &mut parts[to.expect("listed")] {
        entries.extend(twin);
    }
}
