//! `ls`: one folder, pages of it, everything beneath it, or selected nodes.
//!
//! In: a folder and options. Out: nested elements. Invariant: a folder above the limit is
//! cut into pages, in recursive listings too, where the rest is missing; hidden names
//! never appear and the bin comes last without its content. Deliberately absent: sorting
//! options and filters, which a sync client does not use.

use std::fmt::Write as _;
use std::fs;

use super::answer::Answer;
use super::names;
use super::node::{self, Style};
use super::quirks::Quirk;
use super::server::Ctx;

/// What a listing shows.
struct Wanted {
    folders: bool,
    files: bool,
    archives: bool,
    long: bool,
    depth: Option<u32>,
    page: usize,
    /// Whether one page is announced too.
    announce: bool,
}

/// Answers `ls`.
pub(super) fn ls(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    if ctx.call.params.has("nodes[]") {
        return selected(ctx);
    }
    let sent = ctx
        .call
        .path_param(quirks, "dir")
        .filter(|_| ctx.call.rest().is_empty());
    let (folder, page) = paged(sent.unwrap_or_else(|| ctx.call.node(quirks)));
    if let Some(answer) = ctx.refuse_name(&folder) {
        return answer;
    }
    let id = &ctx.place.id;
    match ctx.place.stat(&folder) {
        None => Answer::error(&format!(
            "There was a problem trying to open folder pydio://{id}{folder}, please check your Administrator"
        )),
        Some(stat) if !stat.is_dir() => Answer::error(&format!(
            "opendir(ajxp.fs://{id}{folder}): failed to open dir: &quot;fsAccessWrapper::dir_opendir&quot; call failed"
        )),
        Some(_) => Answer::xml(&tree(ctx, &folder, &wanted(ctx, page), 0)),
    }
}

fn wanted(ctx: &Ctx<'_>, page: usize) -> Wanted {
    let params = &ctx.call.params;
    let options = params.get("options").unwrap_or("al");
    let native = ctx.call.is_native_app();
    let has = |letter| options.contains(letter);
    // Without files an agent that is no app gets no children at all.
    let mute = !has('a') && !has('f') && !native && ctx.quirks().has(Quirk::NativeListing);
    let recursive = params.get("recursive") == Some("true");
    let depth = params.get("max_depth").and_then(|depth| depth.parse().ok());
    Wanted {
        folders: !mute && (has('a') || has('d')),
        files: !mute && (has('a') || has('f')),
        archives: !mute && (has('a') || has('z')),
        long: has('l'),
        depth: if recursive {
            Some(depth.unwrap_or(u32::MAX))
        } else {
            None
        },
        page,
        announce: !native || !ctx.quirks().has(Quirk::NativeListing),
    }
}

/// A folder with its children.
fn tree(ctx: &Ctx<'_>, folder: &str, wanted: &Wanted, level: u32) -> String {
    let Some(stat) = ctx.place.stat(folder) else {
        return String::new();
    };
    let style = if wanted.long {
        Style::Root
    } else {
        Style::ShortRoot
    };
    let children = children(ctx, folder);
    let root = folder == "/" && ctx.place.recycle && wanted.long;
    let mut out = format!(
        "<tree{}{}>",
        if root {
            " repo_has_recycle=\"true\""
        } else {
            ""
        },
        match folder {
            bin if ctx.place.recycle && bin == ctx.place.bin => {
                node::bin_attributes(bin, &stat, !children.is_empty())
            }
            _ => node::attributes(folder, &stat, style, ""),
        }
    );
    let folders = children.iter().filter(|(_, folder)| *folder).count();
    let options = ctx.call.params.get("options").unwrap_or("al");
    let files = options.contains('a') || options.contains('f');
    let count = if files { children.len() } else { folders };
    let limits = &ctx.server.options;
    let whole = wanted.depth.is_some() && !ctx.quirks().has(Quirk::PagedRecursion);
    let size = if count > limits.page_threshold && !whole {
        limits.page_size
    } else {
        usize::MAX
    };
    let pages = count.div_ceil(size).max(1);
    let page = if level == 0 {
        wanted.page.clamp(1, pages)
    } else {
        1
    };
    if wanted.announce || pages > 1 {
        // A String takes everything that is written to it.
        let _ = write!(
            out,
            "<pagination count=\"{count}\" total=\"{pages}\" current=\"{page}\" \
             overflowMessage=\"{page}/{pages}\" icon=\"folder.png\" openicon=\"folder_open.png\" \
             dirsCount=\"{folders}\" remote_order='true' currentOrderCol='' currentOrderDir=''/>"
        );
    }
    let shown = children.into_iter().filter(|(name, folder)| {
        if *folder {
            wanted.folders
        } else {
            wanted.files || (wanted.archives && name.ends_with(".zip"))
        }
    });
    for (name, _) in shown.skip((page - 1).saturating_mul(size)).take(size) {
        out.push_str(&child(ctx, &names::join(folder, &name), wanted, level));
    }
    out.push_str("</tree>");
    out
}

fn child(ctx: &Ctx<'_>, path: &str, wanted: &Wanted, level: u32) -> String {
    let Ok(stat) = fs::symlink_metadata(ctx.place.whole(path)) else {
        return String::new();
    };
    if ctx.place.recycle && path == ctx.place.bin {
        let full = !ctx.place.names(path).is_empty();
        return format!(
            "<tree{} ajxp_im_time=\"0\"/>",
            node::bin_attributes(path, &stat, full)
        );
    }
    let shown = names::cut_question(ctx.quirks(), path);
    let mut more = ctx.lock_marks(shown);
    let inside = wanted.depth.filter(|_| stat.is_dir() && shown == path);
    if let Some(depth) = inside {
        if level + 1 < depth {
            return tree(ctx, path, wanted, level + 1);
        }
        more += &format!(
            " ajxp_has_children=\"{}\"",
            !ctx.place.names(path).is_empty()
        );
    }
    let style = if wanted.long {
        Style::Child
    } else {
        Style::Short
    };
    node::renamed(&node::element(path, &stat, style, &more), path, shown)
}

/// Names in a folder with whether they are folders: folders first, the bin last.
fn children(ctx: &Ctx<'_>, folder: &str) -> Vec<(String, bool)> {
    let mut children: Vec<(String, bool)> = ctx
        .place
        .names(folder)
        .into_iter()
        .map(|name| {
            let path = ctx.place.whole(&names::join(folder, &name));
            let is_folder = fs::symlink_metadata(path).is_ok_and(|stat| stat.is_dir());
            (name, is_folder)
        })
        .collect();
    let is_bin =
        |name: &str| ctx.place.recycle && folder == "/" && names::join("/", name) == ctx.place.bin;
    children.sort_by_cached_key(|(name, folder)| {
        (is_bin(name), !folder, name.to_lowercase(), name.clone())
    });
    children
}

/// Those of the given nodes that are there.
fn selected(ctx: &Ctx<'_>) -> Answer {
    let quirks = ctx.quirks();
    let mut out = "<tree filename=\"/\" text=\"\" is_file=\"true\">".to_owned();
    for node in ctx.call.params.all("nodes[]") {
        let node = names::parameter(quirks, node);
        if names::hidden(&node).is_some() {
            continue;
        }
        if let Some(stat) = ctx.place.stat(&node) {
            let marks = ctx.lock_marks(&node);
            out.push_str(&node::element(&node, &stat, Style::Diff, &marks));
        }
    }
    out.push_str("</tree>");
    Answer::xml(&out)
}

/// Takes the page off a folder: `/many%232` is page 2 of `/many`.
fn paged(folder: String) -> (String, usize) {
    match folder.rsplit_once("%23") {
        Some((folder, page)) if page.bytes().all(|byte| byte.is_ascii_digit()) => {
            let folder = if folder.is_empty() { "/" } else { folder };
            (folder.to_owned(), page.parse().unwrap_or(1))
        }
        _ => (folder, 1),
    }
}

/// The marks of a lock, as listings show them.
pub(super) fn lock_attributes(owner: &str, user: &str) -> String {
    let mine = if owner == user {
        " sl_mylock=\"true\""
    } else {
        ""
    };
    format!(" sl_locked=\"true\"{mine}")
}
