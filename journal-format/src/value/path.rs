//! Paths relative to a root.
//!
//! In: text from disks, servers and journals. Out: a path, or the rule it breaks.
//! Invariant: no value of this type leads out of its root. Deliberately absent:
//! normalisation and case, which belong to comparing (`sync-core: tree/names.rs`).

use super::{NAME_BYTES_MAX, PATH_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A path below a root: names joined by `/`, in UTF-8; empty for the root itself.
///
/// It cannot leave the root: no name is empty, `.` or `..`, none holds `/` or
/// NUL, and it never starts with `/`. Names keep the bytes their side gave them
/// (no Unicode normalisation).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Why a text is no [`RelPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// The path has more than [`PATH_BYTES_MAX`] bytes.
    PathTooLong,
    /// A name has more than [`NAME_BYTES_MAX`] bytes.
    NameTooLong,
    /// A name is empty, so the path starts or ends with `/` or doubles it.
    EmptyName,
    /// A name is `.` or `..`.
    DotName,
    /// A name holds NUL or, where a single name is asked for, `/`.
    ForbiddenCharacter,
}

impl RelPath {
    /// The root itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Parses a path.
    ///
    /// # Errors
    /// The first rule of the type that the text breaks.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        if text.is_empty() {
            return Ok(Self::root());
        }
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::PathTooLong);
        }
        text.split('/').try_for_each(check_name)?;
        Ok(Self(text))
    }

    /// Appends one name.
    ///
    /// # Errors
    /// The name or the longer path breaks a rule of the type.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_name(name)?;
        if self.0.is_empty() {
            return Ok(Self(name.to_owned()));
        }
        let length = self.0.len().saturating_add(name.len()).saturating_add(1);
        if length > PATH_BYTES_MAX {
            return Err(PathError::PathTooLong);
        }
        let mut text = String::with_capacity(length);
        text.push_str(&self.0);
        text.push('/');
        text.push_str(name);
        Ok(Self(text))
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether this is the root itself.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// Returns the last name, or nothing for the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.split().map(|(_, name)| name)
    }

    /// Returns the directory that holds this path, or nothing for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.split().map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Returns the parent's text and the last name, or nothing for the root.
    #[must_use]
    pub fn split(&self) -> Option<(&str, &str)> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.rsplit_once('/').unwrap_or(("", &self.0)))
    }

    /// Tells whether `self` is `ancestor` or lies below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        ancestor.is_root()
            || self
                .0
                .strip_prefix(ancestor.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn check_name(name: &str) -> Result<(), PathError> {
    if name.is_empty() {
        Err(PathError::EmptyName)
    } else if name == "." || name == ".." {
        Err(PathError::DotName)
    } else if name.len() > NAME_BYTES_MAX {
        Err(PathError::NameTooLong)
    } else if name.bytes().any(|byte| byte == 0 || byte == b'/') {
        Err(PathError::ForbiddenCharacter)
    } else {
        Ok(())
    }
}

impl TryFrom<String> for RelPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PathTooLong => "a path of more than 4095 bytes",
            Self::NameTooLong => "a name of more than 255 bytes",
            Self::EmptyName => "an empty name in a path",
            Self::DotName => "`.` or `..` in a path",
            Self::ForbiddenCharacter => "a name with NUL or `/`",
        })
    }
}

impl std::error::Error for PathError {}
