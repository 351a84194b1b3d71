//! PROPFIND: listings, and what a fault makes of them.
//!
//! In: a call, the tree, a fault. Out: a multistatus. Invariant: without a fault a listing
//! has the node itself and each child once, but for names that the server hides.
//! Deliberately absent: pages, which no server has.

use std::fmt::Write as _;

use super::answer::{Answer, DECLARATION, escape, reason};
use super::call::Call;
use super::faults::Fault;
use super::hrefs;
use super::names::Named;
use super::props::{self, About, DAV, NC, Name, OC, Wanted};
use super::quirks::{Quirks, Redirects};
use super::tree::Node;

/// One `response` before it is written.
pub(super) struct Row {
    /// Encoded, not escaped.
    pub(super) href: String,
    /// The last segment, for faults; empty for the node itself.
    name: String,
    /// What it has, what it lacks.
    found: Vec<(Name, String)>,
    missing: Vec<Name>,
    /// Only a status, in place of properties.
    status: Option<u16>,
    /// The status of what was found.
    propstat: u16,
}

impl Row {
    /// A row with these properties, for listings of what is not in the tree.
    pub(super) fn of(href: String, found: Vec<(Name, String)>) -> Self {
        Self {
            href,
            name: String::new(),
            found,
            missing: Vec::new(),
            status: None,
            propstat: 200,
        }
    }
}

/// Answers PROPFIND below the files' root.
pub(super) fn listing(
    about: &About<'_>,
    call: &Call,
    named: &Named,
    root: &str,
    fault: Option<&Fault>,
) -> Answer {
    let (quirks, path) = (about.quirks, &named.segments);
    let Some(node) = about.tree.find(path) else {
        return Answer::status(404);
    };
    if node.is_folder() && !named.slash && quirks.redirects == Redirects::Slash {
        return Answer::page(301, "Moved").with("Location", format!("{}/", call.path()));
    }
    let depth = match call.header("depth").unwrap_or("infinity") {
        "0" => 0,
        "1" => 1,
        _ if quirks.infinity => usize::MAX,
        _ => return Answer::status(403),
    };
    let wanted = match props::wanted(&call.body) {
        None => return Answer::status(400),
        Some(Wanted::All | Wanted::Names) => None,
        Some(Wanted::These(names)) => Some(names),
    };
    let lister = Lister {
        about,
        root,
        host: call.header("host").unwrap_or(""),
        all: wanted.is_none(),
        wanted: wanted.unwrap_or_else(|| props::all(quirks)),
    };
    let mut rows = Vec::new();
    lister.walk(node, &mut path.clone(), depth, &mut rows);
    if let Some(own) = rows.first_mut() {
        own.name.clear();
        if quirks.hrefs.own_as_asked {
            call.path().clone_into(&mut own.href);
        }
    }
    spoil(&mut rows, fault);
    let extra = match fault {
        Some(Fault::Inserted(text)) => text.as_str(),
        _ => "",
    };
    multistatus(quirks, &rows, extra)
}

struct Lister<'a> {
    about: &'a About<'a>,
    root: &'a str,
    host: &'a str,
    all: bool,
    wanted: Vec<Name>,
}

impl Lister<'_> {
    fn walk(&self, node: &Node, path: &mut Vec<String>, depth: usize, rows: &mut Vec<Row>) {
        rows.push(self.row(node, path));
        if depth == 0 {
            return;
        }
        for child in self.about.tree.children(node) {
            if self.about.quirks.hides(&child.name) {
                continue;
            }
            path.push(child.name.clone());
            self.walk(child, path, depth - 1, rows);
            path.pop();
        }
    }

    fn row(&self, node: &Node, path: &[String]) -> Row {
        let quirks = self.about.quirks;
        let href = hrefs::href(quirks, self.host, self.root, path, node.is_folder());
        let mut row = Row::of(href, Vec::new());
        row.name.clone_from(&node.name);
        for name in &self.wanted {
            match self.about.value(node, name) {
                Some(value) => row.found.push((name.clone(), value)),
                None if self.all || !quirks.tells_missing => {}
                None => row.missing.push(name.clone()),
            }
        }
        row
    }
}

/// Does to a listing what a fault says.
fn spoil(rows: &mut Vec<Row>, fault: Option<&Fault>) {
    let about = |row: &&mut Row, name: &str| row.name == name;
    match fault {
        Some(Fault::EmptyListing) => rows.truncate(1),
        Some(Fault::NoSelf) => drop(rows.drain(..1)),
        Some(Fault::Twice) => {
            let again = rows.iter().skip(1).map(|row| Row {
                name: row.name.clone(),
                missing: row.missing.clone(),
                ..Row::of(row.href.clone(), row.found.clone())
            });
            let again: Vec<_> = again.collect();
            rows.extend(again);
        }
        Some(Fault::ChildStatus(name, status)) => {
            for row in rows.iter_mut().filter(|row| about(row, name)) {
                row.status = Some(*status);
            }
        }
        Some(Fault::ChildPropstat(name, status)) => {
            for row in rows.iter_mut().filter(|row| about(row, name)) {
                row.propstat = *status;
            }
        }
        Some(Fault::ChildLacks(name, lost)) => {
            for row in rows.iter_mut().filter(|row| about(row, name)) {
                row.found.retain(|(known, _)| !lost.contains(&known.local));
                row.missing.retain(|known| !lost.contains(&known.local));
            }
        }
        Some(Fault::ChildHref(name, href)) => {
            for row in rows.iter_mut().filter(|row| about(row, name)) {
                row.href.clone_from(href);
            }
        }
        Some(Fault::ChildEtag(name, etag)) => {
            for row in rows.iter_mut().filter(|row| about(row, name)) {
                for (known, value) in &mut row.found {
                    if known.local == "getetag" {
                        *value = escape(etag);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Writes the document in the server's manner.
pub(super) fn multistatus(quirks: &Quirks, rows: &[Row], extra: &str) -> Answer {
    // Apache writes its frame with one prefix and the properties with another.
    let frame = if quirks.prefix == "lp1" {
        "D"
    } else {
        quirks.prefix
    };
    let p = if frame.is_empty() {
        String::new()
    } else {
        format!("{frame}:")
    };
    let spaces = Spaces { quirks };
    let mut xml = format!("{DECLARATION}\n<{p}multistatus {}>", spaces.declared());
    for row in rows {
        let href = escape(&row.href);
        put(
            &mut xml,
            format_args!("<{p}response><{p}href>{href}</{p}href>"),
        );
        if let Some(status) = row.status {
            let line = format!("HTTP/1.1 {status} {}", reason(status));
            put(&mut xml, format_args!("<{p}status>{line}</{p}status>"));
        } else {
            let found = row.found.iter().map(|(name, value)| (name, value.as_str()));
            propstat(&mut xml, &p, &spaces, found, row.propstat);
            if !row.missing.is_empty() {
                let missing = row.missing.iter().map(|name| (name, ""));
                propstat(&mut xml, &p, &spaces, missing, 404);
            }
        }
        put(&mut xml, format_args!("</{p}response>\n"));
    }
    xml.push_str(extra);
    put(&mut xml, format_args!("</{p}multistatus>\n"));
    Answer::empty(207)
        .with("Content-Type", "application/xml; charset=utf-8")
        .body(xml)
}

fn propstat<'a>(
    xml: &mut String,
    p: &str,
    spaces: &Spaces<'_>,
    values: impl Iterator<Item = (&'a Name, &'a str)>,
    status: u16,
) {
    put(xml, format_args!("<{p}propstat><{p}prop>"));
    for (name, value) in values {
        let (tag, more) = spaces.tag(name);
        if value.is_empty() {
            put(xml, format_args!("<{tag}{more}/>"));
        } else {
            put(xml, format_args!("<{tag}{more}>{value}</{tag}>"));
        }
    }
    let line = format!("HTTP/1.1 {status} {}", reason(status));
    put(
        xml,
        format_args!("</{p}prop><{p}status>{line}</{p}status></{p}propstat>"),
    );
}

/// Prefixes of namespaces in one document.
struct Spaces<'a> {
    quirks: &'a Quirks,
}

impl Spaces<'_> {
    fn declared(&self) -> String {
        let own = match self.quirks.prefix {
            "" => format!("xmlns=\"{DAV}\""),
            "lp1" => format!("xmlns:D=\"{DAV}\" xmlns:lp1=\"{DAV}\""),
            prefix => format!("xmlns:{prefix}=\"{DAV}\""),
        };
        format!("{own} xmlns:oc=\"{OC}\" xmlns:nc=\"{NC}\"")
    }

    /// The tag of a property, and what has to be declared with it.
    fn tag(&self, name: &Name) -> (String, String) {
        let (space, local) = (name.space.as_str(), &name.local);
        match (space, self.quirks.prefix) {
            (DAV, "") => (local.clone(), String::new()),
            (DAV, prefix) => (format!("{prefix}:{local}"), String::new()),
            (OC, _) => (format!("oc:{local}"), String::new()),
            (NC, _) => (format!("nc:{local}"), String::new()),
            _ => (local.clone(), format!(" xmlns=\"{}\"", escape(space))),
        }
    }
}

/// A String takes everything that is written to it.
fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    let written = xml.write_fmt(text);
    debug_assert!(written.is_ok());
}
