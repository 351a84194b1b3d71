//! The world is sound for a correct program, and its checkers bite flawed ones.

use super::{Flaws, Toy};
use crate::run::{check_seed, run};

#[test]
fn a_correct_program_breaks_no_promise() {
    for seed in 0..60 {
        check_seed(seed, &Toy::default());
    }
}

#[test]
fn each_flaw_is_caught_by_its_checker() {
    let none = Flaws::default();
    let rows: [(&str, Flaws); 8] = [
        (
            "nothing_lost",
            Flaws {
                deletes_on_absence: true,
                ..none
            },
        ),
        (
            "nothing_lost",
            Flaws {
                trusts_the_exchange: true,
                ..none
            },
        ),
        (
            "no_half_file",
            Flaws {
                skips_sync: true,
                ..none
            },
        ),
        (
            "stream_gapless",
            Flaws {
                publishes_early: true,
                ..none
            },
        ),
        (
            "stream_gapless",
            Flaws {
                skips_a_record: true,
                ..none
            },
        ),
        (
            "inside_root",
            Flaws {
                names_own_folder: true,
                ..none
            },
        ),
        (
            "second_run_idle",
            Flaws {
                is_restless: true,
                ..none
            },
        ),
        (
            "converged",
            Flaws {
                never_downloads: true,
                ..none
            },
        ),
    ];
    for (checker, flaws) in rows {
        let toy = Toy { flaws };
        let caught = (0..300).find_map(|seed| {
            let broken = run(seed, &toy).broken?;
            broken.starts_with(checker).then_some(seed)
        });
        assert!(caught.is_some(), "{checker} does not see {flaws:?}");
    }
}

#[test]
fn every_fault_occurs_within_a_few_seeds() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        seen.extend(run(seed, &Toy::default()).faults.into_keys());
    }
    let missing: Vec<&str> = FAULTS
        .into_iter()
        .filter(|fault| !seen.contains(fault))
        .collect();
    assert_eq!(missing, [""; 0]);
}

const FAULTS: [&str; 21] = [
    "answer_lost",
    "auth",
    "clock_jump",
    "denied",
    "full",
    "ghost",
    "hint_lost",
    "hint_rescan",
    "hint_shuffled",
    "kill",
    "outage",
    "power",
    "read_broken",
    "restart",
    "scan_broken",
    "stale_listing",
    "store",
    "torn_listing",
    "transient",
    "unlisted",
    "watch_ends",
];
