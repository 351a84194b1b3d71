//! The rules of the tree that the compiler cannot check.
//!
//! In: every file of the workspace that version control would keep. Out: findings
//! as `path:line: rule: what to do instead`, sorted. Invariant: a rule is a pure
//! function of [`Tree`], so each one is tested on a tree made of strings; the
//! workspace itself is checked by `cargo test`. Deliberately absent: whatever
//! rustc, clippy or rustfmt can say. A crash leaves nothing behind.
//! The next one: a function `fn(&Tree) -> Vec<Finding>` and its line in [`RULES`].

mod documents;
mod imports;
mod settings;
mod shape;
mod source;
mod suite;
mod table;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tree::Tree;

/// What `tools tidy` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The workspace to check; without it, the one this binary was built from.
    #[arg(long)]
    root: Option<PathBuf>,
}

/// One broken rule, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    instead: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, instead: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            rule,
            instead: instead.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            rule,
            instead,
        } = self;
        write!(f, "{path}:{line}: {rule}: {instead}")
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [Rule; 16] = [
    imports::rooms_keep_to_their_row,
    imports::rooms_name_nothing_forbidden,
    shape::files_are_short,
    shape::modules_open_with_a_header,
    shape::words_are_final,
    shape::sleeping_is_for_adapters,
    suite::matches_is_asserted,
    suite::tests_run,
    suite::files_are_listed,
    documents::architecture_is_true,
    documents::format_names_every_tag,
    documents::changelog_has_its_sections,
    documents::readme_names_real_flags,
    settings::frozen_files_are_unchanged,
    settings::settings_agree,
    settings::no_machine_paths,
];

/// Prints the findings; exit code 1 if there are any.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    let root = args.root.clone().unwrap_or_else(workspace);
    let tree = match Tree::read(&root) {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("cannot read {}: {error}", root.display());
            return ExitCode::from(2);
        }
    };
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        eprintln!("tidy: {} files, nothing to say", tree.len());
        ExitCode::SUCCESS
    } else {
        eprintln!("tidy: {} findings", findings.len());
        ExitCode::FAILURE
    }
}

/// Every finding of every rule, sorted by place.
fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings.dedup();
    findings
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies inside the workspace")
        .to_owned()
}
