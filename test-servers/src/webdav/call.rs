//! A request as it came, and which room of the server it is about.
//!
//! In: method, target, headers, a body. Out: [`Call`]. Invariant: a path is decoded once,
//! here. Deliberately absent: what it does.

use bytes::Bytes;
use hyper::HeaderMap;

use super::names::{self, Named};

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: String,
    /// As it came, with the query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) place: Place,
}

/// What a target is about.
#[derive(Clone)]
pub(super) enum Place {
    /// Below the files' root.
    Files(Named),
    /// Below the folder of unfinished uploads.
    Uploads(Named),
    /// The rest of Nextcloud, by what follows its base.
    Web(String),
    /// Outside of everything, or not a path.
    Elsewhere,
}

/// Where things are on a server.
pub(super) struct Map<'a> {
    pub(super) base: &'a str,
    pub(super) root: &'a str,
    /// Another path to the same files.
    pub(super) alias: Option<String>,
    pub(super) uploads: Option<String>,
}

impl Map<'_> {
    /// Finds what a path (encoded, without a query) is about.
    pub(super) fn place(&self, path: &str) -> Place {
        let below = |root: &str| {
            let rest = path.strip_prefix(root)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| names::parse(rest))
        };
        let alias = self.alias.as_deref().and_then(below);
        if let Some(named) = below(self.root).or(alias) {
            return named.map_or(Place::Elsewhere, Place::Files);
        }
        if let Some(named) = self.uploads.as_deref().and_then(below) {
            return named.map_or(Place::Elsewhere, Place::Uploads);
        }
        match path.strip_prefix(self.base) {
            Some(rest) if self.uploads.is_some() => Place::Web(rest.to_owned()),
            _ => Place::Elsewhere,
        }
    }

    /// The files' segments that a `Destination` header names; `Err` is the status if it
    /// leads elsewhere.
    pub(super) fn destination(&self, call: &Call) -> Result<Named, u16> {
        let text = call.header("destination").ok_or(400_u16)?;
        let path = match text.split_once("://") {
            Some((_, rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                if call.header("host") != Some(host) {
                    return Err(502);
                }
                path
            }
            None => text,
        };
        match self.place(path) {
            Place::Files(named) => Ok(named),
            Place::Uploads(_) | Place::Web(_) | Place::Elsewhere => Err(403),
        }
    }
}

impl Call {
    /// The path without a query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or("")
    }

    /// A header by its name in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// A header that is a number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let text = self.header(name)?;
        text.split('.').next()?.trim().parse().ok()
    }

    /// What rules and the log call it by.
    pub(super) fn subject(&self) -> String {
        let joined = |named: &Named| format!("/{}", named.segments.join("/"));
        match &self.place {
            Place::Files(named) => joined(named),
            Place::Uploads(named) => format!("uploads:{}", joined(named)),
            Place::Web(rest) => format!("web:{rest}"),
            Place::Elsewhere => format!("elsewhere:{}", self.path()),
        }
    }
}
