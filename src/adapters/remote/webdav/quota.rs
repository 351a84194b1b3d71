//! Room on the server.
//!
//! In: how much is to be sent. Out: an error where there is no room for it. Invariant: a
//! negative number of free bytes is no limit, as none is; what is replaced counts as
//! free, so nothing is refused here that would fit. The server's own 507 says the rest.
//! Deliberately absent: how much others send meanwhile. Leaves nothing behind.

use super::http::Ask;
use super::server::Server;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::RelPath;
use std::cell::Cell;

/// What is known of a server's limits.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Whether it told none.
    is_unlimited: Cell<bool>,
}

impl Server {
    /// Refuses content for which there is no room.
    ///
    /// # Errors
    /// `NoSpace` when it does not fit; as the network fails.
    pub(super) async fn check_room(
        &self,
        path: &RelPath,
        size: u64,
        replaces: &Expected,
    ) -> PortResult<()> {
        let Some(free) = self.free().await? else {
            return Ok(());
        };
        let replaced = match replaces {
            Expected::Absent => 0,
            Expected::Version(expect) => expect.size,
        };
        if size <= free.saturating_add(replaced) {
            return Ok(());
        }
        let text = format!(
            "`{path}`: the server has room for {free} bytes and this file has {size}: make some \
             there (its trash and old versions count) or ask for a larger quota"
        );
        Err(PortError::new(FailureClass::NoSpace, text))
    }

    /// Returns how many bytes are free, where there is a limit.
    async fn free(&self) -> PortResult<Option<u64>> {
        if self.room.is_unlimited.get() {
            return Ok(None);
        }
        let free = self.told_room().await?;
        let free = free.and_then(|free| u64::try_from(free).ok());
        self.room.is_unlimited.set(free.is_none());
        Ok(free)
    }

    /// Returns what the server says of bytes that are free; a negative number is no limit.
    pub(super) async fn told_room(&self) -> PortResult<Option<i64>> {
        let ask = Ask {
            body: Some(Bytes::from_static(WANTED.as_bytes())),
            ..Ask::read("PROPFIND", self.base.url("", true))
        }
        .with("Depth", "0")
        .with("Content-Type", "application/xml; charset=utf-8");
        let mut free = None;
        let answer = self
            .http
            .multistatus(&ask, &mut |response, _| {
                free = free.or(response.props.quota_free);
            })
            .await?;
        Ok(free.filter(|_| answer.is_ok()))
    }
}

const WANTED: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<d:propfind xmlns:d=\"DAV:\"><d:prop>",
    "<d:quota-available-bytes/><d:quota-used-bytes/></d:prop></d:propfind>"
);
