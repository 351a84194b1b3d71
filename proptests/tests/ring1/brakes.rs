//! Plans that look like a disaster wait for a person; moves do not look like one.

use journal_format::event::HaltReason;
use journal_format::value::Side;
use proptests::ring1::case::{Case, Setup};
use proptests::ring1::promise;
use proptests::ring1::run::Run;
use sync_core::input::Input;

/// Files `d/0` to `d/<count - 1>` and, beside them, `z`.
fn filled(count: usize) -> Run {
    let files = (0..count).map(|n| format!("d/{n}={}", n + 10));
    let case = Case {
        base: ["d/".to_owned(), "z=1".to_owned()]
            .into_iter()
            .chain(files)
            .collect(),
        changes: [Vec::new(), Vec::new()],
        setup: Setup::default(),
    };
    case.synced().expect("a base syncs")
}

fn halt_of(run: &Run) -> Option<(HaltReason, Side, u64)> {
    let halt = run.engine.state().halt?;
    Some((halt.reason, halt.side, halt.count))
}

fn commands(one: impl Fn(usize) -> String, count: usize) -> Vec<String> {
    (0..count).map(one).collect()
}

#[test]
fn deletions_above_the_share_halt_on_either_side() {
    for side in Side::BOTH {
        let mut run = filled(40);
        run.perturb(side, &commands(|n| format!("rm d/{n}"), 30));
        run.settle().expect("a halt is rest");
        assert_eq!(
            halt_of(&run),
            Some((HaltReason::TooManyDeletions, side.other(), 30))
        );
        assert!(run.started.is_empty(), "{:?}", run.started);
    }
}

#[test]
fn deletions_below_the_share_go_through() {
    let mut run = filled(40);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 15));
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None);
    assert_eq!(run.started.len(), 15);
}

#[test]
fn a_slow_leak_is_counted_over_the_hour() {
    let mut run = filled(40);
    for start in [0, 10, 20] {
        let leak: Vec<String> = (start..start + 10).map(|n| format!("rm d/{n}")).collect();
        run.perturb(Side::Local, &leak);
        run.settle().expect("settles");
    }
    assert_eq!(
        halt_of(&run),
        Some((HaltReason::TooManyDeletions, Side::Remote, 10))
    );
    assert_eq!(run.started.len(), 20);
}

#[test]
fn approval_releases_exactly_the_plan_that_was_held_back() {
    let mut run = filled(40);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 30));
    run.settle().expect("a halt is rest");
    run.approve();
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None);
    assert_eq!(run.started.len(), 30);
    promise::sides_are_equal(&run.world).expect("the deletions arrived");
    promise::replay_is_equal(&run).expect("a replay agrees");
}

#[test]
fn an_approval_does_not_cover_later_deletions() {
    let mut run = filled(60);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 40));
    run.settle().expect("a halt is rest");
    run.approve();
    run.settle().expect("settles");
    let more: Vec<String> = (40..58).map(|n| format!("rm d/{n}")).collect();
    run.perturb(Side::Local, &more);
    run.settle().expect("a halt is rest");
    assert_eq!(
        halt_of(&run),
        Some((HaltReason::TooManyDeletions, Side::Remote, 18))
    );
    assert_eq!(run.started.len(), 40);
}

#[test]
fn a_halted_plan_that_grows_is_another_plan() {
    let mut run = filled(60);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 40));
    run.settle().expect("a halt is rest");
    let more: Vec<String> = (40..58).map(|n| format!("rm d/{n}")).collect();
    run.perturb(Side::Local, &more);
    run.settle().expect("a halt is rest");
    assert_eq!(
        halt_of(&run),
        Some((HaltReason::TooManyDeletions, Side::Remote, 58))
    );
    assert!(run.started.is_empty());
}

#[test]
fn a_plan_that_shrinks_below_the_limit_goes_on_by_itself() {
    let mut run = filled(40);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 30));
    run.settle().expect("a halt is rest");
    run.perturb(Side::Local, &commands(|n| format!("d/{n}={}", n + 10), 25));
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None);
    promise::sides_are_equal(&run.world).expect("what came back stayed");
}

#[test]
fn a_halt_survives_a_restart() {
    let mut run = filled(40);
    run.perturb(Side::Local, &commands(|n| format!("rm d/{n}"), 30));
    run.settle().expect("a halt is rest");
    run.crash_after(0).expect("restarts");
    run.settle().expect("a halt is rest");
    assert_eq!(
        halt_of(&run),
        Some((HaltReason::TooManyDeletions, Side::Remote, 30))
    );
    assert!(run.started.is_empty());
}

#[test]
fn renaming_a_directory_of_many_children_counts_no_deletion() {
    let mut run = filled(200);
    run.perturb(Side::Local, &["mv d e".to_owned()]);
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None);
    assert_eq!(run.started.len(), 1);
    promise::second_run_is_idle(&mut run).expect("it is over");
}

#[test]
fn an_emptied_root_halts() {
    for side in Side::BOTH {
        let mut run = filled(3);
        run.perturb(side, &["rm d".to_owned(), "rm z".to_owned()]);
        run.settle().expect("a halt is rest");
        assert_eq!(
            halt_of(&run),
            Some((HaltReason::RootEmptied, side.other(), 5))
        );
        assert!(run.started.is_empty());
    }
}

/// The remote's account goes back, and all of the remote is looked at after it.
fn restore(run: &mut Run, commands: &[&str]) {
    let detail = "restored".to_owned();
    run.handle(Input::RolledBack { detail });
    let commands: Vec<String> = commands.iter().map(|&one| one.to_owned()).collect();
    run.perturb(Side::Remote, &commands);
    run.settle().expect("settles, or a halt is rest");
    read_on(run);
}

/// The feed was read on, and what it told was looked at.
fn read_on(run: &mut Run) {
    run.handle(Input::FeedRead {
        cursor: run.records.len().to_string(),
        whole: true,
    });
    run.settle().expect("settles, or a halt is rest");
}

#[test]
fn what_a_restored_server_takes_away_waits_however_little_it_is() {
    for loss in ["rm d/1", "d/1=900"] {
        let mut run = filled(40);
        restore(&mut run, &[loss, "new=901"]);
        let held = Some((HaltReason::RolledBack, Side::Local, 1));
        assert_eq!(halt_of(&run), held, "{loss}");
        assert!(run.started.is_empty(), "{:?}", run.started);
        read_on(&mut run);
        assert_eq!(halt_of(&run), held, "reading on is no release");
        run.crash_after(0).expect("restarts");
        run.settle().expect("a halt is rest");
        assert_eq!(halt_of(&run), held, "nor is a restart");
        run.approve();
        run.settle().expect("settles");
        promise::sides_are_equal(&run.world).expect("it was approved");
        promise::replay_is_equal(&run).expect("a replay agrees");
        run.perturb(Side::Remote, &["rm d/2".to_owned()]);
        run.settle().expect("settles");
        assert_eq!(halt_of(&run), None, "it was approved once for all");
    }
}

#[test]
fn a_restored_server_that_takes_nothing_away_is_soon_one_like_any_other() {
    let mut run = filled(40);
    restore(&mut run, &["new=900"]);
    run.perturb(Side::Local, &["rm d/1".to_owned(), "d/3=901".to_owned()]);
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None, "what goes the other way does not wait");
    run.perturb(Side::Remote, &["rm d/2".to_owned()]);
    run.settle().expect("settles");
    assert_eq!(halt_of(&run), None);
    promise::sides_are_equal(&run.world).expect("a later deletion is meant");
    promise::replay_is_equal(&run).expect("a replay agrees");
}

#[test]
fn every_file_changed_at_once_halts() {
    let mut run = filled(40);
    let mut all = commands(|n| format!("d/{n}={}", n + 500), 40);
    all.push("z=600".to_owned());
    run.perturb(Side::Local, &all);
    run.settle().expect("a halt is rest");
    let halt = halt_of(&run).map(|(reason, side, _)| (reason, side));
    assert_eq!(halt, Some((HaltReason::EverythingChanged, Side::Remote)));
}
