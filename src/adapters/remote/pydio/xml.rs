//! The server's XML, read once into plain values.
//!
//! In: bytes of an answer. Out: nodes of listings and differences, messages.
//! Invariant: a document that does not close every element it opened is an error,
//! so that a cut listing never reads as a short one; depth and size are bounded.
//! Deliberately absent: what a message means (`answer`), what a node is (`scan`).

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// A file or folder as the server describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// From the workspace's root, with a slash in front; empty for the root.
    pub(super) path: String,
    pub(super) is_file: bool,
    pub(super) size: i64,
    pub(super) mtime: i64,
    pub(super) is_bin: bool,
    /// Told of the workspace's root: deletions go to a bin.
    pub(super) has_bin: bool,
    pub(super) is_locked: bool,
    pub(super) is_mine: bool,
    pub(super) is_readonly: bool,
    pub(super) page: Option<Page>,
    pub(super) children: Vec<Self>,
}

/// Which part of a folder's entries came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Entries of the folder.
    pub(super) count: usize,
    /// Pages of the folder.
    pub(super) total: usize,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// The outermost node.
    pub(super) tree: Node,
    pub(super) added: Vec<Node>,
    pub(super) updated: Vec<Node>,
    pub(super) removed: Vec<Node>,
    pub(super) errors: Vec<String>,
    pub(super) successes: Vec<String>,
    /// The right for this action is missing.
    pub(super) require_auth: bool,
}

enum Open {
    Tree(Box<Node>),
    Message(bool, String),
    Added,
    Updated,
    Removed,
    Other,
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(bytes: &[u8]) -> Result<Document, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let mut document = Document::default();
    let mut open: Vec<Open> = Vec::new();
    let mut seen_tree = false;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX {
                    return Err(format!("it is nested deeper than {DEPTH_MAX}"));
                }
                let started = opened(&start, &mut open, &mut document)?;
                open.push(started);
            }
            Event::Empty(start) => {
                let empty = opened(&start, &mut open, &mut document)?;
                closed(empty, &mut open, &mut document, &mut seen_tree)?;
            }
            Event::End(_) => {
                let last = open.pop().ok_or("it closes what it did not open")?;
                closed(last, &mut open, &mut document, &mut seen_tree)?;
            }
            Event::Text(piece) => say(&mut open, &piece),
            Event::CData(piece) => say(&mut open, &piece),
            Event::GeneralRef(name) => {
                let text = unescape(&format!("&{};", &*name)).map(Into::into);
                say(
                    &mut open,
                    text.unwrap_or_else(|_| String::from("?")).as_str(),
                );
            }
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::DocType(_) => return Err("it has a document type".to_owned()),
        }
    }
    if !open.is_empty() {
        return Err("it ends too early".to_owned());
    }
    if !seen_tree {
        return Err("it holds no tree".to_owned());
    }
    Ok(document)
}

fn say(open: &mut [Open], text: &str) {
    if let Some(Open::Message(_, said)) = open.last_mut()
        && said.len() < MESSAGE_BYTES_MAX
    {
        said.push_str(text);
    }
}

fn opened(
    start: &BytesStart<'_>,
    open: &mut [Open],
    document: &mut Document,
) -> Result<Open, String> {
    let name = start.name();
    Ok(match name.as_ref() {
        "tree" => Open::Tree(Box::new(node(start)?)),
        "message" => {
            let kind = attribute(start, "type")?;
            Open::Message(kind.as_deref() == Some("ERROR"), String::new())
        }
        "add" => Open::Added,
        "update" => Open::Updated,
        "remove" => Open::Removed,
        "require_auth" => {
            document.require_auth = true;
            Open::Other
        }
        "pagination" => {
            let number =
                |name| attribute(start, name).map(|text| text.and_then(|text| text.parse().ok()));
            let page = Page {
                count: number("count")?.ok_or("a page without a count")?,
                total: number("total")?.ok_or("a page without a total")?,
            };
            if let Some(Open::Tree(tree)) = open.last_mut() {
                tree.page = Some(page);
            }
            Open::Other
        }
        _ => Open::Other,
    })
}

fn closed(
    last: Open,
    open: &mut [Open],
    document: &mut Document,
    seen_tree: &mut bool,
) -> Result<(), String> {
    match last {
        Open::Tree(node) => match open.last_mut() {
            Some(Open::Tree(parent)) => parent.children.push(*node),
            Some(Open::Added) => document.added.push(*node),
            Some(Open::Updated) => document.updated.push(*node),
            Some(Open::Removed) => document.removed.push(*node),
            Some(Open::Message(..) | Open::Other) => {}
            None if *seen_tree => return Err("it holds two trees".to_owned()),
            None => {
                *seen_tree = true;
                document.tree = *node;
            }
        },
        Open::Message(true, text) => document.errors.push(text),
        Open::Message(false, text) => document.successes.push(text),
        Open::Added | Open::Updated | Open::Removed | Open::Other => {}
    }
    Ok(())
}

fn node(start: &BytesStart<'_>) -> Result<Node, String> {
    let mut node = Node::default();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key;
        let value = unescape(&attribute.value).map_err(|error| error.to_string())?;
        let is_true = value == "true";
        match name.as_ref() {
            "filename" => node.path = value.into_owned(),
            "is_file" => node.is_file = is_true,
            "bytesize" => node.size = value.parse().unwrap_or(-1),
            "ajxp_modiftime" => node.mtime = value.parse().unwrap_or(0),
            "repo_has_recycle" => node.has_bin = is_true,
            "ajxp_mime" => node.is_bin = value == "ajxp_recycle",
            "sl_locked" => node.is_locked = is_true,
            "sl_mylock" => node.is_mine = is_true,
            "ajxp_readonly" => node.is_readonly = is_true,
            _ => {}
        }
    }
    Ok(node)
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = start
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    found
        .map(|found| unescape(&found.value).map(Into::into))
        .transpose()
        .map_err(|error| error.to_string())
}

const DEPTH_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><tree repo_has_recycle="true" filename="" is_file="false">"#,
        r#"<pagination count="3" total="1" current="1"/>"#,
        r#"<tree is_file="false" filename="/d" ajxp_modiftime="5"><tree is_file="true" filename="/d/a &amp; b" bytesize="7" ajxp_modiftime="9"/></tree>"#,
        r#"<tree is_file="true" filename="/z.zip" ajxp_mime="ajxp_browsable_archive" bytesize="22"/>"#,
        r#"<tree is_file="false" filename="/recycle_bin" ajxp_mime="ajxp_recycle"/></tree>"#,
    );

    #[test]
    fn a_listing_keeps_its_nesting_and_archives_are_files() {
        let document = read(LISTING.as_bytes()).expect("a listing");
        let tree = &document.tree;
        assert_eq!(tree.page, Some(Page { count: 3, total: 1 }));
        assert_eq!(tree.children.len(), 3);
        let inner = &tree.children[0].children[0];
        assert_eq!(
            (inner.path.as_str(), inner.size, inner.mtime),
            ("/d/a & b", 7, 9)
        );
        assert!(tree.children[1].is_file && tree.children[2].is_bin);
    }

    #[test]
    fn a_listing_that_is_cut_anywhere_is_never_a_listing() {
        for end in 0..LISTING.len() {
            assert!(read(&LISTING.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn messages_and_differences_are_told_apart() {
        let text = r#"<tree ><message type="ERROR">a &amp;quot; b</message><require_auth/><nodes_diff><add><tree filename="/x"/></add><remove><tree filename="/y"/></remove></nodes_diff></tree>"#;
        let document = read(text.as_bytes()).expect("an answer");
        assert_eq!(document.errors, ["a &quot; b"]);
        assert!(document.require_auth);
        assert_eq!(
            (
                document.added[0].path.as_str(),
                document.removed[0].path.as_str()
            ),
            ("/x", "/y")
        );
    }

    #[test]
    fn html_and_deep_nesting_are_no_documents() {
        let deep = "<tree>".repeat(300) + &"</tree>".repeat(300);
        for text in [
            "",
            "<html><body>It works!</body></html>",
            "plain",
            "<!DOCTYPE x []><tree/>",
            &deep,
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
