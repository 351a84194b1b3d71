//! The merge rules: one row a case, the first row that fits decides.
//!
//! A side's *change* is what it did since the baseline. `Same` also stands for a
//! file whose time changed and whose content did not (`Touched` asks for a new
//! baseline only). A file that is `Maybe` changed has another fingerprint at the
//! same size, so its hash decides (Q1) before any other row is looked at.
//!
//! - **N0** nothing happened.
//! - **U1/D1** one side changed or made something, the other did not: it travels,
//!   on the condition that the other side still holds the baseline. Where the file may
//!   have been `Torn`, the version that it replaces is kept in the trash.
//! - **U2/D2** one side lost something that the other still has as it was: a
//!   deletion is evidence about one known version, so it travels only to that one.
//! - **A1** both sides did the same: only the baseline moves. Equality is by hash.
//! - **A2** both sides lost it: forgotten by the fold, nothing is left to do.
//! - **E1/E2** an edit meets a deletion: content is worth more than a wish to be
//!   rid of an older version of it, so the edit wins and is recreated. A move is
//!   an edit of the place and wins likewise.
//! - **C1** both sides changed content differently: the remote version keeps the
//!   name, the local one becomes the conflict copy (or as `solve` says).
//! - **M1/M2** one side moved it: the other side's copy is moved, content stays.
//! - **C2** both sides moved it, to different places: the remote place wins.
//! - **C3** two objects claim one name: the remote one keeps it (or as `solve` says).
//! - **M3** moves of both sides together would form a cycle: the local one is undone.
//! - **M4** moves of one side depend on one another in a ring: one of them goes
//!   through a temporary name.
//! - **R1** a directory was deleted on one side, and something in it lives on: the
//!   chain of directories is recreated, its other children are not.
//! - **V1** one-way, safe: what the target added or edited is kept and listed.
//! - **V2** one-way: the target is put back to what the source holds.
//! - **P1** unknown on a side, or below something unknown: nothing is planned.
//! - **H1** the brakes hold the whole plan back until a person approves.

use journal_format::event::Case;
use journal_format::value::{Direction, Mode, Policy, Side};

/// What one side did to a node since the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It never had it.
    Never,
    /// It holds the baseline.
    Same,
    /// It holds the baseline's content with other times.
    Touched,
    /// It holds other content, or (as [`Change::Edited`] by a move) another place.
    Edited,
    /// It is the same file of the same time with another size: what a power loss leaves
    /// of it, or a program that puts the time back.
    Torn,
    /// It may hold other content.
    Maybe,
    /// It holds something, and there is no baseline.
    New,
    /// It held the baseline and lost it.
    Gone,
}

/// What follows for a node's content and existence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Nothing,
    Adopt,
    Send {
        from: Side,
        rescue: bool,
    },
    Delete {
        on: Side,
        rescue: bool,
    },
    /// Both changed: adopt if the contents are equal, else by policy.
    Compare,
    Hash {
        on: Side,
    },
    /// Kept as it is and listed.
    Hold,
}

struct Row {
    case: Case,
    local: &'static [Change],
    remote: &'static [Change],
    verdict: Verdict,
}

const fn row(
    case: Case,
    local: &'static [Change],
    remote: &'static [Change],
    verdict: Verdict,
) -> Row {
    Row {
        case,
        local,
        remote,
        verdict,
    }
}

use Change::{Edited, Gone, Maybe, Never, New, Same, Torn, Touched};

const ANY: &[Change] = &[Never, Same, Touched, Edited, Torn, Maybe, New, Gone];
const KEPT: &[Change] = &[Same, Touched];
const LEFT_ALONE: &[Change] = &[Never, Same, Touched];
const EDITED: &[Change] = &[Edited, Torn];
const CHANGED: &[Change] = &[Edited, Torn, New];
const HASH_LOCAL: Verdict = Verdict::Hash { on: Side::Local };
const HASH_REMOTE: Verdict = Verdict::Hash { on: Side::Remote };
const UPLOAD: Verdict = Verdict::Send {
    from: Side::Local,
    rescue: false,
};
const DOWNLOAD: Verdict = Verdict::Send {
    from: Side::Remote,
    rescue: false,
};
/// What is replaced may be the only whole version.
const UPLOAD_TORN: Verdict = Verdict::Send {
    from: Side::Local,
    rescue: true,
};
const DOWNLOAD_TORN: Verdict = Verdict::Send {
    from: Side::Remote,
    rescue: true,
};
const DELETE_LOCAL: Verdict = Verdict::Delete {
    on: Side::Local,
    rescue: false,
};
const DELETE_REMOTE: Verdict = Verdict::Delete {
    on: Side::Remote,
    rescue: false,
};

const TWO_WAY: &[Row] = &[
    row(Case::N0, &[Same], &[Same], Verdict::Nothing),
    row(Case::A1, KEPT, KEPT, Verdict::Adopt),
    row(Case::Q1, &[Maybe], ANY, HASH_LOCAL),
    row(Case::Q1, ANY, &[Maybe], HASH_REMOTE),
    row(Case::U1, &[Torn], LEFT_ALONE, UPLOAD_TORN),
    row(Case::D1, LEFT_ALONE, &[Torn], DOWNLOAD_TORN),
    row(Case::U1, CHANGED, LEFT_ALONE, UPLOAD),
    row(Case::D1, LEFT_ALONE, CHANGED, DOWNLOAD),
    row(Case::U2, &[Gone], KEPT, DELETE_REMOTE),
    row(Case::D2, KEPT, &[Gone], DELETE_LOCAL),
    row(Case::E1, EDITED, &[Gone], UPLOAD),
    row(Case::E2, &[Gone], EDITED, DOWNLOAD),
    row(Case::C1, CHANGED, CHANGED, Verdict::Compare),
    row(Case::A2, &[Gone, Never], &[Gone, Never], Verdict::Nothing),
];

/// One-way rows are written for `up`: local is the source, remote the target.
const ONE_WAY_SAFE: &[Row] = &[
    row(Case::N0, &[Same], &[Same], Verdict::Nothing),
    row(Case::A1, KEPT, KEPT, Verdict::Adopt),
    row(Case::Q1, &[Maybe], ANY, HASH_LOCAL),
    row(Case::Q1, ANY, &[Maybe], HASH_REMOTE),
    row(Case::U1, &[Torn], LEFT_ALONE, UPLOAD_TORN),
    row(Case::U1, CHANGED, LEFT_ALONE, UPLOAD),
    row(Case::U2, &[Gone], KEPT, DELETE_REMOTE),
    row(Case::E1, EDITED, &[Gone], UPLOAD),
    row(Case::V2, KEPT, &[Gone], UPLOAD),
    row(Case::V1, LEFT_ALONE, CHANGED, Verdict::Hold),
    row(Case::V1, &[Gone], CHANGED, Verdict::Hold),
    row(Case::C1, CHANGED, CHANGED, Verdict::Compare),
    row(Case::A2, &[Gone, Never], &[Gone, Never], Verdict::Nothing),
];

const ONE_WAY_MIRROR: &[Row] = &[
    row(Case::N0, &[Same], &[Same], Verdict::Nothing),
    row(Case::A1, KEPT, KEPT, Verdict::Adopt),
    row(Case::Q1, &[Maybe], ANY, HASH_LOCAL),
    row(Case::Q1, ANY, &[Maybe], HASH_REMOTE),
    row(Case::U1, &[Torn], LEFT_ALONE, UPLOAD_TORN),
    row(Case::U1, CHANGED, LEFT_ALONE, UPLOAD),
    row(Case::U2, &[Gone], KEPT, DELETE_REMOTE),
    row(Case::E1, EDITED, &[Gone], UPLOAD),
    row(Case::V2, KEPT, &[Gone], UPLOAD),
    row(
        Case::V2,
        KEPT,
        CHANGED,
        Verdict::Send {
            from: Side::Local,
            rescue: true,
        },
    ),
    row(
        Case::V2,
        &[Never, Gone],
        CHANGED,
        Verdict::Delete {
            on: Side::Remote,
            rescue: true,
        },
    ),
    row(Case::C1, CHANGED, CHANGED, Verdict::Compare),
    row(Case::A2, &[Gone, Never], &[Gone, Never], Verdict::Nothing),
];

/// Finds the row for a pair of changes.
pub(crate) fn decide(policy: &Policy, local: Change, remote: Change) -> (Case, Verdict) {
    let rows = match (policy.direction, policy.mode) {
        (Direction::Bi, _) => TWO_WAY,
        (_, Mode::Safe) => ONE_WAY_SAFE,
        (_, Mode::Mirror) => ONE_WAY_MIRROR,
    };
    let down = policy.direction == Direction::Down;
    let (source, target) = if down {
        (remote, local)
    } else {
        (local, remote)
    };
    let found = rows
        .iter()
        .find(|row| row.local.contains(&source) && row.remote.contains(&target))
        .expect("each pair of changes has a row");
    if down {
        (mirrored_case(found.case), found.verdict.mirrored())
    } else {
        (found.case, found.verdict)
    }
}

/// Returns the letter of the same rule with the sides swapped.
pub(crate) const fn mirrored_case(case: Case) -> Case {
    match case {
        Case::U1 => Case::D1,
        Case::D1 => Case::U1,
        Case::U2 => Case::D2,
        Case::D2 => Case::U2,
        Case::E1 => Case::E2,
        Case::E2 => Case::E1,
        Case::M1 => Case::M2,
        Case::M2 => Case::M1,
        same => same,
    }
}

impl Verdict {
    const fn mirrored(self) -> Self {
        match self {
            Self::Send { from, rescue } => Self::Send {
                from: from.other(),
                rescue,
            },
            Self::Delete { on, rescue } => Self::Delete {
                on: on.other(),
                rescue,
            },
            Self::Hash { on } => Self::Hash { on: on.other() },
            same => same,
        }
    }
}

/// Says when a rule applies, for people.
#[must_use]
pub const fn meaning(case: Case) -> &'static str {
    words(case).0
}

/// Says why a rule decides as it does, for people.
#[must_use]
pub const fn reason(case: Case) -> &'static str {
    words(case).1
}

/// When a rule applies, and why it decides as it does.
#[expect(clippy::too_many_lines, reason = "a table")]
const fn words(case: Case) -> (&'static str, &'static str) {
    match case {
        Case::N0 => ("nothing to do", "both sides are as they last agreed"),
        Case::U1 => (
            "changed or new locally, unchanged remotely",
            "it is new or changed on the local side only, so the remote side follows",
        ),
        Case::U2 => (
            "gone locally, unchanged remotely",
            "it was deleted locally and nobody had changed it on the remote side, so it is deleted \
             there too",
        ),
        Case::D1 => (
            "changed or new remotely, unchanged locally",
            "it is new or changed on the remote side only, so the local side follows",
        ),
        Case::D2 => (
            "gone remotely, unchanged locally",
            "it was deleted on the remote side and nobody had changed it locally, so it is put \
             into the trash here",
        ),
        Case::A1 => (
            "changed alike on both sides",
            "both sides hold the same, so nothing has to be sent",
        ),
        Case::A2 => ("gone on both sides", "there is nothing left to do"),
        Case::E1 => (
            "edited locally, gone remotely: the edit wins",
            "content is worth more than a deletion of an older version, so what was edited or \
             moved locally is created again on the remote side",
        ),
        Case::E2 => (
            "edited remotely, gone locally: the edit wins",
            "content is worth more than a deletion of an older version, so what was edited or \
             moved on the remote side is created again locally",
        ),
        Case::C1 => (
            "changed differently on both sides",
            "neither version may be lost: unless the job says otherwise, the remote one keeps the \
             name and the local one becomes the conflict copy",
        ),
        Case::C2 => (
            "moved to different places on both sides",
            "it can be at one place only: unless the job says otherwise, the remote place wins",
        ),
        Case::C3 => (
            "two objects claim one name",
            "both are kept: unless the job says otherwise, the remote one has the name and the \
             local one gets the conflict name",
        ),
        Case::M1 => (
            "moved locally only",
            "it is renamed on the remote side as well; no content is sent",
        ),
        Case::M2 => (
            "moved remotely only",
            "it is renamed locally as well; no content is sent",
        ),
        Case::M3 => (
            "moves of both sides would form a ring: the local one is undone",
            "each folder would lie inside the other, so the remote move holds",
        ),
        Case::M4 => (
            "a step through a temporary name",
            "names are exchanged, so one of them goes through a temporary name",
        ),
        Case::R1 => (
            "a folder lives on because something in it does",
            "the folder was deleted on one side, but something in it was added or edited on the \
             other, and that needs its folder",
        ),
        Case::Q1 => (
            "whether the content changed is not known before it is read",
            "whether both sides hold the same is not known before the content is read",
        ),
        Case::V1 => (
            "one way: the target left the source",
            "the job syncs one way and keeps what was added or edited at the target",
        ),
        Case::V2 => (
            "one way: the target is put back to what the source holds",
            "the job syncs one way, and the target has to hold what the source holds",
        ),
        Case::P1 => (
            "unknown on a side",
            "what cannot be seen is neither changed nor taken for deleted",
        ),
        Case::H1 => (
            "halted",
            "the plan looked like an accident, so a person has to approve it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_changes_has_a_row_under_each_policy() {
        let directions = [Direction::Bi, Direction::Up, Direction::Down];
        for direction in directions {
            for mode in [Mode::Safe, Mode::Mirror] {
                let policy = Policy {
                    direction,
                    mode,
                    ..Policy::default()
                };
                for local in ANY {
                    for remote in ANY {
                        let reachable = (*local == New || *local == Never)
                            == (*remote == New || *remote == Never);
                        if reachable {
                            decide(&policy, *local, *remote);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_two_way_table_is_symmetric_under_swapping_the_sides() {
        let policy = Policy::default();
        for local in ANY {
            for remote in ANY {
                let reachable =
                    (*local == New || *local == Never) == (*remote == New || *remote == Never);
                let both_maybe = *local == Maybe && *remote == Maybe;
                if reachable && !both_maybe {
                    let (case, verdict) = decide(&policy, *local, *remote);
                    let swapped = decide(&policy, *remote, *local);
                    assert_eq!(swapped, (mirrored_case(case), verdict.mirrored()));
                }
            }
        }
    }
}
