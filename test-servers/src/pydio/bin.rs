//! `delete` and `restore`, with the recycle bin.
//!
//! In: nodes. Out: what changed. Invariant: the bin is flat, so a second deletion of one
//! name replaces the first, as on a real server; where a thing came from is a line in a
//! hidden file of the bin. Deliberately absent: emptying, which the REST door of the
//! server does not have.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::{Answer, Diff, message};
use super::index::Event;
use super::moves;
use super::names;
use super::node::{self, Style};
use super::place::Place;
use super::quirks::Quirk;
use super::server::{Ctx, Server, not_writeable};

const ORIGINS: &str = ".ajxp_recycle_cache.ser";

/// Answers `delete`.
pub(super) fn delete(ctx: &Ctx<'_>) -> Answer {
    let nodes = ctx.selection_from_body();
    if nodes.is_empty() {
        return Answer::error("The selection is empty!");
    }
    for node in &nodes {
        if node == "/" {
            return Answer::error(&format!("\n{}", not_writeable("directory", "/")));
        }
        if let Some(answer) = ctx.refuse_name(node) {
            return answer;
        }
        if let Some(error) = ctx.locked(node) {
            return Answer::error(error);
        }
    }
    let in_bin = ctx
        .call
        .path_param(ctx.quirks(), "dir")
        .is_some_and(|dir| names::in_bin(ctx.quirks(), &ctx.place.bin, &dir));
    let forced = ctx.call.params.get("force_deletion") == Some("true");
    if ctx.place.recycle && !in_bin && !forced {
        to_bin(ctx, &nodes)
    } else {
        for_good(ctx, &nodes)
    }
}

fn to_bin(ctx: &Ctx<'_>, nodes: &[String]) -> Answer {
    let bin = ctx.place.bin.as_str();
    let (mut done, mut diff) = (Vec::new(), Diff::default());
    if let Err(error) = fs::create_dir_all(ctx.place.at(bin)) {
        return Answer::error(&error.to_string());
    }
    for node in nodes {
        let name = names::base(node);
        let target = names::join(bin, name);
        if node == bin || names::parent(node) == bin {
            return Answer::error("The origin and destination folders are the same!");
        }
        if let Err(error) = moves::move_one(ctx, node, &target) {
            let error = message("ERROR", &error);
            return Answer::tree(&format!("{error}{}", diff.xml()));
        }
        // Without the line it cannot be restored by the server, only by hand.
        drop(remember(ctx, name, node));
        let kind = if ctx.place.is_folder(&target) {
            "folder"
        } else {
            "file"
        };
        done.push(format!(
            "The {kind} {name} has been moved to the  Recycle Bin"
        ));
        diff.removed(node);
        if let Some(stat) = ctx.place.stat(&target) {
            diff.add
                .push_str(&node::element(&target, &stat, Style::Diff, ""));
        }
    }
    Answer::success(&done.join("\n"), &diff)
}

fn for_good(ctx: &Ctx<'_>, nodes: &[String]) -> Answer {
    let (mut done, mut diff) = (Vec::new(), Diff::default());
    for node in nodes {
        diff.removed(node);
        let Some(stat) = ctx.place.stat(node) else {
            done.push(format!("Cannot find file  {node}"));
            continue;
        };
        let is_large = stat.len() > BACKGROUND_BYTES;
        if is_large && ctx.quirks().has(Quirk::BackgroundDeletes) {
            ctx.server.later.add(&ctx.place, node);
        } else if let Err(error) = ctx.server.remove(&ctx.place, node) {
            return Answer::error(&error.to_string());
        }
        // The server has the two texts the wrong way round.
        let kind = if stat.is_dir() { "file" } else { "directory" };
        done.push(format!("The {kind} {node} has been deleted."));
    }
    Answer::success(&done.join("\n"), &diff)
}

/// What is to be deleted while other requests come.
#[derive(Default)]
pub(super) struct Later(Mutex<Vec<(u32, Place, String)>>);

impl Later {
    fn add(&self, place: &Place, node: &str) {
        self.lock().push((REQUESTS, place.clone(), node.to_owned()));
    }

    /// Counts one request, and returns what is due with it.
    fn due(&self) -> Vec<(Place, String)> {
        let mut waiting = self.lock();
        for (left, ..) in waiting.iter_mut() {
            *left = left.saturating_sub(1);
        }
        let due = waiting.extract_if(.., |(left, ..)| *left == 0);
        due.map(|(_, place, node)| (place, node)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u32, Place, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Deletes what a request before this one said was deleted.
    pub(super) fn go_on_deleting(&self) {
        for (place, node) in self.later.due() {
            // It may be gone by now, as on a real server.
            drop(self.remove(&place, &node));
        }
    }

    fn remove(&self, place: &Place, node: &str) -> io::Result<()> {
        let path = place.at(node);
        if place.is_folder(node) {
            fs::remove_dir_all(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
        self.hashes.forget(&path);
        if !place.repo.is_empty() {
            let path = node.to_owned();
            self.index.note(&place.repo, Event::Delete { path });
        }
        Ok(())
    }
}

/// Answers `restore`: the node goes back to the folder that it was deleted from.
pub(super) fn restore(ctx: &Ctx<'_>) -> Answer {
    let nodes = ctx.selection_from_body();
    if nodes.is_empty() {
        return Answer::empty();
    }
    let mut answer = Answer::empty();
    for node in nodes {
        let origin = origin(ctx, names::base(&node)).unwrap_or_default();
        answer = moves::into_folder(ctx, &[node], names::parent(&origin));
    }
    answer
}

fn remember(ctx: &Ctx<'_>, name: &str, node: &str) -> io::Result<()> {
    let path = ctx.place.at(&names::join(&ctx.place.bin, ORIGINS));
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{name}\t{node}\n").as_bytes())
}

/// Where a name in the bin came from; the last line counts.
fn origin(ctx: &Ctx<'_>, name: &str) -> Option<String> {
    let lines = fs::read_to_string(ctx.place.at(&names::join(&ctx.place.bin, ORIGINS))).ok()?;
    lines
        .lines()
        .rev()
        .filter_map(|line| line.split_once('\t'))
        .find(|(known, _)| *known == name)
        .map(|(_, origin)| origin.to_owned())
}

/// More than this is deleted behind the answer.
const BACKGROUND_BYTES: u64 = 10 * 1024 * 1024;
/// So many requests later.
const REQUESTS: u32 = 4;
