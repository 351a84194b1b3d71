//! Random trees, changed on both sides: what must hold whatever happened.
//!
//! `RING1_CASES` sets the number of cases of each property, `RING1_SEED` draws
//! others. A failure prints the shrunk case as a line; it is kept under a name in
//! `seeds/ring1.txt`.

use journal_format::value::{Policy, Side};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use proptests::ring1::case::{Case, Kit, Setup};
use proptests::ring1::generate::{self, Names};
use proptests::ring1::promise::{self, Before};
use proptests::ring1::run::Run;
use std::collections::BTreeSet;

/// Runs a property over cases; `share` divides their number for costly ones.
pub(super) fn hold(
    share: u32,
    cases: impl Strategy<Value = Case>,
    property: impl Fn(&Case) -> Result<(), String>,
) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
    };
    let config = Config {
        cases: number("RING1_CASES").unwrap_or(256) / share,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut seed = [0_u8; 32];
    seed[..4].copy_from_slice(&number("RING1_SEED").unwrap_or(0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&cases, |case| property(&case).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(broken, case)) => panic!("{case}\n{broken}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

pub(super) fn setups(kits: &'static [Kit], wild: bool) -> impl Strategy<Value = Setup> {
    let kit = move || prop::sample::select(kits);
    let local = prop_oneof![Just(Kit::Disk), Just(Kit::Inodes)];
    (local, kit(), any::<u32>()).prop_map(move |(local, remote, seed)| Setup {
        sides: [local, remote],
        policy: generous(),
        seed: u64::from(seed),
        wild,
    })
}

/// Brakes have their own properties.
pub(super) fn generous() -> Policy {
    let mut policy = Policy::default();
    policy.brakes.deletions_percent_max = 100;
    policy.brakes.entries_min = 1_000;
    policy
}

pub(super) const REMOTES: &[Kit] = &[Kit::Rich, Kit::Plain, Kit::Disk];

/// Releases whatever halts the run, so that it can come to its end.
pub(super) fn settle_approving(run: &mut Run) -> Result<(), String> {
    for _ in 0..4 {
        run.settle()?;
        if run.engine.state().halt.is_none() {
            return Ok(());
        }
        run.approve();
    }
    Err(format!(
        "halts again and again: {:?}",
        run.engine.state().halt
    ))
}

/// Both sides are equal, or something that a side cannot speak of is in the way: then
/// that is untouched, and told.
fn agrees(run: &Run, hidden: &[(Side, u64)]) -> Result<(), String> {
    if hidden.is_empty() {
        return promise::sides_are_equal(&run.world);
    }
    if hidden != promise::hidden_objects(&run.world) {
        return Err("what is hidden was changed".to_owned());
    }
    if run.engine.problems().is_empty() {
        return Err("what is hidden is not told".to_owned());
    }
    Ok(())
}

pub(super) fn converges(case: &Case) -> Result<(), String> {
    let base = case.synced()?;
    let mut run = case.perturbed()?;
    let before = Before::new(&base.world, &run.world);
    let hidden = promise::hidden_objects(&run.world);
    let had_twins = promise::has_twins(&run.world);
    settle_approving(&mut run)?;
    for _ in 0..if had_twins { 3 } else { 0 } {
        // A second spelling is looked at again once the first one is away.
        run.look();
        settle_approving(&mut run)?;
    }
    let twins = promise::has_twins(&run.world);
    if !twins {
        agrees(&run, &hidden)?;
        promise::nothing_is_lost(&before, &run.world)?;
    }
    promise::nothing_vanished(&before, &run.world)?;
    promise::replay_is_equal(&run)?;
    promise::second_run_is_idle(&mut run)
}

#[test]
fn both_sides_become_equal_and_nothing_is_lost() {
    hold(
        1,
        generate::case(setups(REMOTES, false), Names::Plain, 6),
        converges,
    );
}

#[test]
fn both_sides_become_equal_when_scans_and_operations_overlap() {
    hold(
        1,
        generate::case(setups(REMOTES, true), Names::Plain, 6),
        converges,
    );
}

#[test]
fn names_that_differ_in_case_or_normalisation_lose_nothing() {
    const ALL: &[Kit] = &[Kit::Rich, Kit::Disk, Kit::Fold];
    hold(
        1,
        generate::case(setups(ALL, false), Names::Odd, 6),
        converges,
    );
}

#[test]
fn swapping_the_sides_mirrors_the_outcome() {
    const SAME: &[Kit] = &[Kit::Disk];
    let cases = generate::case(setups(SAME, false), Names::Plain, 4).prop_map(|mut case| {
        case.setup.sides = [Kit::Disk; 2];
        case
    });
    hold(2, cases, |case| {
        let [mut one, mut other] = [case.perturbed()?, case.swapped().perturbed()?];
        settle_approving(&mut one)?;
        settle_approving(&mut other)?;
        let [mine, theirs] = [&one, &other].map(|run| run.world.disk(Side::Local));
        if promise::contents(mine) != promise::contents(theirs) {
            let [mine, theirs] = [mine, theirs].map(promise::describe);
            return Err(format!("`{mine}`, swapped `{theirs}`"));
        }
        let is_tied = [&one, &other].iter().any(|run| promise::has_tie(run));
        if !is_tied && promise::describe(mine) != promise::describe(theirs) {
            let [mine, theirs] = [mine, theirs].map(promise::describe);
            return Err(format!("no conflict, yet `{mine}`, swapped `{theirs}`"));
        }
        Ok(())
    });
}

#[test]
fn the_order_of_listings_and_results_changes_nothing() {
    hold(
        2,
        generate::case(setups(REMOTES, false), Names::Plain, 5),
        |case| {
            let mut again = case.clone();
            again.setup.seed ^= 0x5555_5555;
            let [mut one, mut other] = [case.perturbed()?, again.perturbed()?];
            settle_approving(&mut one)?;
            settle_approving(&mut other)?;
            promise::same_outline(&one, &other)
        },
    );
}

#[test]
fn a_restart_after_any_prefix_reaches_the_same_trees() {
    hold(
        2,
        generate::case(setups(REMOTES, false), Names::Plain, 5),
        |case| {
            let mut whole = case.perturbed()?;
            settle_approving(&mut whole)?;
            let base = case.synced()?;
            let mut run = case.perturbed()?;
            let before = Before::new(&base.world, &run.world);
            let steps = usize::try_from(case.setup.seed % 40).expect("small");
            run.crash_after(steps)?;
            settle_approving(&mut run)?;
            promise::sides_are_equal(&run.world)?;
            promise::nothing_is_lost(&before, &run.world)?;
            promise::same_outline(&whole, &run)?;
            promise::second_run_is_idle(&mut run)
        },
    );
}

/// Crashes after each number of steps, then lets the run come to its end.
pub(super) fn restarts(case: &Case, prefixes: &[usize]) -> Result<(), String> {
    let base = case.synced()?;
    let mut run = case.perturbed()?;
    let before = Before::new(&base.world, &run.world);
    let hidden = promise::hidden_objects(&run.world);
    for steps in prefixes {
        run.crash_after(*steps)?;
    }
    settle_approving(&mut run)?;
    if !promise::has_twins(&run.world) {
        agrees(&run, &hidden)?;
        promise::nothing_is_lost(&before, &run.world)?;
    }
    promise::nothing_vanished(&before, &run.world)?;
    promise::replay_is_equal(&run)?;
    promise::second_run_is_idle(&mut run)
}

#[test]
fn many_restarts_lose_nothing() {
    let cases = generate::case(setups(REMOTES, true), Names::Plain, 5);
    hold(2, cases, |case| restarts(case, &[3, 9, 5, 14, 2]));
}

#[test]
fn nothing_is_done_at_or_below_what_a_side_cannot_speak_of() {
    let cases = generate::case(setups(REMOTES, false), Names::Plain, 4);
    hold(2, cases, |case| {
        let mut run = case.perturbed()?;
        let side = if case.setup.seed % 2 == 0 {
            Side::Local
        } else {
            Side::Remote
        };
        let paths: Vec<String> = run.world.disk(side).items.keys().cloned().collect();
        let Some(chosen) =
            paths.get(usize::try_from(case.setup.seed >> 4).expect("small") % paths.len().max(1))
        else {
            return Ok(());
        };
        let word = ["shut", "fifo"][usize::try_from(case.setup.seed >> 2 & 1).expect("a bit")];
        run.perturb(side, &[format!("{word} {chosen}")]);
        let hidden: BTreeSet<u64> = promise::hidden_contents(&run.world).collect();
        let tops = promise::hidden_objects(&run.world);
        settle_approving(&mut run)?;
        let still: BTreeSet<u64> = promise::hidden_contents(&run.world).collect();
        if hidden != still || tops != promise::hidden_objects(&run.world) {
            return Err("what is hidden was changed".to_owned());
        }
        promise::replay_is_equal(&run)?;
        promise::second_run_is_idle(&mut run)
    });
}

#[test]
fn a_new_filter_deletes_nothing() {
    hold(
        2,
        generate::case(setups(REMOTES, false), Names::Plain, 0),
        |case| {
            let mut run = case.synced()?;
            let before = run.world.disks.each_ref().map(promise::describe);
            for (place, name) in ["a", "b", "c", "d"].iter().enumerate() {
                if case.setup.seed >> place & 1 == 1 {
                    run.perturb(Side::Local, &[format!("exclude {name}")]);
                }
            }
            run.settle()?;
            if !run.started.is_empty() {
                return Err(format!("a filter leads to {:?}", run.started));
            }
            run.world.excluded.clear();
            run.look();
            run.settle()?;
            if !run.started.is_empty()
                || before != run.world.disks.each_ref().map(promise::describe)
            {
                return Err(format!("dropping a filter leads to {:?}", run.started));
            }
            promise::second_run_is_idle(&mut run)
        },
    );
}

#[test]
fn nothing_is_done_at_or_below_a_name_that_a_filter_leaves_out() {
    let cases = generate::case(setups(REMOTES, false), Names::Plain, 4);
    hold(2, cases, |case| {
        let mut run = case.perturbed()?;
        run.perturb(Side::Local, &["exclude a".to_owned()]);
        let hidden = promise::hidden_objects(&run.world);
        settle_approving(&mut run)?;
        let touched = run.started.iter().map(|operation| operation.action.path());
        let below: Vec<_> = touched
            .filter(|path| path.names().any(|name| name == "a"))
            .collect();
        if !below.is_empty() || hidden != promise::hidden_objects(&run.world) {
            return Err(format!("a filter leaves out {below:?}"));
        }
        promise::replay_is_equal(&run)
    });
}

#[test]
fn shifting_all_times_of_a_side_changes_no_decision() {
    let cases = generate::case(setups(REMOTES, false), Names::Plain, 4);
    let cases = cases.prop_map(|mut case| {
        // A bare inode number is the same object only while its time agrees.
        case.setup.sides[0] = Kit::Disk;
        case
    });
    hold(2, cases, |case| {
        let mut plain = case.perturbed()?;
        settle_approving(&mut plain)?;
        for side in Side::BOTH {
            let mut shifted = case.perturbed()?;
            shifted.shift_times(side, -86_400_000 * 365);
            settle_approving(&mut shifted)?;
            promise::same_outline(&plain, &shifted)?;
        }
        Ok(())
    });
}
