//! The server without its socket: a call in, an answer out.
//!
//! In: a parsed call with its body read. Out: an answer. Invariant: nothing is done for
//! a caller who is not known; each call sees and leaves a whole state. Deliberately
//! absent: connections and faults of bytes, which are `serve`'s. The next method: an arm
//! in [`Server::files`].

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::rules::Rules;

use super::answer::Answer;
use super::auth::Doors;
use super::call::{Call, Map, Place};
use super::collections::Change;
use super::content;
use super::faults::{Fault, Hooks};
use super::hrefs;
use super::locks::Locks;
use super::log::Log;
use super::names::Named;
use super::nextcloud::{self, Logins, Uploads};
use super::options::Options;
use super::propfind;
use super::props::About;
use super::quirks::Percent;
use super::tree::{Node, Tree, Write};

/// Everything that requests share.
pub(super) struct Server {
    pub(super) options: Options,
    pub(super) log: Log,
    pub(super) faults: Rules<Fault>,
    pub(super) hooks: Hooks,
    pub(super) doors: Doors,
    pub(super) logins: Logins,
    pub(super) port: u16,
    state: Mutex<State>,
    /// What was answered and is not done yet.
    late: Mutex<Vec<Call>>,
}

/// What changes.
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) locks: Locks,
    pub(super) uploads: Uploads,
    /// Changes when the server's data were restored from a backup.
    pub(super) fingerprint: String,
    pub(super) maintenance: bool,
}

impl Server {
    pub(super) fn open(options: Options, port: u16) -> io::Result<Self> {
        let now = options.clock.now();
        let tree = Tree::open(options.quirks.clone(), options.dir.as_deref(), now)?;
        Ok(Self {
            log: Log::default(),
            faults: Rules::default(),
            hooks: Hooks::default(),
            doors: Doors::default(),
            logins: Logins::default(),
            port,
            state: Mutex::new(State {
                tree,
                locks: Locks::default(),
                uploads: Uploads::default(),
                fingerprint: String::new(),
                maintenance: false,
            }),
            late: Mutex::default(),
            options,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts off what was asked for.
    pub(super) fn put_off(&self, call: Call) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.push(call);
    }

    /// Does what was put off; returns the statuses that nobody hears any more.
    pub(super) fn catch_up(&self) -> Vec<u16> {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: Vec<Call> = late.drain(..).collect();
        drop(late);
        let done = calls.iter().map(|call| self.answer(call, None).0.status);
        done.collect()
    }

    pub(super) fn set_maintenance(&self, on: bool) {
        self.state().maintenance = on;
    }

    /// The encoded path of the files' root, without a slash at the end.
    pub(super) fn root_path(&self) -> String {
        let base = &self.options.base;
        if self.options.quirks.nextcloud {
            let user = hrefs::segment(Percent::STRICT, &self.options.users[0].0);
            format!("{base}/remote.php/dav/files/{user}")
        } else {
            base.clone()
        }
    }

    /// Where what is.
    pub(super) fn map<'a>(&'a self, root: &'a str) -> Map<'a> {
        let base = &self.options.base;
        let ours = self.options.quirks.nextcloud;
        Map {
            base,
            root,
            alias: ours.then(|| format!("{base}/remote.php/webdav")),
            uploads: ours.then(|| root.replacen("/dav/files/", "/dav/uploads/", 1)),
        }
    }

    /// Answers a call; true if a password was hashed for it.
    pub(super) fn answer(&self, call: &Call, fault: Option<&Fault>) -> (Answer, bool) {
        let quirks = &self.options.quirks;
        if self.state().maintenance {
            return (nextcloud::maintenance(call, quirks.nextcloud), false);
        }
        if let Place::Web(rest) = &call.place
            && let Some(answer) = nextcloud::open_to_all(self, call, rest)
        {
            return (answer, false);
        }
        let is_app = |user: &str, given: &str| self.logins.is_app_password(user, given);
        let caller = match self.doors.admit(&self.options, call, is_app) {
            Ok(caller) => caller,
            Err(answer) => return (answer, quirks.nextcloud),
        };
        let mut answer = match &call.place {
            Place::Files(named) => self.files(call, named, fault),
            Place::Uploads(named) => nextcloud::uploads(self, call, named, fault),
            Place::Web(rest) => nextcloud::web(self, call, rest),
            Place::Elsewhere => Answer::status(404),
        };
        if let Some(session) = caller.session {
            answer = answer.with("Set-Cookie", session);
        }
        (answer, caller.hashed)
    }

    /// Writes what came of a PUT so far, if this server does that.
    pub(super) fn write_in_place(&self, call: &Call, bytes: &[u8]) {
        let Place::Files(named) = &call.place else {
            return;
        };
        if call.method != "PUT" || !self.options.quirks.put_in_place {
            return;
        }
        let write = Write {
            bytes: bytes.to_vec().into(),
            mtime: None,
            checksum: None,
        };
        let now = self.options.clock.now();
        let mut state = self.state();
        let known = state.tree.find(&named.segments);
        if !known.is_some_and(Node::is_folder) {
            // Where nothing can be written the whole request is refused.
            drop(state.tree.write(&named.segments, write, now));
        }
    }

    fn files(&self, call: &Call, named: &Named, fault: Option<&Fault>) -> Answer {
        let quirks = &self.options.quirks;
        let root = self.root_path();
        let (map, now) = (self.map(&root), self.options.clock.now());
        let mut guard = self.state();
        let state = &mut *guard;
        let change = Change {
            quirks,
            call,
            map: &map,
            now,
        };
        match call.method.as_str() {
            "OPTIONS" => Answer::empty(200)
                .with("DAV", quirks.dav)
                .with("Allow", ALLOWED),
            "GET" | "HEAD" => content::get(quirks, state, call, named, now),
            "PUT" => content::put(quirks, state, call, &map, named, now),
            "MKCOL" => change.make_folder(state, named),
            "DELETE" => change.remove(state, named),
            "MOVE" => change.carry(state, named, true),
            "COPY" => change.carry(state, named, false),
            "PROPFIND" => {
                let about = About {
                    quirks,
                    tree: &state.tree,
                    fingerprint: &state.fingerprint,
                    now,
                };
                propfind::listing(&about, call, named, &root, fault)
            }
            "LOCK" if quirks.locks => {
                let is_new = state.tree.find(&named.segments).is_none();
                if is_new {
                    let answer = content::put(quirks, state, call, &map, named, now);
                    if answer.status >= 400 {
                        return answer;
                    }
                }
                state.locks.lock(&named.segments, is_new)
            }
            "UNLOCK" if quirks.locks => state.locks.unlock(call, &named.segments),
            "LOCK" | "UNLOCK" => Answer::status(501),
            "REPORT" => Answer::status(quirks.report),
            _ => Answer::status(405),
        }
    }
}

const ALLOWED: &str = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, MOVE, COPY, PROPFIND, LOCK, UNLOCK";
