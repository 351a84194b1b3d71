//! The names a piece of code mentions.
//!
//! In: code without comments and strings. Out: words with their offsets, and
//! paths with their segments, those in `use` trees multiplied out. Invariant: a
//! path is reported once, where its last segment stands.

/// A path such as `std::fs::File` and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::tidy) struct Mention {
    pub(in crate::tidy) at: usize,
    pub(in crate::tidy) segments: Vec<String>,
}

/// Every identifier with its offset.
pub(in crate::tidy) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(inside)?;
        let rest = &text[start..];
        let length = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        at = start + length;
        Some((start, &rest[..length]))
    })
    .filter(|(_, word)| !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// Every path with its segments.
pub(in crate::tidy) fn mentions(text: &str) -> Vec<Mention> {
    let mut out = Vec::new();
    let mut uses: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, word) in words(text) {
        if word != "use" {
            continue;
        }
        let end = at + text[at..].find(';').unwrap_or(text.len() - at);
        branch(text, at + word.len()..end, &[], &mut out);
        uses.push(at..end);
    }
    let mut taken = 0;
    for (at, word) in words(text) {
        if at < taken || uses.iter().any(|range| range.contains(&at)) {
            continue;
        }
        let mut segments = vec![word.to_owned()];
        let mut end = at + word.len();
        while let Some((next, word)) = next_segment(text, end) {
            segments.push(word.to_owned());
            end = next + word.len();
        }
        taken = end;
        let field = text[..at].trim_end().ends_with('.');
        if segments.len() > 1 && !field {
            out.push(Mention { at, segments });
        }
    }
    out.sort_by_key(|mention| mention.at);
    out
}

/// The segment after `::` at `end`, if one follows.
fn next_segment(text: &str, end: usize) -> Option<(usize, &str)> {
    let rest = text[end..].strip_prefix("::")?;
    let (at, word) = words(rest).next()?;
    (at == 0).then_some((end + 2, word))
}

/// One level of a `use` tree: alternatives separated by commas.
fn branch(text: &str, range: std::ops::Range<usize>, prefix: &[String], out: &mut Vec<Mention>) {
    let mut start = range.start;
    let mut depth = 0_usize;
    for at in range.clone() {
        match text.as_bytes()[at] {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                leaf(text, start..at, prefix, out);
                start = at + 1;
            }
            _ => {}
        }
    }
    leaf(text, start..range.end, prefix, out);
}

fn leaf(text: &str, range: std::ops::Range<usize>, prefix: &[String], out: &mut Vec<Mention>) {
    let piece = &text[range.clone()];
    let brace = piece.find('{');
    let head = &piece[..brace.unwrap_or(piece.len())];
    let head = head.split(" as ").next().unwrap_or(head);
    let mut segments = prefix.to_vec();
    let mut at = range.start;
    for (offset, word) in words(head) {
        at = range.start + offset;
        segments.push(word.to_owned());
    }
    if let Some(open) = brace {
        let close = piece.rfind('}').unwrap_or(piece.len());
        branch(
            text,
            range.start + open + 1..range.start + close,
            &segments,
            out,
        );
    } else if segments.len() > prefix.len() || head.contains('*') {
        out.push(Mention { at, segments });
    }
}
