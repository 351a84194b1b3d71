//! What the server says of single paths.
//!
//! In: JSON of `stat` and `stat_hash`. Out: what stands at a path. Invariant: only an
//! empty object says that nothing is there; what cannot be read is `Odd`, never
//! absent. Deliberately absent: times but seconds, inodes (they change with uploads).

use super::answer::number;
use journal_format::value::bytes_of;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use sync_core::spelling::composed;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    Directory,
    File(Version),
    /// Something of which the server cannot or will not speak.
    Odd,
}

/// A file's version as far as the server tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) size: u64,
    /// Seconds since 1970 by the server's clock.
    pub(super) mtime: i64,
    /// Its MD5, when it was asked for and is known.
    pub(super) md5: Option<Md5>,
}

/// The bytes of an MD5.
pub(super) type Md5 = [u8; 16];

/// Reads the answer about one path.
pub(super) fn single(value: &Value) -> Found {
    match value {
        Value::Object(fields) if fields.is_empty() => Found::Absent,
        Value::Array(items) if items.is_empty() => Found::Absent,
        Value::Object(fields) => described(fields),
        _ => Found::Odd,
    }
}

/// Reads the answer about several paths: for each one what was found; one that the
/// answer does not speak of is `Odd`.
pub(super) fn bulk(value: &Value, asked: &[String]) -> Option<BTreeMap<String, Found>> {
    let found = answers(value, asked)?.into_iter();
    let found = found.map(|(path, answer)| (path.clone(), answer.map_or(Found::Odd, single)));
    Some(found.collect())
}

/// Reads when folders changed last; what is no folder that can be seen is left out.
pub(super) fn folder_times(value: &Value, asked: &[String]) -> BTreeMap<String, i64> {
    let found = match asked {
        [path] => vec![(path, Some(value))],
        _ => answers(value, asked).unwrap_or_default(),
    };
    let found = found.into_iter().filter_map(|(path, answer)| {
        let fields = answer?.as_object()?;
        let field = |name: &str| fields.get(name).and_then(number);
        (field("mode")? & KIND_BITS == DIRECTORY)
            .then_some(field("mtime")?)
            .map(|mtime| (path.clone(), mtime))
    });
    found.collect()
}

/// Finds the answer to each of several paths.
fn answers<'a>(
    value: &'a Value,
    asked: &'a [String],
) -> Option<Vec<(&'a String, Option<&'a Value>)>> {
    let Value::Object(answers) = value else {
        return None;
    };
    // About a single path the answer has no keys, but then two were asked for.
    if asked.len() > 1 && answers.contains_key("mode") && answers.contains_key("mtime") {
        return None;
    }
    let by_form: BTreeMap<String, &Value> = answers
        .iter()
        .map(|(key, value)| (composed(key).into_owned(), value))
        .collect();
    let found = asked.iter().map(|path| {
        let answer = answers
            .get(path)
            .or_else(|| by_form.get(composed(path).as_ref()).copied())
            .or_else(|| answers.get("/").filter(|_| path.is_empty()));
        (path, answer)
    });
    Some(found.collect())
}

fn described(fields: &Map<String, Value>) -> Found {
    let field = |name: &str| fields.get(name).and_then(number);
    let (Some(mode), Some(size), Some(mtime)) = (field("mode"), field("size"), field("mtime"))
    else {
        return Found::Odd;
    };
    match mode & KIND_BITS {
        DIRECTORY => Found::Directory,
        FILE => {
            // A 32-bit server counts large files below zero.
            let Ok(size) = u64::try_from(size) else {
                return Found::Odd;
            };
            let md5 = fields
                .get("hash")
                .and_then(Value::as_str)
                .and_then(bytes_of);
            Found::File(Version { size, mtime, md5 })
        }
        _ => Found::Odd,
    }
}

const KIND_BITS: i64 = 0o170_000;
const DIRECTORY: i64 = 0o040_000;
const FILE: i64 = 0o100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(size: i64) -> Value {
        json!({"0": 1, "dev": 1, "mode": 33152, "size": size, "mtime": 1_795_356_444,
               "hash": "7a08b07e84641703e5f2c836aa59a170"})
    }

    #[test]
    fn only_an_empty_object_says_absent() {
        assert_eq!(single(&json!({})), Found::Absent);
        assert_eq!(single(&json!([])), Found::Absent);
        for odd in [
            json!(null),
            json!(false),
            json!("x"),
            json!({"mode": 1}),
            file(-5),
            json!([1]),
        ] {
            assert_eq!(single(&odd), Found::Odd, "{odd}");
        }
        assert_eq!(
            single(&json!({"mode": "16832", "size": "4096", "mtime": "5"})),
            Found::Directory
        );
        assert!(matches!(
            single(&file(100)),
            Found::File(Version {
                size: 100,
                md5: Some(_),
                ..
            })
        ));
    }

    #[test]
    fn an_answer_about_one_path_is_never_taken_for_one_about_several() {
        let asked = ["/a".to_owned(), "/b".to_owned()];
        assert_eq!(bulk(&file(1), &asked), None);
        assert_eq!(bulk(&json!([]), &asked), None);
        let found = bulk(&json!({"/a": file(1), "/b": {}}), &asked).expect("keyed");
        assert_eq!(found["/b"], Found::Absent);
        let found = bulk(&json!({"/a": {}}), &asked).expect("keyed");
        assert_eq!(found["/b"], Found::Odd, "not spoken of is not absent");
    }

    #[test]
    fn keys_match_in_whatever_normal_form_they_come_back() {
        let asked = ["/e\u{301}".to_owned(), "/x".to_owned()];
        let found = bulk(&json!({"/é": file(3), "/x": {}}), &asked).expect("keyed");
        assert!(matches!(found["/e\u{301}"], Found::File(_)));
    }
}
