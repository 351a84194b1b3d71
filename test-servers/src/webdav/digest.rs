//! HTTP Digest, the server's half.
//!
//! In: an `Authorization` header, a method, who has which password. Out: a name, or that
//! the nonce is stale. Invariant: only nonces that were given out count, and only with
//! `qop=auth`. Deliberately absent: counting `nc`; a replay is no matter for tests.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// What a header proves.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    User(String),
    Stale,
    Nothing,
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The challenge with a nonce.
pub(super) fn challenge(nonce: &str, sha256: bool, stale: bool) -> String {
    let algorithm = if sha256 { "SHA-256" } else { "MD5" };
    let stale = if stale { ", stale=true" } else { "" };
    format!(
        "Digest realm=\"{REALM}\", qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce}\", \
         opaque=\"of no use\"{stale}"
    )
}

/// Checks a header.
pub(super) fn check(
    header: &str,
    method: &str,
    target: &str,
    sha256: bool,
    is_known: impl Fn(&str) -> bool,
    password: impl Fn(&str) -> Option<String>,
) -> Proof {
    let Some(fields) = header.strip_prefix("Digest ").map(fields) else {
        return Proof::Nothing;
    };
    let get = |name: &str| fields.get(name).map_or("", String::as_str);
    let (user, nonce) = (get("username"), get("nonce"));
    let Some(password) = password(user) else {
        return Proof::Nothing;
    };
    if get("uri") != target || get("qop") != "auth" || get("realm") != REALM {
        return Proof::Nothing;
    }
    let hash = |text: String| {
        if sha256 {
            hex(&Sha256::digest(text))
        } else {
            hex(&Md5::digest(text))
        }
    };
    let one = hash(format!("{user}:{REALM}:{password}"));
    let two = hash(format!("{method}:{target}"));
    let (nc, cnonce) = (get("nc"), get("cnonce"));
    let wanted = hash(format!("{one}:{nonce}:{nc}:{cnonce}:auth:{two}"));
    if wanted != get("response") {
        Proof::Nothing
    } else if is_known(nonce) {
        Proof::User(user.to_owned())
    } else {
        Proof::Stale
    }
}

/// `name=value` and `name="value"`, separated by commas.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        fields.insert(name, value.trim().to_owned());
        rest = left.trim_start_matches([',', ' ']);
    }
    fields
}

const REALM: &str = "files";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answer_to_a_known_nonce_is_a_login() {
        let one = hex(&Md5::digest("a:files:b"));
        let two = hex(&Md5::digest("GET:/x,y"));
        let answer = hex(&Md5::digest(format!("{one}:n:00000001:c:auth:{two}")));
        let header = format!(
            "Digest username=\"a\", realm=\"files\", nonce=\"n\", uri=\"/x,y\", qop=auth, \
             nc=00000001, cnonce=\"c\", response=\"{answer}\""
        );
        let ask = |method, known| {
            let password = |user: &str| (user == "a").then(|| "b".to_owned());
            check(&header, method, "/x,y", false, |_| known, password)
        };
        assert_eq!(ask("GET", true), Proof::User("a".to_owned()));
        assert_eq!(ask("GET", false), Proof::Stale);
        assert_eq!(ask("PUT", true), Proof::Nothing);
    }
}
