//! Servers that take names that differ in case only for one.
//!
//! In: nothing but our own folder, and names to be respelled. Out: whether the server is
//! such a one. Invariant: it is tried, with the other spelling of our own folder; a name
//! gets another case by way of a slot, since at its own place it is in its own way.
//! Deliberately absent: which names are one (`sync-core: spelling`). CRASH: what was taken
//! out, in a slot (`slots`).

use super::Inner;
use super::server::{Server, in_doubt, unlooked};
use super::slots::{Debt, REMOVED};
use super::verdict::Verdict;
use crate::adapters::rooted::CONTROL;
use crate::ports::PortResult;
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq};

impl Server {
    /// Tells whether names that differ in case only are one here, trying it once.
    pub(super) async fn folds_case(&self) -> PortResult<bool> {
        if let Some(known) = self.case.get() {
            return Ok(known);
        }
        self.make_first_rooms().await?;
        let other = CONTROL.to_uppercase();
        let ask = self.propfind(&other, true, "0");
        let answer = self.http.multistatus(&ask, &mut |_, _| {}).await?;
        let is_one = match answer {
            Ok(()) => true,
            Err(403..=405 | 409 | 410) => false,
            Err(status) => return Err(unlooked(&other, status)),
        };
        self.case.set(Some(is_one));
        Ok(is_one)
    }

    /// Tells whether two paths are one thing in two spellings.
    pub(super) async fn is_respelled(&self, from: &RelPath, to: &RelPath) -> PortResult<bool> {
        let lower = |path: &RelPath| path.as_str().to_lowercase();
        Ok(from != to && lower(from) == lower(to) && self.folds_case().await?)
    }
}

impl Inner {
    /// Gives a name another case.
    pub(super) async fn respell(
        &self,
        from: &RelPath,
        to: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        let server = &self.server;
        let is_folder = expect.kind == Kind::Directory;
        server.make_rooms().await?;
        let slot = server.slot(REMOVED, number(to));
        self.move_out(from, &slot, expect).await?;
        let moved = server.send_move(&slot, to.as_str(), is_folder, false).await;
        if moved == Ok(Verdict::Done) {
            let now = server.look(to.as_str()).await?;
            server.shown.borrow_mut().own_move(from, to, &now);
            let entry = now.entry().filter(|entry| entry.kind() == expect.kind);
            return entry.ok_or_else(|| in_doubt(to, "it was renamed and is not there"));
        }
        let back = server.send_move(&slot, from.as_str(), is_folder, false);
        if back.await != Ok(Verdict::Done) {
            server.owe(&slot, Debt::Back(from.clone()), is_folder);
        }
        Err(in_doubt(
            from,
            "it was taken out of the way and is put back",
        ))
    }
}

/// A number for the slot of a rename, which has none of its own.
fn number(path: &RelPath) -> Seq {
    let hash = blake3::hash(path.as_str().as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    Seq(u64::from(u32::from_be_bytes([a, b, c, d])) | 1 << 63)
}
