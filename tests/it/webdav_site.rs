//! A WebDAV server for the suites: one that answers as a real one was seen to.

use crate::folders::run;
use journal_format::value::RelPath;
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::adapters::remote::{Link, ServerPlace};
use pydio_sync::adapters::rooted::{Filter, FilterRules};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::Remote;
use std::time::Duration;
use test_servers::webdav::{Clock, DavServer, Hand, Options, Quirks};

/// A server, and its root as the remote's.
pub(crate) struct DavSite {
    pub(crate) server: DavServer,
    pub(crate) place: ServerPlace,
}

impl DavSite {
    /// A server with these quirks, whose clock stands still.
    pub(crate) fn of(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks))
    }

    /// The same, by this machine's clock.
    pub(crate) fn timed(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks).clock(Clock::machine()))
    }

    /// One whose clock stands still and dates its answers: nothing ages until it is moved.
    pub(crate) fn dated(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks).dated())
    }

    /// Moves such a clock on, beyond what is young.
    pub(crate) fn age(&self) {
        self.server.clock().advance(Duration::from_secs(5));
    }

    pub(crate) fn with(options: Options) -> Self {
        let server = DavServer::start(options).expect("server");
        Self {
            place: place(&server.url(), server.user().0),
            server,
        }
    }

    /// A client of it; each name is one more.
    pub(crate) fn remote(&self, client: &str) -> WebdavRemote {
        remote(&self.place, self.server.user().1, client)
    }

    pub(crate) fn hand(&self) -> Hand {
        self.server.hand()
    }

    /// All paths but ours.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.hand().names();
        names.retain(|name| !name.starts_with(".pydio-sync"));
        names
    }
}

pub(crate) fn place(url: &str, user: &str) -> ServerPlace {
    ServerPlace {
        url: url.replacen("http", "webdav", 1),
        workspace: String::new(),
        folder: RelPath::root(),
        user: user.to_owned(),
        link: Link {
            timeout: Duration::from_secs(10),
            ..Link::default()
        },
    }
}

/// A client of a place; each name is one more.
pub(crate) fn remote(place: &ServerPlace, password: &str, client: &str) -> WebdavRemote {
    let filter = Filter::new(&FilterRules::default()).expect("filter");
    let password = Some(Secret::new(password));
    let remote = WebdavRemote::open(place, password, client, filter).expect("remote");
    drop(run(remote.root()));
    remote
}
