//! Rules of the values.

use crate::value::{
    Digest, PathError, RelPath, RemoteVersion, Seq, Timestamp, VERSION_BYTES_MAX, VersionError,
};
use proptest::prelude::*;

#[test]
fn a_path_never_leaves_its_root() {
    let cases = [
        ("", Ok(())),
        ("a", Ok(())),
        ("a/b.c/...", Ok(())),
        ("été/漢", Ok(())),
        ("/a", Err(PathError::EmptyName)),
        ("a/", Err(PathError::EmptyName)),
        ("a//b", Err(PathError::EmptyName)),
        ("/", Err(PathError::EmptyName)),
        (".", Err(PathError::DotName)),
        ("a/../b", Err(PathError::DotName)),
        ("a\0", Err(PathError::ForbiddenCharacter)),
    ];
    for (text, expected) in cases {
        assert_eq!(RelPath::new(text).map(|_| ()), expected, "{text:?}");
    }
}

#[test]
fn names_and_paths_are_bounded() {
    let name = |bytes: usize| RelPath::new("n".repeat(bytes)).map(|_| ());
    assert_eq!(name(255), Ok(()));
    assert_eq!(name(256), Err(PathError::NameTooLong));
    let whole = RelPath::new(vec!["n"; 2048].join("/")).unwrap();
    assert_eq!(whole.as_str().len(), 4095);
    assert_eq!(whole.join("n"), Err(PathError::PathTooLong));
    let longer = format!("{whole}/n");
    assert_eq!(RelPath::new(longer), Err(PathError::PathTooLong));
    assert_eq!(
        RelPath::root().join("a/b"),
        Err(PathError::ForbiddenCharacter)
    );
}

#[test]
fn being_within_goes_by_whole_names() {
    let path = |text: &str| RelPath::new(text).unwrap();
    for (inner, outer, within) in [
        ("a", "", true),
        ("a", "a", true),
        ("a/b", "a", true),
        ("ab", "a", false),
        ("a", "a/b", false),
        ("", "", true),
        ("", "a", false),
    ] {
        assert_eq!(
            path(inner).is_within(&path(outer)),
            within,
            "{inner} in {outer}"
        );
    }
}

#[test]
fn a_remote_version_fits_into_a_header() {
    let version = |text: &str| RemoteVersion::new(text).map(|_| ());
    assert_eq!(version("\"abc-1\""), Ok(()));
    assert_eq!(version(""), Err(VersionError::Empty));
    assert_eq!(version("a\r\nb"), Err(VersionError::Control));
    assert_eq!(version(&"v".repeat(VERSION_BYTES_MAX)), Ok(()));
    assert_eq!(
        version(&"v".repeat(VERSION_BYTES_MAX + 1)),
        Err(VersionError::TooLong)
    );
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (millis, date) in [
        (0, (1970, 1, 1)),
        (-1, (1969, 12, 31)),
        (951_782_400_000, (2000, 2, 29)),
        (951_868_800_000, (2000, 3, 1)),
        (4_107_542_399_999, (2100, 2, 28)),
        (4_107_542_400_000, (2100, 3, 1)),
        (1_700_000_000_000, (2023, 11, 14)),
    ] {
        assert_eq!(Timestamp(millis).date_utc(), date, "{millis}");
    }
    assert!(Timestamp(i64::MAX).date_utc().0 > 200_000_000);
    assert!(Timestamp(i64::MIN).date_utc().0 < -200_000_000);
}

#[test]
fn numbers_saturate_at_their_ends() {
    assert_eq!(Seq(u64::MAX).next(), Seq(u64::MAX));
    assert_eq!(Seq::ZERO.next(), Seq(1));
    assert_eq!(Timestamp(i64::MAX).plus_millis(1), Timestamp(i64::MAX));
}

#[test]
fn a_digest_names_its_function() {
    assert_eq!(
        Digest::Md5([0xab; 16]).to_string(),
        format!("md5:{}", "ab".repeat(16))
    );
    assert_eq!(
        Digest::Sha1([1; 20]).to_string(),
        format!("sha1:{}", "01".repeat(20))
    );
}

proptest! {
    #[test]
    fn joining_names_gives_them_back(names in proptest::collection::vec("[a-zé]{1,8}", 0..8)) {
        let mut path = RelPath::root();
        for name in &names {
            path = path.join(name).unwrap();
        }
        prop_assert_eq!(path.names().collect::<Vec<_>>(), names.clone());
        prop_assert_eq!(path.name(), names.last().map(String::as_str));
        prop_assert_eq!(RelPath::new(path.as_str()), Ok(path.clone()));
        if let Some(parent) = path.parent() {
            prop_assert!(path.is_within(&parent) && !parent.is_within(&path));
        }
    }
}
