//! Folders of unfinished uploads, on servers of ownCloud's family.
//!
//! In: names of transfers. Out: which parts are there, requests for more. Invariant: a
//! folder is ours by its name (`pydio-sync-`, the client's mark), and no other is ever
//! touched; one that goes on in this process is never swept away. What a server takes is
//! tried like everything else, in the folder of probes. Deliberately absent: content
//! (`chunks`). CRASH: folders, which the next try goes on with, which are swept when they
//! are old, and which the server forgets after a day or two.

use super::found::Found;
use super::href::{Base, Target};
use super::http::{Answer, Ask};
use super::powers::Powers;
use super::server::Server;
use super::verdict::{Verdict, verdict};
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use journal_format::event::FailureClass;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// Transfers that go on in this process, by name.
#[derive(Debug, Default)]
pub(super) struct Unfinished(RefCell<BTreeSet<String>>);

/// One upload in pieces.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    /// The folder's name: for the same content at the same place it is the same one.
    pub(super) name: String,
    /// What the names of all transfers to this place begin with.
    pub(super) place: String,
    /// The encoded address of what it becomes.
    pub(super) to: String,
    pub(super) total: u64,
}

/// What a listing of uploads has.
struct Row {
    name: String,
    size: Option<u64>,
    mtime: Option<i64>,
}

/// Marks a transfer as going on, as long as this lives.
pub(super) struct Hold<'a> {
    unfinished: &'a Unfinished,
    name: String,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.unfinished.0.borrow_mut().remove(&self.name);
    }
}

impl Unfinished {
    /// Marks a transfer as going on.
    pub(super) fn hold(&self, name: &str) -> Hold<'_> {
        self.0.borrow_mut().insert(name.to_owned());
        Hold {
            unfinished: self,
            name: name.to_owned(),
        }
    }
}

impl Server {
    /// Returns the numbers and sizes of the parts that are there; nothing when the
    /// transfer is unknown.
    pub(super) async fn parts(&self, transfer: &str) -> PortResult<Option<Vec<(u32, u64)>>> {
        let Some((rows, _)) = self.list_uploads(transfer).await? else {
            return Ok(None);
        };
        let parts = rows.into_iter().filter_map(|row| {
            let number = row.name.parse().ok()?;
            Some((number, row.size.unwrap_or(0)))
        });
        let mut parts: Vec<(u32, u64)> = parts.collect();
        parts.sort_unstable();
        Ok(Some(parts))
    }

    /// Makes the folder of a transfer, once others to the same place are gone.
    pub(super) async fn begin_upload(&self, transfer: &Transfer) -> PortResult<()> {
        if let Some((rows, _)) = self.list_uploads("").await? {
            for row in rows {
                if row.name.starts_with(&transfer.place) {
                    self.drop_upload(&row.name).await;
                }
            }
        }
        let ask = Ask::write("MKCOL", self.upload_url(&transfer.name, true)?)
            .with("Destination", transfer.to.clone());
        match verdict(&self.http.fetch(&ask).await?)? {
            Verdict::Done => Ok(()),
            other => Err(PortError::new(
                FailureClass::Retry,
                format!("an upload in pieces cannot begin: {other:?}"),
            )),
        }
    }

    /// Makes the request that takes a part.
    pub(super) fn part(&self, transfer: &Transfer, number: u64) -> PortResult<Ask> {
        let place = format!("{}/{number:05}", transfer.name);
        let ask = Ask::write("PUT", self.upload_url(&place, false)?);
        Ok(ask
            .with("Destination", transfer.to.clone())
            .with("OC-Total-Length", transfer.total.to_string())
            .with("Content-Type", "application/octet-stream"))
    }

    /// Makes the request that makes one file of the parts.
    pub(super) fn assembly(&self, transfer: &Transfer) -> PortResult<Ask> {
        let place = format!("{}/.file", transfer.name);
        let ask = Ask {
            patience: Duration::from_secs(transfer.total / ASSEMBLY_BYTES_PER_S).min(PATIENCE_MAX),
            ..Ask::write("MOVE", self.upload_url(&place, false)?)
        };
        Ok(ask
            .with("Destination", transfer.to.clone())
            .with("OC-Total-Length", transfer.total.to_string()))
    }

    /// Removes a transfer that nobody will go on with.
    pub(super) async fn drop_upload(&self, name: &str) {
        let gone = match self.upload_url(name, true) {
            Ok(url) => self.http.fetch(&Ask::write("DELETE", url)).await,
            Err(error) => Err(error),
        };
        let gone = gone.and_then(|answer| verdict(&answer));
        match gone {
            Ok(Verdict::Done | Verdict::Missing) => {}
            Ok(other) => tracing::info!("the upload `{name}` stays: {other:?}"),
            Err(error) => tracing::info!("the upload `{name}` stays: {error}"),
        }
    }

    /// Removes transfers of this client that are too old to be gone on with.
    pub(super) async fn sweep_uploads(&self) -> PortResult<()> {
        let takes = |powers: &Powers| powers.takes_chunks;
        if !self.known.borrow().as_ref().is_some_and(takes) {
            return Ok(());
        }
        let Some((rows, Some(now))) = self.list_uploads("").await? else {
            return Ok(());
        };
        let ours = self.upload_prefix();
        for row in rows {
            let is_old = row.mtime.is_some_and(|mtime| mtime + STALE_S < now);
            let is_held = self.unfinished.0.borrow().contains(&row.name);
            if is_old && !is_held && row.name.starts_with(&ours) {
                tracing::info!("the upload `{}` was given up", row.name);
                self.drop_upload(&row.name).await;
            }
        }
        Ok(())
    }

    /// What the names of this client's transfers begin with.
    pub(super) fn upload_prefix(&self) -> String {
        format!("pydio-sync-{}-", self.mark)
    }

    fn upload_url(&self, place: &str, is_folder: bool) -> PortResult<String> {
        Ok(self.upload_base()?.url(place, is_folder))
    }

    fn upload_base(&self) -> PortResult<Base> {
        let none = || PortError::new(FailureClass::Fatal, "the server has no place for uploads");
        self.base.uploads().ok_or_else(none)
    }

    /// Lists the uploads, or one of them, with the server's time.
    async fn list_uploads(&self, place: &str) -> PortResult<Option<(Vec<Row>, Option<i64>)>> {
        let base = self.upload_base()?;
        let ask = Ask {
            body: Some(Bytes::from_static(WANTED.as_bytes())),
            ..Ask::read("PROPFIND", base.url(place, true))
        }
        .with("Depth", "1")
        .with("Content-Type", "application/xml; charset=utf-8");
        let depth = usize::from(!place.is_empty());
        let (mut rows, mut now) = (Vec::new(), None);
        let answer = self
            .http
            .multistatus(&ask, &mut |response, date| {
                now = now.or(date);
                // What is none of ours may be called anything.
                let Ok(Target::Below(mut names)) = base.read(&response.href) else {
                    return;
                };
                if names.len() == depth + 1
                    && rows.len() < ROWS_MAX
                    && (depth == 0 || names[0] == place)
                    && let Some(name) = names.pop()
                {
                    rows.push(Row {
                        name,
                        size: response.props.size,
                        mtime: response.props.mtime,
                    });
                }
            })
            .await?;
        match answer {
            Ok(()) => Ok(Some((rows, now))),
            Err(403..=405 | 409 | 410) => Ok(None),
            Err(status) => Err(PortError::new(
                FailureClass::Retry,
                format!("unfinished uploads cannot be listed (status {status})"),
            )),
        }
    }
}

/// The trial of uploads in pieces, over a file of the room of probes.
pub(super) struct Trial<'a> {
    pub(super) server: &'a Server,
    /// A file in the room.
    pub(super) at: String,
}

impl Trial<'_> {
    /// Finds out whether and how a server takes pieces that says so.
    pub(super) async fn run(&self, powers: &mut Powers, told: &Value) -> PortResult<()> {
        let server = self.server;
        let place = format!("{}probe", server.upload_prefix());
        let transfer = Transfer {
            name: place.clone(),
            place,
            to: server.base.url(&self.at, false),
            total: CONTENT.len() as u64,
        };
        if server.begin_upload(&transfer).await.is_err() {
            return Ok(());
        }
        let tried = self.assemble(&transfer).await;
        server.drop_upload(&transfer.name).await;
        (powers.takes_chunks, powers.guards_chunks) = tried?;
        let most = &told["files"]["chunked_upload"]["max_size"];
        powers.chunk_max = most.as_u64().unwrap_or(0);
        Ok(())
    }

    /// Sends a part and assembles it: with conditions that must be refused, then with
    /// one that holds. Returns whether it works, and whether conditions count.
    async fn assemble(&self, transfer: &Transfer) -> PortResult<(bool, bool)> {
        let server = self.server;
        let part = Ask {
            body: Some(Bytes::from_static(CONTENT.as_bytes())),
            ..server.part(transfer, 1)?
        };
        if !matches!(verdict_of(server.http.fetch(&part).await)?, Verdict::Done) {
            return Ok((false, false));
        }
        let tag = self.tag().await?;
        let right = server.if_tag(&self.at, tag.as_deref().unwrap_or_default());
        let wrong = server.if_tag(&self.at, "pydio-sync-no-such-tag");
        for (name, value) in [("If", wrong), ("Overwrite", "F".to_owned())] {
            let ask = server.assembly(transfer)?.with(name, value);
            match verdict_of(server.http.fetch(&ask).await)? {
                Verdict::Taken => {}
                other => return Ok((other == Verdict::Done, false)),
            }
        }
        let ask = server.assembly(transfer)?.with("If", right);
        let guarded = verdict_of(server.http.fetch(&ask).await)? == Verdict::Done;
        if guarded || tag.is_none() {
            return Ok((self.is_whole().await?, guarded));
        }
        let bare = server.http.fetch(&server.assembly(transfer)?).await;
        let done = verdict_of(bare)? == Verdict::Done;
        Ok((done && self.is_whole().await?, false))
    }

    async fn tag(&self) -> PortResult<Option<String>> {
        Ok(match self.server.look(&self.at).await? {
            Found::File(version) => version.etag,
            _ => None,
        })
    }

    async fn is_whole(&self) -> PortResult<bool> {
        let found = self.server.look(&self.at).await?;
        let length = CONTENT.len() as u64;
        Ok(matches!(found, Found::File(version) if version.size == length))
    }
}

/// Tells whether a server says that it takes pieces.
pub(super) fn are_told(told: &Value) -> bool {
    told["dav"]["chunking"].as_str() == Some("1.0")
}

impl Server {
    /// Returns what the server says of itself; nothing where it says nothing.
    pub(super) async fn capabilities(&self) -> PortResult<Value> {
        let Some(url) = self.base.web(CAPABILITIES) else {
            return Ok(Value::Null);
        };
        let ask = Ask::read("GET", format!("{url}?format=json")).with("OCS-APIRequest", "true");
        let answer = match self.http.fetch(&ask).await {
            Ok(answer) if answer.status == 200 => answer,
            Err(error) if error.class == FailureClass::Auth => return Err(error),
            Ok(_) | Err(_) => return Ok(Value::Null),
        };
        let mut told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(told["ocs"]["data"]["capabilities"].take())
    }

    /// Says that what stands at a path must have a tag.
    pub(super) fn if_tag(&self, path: &str, tag: &str) -> String {
        format!("<{}> ([\"{tag}\"])", self.base.href(path))
    }
}

/// Reads an answer to a trial, where a failure of the server is an answer as well.
fn verdict_of(answer: PortResult<Answer>) -> PortResult<Verdict> {
    match answer {
        Ok(answer) => verdict(&answer),
        Err(error) if error.class == FailureClass::Auth => Err(error),
        Err(error) if error.message.contains("(status ") => Ok(Verdict::Unable(500)),
        Err(error) => Err(error),
    }
}

const CAPABILITIES: &str = "ocs/v2.php/cloud/capabilities";
const CONTENT: &str = "piece";
const ROWS_MAX: usize = 20_000;
/// Servers forget uploads after a day, some after two.
const STALE_S: i64 = 20 * 3600;
/// A server that puts parts together is not slower than this.
const ASSEMBLY_BYTES_PER_S: u64 = 5 * 1024 * 1024;
const PATIENCE_MAX: Duration = Duration::from_secs(3600);
const WANTED: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<d:propfind xmlns:d=\"DAV:\"><d:prop><d:resourcetype/><d:getcontentlength/>",
    "<d:getlastmodified/></d:prop></d:propfind>"
);
