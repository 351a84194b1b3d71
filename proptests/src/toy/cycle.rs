//! One look at both sides and what follows from it.
//!
//! In: listings. Out: copies both ways. Invariant: a version that is in the way is
//! copied to the remote under a conflict name before it is exchanged, and what the
//! exchange gives is compared. Crash: slots.

use super::ToyRun;
use crate::world::calls::is_same;
use crate::world::disk::{Folding, composed, key};
use futures::StreamExt;
use journal_format::event::{
    Action, Case, Displaced, Event, Expected, FailureClass, Operation, OperationEvent, Outcome,
};
use journal_format::value::{DigestKind, Entry, Kind, RelPath, Seq, Side};
use pydio_sync::ports::{
    LocalFs, PortError, PortResult, PutRequest, Remote, ScanItem, ScanRequest, ScanTarget, Seen,
    Slot,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a side holds under a key: spellings, and entries where they are known.
type Found = BTreeMap<String, Vec<(RelPath, Option<Entry>)>>;

impl ToyRun<'_> {
    /// Looks at both sides and brings over what one lacks; tells whether anything
    /// was to be done.
    pub(super) async fn cycle(&self) -> PortResult<bool> {
        let local = self.list(Side::Local).await?;
        let remote = self.list(Side::Remote).await?;
        let keys: BTreeSet<&String> = local.keys().chain(remote.keys()).collect();
        let mut skipped: Vec<&String> = Vec::new();
        let mut changed = false;
        let mut failed = None;
        for name in keys {
            if skipped
                .iter()
                .any(|above| name.starts_with(&format!("{above}/")))
            {
                continue;
            }
            let (Ok(here), Ok(there)) = (single(&local, name), single(&remote, name)) else {
                skipped.push(name);
                continue;
            };
            // Directories may be spelled differently on the two sides.
            let place = match (&here, &there) {
                (Some((path, _)), None) => self.place(path, &remote)?,
                (None, Some((path, _))) => self.place(path, &local)?,
                _ => RelPath::root(),
            };
            match self.settle(here, there, &place).await {
                Ok(did) => changed |= did,
                Err(error) if error.class == FailureClass::Fatal => return Err(error),
                // One that says how long to wait is told of.
                Err(error) => {
                    failed = failed.filter(|known: &PortError| known.retry_after_ms.is_some());
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(changed),
        }
    }

    async fn list(&self, side: Side) -> PortResult<Found> {
        let request = ScanRequest {
            targets: vec![ScanTarget {
                path: RelPath::root(),
                subtree: true,
            }],
        };
        let mut stream = match side {
            Side::Local => self.world.local.scan(request),
            Side::Remote => self.world.remote.scan(request),
        };
        let folding = self.folding();
        let mut found = Found::new();
        while let Some(items) = stream.next().await {
            for item in items? {
                let ScanItem::Listing(listing) = item else {
                    return Err(PortError::precondition("not listed"));
                };
                for listed in listing.entries {
                    let Ok(path) = listing.directory.join(&listed.name) else {
                        continue;
                    };
                    let entry = match listed.seen {
                        Seen::Entry(entry) => Some(entry),
                        Seen::Unknown(_) => None,
                    };
                    let place = found.entry(key(path.as_str(), folding)).or_default();
                    place.push((path, entry));
                }
            }
        }
        Ok(found)
    }

    async fn settle(
        &self,
        here: Option<(RelPath, Entry)>,
        there: Option<(RelPath, Entry)>,
        place: &RelPath,
    ) -> PortResult<bool> {
        match (here, there) {
            (None, None) => Ok(false),
            (Some((path, entry)), None) => self.only_here(&path, &entry, place).await,
            (None, Some((path, entry))) => self.only_there(&path, &entry, place).await,
            (Some((here, a)), Some((there, b))) => {
                if composed(here.as_str()) != composed(there.as_str()) {
                    let to = respelled(&here, &there)?;
                    let local = &self.world.local;
                    local.rename(&here, &to, &a.fingerprint).await?;
                    return Ok(true);
                }
                if a.kind() == Kind::Directory && b.kind() == Kind::Directory {
                    return Ok(false);
                }
                self.both(&here, &a, &there, &b).await
            }
        }
    }

    async fn only_here(&self, path: &RelPath, entry: &Entry, place: &RelPath) -> PortResult<bool> {
        if self.flaws.deletes_on_absence && entry.kind() != Kind::Directory {
            let id = self.begin(path).await?;
            self.world.local.take(id, path, &entry.fingerprint).await?;
            self.world.local.discard(id).await?;
            self.end(id).await?;
            return Ok(true);
        }
        let id = self.begin(path).await?;
        if entry.kind() == Kind::Directory {
            self.world.remote.make_dir(place).await?;
        } else {
            self.upload(id, path, entry, place).await?;
        }
        self.world.remote.sync().await?;
        self.end(id).await?;
        Ok(true)
    }

    async fn only_there(&self, path: &RelPath, entry: &Entry, place: &RelPath) -> PortResult<bool> {
        if self.flaws.never_downloads {
            return Ok(false);
        }
        let id = self.begin(path).await?;
        let local = &self.world.local;
        if self.flaws.names_own_folder {
            let own = crate::world::local::own("mine");
            local.make_dir(&own).await?;
        }
        if entry.kind() == Kind::Directory {
            local.make_dir(place).await?;
        } else {
            self.fetch(id, path, entry).await?;
            local.commit_new(id, place).await?;
        }
        if !self.flaws.skips_sync {
            local.sync().await?;
        }
        self.end(id).await?;
        Ok(true)
    }

    /// Both sides hold something: the remote one keeps the name.
    async fn both(
        &self,
        here: &RelPath,
        a: &Entry,
        there: &RelPath,
        b: &Entry,
    ) -> PortResult<bool> {
        let files = a.kind() == b.kind() && a.kind() != Kind::Directory;
        let (local, remote) = (&self.world.local, &self.world.remote);
        if files {
            let ours = local.hash(here, &a.fingerprint, DigestKind::Blake3).await?;
            let theirs = remote
                .hash(there, &b.fingerprint, DigestKind::Blake3)
                .await?;
            if ours.digest == theirs.digest {
                return Ok(false);
            }
        }
        let id = self.begin(here).await?;
        let beside = self.conflict_name(here, id)?;
        if !files {
            local.rename(here, &beside, &a.fingerprint).await?;
            self.end(id).await?;
            return Ok(true);
        }
        self.upload(id, here, a, &self.conflict_name(there, id)?)
            .await?;
        remote.sync().await?;
        self.fetch(id, there, b).await?;
        let exchanged = local.exchange(id, here, &a.fingerprint).await?;
        let same = is_same(&a.fingerprint, &exchanged.out.fingerprint);
        if same || self.flaws.trusts_the_exchange {
            local.discard(id).await?;
        } else {
            let other = self.conflict_name(&beside, id)?;
            local.release(id, &Slot::Path(other)).await?;
        }
        local.sync().await?;
        self.end(id).await?;
        Ok(true)
    }

    fn folding(&self) -> Folding {
        Folding {
            case: self.world.remote.capabilities().fold_case,
            norm: true,
        }
    }

    /// Returns where a path belongs on the other side.
    fn place(&self, path: &RelPath, other: &Found) -> PortResult<RelPath> {
        let parent = path.parent().unwrap_or_default();
        let there = single(other, &key(parent.as_str(), self.folding()));
        let there = there.ok().flatten().map_or(parent, |(there, _)| there);
        there
            .join(path.name().unwrap_or_default())
            .map_err(|_| PortError::precondition("no name"))
    }

    async fn upload(
        &self,
        id: Seq,
        path: &RelPath,
        entry: &Entry,
        target: &RelPath,
    ) -> PortResult<()> {
        let source = self.world.local.open(path, &entry.fingerprint).await?;
        let request = PutRequest {
            id,
            path: target,
            source,
            replaces: &Expected::Absent,
            digest: DigestKind::Blake3,
        };
        self.world.remote.put(request).await.map(drop)
    }

    async fn fetch(&self, id: Seq, path: &RelPath, entry: &Entry) -> PortResult<()> {
        let source = self.world.remote.open(path, &entry.fingerprint).await?;
        let local = &self.world.local;
        if let Err(error) = local.stage(id, source, DigestKind::Blake3).await {
            local.discard(id).await?;
            return Err(error);
        }
        if !self.flaws.skips_sync {
            local.sync().await?;
        }
        Ok(())
    }

    fn conflict_name(&self, path: &RelPath, id: Seq) -> PortResult<RelPath> {
        let text = format!("{} ({id})", path.name().unwrap_or_default());
        let parent = path.parent().unwrap_or_default();
        parent
            .join(&text)
            .map_err(|_| PortError::precondition("no name"))
    }

    async fn begin(&self, path: &RelPath) -> PortResult<Seq> {
        self.note(Event::Operation(OperationEvent::Started {
            operation: Operation {
                case: Case::C1,
                action: Action::Transfer {
                    from: Side::Local,
                    source: path.clone(),
                    expect: Entry {
                        fingerprint: journal_format::value::Fingerprint {
                            kind: Kind::File,
                            size: 0,
                            mtime_ns: 0,
                            identity: None,
                            version: None,
                        },
                        digest: None,
                    },
                    target: path.clone(),
                    replaces: Expected::Absent,
                    displaced: Displaced::Rescue,
                },
            },
        }))
        .await
    }

    async fn end(&self, id: Seq) -> PortResult<()> {
        self.note(Event::Operation(OperationEvent::Succeeded {
            operation: id,
            outcome: Outcome::default(),
        }))
        .await
        .map(drop)
    }
}

/// Returns what a side has under a key; an error when that cannot be synced.
fn single(found: &Found, name: &str) -> Result<Option<(RelPath, Entry)>, ()> {
    match found.get(name).map(Vec::as_slice) {
        None => Ok(None),
        Some([(path, Some(entry))]) => Ok(Some((path.clone(), entry.clone()))),
        Some(_) => Err(()),
    }
}

/// Gives a name the other side's spelling, in its own directory.
fn respelled(path: &RelPath, like: &RelPath) -> PortResult<RelPath> {
    let parent = path.parent().unwrap_or_default();
    parent
        .join(like.name().unwrap_or_default())
        .map_err(|_| PortError::precondition("no name"))
}
