//! Names as pseudonyms that keep what the engine looks at.
//!
//! In: a name, a key. Out: another name. Invariants: equal names stay equal and others
//! differ, by bytes, by composed form and by folded form alike; a conflict name is made
//! of its pseudonym as it was of the name; what filters and the engine tell by a name's
//! beginning or end stays. Watched by `tests` and by ring 2's journals. LIMIT: a conflict
//! name that was cut because its name is very long gets a pseudonym of its own; a name
//! whose folded form is ASCII while it is not (a Kelvin sign) is spelled as that form.

use super::key::Key;
use sync_core::spelling::Spelling;

/// Replaces one name of a path.
pub(super) fn name(key: &Key, name: &str) -> String {
    let (stem, extension) = split_extension(name);
    if let Some(stem) = marked_as_it_is(key, stem, extension) {
        return stem + extension;
    }
    // Names that differ in case only have to be told alike; places stay the same.
    let lower = name.to_ascii_lowercase();
    let prefix = PREFIXES.iter().find(|prefix| lower.starts_with(**prefix));
    let (prefix, rest) = name.split_at(prefix.map_or(0, |prefix| prefix.len()));
    // Downloads of the old client that were not finished.
    if let Some(at) = lower[prefix.len()..].find(UNFINISHED) {
        let (before, behind) = rest.split_at(at);
        let (ending, behind) = behind.split_at(UNFINISHED.len());
        let before = part(key, before, "");
        let behind = part(key, behind, "");
        return format!("{prefix}{before}{ending}{behind}");
    }
    let (stem, extension) = split_extension(rest);
    let shown = extension_of(key, extension);
    format!("{prefix}{}{shown}", marked(key, stem, extension))
}

/// Replaces a job's label, which is part of conflict names.
pub(super) fn label(key: &Key, label: &str) -> String {
    // As conflict names spell it.
    let plain: String = label
        .chars()
        .map(|c| if c == '/' || c.is_control() { '-' } else { c })
        .collect();
    let mut end = plain.len().min(LABEL_BYTES_MAX);
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    format!("label-{}", spelled(key, "label", &plain[..end], 8))
}

/// Letters for a text; texts that differ in case only get letters that do.
fn spelled(key: &Key, what: &str, text: &str, count: usize) -> String {
    let spelling = Spelling::of(text);
    let letters = key.letters(what, spelling.folded.as_bytes(), count);
    cased(key, letters, &spelling)
}

fn cased(key: &Key, letters: String, spelling: &Spelling) -> String {
    if spelling.composed == spelling.folded {
        return letters;
    }
    let mut bits = key.number("case", spelling.composed.as_bytes()) | 1;
    let mut upper = || {
        let is_upper = bits & 1 == 1;
        bits = bits.rotate_right(1);
        is_upper
    };
    letters
        .chars()
        .map(|c| if upper() { c.to_ascii_uppercase() } else { c })
        .collect()
}

/// A name without its extension: a conflict mark at its end stays one.
fn marked(key: &Key, stem: &str, extension: &str) -> String {
    match split_mark(key, stem) {
        Some((base, mark)) => marked(key, base, extension) + &mark,
        None => part(key, stem, extension),
    }
}

/// The same for a name that stays, or the conflict name of one; nothing for others.
fn marked_as_it_is(key: &Key, stem: &str, extension: &str) -> Option<String> {
    if is_kept(&format!("{stem}{extension}")) {
        return Some(stem.to_owned());
    }
    let (base, mark) = split_mark(key, stem)?;
    Some(marked_as_it_is(key, base, extension)? + &mark)
}

/// Splits a conflict mark off, and replaces what it tells.
fn split_mark<'a>(key: &Key, stem: &'a str) -> Option<(&'a str, String)> {
    let lower = stem.to_ascii_lowercase();
    let start = lower.rfind(MARK).filter(|start| *start > 0)?;
    let (base, marked_by) = stem.split_at(start);
    let (mark, inner) = marked_by.split_at(MARK.len());
    let inner = inner.strip_suffix(')')?;
    let shown = match distinction(inner) {
        Some((text, rest)) => format!("{} {rest}", label(key, text)),
        None => spelled(key, "mark", inner, 8),
    };
    Some((base, format!("{mark}{shown})")))
}

/// Splits what a conflict mark of ours says into the label and the rest.
fn distinction(inner: &str) -> Option<(&str, &str)> {
    let is_hex = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = inner.rsplitn(4, ' ').collect();
    let rest = match words[..] {
        [hex, date, ..] if is_hex(hex) && is_date(date) => hex.len() + date.len() + 1,
        [counter, hex, date, ..] if is_number(counter) && is_hex(hex) && is_date(date) => {
            counter.len() + hex.len() + date.len() + 2
        }
        _ => return None,
    };
    let (label, rest) = inner.split_at_checked(inner.len().checked_sub(rest)?)?;
    Some((label.strip_suffix(' ')?, rest))
}

fn is_date(word: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = word.split('-').collect();
    matches!(parts[..], [year, month, day]
        if digits(year, 4) && digits(month, 2) && digits(day, 2))
}

/// Replaces a text; which one also depends on the extension that follows.
fn part(key: &Key, text: &str, extension: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let whole = format!("{text}\0{extension}");
    let spelling = Spelling::of(&whole);
    // By the folded form, so that all spellings of a name have one length.
    let letters = match spelling.folded.len() - extension.len().min(spelling.folded.len()) {
        0..=32 => 16,
        33..=64 => 32,
        65..=128 => 64,
        _ => 128,
    };
    let base = key.letters("name", spelling.folded.as_bytes(), letters);
    let cased = cased(key, base, &spelling);
    if spelling.folded.is_ascii() {
        return cased;
    }
    accents(key, &whole, &spelling) + &cased
}

/// Two letters with accents, composed or not as the name is.
fn accents(key: &Key, raw: &str, spelling: &Spelling) -> String {
    let chosen = key.number("accents", spelling.folded.as_bytes());
    let pick = |shift: u32| {
        let place = usize::try_from(chosen >> shift & 0xffff).unwrap_or_default();
        ACCENTS[place % ACCENTS.len()]
    };
    let is_apart = match raw {
        raw if raw == spelling.composed => [false, false],
        raw if raw == spelling.decomposed => [true, true],
        raw if key.number("mixed", raw.as_bytes()) & 1 == 0 => [true, false],
        _ => [false, true],
    };
    [pick(0), pick(16)]
        .into_iter()
        .zip(is_apart)
        .map(|((composed, decomposed), is_apart)| if is_apart { decomposed } else { composed })
        .collect()
}

/// As conflict names split a name.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 17 => name.split_at(dot),
        _ => (name, ""),
    }
}

/// Common extensions stay; others could be anything, such as somebody's name.
fn extension_of(key: &Key, extension: &str) -> String {
    let Some(bare) = extension.strip_prefix('.').filter(|bare| !bare.is_empty()) else {
        return extension.to_owned();
    };
    let folded = bare.to_ascii_lowercase();
    if EXTENSIONS
        .split_ascii_whitespace()
        .any(|known| known == folded)
    {
        return extension.to_owned();
    }
    let folded = Spelling::of(bare).folded;
    format!(".{}", key.letters("extension", folded.as_bytes(), 6))
}

/// Whether a name tells of nobody, in any case of its letters.
fn is_kept(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let known = WHOLE.iter().chain(&PREFIXES);
    known.copied().any(|known| known == lower) || is_temporary(&lower)
}

/// Whether a name is one of our own moves' steps, to its last letter.
fn is_temporary(name: &str) -> bool {
    let Some((uid, rest)) = name
        .strip_prefix(TEMPORARY)
        .and_then(|rest| rest.split_at_checked(16))
    else {
        return false;
    };
    let counter = rest.strip_prefix('-').unwrap_or(rest);
    uid.bytes().all(|byte| byte.is_ascii_hexdigit())
        && counter.bytes().all(|byte| byte.is_ascii_digit())
        && rest.is_empty() == counter.is_empty()
}

const MARK: &str = " (conflict ";
const TEMPORARY: &str = "pydio-sync-moving-";
const UNFINISHED: &str = ".pydio_dl";
const LABEL_BYTES_MAX: usize = 64;
/// Names that say nothing of anybody and that filters know, in lower case.
const WHOLE: [&str; 7] = [
    ".pydio-sync",
    ".pydiosyncignore",
    ".ds_store",
    "thumbs.db",
    "desktop.ini",
    "recycle_bin",
    "recycle_cache.ser",
];
/// Beginnings by which filters and the engine tell names; the first one that fits.
const PREFIXES: [&str; 6] = [TEMPORARY, "recycle_bin", ".~lock.", "~$", "~", "."];
const ACCENTS: [(&str, &str); 16] = [
    ("á", "a\u{301}"),
    ("à", "a\u{300}"),
    ("â", "a\u{302}"),
    ("ä", "a\u{308}"),
    ("é", "e\u{301}"),
    ("è", "e\u{300}"),
    ("ê", "e\u{302}"),
    ("ë", "e\u{308}"),
    ("í", "i\u{301}"),
    ("ì", "i\u{300}"),
    ("ó", "o\u{301}"),
    ("ò", "o\u{300}"),
    ("ö", "o\u{308}"),
    ("ú", "u\u{301}"),
    ("ü", "u\u{308}"),
    ("ñ", "n\u{303}"),
];
const EXTENSIONS: &str = "7z aac ai avi avif bak bat bin bmp bz2 c cfg conf cpp cr2 css csv dat db \
    dng doc docm docx dotx dwg dxf eml eps epub exe flac flv gif go gpg gpx gz h heic heif hpp htm \
    html ico ics img ini iso jar java jpeg jpg js json key kml log lua m4a m4v mbox md mdb mid mkv \
    mov mp3 mp4 mpeg mpg msg msi nef numbers odg odp ods odt ogg opus orf otf otp ott pages part \
    pdf pem php pl png pot potx pps ppsx ppt pptm pptx ps psd pst py rar raf raw rb rs rtf rw2 sh \
    sql sqlite srt svg swf swp tar tex tgz tif tiff tmp toml torrent ts tsv ttf txt vcf vob vsd \
    vsdx wav webm webp wma wmv woff woff2 xcf xls xlk xlsm xlsx xlt xltx xml xz yaml yml zip zst";
