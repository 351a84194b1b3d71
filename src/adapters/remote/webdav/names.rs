//! Names that a server refuses, or keeps and does not list.
//!
//! In: names. Out: why one is not sent, or not spoken of. Invariant: which kinds of names
//! are lost is tried like everything else, in the folder of probes; before that, and for
//! one family's own, a list stands for it. A name that is kept and not listed would be
//! taken for deleted, so it is unknown wherever it is met; one that is refused may still
//! come from the server. Deliberately absent: names that are too long, spellings. Leaves
//! nothing behind. The next kind is a row of [`KINDS`].

use super::found::Found;
use super::http::is_strange;
use super::powers::Trial;
use super::server::Server;
use super::verdict::Verdict;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;

/// Some of [`KINDS`], by their places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u16);

/// Names that servers treat alike.
struct Kind {
    /// What the journal calls them.
    word: &'static str,
    /// One of them.
    example: &'static str,
    is_such: fn(&str) -> bool,
    /// What they are, in words.
    what: &'static str,
}

impl Kinds {
    fn with(self, at: usize) -> Self {
        Self(self.0 | 1 << at)
    }

    fn find(self, name: &str) -> Option<&'static str> {
        let mut kinds = KINDS.iter().enumerate();
        let found = kinds.find(|(at, kind)| self.0 & 1 << at != 0 && (kind.is_such)(name));
        found.map(|(_, kind)| kind.what)
    }

    /// Returns the words of these kinds.
    pub(super) fn words(self) -> String {
        let kinds = KINDS.iter().enumerate();
        let words = kinds.filter(|(at, _)| self.0 & 1 << at != 0);
        words
            .map(|(_, kind)| kind.word)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Reads such words; one that nobody knows stands for nothing.
    pub(super) fn read(words: &str) -> Self {
        let known = |word: &str| KINDS.iter().position(|kind| kind.word == word);
        let places = words.split(' ').filter_map(known);
        places.fold(Self::default(), Self::with)
    }
}

/// Says why a name is not sent to a server, or would not be seen on it again.
pub(super) fn obstacle(server: &Server, name: &str) -> Option<String> {
    if let Some(reason) = hidden(server, name) {
        return Some(reason);
    }
    let refused = match server.known.borrow().as_ref() {
        Some(powers) => powers.refused,
        None if server.is_oc.get() => Kinds::read(FAMILY_REFUSES),
        None => Kinds::default(),
    };
    let what = refused.find(name)?;
    Some(format!("the server refuses {what}"))
}

/// Says why a name cannot be seen on a server, whatever stands there.
pub(super) fn hidden(server: &Server, name: &str) -> Option<String> {
    if server.hides_dots() && name.starts_with('.') {
        return Some("the server hides names that begin with a dot".to_owned());
    }
    let hidden = match server.known.borrow().as_ref() {
        Some(powers) => powers.hidden,
        None if server.is_oc.get() => Kinds::read(FAMILY_HIDES),
        None => Kinds::default(),
    };
    let what = hidden.find(name)?;
    Some(format!("the server hides {what}"))
}

impl Trial<'_> {
    /// Stores a file of each kind of name, and lists them. Returns which were refused and
    /// which were kept and are not listed under their names.
    pub(super) async fn names(&self) -> PortResult<(Kinds, Kinds)> {
        let (mut refused, mut kept) = (Kinds::default(), Vec::new());
        for (at, kind) in KINDS.iter().enumerate() {
            match self.try_put(kind.example, "x", &[]).await {
                Ok((Verdict::Done, _)) => kept.push(at),
                Ok(_) => refused = refused.with(at),
                // A name that the server trips over is no name for it.
                Err(error) if is_tripped(&error) => refused = refused.with(at),
                Err(error) => return Err(error),
            }
        }
        let room = self.server.probe_room();
        let listed = match self.server.list_once(&room).await {
            Err(error) if is_strange(&error) => {
                refused = self.drop_spoilers(&mut kept, refused).await?;
                self.server.list_once(&room).await?.0
            }
            listed => listed?.0,
        };
        let is_listed = |at: &usize| {
            let mut files = listed.iter().filter(|child| !child.is_odd);
            files.any(|child| {
                child.name == KINDS[*at].example && matches!(child.found, Found::File(_))
            })
        };
        let lost = kept.into_iter().filter(|at| !is_listed(at));
        Ok((refused, lost.fold(Kinds::default(), Kinds::with)))
    }

    /// Removes the files whose names the server does not know how to write into an answer.
    /// With one of them in it no folder can be listed, so they count as refused.
    async fn drop_spoilers(&self, kept: &mut Vec<usize>, refused: Kinds) -> PortResult<Kinds> {
        let mut spoiled = refused;
        for at in std::mem::take(kept) {
            let place = self.at(KINDS[at].example);
            match self.server.look(&place).await {
                Err(error) if is_strange(&error) => {
                    self.server.send_delete(&place, false, None).await?;
                    spoiled = spoiled.with(at);
                }
                looked => {
                    looked?;
                    kept.push(at);
                }
            }
        }
        Ok(spoiled)
    }
}

fn is_tripped(error: &PortError) -> bool {
    error.class == FailureClass::InDoubt && error.message.contains("(status 500)")
}

/// What ownCloud's family does, until it was tried.
const FAMILY_REFUSES: &str = "backslash control htaccess";
const FAMILY_HIDES: &str = "part";

const KINDS: [Kind; 8] = [
    Kind {
        word: "backslash",
        example: "a\\b",
        is_such: |name| name.contains('\\'),
        what: "names with `\\`",
    },
    Kind {
        word: "control",
        example: "a\nb",
        is_such: |name| name.contains(char::is_control),
        what: "names with control characters",
    },
    Kind {
        word: "htaccess",
        example: ".htaccess",
        is_such: |name| name.eq_ignore_ascii_case(".htaccess"),
        what: "the name",
    },
    Kind {
        word: "part",
        example: "a.part",
        is_such: |name| name.ends_with(".part") || name.ends_with(".filepart"),
        what: "names that end like parts of uploads",
    },
    Kind {
        word: "tilde",
        example: "a~",
        is_such: |name| name.ends_with('~'),
        what: "names that end with `~`",
    },
    Kind {
        word: "colon",
        example: "c:d",
        is_such: |name| name.contains(':'),
        what: "names with `:`",
    },
    Kind {
        word: "wildcards",
        example: "w*?\"<>|w",
        is_such: |name| name.contains(['*', '?', '"', '<', '>', '|']),
        what: "names with one of `*?\"<>|`",
    },
    Kind {
        word: "ending",
        example: "e. ",
        is_such: |name| name.ends_with(['.', ' ']),
        what: "names that end with a dot or a space",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_knows_its_example_and_is_read_as_it_is_written() {
        let mut all = Kinds::default();
        for (at, kind) in KINDS.iter().enumerate() {
            let one = Kinds::default().with(at);
            assert!(one.find(kind.example).is_some(), "{}", kind.word);
            assert_eq!(one.find("plain-name (1).txt"), None, "{}", kind.word);
            assert_eq!(Kinds::read(&one.words()), one);
            all = all.with(at);
        }
        assert_eq!(Kinds::read(&all.words()), all);
        assert_eq!(Kinds::read("none of these"), Kinds::default());
    }
}
