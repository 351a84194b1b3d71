//! Conflicts that wait for a person, and each answer to them.
//!
//! A line is `base | local | remote | kept local | kept remote | kept both`; the last
//! three are what both sides hold after that answer, as in the merge table. Under the
//! policy `manual` all that is in conflict stays as it is; after the answer nothing waits
//! any more. A property gives random answers to random trees.

use super::properties::{REMOTES, generous, hold, settle_approving, setups};
use super::table::check_after;
use journal_format::event::Keep;
use journal_format::value::Solve;
use proptests::ring1::case::{Case, Kit, Setup, commands};
use proptests::ring1::generate::{self, Names};
use proptests::ring1::promise::{self, Before};
use proptests::ring1::run::Run;
use sync_core::input::Input;

const TABLE: &str = "
a=1 | a=2 | a=3 | a=2 trash 3 | a=3 trash 2 | a=3 a~=2
 | a=2 | a=3 | a=2 trash 3 | a=3 trash 2 | a=3 a~=2
a=1 | mv a b | mv a c | b=1 | c=1 | c=1
a=1 | mv a b; b=2 | mv a c; c=3 | b=2 trash 3 | c=3 trash 2 | c=3 c~=2
d/; d/x=1 | mv d e | mv d f | e/ e/x=1 | f/ f/x=1 | f/ f/x=1
 | a=1 | a/; a/x=2 | a=1 a~/ a~/x=2 | a/ a/x=2 a~=1 | a/ a/x=2 a~=1
 | a/; a/x=2 | a=1 | a/ a/x=2 a~=1 | a=1 a~/ a~/x=2 | a=1 a~/ a~/x=2
a=1 | rm a; a/; a/x=2 | a=3 | a/ a/x=2 a~=3 | a=3 a~/ a~/x=2 | a=3 a~/ a~/x=2
a=1 | a=3 | rm a; a/; a/x=2 | a=3 a~/ a~/x=2 | a/ a/x=2 a~=3 | a/ a/x=2 a~=3
d/; d/x=1; d/y=2 | rm d; d=5 | d/x=3 | d=5 d~/ d~/x=3 | d/ d/x=3 d~=5 | d/ d/x=3 d~=5
d/; d/x=1; d/y=2 | d/x=3 | rm d; d=5 | d/ d/x=3 d~=5 | d=5 d~/ d~/x=3 | d=5 d~/ d~/x=3
a=1; b=2 | mv a c | mv b c | c=1 c~=2 | c=2 c~=1 | c=2 c~=1
a=1 | mv a c | c=2 | c=1 c~=2 | c=2 c~=1 | c=2 c~=1
a=1 | c=2 | mv a c | c=2 c~=1 | c=1 c~=2 | c=1 c~=2
";

/// What a wish of one side does not take from the other without being asked.
const UNASKED: &str = "
a=1 | a=2 | rm a | a=2
a=1 | rm a | a=2 | a=2
d/; d/x=1; d/y=2 | rm d | d/x=3 | d/ d/x=3
d/; d/x=1; d/y=2 | d/x=3 | rm d | d/ d/x=3
a=1 | mv a b | rm a | b=1
A/; B/; A/x=1; B/y=2 | mv A B/A | mv B A/B | A/ A/B/ A/B/y=2 A/x=1
";

const ANSWERS: [Keep; 3] = [Keep::Local, Keep::Remote, Keep::Both];

#[test]
fn each_answer_to_a_conflict_does_what_it_says() {
    let mut broken = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [base, local, remote, kept @ ..] = columns.as_slice() else {
            panic!("six columns: {line}");
        };
        for (keep, after) in ANSWERS.into_iter().zip(kept) {
            for remote_kit in [Kit::Rich, Kit::Disk] {
                let case = manual(base, [local, remote], remote_kit);
                if let Err(reason) = answered(&case, keep, after) {
                    broken.push(format!("{line}\n    ({keep:?}, {remote_kit:?}): {reason}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_one_side_only_edited_is_no_conflict_to_decide() {
    for line in UNASKED.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [base, local, remote, after] = columns.as_slice() else {
            panic!("four columns: {line}");
        };
        let case = manual(base, [local, remote], Kit::Rich);
        let mut run = case.perturbed().expect("a base");
        run.settle().expect("it comes to rest");
        assert_eq!(run.engine.held(), [], "{line}");
        check_after(&run, after).unwrap_or_else(|reason| panic!("{line}: {reason}"));
    }
}

#[test]
fn whatever_waits_can_be_decided_and_then_both_sides_are_equal() {
    for wild in [false, true] {
        let cases = generate::case(setups(REMOTES, wild), Names::Plain, 6);
        hold(2, cases, |case| {
            let mut case = case.clone();
            case.setup.policy.solve = Solve::Manual;
            let first = usize::try_from(case.setup.seed).expect("small");
            decided(&case, |turn| ANSWERS[(first + turn) % ANSWERS.len()])
        });
    }
}

fn manual(base: &str, changes: [&str; 2], remote: Kit) -> Case {
    let mut policy = generous();
    policy.solve = Solve::Manual;
    Case {
        base: commands(base),
        changes: changes.map(commands),
        setup: Setup {
            sides: [Kit::Disk, remote],
            policy,
            seed: 7,
            wild: false,
        },
    }
}

fn answered(case: &Case, keep: Keep, after: &str) -> Result<(), String> {
    let mut run = case.perturbed()?;
    run.settle()?;
    if run.engine.held().len() != 1 {
        return Err(format!("{:?} waits", run.engine.held()));
    }
    answer_once(&mut run, keep)?;
    if !run.engine.held().is_empty() {
        return Err(format!("{:?} still waits", run.engine.held()));
    }
    check_after(&run, after)?;
    decided(case, |_| keep)
}

/// Decides whatever waits, and checks that nothing does then.
fn decided(case: &Case, keep: impl Fn(usize) -> Keep) -> Result<(), String> {
    let base = case.synced()?;
    let mut run = case.perturbed()?;
    let before = Before::new(&base.world, &run.world);
    settle_approving(&mut run)?;
    answer(&mut run, keep)?;
    promise::sides_are_equal(&run.world)?;
    promise::nothing_is_lost(&before, &run.world)?;
    promise::replay_is_equal(&run)?;
    promise::second_run_is_idle(&mut run)
}

/// Answers until nothing waits; one answer can bring up the next question.
fn answer(run: &mut Run, keep: impl Fn(usize) -> Keep) -> Result<(), String> {
    for turn in 0..8 {
        let held = run.engine.held();
        let counted = run.engine.standing().conflicts;
        if u64::try_from(held.len()) != Ok(counted) {
            return Err(format!("{counted} counted of {held:?}"));
        }
        if held.is_empty() {
            return Ok(());
        }
        answer_once(run, keep(turn))?;
    }
    Err(format!("still waits: {:?}", run.engine.held()))
}

fn answer_once(run: &mut Run, keep: Keep) -> Result<(), String> {
    for remark in run.engine.held() {
        run.handle(Input::Resolve {
            path: remark.path,
            keep,
            by: "a person".to_owned(),
        });
    }
    settle_approving(run)
}
