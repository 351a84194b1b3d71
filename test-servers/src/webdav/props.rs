//! Properties: which ones a client wants, and what a node has for each.
//!
//! In: the body of a PROPFIND; nodes. Out: names, values as XML. Invariant: a value is
//! escaped when it leaves here. Deliberately absent: properties that clients set.

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::answer::escape;
use super::quirks::{FileEtags, Quirks};
use super::tree::{Node, Tree};
use super::versions::{http_date, iso_date};

/// A name with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) space: String,
    pub(super) local: String,
}

pub(super) const DAV: &str = "DAV:";
pub(super) const OC: &str = "http://owncloud.org/ns";
pub(super) const NC: &str = "http://nextcloud.org/ns";

/// What a PROPFIND asks for.
pub(super) enum Wanted {
    All,
    These(Vec<Name>),
    /// Only the names.
    Names,
}

/// Reads the body of a PROPFIND; nothing if it is not one.
pub(super) fn wanted(body: &[u8]) -> Option<Wanted> {
    if body.is_empty() {
        return Some(Wanted::All);
    }
    let mut reader = NsReader::from_str(std::str::from_utf8(body).ok()?);
    let (mut names, mut depth, mut inside) = (Vec::new(), 0, false);
    loop {
        let (space, event) = reader.read_resolved_event().ok()?;
        let start = match &event {
            Event::Start(start) | Event::Empty(start) => start,
            Event::End(_) => {
                depth -= 1;
                continue;
            }
            Event::Eof => break,
            _ => continue,
        };
        let space = match space {
            ResolveResult::Bound(space) => space.0.to_owned(),
            _ => String::new(),
        };
        let local = start.local_name().into_inner().to_owned();
        match depth {
            1 if space == DAV && local == "allprop" => return Some(Wanted::All),
            1 if space == DAV && local == "propname" => return Some(Wanted::Names),
            1 => inside = space == DAV && local == "prop",
            2 if inside => names.push(Name { space, local }),
            _ => {}
        }
        depth += i32::from(matches!(event, Event::Start(_)));
    }
    (!names.is_empty()).then_some(Wanted::These(names))
}

/// What `allprop` gives.
pub(super) fn all(quirks: &Quirks) -> Vec<Name> {
    let mut names = vec![
        "resourcetype",
        "creationdate",
        "getcontentlength",
        "getlastmodified",
        "getetag",
        "displayname",
        "getcontenttype",
    ];
    if quirks.nextcloud {
        // Sabre leaves these out unless they are asked for.
        names.retain(|name| !["displayname", "creationdate"].contains(name));
        names.push("quota-used-bytes");
        names.push("quota-available-bytes");
    } else {
        names.push("supportedlock");
    }
    let name = |local: &&str| Name {
        space: DAV.to_owned(),
        local: (*local).to_owned(),
    };
    names.iter().map(name).collect()
}

/// Everything that a value may depend on.
pub(super) struct About<'a> {
    pub(super) quirks: &'a Quirks,
    pub(super) tree: &'a Tree,
    pub(super) fingerprint: &'a str,
    pub(super) now: u64,
}

impl About<'_> {
    /// The value of a property as XML; nothing if the node has none.
    pub(super) fn value(&self, node: &Node, name: &Name) -> Option<String> {
        match name.space.as_str() {
            DAV => self.live(node, &name.local),
            OC if self.quirks.nextcloud => self.owncloud(node, &name.local),
            NC if self.quirks.nextcloud => self.nextcloud(node, &name.local),
            _ => None,
        }
    }

    fn live(&self, node: &Node, local: &str) -> Option<String> {
        let quirks = self.quirks;
        let is_file = !node.is_folder();
        match local {
            "resourcetype" if is_file => Some(String::new()),
            "resourcetype" if quirks.prefix.is_empty() => Some("<collection/>".to_owned()),
            // Apache declares a second prefix for its own properties, but not for this.
            "resourcetype" if quirks.prefix == "lp1" => Some("<D:collection/>".to_owned()),
            "resourcetype" => Some(format!("<{}:collection/>", quirks.prefix)),
            "getcontentlength" => is_file.then(|| node.len().to_string()),
            "getlastmodified" => Some(http_date(node.mtime)),
            // nginx has no such property.
            "creationdate" | "getcontenttype" if quirks.file_etags == FileEtags::Seconds => None,
            "creationdate" => Some(iso_date(node.birth)),
            "getcontenttype" => is_file.then(|| "application/octet-stream".to_owned()),
            "displayname" => Some(escape(&node.name)),
            "getetag" if !quirks.listed_etags => None,
            "getetag" => quirks
                .etag(node, self.now)
                .map(|etag| etag.listed(quirks.quotes)),
            "quota-available-bytes" if quirks.quota_unlimited => {
                node.is_folder().then(|| "-3".to_owned())
            }
            "quota-available-bytes" => {
                let left = quirks.quota?.saturating_sub(self.tree.used);
                Some(if is_file {
                    String::new()
                } else {
                    left.to_string()
                })
            }
            "quota-used-bytes" if quirks.quota_unlimited || quirks.quota.is_some() => {
                node.is_folder().then(|| self.tree.size(node).to_string())
            }
            "supportedlock" if quirks.locks && quirks.prefix == "D" => Some(
                "<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>\
                 </D:locktype></D:lockentry>"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn owncloud(&self, node: &Node, local: &str) -> Option<String> {
        match local {
            "id" | "fileid" if !self.quirks.file_ids => None,
            "id" => Some(file_id(node)),
            "fileid" => Some(node.id.to_string()),
            "size" => Some(self.tree.size(node).to_string()),
            "permissions" if node.is_folder() => Some("RGDNVCK".to_owned()),
            "permissions" => Some("RGDNVW".to_owned()),
            "checksums" => {
                let sum = node.checksum.as_ref().filter(|_| self.quirks.oc_checksum)?;
                let sum = escape(sum);
                Some(format!(
                    "<oc:checksum xmlns:oc=\"{OC}\">{sum}</oc:checksum>"
                ))
            }
            "data-fingerprint" => Some(escape(self.fingerprint)),
            _ => None,
        }
    }

    fn nextcloud(&self, node: &Node, local: &str) -> Option<String> {
        match local {
            "creation_time" | "upload_time" => Some((node.birth / 1_000_000).to_string()),
            "is-encrypted" => Some("0".to_owned()),
            _ => None,
        }
    }
}

/// The id as `OC-FileId` has it: padded, with the instance's own letters.
pub(super) fn file_id(node: &Node) -> String {
    format!("{:08}ocqk1tests", node.id)
}
