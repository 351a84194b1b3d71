//! A request as the server sees it: workspace, action, parameters.
//!
//! In: method, target, headers, fields. Out: a [`Call`]. Invariant: parameters bound from
//! the path win over those of the query and the body; a path parameter has passed
//! `names::parameter` and cannot lead out of a workspace. Deliberately absent: whether
//! the action exists. Quirks of the URL parser are here.

use hyper::HeaderMap;
use percent_encoding::percent_decode_str;

use super::form::Upload;
use super::names;
use super::quirks::{Quirk, Quirks};

/// One request.
pub(super) struct Call {
    /// The path as it came, with the base and without the query.
    pub(super) raw_path: String,
    pub(super) workspace: String,
    pub(super) action: String,
    /// What follows the action, decoded, without slashes at its ends.
    rest: String,
    pub(super) params: Params,
    pub(super) headers: HeaderMap,
    /// The file of a form, or the raw body.
    pub(super) upload: Option<Upload>,
    /// The length of the body as announced.
    pub(super) length: Option<u64>,
    /// The body was larger than the server reads: it has seen none of its fields.
    pub(super) dropped: bool,
}

impl Call {
    /// Reads the target; nothing if it is not below `<base>/api`.
    pub(super) fn parse(
        quirks: Quirks,
        base: &str,
        target: &str,
        headers: HeaderMap,
    ) -> Option<Self> {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let inside = path.strip_prefix(base)?.strip_prefix("/api")?;
        if !inside.is_empty() && !inside.starts_with('/') {
            return None;
        }
        let mut parts = inside.trim_start_matches('/').splitn(3, '/');
        let workspace = decode(quirks, parts.next().unwrap_or(""));
        let mut action = decode(quirks, parts.next().unwrap_or(""));
        let rest = parts.next();
        if let (None, Some(query), true) = (rest, query, quirks.has(Quirk::QueryInAction)) {
            action = format!("{action}?{query}");
        }
        let length = headers
            .get(hyper::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Some(Self {
            raw_path: path.to_owned(),
            workspace,
            action,
            rest: decode(quirks, rest.unwrap_or(""))
                .trim_matches('/')
                .to_owned(),
            params: Params::from_query(query.unwrap_or("")),
            headers,
            upload: None,
            length,
            dropped: false,
        })
    }

    /// The rest of the path as a node: `/a/b`, or `/` for the root.
    pub(super) fn node(&self, quirks: Quirks) -> String {
        names::parameter(quirks, &self.rest)
    }

    /// The first segment after the action.
    pub(super) fn segment(&self) -> &str {
        self.rest.split('/').next().unwrap_or("")
    }

    /// What follows the first segment after the action, as a node.
    pub(super) fn after_segment(&self, quirks: Quirks) -> String {
        names::parameter(
            quirks,
            self.rest.split_once('/').map_or("", |(_, rest)| rest),
        )
    }

    /// The whole rest, as it was decoded.
    pub(super) fn rest(&self) -> &str {
        &self.rest
    }

    /// A parameter that holds a path.
    pub(super) fn path_param(&self, quirks: Quirks, name: &str) -> Option<String> {
        self.params
            .get(name)
            .map(|value| names::parameter(quirks, value))
    }

    /// The nodes that a call selects: `file`, `file_0`..., `nodes[]`, each once.
    pub(super) fn selection(&self, quirks: Quirks) -> Vec<String> {
        self.selection_of(quirks, true)
    }

    /// The same with or without `nodes[]`.
    pub(super) fn selection_of(&self, quirks: Quirks, with_nodes: bool) -> Vec<String> {
        let mut nodes = Vec::new();
        for (name, value) in self.params.iter() {
            let numbered = name
                .strip_prefix("file_")
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            if name == "file" || (with_nodes && name == "nodes[]") || numbered {
                let node = names::parameter(quirks, value);
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
        nodes
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the agent is taken for an app of the server's makers.
    pub(super) fn is_native_app(&self) -> bool {
        self.header("user-agent").is_some_and(|agent| {
            [
                "python-requests",
                "Apache-HttpClient",
                "ajaxplorer-ios-client",
            ]
            .iter()
            .any(|known| agent.contains(known))
        })
    }

    /// What this is about, for the log and for fault rules.
    pub(super) fn subject(&self) -> String {
        let quirks = Quirks::none();
        match self.action.as_str() {
            "upload" => {
                let dir = self.after_segment(quirks);
                let name = self
                    .params
                    .get("appendto_urlencoded_part")
                    .or_else(|| self.params.get("urlencoded_filename"));
                match name {
                    Some(name) => names::join(&dir, &percent_decode_str(name).decode_utf8_lossy()),
                    None => dir,
                }
            }
            "changes" => format!("/{}", self.rest),
            "apply_check_hook" => self.after_segment(quirks),
            _ if self.rest.is_empty() => self
                .selection(quirks)
                .into_iter()
                .next()
                .unwrap_or_else(|| "/".to_owned()),
            _ => self.node(quirks),
        }
    }
}

/// Parameters in the order in which they came, names repeated.
#[derive(Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn from_query(query: &str) -> Self {
        let mut params = Self::default();
        params.add_query(query.as_bytes());
        params
    }

    /// Adds `name=value&...`.
    pub(super) fn add_query(&mut self, query: &[u8]) {
        let text = String::from_utf8_lossy(query);
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.add(plus_decode(name), plus_decode(value));
        }
    }

    pub(super) fn add(&mut self, name: String, value: String) {
        self.0.push((name, value));
    }

    /// Adds all of another set.
    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The last value of that name, which is the one that counts.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Decodes as a form does: a plus is a space.
pub(super) fn plus_decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

fn decode(quirks: Quirks, text: &str) -> String {
    if quirks.has(Quirk::PlusIsSpace) {
        plus_decode(text)
    } else {
        percent_decode_str(text).decode_utf8_lossy().into_owned()
    }
}
