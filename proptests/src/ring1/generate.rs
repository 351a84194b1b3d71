//! Random cases.
//!
//! In: numbers from proptest, which shrink. Out: cases whose commands can be carried
//! out. Invariant: a case is a function of its numbers. A new kind of change is an
//! arm in `command`.

use super::case::{Case, Setup};
use super::disk::{join, name, parent};
use super::world::World;
use journal_format::value::{Kind, Side};
use proptest::prelude::*;

/// Numbers that become a command once there is a tree to apply it to.
#[derive(Debug, Clone, Copy)]
pub struct Raw {
    kind: u8,
    one: u8,
    two: u8,
    name: u8,
}

/// How odd the names may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// A few plain ones.
    Plain,
    /// Ones that differ in case or normalisation too.
    Odd,
}

const PLAIN: [&str; 4] = ["a", "b", "c", "d"];
const ODD: [&str; 8] = ["a", "b", "A", "B", "\u{e9}", "e\u{301}", "c", "\u{c9}"];

/// Strategy of a raw command.
pub fn raw() -> impl Strategy<Value = Raw> {
    (0..16_u8, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, one, two, name)| Raw {
        kind,
        one,
        two,
        name,
    })
}

/// Strategy of a case under a setup.
pub fn case(
    setup: impl Strategy<Value = Setup>,
    names: Names,
    changes: usize,
) -> impl Strategy<Value = Case> {
    let some = |most: usize| prop::collection::vec(raw(), 0..=most);
    (setup, some(10), some(changes), some(changes))
        .prop_map(move |(setup, base, local, remote)| build(setup, names, &base, [&local, &remote]))
}

/// Makes a case of raw numbers.
#[must_use]
pub fn build(setup: Setup, names: Names, base: &[Raw], changes: [&[Raw]; 2]) -> Case {
    let [local, remote] = setup.sides.map(super::case::Kit::traits);
    let mut world = World::new(local, remote);
    let mut counter = 0;
    let base = carry_out(&mut world, Side::Local, names, base, &mut counter, true);
    world.disks[1].items = world.disks[0].items.clone();
    let local = carry_out(
        &mut world,
        Side::Local,
        names,
        changes[0],
        &mut counter,
        false,
    );
    let remote = carry_out(
        &mut world,
        Side::Remote,
        names,
        changes[1],
        &mut counter,
        false,
    );
    Case {
        base,
        changes: [local, remote],
        setup,
    }
}

fn carry_out(
    world: &mut World,
    side: Side,
    names: Names,
    raw: &[Raw],
    counter: &mut u64,
    building: bool,
) -> Vec<String> {
    let mut done = Vec::new();
    for raw in raw {
        let Some(text) = command(world, side, names, *raw, counter, building) else {
            continue;
        };
        if world.apply(side, &text) {
            done.push(text);
        }
    }
    done
}

/// Turns numbers into a command that fits the tree as it is.
fn command(
    world: &World,
    side: Side,
    names: Names,
    raw: Raw,
    counter: &mut u64,
    building: bool,
) -> Option<String> {
    let disk = world.disk(side);
    let pick = |number: u8, wanted: fn(Kind) -> bool| {
        let fitting: Vec<&String> = disk
            .items
            .iter()
            .filter(|(_, item)| wanted(item.kind))
            .map(|(path, _)| path)
            .collect();
        let place = usize::from(number).checked_rem(fitting.len())?;
        Some(fitting[place].clone())
    };
    let any = |number| pick(number, |_| true);
    let file = |number| pick(number, |kind| kind == Kind::File);
    let directory = |number: u8| match number % 3 {
        0 => Some(String::new()),
        _ => pick(number / 3, |kind| kind == Kind::Directory).or(Some(String::new())),
    };
    let pool: &[&str] = match names {
        Names::Plain => &PLAIN,
        Names::Odd => &ODD,
    };
    let free = |number: u8| {
        Some(join(
            &directory(number)?,
            pool[usize::from(raw.name) % pool.len()],
        ))
    };
    *counter += 1;
    // A third of the contents repeat, so that equal ones meet.
    let content = if raw.name.is_multiple_of(3) {
        u64::from(raw.one % 4) + 1
    } else {
        10 + *counter
    };
    let kind = if building { raw.kind % 5 } else { raw.kind };
    match kind {
        0 | 1 => Some(format!("{}/", free(raw.two)?)),
        2..=4 => Some(format!("{}={content}", free(raw.two)?)),
        5 => Some(format!("{}={content}", file(raw.one)?)),
        6 => Some(format!("new {}={content}", file(raw.one)?)),
        7 | 8 => Some(format!("rm {}", any(raw.one)?)),
        9..=11 => Some(format!("mv {} {}", any(raw.one)?, free(raw.two)?)),
        12 => {
            let one = any(raw.one)?;
            let target = join(parent(&one), pool[usize::from(raw.name) % pool.len()]);
            Some(format!("mv {one} {target}"))
        }
        13 => Some(format!("swap {} {}", any(raw.one)?, any(raw.two)?)),
        14 => Some(format!("touch {}", file(raw.one)?)),
        _ => {
            let one = any(raw.one)?;
            let up = parent(parent(&one)).to_owned();
            Some(format!("mv {one} {}", join(&up, name(&one))))
        }
    }
}
