//! Folders, renames and removals.
//!
//! In: paths and what is expected there. Out: what stands there now. Invariant: nothing
//! is deleted but what a condition or a look proved to be expected: where the server has
//! no conditions, and for folders, whose deletion takes along what came in meanwhile, the
//! thing is taken out of the way first and looked at there, and put back if it is not.
//! Deliberately absent: content (`put`, `young`). CRASH: what was taken out, in a slot
//! (`slots`).

use super::Inner;
use super::found::{Found, etag_of, folder_entry, is_marked};
use super::server::in_doubt;
use super::slots::{Debt, REMOVED};
use super::verdict::Verdict;
use super::young::Proof;
use crate::adapters::http::unsupported;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq};

impl Inner {
    /// Makes a folder at a free path.
    pub(super) async fn make_dir(&self, path: &RelPath) -> PortResult<Entry> {
        let server = &self.server;
        server.prepare(path).await;
        let powers = server.powers().await?;
        self.check_name(path)?;
        if !powers.tells_taken {
            self.check_free(path).await?;
        }
        let verdict = server.send_mkcol(path.as_str()).await?;
        if verdict != Verdict::Done {
            self.check_free(path).await?;
            self.check_parent(path).await?;
            return Err(verdict.error(path));
        }
        if !server.is_oc.get() {
            return Ok(folder_entry(&super::found::Folder::default()));
        }
        match server.look(path.as_str()).await? {
            found @ Found::Folder(_) => {
                server.shown.borrow_mut().own_folder(path, &found);
                found.entry().ok_or_else(|| in_doubt(path, "it is none"))
            }
            _ => Err(in_doubt(path, "it was created and is not there")),
        }
    }

    /// Renames or moves, never onto anything.
    pub(super) async fn rename(
        &self,
        from: &RelPath,
        to: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        let server = &self.server;
        server.prepare(from).await;
        server.prepare(to).await;
        let powers = server.powers().await?;
        self.check_name(to)?;
        let found = server.look(from.as_str()).await?;
        self.expect(from, &found, expect)?;
        if server.is_respelled(from, to).await? {
            return self.respell(from, to, expect).await;
        }
        if !powers.refuses_overwrite {
            self.check_free(to).await?;
        }
        if powers.makes_parents {
            self.check_parent(to).await?;
        }
        let is_folder = expect.kind == Kind::Directory;
        let moved = server.send_move(from.as_str(), to.as_str(), is_folder, false);
        let verdict = match moved.await {
            // Without a folder to be in it did not happen, whatever the server says.
            Err(error) if error.class == FailureClass::InDoubt => {
                self.check_parent(to).await?;
                return Err(error);
            }
            moved => moved?,
        };
        if verdict != Verdict::Done {
            self.check_free(to).await?;
            let left = server.look(from.as_str()).await?;
            self.expect(from, &left, expect)?;
            self.check_parent(to).await?;
            return Err(verdict.error(to));
        }
        let now = server.look(to.as_str()).await?;
        let entry = now.entry().filter(|entry| entry.kind() == expect.kind);
        server.shown.borrow_mut().own_move(from, to, &now);
        entry.ok_or_else(|| in_doubt(to, "it was renamed and is not there"))
    }

    /// Removes a file or an empty folder.
    pub(super) async fn remove(
        &self,
        id: Seq,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        self.server.prepare(path).await;
        let powers = self.server.powers().await?;
        let has_condition = powers.has_conditions && !is_marked(expect);
        match (expect.kind, etag_of(expect)) {
            (Kind::Directory, _) => self.remove_folder(id, path, expect).await?,
            (_, Some(tag)) if has_condition => self.remove_tagged(id, path, expect, tag).await?,
            _ => self.take_out(id, path, expect).await?,
        }
        self.server.shown.borrow_mut().own_gone(path);
        Ok(())
    }

    /// Removes a file on the condition of its tag.
    async fn remove_tagged(
        &self,
        id: Seq,
        path: &RelPath,
        expect: &Fingerprint,
        tag: &str,
    ) -> PortResult<()> {
        let server = &self.server;
        let verdict = server.send_delete(path.as_str(), false, Some(tag)).await?;
        if verdict == Verdict::Done {
            return Ok(());
        }
        let found = server.look(path.as_str()).await?;
        self.expect(path, &found, expect)?;
        if verdict == Verdict::Taken {
            // The tag is still a weak one, which no condition meets.
            return self.take_out(id, path, expect).await;
        }
        Err(verdict.error(path))
    }

    /// Removes an empty folder. What comes in after the look would go with it, so it is
    /// taken out first, whatever the server keeps of what is deleted.
    async fn remove_folder(&self, id: Seq, path: &RelPath, expect: &Fingerprint) -> PortResult<()> {
        let server = &self.server;
        let found = server.look(path.as_str()).await?;
        self.expect(path, &found, expect)?;
        if !server.list_once(path.as_str()).await?.0.is_empty() {
            return Err(not_empty(path));
        }
        self.take_out(id, path, expect).await
    }

    /// Takes something out of the way, looks at it there, and lets it go; or puts it back.
    async fn take_out(&self, id: Seq, path: &RelPath, expect: &Fingerprint) -> PortResult<()> {
        let server = &self.server;
        let is_folder = expect.kind == Kind::Directory;
        let found = server.look(path.as_str()).await?;
        self.expect(path, &found, expect)?;
        let proof = self.proof(path, expect).await?;
        server.make_rooms().await?;
        let slot = server.slot(REMOVED, id);
        self.move_out(path, &slot, expect).await?;
        let why = match self.is_spare(&slot, expect, proof).await {
            Ok(true) if is_folder && !server.lists_dots() => {
                // What such a server hides in a folder would go with it.
                server.keep(&slot).await;
                return Ok(());
            }
            Ok(true) => {
                server.let_go(&slot, is_folder).await;
                return Ok(());
            }
            Ok(false) => PortError::precondition(format!("`{path}` changed at the last moment")),
            Err(error) => error,
        };
        let back = server.send_move(&slot, path.as_str(), is_folder, false);
        if back.await != Ok(Verdict::Done) {
            server.owe(&slot, Debt::Back(path.clone()), is_folder);
            return Err(in_doubt(
                path,
                "it was taken out of the way and is put back",
            ));
        }
        if proof != Proof::Tag && why.class == FailureClass::Precondition {
            return Err(self.too_young(path).await);
        }
        Err(why)
    }

    /// Moves something to a slot.
    pub(super) async fn move_out(
        &self,
        path: &RelPath,
        slot: &str,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        let server = &self.server;
        let is_folder = expect.kind == Kind::Directory;
        let moved = server.send_move(path.as_str(), slot, is_folder, false);
        match moved.await {
            Ok(Verdict::Done) => Ok(()),
            Ok(Verdict::Taken) if server.look(slot).await? != Found::Absent => {
                // Of another journal of this client: it may hold anything.
                server.give_back(slot, is_folder).await?;
                let text = format!("`{path}`: an earlier removal had to be settled");
                Err(PortError::new(FailureClass::Retry, text))
            }
            Ok(other) => {
                let left = server.look(path.as_str()).await?;
                self.expect(path, &left, expect)?;
                if server.makes_rooms_again().await? {
                    let text = format!("`{path}`: our folder on the server was gone");
                    return Err(PortError::new(FailureClass::Retry, text));
                }
                Err(match other {
                    Verdict::Taken => unsupported(format!("`{path}`: the server moves nothing")),
                    other => other.error(path),
                })
            }
            Err(error) if error.class == FailureClass::InDoubt => match server.look(slot).await {
                Ok(Found::Absent) => Err(error),
                Ok(_) => Ok(()),
                Err(_) => {
                    server.owe(slot, Debt::Back(path.clone()), is_folder);
                    Err(error)
                }
            },
            Err(error) => Err(error),
        }
    }

    /// Tells whether what was taken out is what was expected, and nothing more.
    async fn is_spare(&self, slot: &str, expect: &Fingerprint, proof: Proof) -> PortResult<bool> {
        let server = &self.server;
        let found = server.look(slot).await?;
        if expect.kind == Kind::Directory {
            let is_folder = matches!(found, Found::Folder(_));
            return Ok(is_folder && server.list_once(slot).await?.0.is_empty());
        }
        let keeps_version = server.powers().await?.keeps_version;
        let is_alike = match found {
            Found::File(version) if !keeps_version => version.size == expect.size,
            found => found.is_expected(expect),
        };
        Ok(is_alike && self.has_content(slot, expect, proof).await?)
    }

    async fn check_free(&self, path: &RelPath) -> PortResult<()> {
        if self.server.look(path.as_str()).await? == Found::Absent {
            return Ok(());
        }
        Err(PortError::precondition(format!("`{path}` is taken")))
    }
}

fn not_empty(path: &RelPath) -> PortError {
    PortError::precondition(format!("`{path}` is not empty"))
}
