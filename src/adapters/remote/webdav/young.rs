//! What may be done with a version whose tag may also be the next one's.
//!
//! In: a path and an expected version that is marked as young. Out: the proof that its
//! content still stands there, or an error that says when to come back. Invariant: nothing
//! is replaced or removed because of a tag that another client's edit may have as well:
//! what was read or written by this process is compared by content, anything else waits
//! until it has aged and is read again by its owner's plan. Deliberately absent: versions
//! with tags that tell each change. Leaves nothing behind.

use super::Inner;
use super::found::{Found, is_marked};
use super::http::Ask;
use crate::adapters::digest::Hasher;
use crate::adapters::http::unsupported;
use crate::ports::{PortError, PortResult};
use journal_format::value::{Digest, Fingerprint, Kind, RelPath};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was read of young versions.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// A version with its content; with two contents it has none.
    known: BTreeMap<String, (Fingerprint, Option<Digest>)>,
}

impl Readings {
    /// Notes what was read or written; of versions that are not marked nothing is kept.
    pub(super) fn note(&mut self, path: &RelPath, print: &Fingerprint, digest: Digest) {
        if !is_marked(print) {
            self.known.remove(path.as_str());
            return;
        }
        if self.known.len() >= READINGS_MAX {
            self.known.clear();
        }
        let read = Some(digest);
        let entry = self.known.entry(path.as_str().to_owned());
        let known = entry.or_insert_with(|| (print.clone(), read));
        if known.0 != *print {
            *known = (print.clone(), read);
        } else if known.1 != read {
            known.1 = None;
        }
    }

    /// Notes what was written: whatever was known of the path is over.
    pub(super) fn replace(&mut self, path: &RelPath, print: &Fingerprint, digest: Digest) {
        self.known.remove(path.as_str());
        self.note(path, print, digest);
    }

    fn of(&self, path: &RelPath, print: &Fingerprint) -> Option<Digest> {
        let (known, digest) = self.known.get(path.as_str())?;
        digest.filter(|_| known == print)
    }
}

/// The content that something has to have which is replaced or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Its tag and time are enough.
    Tag,
    Content(Digest),
}

impl Inner {
    /// Finds out how the version that is expected at a path is proved to be there.
    ///
    /// # Errors
    /// It cannot be, now: it is too young, and nobody here has read it.
    pub(super) async fn proof(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<Proof> {
        if expect.kind != Kind::File || !is_marked(expect) {
            return Ok(Proof::Tag);
        }
        let read = self.server.readings.borrow().of(path, expect);
        match read.filter(|_| expect.size <= COMPARED_BYTES_MAX) {
            Some(digest) => Ok(Proof::Content(digest)),
            None => Err(self.too_young(path).await),
        }
    }

    /// Tells whether what stands at a place has the content that it has to have.
    pub(super) async fn has_content(
        &self,
        place: &str,
        expect: &Fingerprint,
        proof: Proof,
    ) -> PortResult<bool> {
        let Proof::Content(digest) = proof else {
            return Ok(true);
        };
        let found = self.digest_at(place, expect.size, digest).await?;
        Ok(found == Some(digest))
    }

    async fn digest_at(&self, place: &str, size: u64, like: Digest) -> PortResult<Option<Digest>> {
        let server = &self.server;
        let ask = Ask::read("GET", server.base.url(place, false));
        let ask = ask.with("Accept-Encoding", "identity");
        let mut reply = server.http.open(&ask).await?;
        if reply.status != 200 {
            return Ok(None);
        }
        let (mut hasher, mut left) = (Hasher::new(like.kind()), size);
        while let Some(piece) = server.http.piece(&mut reply).await? {
            let Some(rest) = left.checked_sub(piece.len() as u64) else {
                return Ok(None);
            };
            left = rest;
            hasher.update(&piece);
        }
        Ok((left == 0).then(|| hasher.finish()))
    }

    /// Waits until what stands at a path has aged, for a moment at the longest. Whoever
    /// looks then sees a version that has to be read again, and is the one to expect.
    pub(super) async fn too_young(&self, path: &RelPath) -> PortError {
        let found = match self.server.look(path.as_str()).await {
            Ok(found) => found,
            Err(error) => return error,
        };
        let Found::File(version) = found else {
            return PortError::precondition(format!("`{path}` is not what was expected"));
        };
        let text = format!(
            "`{path}` was written a moment ago: a change since then may look the same, so it \
             is read again"
        );
        match version.ages_in_s {
            None if version.is_racy => unsupported(format!(
                "`{path}`: the server does not tell the time, so that two of its versions may \
                 look the same"
            )),
            None | Some(0) => PortError::precondition(text),
            Some(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds.min(WAIT_S_MAX))).await;
                PortError::precondition(text)
            }
        }
    }
}

/// Larger ones are not fetched only to be replaced.
pub(super) const COMPARED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Young versions that are remembered.
const READINGS_MAX: usize = 20_000;
const WAIT_S_MAX: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use journal_format::value::RemoteVersion;

    #[test]
    fn a_version_that_was_read_with_two_contents_proves_nothing() {
        let print = |version: &str, size| Fingerprint {
            kind: Kind::File,
            size,
            mtime_ns: 7,
            identity: None,
            version: RemoteVersion::new(version).ok(),
        };
        let path = RelPath::new("a").expect("a path");
        let digest = |byte| Digest::Sha1([byte; 20]);
        let mut readings = Readings::default();
        let young = print("~young", 1);
        readings.note(&path, &young, digest(1));
        readings.note(&path, &young, digest(1));
        assert_eq!(readings.of(&path, &young), Some(digest(1)));
        assert_eq!(readings.of(&path, &print("~young", 2)), None);
        readings.note(&path, &young, digest(2));
        readings.note(&path, &young, digest(2));
        assert_eq!(readings.of(&path, &young), None);
        readings.note(&path, &print("~young", 2), digest(3));
        assert_eq!(readings.of(&path, &print("~young", 2)), Some(digest(3)));
        readings.replace(&path, &print("~young", 2), digest(4));
        assert_eq!(readings.of(&path, &print("~young", 2)), Some(digest(4)));
        readings.note(&path, &print("b", 2), digest(3));
        assert_eq!(readings.of(&path, &print("~young", 2)), None);
    }
}
