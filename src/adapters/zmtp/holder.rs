//! Who listens on a port, for an error message.
//!
//! In: a port. Out: a process by name and number, if it is one that this user may look
//! at; else the user it belongs to. Invariant: a best effort that never fails. How:
//! `/proc/net/tcp` gives the socket's inode, `/proc/PID/fd` who has it open.

use std::fs;
use std::path::Path;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// Returns who listens on a port, as words for a sentence.
pub(super) fn of_port(port: u16) -> Option<String> {
    let (user, inode) = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .find_map(|table| listener_in(&table, port))?;
    Some(process_with(&inode).unwrap_or_else(|| format!("a process of the user with id {user}")))
}

/// Finds user and inode of the socket that listens on a port.
fn listener_in(table: &str, port: u16) -> Option<(String, String)> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let is_it =
            u16::from_str_radix(local_port, 16) == Ok(port) && fields.get(3) == Some(&LISTENING);
        is_it.then(|| Some((fields.get(7)?.to_string(), fields.get(9)?.to_string())))?
    })
}

/// Finds a process that has a socket open.
fn process_with(inode: &str) -> Option<String> {
    let link = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        has_open(&entry.path().join("fd"), &link).then(|| {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!("{} (process {number})", name.trim())
        })
    })
}

fn has_open(folder: &Path, link: &str) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_busy_port_is_traced_to_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let holder = of_port(port).expect("it listens");
        assert!(holder.contains(&std::process::id().to_string()), "{holder}");
        drop(listener);
    }

    #[test]
    fn tables_that_make_no_sense_name_nobody() {
        for table in [
            "",
            "head",
            "head\n1: x",
            "head\n1: 0:FFFFF 0 0A",
            "head\n0: 0:0050 x 0A 1",
        ] {
            assert_eq!(listener_in(table, 80), None, "{table:?}");
        }
    }
}
