//! The cases that once failed, kept by name in `seeds/ring1.txt`.

use super::properties::{converges, generous, restarts, settle_approving};
use proptests::ring1::case::Case;
use proptests::ring1::promise;
use std::panic::catch_unwind;

const SEEDS: &str = include_str!("../../seeds/ring1.txt");

#[test]
fn every_kept_case_holds_calm_wild_swapped_and_restarted() {
    let lines = SEEDS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut broken = Vec::new();
    for line in lines {
        let (name, text) = line.split_once(": ").expect("a name");
        for seed in 0..16 {
            let held = catch_unwind(|| holds(text, seed));
            if let Err(reason) = held.unwrap_or_else(|_| Err("panics".to_owned())) {
                broken.push(format!("{name} (seed {seed}): {reason}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn holds(text: &str, seed: u64) -> Result<(), String> {
    let mut case = Case::parse(text);
    case.setup.seed = seed;
    case.setup.policy = generous();
    let wild = |mut case: Case| {
        case.setup.wild = true;
        case
    };
    for case in [case.clone(), case.swapped()] {
        converges(&case).map_err(|broken| format!("{case}: {broken}"))?;
        restarts(&case, &[3, 9, 5, 14, 2])?;
        for prefix in 1..12 {
            restarts(&case, &[prefix])?;
        }
    }
    converges(&wild(case.clone()))?;
    restarts(&wild(case.clone()), &[4, 7, 11])?;
    let mut again = case.clone();
    again.setup.seed += 100;
    let [mut one, mut other] = [case.perturbed()?, again.perturbed()?];
    settle_approving(&mut one)?;
    settle_approving(&mut other)?;
    promise::same_outline(&one, &other)
}
