//! All pairs of single changes to one or two nodes. The quick run takes the kinds of
//! sides in turn; with `RING1_CASES` set each pair meets all of them.

use journal_format::value::{Policy, Side};
use proptests::ring1::case::{Case, Kit, Setup};
use proptests::ring1::promise::{self, Before};
use std::panic::catch_unwind;

const BASES: &[&[&str]] = &[
    &[],
    &["a=1"],
    &["a/"],
    &["a=1", "b=2"],
    &["a=1", "b=1"],
    &["a/", "a/x=1"],
    &["a/", "b=1"],
    &["a/", "b/"],
    &["a/", "a/b/"],
];

/// Changes on a base of at most the paths `a`, `b`, `a/x` and `a/b`; those that do
/// not fit a base are left out there.
const CHANGES: &[&str] = &[
    "",
    "a=3",
    "a=4",
    "new a=4",
    "touch a",
    "rm a",
    "rm b",
    "rm a/x",
    "a/",
    "a/x=3",
    "a/y=3",
    "a/y/",
    "b=3",
    "b/",
    "mv a b",
    "mv b a",
    "mv a c",
    "mv a d",
    "mv b c",
    "mv a/x b",
    "mv a/x c",
    "mv a/b b",
    "mv a/b c",
    "mv b a/b",
    "mv a b/a",
    "swap a b",
    "rm a; a=3",
    "rm a; a/",
    "rm a; a/; a/x=3",
    "mv a c; a=3",
    "mv a c; a/",
    "mv a c; mv b a",
    "mv a/b c; mv a c/a",
    "mv a/b c; mv a c/a; mv c b",
    "link c=1",
];

#[test]
fn all_pairs_of_changes_to_one_or_two_nodes_converge() {
    let mut broken = Vec::new();
    let mut cases = 0;
    for base in BASES {
        let fitting: Vec<&str> = CHANGES
            .iter()
            .copied()
            .filter(|it| fits(base, it))
            .collect();
        for local in &fitting {
            for remote in &fitting {
                for kits in pick(cases) {
                    cases += 1;
                    let case = case(base, local, remote, *kits);
                    let held = catch_unwind(|| holds(&case));
                    if let Err(reason) = held.unwrap_or_else(|_| Err("panics".to_owned())) {
                        broken.push(format!("{case}\n    {reason}"));
                    }
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {cases}:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

const KITS: [[Kit; 2]; 3] = [
    [Kit::Disk, Kit::Rich],
    [Kit::Disk, Kit::Plain],
    [Kit::Inodes, Kit::Disk],
];

fn pick(turn: usize) -> &'static [[Kit; 2]] {
    let turn = turn % KITS.len();
    if std::env::var_os("RING1_CASES").is_some() {
        &KITS
    } else {
        &KITS[turn..=turn]
    }
}

fn case(base: &[&str], local: &str, remote: &str, kits: [Kit; 2]) -> Case {
    let mut policy = Policy::default();
    policy.brakes.entries_min = 1_000;
    Case {
        base: base
            .iter()
            .map(|it| (*it).to_owned())
            .chain(["z=9".to_owned()])
            .collect(),
        changes: [local, remote].map(proptests::ring1::case::commands),
        setup: Setup {
            sides: kits,
            policy,
            ..Setup::default()
        },
    }
}

fn fits(base: &[&str], change: &str) -> bool {
    let case = case(base, change, "", [Kit::Disk; 2]);
    let mut world = case.synced().expect("bases sync").world;
    case.changes[0]
        .iter()
        .all(|command| world.apply(Side::Local, command))
}

fn holds(case: &Case) -> Result<(), String> {
    let base = case.synced()?;
    let mut run = case.perturbed()?;
    let before = Before::new(&base.world, &run.world);
    run.settle()?;
    if let Some(halt) = run.engine.state().halt {
        return Err(format!("{halt:?}"));
    }
    promise::sides_are_equal(&run.world)?;
    promise::nothing_is_lost(&before, &run.world)?;
    promise::replay_is_equal(&run)?;
    let no_change = case.changes.iter().all(Vec::is_empty);
    if no_change && !run.started.is_empty() {
        return Err(format!("nothing changed, yet {:?}", run.started));
    }
    promise::second_run_is_idle(&mut run)
}
