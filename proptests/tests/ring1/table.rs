//! The merge rules, a line a case: `letters | base | local | remote | after | options`.
//!
//! `after` is what both sides hold, or `local <> remote` where they stay apart, and
//! after `trash` the contents that the trash must hold. A conflict name is shown as
//! `~`. Letters are those of operations and adoptions, `-` when there are none. With
//! `ids` among the options the case is about identities, so it is not run against a
//! side without them; with `calm`, what is seen first would make another case of it.
//! Each line runs on several kinds of sides, calm and wild.

use journal_format::event::{Event, OperationEvent};
use journal_format::value::{Direction, Side, Solve};
use proptests::ring1::case::{Case, Kit, Setup, commands};
use proptests::ring1::promise::{self, Before};
use proptests::ring1::run::Run;
use std::collections::BTreeSet;
use std::panic::catch_unwind;

/// Section 2.2 of the merge semantics: edits, creations, deletions, kinds.
const CONTENT: &str = "
U1 | a=1 | a=2 | | a=2 |
U1 | a=1 | a=4 | | a=4 |
U1 | a=1 | new a=2 | | a=2 |
U1 | | a=1 | | a=1 |
U1 | | d/; d/x=1 | | d/ d/x=1 |
U1 | | link a=1 | | a->1 |
D1 | a=1 | | a=2 | a=2 trash 1 |
D1 | a=1 | | a=4 | a=4 trash 1 |
D1 | | | a=1 | a=1 |
D1 | | | d/; d/x=1 | d/ d/x=1 |
U2 | a=1; b=2 | rm a | | b=2 |
D2 | a=1; b=2 | | rm a | b=2 trash 1 |
- | a=1; b=2 | rm a | rm a | b=2 |
A1 | a=1 | a=2 | a=2 | a=2 |
A1 | a=1 | a=4 | a=4 | a=4 |
C1 | a=1 | a=2 | a=3 | a=3 a~=2 |
C1 | a=1 | a=4 | a=7 | a=7 a~=4 |
C1 | a=1; b=2 | b=5 | b=3 | a=1 b=3 b~=5 |
E1 | a=1 | a=2 | rm a | a=2 |
E2 | a=1 | rm a | a=2 | a=2 |
E1 | a=1 | a=4 | rm a | a=4 |
E2 | a=1 | rm a | a=4 | a=4 |
A1 | | a=1 | a=1 | a=1 |
C1 | | a=1 | a=2 | a=2 a~=1 |
C1 | | a=1 | a=4 | a=4 a~=1 |
A1 | | d/; d/x=1 | d/; d/y=2 | d/ d/x=1 d/y=2 |
C1 | | d/; d/x=1 | d/; d/x=2 | d/ d/x=2 d/x~=1 |
C3 | | a=1 | a/; a/x=2 | a/ a/x=2 a~=1 |
C3 | | a/; a/x=2 | a=1 | a=1 a~/ a~/x=2 |
U2 | d/; d/x=1; d/y=2; e=3; f=4; g=5 | rm d | | e=3 f=4 g=5 |
D2 | d/; d/x=1; d/y=2; e=3; f=4; g=5 | | rm d | e=3 f=4 g=5 trash 1 2 |
R1 E2 U2 | d/; d/x=1; d/y=2 | rm d | d/x=3 | d/ d/x=3 |
R1 E1 D2 | d/; d/x=1; d/y=2 | d/x=3 | rm d | d/ d/x=3 trash 2 |
R1 D1 | d/; d/x=1; d/y=2; z=9 | rm d | d/n=5 | d/ d/n=5 z=9 |
R1 U1 | d/; d/x=1; d/y=2; z=9 | d/n=5 | rm d | d/ d/n=5 z=9 |
R1 E2 | d/; d/e/; d/e/x=1; d/y=2 | rm d | d/e/x=3 | d/ d/e/ d/e/x=3 |
R1 E1 | d/; d/e/; d/e/x=1; d/y=2 | d/e/x=3 | rm d | d/ d/e/ d/e/x=3 trash 2 |
D2 | d/; d/x=1; d/y=2; e=3 | rm d/x | rm d | e=3 |
U2 | d/; d/x=1; d/y=2; e=3 | rm d | rm d/x | e=3 |
D2 | d/; d/x=1; e=3 | d/p=9; fifo d/p | rm d | d/ d/p=9? e=3 <> e=3 trash 1 |
U2 | d/; d/x=1; e=3 | rm d | d/p=9; fifo d/p | e=3 <> d/ d/p=9? e=3 |
U1 U2 | a=1 | rm a; a/; a/x=2 | | a/ a/x=2 |
D1 D2 | a=1 | | rm a; a/; a/x=2 | a/ a/x=2 trash 1 |
U1 U2 | a/; a/x=2 | rm a; a=1 | | a=1 |
D1 D2 | a/; a/x=2 | | rm a; a=1 | a=1 trash 2 |
C3 | a=1 | rm a; a/; a/x=2 | a=3 | a=3 a~/ a~/x=2 |
C3 | a=1 | a=3 | rm a; a/; a/x=2 | a/ a/x=2 a~=3 |
C3 | a/; a/x=1 | a/n=2 | rm a; a=3 | a=3 a~/ a~/n=2 a~/x=1 |
C3 | a/; a/x=1 | rm a; a=3 | a/n=2 | a/ a/n=2 a~=3 |
- | a=1; b=2 | fifo a | a=2 | a=1? b=2 <> a=2 b=2 |
- | a=1; b=2 | a=2 | fifo a | a=2 b=2 <> a=1? b=2 |
- | d/; d/x=1; b=2 | shut d | d/x=2 | b=2 d/? d/x=1 <> b=2 d/ d/x=2 |
- | d/; d/x=1; b=2 | shut d | rm d | b=2 d/? d/x=1 <> b=2 |
- | d/; d/x=1; b=2 | rm d | shut d | b=2 <> b=2 d/? d/x=1 |
A1 | a=1 | touch a | | a=1 |
A1 | a=1 | | touch a | a=1 |
A1 | a=1 | touch a | touch a | a=1 |
U2 | a=1; b=2 | touch a; rm b | | a=1 |
";

/// Section 2.3: moves.
const MOVES: &str = "
M1 | a=1 | mv a b | | b=1 |
M2 | a=1 | | mv a b | b=1 |
M1 | d/; d/x=1 | mv d e | | e/ e/x=1 |
M2 | d/; d/x=1 | | mv d e | e/ e/x=1 |
M1 | a=1; d/ | mv a d/a | | d/ d/a=1 |
M2 | a=1; d/ | | mv a d/a | d/ d/a=1 |
M1 U1 | a=1 | mv a b; b=2 | | b=2 |
M2 D1 | a=1 | | mv a b; b=2 | b=2 | ids
M1 D1 | a=1 | mv a b | a=2 | b=2 |
M2 U1 | a=1 | a=2 | mv a b | b=2 | ids
E1 | a=1; z=9 | mv a b | rm a | b=1 z=9 |
E2 | a=1; z=9 | rm a | mv a b | b=1 z=9 |
E1 | d/; d/x=1; d/e/; d/e/y=2; z=9 | mv d m | rm d | m/ m/e/ m/e/y=2 m/x=1 z=9 |
E2 | d/; d/x=1; d/e/; d/e/y=2; z=9 | rm d | mv d m | m/ m/e/ m/e/y=2 m/x=1 z=9 |
E1 R1 D2 | d/; d/x=1; d/e/; d/e/y=2; z=9 | mv d/e d/m | rm d | d/ d/m/ d/m/y=2 z=9 trash 1 |
A1 | a=1 | mv a b | mv a b | b=1 |
C2 | a=1 | mv a b | mv a c | c=1 | ids
C3 | a=1; b=2 | mv a x | mv b x | x=2 x~=1 | ids
C3 | a=1 | mv a x | x=2 | x=2 x~=1 |
C3 | a=1 | x=2 | mv a x | x=1 x~=2 | ids
R1 M1 | a=1; d/; d/y=2 | mv a d/a | rm d | d/ d/a=1 trash 2 |
R1 M2 | a=1; d/; d/y=2 | rm d | mv a d/a | d/ d/a=1 | ids
M3 | A/; B/; A/x=1; B/y=2 | mv A B/A | mv B A/B | A/ A/B/ A/B/y=2 A/x=1 | ids
M1 M4 | a=1; b=2 | swap a b | | a=2 b=1 |
M2 M4 | a=1; b=2 | | swap a b | a=2 b=1 | ids
M1 M4 | d/; d/x=1; e/; e/y=2 | swap d e | | d/ d/y=2 e/ e/x=1 |
M1 M4 | a=1; b=2; c=3 | mv a t; mv b a; mv c b; mv t c | | a=2 b=3 c=1 |
M1 | a=1; b=2; c=3 | rm c; mv b c; mv a b | | b=1 c=2 |
M1 | a=1 | mv a A | | A=1 |
M2 | a=1 | | mv a A | A=1 |
M1 | d/; d/x=1 | mv d D | | D/ D/x=1 |
M1 D1 | A/; A/x=1 | mv A B | A/x=2; A/n=3 | B/ B/n=3 B/x=2 |
M2 U1 | A/; A/x=1 | A/x=2; A/n=3 | mv A B | B/ B/n=3 B/x=2 | ids
M1 D2 | A/; A/x=1; A/y=2 | mv A B | rm A/x | B/ B/y=2 trash 1 |
M2 U2 | A/; A/x=1; A/y=2 | rm A/x | mv A B | B/ B/y=2 | ids
M1 | A/; A/B/; A/B/x=1 | mv A/B C; mv A C/A; mv C B | | B/ B/A/ B/x=1 |
M2 | A/; A/B/; A/B/x=1 | | mv A/B C; mv A C/A; mv C B | B/ B/A/ B/x=1 | ids
M1 M4 | A/; A/A/; A/A/x=1 | mv A/A C; mv A C/A; mv C A | | A/ A/A/ A/x=1 |
M2 M4 | A/; A/A/; A/A/x=1 | | mv A/A C; mv A C/A; mv C A | A/ A/A/ A/x=1 | ids
M1 M4 | A/; A/B/; A/B/A/; A/B/A/x=1; A/y=2 | mv A/B C; mv A C/A/A; mv C A | | A/ A/A/ A/A/A/ A/A/A/y=2 A/A/x=1 |
M1 M4 | a=1; b=2; pydio-sync-moving-0000000000000001=3 | swap a b | | a=2 b=1 pydio-sync-moving-0000000000000001=3 |
M1 | a=1 | mv a pydio-sync-moving-0000000000000001 | | pydio-sync-moving-0000000000000001=1 |
U2 | exclude t; a=1; b=2 | mv a t | | b=2 t=1 <> b=2 |
U1 | exclude t; t=1; b=2 | mv t a | | a=1 b=2 |
U1 U2 | a=1; b=2 | rm a; z=5 | | b=2 z=5 |
U1 | a=1 | b=1; a=2 | | a=2 b=1 |
- | é=1 | mv é é | | é=1 <> é=1 |
- | é=1 | | mv é é | é=1 <> é=1 | ids
A1 | | é=1 | é=1 | é=1 <> é=1 |
M1 | d/; d/x=1; e/ | mv d/x e/x; rm d | | e/ e/x=1 |
M1 U2 | d/; d/x=1; d/y=2; e/ | mv d/x e/x; rm d | | e/ e/x=1 |
M1 M1 | d/; d/x=1 | mv d e; mv e/x x | | e/ x=1 |
M1 D1 | d/; d/x=1; x=2 | mv x y; mv d/x x | rm x; x=5 | d/ x=1 y=5 | ids calm
";

/// Section 2.4 and `solve`.
const POLICIES: &str = "
C1 | a=1 | a=2 | a=3 | a=2 trash 3 | solve-local
C1 | a=1 | a=2 | a=3 | a=3 trash 2 | solve-remote
C1 | | a=2 | a=3 | a=2 trash 3 | solve-local
C1 | | a=2 | a=3 | a=3 trash 2 | solve-remote
- | a=1 | a=2 | a=3 | a=2 <> a=3 | manual ids
U1 | a=1; b=2 | a=2; b=3 | a=3 | a=2 b=3 <> a=3 b=3 | manual ids
- | a=1 | mv a b | mv a c | b=1 <> c=1 | manual ids
C2 | a=1 | mv a b | mv a c | b=1 | solve-local ids
C2 | a=1 | mv a b | mv a c | c=1 | solve-remote ids
- | | a=1 | a/; a/x=2 | a=1 <> a/ a/x=2 | manual
E1 | a=1 | a=2 | rm a | a=2 | solve-remote
E2 | a=1 | rm a | a=2 | a=2 | solve-local
U1 | a=1 | a=2 | | a=2 | up
U2 | a=1; b=2 | rm a | | b=2 | up
M1 | a=1; b=2 | mv a c | | b=2 c=1 | up
V1 | a=1 | | b=2 | a=1 <> a=1 b=2 | up
V1 | a=1 | | a=2 | a=1 <> a=2 | up
C1 | a=1 | a=2 | a=3 | a=2 <> a=2 a~=3 | up
V2 | a=1; b=2 | | rm a | a=1 b=2 | up
V1 | a=1; b=2 | rm a | a=2 | b=2 <> a=2 b=2 | up
V2 | a=1 | | mv a b | a=1 | up ids
A1 | a=1 | a=2 | a=2 | a=2 | up
D1 | a=1 | | a=2 | a=2 trash 1 | down
D2 | a=1; b=2 | | rm a | b=2 trash 1 | down
V1 | a=1 | b=2 | | a=1 b=2 <> a=1 | down
V1 | a=1 | a=2 | | a=2 <> a=1 | down
C1 | a=1 | a=2 | a=3 | a=3 a~=2 <> a=3 | down
V2 | a=1; b=2 | rm a | | a=1 b=2 | down
V1 | a=1; b=2 | a=2 | rm a | a=2 b=2 <> b=2 | down
V2 | a=1 | | b=2 | a=1 trash 2 | up mirror
V2 | a=1 | | a=2 | a=1 trash 2 | up mirror
C1 | a=1 | a=2 | a=3 | a=2 trash 3 | up mirror
V2 | a=1; b=2 | | rm a | a=1 b=2 | up mirror
V2 | a=1; b=2 | rm a | a=2 | b=2 trash 2 | up mirror
V2 | a=1 | b=2 | | a=1 trash 2 | down mirror
V2 | a=1 | a=2 | | a=1 trash 2 | down mirror
C1 | a=1 | a=2 | a=3 | a=3 trash 2 | down mirror
V2 | a=1; b=2 | rm a | | a=1 b=2 | down mirror
V2 | a=1; b=2 | a=2 | rm a | b=2 trash 2 | down mirror
V2 | a=1 | | d/; d/x=2 | a=1 trash 2 | up mirror
V1 | a=1 | | d/; d/x=2 | a=1 <> a=1 d/ d/x=2 | up
C3 D1 | | a=1 | a/; a/x=2 | a/ a/x=2 a~=1 <> a/ a/x=2 | down
C3 U1 | | a=1 | a/; a/x=2 | a=1 <> a=1 a~/ a~/x=2 | up
C3 M2 | a=1 | b=2 | mv a b | b=1 b~=2 <> b=1 | down ids
C3 E1 | a=1 | a=4 | rm a; a/; a/x=2 | a=4 <> a=4 a~/ a~/x=2 | up
- | d/; d/x=1; b=2 | rm d | d/p=9; shut d | b=2 <> b=2 d/? d/p=9 d/x=1 | up mirror
";

#[test]
fn content_rules_hold() {
    check_all(CONTENT);
}

#[test]
fn move_rules_hold() {
    check_all(MOVES);
}

#[test]
fn policy_rules_hold() {
    check_all(POLICIES);
}

fn check_all(table: &str) {
    let mut broken = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty()) {
        for (kits, wild) in conditions(line) {
            let checked = catch_unwind(|| check(line, kits, wild));
            if let Err(reason) = checked.unwrap_or_else(|_| Err("panics".to_owned())) {
                broken.push(format!("{line}\n    ({kits:?}, wild {wild}): {reason}"));
                break;
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} lines:\n{}",
        broken.len(),
        broken.join("\n")
    );
}

fn conditions(line: &str) -> Vec<([Kit; 2], bool)> {
    let remotes: &[Kit] = if line.ends_with(" ids") || line.contains("| ids") {
        &[Kit::Rich, Kit::Disk]
    } else {
        &[Kit::Rich, Kit::Disk, Kit::Plain]
    };
    let mut conditions = Vec::new();
    for remote in remotes {
        for local in [Kit::Disk, Kit::Inodes] {
            let orders: &[bool] = if line.ends_with("calm") {
                &[false]
            } else {
                &[false, true]
            };
            conditions.extend(orders.iter().map(|wild| ([local, *remote], *wild)));
        }
    }
    conditions
}

fn check(line: &str, kits: [Kit; 2], wild: bool) -> Result<(), String> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [letters, base, local, remote, after, options] = columns.as_slice() else {
        panic!("six columns: {line}");
    };
    let case = Case {
        base: commands(base),
        changes: [commands(local), commands(remote)],
        setup: Setup {
            sides: kits,
            wild,
            seed: 7,
            ..Setup::parse(&options.replace("ids", "").replace("calm", ""))
        },
    };
    let base = case.synced()?;
    let mut run = case.perturbed()?;
    let expected_commands = case.changes.iter().flatten().count();
    let before = Before::new(&base.world, &run.world);
    let recorded = run.records.len();
    run.settle()?;
    let seen = letters_of(&run, recorded);
    check_after(&run, after)?;
    if kits == [Kit::Disk, Kit::Rich] && !wild && expected_commands > 0 {
        check_letters(letters, &seen)?;
    }
    let policy = case.setup.policy;
    if policy.direction == Direction::Bi && policy.solve != Solve::Manual {
        promise::nothing_is_lost(&before, &run.world)?;
    }
    promise::replay_is_equal(&run)?;
    promise::second_run_is_idle(&mut run)
}

fn check_letters(expected: &str, seen: &BTreeSet<&'static str>) -> Result<(), String> {
    let fits = match expected {
        "-" => seen.is_empty(),
        "V1" => seen.is_empty() || seen.contains("Q1"),
        some => some.split_whitespace().all(|letter| seen.contains(letter)),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("cases are {seen:?}"))
    }
}

pub(super) fn check_after(run: &Run, after: &str) -> Result<(), String> {
    let (trees, trash) = after.split_once("trash").unwrap_or((after, ""));
    let (local, remote) = trees.split_once("<>").unwrap_or((trees, trees));
    for (side, expected) in [(Side::Local, local), (Side::Remote, remote)] {
        let found = promise::describe(run.world.disk(side));
        let mut wanted: Vec<&str> = expected.split_whitespace().collect();
        wanted.sort_unstable();
        if found != wanted.join(" ") {
            let [local, remote] = run.world.disks.each_ref().map(promise::describe);
            return Err(format!(
                "local `{local}`, remote `{remote}`; {:?}",
                run.started
            ));
        }
    }
    for content in trash.split_whitespace() {
        let content: u64 = content.parse().expect("a content");
        if !run.world.trash.contains(&content) {
            return Err(format!(
                "{content} is not in the trash {:?}",
                run.world.trash
            ));
        }
    }
    Ok(())
}

fn letters_of(run: &Run, from: usize) -> BTreeSet<&'static str> {
    let cases = run.records[from..]
        .iter()
        .filter_map(|record| match &record.event {
            Event::Operation(OperationEvent::Started { operation }) => Some(operation.case),
            Event::Operation(OperationEvent::Adopted { case, .. }) => Some(*case),
            _ => None,
        });
    cases.map(journal_format::event::Case::letter).collect()
}
