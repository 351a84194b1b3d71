//! Names and passwords as a request carries them, for every server here.
//!
//! In: the value of an `Authorization` header. Out: a name and a password. Invariant:
//! nothing else is taken for credentials. Deliberately absent: whether they are right.

/// Reads what `Basic` carries.
pub(crate) fn credentials(authorization: &str) -> Option<(String, String)> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let text = String::from_utf8(decode_base64(encoded.trim())?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bits = 0_u32;
    let mut held = 0;
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read_with_and_without_padding() {
        for (text, plain) in [("YTpi", "a:b"), ("YTpiYw==", "a:bc"), ("w6k6eA==", "é:x")] {
            assert_eq!(decode_base64(text).as_deref(), Some(plain.as_bytes()));
        }
        assert!(decode_base64("a b").is_none());
    }
}
