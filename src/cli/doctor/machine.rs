//! What the machine gives: a state folder, a store for passwords, watches, ports.
//!
//! In: the state folder, the jobs' folders. Out: findings. Deliberately absent: single
//! jobs (`places`).

use super::{Finding, Patients};
use crate::adapters::credentials::{Credentials, Kept};
use crate::cli::exit::Exit;
use crate::cli::text::{count, size};
use rustix::fs::{Access, access, statvfs};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Looks at the machine.
pub(super) fn look(findings: &mut Vec<Finding>, state_dir: &Path, patients: &Patients) {
    state(findings, state_dir);
    passwords(findings, state_dir);
    watches(findings, patients);
    ports(findings);
}

/// The state folder, or where it would be made.
fn state(findings: &mut Vec<Finding>, state_dir: &Path) {
    const WHAT: &str = "state folder";
    let name = state_dir.display().to_string();
    let above = state_dir.ancestors().find(|folder| folder.exists());
    let Some(there) = above else {
        return;
    };
    if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let detail = format!("`{}` cannot be written: {error}", there.display());
        let way_out = "make it yours, or choose another one with `--state-dir`";
        findings.push(Finding::fail(WHAT, &name, Exit::Internal, detail, way_out));
        return;
    }
    let is_open = there == state_dir
        && std::fs::metadata(state_dir).is_ok_and(|seen| seen.mode() & 0o077 != 0);
    if is_open {
        let way_out = format!("chmod 700 '{name}'");
        let detail = "others can look into it, and see the names of your files";
        findings.push(Finding::warn(WHAT, &name, detail, way_out));
    }
    findings.push(space(WHAT, &name, there));
}

/// How much a disk has left.
pub(super) fn space(what: &'static str, name: &str, folder: &Path) -> Finding {
    let way_out = "free some space; nothing is lost, but nothing can be written either";
    match statvfs(folder) {
        Err(error) => Finding::warn(what, name, format!("cannot be measured: {error}"), way_out),
        Ok(disk) => {
            let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
            let detail = format!("{} free", size(bytes));
            if bytes < SPACE_FAIL || (disk.f_files > 0 && disk.f_favail == 0) {
                Finding::fail(what, name, Exit::ItemsFailed, detail, way_out)
            } else if bytes < SPACE_WARN {
                Finding::warn(what, name, detail, way_out)
            } else {
                Finding::ok(what, name, detail)
            }
        }
    }
}

fn passwords(findings: &mut Vec<Finding>, state_dir: &Path) {
    const WHAT: &str = "passwords";
    let stores = Credentials::new(state_dir);
    let (kept, why) = stores.best();
    let detail = format!("new ones are kept in {kept}");
    findings.push(match (&kept, why) {
        (Kept::File(_), Some(why)) => {
            let way_out = "the file is readable by you alone, and not encrypted; a machine with a \
                           desktop has a better store";
            Finding::warn(WHAT, "", format!("{detail}: {why}"), way_out)
        }
        _ => Finding::ok(WHAT, "", detail),
    });
    if let Err(error) = stores.check_file() {
        let way_out = "until then the passwords in it are not used";
        let detail = error.to_string();
        findings.push(Finding::fail(WHAT, "", Exit::Usage, detail, way_out));
    }
}

/// Every folder needs a watch, or changes are found by scans only.
fn watches(findings: &mut Vec<Finding>, patients: &Patients) {
    const WHAT: &str = "inotify";
    let remotes = patients.active().filter_map(|job| job.pair.remote.folder());
    let trees = patients.locals().map(std::path::PathBuf::as_path);
    let folders: u64 = trees.chain(remotes).map(folders_in).sum();
    let Some(limit) = number_in("/proc/sys/fs/inotify/max_user_watches") else {
        let way_out = "changes are then found by scans only";
        findings.push(Finding::warn(WHAT, "", "not on this machine", way_out));
        return;
    };
    let needs = format!(
        "{} to watch, {limit} watches for all programs of yours",
        count(folders, "folder", "folders")
    );
    if folders.saturating_mul(100) < limit.saturating_mul(90) {
        findings.push(Finding::ok(WHAT, "", needs));
    } else {
        let wanted = folders.saturating_mul(2).max(WATCHES_USUAL);
        let way_out = format!(
            "sysctl fs.inotify.max_user_watches={wanted}; without it changes are found by scans only"
        );
        findings.push(Finding::warn(WHAT, "", needs, way_out));
    }
}

/// Counts the folders of a tree, without following links. What cannot be listed has
/// no watch either.
fn folders_in(root: &Path) -> u64 {
    let mut number = 0;
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        number += 1;
        let is_folder = |entry: &std::fs::DirEntry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != ".pydio-sync"
        };
        open.extend(
            entries
                .flatten()
                .filter(is_folder)
                .map(|entry| entry.path()),
        );
    }
    number
}

fn ports(findings: &mut Vec<Finding>) {
    const WHAT: &str = "ports";
    let taken: Vec<String> = PORTS
        .into_iter()
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_err())
        .map(|port| port.to_string())
        .collect();
    let place = format!("{} and {}", PORTS[0], PORTS[1]);
    findings.push(if taken.is_empty() {
        Finding::ok(WHAT, &place, "free")
    } else {
        let detail = format!(
            "{} taken, perhaps by a running pydio-sync",
            taken.join(", ")
        );
        let way_out = "if it is another program, choose others with `-z PORT`, or `-z auto`";
        Finding::warn(WHAT, &place, detail, way_out)
    });
}

fn number_in(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The usual ports for notifications and commands.
const PORTS: [u16; 2] = [5556, 5557];
const SPACE_FAIL: u64 = 16 << 20;
const SPACE_WARN: u64 = 1 << 30;
/// What many distributions set on machines with memory.
const WATCHES_USUAL: u64 = 524_288;
