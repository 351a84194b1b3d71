//! `mkdir` and `mkfile`.
//!
//! In: paths. Out: what was created. Invariant: one level at a time, and in a bulk call
//! what is possible is done while the rest is told. A forced mkfile empties what is there,
//! as on a real server. Deliberately absent: content beyond a parameter; see `upload`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;

use super::answer::{Answer, Diff, message};
use super::index::Event;
use super::names;
use super::node::{self, Style};
use super::quirks::Quirk;
use super::server::{Ctx, not_writeable};

/// Answers `mkdir`.
pub(super) fn mkdir(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    let mut nodes: Vec<String> = ctx
        .call
        .params
        .all("nodes[]")
        .map(|node| names::parameter(quirks, node))
        .collect();
    if nodes.is_empty() {
        nodes.push(ctx.call.node(quirks));
    }
    let ignore = ctx.call.params.has("ignore_exists");
    let (mut done, mut errors, mut diff) = (Vec::new(), Vec::new(), Diff::default());
    let mut said = String::new();
    for node in &nodes {
        if let Some(answer) = ctx.refuse_name(node) {
            return answer;
        }
        match one_folder(ctx, node, ignore) {
            Ok(()) => {
                let (parent, name) = (names::parent(node), names::base(node));
                // The server never empties the text that it adds to.
                said += &format!("The directory {name} has been created in {parent}");
                done.push(said.clone());
                let shown = names::cut_question(quirks, node);
                if let Ok(stat) = fs::symlink_metadata(ctx.place.whole(node)) {
                    diff.add
                        .push_str(&node::element(shown, &stat, Style::Diff, ""));
                }
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        return Answer::success(&done.join("<br>"), &diff);
    }
    Answer::tree(&format!(
        "{}{}",
        message("ERROR", &errors.join("\n")),
        diff.xml()
    ))
}

fn one_folder(ctx: &Ctx<'_>, node: &str, ignore: bool) -> Result<(), String> {
    let parent = names::parent(node);
    let path = ctx.place.whole(node);
    if let Ok(there) = fs::symlink_metadata(&path) {
        if ignore && there.is_dir() {
            return Ok(());
        }
        return Err("This directory already exists (names are case insensitive)".to_owned());
    }
    if !ctx.place.is_folder(parent) {
        return Err(not_writeable("directory", parent));
    }
    let created = DirBuilder::new().mode(0o700).create(&path);
    created.map_err(|error| format!("mkdir(): {error}"))?;
    let shown = names::cut_question(ctx.quirks(), node).to_owned();
    if let Ok(facts) = ctx.place.facts(&shown, None) {
        ctx.note(Event::Create { path: shown, facts });
    }
    Ok(())
}

/// Answers `mkfile`.
pub(super) fn mkfile(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    let node = ctx.call.node(quirks);
    if let Some(answer) = ctx.refuse_name(&node) {
        return answer;
    }
    let path = names::cut_question(quirks, &node).to_owned();
    let known = ctx.place.stat(&path).is_some();
    if known && ctx.call.params.get("force") != Some("true") {
        return Answer::error("This file already exists (names are case insensitive)");
    }
    if let Some(error) = ctx.locked(&path) {
        return Answer::error(error);
    }
    let content = ctx.call.params.get("content").unwrap_or("");
    if fs::write(ctx.place.at(&path), content).is_err() {
        return Answer::error(&format!(
            "fopen({}): failed to open stream: No such file or directory",
            ctx.shown_path(&path)
        ));
    }
    let md5 = super::form::md5_of_bytes(content.as_bytes());
    if let Ok(facts) = ctx.place.facts(&path, Some(md5)) {
        ctx.note(if known && !quirks.has(Quirk::ManyIds) {
            ctx.server.hashes.forget(&ctx.place.at(&path));
            Event::Content {
                path: path.clone(),
                facts,
            }
        } else {
            Event::Create {
                path: path.clone(),
                facts,
            }
        });
    }
    let mut diff = Diff::default();
    if let Some(stat) = ctx.place.stat(&path) {
        diff.add = node::element(&path, &stat, Style::Diff, "");
    }
    Answer::success(&format!("The file {node} has been created in /"), &diff)
}
