//! What a person does next.
//!
//! In: chance and what the person sees. Out: one action, or the first step of one.
//! Invariant: few names, so that people meet on them. Deliberately absent: changes
//! that no fingerprint shows. Crash: not applicable. A new habit is a line in
//! `HABITS` and an arm in `act`.

use super::super::State;
use super::super::disk::{Author, Body, NodeId, Onto, composed, decomposed};
use super::super::options::UserOptions;
use super::super::prng::Ratio;
use super::Step;
use journal_format::value::{RelPath, Side};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Create,
    CreateTheSame,
    Copy,
    Edit,
    EditSameSize,
    SlowSave,
    AtomicSave,
    Touch,
    Delete,
    Undelete,
    Move,
    MoveOver,
    Swap,
    Invert,
    Respell,
    MakeDirectory,
    MakeLink,
    MakePipe,
    ReplaceByOtherKind,
}

/// Each as often as it is listed.
const HABITS: [Habit; 30] = [
    Habit::Create,
    Habit::Create,
    Habit::Create,
    Habit::Create,
    Habit::CreateTheSame,
    Habit::Copy,
    Habit::Edit,
    Habit::Edit,
    Habit::Edit,
    Habit::Edit,
    Habit::EditSameSize,
    Habit::EditSameSize,
    Habit::SlowSave,
    Habit::AtomicSave,
    Habit::AtomicSave,
    Habit::Touch,
    Habit::Delete,
    Habit::Delete,
    Habit::Delete,
    Habit::Undelete,
    Habit::Move,
    Habit::Move,
    Habit::Move,
    Habit::MoveOver,
    Habit::Swap,
    Habit::Invert,
    Habit::Respell,
    Habit::MakeDirectory,
    Habit::MakeDirectory,
    Habit::ReplaceByOtherKind,
];

const PLAIN_NAMES: [&str; 6] = ["a", "b", "c", "d", "e.txt", "f.txt"];
const ODD_NAMES: [&str; 9] = [
    "A",
    "a",
    "B",
    "b",
    "caf\u{e9}",
    "cafe\u{301}",
    "E.txt",
    "e.txt",
    "x.tmp",
];
const SIZES: [usize; 6] = [0, 8, 12, 20, 40, 100];
const DEPTH_MAX: usize = 3;

/// Does one thing.
pub(super) fn act(state: &mut State, side: Side, options: &UserOptions) {
    let paths = state.visible_paths(side);
    let crowded = paths.len() >= options.entries_max;
    let habit = match *state.rng.pick(&HABITS) {
        Habit::MakeDirectory | Habit::Copy if options.odd_kinds => *state.rng.pick(&[
            Habit::MakeDirectory,
            Habit::Copy,
            Habit::MakeLink,
            Habit::MakePipe,
        ]),
        Habit::Create | Habit::MakeDirectory | Habit::Copy if crowded => Habit::Delete,
        Habit::Respell if !options.odd_names => Habit::Edit,
        Habit::SlowSave if !options.slow_saves => Habit::AtomicSave,
        habit => habit,
    };
    let stalks = state.rng.chance(options.stalking);
    let busy = if stalks {
        state.users.busy.clone()
    } else {
        VecDeque::new()
    };
    let mut person = Person {
        busy: busy.into(),
        state,
        side,
        paths,
        odd_names: options.odd_names,
    };
    person.does(habit);
    if state.rng.chance(options.syncs) {
        state.disk_mut(side).sync_data_of(Author::User);
    }
}

/// Does something to exactly this path, whatever it is.
pub(super) fn act_upon(state: &mut State, side: Side, path: &RelPath, options: &UserOptions) {
    let habits = [
        Habit::Edit,
        Habit::EditSameSize,
        Habit::AtomicSave,
        Habit::Delete,
        Habit::Move,
        Habit::Create,
        Habit::ReplaceByOtherKind,
    ];
    let habit = *state.rng.pick(&habits);
    let paths = state.visible_paths(side);
    let mut person = Person {
        state,
        side,
        paths,
        busy: vec![path.clone()],
        odd_names: options.odd_names,
    };
    person.does(habit);
}

struct Person<'a> {
    state: &'a mut State,
    side: Side,
    paths: Vec<(RelPath, NodeId)>,
    /// What the person would rather act upon.
    busy: Vec<RelPath>,
    odd_names: bool,
}

impl Person<'_> {
    /// Does it, if what is there allows it; tells whether it did.
    fn does(&mut self, habit: Habit) -> Option<bool> {
        match habit {
            Habit::Create => self.create(),
            Habit::CreateTheSame => self.create_the_same(),
            Habit::Copy => self.copy(),
            Habit::Edit => self.edit(false),
            Habit::EditSameSize => self.edit(true),
            Habit::SlowSave => self.slow_save(),
            Habit::AtomicSave => self.atomic_save(),
            Habit::Touch => self.touch(),
            Habit::Delete => self.delete(),
            Habit::Undelete => self.undelete(),
            Habit::Move => self.move_to(Onto::Free),
            Habit::MoveOver => self.move_to(Onto::Anything),
            Habit::Swap => self.swap(),
            Habit::Invert => self.invert(),
            Habit::Respell => self.respell(),
            Habit::MakeDirectory => self.make(Body::Directory(BTreeMap::new())),
            // A disk that holds no links has nobody who makes them there.
            Habit::MakeLink
                if self.side == Side::Remote && !self.state.remote_options().symlinks =>
            {
                None
            }
            Habit::MakeLink => {
                let target = self.state.ledger.invent(self.side, 0);
                let target = String::from_utf8_lossy(&target).into_owned();
                self.make(Body::Link(target))
            }
            Habit::MakePipe => self.make(Body::Pipe),
            Habit::ReplaceByOtherKind => self.replace_by_other_kind(),
        }
    }

    fn content(&mut self) -> Vec<u8> {
        match *self.state.rng.pick(&SIZES) {
            0 if self.state.rng.chance(Ratio::one_in(2)) => Vec::new(),
            size => self.state.ledger.invent(self.side, size),
        }
    }

    fn any(&mut self) -> Option<RelPath> {
        self.any_where(|_| true).map(|(path, _)| path)
    }

    fn any_where(&mut self, wanted: impl Fn(&Body) -> bool) -> Option<(RelPath, NodeId)> {
        let nodes = &self.state.disk(self.side).live.nodes;
        let fitting: Vec<&(RelPath, NodeId)> = self
            .paths
            .iter()
            .filter(|(_, id)| nodes.get(id).is_some_and(|node| wanted(&node.body)))
            .collect();
        let busy: Vec<&(RelPath, NodeId)> = fitting
            .iter()
            .copied()
            .filter(|(path, _)| self.busy.contains(path))
            .collect();
        let choices = if busy.is_empty() { &fitting } else { &busy };
        if choices.is_empty() {
            return None;
        }
        Some((*self.state.rng.pick(choices)).clone())
    }

    fn any_file(&mut self) -> Option<(RelPath, NodeId)> {
        self.any_where(|body| matches!(body, Body::File(_)))
    }

    fn name(&mut self) -> &'static str {
        if self.odd_names && self.state.rng.chance(Ratio::one_in(2)) {
            ODD_NAMES[self.state.rng.below(ODD_NAMES.len())]
        } else {
            PLAIN_NAMES[self.state.rng.below(PLAIN_NAMES.len())]
        }
    }

    fn new_path(&mut self) -> Option<RelPath> {
        let disk = self.state.disk(self.side);
        let free: Vec<&RelPath> = self
            .busy
            .iter()
            .filter(|path| disk.find(path).is_none())
            .collect();
        if !free.is_empty() {
            return Some((*self.state.rng.pick(&free)).clone());
        }
        let parent = if self.state.rng.chance(Ratio::one_in(2)) {
            self.any_where(|body| matches!(body, Body::Directory(_)))
                .map(|(path, _)| path)
        } else {
            None
        };
        let parent = parent.filter(|path| path.names().count() < DEPTH_MAX);
        let name = self.name();
        parent.unwrap_or_default().join(name).ok()
    }

    fn create(&mut self) -> Option<bool> {
        let (path, data) = (self.new_path()?, self.content());
        Some(self.state.user_creates(self.side, &path, data))
    }

    fn create_the_same(&mut self) -> Option<bool> {
        let other = self.state.visible_paths(self.side.other());
        if other.is_empty() {
            return None;
        }
        let (path, id) = self.state.rng.pick(&other).clone();
        let node = self.state.disk(self.side.other()).live.nodes.get(&id)?;
        let Body::File(data) = node.body.clone() else {
            return None;
        };
        Some(self.state.user_creates(self.side, &path, data))
    }

    fn copy(&mut self) -> Option<bool> {
        let (_, id) = self.any_file()?;
        let path = self.new_path()?;
        let node = self.state.disk(self.side).live.nodes.get(&id)?;
        let data = node.content()?.to_owned();
        Some(self.state.user_creates(self.side, &path, data))
    }

    fn edit(&mut self, same_size: bool) -> Option<bool> {
        let (path, id) = self.any_file()?;
        let size = self
            .state
            .disk(self.side)
            .live
            .nodes
            .get(&id)?
            .content()?
            .len();
        let data = if same_size {
            self.state.ledger.invent(self.side, size)
        } else {
            self.content()
        };
        Some(self.state.user_edits(self.side, &path, data))
    }

    fn slow_save(&mut self) -> Option<bool> {
        let (path, id) = self.any_file()?;
        let data = self.state.ledger.invent(self.side, 60);
        let half = data[..data.len() / 2].to_owned();
        let done = self.state.user_edits(self.side, &path, half);
        self.state.disk_mut(self.side).set_being_written(id, true);
        self.script(Step::SaveRest(path, id, data));
        Some(done)
    }

    fn atomic_save(&mut self) -> Option<bool> {
        let (path, _) = self.any_file()?;
        let name = path.name()?;
        let name = match self.state.rng.below(3) {
            0 => format!("{name}.tmp"),
            1 => format!("{name}~"),
            _ => format!("{name}.new"),
        };
        let beside = path.parent()?.join(&name).ok()?;
        let data = self.content();
        let done = self.state.user_creates(self.side, &beside, data);
        if self.state.rng.chance(Ratio::one_in(2)) {
            self.script(Step::MoveOver(beside, path));
            return Some(done);
        }
        Some(
            self.state
                .user_moves(self.side, &beside, &path, Onto::Anything),
        )
    }

    fn touch(&mut self) -> Option<bool> {
        let (path, id) = self.any_file()?;
        let now_ns = self.state.time.now_ns(self.side);
        let back = self.state.rng.below(100_000);
        let then_ns = now_ns - i64::try_from(back).ok()? * 1_000_000_000;
        self.state
            .note(format!("USER {} touches {path}", self.side));
        self.state.disk_mut(self.side).touch(&path, id, then_ns);
        Some(true)
    }

    fn delete(&mut self) -> Option<bool> {
        let path = self.any()?;
        Some(self.state.user_deletes(self.side, &path))
    }

    fn undelete(&mut self) -> Option<bool> {
        let (path, data) = self.state.users.deleted.last()?.clone();
        Some(self.state.user_creates(self.side, &path, data))
    }

    fn move_to(&mut self, onto: Onto) -> Option<bool> {
        let from = self.any()?;
        let to = match onto {
            Onto::Free => self.new_path()?,
            Onto::Anything | Onto::Exchange => self.any()?,
        };
        Some(self.state.user_moves(self.side, &from, &to, onto))
    }

    fn swap(&mut self) -> Option<bool> {
        let (a, b) = (self.any()?, self.any()?);
        if a.is_within(&b) || b.is_within(&a) {
            return None;
        }
        if self.state.rng.chance(Ratio::one_in(2)) {
            return Some(self.state.user_moves(self.side, &a, &b, Onto::Exchange));
        }
        let aside = RelPath::new("aside").ok()?;
        let done = self.state.user_moves(self.side, &a, &aside, Onto::Free);
        self.script(Step::Move(b.clone(), a));
        self.script(Step::Move(aside, b));
        Some(done)
    }

    /// Makes `x/y` to `y/x`.
    fn invert(&mut self) -> Option<bool> {
        let (inner, _) = self.any_where(|body| matches!(body, Body::Directory(_)))?;
        let outer = inner.parent().filter(|outer| !outer.is_root())?;
        let aside = outer.parent()?.join("inverted").ok()?;
        let done = self.state.user_moves(self.side, &inner, &aside, Onto::Free);
        let below = aside.join(outer.name()?).ok()?;
        self.script(Step::Move(outer.clone(), below));
        self.script(Step::Move(aside, outer.parent()?.join(inner.name()?).ok()?));
        Some(done)
    }

    fn respell(&mut self) -> Option<bool> {
        let from = self.any()?;
        let name = from.name()?;
        let spellings = [
            name.to_lowercase(),
            name.to_uppercase(),
            composed(name),
            decomposed(name),
        ];
        let name = self.state.rng.pick(&spellings).clone();
        let to = from.parent()?.join(&name).ok()?;
        (to != from).then(|| self.state.user_moves(self.side, &from, &to, Onto::Free))
    }

    fn make(&mut self, body: Body) -> Option<bool> {
        let path = self.new_path()?;
        Some(self.state.user_makes(self.side, &path, body))
    }

    fn replace_by_other_kind(&mut self) -> Option<bool> {
        let path = self.any()?;
        let directory = matches!(
            self.state.disk(self.side).node(&path)?.body,
            Body::Directory(_)
        );
        self.state.user_deletes(self.side, &path);
        if directory {
            let data = self.content();
            return Some(self.state.user_creates(self.side, &path, data));
        }
        let body = Body::Directory(BTreeMap::new());
        self.state.user_makes(self.side, &path, body);
        let data = self.content();
        let below = path.join("b").ok()?;
        Some(self.state.user_creates(self.side, &below, data))
    }

    fn script(&mut self, step: Step) {
        self.state.users.scripts[self.side as usize].push_back(step);
    }
}
