//! `rename`, `move` and `copy`.
//!
//! In: nodes and where they go. Out: what changed. Invariant: `rename` never replaces,
//! `move` and `copy` do, silently; that is the server's contract and a client's trap.
//! Deliberately absent: moves between workspaces.

use std::fs;
use std::io;
use std::path::Path;

use super::answer::{Answer, Diff};
use super::index::Event;
use super::names;
use super::node::{self, Style};
use super::server::{Ctx, not_writeable};

const SAME: &str = "The origin and destination folders are the same!";

/// Answers `rename`.
pub(super) fn rename(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    let Some(from) = ctx.selection().into_iter().next() else {
        return Answer::error("The selection is empty!");
    };
    let new_name = ctx
        .call
        .params
        .get("filename_new")
        .map(|name| names::base(&names::parameter(quirks, &name.replace('/', ""))).to_owned());
    let dest = ctx.call.path_param(quirks, "dest");
    let to = match (&dest, &new_name) {
        (Some(dest), _) => dest.clone(),
        (None, Some(name)) => names::join(names::parent(&from), name),
        (None, None) => return Answer::error("The selection is empty!"),
    };
    if let Some(answer) = ctx.refuse_name(&from).or_else(|| ctx.refuse_name(&to)) {
        return answer;
    }
    if ctx.place.stat(&from).is_none() {
        return Answer::error(&not_writeable("file", names::base(&from)));
    }
    let shown_name = new_name.as_deref().filter(|_| dest.is_none()).unwrap_or("");
    if from != to && ctx.place.stat(&to).is_some() {
        let text = format!("{shown_name} already exists  (names are case insensitive)");
        return Answer::error(&text);
    }
    if let Some(error) = ctx.locked(&from) {
        return Answer::error(error);
    }
    if fs::rename(ctx.place.at(&from), ctx.place.whole(&to)).is_err() {
        let id = &ctx.place.id;
        let text = format!("Error while renaming pydio://{id}{from} to pydio://{id}{to}");
        return Answer::error(&text);
    }
    note_move(ctx, &from, &to);
    let mut diff = Diff::default();
    if let Some(stat) = ctx.place.stat(&to) {
        diff.update = if dest.is_some() && !stat.is_dir() {
            node::nowhere(&to, &from)
        } else {
            let original = format!(" original_path=\"{}\"", super::answer::escape(&from));
            let shown = node::element(&to, &stat, Style::Diff, &original);
            match dest {
                Some(_) => node::renamed(&shown, &to, &format!("{to}/")),
                None => shown,
            }
        };
    }
    Answer::success(&format!("{from} has been renamed to {shown_name}"), &diff)
}

/// Answers `move`.
pub(super) fn move_nodes(ctx: &Ctx<'_>) -> Answer {
    let Some(dest) = ctx.call.path_param(ctx.quirks(), "dest") else {
        return Answer::error("The selection is empty!");
    };
    into_folder(ctx, &ctx.selection(), &dest)
}

/// Moves nodes into a folder, over what is there.
pub(super) fn into_folder(ctx: &Ctx<'_>, nodes: &[String], dest: &str) -> Answer {
    if nodes.is_empty() {
        return Answer::error("The selection is empty!");
    }
    if !ctx.place.is_folder(dest) {
        return Answer::error(&not_writeable("directory", dest));
    }
    let (mut done, mut diff) = (Vec::new(), Diff::default());
    for from in nodes {
        let to = names::join(dest, names::base(from));
        if let Some(answer) = ctx.refuse_name(from) {
            return answer;
        }
        match move_one(ctx, from, &to) {
            Ok(()) => {
                let kind = if ctx.place.is_folder(&to) {
                    "folder"
                } else {
                    "file"
                };
                let name = names::base(from);
                done.push(format!(
                    "The {kind} {name} has been moved into the directory {dest}"
                ));
                diff.removed(from);
                if let Some(stat) = ctx.place.stat(&to) {
                    diff.add
                        .push_str(&node::element(&to, &stat, Style::Diff, ""));
                }
            }
            Err(error) => return Answer::error(&error),
        }
    }
    Answer::success(&done.join("\n"), &diff)
}

/// Moves one node over what is there and tells the index of the moved one only.
pub(super) fn move_one(ctx: &Ctx<'_>, from: &str, to: &str) -> Result<(), String> {
    let Some(stat) = ctx.place.stat(from) else {
        return Err(format!("Cannot find file {from}"));
    };
    if from == to
        || to
            .strip_prefix(from)
            .is_some_and(|rest| rest.starts_with('/'))
    {
        return Err(SAME.to_owned());
    }
    if let Some(error) = ctx.locked(from).or_else(|| ctx.locked(to)) {
        return Err(error.to_owned());
    }
    let (source, target) = (ctx.place.at(from), ctx.place.at(to));
    if let Some(there) = ctx.place.stat(to) {
        let removed = match (there.is_dir(), stat.is_dir()) {
            (true, _) => fs::remove_dir_all(&target),
            (false, true) => fs::remove_file(&target),
            (false, false) => Ok(()),
        };
        removed.map_err(|error| error.to_string())?;
    }
    fs::rename(&source, &target).map_err(|error| error.to_string())?;
    note_move(ctx, from, to);
    Ok(())
}

fn note_move(ctx: &Ctx<'_>, from: &str, to: &str) {
    ctx.server.hashes.forget(&ctx.place.at(from));
    ctx.server.hashes.forget(&ctx.place.at(to));
    // What lies there is needed only if the index does not know the node, which is rare.
    let folder = ctx.place.is_folder(to);
    let known = ctx.server.index.knows(&ctx.place.repo, from);
    ctx.note(Event::Move {
        from: from.to_owned(),
        to: to.to_owned(),
        tree: if known {
            Vec::new()
        } else {
            ctx.place.tree(to)
        },
        folder,
    });
}

/// Answers `copy`.
pub(super) fn copy(ctx: &Ctx<'_>) -> Answer {
    let nodes = ctx.selection();
    let Some(dest) = ctx.call.path_param(ctx.quirks(), "dest") else {
        return Answer::error("The selection is empty!");
    };
    if nodes.is_empty() {
        return Answer::error("The selection is empty!");
    }
    if !ctx.place.is_folder(&dest) {
        return Answer::error(&not_writeable("directory", &dest));
    }
    let (mut done, mut diff) = (Vec::new(), Diff::default());
    for from in &nodes {
        if let Some(answer) = ctx.refuse_name(from) {
            return answer;
        }
        let Some(stat) = ctx.place.stat(from) else {
            return Answer::error(&format!("Cannot find file {from}"));
        };
        if dest == *from || dest.starts_with(&format!("{from}/")) {
            return Answer::error(SAME);
        }
        let name = names::base(from);
        let shown = names::join(&dest, name);
        let to = if shown == *from {
            names::join(&dest, &ctx.place.free_name(&dest, name))
        } else {
            shown.clone()
        };
        match copied(ctx, from, &to, stat.is_dir()) {
            Ok((text, count)) => {
                done.push(format!(
                    "{text} has been copied into the directory {dest}{count}"
                ));
            }
            Err(error) => return Answer::error(&error.to_string()),
        }
        if let Some(stat) = ctx.place.stat(&shown) {
            diff.add
                .push_str(&node::element(&shown, &stat, Style::Diff, ""));
        }
    }
    Answer::success(&done.join("\n"), &diff)
}

fn copied(ctx: &Ctx<'_>, from: &str, to: &str, folder: bool) -> io::Result<(String, String)> {
    let known = ctx.place.stat(to).is_some();
    let name = names::base(from);
    let (source, target) = (ctx.place.at(from), ctx.place.at(to));
    if folder {
        let files = copy_tree(&source, &target)?;
        if !known {
            let facts = ctx.place.facts(to, None)?;
            ctx.note(Event::Create {
                path: to.to_owned(),
                facts,
            });
        }
        // The server indexes the copy as a whole, and so drops what it just wrote.
        ctx.note(Event::Reindex {
            path: to.to_owned(),
            tree: ctx.place.tree(to),
        });
        return Ok((format!("The folder {name}"), format!(" ({files} files)")));
    }
    fs::copy(&source, &target)?;
    let facts = ctx.place.facts(to, None)?;
    ctx.note(Event::Create {
        path: to.to_owned(),
        facts,
    });
    Ok((format!("The file {name}"), String::new()))
}

/// Copies a folder and counts the files; what is newer at the target stays.
fn copy_tree(source: &Path, target: &Path) -> io::Result<u32> {
    if !target.is_dir() {
        fs::create_dir(target)?;
    }
    let mut files = 0;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let to = target.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files += copy_tree(&entry.path(), &to)?;
            continue;
        }
        let old = fs::metadata(&to).and_then(|stat| stat.modified());
        let new = entry.metadata()?.modified()?;
        if old.map_or(true, |old| old < new) {
            fs::copy(entry.path(), &to)?;
            files += 1;
        }
    }
    Ok(files)
}
