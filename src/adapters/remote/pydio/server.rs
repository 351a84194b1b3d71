//! One workspace of one server, as calls with typed answers.
//!
//! In: absolute paths of the workspace. Out: what the server says. Invariant: every
//! call is signed, and a 401 is looked into once; what is said here is not yet
//! verified. Deliberately absent: preconditions and verification (`put`, `change`),
//! batching (`batch`). A new action of the server is a method here.

use super::answer::{self, Verdict, forbidden, number, unknown, verdict};
use super::auth::{Auth, Refusal};
use super::http::{Answer, Call, Effect, Extra, Http, Pairs, Reply, Span};
use super::names::{encode, encode_path};
use super::stat::{self, Found};
use super::workspace::{Limits, Workspace, limits, workspaces};
use super::xml::Document;
use crate::adapters::remote::ServerPlace;
use crate::adapters::secret::Secret;
use crate::ports::{PortError, PortResult};
use futures::future::LocalBoxFuture;
use journal_format::event::FailureClass;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// A server seen through one user and one workspace.
pub(super) struct Server {
    pub(super) http: Http,
    auth: Auth,
    /// The workspace as the job names it.
    wanted: String,
    /// The workspace as it was last told, with the limits it had when it was first seen.
    known: RefCell<Option<(Workspace, Limits)>>,
    /// Set when the server computes no hashes.
    pub(super) is_hashless: Cell<bool>,
    /// Set when the workspace has no quota.
    is_unlimited: Cell<bool>,
}

impl Server {
    /// Makes a server; nothing is sent yet. `client` names the device: two with one
    /// name would revoke each other's keys.
    pub(super) fn new(place: &ServerPlace, password: Secret, client: &str) -> PortResult<Self> {
        let client = blake3::hash(client.as_bytes()).to_hex();
        let device = format!("pydio-sync-{}", &client[..DEVICE_DIGITS]);
        Ok(Self {
            http: Http::new(place)?,
            auth: Auth::new(place.user.clone(), password, device),
            wanted: place.workspace.clone(),
            known: RefCell::default(),
            is_hashless: Cell::new(false),
            is_unlimited: Cell::new(false),
        })
    }

    /// Sends a call and reads the answer; a 401 is looked into once.
    async fn call(&self, call: &Call) -> PortResult<Answer> {
        let mut renewed = false;
        loop {
            let ticket = self.auth.ticket(&self.http).await?;
            let query = self.auth.query(&ticket, &self.http.signed_path(&call.path));
            let extra = Extra {
                query: &query,
                basic: self.auth.basic(&ticket),
                generation: Some(ticket.generation),
            };
            let answer = self.http.fetch(call, &extra).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            self.look_into(&ticket, answer.has_challenge, renewed)
                .await?;
            renewed = true;
        }
    }

    /// Sends a call whose answer is read in pieces.
    pub(super) async fn open(&self, call: &Call, span: Span) -> PortResult<Reply> {
        let mut renewed = false;
        loop {
            let ticket = self.auth.ticket(&self.http).await?;
            let query = self.auth.query(&ticket, &self.http.signed_path(&call.path));
            let extra = Extra {
                query: &query,
                basic: self.auth.basic(&ticket),
                generation: Some(ticket.generation),
            };
            let reply = self.http.open(call, &extra, span).await?;
            if reply.status != 401 {
                return Ok(reply);
            }
            let has_challenge = reply.headers.contains_key("www-authenticate");
            drop(reply);
            self.look_into(&ticket, has_challenge, renewed).await?;
            renewed = true;
        }
    }

    /// Finds out what a 401 means: returns when the call may be sent again.
    async fn look_into(
        &self,
        ticket: &super::auth::Ticket,
        has_challenge: bool,
        renewed: bool,
    ) -> PortResult<()> {
        if has_challenge
            && self.auth.refused(&self.http, ticket).await? == Refusal::Renewed
            && !renewed
        {
            return Ok(());
        }
        Err(forbidden(&format!("the workspace `{}`", self.wanted)))
    }

    /// Sends an upload: `send` gets the request and watches over it.
    pub(super) async fn upload<F>(&self, folder: &str, send: F) -> PortResult<Answer>
    where
        F: AsyncFnOnce(&Http, &Call, &Extra<'_>) -> PortResult<Answer>,
    {
        let call = Call {
            effect: Effect::Writes,
            ..Call::post(self.path("upload/put", folder), Vec::new(), Effect::Writes)
        };
        let ticket = self.auth.ticket(&self.http).await?;
        let query = self.auth.query(&ticket, &self.http.signed_path(&call.path));
        let extra = Extra {
            query: &query,
            basic: self.auth.basic(&ticket),
            generation: Some(ticket.generation),
        };
        let answer = send(&self.http, &call, &extra).await?;
        if answer.status == 401 {
            // The content is spent; with new keys the next try goes through.
            self.look_into(&ticket, answer.has_challenge, false).await?;
            return Err(PortError::new(FailureClass::Retry, "the keys were renewed"));
        }
        Ok(answer)
    }

    pub(super) fn path(&self, action: &str, path: &str) -> String {
        let path = encode_path(path);
        let all = format!("{}/{action}/{path}", encode(&self.wanted));
        all.trim_end_matches('/').to_owned()
    }

    /// Lists all workspaces of the user.
    pub(super) async fn workspaces(&self) -> PortResult<Vec<Workspace>> {
        let mut call = Call::get("pydio/state/user/repositories".to_owned());
        call.query = vec![("format", "json".to_owned())];
        match answer::json(&self.call(&call).await?) {
            Ok(Some(value)) => Ok(workspaces(&value)),
            Ok(None) => Err(unknown("a list of workspaces: is this a Pydio server?")),
            // A user without any workspace gets an error instead of an empty list.
            Err(error) if error.class == FailureClass::Precondition => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Returns the job's workspace; nothing when the user has no such one.
    pub(super) async fn workspace(&self) -> PortResult<Option<(Workspace, Limits)>> {
        let known = self.known.borrow().clone();
        match known {
            Some(known) => Ok(Some(known)),
            None => self.workspace_anew().await,
        }
    }

    /// The same as the server tells it now: by the same name it may be another workspace,
    /// or one with other rights. The limits of the same one are not asked for again.
    pub(super) async fn workspace_anew(&self) -> PortResult<Option<(Workspace, Limits)>> {
        let all = self.workspaces().await?;
        let is_wanted = |it: &Workspace| it.slug == self.wanted || it.id == self.wanted;
        let found = all.into_iter().find(is_wanted);
        let known = self.known.borrow().clone();
        let known = match (found, known) {
            (None, _) => None,
            (Some(found), Some((known, limits))) if found.id == known.id => Some((found, limits)),
            (Some(found), _) => {
                let limits = self.limits().await?;
                self.is_hashless.set(false);
                self.is_unlimited.set(false);
                Some((found, limits))
            }
        };
        self.known.borrow_mut().clone_from(&known);
        Ok(known)
    }

    async fn limits(&self) -> PortResult<Limits> {
        let mut call = Call::get(self.path("state/plugins", ""));
        call.query = vec![("format", "json".to_owned())];
        let plugins = answer::json(&self.call(&call).await?)?.unwrap_or(Value::Null);
        Ok(limits(&plugins))
    }

    /// Returns the id of the workspace that is known, if one is.
    pub(super) fn known_id(&self) -> Option<String> {
        let known = self.known.borrow();
        known.as_ref().map(|(workspace, _)| workspace.id.clone())
    }

    /// Returns the job's workspace, which must be there.
    pub(super) async fn entered(&self) -> PortResult<(Workspace, Limits)> {
        let found = self.workspace().await?;
        found.ok_or_else(|| {
            let text = format!("this user has no workspace `{}`", self.wanted);
            PortError::new(FailureClass::Denied, text)
        })
    }

    /// Refuses changes to a workspace that is read only.
    pub(super) async fn check_writable(&self) -> PortResult<()> {
        let (workspace, _) = self.entered().await?;
        if workspace.is_writable {
            return Ok(());
        }
        let text = format!(
            "the workspace `{}` is read only; use the direction `down`",
            self.wanted
        );
        Err(PortError::new(FailureClass::Denied, text))
    }

    /// Looks at one path.
    pub(super) async fn look(&self, path: &str, hashed: bool) -> PortResult<Found> {
        self.look_by(path, hashed, false).await
    }

    /// Looks at one path with its hash, in a place that the caller holds.
    pub(super) async fn look_in_place(&self, path: &str) -> PortResult<Found> {
        self.look_by(path, true, true).await
    }

    async fn look_by(&self, path: &str, hashed: bool, has_place: bool) -> PortResult<Found> {
        let hashed = hashed && !self.is_hashless.get();
        let action = if hashed { "stat_hash" } else { "stat" };
        let call = Call {
            has_place,
            ..Call::get(self.path(action, path))
        };
        match answer::json(&self.call(&call).await?) {
            Ok(Some(value)) => Ok(stat::single(&value)),
            Ok(None) if hashed => {
                self.is_hashless.set(true);
                Box::pin(self.look_by(path, false, has_place)).await
            }
            Ok(None) => Err(unknown("`stat`: is the REST access switched on?")),
            Err(error) if error.class == FailureClass::Precondition => Ok(Found::Odd),
            Err(error) => Err(error),
        }
    }

    /// Looks at many paths at once.
    pub(super) fn look_at<'a>(
        &'a self,
        paths: &'a [String],
        hashed: bool,
    ) -> LocalBoxFuture<'a, PortResult<BTreeMap<String, Found>>> {
        Box::pin(async move {
            match paths {
                [] => return Ok(BTreeMap::new()),
                [path] => {
                    let found = self.look(path, hashed).await?;
                    return Ok(BTreeMap::from([(path.clone(), found)]));
                }
                _ => {}
            }
            let with_hash = hashed && !self.is_hashless.get();
            let action = if with_hash { "stat_hash" } else { "stat" };
            let nodes = paths.iter().map(|path| ("nodes[]", path.clone())).collect();
            let call = Call::post(self.path(action, ""), nodes, Effect::Reads);
            let found = match answer::json(&self.call(&call).await?) {
                Ok(Some(value)) => stat::bulk(&value, paths),
                Ok(None) if with_hash => {
                    self.is_hashless.set(true);
                    return self.look_at(paths, false).await;
                }
                Ok(None) => None,
                // One name that the server dislikes spoils the whole answer.
                Err(error) if error.class == FailureClass::Precondition => None,
                Err(error) => return Err(error),
            };
            if let Some(found) = found {
                return Ok(found);
            }
            let (one, other) = paths.split_at(paths.len() / 2);
            let mut found = self.look_at(one, hashed).await?;
            found.extend(self.look_at(other, hashed).await?);
            Ok(found)
        })
    }

    /// Asks when folders changed last, as far as one answer tells.
    pub(super) async fn folder_times(&self, paths: &[String]) -> PortResult<BTreeMap<String, i64>> {
        let call = match paths {
            [path] => Call::get(self.path("stat", path)),
            _ => {
                // The workspace's own root is answered by this name.
                let named = |path: &String| match path.as_str() {
                    "" => "/".to_owned(),
                    path => path.to_owned(),
                };
                let nodes = paths.iter().map(|path| ("nodes[]", named(path)));
                Call::post(self.path("stat", ""), nodes.collect(), Effect::Reads)
            }
        };
        let value = answer::json(&self.call(&call).await?)?;
        Ok(value.map_or_else(BTreeMap::new, |value| stat::folder_times(&value, paths)))
    }

    /// Lists a folder, or everything below it, or a further page of it.
    pub(super) async fn list(&self, path: &str, how: Listing) -> PortResult<Document> {
        let (path, form) = match how {
            Listing::Page(1) => (path.to_owned(), vec![("options", "al".to_owned())]),
            Listing::Page(page) => (
                format!("{path}/").trim_end_matches('/').to_owned() + &format!("%23{page}"),
                vec![("options", "al".to_owned())],
            ),
            Listing::Deep => (
                path.to_owned(),
                vec![
                    ("options", "al".to_owned()),
                    ("recursive", "true".to_owned()),
                ],
            ),
        };
        let mut call = Call::post(self.path("ls", &path), form, Effect::Reads);
        call.bytes_max = LISTING_BYTES_MAX;
        answer::listing(&self.call(&call).await?)
    }

    /// Lists selected paths, for what only listings tell.
    pub(super) async fn describe(&self, paths: &[String]) -> PortResult<Document> {
        let nodes = paths.iter().map(|path| ("nodes[]", path.clone()));
        let form = nodes.chain([("options", "al".to_owned())]).collect();
        let call = Call::post(self.path("ls", ""), form, Effect::Reads);
        answer::listing(&self.call(&call).await?)
    }

    /// Returns the call that reads the feed after a sequence number.
    pub(super) fn feed_call(&self, after: u64, flat: bool, filter: &str) -> Call {
        let mut call = Call::get(self.path("changes", &after.to_string()));
        call.query = vec![("stream", "true".to_owned()), ("flatten", flat.to_string())];
        if !filter.is_empty() {
            call.query.push(("filter", filter.to_owned()));
        }
        call
    }

    /// Asks for a change.
    pub(super) async fn change(
        &self,
        action: &str,
        path: &str,
        form: Pairs,
    ) -> PortResult<Verdict> {
        let call = Call::post(self.path(action, path), form, Effect::Writes);
        verdict(&self.call(&call).await?)
    }

    /// Returns used and allowed bytes, where there is a quota.
    pub(super) async fn quota(&self) -> PortResult<Option<(u64, u64)>> {
        if self.is_unlimited.get() {
            return Ok(None);
        }
        let call = Call::get(self.path("monitor_quota", ""));
        let value = match answer::json(&self.call(&call).await?) {
            Ok(Some(value)) => value,
            // Unknown to the server, in words or in none.
            Ok(None) => Value::Null,
            Err(error) if error.class == FailureClass::Precondition => Value::Null,
            Err(error) => return Err(error),
        };
        let field = |name: &str| {
            let number = value.get(name).and_then(number);
            number.and_then(|number| u64::try_from(number).ok())
        };
        let quota = field("USAGE").zip(field("TOTAL"));
        self.is_unlimited.set(quota.is_none());
        Ok(quota)
    }
}

/// Which entries of a folder are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// One page, counted from 1.
    Page(usize),
    /// Everything below, as far as the first pages go.
    Deep,
}

const DEVICE_DIGITS: usize = 16;
const LISTING_BYTES_MAX: usize = 64 * 1024 * 1024;
