//! Looks that serve many at once.
//!
//! In: names of slots, folders. Out: what stands there. Invariant: a listing of staging
//! serves those only who asked before it began; what it does not show is looked at alone.
//! Deliberately absent: looks at users' files, whose folders may be large. RACE: a look at
//! a folder serves also those who ask while it is under way; a folder that is removed
//! meanwhile is as good as one that is removed right after. Leaves nothing behind.

use super::found::Found;
use super::server::Server;
use super::slots::STAGING;
use crate::ports::{PortError, PortResult};
use futures::FutureExt;
use futures::future::{LocalBoxFuture, Shared};
use journal_format::event::FailureClass;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::Mutex;

type Looked = PortResult<Found>;
type Listed = Option<Rc<BTreeMap<String, Found>>>;

/// Looks that wait for the one that is under way.
#[derive(Default)]
pub(super) struct Glances {
    gate: Rc<Mutex<()>>,
    next: RefCell<Option<Shared<LocalBoxFuture<'static, Listed>>>>,
    /// Looks at folders that are under way.
    flying: RefCell<BTreeMap<String, Shared<LocalBoxFuture<'static, Looked>>>>,
    /// Whether so much lies there that single looks are cheaper.
    is_full: Cell<bool>,
}

impl Glances {
    /// Gives looks at folders up: those that began keep the server alive, and here nobody
    /// waits for them any more.
    pub(super) fn forget(&self) {
        let flying = self.flying.take();
        drop(flying);
    }
}

impl Server {
    /// Looks at a slot of staging, together with all others who want to by then.
    pub(super) async fn glance(self: &Rc<Self>, slot: &str) -> PortResult<Found> {
        let name = slot.rsplit('/').next().unwrap_or_default();
        if !self.glances.is_full.get()
            && let Some(listed) = self.next_listing().await
            && let Some(found) = listed.get(name)
        {
            return Ok(found.clone());
        }
        self.look(slot).await
    }

    /// Looks at a folder, together with all who want to meanwhile.
    pub(super) async fn look_once(self: &Rc<Self>, path: &str) -> PortResult<Found> {
        let look = {
            let mut flying = self.glances.flying.borrow_mut();
            let look = flying.entry(path.to_owned()).or_insert_with(|| {
                // What nobody polls must not keep the server alive.
                let (server, path) = (Rc::downgrade(self), path.to_owned());
                let look = async move {
                    let gone = || PortError::new(FailureClass::Fatal, "the remote is closed");
                    let server = server.upgrade().ok_or_else(gone)?;
                    let found = server.look(&path).await;
                    server.glances.flying.borrow_mut().remove(&path);
                    found
                };
                look.boxed_local().shared()
            });
            Shared::clone(look)
        };
        look.await
    }

    /// Joins those who wait for the next listing.
    fn next_listing(self: &Rc<Self>) -> Shared<LocalBoxFuture<'static, Listed>> {
        let mut next = self.glances.next.borrow_mut();
        let joined = next.get_or_insert_with(|| {
            // What nobody polls must not keep the server alive.
            let (gate, server) = (Rc::clone(&self.glances.gate), Rc::downgrade(self));
            let listing = async move {
                let _gate = gate.lock().await;
                server.upgrade()?.list_staging().await
            };
            listing.boxed_local().shared()
        });
        Shared::clone(joined)
    }

    async fn list_staging(&self) -> Listed {
        // Whoever comes now may have written after it began.
        drop(self.glances.next.borrow_mut().take());
        let (children, _) = self.list_once(STAGING).await.ok()?;
        self.glances.is_full.set(children.len() > SLOTS_MAX);
        let slots = children.into_iter().map(|child| (child.name, child.found));
        Some(Rc::new(slots.collect()))
    }
}

/// Beyond so many entries slots are looked at one by one.
const SLOTS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::super::WebdavRemote;
    use crate::adapters::remote::{Link, ServerPlace};
    use crate::adapters::rooted::Filter;
    use journal_format::value::RelPath;
    use std::rc::Rc;

    #[tokio::test]
    async fn a_look_that_nobody_waits_for_goes_with_its_remote() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let place = ServerPlace {
            url: format!("webdav://{address}"),
            workspace: String::new(),
            folder: RelPath::root(),
            user: String::new(),
            link: Link::default(),
        };
        let remote = WebdavRemote::open(&place, None, "client", Filter::default());
        let remote = remote.expect("a remote");
        let server = Rc::downgrade(&remote.inner.server);
        {
            let mut look = Box::pin(remote.inner.server.look_once("folder"));
            assert!(futures::poll!(&mut look).is_pending());
        }
        drop(remote);
        assert_eq!(server.strong_count(), 0);
    }
}
