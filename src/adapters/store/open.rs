//! Opening: lock, gather evidence, look, recover, compare, only then trust.
//!
//! In: a job's directory. Out: a journal and its health, or the reason why not.
//! Invariants: a journal is begun only where nothing says that there was one; a
//! head below the evidence is told; what a recovery may cut is copied first; what
//! is given up is moved, never deleted, if anything in it was ever acknowledged. Watched
//! by the damage table in `tests/it/conformance_store`. Deliberately absent: salvage. A
//! crash during any step leaves evidence that makes the next open tell the same story.

use super::engine::{self, Engine, Look};
use super::journal::{Journal, Threads};
use super::lock::LockFile;
use super::read::Unread;
use super::reader::Reader;
use super::shelf::{Records, Shelf};
use super::witness::{Chain, Found, JournalId, Mark, Witness};
use super::worker::Worker;
use super::writer::{Handle, Tip, Writer};
use super::{Health, Layout, OpenError, Opened, Options, Retention, checkpoint, files, read};
use journal_format::value::Seq;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What lies beside the journal.
pub(super) struct Evidence {
    witness: Option<Witness>,
    /// What is wrong with the witness.
    damaged: Option<&'static str>,
    id: Option<JournalId>,
    /// The highest head that was acknowledged for sure.
    expected: Seq,
    /// Whether the last process closed the journal.
    pub(super) clean: bool,
    /// Whether all of it is a copy already.
    pub(super) is_copy: bool,
}

/// A journal that was opened and compared.
pub(super) struct Recovered {
    pub(super) records: Records,
    pub(super) witness: Witness,
    pub(super) health: Health,
    pub(super) head: Seq,
    last: Chain,
    chain: Chain,
    pub(super) loss_untold: bool,
}

pub(super) fn open(dir: &Path, options: Options) -> Result<Opened, OpenError> {
    let layout = Layout::new(dir);
    files::make_directory(&layout.root)?;
    let lock = LockFile::acquire(&layout.lock)?;
    let evidence = Evidence::gather(&layout)?;
    if evidence.damaged.is_some() && options.accept_loss {
        return without_witness(layout, lock, options.retention);
    }
    let recovered = match recover(&layout, &evidence) {
        Err(error) if options.accept_loss && error.is_damage() => {
            tracing::warn!(%error, "journal given up and moved aside");
            give_up(&layout)?;
            create(&layout, evidence.expected.max(Seq(1)))?
        }
        other => other?,
    };
    start(layout, lock, recovered, options.retention)
}

/// Opens a journal whose witness cannot be read. Everything in the journal is
/// kept; whether something is missing cannot be known, so a loss is told.
fn without_witness(
    layout: Layout,
    lock: LockFile,
    retention: Retention,
) -> Result<Opened, OpenError> {
    let aside = files::next_aside(&layout.aside, "lost")?;
    rename(&layout.witness, &aside.join("witness"))?;
    let evidence = Evidence::gather(&layout)?;
    let mut recovered = match recover(&layout, &evidence) {
        Err(error) if error.is_damage() => {
            give_up(&layout)?;
            create(&layout, evidence.expected.max(Seq(1)))?
        }
        other => other?,
    };
    if !matches!(recovered.health, Health::Shortened { .. }) {
        recovered.health = Health::Shortened {
            expected: evidence.expected.max(recovered.head),
            found: recovered.head,
        };
    }
    start(layout, lock, recovered, retention)
}

impl OpenError {
    /// Tells whether it is about the journal's content, not about who may use it.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::HistoryLost { .. } | Self::Damaged { .. } => true,
            Self::Locked { .. } | Self::Foreign { .. } | Self::Unbegun { .. } | Self::Io { .. } => {
                false
            }
        }
    }
}

impl Evidence {
    /// Whose journal it was.
    pub(super) const fn id(&self) -> Option<JournalId> {
        self.id
    }

    /// The highest head that was acknowledged for sure.
    pub(super) const fn expected(&self) -> Seq {
        self.expected
    }

    /// Whether the witness can be read.
    pub(super) const fn is_witnessed(&self) -> bool {
        self.witness.is_some()
    }

    /// The head of a journal that was given up before, and that no run has heard of yet.
    pub(super) fn lost(&self) -> Seq {
        self.witness
            .as_ref()
            .map_or(Seq::ZERO, |witness| witness.lost)
    }

    /// Whether nothing was acknowledged yet. The witness comes before the journal and the
    /// id behind it, so a journal that was not made to its end has a witness that says
    /// so, and no id.
    fn is_begun(&self) -> bool {
        self.expected == Seq::ZERO && self.witness.is_some()
    }

    /// Whether a journal that was found was not made to its end. It may look whole without
    /// an id: fjall then drops the keyspace that it has not noted yet, and makes another one.
    fn is_unfinished(&self, found: Look, layout: &Layout) -> bool {
        self.is_begun() && (matches!(found, Look::Partial(_)) || !layout.id.exists())
    }

    pub(super) fn gather(layout: &Layout) -> Result<Self, OpenError> {
        let (witness, damaged) = match Witness::load(&layout.witness)
            .map_err(|error| OpenError::io(&error, &layout.witness))?
        {
            Found::Good(witness) => (Some(witness), None),
            Found::Missing => (None, None),
            Found::Damaged(why) => (None, Some(why)),
            Found::Newer(version) => {
                return Err(OpenError::Foreign {
                    detail: format!("version {version} was written by a newer release"),
                    place: layout.witness.clone(),
                    is_newer: true,
                });
            }
        };
        let mark = Mark::load(&layout.mark).map_err(|error| OpenError::io(&error, &layout.mark))?;
        let id = witness.as_ref().map(|witness| witness.id);
        // A mark of another journal says nothing about this one.
        let mark = mark.filter(|(_, owner)| id.is_none_or(|id| id == *owner));
        let marked = mark.map_or(Seq::ZERO, |(head, _)| head);
        let witnessed = witness.as_ref().map_or(Seq::ZERO, |witness| witness.head);
        let cached = if witness.is_none() && mark.is_none() {
            checkpoint::load(&layout.checkpoint, None).map_or(Seq::ZERO, |found| found.seq)
        } else {
            Seq::ZERO
        };
        Ok(Self {
            clean: witness.as_ref().is_some_and(|witness| witness.clean) && marked <= witnessed,
            id: id.or(mark.map(|(_, owner)| owner)),
            expected: witnessed.max(marked).max(cached),
            witness,
            damaged,
            is_copy: false,
        })
    }
}

/// Opens what is there and begins nothing where there is nothing.
pub(super) fn look_into(layout: &Layout, evidence: &Evidence) -> Result<Recovered, OpenError> {
    if let Some(why) = evidence.damaged {
        return Err(OpenError::damaged(why, &layout.witness));
    }
    match engine::look(&layout.journal)? {
        Look::Empty if evidence.expected > Seq::ZERO => Err(OpenError::HistoryLost {
            expected: evidence.expected,
            found: Seq::ZERO,
        }),
        found if found == Look::Empty || evidence.is_unfinished(found, layout) => {
            Err(OpenError::Unbegun {
                place: layout.journal.clone(),
            })
        }
        Look::Partial(why) => Err(OpenError::damaged(why, &layout.journal)),
        Look::Empty | Look::Whole => reopen(layout, evidence),
    }
}

/// Opens what is there, as far as it agrees with the evidence.
fn recover(layout: &Layout, evidence: &Evidence) -> Result<Recovered, OpenError> {
    if let Some(why) = evidence.damaged {
        return Err(OpenError::damaged(why, &layout.witness));
    }
    match engine::look(&layout.journal)? {
        Look::Empty if evidence.expected > Seq::ZERO => Err(OpenError::HistoryLost {
            expected: evidence.expected,
            found: Seq::ZERO,
        }),
        Look::Empty => create(layout, evidence.lost()),
        found if evidence.is_unfinished(found, layout) => {
            let aside = files::next_aside(&layout.aside, "unfinished")?;
            rename(&layout.journal, &aside.join("journal"))?;
            // Nothing in them was ever acknowledged; without a bound, a process that is
            // killed at each start would fill the disk.
            files::keep_newest(&layout.aside, "unfinished", COPIES_KEPT)?;
            create(layout, evidence.lost())
        }
        Look::Partial(why) => Err(OpenError::damaged(why, &layout.journal)),
        Look::Whole => reopen(layout, evidence),
    }
}

/// Begins a journal. `lost` is the head of one that was given up for it.
fn create(layout: &Layout, lost: Seq) -> Result<Recovered, OpenError> {
    let witness = Witness {
        lost,
        ..Witness::new(new_id()?)
    };
    witness
        .save(&layout.witness)
        .map_err(|error| OpenError::io(&error, &layout.witness))?;
    files::make_directory(&layout.journal)?;
    let engine = Engine::open(&layout.journal)?;
    write_id(layout, &witness.id)?;
    let health = if lost > Seq::ZERO {
        Health::Shortened {
            expected: lost,
            found: Seq::ZERO,
        }
    } else {
        Health::Created
    };
    let shelf = Shelf::load(layout, witness.id, Seq(1))?;
    Ok(Recovered {
        records: Records::new(engine, shelf),
        witness,
        health,
        head: Seq::ZERO,
        last: [0; 32],
        chain: [0; 32],
        loss_untold: false,
    })
}

/// Opens a journal that looks whole and compares it with the evidence.
fn reopen(layout: &Layout, evidence: &Evidence) -> Result<Recovered, OpenError> {
    let id = known_id(layout, evidence)?;
    let copied_aside = if evidence.is_copy {
        layout.aside.clone()
    } else {
        copy_aside(layout, evidence.clean)?
    };
    let damaged = |why: String| OpenError::damaged(why, &layout.journal);
    let engine = Engine::open(&layout.journal)?;
    let (first, head) = engine
        .ends()
        .map_err(damaged)?
        .unwrap_or((Seq(1), Seq::ZERO));
    let shelf = Shelf::load(layout, id, first)?;
    let expected = evidence.expected;
    // What is archived was in the store, and more behind it.
    if head == Seq::ZERO && expected > Seq::ZERO || head < shelf.last() {
        return Err(OpenError::HistoryLost {
            expected,
            found: head,
        });
    }
    let witness = evidence.witness.clone().unwrap_or_else(|| Witness::new(id));
    let records = Records::new(engine, shelf);
    let (last, chain) =
        compare(&records, &witness, head).map_err(|unread| unread.at(&layout.journal))?;
    let loss_untold = head < expected;
    let health = if loss_untold {
        Health::Shortened {
            expected,
            found: head,
        }
    } else if head < witness.lost {
        Health::Shortened {
            expected: witness.lost,
            found: head,
        }
    } else if evidence.clean {
        Health::Clean
    } else {
        Health::UncleanStop { copied_aside }
    };
    Ok(Recovered {
        records,
        witness,
        health,
        head,
        last,
        chain,
        loss_untold,
    })
}

/// Copies fjall's journal files before the open that may cut them. After a clean
/// close they are small or empty; the copy is for damage that came later.
fn copy_aside(layout: &Layout, clean: bool) -> Result<PathBuf, OpenError> {
    if clean && !engine::needs_replay(&layout.journal) {
        return Ok(layout.aside.clone());
    }
    let (kind, keep) = if clean {
        ("clean", 1)
    } else {
        ("unclean", COPIES_KEPT)
    };
    let aside = files::next_aside(&layout.aside, kind)?;
    engine::copy_journal_files(&layout.journal, &aside)?;
    files::keep_newest(&layout.aside, kind, keep)?;
    Ok(aside)
}

/// Checks that the witnessed record is the one in the journal, reads what came
/// after it, and returns the last record's hash and the running hash. A journal
/// below its witness, or one that begins behind it, is read whole.
fn compare(records: &Records, witness: &Witness, head: Seq) -> Result<(Chain, Chain), Unread> {
    let at = witness.head;
    let first = records.shelf().first;
    if at > Seq::ZERO && at.next() == first {
        return read::walk(records, first, head, (witness.last, witness.chain));
    }
    // A record that is not kept any more cannot be compared.
    if at < first || head < at {
        return read::walk_all(records, head);
    }
    if read::hash_of(records, at)? != witness.last {
        return Err(Unread::record(at, "not the one that was acknowledged"));
    }
    read::walk(records, at.next(), head, (witness.last, witness.chain))
}

/// Returns the journal's identity, and writes it where it is missing.
fn known_id(layout: &Layout, evidence: &Evidence) -> Result<JournalId, OpenError> {
    let bytes =
        files::read_bounded(&layout.id, 16).map_err(|error| OpenError::io(&error, &layout.id))?;
    let written = bytes
        .map(|bytes| {
            JournalId::try_from(&bytes[..])
                .map_err(|_| OpenError::damaged("it does not have 16 bytes", &layout.id))
        })
        .transpose()?;
    match (written, evidence.id) {
        (Some(written), Some(witnessed)) if written != witnessed => Err(OpenError::Foreign {
            detail: "another journal was put in the place of the one in the witness".to_owned(),
            place: layout.journal.clone(),
            is_newer: false,
        }),
        (Some(id), _) => Ok(id),
        (None, known) => {
            let id = known.map_or_else(new_id, Ok)?;
            write_id(layout, &id)?;
            Ok(id)
        }
    }
}

fn write_id(layout: &Layout, id: &JournalId) -> Result<(), OpenError> {
    files::replace(&layout.id, &[id]).map_err(|error| OpenError::io(&error, &layout.id))
}

/// Moves everything of a journal aside. The witness goes last, so that a crash
/// on the way leaves it to tell the loss again.
fn give_up(layout: &Layout) -> Result<(), OpenError> {
    let aside: PathBuf = files::next_aside(&layout.aside, "lost")?;
    for path in [
        &layout.journal,
        &layout.checkpoint,
        &layout.archive,
        &layout.mark,
        &layout.witness,
    ] {
        if let Some(name) = path.file_name().filter(|_| path.exists()) {
            rename(path, &aside.join(name))?;
        }
    }
    files::keep_newest(&layout.aside, "lost", GIVEN_UP_KEPT)
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    let sync = |path: &Path| path.parent().map_or(Ok(()), files::sync_directory);
    std::fs::rename(from, to)
        .and_then(|()| sync(to))
        .and_then(|()| sync(from))
        .map_err(|error| OpenError::io(&error, from))
}

pub(super) fn new_id() -> Result<JournalId, OpenError> {
    let source = Path::new("/dev/urandom");
    let mut id = JournalId::default();
    std::fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut id))
        .map_err(|error| OpenError::io(&error, source))?;
    Ok(id)
}

/// Starts the threads of a journal that can be trusted.
fn start(
    layout: Layout,
    lock: LockFile,
    recovered: Recovered,
    retention: Retention,
) -> Result<Opened, OpenError> {
    let io = |error: std::io::Error| OpenError::io(&error, &layout.root);
    let id = recovered.witness.id;
    let tip = Arc::new(Tip::new(recovered.head, recovered.chain));
    let writer = Writer {
        engine: recovered.records.engine.clone(),
        tip: Arc::clone(&tip),
        mark: Mark::open(&layout.mark, id).map_err(io)?,
        witness_path: layout.witness.clone(),
        witness: recovered.witness,
        loss_untold: recovered.loss_untold,
        last: recovered.last,
        broken: None,
    };
    let threads = Threads {
        reader: Worker::start("journal-reader").map_err(io)?,
        checkpoints: Worker::start("journal-cache").map_err(io)?,
        writer: Handle::start(writer).map_err(io)?,
        records: recovered.records,
    };
    Ok(Opened {
        journal: Journal {
            id,
            layout,
            beside: Reader::new(id, &tip, &threads.records, &threads.reader),
            retention,
            tip,
            threads: Some(threads),
            _lock: lock,
        },
        health: recovered.health,
    })
}

const COPIES_KEPT: usize = 2;
/// Journals that were given up, of each kind: each may be all that is left of a history, and
/// without a bound a disk that damages them would fill.
pub(super) const GIVEN_UP_KEPT: usize = 5;
