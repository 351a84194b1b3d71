//! People who use both folders, at the worst moments.
//!
//! In: chance. Out: changes of a disk that the ledger knows of. A change may take
//! several steps (a slow save, a swap of names), with anything in between.
//! Invariant: each content is written down in the ledger as it is written, and
//! what an action took from sight is released by it. Deliberately absent: respect
//! for the program's own folder is kept: people never go there, but a file that
//! they hold open may lie there. Crash: people go on. A new habit is an arm in
//! `habits`.

mod habits;

use super::State;
use super::disk::{Author, Body, Folding, Mount, NodeId, Onto, is_visible, key};
use super::options::UserOptions;
use super::prng::Ratio;
use journal_format::value::{RelPath, Side};
use std::collections::{BTreeSet, VecDeque};

/// What people have begun and remember.
#[derive(Debug, Default)]
pub struct Users {
    scripts: [VecDeque<Step>; 2],
    deleted: Vec<(RelPath, Vec<u8>)>,
    /// Paths that the program asked for lately, newest last.
    busy: VecDeque<RelPath>,
    /// Paths that a call has looked at and will act upon next.
    pub(super) tempting: Vec<(Side, RelPath)>,
    /// Paths, per side and in one spelling, that people ever moved or deleted something
    /// from or to.
    disturbed: [BTreeSet<String>; 2],
    has_undone: bool,
    /// Actions so far.
    pub actions: u64,
}

/// The rest of an action.
#[derive(Debug, Clone)]
enum Step {
    /// Writes through an open file, wherever it is by now, and closes it.
    SaveRest(RelPath, NodeId, Vec<u8>),
    /// Renames, over what is there.
    MoveOver(RelPath, RelPath),
    /// Renames onto a free name.
    Move(RelPath, RelPath),
}

impl Users {
    /// Notes a path that the program is busy with.
    pub fn sees_busy(&mut self, path: &RelPath) {
        if self.busy.len() >= BUSY_MAX {
            self.busy.pop_front();
        }
        self.busy.push_back(path.clone());
    }

    /// Notes that somebody has the program take back what it did at a path: what it then
    /// does there is that person's wish.
    pub fn undo(&mut self, path: &RelPath) {
        self.has_undone = true;
        for side in Side::BOTH {
            self.disturb(side, path);
        }
    }

    /// Tells whether anything was undone, so that the trash may hold what people wrote.
    #[must_use]
    pub const fn has_undone(&self) -> bool {
        self.has_undone
    }

    fn disturb(&mut self, side: Side, path: &RelPath) {
        self.disturbed[side as usize].insert(key(path.as_str(), Folding::ALL));
    }

    /// Tells whether people ever moved or deleted a path of a side, or one above it.
    #[must_use]
    pub fn is_disturbed(&self, side: Side, path: &RelPath) -> bool {
        let path = key(path.as_str(), Folding::ALL);
        let ends = path.match_indices('/').map(|(end, _)| end);
        let disturbed = &self.disturbed[side as usize];
        ends.chain([path.len()])
            .any(|end| disturbed.contains(&path[..end]))
    }

    /// The process ended, and its calls with it.
    pub fn process_ended(&mut self) {
        self.tempting.clear();
    }

    /// Forgets what was going on on a side: its machine lost power.
    pub fn power_went(&mut self, side: Side) {
        self.scripts[side as usize].clear();
    }
}

impl State {
    /// Lets people act, as often as they do.
    pub fn users_act(&mut self, options: &UserOptions) {
        for side in Side::BOTH {
            if self.is_mounted(side) && self.rng.chance(options.rate[side as usize]) {
                self.user_acts(side, options);
            }
        }
        let Some((side, path)) = self.users.tempting.last().cloned() else {
            return;
        };
        if self.is_mounted(side) && self.rng.chance(options.temptation) {
            habits::act_upon(self, side, &path, options);
        }
    }

    /// Lets a person do one thing.
    pub fn user_acts(&mut self, side: Side, options: &UserOptions) {
        if self.rng.chance(Ratio::one_in(2))
            && let Some(step) = self.users.scripts[side as usize].pop_front()
        {
            self.step(side, step);
            return;
        }
        habits::act(self, side, options);
    }

    /// Lets people finish what they have begun.
    pub fn users_finish(&mut self) {
        for side in Side::BOTH {
            while self.is_mounted(side) {
                let Some(step) = self.users.scripts[side as usize].pop_front() else {
                    break;
                };
                self.step(side, step);
            }
        }
    }

    /// Tells whether both roots are in place and nobody is in the middle of anything.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        let busy = self.users.scripts.iter().any(|steps| !steps.is_empty());
        !busy && Side::BOTH.iter().all(|side| self.is_mounted(*side))
    }

    /// Does something as a person: new content is owed from now on, content that
    /// is out of sight afterwards is released.
    pub fn as_user<T>(&mut self, side: Side, what: &str, act: impl FnOnce(&mut Self) -> T) -> T {
        debug_assert_eq!(self.disk(side).mount, Mount::There);
        self.users.actions += 1;
        self.note(format!("USER {side} {what}"));
        let before = self.visible_copies(side);
        let result = act(self);
        let after = self.visible_copies(side);
        self.ledger.thinned(&before, &after);
        let [before, after] = [before, after].map(|copies| copies.into_keys().collect());
        self.ledger.released(Some(side), &before, &after);
        result
    }

    /// Writes a new file; tells whether it could.
    pub fn user_creates(&mut self, side: Side, path: &RelPath, data: Vec<u8>) -> bool {
        self.as_user(side, &format!("creates {path}"), |state| {
            let now_ns = state.time.now_ns(side);
            let body = Body::File(data);
            let made = state
                .disk_mut(side)
                .create(path, body, Author::User, now_ns);
            made.map(|id| state.user_wrote(side, id)).is_ok()
        })
    }

    /// Writes over a file in place; tells whether it could.
    pub fn user_edits(&mut self, side: Side, path: &RelPath, data: Vec<u8>) -> bool {
        let Some(id) = self.disk(side).find(path) else {
            return false;
        };
        self.as_user(side, &format!("edits {path}"), |state| {
            state.write_as_user(side, path, id, data)
        })
    }

    /// Deletes a path with all below it; tells whether it could.
    pub fn user_deletes(&mut self, side: Side, path: &RelPath) -> bool {
        self.as_user(side, &format!("deletes {path}"), |state| {
            let node = state.disk(side).node(path);
            if let Some(data) = node.and_then(super::disk::Node::content) {
                let deleted = (path.clone(), data.to_owned());
                state.users.deleted.push(deleted);
            }
            state.users.disturb(side, path);
            state.disk_mut(side).remove(path, true).is_ok()
        })
    }

    /// Renames; tells whether it could.
    pub fn user_moves(&mut self, side: Side, from: &RelPath, to: &RelPath, onto: Onto) -> bool {
        self.as_user(side, &format!("moves {from} to {to} ({onto:?})"), |state| {
            state.users.disturb(side, from);
            state.users.disturb(side, to);
            state.disk_mut(side).rename(from, to, onto).is_ok()
        })
    }

    /// Creates a directory, a link or a pipe; tells whether it could.
    pub fn user_makes(&mut self, side: Side, path: &RelPath, body: Body) -> bool {
        self.as_user(side, &format!("makes {path} {body:?}"), |state| {
            let now_ns = state.time.now_ns(side);
            let made = state
                .disk_mut(side)
                .create(path, body, Author::User, now_ns);
            made.map(|id| state.user_wrote(side, id)).is_ok()
        })
    }

    fn write_as_user(&mut self, side: Side, path: &RelPath, id: NodeId, data: Vec<u8>) -> bool {
        let node = self.disk(side).live.nodes.get(&id);
        let Some(Body::File(old)) = node.map(|node| node.body.clone()) else {
            return false;
        };
        let now_ns = self.time.now_ns(side);
        let disk = self.disk_mut(side);
        disk.write(path, id, data, Author::User, now_ns);
        self.user_wrote(side, id);
        // Through an open file a person also writes over what is out of sight.
        if !self.visible_contents(side).contains(&old) {
            self.ledger.release(Some(side), &old);
        }
        true
    }

    fn user_wrote(&mut self, side: Side, id: NodeId) {
        let node = self.disks[side as usize].live.nodes.get(&id);
        let content = node
            .and_then(super::disk::Node::content)
            .map(<[u8]>::to_owned);
        if let Some(content) = content {
            self.note(format!(
                "     wrote {:?}",
                String::from_utf8_lossy(&content)
            ));
            self.ledger.wrote(side, &content);
        }
    }

    fn step(&mut self, side: Side, step: Step) {
        match step {
            Step::SaveRest(path, id, data) => {
                // An open file is written wherever it was moved, and told of there.
                let paths = self.disk(side).live.walk().into_iter();
                let path = paths
                    .rev()
                    .find(|(_, at)| *at == id)
                    .map_or(path, |it| it.0);
                self.as_user(side, &format!("finishes {path}"), |state| {
                    state.write_as_user(side, &path, id, data);
                    state.disk_mut(side).set_being_written(id, false);
                });
            }
            Step::MoveOver(from, to) => {
                self.user_moves(side, &from, &to, Onto::Anything);
            }
            Step::Move(from, to) => {
                self.user_moves(side, &from, &to, Onto::Free);
            }
        }
    }

    /// Returns the paths that people see on a side.
    #[must_use]
    pub fn visible_paths(&self, side: Side) -> Vec<(RelPath, NodeId)> {
        let mut paths = self.disk(side).live.walk();
        paths.retain(|(path, _)| is_visible(path));
        paths
    }
}

const BUSY_MAX: usize = 3;
