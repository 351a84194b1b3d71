//! Blanks comments, strings and character literals.
//!
//! In: Rust source. Out: text of the same length in which their insides are
//! spaces. Invariant: newlines stay, every other byte of a comment or literal
//! becomes one space, code is untouched.

/// The source with comments and the insides of literals blanked.
pub(super) fn blank(source: &str) -> String {
    let mut out = source.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let end = token_end(source.as_bytes(), at);
        if let Some(end) = end {
            for byte in &mut out[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    // Whatever is left outside of literals may hold other scripts in identifiers.
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that starts at `at` ends, if one does.
fn token_end(source: &[u8], at: usize) -> Option<usize> {
    let rest = source.get(at..)?;
    let after_name = at > 0 && is_name(source[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some(at + until(rest, b'\n')),
        [b'/', b'*', ..] => Some(at + block_comment(rest)),
        [b'"', ..] => Some(at + string(rest)),
        [b'\'', ..] => character(rest).map(|length| at + length),
        [b'r', b'"' | b'#', ..] if !after_name => raw(&rest[1..]).map(|length| at + 1 + length),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_name => {
            raw(&rest[2..]).map(|length| at + 2 + length)
        }
        _ => None,
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn until(rest: &[u8], stop: u8) -> usize {
    rest.iter()
        .position(|byte| *byte == stop)
        .unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `#"..."#` with any number of marks; `None` for a raw identifier.
fn raw(rest: &[u8]) -> Option<usize> {
    let marks = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(marks) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', marks));
    let body = &rest[marks + 1..];
    let end = body.windows(close.len()).position(|part| part == close);
    Some(end.map_or(rest.len(), |end| marks + 1 + end + close.len()))
}

/// A character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(3 + until(rest.get(3..)?, b'\'') + 1);
    }
    let text = std::str::from_utf8(rest.get(1..rest.len().min(6))?);
    let width = match text {
        Ok(text) => text.chars().next()?.len_utf8(),
        // The window may cut a later character; the first one is whole.
        Err(error) if error.valid_up_to() > 0 => {
            let valid = &rest[1..=error.valid_up_to()];
            std::str::from_utf8(valid).ok()?.chars().next()?.len_utf8()
        }
        Err(_) => return None,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}
