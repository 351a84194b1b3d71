//! A journal without anything that tells of a person, and with everything that the
//! engine looks at.
//!
//! In: records, a key. Out: the same records under pseudonyms. Invariants: the redacted
//! journal folds and plans as the original does, operation for operation; names,
//! identities, versions, cursors, labels and users are replaced, free texts dropped;
//! watched by `proptests/tests/redact.rs` over ring 2's journals. Kept on purpose: sizes,
//! times, common extensions, the two bytes of a content hash that conflict names show.
//! A new field of an event: decide here; the compiler asks for it.

mod key;
mod names;
#[cfg(test)]
mod tests;

use journal_format::event::{
    Action, Change, ConflictEvent, Displaced, Event, Expected, Fact, Kept, ObservationEvent,
    Operation, OperationEvent, Outcome, PathMove, Record, SessionEvent,
};
use journal_format::portable::Header;
use journal_format::value::{Digest, Entry, Fingerprint, Identity, RelPath, RemoteVersion, Seq};
use key::Key;
use sync_core::checkpoint::{Rewrite, rewritten};
use sync_core::state::State;

/// Replaces what tells of a person.
pub struct Redactor {
    key: Key,
}

/// Why a record has no redacted form: a pseudonym is longer than the short names it
/// stands for, and a very deep path of such names got too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {0} has a path that is too deep to be redacted")]
pub struct RedactError(pub Seq);

/// A path got too long.
struct TooDeep;

/// A state's parts are redacted as those of the events that they come from.
impl Rewrite for Redactor {
    fn name(&self, name: &str) -> String {
        names::name(&self.key, name)
    }

    fn version(&self, version: &str) -> String {
        self.key.letters("version", version.as_bytes(), 16)
    }

    fn identity(&self, identity: Identity) -> Identity {
        Identity {
            device: self.key.renumbered("device", identity.device),
            object: self.key.renumbered("object", identity.object),
            born_ns: identity.born_ns,
        }
    }

    fn digest(&self, digest: &Digest) -> Digest {
        Self::digest(self, digest)
    }

    fn path(&self, path: &RelPath) -> Option<RelPath> {
        Self::path(self, path).ok()
    }

    fn operation(&self, operation: &Operation) -> Option<Operation> {
        Self::operation(self, operation)
    }

    fn job(&self, job: &str) -> String {
        Self::job(self, job)
    }

    fn label(&self, label: &str) -> String {
        names::label(&self.key, label)
    }

    fn marker(&self, marker: &str) -> String {
        self.key.letters("marker", marker.as_bytes(), 32)
    }

    fn cursor(&self, cursor: &str) -> String {
        self.key.letters("cursor", cursor.as_bytes(), 16)
    }

    fn fact(&self, fact: &Fact) -> Fact {
        Self::fact(self, fact)
    }
}

impl Redactor {
    /// Makes a redactor. The key must be random, used once and kept nowhere.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key: Key::new(key) }
    }

    /// Redacts a record.
    ///
    /// # Errors
    /// See [`RedactError`].
    pub fn record(&self, record: &Record) -> Result<Record, RedactError> {
        let event = match &record.event {
            Event::Session(event) => self.session(event).map(Event::Session),
            Event::Observation(event) => self.observation(event).map(Event::Observation),
            Event::Operation(event) => self.operation_event(event).map(Event::Operation),
            Event::Conflict(event) => self.conflict(event).map(Event::Conflict),
        };
        Ok(Record {
            seq: record.seq,
            time: record.time,
            event: event.map_err(|TooDeep| RedactError(record.seq))?,
        })
    }

    /// Redacts an operation, as the plan over redacted records would have it; nothing if
    /// a path got too long.
    #[must_use]
    pub fn operation(&self, operation: &Operation) -> Option<Operation> {
        let action = self.action(&operation.action).ok()?;
        Some(Operation {
            case: operation.case,
            action,
        })
    }

    /// Redacts the state that records before a journal's first one fold to.
    ///
    /// # Errors
    /// See [`RedactError`].
    pub fn state(&self, state: &State) -> Result<State, RedactError> {
        rewritten(state, self).ok_or(RedactError(state.seq))
    }

    /// Redacts what a file says of itself.
    #[must_use]
    pub fn header(&self, header: &Header) -> Header {
        Header {
            journal: self.key.bytes("journal", &header.journal),
            job: self.job(&header.job),
            label: names::label(&self.key, &header.label),
            release: header.release.clone(),
            redacted: true,
            first: header.first,
            before: None,
        }
    }

    fn job(&self, job: &str) -> String {
        format!("job-{}", self.key.letters("job", job.as_bytes(), 8))
    }

    fn person(&self, by: &str) -> String {
        format!("person-{}", self.key.letters("person", by.as_bytes(), 8))
    }

    /// What a server can do stays; how it names itself and its versions does not.
    fn fact(&self, fact: &Fact) -> Fact {
        let is_plain = ["true", "false"].contains(&fact.value.as_str());
        let value = if is_plain {
            fact.value.clone()
        } else {
            self.key.letters("fact", fact.value.as_bytes(), 8)
        };
        Fact {
            name: fact.name.clone(),
            value,
        }
    }

    fn session(&self, event: &SessionEvent) -> Result<SessionEvent, TooDeep> {
        Ok(match event {
            SessionEvent::RootConfigured {
                job,
                label,
                rules_version,
                digest,
                fold_case,
                policy,
            } => SessionEvent::RootConfigured {
                job: self.job(job),
                label: names::label(&self.key, label),
                rules_version: *rules_version,
                digest: *digest,
                fold_case: *fold_case,
                policy: *policy,
            },
            SessionEvent::RootIdentified { side, marker } => SessionEvent::RootIdentified {
                side: *side,
                marker: self.marker(marker),
            },
            // Of other names: nobody could compare it.
            SessionEvent::DigestStamped { .. } => SessionEvent::DigestStamped {
                digest: [0; 16],
                fold_version: 0,
            },
            SessionEvent::HaltApproved { halt, by } => SessionEvent::HaltApproved {
                halt: *halt,
                by: self.person(by),
            },
            SessionEvent::FeedRead { cursor, whole } => SessionEvent::FeedRead {
                cursor: self.cursor(cursor),
                whole: *whole,
            },
            SessionEvent::RemoteRolledBack { .. } => SessionEvent::RemoteRolledBack {
                detail: String::new(),
            },
            SessionEvent::RemoteProbed { facts } => SessionEvent::RemoteProbed {
                facts: facts.iter().map(|fact| self.fact(fact)).collect(),
            },
            SessionEvent::Undone { changes, by } => {
                let changes = changes.iter().map(|change| self.change(change));
                SessionEvent::Undone {
                    changes: changes.collect::<Result<_, TooDeep>>()?,
                    by: self.person(by),
                }
            }
            SessionEvent::Ordered { order, by } => SessionEvent::Ordered {
                order: *order,
                by: self.person(by),
            },
            SessionEvent::PolicyChanged { .. }
            | SessionEvent::SessionStarted { .. }
            | SessionEvent::SessionStopped
            | SessionEvent::HistoryLost { .. }
            // Which plan it is says nothing of names.
            | SessionEvent::HaltRaised { .. }
            | SessionEvent::HaltCleared { .. } => event.clone(),
        })
    }

    fn change(&self, change: &Change) -> Result<Change, TooDeep> {
        let path = |path: &Option<RelPath>| path.as_ref().map(|path| self.path(path)).transpose();
        let trashed = change.trashed.as_ref().map(|path| self.trashed(path));
        Ok(Change {
            undoes: change.undoes,
            path: self.path(&change.path)?,
            from: path(&change.from)?,
            now: change.now.as_ref().map(|entry| self.entry(entry)),
            trashed: trashed.transpose()?,
        })
    }

    fn observation(&self, event: &ObservationEvent) -> Result<ObservationEvent, TooDeep> {
        Ok(match event {
            ObservationEvent::Observed { side, path, entry } => ObservationEvent::Observed {
                side: *side,
                path: self.path(path)?,
                entry: self.entry(entry),
            },
            ObservationEvent::Moved { side, moves } => {
                let moves = moves.iter().map(|moved| {
                    Ok(PathMove {
                        from: self.path(&moved.from)?,
                        to: self.path(&moved.to)?,
                        entry: self.entry(&moved.entry),
                    })
                });
                ObservationEvent::Moved {
                    side: *side,
                    moves: moves.collect::<Result<_, TooDeep>>()?,
                }
            }
            ObservationEvent::Gone { side, path, epoch } => ObservationEvent::Gone {
                side: *side,
                path: self.path(path)?,
                epoch: *epoch,
            },
            ObservationEvent::Unknown { side, path, reason } => ObservationEvent::Unknown {
                side: *side,
                path: self.path(path)?,
                reason: *reason,
            },
            ObservationEvent::Hashed {
                side,
                path,
                fingerprint,
                digest,
            } => ObservationEvent::Hashed {
                side: *side,
                path: self.path(path)?,
                fingerprint: self.fingerprint(fingerprint),
                digest: self.digest(digest),
            },
        })
    }

    fn operation_event(&self, event: &OperationEvent) -> Result<OperationEvent, TooDeep> {
        Ok(match event {
            OperationEvent::Started { operation } => OperationEvent::Started {
                operation: Operation {
                    case: operation.case,
                    action: self.action(&operation.action)?,
                },
            },
            OperationEvent::Succeeded { operation, outcome } => OperationEvent::Succeeded {
                operation: *operation,
                outcome: self.outcome(outcome)?,
            },
            OperationEvent::Failed {
                operation,
                class,
                detail: _,
                retry_at,
            } => OperationEvent::Failed {
                operation: *operation,
                class: *class,
                detail: String::new(),
                retry_at: *retry_at,
            },
            OperationEvent::Adopted {
                local,
                remote,
                case,
            } => OperationEvent::Adopted {
                local: self.path(local)?,
                remote: self.path(remote)?,
                case: *case,
            },
        })
    }

    fn conflict(&self, event: &ConflictEvent) -> Result<ConflictEvent, TooDeep> {
        Ok(match event {
            ConflictEvent::Raised {
                local,
                remote,
                case,
            } => ConflictEvent::Raised {
                local: self.path(local)?,
                remote: self.path(remote)?,
                case: *case,
            },
            ConflictEvent::Resolved { conflict, keep, by } => ConflictEvent::Resolved {
                conflict: *conflict,
                keep: *keep,
                by: self.person(by),
            },
            ConflictEvent::Settled { conflict } => ConflictEvent::Settled {
                conflict: *conflict,
            },
        })
    }

    fn action(&self, action: &Action) -> Result<Action, TooDeep> {
        Ok(match action {
            Action::Transfer {
                from,
                source,
                expect,
                target,
                replaces,
                displaced,
            } => Action::Transfer {
                from: *from,
                source: self.path(source)?,
                expect: self.entry(expect),
                target: self.path(target)?,
                replaces: match replaces {
                    Expected::Absent => Expected::Absent,
                    Expected::Version(version) => Expected::Version(self.fingerprint(version)),
                },
                displaced: match displaced {
                    Displaced::Discard => Displaced::Discard,
                    Displaced::Rescue => Displaced::Rescue,
                    Displaced::ConflictCopy(path) => Displaced::ConflictCopy(self.path(path)?),
                },
            },
            Action::MakeDirectory { side, path } => Action::MakeDirectory {
                side: *side,
                path: self.path(path)?,
            },
            Action::Move {
                side,
                from,
                to,
                expect,
            } => Action::Move {
                side: *side,
                from: self.path(from)?,
                to: self.path(to)?,
                expect: self.fingerprint(expect),
            },
            Action::Remove {
                side,
                path,
                expect,
                rescue,
            } => Action::Remove {
                side: *side,
                path: self.path(path)?,
                expect: self.fingerprint(expect),
                rescue: *rescue,
            },
            Action::Hash { side, path, expect } => Action::Hash {
                side: *side,
                path: self.path(path)?,
                expect: self.fingerprint(expect),
            },
        })
    }

    fn outcome(&self, outcome: &Outcome) -> Result<Outcome, TooDeep> {
        let kept = outcome.kept.iter().map(|kept| {
            Ok(Kept {
                path: self.path(&kept.path)?,
                entry: self.entry(&kept.entry),
            })
        });
        Ok(Outcome {
            source: outcome.source.as_ref().map(|entry| self.entry(entry)),
            target: outcome.target.as_ref().map(|entry| self.entry(entry)),
            kept: kept.collect::<Result<_, TooDeep>>()?,
            trashed: outcome
                .trashed
                .as_ref()
                .map(|path| self.trashed(path))
                .transpose()?,
            bytes: outcome.bytes,
        })
    }

    fn path(&self, path: &RelPath) -> Result<RelPath, TooDeep> {
        let names: Vec<String> = path
            .names()
            .map(|name| names::name(&self.key, name))
            .collect();
        RelPath::new(names.join("/")).map_err(|_| TooDeep)
    }

    /// A path in the trash: its first name begins with the operation's number.
    fn trashed(&self, path: &RelPath) -> Result<RelPath, TooDeep> {
        let text = path.as_str();
        let number = text
            .split_at_checked(TRASH_NUMBER_BYTES)
            .filter(|(number, _)| {
                number
                    .strip_suffix('-')
                    .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
            });
        let Some((number, rest)) = number else {
            return self.path(path);
        };
        let rest = RelPath::new(rest).map_err(|_| TooDeep)?;
        let rest = self.path(&rest)?;
        RelPath::new(format!("{number}{rest}")).map_err(|_| TooDeep)
    }

    fn entry(&self, entry: &Entry) -> Entry {
        Entry {
            fingerprint: self.fingerprint(&entry.fingerprint),
            digest: entry.digest.as_ref().map(|digest| self.digest(digest)),
        }
    }

    fn fingerprint(&self, fingerprint: &Fingerprint) -> Fingerprint {
        let identity = fingerprint.identity;
        let identity = identity.map(|identity| self.identity(identity));
        let version = fingerprint.version.as_ref().map(|version| {
            let letters = self.version(version.as_str());
            RemoteVersion::new(letters).expect("sixteen letters are a version")
        });
        Fingerprint {
            kind: fingerprint.kind,
            size: fingerprint.size,
            mtime_ns: fingerprint.mtime_ns,
            identity,
            version,
        }
    }

    /// The first two bytes stay: conflict names show them.
    fn digest(&self, digest: &Digest) -> Digest {
        match digest {
            Digest::Blake3(bytes) => Digest::Blake3(self.hash(bytes)),
            Digest::Md5(bytes) => Digest::Md5(self.hash(bytes)),
            Digest::Sha1(bytes) => Digest::Sha1(self.hash(bytes)),
        }
    }

    fn hash<const N: usize>(&self, bytes: &[u8; N]) -> [u8; N] {
        let mut out = self.key.bytes("digest", bytes);
        out[..2].copy_from_slice(&bytes[..2]);
        out
    }
}

/// Sixteen digits and a dash.
const TRASH_NUMBER_BYTES: usize = 17;
