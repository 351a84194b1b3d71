//! One node by itself: what its sides did, and what should become of it.
//!
//! In: a node's facets, baseline and the policy. Out: its goal, before anything is
//! asked about its directory or its neighbours (`structure` does that).
//! Invariant: symmetric under swapping the sides, apart from "remote keeps the
//! name". Deliberately absent: other nodes, except the directories above.

use super::goal::{Content, Displacing, Goal, Place, Wish};
use super::table::{self, Change, Verdict};
use crate::state::State;
use crate::tree::{Facet, Facts, Location, NodeId, Presence, index};
use journal_format::event::{Case, Keep, UnknownReason};
use journal_format::value::{Direction, Kind, Mode, Policy, Side, Solve};

/// How two contents compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    /// A hash must be learnt first.
    Unhashed(Side),
}

/// Finds a node's goal.
pub(super) fn merge(state: &State, id: NodeId) -> Goal {
    if is_hidden(state, id) {
        return Goal::frozen(Case::P1);
    }
    let policy = policy_for(state, id);
    let [local, remote] = Side::BOTH.map(|side| change(state, id, side));
    let (case, verdict) = table::decide(&policy, local, remote);
    let place = |case| place(state, id, &policy, case);
    match verdict {
        Verdict::Nothing if [Change::Never, Change::Gone].contains(&local) => {
            Goal::absent(case, false)
        }
        Verdict::Nothing => place(case).with(Content::Settled),
        Verdict::Adopt => place(case).with(Content::Adopt),
        Verdict::Send { from, rescue } => {
            let displacing = if rescue {
                Displacing::Rescue
            } else {
                Displacing::Discard
            };
            place(case).with(Content::Send { from, displacing })
        }
        Verdict::Delete { on, rescue } => {
            let rescue = rescue && state.tree.facet(id, on).is_present();
            Goal::absent(case, rescue)
        }
        Verdict::Hash { on } => Goal {
            case,
            wish: Wish::Frozen { hash: Some(on) },
        },
        Verdict::Hold => Goal::frozen(case),
        Verdict::Compare => compared(state, id, &policy, case),
    }
}

/// The policy for one node: a person's resolution overrides `solve`.
fn policy_for(state: &State, id: NodeId) -> Policy {
    policy_among(state, &[id])
}

/// The policy for nodes that contest a name: what a person resolved for one of them, the
/// first that was told of, holds for all.
pub(super) fn policy_among(state: &State, ids: &[NodeId]) -> Policy {
    let mut policy = state.policy();
    let conflicts = ids.iter().filter_map(|id| state.conflicts.get(id));
    let resolved = conflicts.filter(|conflict| conflict.resolution.is_some());
    let first = resolved.min_by_key(|conflict| conflict.seq);
    match first.and_then(|conflict| conflict.resolution) {
        Some(Keep::Local) => policy.solve = Solve::Local,
        Some(Keep::Remote) => policy.solve = Solve::Remote,
        Some(Keep::Both) => policy.solve = Solve::Both,
        None => {}
    }
    policy
}

/// Tells whether a side cannot speak of this node: it, or a directory above it on
/// either side, is unknown somewhere.
pub(super) fn is_hidden(state: &State, id: NodeId) -> bool {
    let mut chain = vec![id];
    let mut next = 0;
    while let Some(id) = chain.get(next).copied() {
        for facet in &state.tree.node(id).facets {
            if matches!(facet.presence, Presence::Unknown(_)) {
                return true;
            }
            let parent = facet.location.parent;
            if parent != NodeId::NONE && parent != NodeId::ROOT && !chain.contains(&parent) {
                chain.push(parent);
            }
        }
        next += 1;
    }
    false
}

/// Tells whether a node only stands for a second spelling of a name.
pub(super) fn is_twin(state: &State, id: NodeId) -> bool {
    state.tree.node(id).facets.iter().all(|facet| {
        facet.is_absent() || facet.presence == Presence::Unknown(UnknownReason::NameTwin)
    })
}

/// What a side did to a node since the baseline.
pub(super) fn change(state: &State, id: NodeId, side: Side) -> Change {
    let tree = &state.tree;
    let here = tree.facet(id, side).is_present();
    let Some(baseline) = tree.baseline(id) else {
        return if here { Change::New } else { Change::Never };
    };
    if !here {
        return Change::Gone;
    }
    let kind = tree.node(id).kind;
    let (now, then) = (&tree.facet(id, side).facts, &baseline.facts[index(side)]);
    let content = if tree.same_version(kind, now, then) {
        Change::Same
    } else {
        // Both sides of a baseline are one content, so either's digest will do. Where
        // there is none, no hash can ever decide.
        let known = then.digest.or(baseline.facts[index(side.other())].digest);
        match (now.digest, known) {
            // A server may go on telling the hash of an older version: the size tells.
            (Some(hash), Some(known)) if hash == known && now.size == then.size => Change::Touched,
            (None, Some(_)) if now.size == then.size => Change::Maybe,
            _ if is_torn(now, then) => Change::Torn,
            _ => Change::Edited,
        }
    };
    let deleted_over_there = tree.facet(id, side.other()).is_absent();
    if deleted_over_there && content != Change::Maybe && survives_by_move(state, id, side) {
        return Change::Edited;
    }
    content
}

/// Tells whether a file is older than its last version, or has another size at the time of
/// that: a power loss may have taken an edit back. An edit gives it a later time, but for
/// clocks of whole seconds, where two edits may have one (and where an adapter may show a
/// young one a nanosecond later).
fn is_torn(now: &Facts, then: &Facts) -> bool {
    let is_fine = now.mtime_ns % 1_000_000_000 > 1;
    let is_same_time = now.mtime_ns == then.mtime_ns && is_fine && now.size != then.size;
    (is_same_time || now.mtime_ns < then.mtime_ns)
        && now.identity().is_some()
        && now.identity() == then.identity()
}

/// Tells whether a node, or a directory that took it along, was moved on `side`
/// while the other side deleted just that: then its content survives.
fn survives_by_move(state: &State, id: NodeId, side: Side) -> bool {
    let tree = &state.tree;
    std::iter::once(id)
        .chain(tree.ancestors(side, id))
        .take_while(|id| tree.facet(*id, side.other()).is_absent())
        .any(|id| is_moved(state, id, side))
}

/// Tells whether a side has a node at another place than the baseline.
pub(crate) fn is_moved(state: &State, id: NodeId, side: Side) -> bool {
    let tree = &state.tree;
    let facet = tree.facet(id, side);
    facet.is_present()
        && state.detour(id, side).is_none()
        && tree
            .baseline(id)
            .is_some_and(|baseline| !tree.same_place(facet.location, baseline.location))
}

/// Finds where a node should be.
fn place(state: &State, id: NodeId, policy: &Policy, case: Case) -> Goal {
    let tree = &state.tree;
    let at = |location: Location| Place {
        parent: location.parent,
        name: tree.name(location.name).to_owned(),
    };
    let usable = |side: Side| {
        let facet = tree.facet(id, side);
        let is_settled = facet.is_present() && state.detour(id, side).is_none();
        is_settled.then(|| at(facet.location))
    };
    let here = Side::BOTH.map(usable);
    let moved = Side::BOTH.map(|side| is_moved(state, id, side));
    let keeper = keeper(policy);
    let goal = |case, place| Goal {
        case,
        wish: Wish::Present {
            place,
            content: Content::Settled,
        },
    };
    let letter = |moved: Case| if case == Case::N0 { moved } else { case };
    if policy.direction != Direction::Bi
        && let Some(place) = here[index(keeper)].clone()
    {
        let moved_target = moved[index(keeper.other())];
        return goal(
            if moved_target {
                letter(Case::V2)
            } else {
                letter(move_case(keeper))
            },
            place,
        );
    }
    match (moved, here) {
        ([true, true], [Some(local), Some(remote)]) => {
            if local.parent == remote.parent && local.name == remote.name {
                return goal(letter(Case::A1), remote);
            }
            if policy.solve == Solve::Manual {
                return Goal::frozen(Case::C2);
            }
            goal(
                letter(Case::C2),
                if keeper == Side::Local { local } else { remote },
            )
        }
        ([true, _], [Some(local), _]) => goal(letter(Case::M1), local),
        ([_, true], [_, Some(remote)]) => goal(letter(Case::M2), remote),
        (_, [local, remote]) => {
            let known = if keeper == Side::Local {
                local.or(remote)
            } else {
                remote.or(local)
            };
            let can_hold = |parent: NodeId| {
                parent == NodeId::ROOT || tree.node(parent).facets.iter().any(Facet::is_present)
            };
            let baseline = || {
                let baseline = tree.baseline(id).map(|baseline| baseline.location);
                baseline.filter(|it| can_hold(it.parent)).map(at)
            };
            match known.or_else(baseline).or_else(|| home(state, id)) {
                Some(place) => goal(letter(Case::M4), place),
                None => Goal::frozen(Case::P1),
            }
        }
    }
}

/// Where a node came from that has nothing left but a temporary name of ours.
fn home(state: &State, id: NodeId) -> Option<Place> {
    let detour = state.detours.get(&id)?;
    let parent = detour
        .from
        .parent()
        .and_then(|path| state.tree.lookup(detour.side, &path));
    let parent = parent.filter(|parent| {
        let node = state.tree.node(*parent);
        node.kind == Kind::Directory && node.facets.iter().all(Facet::is_present)
    });
    Some(Place {
        parent: parent.unwrap_or(NodeId::ROOT),
        name: detour.from.name()?.to_owned(),
    })
}

const fn move_case(mover: Side) -> Case {
    match mover {
        Side::Local => Case::M1,
        Side::Remote => Case::M2,
    }
}

/// The side whose version keeps a contested name.
pub(super) const fn keeper(policy: &Policy) -> Side {
    match (policy.direction, policy.solve) {
        (Direction::Up, _) | (Direction::Bi, Solve::Local) => Side::Local,
        _ => Side::Remote,
    }
}

/// Both sides have content of their own.
fn compared(state: &State, id: NodeId, policy: &Policy, case: Case) -> Goal {
    match compare(state, id) {
        Comparison::Equal => place(state, id, policy, Case::A1).with(Content::Adopt),
        Comparison::Unhashed(on) => Goal {
            case: Case::Q1,
            wish: Wish::Frozen { hash: Some(on) },
        },
        Comparison::Different => conflicting(state, id, policy, case),
    }
}

fn compare(state: &State, id: NodeId) -> Comparison {
    let node = state.tree.node(id);
    if node.kind == Kind::Directory {
        return Comparison::Equal;
    }
    let [local, remote]: [Facts; 2] = node.facets.map(|facet| facet.facts);
    match (local.digest, remote.digest) {
        // Also where the hashes are equal: one of them is then an older version's.
        _ if local.size != remote.size => Comparison::Different,
        (Some(local), Some(remote)) if local == remote => Comparison::Equal,
        (Some(local), Some(remote)) if local.kind() == remote.kind() => Comparison::Different,
        (None, _) => Comparison::Unhashed(Side::Local),
        (Some(_), _) => Comparison::Unhashed(Side::Remote),
    }
}

fn conflicting(state: &State, id: NodeId, policy: &Policy, case: Case) -> Goal {
    let winner = keeper(policy);
    let send = |displacing| {
        place(state, id, policy, case).with(Content::Send {
            from: winner,
            displacing,
        })
    };
    let one_way = policy.direction != Direction::Bi;
    if one_way && policy.mode == Mode::Mirror {
        return send(Displacing::Rescue);
    }
    if !one_way && policy.solve == Solve::Manual {
        return Goal::frozen(case);
    }
    if !one_way && matches!(policy.solve, Solve::Local | Solve::Remote) {
        return send(Displacing::Rescue);
    }
    let loser = winner.other();
    if state.tree.facet(id, loser).facts.digest.is_none() {
        return Goal {
            case: Case::Q1,
            wish: Wish::Frozen { hash: Some(loser) },
        };
    }
    send(Displacing::Copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal_format::value::Identity;

    #[test]
    fn the_same_file_of_another_size_at_the_same_fine_time_or_of_before_is_torn() {
        let facts = |size, mtime_ns, object| Facts {
            size,
            mtime_ns,
            identity: Identity {
                device: u64::from(object > 0),
                object,
                born_ns: 0,
            },
            ..Facts::NONE
        };
        let (fine, other) = (1_700_000_000_123_456_789, 1_700_000_000_123_456_790);
        let whole = 1_700_000_000_000_000_000;
        for (now, then, expected) in [
            (facts(0, fine, 7), facts(9, fine, 7), true),
            (facts(9, fine, 7), facts(9, fine, 7), false),
            (facts(0, other, 7), facts(9, fine, 7), false),
            (facts(0, fine, 8), facts(9, fine, 7), false),
            (facts(0, fine, 0), facts(9, fine, 0), false),
            (facts(0, whole, 7), facts(9, whole, 7), false),
            (facts(9, fine, 7), facts(9, other, 7), true),
            (facts(9, fine, 8), facts(9, other, 7), false),
            (facts(9, fine, 0), facts(9, other, 0), false),
            // As an adapter shows what is younger than a coarse step.
            (facts(0, whole + 1, 7), facts(9, whole + 1, 7), false),
        ] {
            assert_eq!(is_torn(&now, &then), expected, "{now:?} after {then:?}");
        }
    }
}
