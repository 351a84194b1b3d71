//! Addresses on the server, and where an address that it names leads.
//!
//! In: the remote's place, paths below it, hrefs of answers. Out: URLs, names below the
//! root. Invariant: an href is read once, by its decoded names; what leads out of the
//! root, to another host, or is not plain is refused, never cleaned up. Deliberately
//! absent: following what a server names: each URL that is asked is made here.

use crate::adapters::http::unsupported;
use crate::ports::PortResult;
use journal_format::value::RelPath;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use std::borrow::Cow;
use sync_core::spelling::is_one_name;

/// The remote's root on its server.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// Scheme, host and port.
    origin: String,
    /// Host and port, without a port that the scheme implies, in small letters.
    authority: String,
    /// The decoded names from the server's root to the remote's.
    prefix: Vec<String>,
}

/// Where an href leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Names below the remote's root; none for the root itself.
    Below(Vec<String>),
    /// Below the root, but the last name is no text; a readable form of it.
    Odd(Vec<String>, String),
}

impl Base {
    /// Reads an address `http(s)://` or `webdav(s)://`, and the folder below it.
    ///
    /// # Errors
    /// `Unsupported` when it is none.
    pub(super) fn new(address: &str, folder: &RelPath) -> PortResult<Self> {
        let address = http_address(address.trim());
        let url = Url::parse(&address)
            .map_err(|error| unsupported(format!("`{address}` is no address: {error}")))?;
        let host = url
            .host_str()
            .filter(|_| matches!(url.scheme(), "http" | "https"));
        let Some(host) = host else {
            return Err(unsupported(format!("`{address}` is no WebDAV address")));
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let mut prefix = Vec::new();
        for name in url.path().split('/').filter(|name| !name.is_empty()) {
            let name = decoded(name);
            prefix.push(name.ok_or_else(|| unsupported(format!("`{address}` is not UTF-8")))?);
        }
        prefix.extend(folder.names().map(str::to_owned));
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            authority,
            prefix,
        })
    }

    /// Returns the address of a path; that of a folder ends with a slash, which some
    /// servers insist on.
    pub(super) fn url(&self, path: &str, is_folder: bool) -> String {
        let names = self.prefix.iter().map(String::as_str);
        let below = path.split('/').filter(|name| !name.is_empty());
        let mut url = self.origin.clone();
        for name in names.chain(below) {
            url.push('/');
            url.push_str(&encode(name));
        }
        if is_folder || url.len() == self.origin.len() {
            url.push('/');
        }
        url
    }

    /// Returns the encoded path of a file's address.
    pub(super) fn href(&self, path: &str) -> String {
        self.url(path, false).split_off(self.origin.len())
    }

    /// Returns the folder of unfinished uploads that belongs to the files at this place,
    /// where the address is one of ownCloud's family.
    pub(super) fn uploads(&self) -> Option<Self> {
        let at = self.family()?;
        let mut prefix = self.prefix.clone();
        prefix.truncate(at + 4);
        *prefix.get_mut(at + 2)? = "uploads".to_owned();
        Some(Self {
            prefix,
            ..self.clone()
        })
    }

    /// Returns the address of something on the same server that is no file, where the
    /// address is one of ownCloud's family.
    pub(super) fn web(&self, path: &str) -> Option<String> {
        let at = self.family()?;
        let web = Self {
            prefix: self.prefix[..at].to_vec(),
            ..self.clone()
        };
        Some(web.url(path, false))
    }

    /// Finds `remote.php/dav/files/USER` in the path.
    fn family(&self) -> Option<usize> {
        let is_here = |names: &[String]| names[..3] == ["remote.php", "dav", "files"];
        self.prefix.windows(4).position(is_here)
    }

    /// Tells whether an address is on the same server, by the same protocol.
    pub(super) fn has_origin(&self, address: &str) -> bool {
        let url = Url::parse(address).ok();
        url.is_some_and(|url| url.origin().ascii_serialization() == self.origin)
    }

    /// Returns the decoded path of the root, with slashes between.
    pub(super) fn path(&self) -> String {
        format!("/{}", self.prefix.join("/"))
    }

    /// Reads where an href leads.
    ///
    /// # Errors
    /// In words, why it is not believed.
    pub(super) fn read(&self, href: &str) -> Result<Target, String> {
        let path = self.path_of(href)?;
        let mut names: Vec<&str> = path.split('/').skip(1).collect();
        if names.last() == Some(&"") {
            names.pop();
        }
        let (mut found, mut odd) = (Vec::with_capacity(names.len()), None);
        for (at, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(format!("`{href}` has an empty name in it"));
            }
            match decoded(name) {
                Some(name) if is_plain(&name) => found.push(name),
                Some(_) => return Err(format!("`{href}` has `.`, `..` or a slash in a name")),
                None if at + 1 == names.len() && at >= self.prefix.len() => {
                    let bytes: Vec<u8> = percent_decode_str(name).collect();
                    odd = Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                None => return Err(format!("`{href}` is not UTF-8")),
            }
        }
        let is_within = found.len() >= self.prefix.len()
            && self
                .prefix
                .iter()
                .zip(&found)
                .all(|(one, other)| is_one_name(one, other));
        if !is_within {
            return Err(format!("`{href}` lies outside of what was asked for"));
        }
        let below = found.split_off(self.prefix.len());
        Ok(match odd {
            Some(odd) => Target::Odd(below, odd),
            None => Target::Below(below),
        })
    }

    /// Returns the path of an href, which is absolute or a path only.
    fn path_of<'a>(&self, href: &'a str) -> Result<&'a str, String> {
        let href = href.trim();
        if href.len() > HREF_BYTES_MAX || href.contains(['?', '#']) {
            return Err(format!("`{href:.80}` is no plain path"));
        }
        if href.starts_with("//") {
            return Err(format!("`{href}` leads to another host"));
        }
        if href.starts_with('/') {
            return Ok(href);
        }
        let lower = href.get(..8).unwrap_or_default().to_ascii_lowercase();
        let (start, implied) = if lower.starts_with("https://") {
            (8, ":443")
        } else if lower.starts_with("http://") {
            (7, ":80")
        } else {
            return Err(format!("`{href}` is neither a path nor an address"));
        };
        let rest = &href[start..];
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(implied).unwrap_or(&authority);
        // Behind a proxy that ends TLS a server does not know its own scheme.
        if authority != self.authority {
            return Err(format!("`{href}` leads to another host"));
        }
        Ok(if path.is_empty() { "/" } else { path })
    }
}

/// Spells `webdav(s)://` as the protocol beneath.
pub(super) fn http_address(address: &str) -> Cow<'_, str> {
    match address.strip_prefix("webdav") {
        Some(rest) => Cow::Owned(format!("http{rest}")),
        None => Cow::Borrowed(address),
    }
}

fn encode(name: &str) -> String {
    utf8_percent_encode(name, ESCAPED).to_string()
}

fn decoded(name: &str) -> Option<String> {
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

fn is_plain(name: &str) -> bool {
    name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// Only what no reading of the standard escapes stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const HREF_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        let folder = RelPath::new("in é").expect("path");
        Base::new("webdavs://Host.example:443/dav/a%20b/", &folder).expect("base")
    }

    #[test]
    fn hrefs_are_believed_below_the_root_only() {
        let root = "/dav/a%20b/in%20%C3%A9";
        let table: [(String, Option<&[&str]>); 17] = [
            (root.to_owned(), Some(&[])),
            (format!("{root}/"), Some(&[])),
            (format!("https://host.example{root}/x/"), Some(&["x"])),
            (format!("http://host.example{root}/x"), Some(&["x"])),
            (
                format!("https://HOST.example:443{root}/x%2Dy"),
                Some(&["x-y"]),
            ),
            ("/dav/a b/in é/x y".to_owned(), Some(&["x y"])),
            ("/dav/a b/in e\u{301}/x".to_owned(), Some(&["x"])),
            (format!("{root}/x/y"), Some(&["x", "y"])),
            ("/dav/a%20b".to_owned(), None),
            ("/dav/other/in%20%C3%A9/x".to_owned(), None),
            (format!("{root}/../x"), None),
            (format!("{root}/%2e%2e/x"), None),
            (format!("{root}/a%2Fb"), None),
            (format!("{root}//x"), None),
            (format!("https://other.example{root}/x"), None),
            (format!("//host.example{root}/x"), None),
            (format!("{root}/x?y"), None),
        ];
        for (href, wanted) in table {
            let found = base().read(&href).ok();
            let wanted = wanted
                .map(|names| Target::Below(names.iter().map(|name| (*name).to_owned()).collect()));
            assert_eq!(found, wanted, "{href}");
        }
        let odd = base().read(&format!("{root}/a%FFb")).expect("below");
        assert_eq!(odd, Target::Odd(Vec::new(), "a\u{fffd}b".to_owned()));
    }

    #[test]
    fn uploads_lie_beside_the_files_of_their_owner() {
        let place = "webdavs://host.example/nc/remote.php/dav/files/a%20b/in";
        let base = Base::new(place, &RelPath::new("deep").expect("path")).expect("base");
        let uploads = base.uploads().expect("one of the family");
        assert_eq!(
            uploads.url("id/00001", false),
            "https://host.example/nc/remote.php/dav/uploads/a%20b/id/00001"
        );
        assert_eq!(
            base.web("ocs/v2.php").as_deref(),
            Some("https://host.example/nc/ocs/v2.php")
        );
        assert_eq!(
            base.href("x y"),
            "/nc/remote.php/dav/files/a%20b/in/deep/x%20y"
        );
        for other in ["webdav://h/remote.php/webdav/x", "webdav://h/dav/files/a"] {
            let base = Base::new(other, &RelPath::root()).expect("base");
            assert!(base.uploads().is_none() && base.web("ocs").is_none());
        }
    }

    #[test]
    fn addresses_are_encoded_and_folders_end_with_a_slash() {
        let base = base();
        assert_eq!(
            base.url("x/ü #?%.txt", false),
            "https://host.example/dav/a%20b/in%20%C3%A9/x/%C3%BC%20%23%3F%25.txt"
        );
        assert_eq!(
            base.url("", true),
            "https://host.example/dav/a%20b/in%20%C3%A9/"
        );
        let bare = Base::new("webdav://h:8080", &RelPath::root()).expect("base");
        assert_eq!(bare.url("", false), "http://h:8080/");
        assert_eq!(
            bare.read("/x").ok(),
            Some(Target::Below(vec!["x".to_owned()]))
        );
        for wrong in ["ftp://h/x", "webdav://", "x"] {
            assert!(Base::new(wrong, &RelPath::root()).is_err(), "{wrong}");
        }
    }
}
