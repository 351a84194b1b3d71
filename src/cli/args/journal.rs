//! The flags of `journal`: one struct a command.
//!
//! In: arguments. Out: typed values. Invariant: a journal is named in one way, by
//! [`Named`]. Deliberately absent: what the commands do (`cli::journal`, a file each).
//! A new command is a variant of [`JournalCommand`], an arm of `cli::journal::run` and a
//! row in `README.md`.

use super::relative;
use super::views::{Compare, ExplainIn, Minimize, Replay, Tree, WhatIf};
use clap::{Args as Group, Subcommand};
use journal_format::Tag;
use journal_format::value::RelPath;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum JournalCommand {
    /// Tell what a journal holds and what takes space.
    #[command(after_help = "Example:\n  pydio-sync journal stat documents")]
    Stat(Named),
    /// Check every record, checksum and digest, and that none is missing.
    #[command(
        after_help = "Exit codes: 0 whole, 7 damaged (each damage is listed, with what was \
        expected).\n\nExamples:\n  pydio-sync journal verify documents\n  \
        pydio-sync journal verify documents.pydiojournal --json"
    )]
    Verify(Named),
    /// Write a journal into one file, to be kept, moved or shown to somebody.
    #[command(
        after_help = "With --redact a reader can replay everything and learns no name, no \
        content, no host and no user: each is replaced by a pseudonym under a key that is \
        thrown away. What stays: sizes, times, common extensions, two bytes of each content \
        hash.\n\nExamples:\n  pydio-sync journal export documents documents.pydiojournal\n  \
        pydio-sync journal export documents for-the-bug-report.pydiojournal --redact"
    )]
    Export(Export),
    /// Make an exported journal a job's journal again, where the job has none.
    #[command(
        after_help = "Events may have followed after the export, so the next run looks at both \
        sides anew and deletes nothing until `pydio-sync approve`.\n\nExample:\n  pydio-sync \
        journal import documents.pydiojournal"
    )]
    Import(Import),
    /// Make a damaged journal usable again, as far as it can be read.
    #[command(
        after_help = "The damaged files are moved to the job's `aside` folder, never deleted. The \
        next run looks at both sides anew and deletes nothing until `pydio-sync approve`.\n\n\
        Example:\n  pydio-sync journal salvage documents --out documents.pydiojournal"
    )]
    Salvage(Salvage),
    /// Print a journal's events, one a line.
    #[command(
        after_help = "Examples:\n  pydio-sync journal cat documents --from 1000 --to 1100\n  \
        pydio-sync journal cat documents.pydiojournal --path letters/draft.txt --json\n  \
        pydio-sync journal cat --type gone --type operation_failed"
    )]
    Cat(Cat),
    /// Tell what happened to a path, and why.
    #[command(
        allow_missing_positional = true,
        after_help = "Example:\n  pydio-sync journal explain documents.pydiojournal letters/draft.txt"
    )]
    Explain(ExplainIn),
    /// Find the fewest events that still show something, as a journal of their own.
    #[command(
        after_help = "Conditions: conflict:PATH, operation:KIND[:PATH] (upload, download, \
        make_directory, move, remove, hash, adopt), rule:LETTER, halt, digest-mismatch.\n\nExample:\n  \
        pydio-sync journal minimize documents --keep conflict:letters/draft.txt --out \
        small.pydiojournal --fixture small.jsonl"
    )]
    Minimize(Minimize),
    /// Fold a journal again and show what is planned at each decision point; with a path
    /// or `--step`, each event with the three trees beside one another.
    #[command(
        after_help = "Exit codes: 0, or 7 when a digest in the journal is not that of its \
        events.\n\nExamples:\n  pydio-sync journal replay documents --until 1200\n  pydio-sync \
        journal replay documents.pydiojournal --path letters --step"
    )]
    Replay(Replay),
    /// Print what a side held after an event.
    #[command(
        after_help = "Example:\n  pydio-sync journal tree documents --at 1200 --side remote --path letters"
    )]
    Tree(Tree),
    /// Tell where two releases plan otherwise over one journal.
    #[command(
        after_help = "Exit codes: 0 the same, 4 something differs.\n\nExample:\n  pydio-sync-1.0 \
        journal replay documents.pydiojournal --json > old\n  pydio-sync journal compare old \
        documents.pydiojournal"
    )]
    Compare(Compare),
    /// Tell what other choices would have changed: nothing is read but the journal.
    #[command(
        after_help = "Compared are the plan of the last state, and the plans of all decision \
        points on the way. What the job's own filter left out is not in the journal, so a filter \
        given here leaves out more.\n\nExamples:\n  pydio-sync journal what-if documents \
        --exclude '*.iso'\n  pydio-sync journal what-if documents --conflict local --direction up"
    )]
    WhatIf(WhatIf),
}

/// Which journal.
#[derive(Debug, Clone, Group)]
pub(in crate::cli) struct Named {
    /// A job, by its id or label, or a portable journal file; may be left out when only
    /// one job is known.
    #[arg(value_name = "JOB|FILE")]
    pub(in crate::cli) journal: Option<String>,
}

/// A part of a journal.
#[derive(Debug, Clone, Group)]
pub(in crate::cli) struct Range {
    /// The first event.
    #[arg(long, value_name = "SEQ", default_value = "1")]
    pub(in crate::cli) from: u64,
    /// The last event [default: the newest].
    #[arg(long, value_name = "SEQ")]
    pub(in crate::cli) to: Option<u64>,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Cat {
    #[command(flatten)]
    pub(in crate::cli) named: Named,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
    /// Only what happened to a path, folders above it included.
    #[arg(long, value_name = "PATH", value_parser = relative)]
    pub(in crate::cli) path: Option<RelPath>,
    /// Only events of this type; may be given several times.
    #[arg(long, value_name = "TYPE", value_parser = event_type)]
    pub(in crate::cli) r#type: Vec<Tag>,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Export {
    /// A job, by its id or label, or a portable journal file.
    #[arg(value_name = "JOB|FILE")]
    pub(in crate::cli) journal: String,
    /// The file to write; nothing may be there.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// Replace names, hosts, users and contents' hashes by pseudonyms.
    #[arg(long)]
    pub(in crate::cli) redact: bool,
    #[command(flatten)]
    pub(in crate::cli) range: Range,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Import {
    /// The file that `export` wrote.
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    /// The job that gets it [default: the one that it was exported from].
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) job: Option<String>,
}

#[derive(Debug, Group)]
pub(in crate::cli) struct Salvage {
    /// The job's id or label; may be left out when only one is known.
    pub(in crate::cli) job: Option<String>,
    /// A copy of what was kept, as a portable file.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

fn event_type(text: &str) -> Result<Tag, String> {
    let tag = Tag::ALL.iter().find(|tag| tag.name() == text);
    tag.copied().ok_or_else(|| {
        let names: Vec<_> = Tag::ALL.iter().map(|tag| tag.name()).collect();
        format!("types are {}", names.join(", "))
    })
}
