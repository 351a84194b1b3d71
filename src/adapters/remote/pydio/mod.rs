//! A workspace of a Pydio 6 to 8 server, or a folder in it, as the remote.
//!
//! In: the port's calls. Out: requests. Invariant: what the server says is believed only
//! where its own path says it too; a change follows a look and is followed by one; many
//! operations share their looks (`batch`). Watched by `tests/it/conformance_remote.rs`
//! and `tests/it/pydio_*.rs`. Deliberately absent: a marker file, which the server would
//! refuse (the root's identity is made of server, workspace and folder), sessions, push.
//! CRASH: `.dlpart` files, with which the next try goes on. A new lie of a server is a
//! rule in its module and a test with its name.

mod answer;
mod auth;
mod batch;
mod bin;
mod change;
mod chunks;
mod clock;
mod download;
mod feed;
mod folders;
mod http;
mod index;
mod link;
mod names;
mod probe;
mod put;
mod rows;
mod scan;
mod send;
mod server;
mod stat;
mod trail;
mod workspace;
mod xml;

pub use clock::server_time;
pub use probe::{Fact, Report, probe, workspaces};
pub use workspace::Workspace;

use crate::adapters::http::Turns;
use crate::adapters::remote::ServerPlace;
use crate::adapters::rooted::Filter;
use crate::adapters::secret::Secret;
use crate::ports::{
    Capabilities, Changes, Feed, HintStream, PortError, PortResult, Put, PutRequest, Remote,
    RootState, ScanRequest, ScanStream, Source, Task,
};
use batch::Batcher;
use change::Made;
use futures::FutureExt;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq};
use link::{Link, Parts};
use server::Server;
use stat::Found;
use std::rc::Rc;
use std::time::Duration;

/// A workspace as the remote. Its calls are polled inside a tokio runtime.
pub struct PydioRemote {
    inner: Rc<Inner>,
    capabilities: Capabilities,
}

struct Inner {
    link: Rc<Link>,
    /// Looks at paths.
    looks: Batcher<Found>,
    /// Looks at paths with their hashes.
    hashes: Batcher<Found>,
    /// Looks, with hashes, at what was just read.
    ends: Batcher<Found>,
    /// Looks, with hashes, at what was just changed, and reads on in the feed.
    proofs: Batcher<Found>,
    folders: Batcher<Made>,
    /// Files whose content is in memory: some wait while others are sent.
    turns: Turns,
    user: String,
}

impl PydioRemote {
    /// Makes the remote; nothing is sent yet. `client` stays the same over restarts,
    /// and no other job of any installation has it.
    ///
    /// # Errors
    /// `Unsupported` when address, proxy or certificates are none.
    pub fn open(
        place: &ServerPlace,
        password: Secret,
        client: &str,
        filter: Filter,
    ) -> PortResult<Self> {
        let folder = &place.folder;
        let mark = blake3::hash(client.as_bytes()).to_hex();
        let scope = format!("{folder}\0{}", filter.mark());
        let scope = blake3::hash(scope.as_bytes()).to_hex();
        let width = place.link.poolsize.clamp(1, WIDTH_MAX);
        let link = Rc::new(Link::new(Parts {
            server: Server::new(place, password, client)?,
            folder: if folder.is_root() {
                String::new()
            } else {
                format!("/{folder}")
            },
            filter,
            mark: mark[..MARK_DIGITS].to_owned(),
            scope: scope[..SCOPE_DIGITS].to_owned(),
            width,
            recheck: place.link.recheck,
        }));
        Ok(Self {
            inner: Rc::new(Inner::new(link, width, place.user.clone())),
            capabilities: Capabilities {
                digest: DigestKind::Md5,
                symlinks: false,
                fold_case: false,
                watch: false,
            },
        })
    }

    /// Returns how many requests were sent so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.link.server.http.requests()
    }
}

impl Inner {
    fn new(link: Rc<Link>, width: usize, user: String) -> Self {
        let at_once = Duration::ZERO;
        let looking = |hashed: bool, patience: Duration| {
            let link = Rc::clone(&link);
            Batcher::new(
                patience,
                Box::new(move |paths| {
                    let link = Rc::clone(&link);
                    async move { link.server.look_at(&paths, hashed).await }.boxed_local()
                }),
            )
        };
        let (looks, hashes) = (looking(false, at_once), looking(true, at_once));
        let ends = looking(true, PATIENCE);
        let own = Rc::clone(&link);
        let proofs = Batcher::new(
            PATIENCE,
            Box::new(move |paths| {
                let link = Rc::clone(&own);
                async move {
                    let looking = link.server.look_at(&paths, true);
                    let (found, learned) = futures::join!(looking, link.catch_up());
                    // Ids are worth having, no more.
                    if let Err(error) = learned {
                        tracing::debug!("the feed was not read on: {error}");
                    }
                    found
                }
                .boxed_local()
            }),
        );
        let own = Rc::clone(&link);
        let folders = Batcher::new(
            at_once,
            Box::new(move |paths| {
                let link = Rc::clone(&own);
                async move { change::make_many(&link.server, paths).await }.boxed_local()
            }),
        );
        Self {
            link,
            looks,
            hashes,
            ends,
            proofs,
            folders,
            turns: Turns::new(width),
            user,
        }
    }

    /// Looks at the root, and asks each time which workspace it is in. What it is made of
    /// stands for a marker.
    async fn root(&self) -> PortResult<RootState> {
        let link = &self.link;
        link.doubt_bin();
        let known = link.server.known_id();
        let workspace = match link.server.workspace_anew().await {
            Ok(Some((workspace, _))) => workspace,
            Ok(None) => {
                link.forget();
                return Ok(RootState::Missing);
            }
            // The user may not enter it any more.
            Err(error) if error.class == FailureClass::Denied => return Ok(RootState::Missing),
            Err(error) => return Err(error),
        };
        if known.is_some_and(|known| known != workspace.id) {
            link.forget();
        }
        if !workspace.is_readable {
            return Ok(RootState::Unreadable(
                "this user may not read it".to_owned(),
            ));
        }
        match link.server.look(&link.folder, false).await {
            Ok(Found::Directory) => {}
            Ok(Found::Absent | Found::Odd) => return Ok(RootState::Missing),
            Ok(Found::File(_)) => return Ok(RootState::NotADirectory),
            Err(error) if error.class == FailureClass::Denied => return Ok(RootState::Missing),
            Err(error) => return Err(error),
        }
        let user = if workspace.is_per_user {
            self.user.as_str()
        } else {
            ""
        };
        let parts = [
            link.server.http.name(),
            workspace.id.clone(),
            user.to_owned(),
            link.folder.clone(),
        ];
        let text = blake3::hash(parts.join("\0").as_bytes()).to_hex();
        Ok(RootState::Present {
            marker: Some(format!("pydio-{}", &text[..MARKER_DIGITS])),
        })
    }

    async fn stat(&self, path: &RelPath) -> PortResult<Option<Entry>> {
        let link = &self.link;
        link.settle(path).await?;
        let at = link.at(path);
        let found = match at.as_str() {
            "" => link.server.look("", false).await?,
            at => self.hashes.ask(at).await?,
        };
        match found {
            Found::Absent => Ok(None),
            Found::Odd => Err(http::unsupported(format!("`{at}` cannot be looked at"))),
            Found::Directory | Found::File(_) => {
                let found = std::collections::BTreeMap::from([(at.clone(), found)]);
                link.learn_of(&found).await?;
                Ok(found
                    .values()
                    .next()
                    .and_then(|found| link.entry(&at, found)))
            }
        }
    }
}

impl Feed for PydioRemote {
    fn since<'a>(&'a self, cursor: Option<&'a str>) -> Task<'a, Changes> {
        Box::pin(self.inner.link.changes(cursor))
    }
}

impl Remote for PydioRemote {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn root(&self) -> Task<'_, RootState> {
        Box::pin(self.inner.root())
    }

    /// The root has its marker by what it is made of.
    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        Box::pin(async move {
            match self.inner.root().await? {
                RootState::Present { .. } => Ok(()),
                state => Err(PortError::precondition(format!(
                    "`{marker}` has no place: {state:?}"
                ))),
            }
        })
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        scan::scan(&self.inner.link, request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        Err(http::unsupported("the server is asked, it does not call"))
    }

    fn feed(&self) -> Option<&dyn Feed> {
        Some(self)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        Box::pin(self.inner.stat(path))
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        Box::pin(self.inner.source(path, expect))
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        Box::pin(async move {
            if kind != DigestKind::Md5 {
                return Err(http::unsupported("the server knows MD5 only"));
            }
            self.inner.hash(path, expect).await
        })
    }

    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put> {
        Box::pin(self.inner.put(request))
    }

    /// The server's durability is its own; what it told is all there is.
    fn sync(&self) -> Task<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        Box::pin(self.inner.make_dir(path))
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        Box::pin(self.inner.rename(from, to, expect))
    }

    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        Box::pin(self.inner.remove(id, path, expect))
    }

    fn tidy_up(&self) -> Task<'_, ()> {
        Box::pin(change::tidy_up(&self.inner.link))
    }
}

const WIDTH_MAX: usize = 64;
/// How long a verification waits for others to share its request, as long as they
/// keep coming; an eighth of it if nobody does.
const PATIENCE: Duration = Duration::from_millis(1200);
const MARK_DIGITS: usize = 8;
const SCOPE_DIGITS: usize = 16;
const MARKER_DIGITS: usize = 32;
