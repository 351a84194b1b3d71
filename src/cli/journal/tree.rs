//! `journal tree`: what a side held after an event.
//!
//! In: a journal, an event's number. Out: a line a node. Invariant: the fold of the
//! events up to that number and no others. Deliberately absent: content.

use super::source;
use crate::cli::args::Args;
use crate::cli::args::views::{Facet, Tree};
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::text::{plain, size};
use crate::journal::text::hex;
use journal_format::value::{Kind, Seq, Side};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use sync_core::look::{Column, rows};

/// Prints a tree.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Tree) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    flags.at.map_or(Ok(()), |at| source.reaches(Seq(at)))?;
    let until = flags.at.map_or(Seq(u64::MAX), Seq);
    let mut engine = source.engine(until)?;
    for read in source.records(Seq(1))? {
        let record = read.map_err(|error| source.fault(error))?;
        if record.seq > until {
            break;
        }
        engine.replay(&record);
    }
    let column = match flags.side {
        Facet::Local => Column::Side(Side::Local),
        Facet::Remote => Column::Side(Side::Remote),
        Facet::Synced => Column::Synced,
    };
    let mut out = print::much();
    let shown = rows(engine.state(), column).into_iter().filter(|row| {
        flags
            .path
            .as_ref()
            .is_none_or(|path| row.path.is_within(path))
    });
    let mut is_empty = true;
    for row in shown {
        is_empty = false;
        let digest = row.digest.as_ref().map(|digest| hex(digest.bytes()));
        let line = if args.common.json {
            json!({
                "type": "node", "path": row.path.as_str(), "kind": row.kind, "size": row.size,
                "unknown": row.unknown, "digest": digest,
            })
            .to_string()
        } else {
            let mark = if row.unknown { "  (not known now)" } else { "" };
            let what = match row.kind {
                Kind::File => size(row.size),
                Kind::Directory => "folder".to_owned(),
                Kind::Symlink => "link".to_owned(),
            };
            let digest = digest.as_deref().map_or("-", |digest| &digest[..8]);
            format!(
                "{what:>12}  {digest:>8}  {}{mark}",
                plain(row.path.as_str())
            )
        };
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    out.flush().ok();
    if let Some(path) = flags.path.as_ref().filter(|_| is_empty) {
        let path = plain(path.as_str());
        print::words(&format!("nothing was at `{path}` on this side then"));
    }
    Ok(source.exit())
}
