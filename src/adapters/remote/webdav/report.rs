//! What a person wants to know of a server before a job is made.
//!
//! In: a place. Out: remarks good and bad. Invariant: asks only. Deliberately absent:
//! advice on what to do with them (the command line), and what only trying tells
//! (`powers`).

use super::found::Found;
use super::http::Ask;
use super::server::Server;
use super::slots::REMOVED;
use crate::adapters::remote::ServerPlace;
use crate::adapters::rooted::{Filter, FilterRules};
use crate::adapters::secret::Secret;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::Timestamp;
use reqwest::header::DATE;

/// What was found out about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which one asks.
    pub remarks: Vec<Remark>,
    /// The server's time, where it tells it.
    pub time: Option<Timestamp>,
    /// Whether the folder is there.
    pub is_there: bool,
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Whether syncing works with it.
    pub is_good: bool,
    /// What it is, in words.
    pub text: String,
}

/// Looks at a server and a folder on it.
///
/// # Errors
/// Nothing can be found out: address, network, credentials.
pub async fn probe(place: &ServerPlace, password: Option<Secret>) -> PortResult<Report> {
    let filter = Filter::new(&FilterRules::default())
        .map_err(|error| PortError::new(FailureClass::Fatal, error.to_string()))?;
    let server = Server::new(place, password, "report", filter)?;
    let mut report = Report {
        remarks: Vec::new(),
        time: None,
        is_there: true,
    };
    let (found, props) = server.look_closer("").await?;
    server.is_oc.set(props.file_id.is_some());
    match found {
        Found::Folder(_) => report.say(true, "the folder is there".to_owned()),
        _ => {
            report.is_there = false;
            let text = format!("no folder at `{}`", server.base.path());
            report.say(false, text);
            return Ok(report);
        }
    }
    let ask = Ask::read("OPTIONS", server.base.url("", true));
    let answer = server.http.fetch(&ask).await?;
    let header = |name: &str| {
        let value = answer
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let date = httpdate::parse_http_date(&header(DATE.as_str())).ok();
    let since = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
    report.time = since
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .map(Timestamp);
    let dav = header("dav");
    if dav.is_empty() {
        let text = "it does not say that it speaks WebDAV (no `DAV` header)";
        report.say(false, text.to_owned());
    } else {
        report.say(true, format!("it speaks WebDAV ({dav:.60})"));
    }
    if server.is_oc.get() {
        let text = "it knows files by ids (Nextcloud's and ownCloud's extensions): moves are moves";
        report.say(true, text.to_owned());
    }
    if let (Some(used), Some(free)) = (props.quota_used, props.quota_free) {
        let room = if free < 0 {
            "no limit".to_owned()
        } else {
            format!("{free} bytes are free")
        };
        report.say(free != 0, format!("{used} bytes are used, {room}"));
    }
    // Somebody else's folder of ours, or one that may not be read, is no reason to fail.
    if let Ok(kept @ 1..) = server.kept_folders().await {
        report.say(
            true,
            format!(
                "{kept} removed folders are kept in `{REMOVED}`, since the server may hide \
                 something in them: remove them there when nobody needs that"
            ),
        );
    }
    report.protection(place);
    Ok(report)
}

impl Report {
    /// Says what protects the way to the server.
    fn protection(&mut self, place: &ServerPlace) {
        if place.link.trust_ssl && place.url.starts_with("webdavs") {
            self.say(
                false,
                "certificates are not checked (`trust_ssl`)".to_owned(),
            );
        }
        if place.url.starts_with("webdav:") && !place.user.is_empty() {
            let text = "without TLS whoever is on the way can read everything: use `webdavs://`";
            self.say(false, text.to_owned());
        }
    }

    fn say(&mut self, is_good: bool, text: String) {
        self.remarks.push(Remark { is_good, text });
    }
}
