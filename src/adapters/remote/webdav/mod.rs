//! A folder on a WebDAV server as the remote.
//!
//! In: the port's calls. Out: requests. Invariant: what a server can do is tried, never
//! assumed (`powers`); a listing is complete or it is unknown; a change follows a
//! condition that the server honours, or a look, and is followed by a look. Watched by
//! `tests/it/conformance_remote.rs` and `tests/it/webdav_*.rs`. Deliberately absent: locks,
//! and properties of our own on the server. CRASH: slots in `.pydio-sync` of the root
//! (`slots`). A new lie of a server is a rule in its module and a test with its name.

mod auth;
mod case;
mod change;
mod chunks;
mod cut;
mod download;
mod extras;
mod facts;
mod feed;
mod found;
mod frame;
mod glance;
mod grant;
mod href;
mod http;
mod line;
mod listing;
mod multistatus;
mod names;
mod past;
mod powers;
mod put;
mod quota;
mod report;
mod scan;
mod server;
mod shown;
mod slots;
mod status;
mod told;
mod uploads;
mod verdict;
mod young;

pub use grant::{Grant, Granted};
pub use report::{Remark, Report, probe};

use crate::adapters::http::unsupported;
use crate::adapters::remote::ServerPlace;
use crate::adapters::rooted::Filter;
use crate::adapters::secret::Secret;
use crate::ports::{
    Capabilities, Changes, Feed, HintStream, PortResult, Put, PutRequest, Remote, RootState,
    ScanRequest, ScanStream, Source, Task,
};
use journal_format::event::{Fact, FailureClass};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq};
use server::Server;
use std::rc::Rc;

/// A folder on a WebDAV server. Its calls are polled inside a tokio runtime.
pub struct WebdavRemote {
    inner: Rc<Inner>,
    capabilities: Capabilities,
}

struct Inner {
    server: Rc<Server>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.server.glances.forget();
    }
}

impl WebdavRemote {
    /// Makes the remote; nothing is sent yet. `client` stays the same over restarts, and
    /// no other job of any installation has it.
    ///
    /// # Errors
    /// `Unsupported` when address, proxy or certificates are none.
    pub fn open(
        place: &ServerPlace,
        password: Option<Secret>,
        client: &str,
        filter: Filter,
    ) -> PortResult<Self> {
        let server = Rc::new(Server::new(place, password, client, filter)?);
        Ok(Self {
            capabilities: Capabilities {
                digest: server.digest,
                symlinks: false,
                fold_case: false,
                watch: false,
            },
            inner: Rc::new(Inner { server }),
        })
    }

    /// Notes work of ours, unless it was not done.
    async fn noted<T>(&self, work: Task<'_, T>) -> PortResult<T> {
        let done = work.await;
        let failure = done.as_ref().err().map(|error| error.class);
        if failure.is_none_or(|class| class == FailureClass::InDoubt) {
            self.inner.server.past.note();
        }
        done
    }

    /// Returns how many requests were sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.server.http.requests()
    }
}

impl Feed for WebdavRemote {
    fn since<'a>(&'a self, cursor: Option<&'a str>) -> Task<'a, Changes> {
        Box::pin(self.inner.server.changes(cursor))
    }

    fn is_behind(&self) -> bool {
        let server = &self.inner.server;
        if server.tells_places() {
            server.is_oc.get() && server.http.is_behind()
        } else {
            server.past.is_due()
        }
    }

    fn tells_places(&self) -> bool {
        self.inner.server.tells_places()
    }
}

impl Remote for WebdavRemote {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn folds_case(&self) -> Task<'_, bool> {
        Box::pin(self.inner.server.folds_case())
    }

    fn recall(&self, facts: &[Fact]) {
        self.inner.server.recall(facts);
    }

    fn found_out(&self) -> Option<Vec<Fact>> {
        self.inner.server.found_out()
    }

    fn root(&self) -> Task<'_, RootState> {
        Box::pin(self.inner.server.root())
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        Box::pin(self.inner.server.claim(marker))
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        scan::scan(&self.inner.server, request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        Err(unsupported("the server is asked, it does not call"))
    }

    fn feed(&self) -> Option<&dyn Feed> {
        Some(self)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        Box::pin(async move {
            let found = self.inner.server.look(path.as_str()).await?;
            match found {
                found::Found::Odd => Err(unsupported(format!("`{path}` cannot be looked at"))),
                found => Ok(found.entry()),
            }
        })
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        let server = &self.inner.server;
        // Where folders have tags a number of each reader would be news for all others.
        if !server.is_oc.get() {
            server.past.note();
        }
        Box::pin(self.inner.source(path, expect))
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        Box::pin(self.inner.hash(path, expect, kind))
    }

    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put> {
        Box::pin(self.noted(Box::pin(self.inner.put(request))))
    }

    /// The server's durability is its own; what it told is all there is.
    fn sync(&self) -> Task<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        Box::pin(self.noted(Box::pin(self.inner.make_dir(path))))
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        Box::pin(self.noted(Box::pin(self.inner.rename(from, to, expect))))
    }

    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        Box::pin(self.noted(Box::pin(self.inner.remove(id, path, expect))))
    }

    fn tidy_up(&self) -> Task<'_, ()> {
        Box::pin(self.inner.server.tidy_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call of a method takes while it waits, in bytes.
    fn waiting<'a, A, F: Future>(_method: fn(&'a Inner, A) -> F) -> usize {
        size_of::<F>()
    }

    /// Thousands wait at once.
    #[test]
    fn an_operation_that_waits_takes_some_kilobytes_and_not_what_is_tried_once() {
        let sizes = [waiting(Inner::put), waiting(Inner::make_dir)];
        assert!(sizes.iter().all(|bytes| *bytes < 16 * 1024), "{sizes:?}");
    }
}
