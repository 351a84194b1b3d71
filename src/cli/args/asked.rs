//! A path that a person asks about, as it is typed or as a shell completes it.
//!
//! In: a text; a job's local folder. Out: a path below that folder. Invariant: what is
//! not below it is refused, never taken for something that is. Deliberately absent:
//! whether anything is there.

use super::relative;
use crate::cli::exit::Failure;
use crate::cli::text::plain;
use journal_format::value::RelPath;
use std::path::{Component, Path, PathBuf};

/// A path below the folder, or one from the root of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Asked {
    Below(RelPath),
    Absolute(PathBuf),
}

/// Parses a path for `explain`.
pub(super) fn asked(text: &str) -> Result<Asked, String> {
    if text.starts_with('/') {
        Ok(Asked::Absolute(PathBuf::from(text)))
    } else {
        relative(text).map(Asked::Below)
    }
}

impl Asked {
    /// Finds the path below a job's local folder, if that is known.
    ///
    /// # Errors
    /// It is not below it.
    pub(in crate::cli) fn below(&self, folder: Option<&Path>) -> Result<RelPath, Failure> {
        let path = match self {
            Self::Below(path) => return Ok(path.clone()),
            Self::Absolute(path) => path,
        };
        let shown = |path: &Path| plain(&path.to_string_lossy());
        let Some(folder) = folder else {
            let message = format!(
                "`{}` is absolute, and where the local folder was is not known",
                shown(path)
            );
            return Err(Failure::usage(message, "name the path below the folder"));
        };
        let found = rest(path, folder)
            // The folder, or the way to it, may be a link.
            .or_else(|| rest(&resolved(path)?, &folder.canonicalize().ok()?))
            .and_then(|rest| relative(rest.to_str()?).ok());
        found.ok_or_else(|| {
            let message = format!(
                "`{}` is not in the local folder `{}`",
                shown(path),
                shown(folder)
            );
            let hint = "name something in it, or the path below it without a `/` in front";
            Failure::usage(message, hint)
        })
    }
}

fn rest(path: &Path, folder: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(folder).ok()?;
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    rest.components().all(is_plain).then(|| rest.to_owned())
}

/// Follows links as far as the path is there; what was deleted is not.
fn resolved(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find_map(|above| {
        let there = above.canonicalize().ok()?;
        Some(there.join(path.strip_prefix(above).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_the_folder_or_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("docs");
        std::fs::create_dir(&folder).expect("a folder");
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).expect("a link");
        let at = |base: &Path, rest: &str| format!("{}{rest}", base.display());
        let table = [
            ("a/b".to_owned(), Some("a/b")),
            ("./a//b/".to_owned(), Some("a/b")),
            (at(&folder, "/a/b"), Some("a/b")),
            (at(&folder, "/./a/b/"), Some("a/b")),
            (at(&link, "/gone/b"), Some("gone/b")),
            (at(&folder, ""), None),
            (at(&folder, "/../x"), None),
            (at(place.path(), "/docs2/a"), None),
            ("/a/b".to_owned(), None),
        ];
        for (text, expected) in table {
            let path = asked(&text).expect("a path").below(Some(&folder));
            let path = path.as_ref().map(RelPath::as_str).ok();
            assert_eq!(path, expected, "{text}");
        }
        assert!(asked("../a").is_err());
        assert!(asked("/a/b").expect("a path").below(None).is_err());
    }
}
