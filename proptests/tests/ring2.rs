//! Ring 2: the whole program in seeded worlds.
//!
//! `RING2_SEEDS=10000 cargo test --release -p proptests --test ring2` runs as many
//! seeds as it is told to, from `RING2_FROM` on; `tools sim --seed N` replays one.

use proptests::mutants::Mutant;
use proptests::program::Program;
use proptests::run::{check_seed, run, run_with};
use proptests::world::options::Options;
use std::ops::Range;

/// Seeds that failed once, and the rule that was broken then. What a seed means
/// changes with the world; what it proved is also kept in a test of its own where
/// that can be told more exactly.
const KEPT: [(u64, &str); 47] = [
    (52, "a run that began before people left proves nothing"),
    (72, "what cannot be synced does not follow a move"),
    (75, "a wait after refused credentials ends"),
    (99, "an edit between look and rename is an edit"),
    (102, "an edit between look and rename is no baseline"),
    (116, "a pipe does not follow its namesake's move"),
    (166, "a pipe does not follow a change of case"),
    (171, "who holds no links has none"),
    (
        270,
        "what is left out keeps its directory, once and for all",
    ),
    (303, "a removal that cannot be is not tried in each run"),
    (346, "content that comes back is wanted by both"),
    (465, "a directory that is left out keeps the one above"),
    (
        664,
        "what a person never made durable is that person's loss",
    ),
    (706, "content that the other side replaced is not owed"),
    (680, "what is tried in vain leaves nothing to see"),
    (850, "a slot is empty before its operation has failed"),
    (902, "an approval is about one past"),
    (
        921,
        "an edit that a power loss took back replaces no later version for good",
    ),
    (927, "a node that an earlier move ended moves no more"),
    (1186, "a halt waits for a person"),
    (1191, "an emptied root halts until it is approved"),
    (1407, "a directory that a pipe keeps blocks its name"),
    (1571, "a run ends"),
    (1628, "a replay does not depend on places in memory"),
    (
        2333,
        "a directory that a pipe keeps is the one that comes to its name",
    ),
    (2633, "the trash takes two that have one name"),
    (
        3507,
        "a pipe is not the directory that moved away over there",
    ),
    (6680, "a failure is its own directory's, not its twin's"),
    (
        7137,
        "a link is not the file that stands elsewhere over there",
    ),
    (
        7517,
        "what cannot go back since its directory is gone stays in sight",
    ),
    (
        7934,
        "a link at the place of a local move is not what moved",
    ),
    (
        8553,
        "a file of a folder that was exchanged is no edit of its namesake",
    ),
    (
        8980,
        "an unfinished detour is told by its operation, not by its name",
    ),
    (
        9422,
        "a directory that its own child replaced has moved into it",
    ),
    (
        9445,
        "a link is not the directory that moved away over there",
    ),
    (11_795, "what waits keeps its directory, and that its name"),
    (14_136, "whose copy was taken is not told of several"),
    (17_581, "a pipe is missed also where its node has left it"),
    (19_208, "an empty file is any other empty file"),
    (
        20_663,
        "what is written twice within a coarse step is seen after it",
    ),
    (21_525, "what came out of the tree goes back into it"),
    (
        31_966,
        "a slot that outlived its operation is put away as that",
    ),
    (
        34_625,
        "a directory in a slot that a file was staged in has come out",
    ),
    (36_703, "a directory that came out goes back, above its own"),
    (
        8621,
        "a pipe blocks its name also where its directory has moved",
    ),
    (56_439, "what failed is looked at before it is tried again"),
    (
        40_189,
        "a copy made within a coarse step would be of two versions",
    ),
];

/// The same, with a remote that keeps an account of changes.
const KEPT_WITH_FEED: [(u64, &str); 16] = [
    (707, "what a feed hints at is found"),
    (892, "what a feed hints at is found"),
    (1185, "what waits keeps its directory, and that its name"),
    (1206, "what a feed hints at is found"),
    (1340, "what a feed hints at is found"),
    (
        2536,
        "what came to rest at a temporary name of ours goes where there is a directory",
    ),
    (6999, "without its root nothing was learnt of a side"),
    (
        2052,
        "what was edited after it came is kept when its name is lost",
    ),
    (
        6822,
        "what a pipe hides over there is neither gone nor anywhere else",
    ),
    (
        7866,
        "a directory that stays for something left out is one with its namesake, whatever the case",
    ),
    (
        18_126,
        "what a power loss leaves of a file replaces no whole version for good",
    ),
    (
        13_601,
        "what a slot holds is in the trash where nobody knows any more what came out",
    ),
    (
        24_364,
        "what failed is not tried again while its place is being looked at",
    ),
    (
        10_753,
        "what a link hides here is not made anew where it was moved over there",
    ),
    (
        17_353,
        "what waits at a temporary name goes with what it was, whoever takes that name over there",
    ),
    (
        18_270,
        "what is listed under the old name of a renamed directory has not moved there",
    ),
];

#[test]
fn kept_seeds_hold() {
    for (seed, rule) in KEPT {
        let broken = run(seed, &Program).broken;
        assert_eq!(broken, None, "seed {seed} stands for: {rule}");
        check_seed(seed, &Program);
    }
    for (seed, rule) in KEPT_WITH_FEED {
        let broken = run_with(seed, Options::of(seed).with_feed(), &Program).broken;
        assert_eq!(broken, None, "seed {seed} with a feed stands for: {rule}");
    }
}

#[test]
fn drawn_seeds_hold() {
    for seed in drawn() {
        check_seed(seed, &Program);
    }
}

#[test]
fn drawn_seeds_hold_when_records_wait_for_each_other() {
    for seed in drawn() {
        let broken = run_with(seed, Options::of(seed).with_patience(), &Program).broken;
        assert_eq!(
            broken, None,
            "replay with: tools sim --patience --seed {seed}"
        );
    }
}

fn drawn() -> Range<u64> {
    let number = |name: &str, or: u64| {
        let value = std::env::var(name).ok();
        value.map_or(or, |text| text.parse().expect("a number of seeds"))
    };
    let from = number("RING2_FROM", 0);
    from..from + number("RING2_SEEDS", QUICK_SEEDS)
}

/// A run of a mutant may also panic: then the program noticed by itself.
fn caught_by(mutant: Mutant, seed: u64) -> Option<String> {
    let run = std::panic::catch_unwind(|| run(seed, &mutant).broken);
    run.unwrap_or_else(|_| Some("a panic".to_owned()))
}

#[test]
fn each_broken_rule_is_noticed() {
    // The last column is where to begin: seeds before it show nothing.
    let rules = [
        (Mutant::SyncDoesNothing, "nothing_lost", 0),
        (Mutant::AppendAnswersEarly, "stream_gapless", 0),
        (Mutant::UnexpectedIsDiscarded, "nothing_lost", 0),
        (Mutant::CommitReplaces, "nothing_lost", 0),
        (Mutant::PutIgnoresReplaces, "nothing_lost", 0),
        (Mutant::RemoveIgnoresExpect, "nothing_lost", 0),
        (Mutant::ListingsAreShort, "converged", 0),
        (Mutant::ExchangeIgnoresExpect, "kept_in_sight", 37),
        (Mutant::TakeIgnoresExpect, "kept_in_sight", 103),
        (Mutant::UnlistedIsEmpty, "absence_proven", 1_100),
    ];
    for (mutant, checker, from) in rules {
        let noticed = |seed: &u64| {
            let broken = caught_by(mutant, *seed);
            broken.is_some_and(|broken| broken.starts_with(checker))
        };
        let seed = (from..from + MUTANT_SEEDS).find(noticed);
        let seed = seed.unwrap_or_else(|| panic!("{checker} does not notice {mutant:?}"));
        check_seed(seed, &Program);
    }
}

#[test]
fn a_damaged_checkpoint_changes_nothing() {
    for seed in 0..CHECKPOINT_SEEDS {
        check_seed(seed, &Mutant::CheckpointIsGarbage);
    }
}

const QUICK_SEEDS: u64 = 1_000;
const MUTANT_SEEDS: u64 = 400;
const CHECKPOINT_SEEDS: u64 = 50;
