//! `upload`: whole files and chunks.
//!
//! In: a form or a raw body. Out: what changed, or a text with a code. Invariant: a chunk
//! goes through `<name>.dlpart`, which takes the file's name when its size is the one
//! announced, and only then; that is tested after an append and nowhere else. Deliberately
//! absent: any protection that the real server does not have; see `Quirk::Clobber`.

use std::fs;
use std::io;

use super::answer::{Answer, Diff};
use super::call::plus_decode;
use super::form::Upload;
use super::index::Event;
use super::names::{self, PART};
use super::node::{self, Style};
use super::quirks::Quirk;
use super::server::{Ctx, not_writeable};

/// Answers `upload`.
pub(super) fn upload(ctx: &Ctx<'_>) -> Answer {
    let params = &ctx.call.params;
    if ctx.call.dropped {
        return Answer::text("Warning, missing headers!");
    }
    let form = params.get("force_post") == Some("true");
    let sent = match (
        form,
        params.get("urlencoded_filename"),
        ctx.call.header("x-file-name"),
    ) {
        (_, Some(name), _) => Some(raw_decode(name)),
        (false, None, Some(name)) => Some(name.to_owned()),
        (true, None, _) => Some("file".to_owned()),
        (false, None, None) => None,
    };
    let Some(sent) = sent.filter(|_| form || !is_multipart(ctx)) else {
        return Answer::text("Warning, missing headers!");
    };
    if !form {
        let size = ctx
            .call
            .header("x-file-size")
            .and_then(|size| size.parse().ok());
        if size.is_some() && size != ctx.call.length {
            return Answer::text("Warning, wrong headers");
        }
    }
    let folder = ctx.call.after_segment(ctx.quirks());
    let quiet = !form && !params.has("xhr_uploader");
    match stored(ctx, &folder, &sent, quiet) {
        Ok(answer) => answer,
        Err((code, text)) => refused(ctx, code, &text),
    }
}

/// An upload that is refused, with its code.
fn refused(ctx: &Ctx<'_>, code: u16, text: &str) -> Answer {
    let mut answer = Answer::text(format!("{text} ({code})"));
    if ctx.quirks().has(Quirk::StatusFromCode) {
        answer.headers = vec![("Content-Type", "text/plain; charset=UTF-8".to_owned())];
    }
    answer
}

type Refusal = (u16, String);

fn stored(ctx: &Ctx<'_>, folder: &str, sent: &str, quiet: bool) -> Result<Answer, Refusal> {
    let params = &ctx.call.params;
    if !ctx.place.is_folder(folder) {
        return Err((412, format!("{}.", not_writeable("directory", folder))));
    }
    let upload = checked(ctx, ctx.call.upload.as_ref())?;
    let name = good_name(ctx, sent)?;
    let partial = params.get("partial_upload") == Some("true");
    let append = params.get("appendto_urlencoded_part");
    let target = match append {
        Some(part) => names::join(folder, &good_name(ctx, &raw_decode(part))?),
        None => names::join(folder, &name),
    };
    ctx.room_for(upload.length).map_err(|text| (507, text))?;
    if let Some(text) = ctx.locked(&target) {
        return Err((507, text.to_owned()));
    }
    let failed = |error: io::Error| (411, format!("{name}: {error}"));
    match (append, partial) {
        (Some(_), true) => chunk(ctx, upload, &names::join(folder, &name), &target).map_err(failed),
        (Some(_), false) => in_place(ctx, upload, &target).map_err(failed),
        (None, true) => {
            let part = format!("{target}{PART}");
            upload
                .store(&ctx.server.spool, &ctx.place.at(&part))
                .map_err(failed)?;
            Ok(Answer::tree(""))
        }
        (None, false) => whole(ctx, upload, folder, &name, quiet).map_err(failed),
    }
}

fn checked<'a>(ctx: &Ctx<'_>, upload: Option<&'a Upload>) -> Result<&'a Upload, Refusal> {
    let max = ctx.server.options.upload_max;
    match upload {
        None => Err((410, "You must select a file".to_owned())),
        Some(upload) if upload.length == 0 => Err((410, "You must select a file".to_owned())),
        Some(upload) if upload.length > max => {
            let max = max / (1024 * 1024);
            Err((
                409,
                format!("File is too large! Maximum authorized size is {max}M"),
            ))
        }
        Some(upload) => Ok(upload),
    }
}

fn good_name(ctx: &Ctx<'_>, sent: &str) -> Result<String, Refusal> {
    let name = names::upload(ctx.quirks(), sent);
    if name.is_empty() || name.starts_with('.') {
        return Err((411, format!("{name} Forbidden")));
    }
    if names::refused(ctx.quirks(), &name) {
        return Err((411, format!("{name} contains forbidden characters")));
    }
    Ok(name)
}

/// A file in one request.
fn whole(
    ctx: &Ctx<'_>,
    upload: &Upload,
    folder: &str,
    name: &str,
    quiet: bool,
) -> io::Result<Answer> {
    let mut target = names::join(folder, name);
    let mut known = ctx.place.stat(&target).is_some();
    if known && ctx.call.params.get("auto_rename") == Some("true") {
        target = names::join(folder, &ctx.place.free_name(folder, name));
        known = false;
    }
    let path = ctx.place.at(&target);
    upload.store(&ctx.server.spool, &path)?;
    if quiet {
        return Ok(Answer::empty());
    }
    finished(ctx, &target, Some(upload.md5.clone()), known)
}

/// Tells the index and the client of a file that is complete.
fn finished(ctx: &Ctx<'_>, target: &str, md5: Option<String>, known: bool) -> io::Result<Answer> {
    // An unfinished upload that is sent under its own name is no node of the feed.
    if !target.ends_with(PART) {
        let facts = ctx.place.facts(target, md5)?;
        let path = target.to_owned();
        ctx.note(if known {
            ctx.server.hashes.forget(&ctx.place.at(target));
            Event::Content { path, facts }
        } else {
            Event::Create { path, facts }
        });
    }
    let mut diff = Diff::default();
    if let Some(stat) = ctx.place.stat(target) {
        let shown = node::element(target, &stat, Style::Diff, "");
        *(if known {
            &mut diff.update
        } else {
            &mut diff.add
        }) = shown;
    }
    Ok(Answer::tree(&diff.xml()))
}

/// A further chunk: stored under its own name, appended to the part, and taken away.
fn chunk(ctx: &Ctx<'_>, upload: &Upload, own: &str, target: &str) -> io::Result<Answer> {
    if ctx.quirks().has(Quirk::Clobber) {
        let path = ctx.place.at(own);
        upload.store_copy(&path)?;
        fs::remove_file(&path)?;
    }
    let part = format!("{target}{PART}");
    let path = ctx.place.at(&part);
    if !path.exists() {
        let id = &ctx.place.id;
        return Ok(Answer::error(&format!(
            "filesize(): stat failed for pydio://{id}{part}"
        )));
    }
    upload.append(&path)?;
    let announced = ctx.call.params.get("partial_target_bytesize");
    let size = fs::metadata(&path)?.len();
    if announced.and_then(|size| size.parse().ok()) != Some(size) {
        return Ok(Answer::tree(""));
    }
    let known = ctx.place.stat(target).is_some();
    fs::rename(&path, ctx.place.at(target))?;
    finished(
        ctx,
        target,
        None,
        known && !ctx.quirks().has(Quirk::ManyIds),
    )
}

/// Appends to a file that is there.
fn in_place(ctx: &Ctx<'_>, upload: &Upload, target: &str) -> io::Result<Answer> {
    let path = ctx.place.at(target);
    if !path.exists() {
        let id = &ctx.place.id;
        return Ok(Answer::error(&format!(
            "filesize(): stat failed for pydio://{id}{target}"
        )));
    }
    upload.append(&path)?;
    finished(ctx, target, None, true)
}

fn is_multipart(ctx: &Ctx<'_>) -> bool {
    ctx.call
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("multipart/"))
}

/// Decodes a name inside a field; a plus stays one.
fn raw_decode(name: &str) -> String {
    plus_decode(&name.replace('+', "%2B"))
}
