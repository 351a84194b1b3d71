//! `lsync`, `index` and `resync_storage`: telling the index of what others changed.
//!
//! In: paths. Out: nothing. Invariant: only the named node is indexed by `lsync`, not what
//! is below it. Deliberately absent: progress; `check_index_status` fails on 6.4.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::index::Event;
use super::server::Ctx;

/// Answers `lsync`.
pub(super) fn lsync(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    let from = ctx.call.path_param(quirks, "from");
    let to = ctx.call.path_param(quirks, "to");
    let facts = |path: &str| ctx.place.facts(path, None).ok();
    match (from, to) {
        (Some(from), Some(to)) if from == to => {
            if let Some(facts) = facts(&to) {
                ctx.server.hashes.forget(&ctx.place.at(&to));
                ctx.note(Event::Content { path: to, facts });
            }
        }
        (Some(from), Some(to)) if !ctx.call.params.has("copy") => {
            let tree = facts(&to)
                .map(|facts| (to.clone(), facts))
                .into_iter()
                .collect();
            let folder = ctx.place.is_folder(&to);
            ctx.note(Event::Move {
                from,
                to,
                tree,
                folder,
            });
        }
        (_, Some(to)) => {
            if let Some(facts) = facts(&to) {
                ctx.note(Event::Create { path: to, facts });
            }
        }
        (Some(from), None) => ctx.note(Event::Delete { path: from }),
        (None, None) => {}
    }
    Answer::empty()
}

/// Answers `index`: everything in the folder gets new rows.
pub(super) fn index(ctx: &Ctx<'_>) -> Answer {
    let path = ctx.call.node(ctx.quirks());
    let tree = ctx.place.tree(&path);
    ctx.note(Event::Reindex { path, tree });
    Answer::empty()
}

/// Answers `resync_storage`: the index learns what is on disk.
pub(super) fn resync(ctx: &Ctx<'_>) -> Answer {
    let repo = &ctx.place.repo;
    let tree: BTreeMap<String, _> = ctx.place.tree("/").into_iter().collect();
    for (path, known) in ctx.server.index.paths(repo) {
        match tree.get(&path) {
            None => ctx.note(Event::Delete { path }),
            Some(facts) if *facts != known => {
                ctx.note(Event::Content {
                    path,
                    facts: facts.clone(),
                });
            }
            Some(_) => {}
        }
    }
    for (path, facts) in tree {
        if !ctx.server.index.knows(repo, &path) {
            ctx.note(Event::Create { path, facts });
        }
    }
    Answer::empty()
}
