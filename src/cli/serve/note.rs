//! Where this daemon listens, for its subcommands: `ports.json`.
//!
//! In: an address and a port. Out: a file in the state folder while we run. Invariants:
//! only our own note is removed, and none of a daemon that runs is replaced. Deliberately
//! absent: trust: whoever reads it asks the socket who it is. CRASH: a note about a process
//! that is gone.

use super::super::exit::{Exit, Failure};
use crate::adapters::clock::SystemClock;
use crate::adapters::store::{FolderLock, OpenError};
use crate::ports::Clock;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A note that goes away with its value.
pub(super) struct Note {
    path: PathBuf,
    text: String,
    _lock: FolderLock,
}

impl Note {
    /// Writes the note into a state folder that is there, unless another daemon has one
    /// there: then that one is told of.
    ///
    /// # Errors
    /// The state folder cannot be written to.
    pub(super) fn write(
        state_dir: &Path,
        address: IpAddr,
        port: u16,
    ) -> Result<Result<Self, OpenError>, Failure> {
        let lock = match FolderLock::acquire(state_dir, state_dir) {
            Ok(lock) => lock,
            Err(other @ OpenError::Locked { .. }) => return Ok(Err(other)),
            Err(error) => return Err(error.into()),
        };
        let path = state_dir.join("ports.json");
        let text = body(std::process::id(), address, port, SystemClock.now().0).to_string();
        let temporary = path.with_extension("new");
        let written =
            std::fs::write(&temporary, &text).and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|error| {
            let message = format!("`{}` cannot be written: {error}", path.display());
            Failure::new(Exit::Internal, message).hint("check the state folder")
        })?;
        Ok(Ok(Self {
            path,
            text,
            _lock: lock,
        }))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let found = std::fs::read_to_string(&self.path).ok();
        if found.as_ref() == Some(&self.text) {
            // A note that stays says nothing that its reader believes.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

fn body(pid: u32, address: IpAddr, port: u16, since: i64) -> Value {
    // Whoever listens everywhere is reached here.
    let reached = match address {
        IpAddr::V4(any) if any.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(any) if any.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        address => address,
    };
    let place = |port| format!("tcp://{}", SocketAddr::new(reached, port));
    json!({
        "v": 1, "pid": pid,
        "publish": place(port), "commands": place(port.saturating_add(1)),
        "since": since, "version": env!("CARGO_PKG_VERSION"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_is_what_the_protocol_shows() {
        let page = include_str!("../../daemon/PROTOCOL.md");
        let shown = page
            .split("```json ports.json\n")
            .nth(1)
            .expect("the block");
        let shown: Value =
            serde_json::from_str(shown.split("```").next().expect("its end")).expect("JSON");
        let address = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        assert_eq!(body(4242, address, 5556, 1_760_000_000_000), shown);
    }
}
