//! The number of each variant on the wire, since its order is the format.

use crate::codec;
use crate::wire::v1::*;
use serde::{Deserialize, Serialize};

/// Checks that the variants have the numbers 0, 1, 2 … and that no other one has.
fn check<'a, T: Serialize + Deserialize<'a>>(variants: &[T]) {
    for (number, variant) in variants.iter().enumerate() {
        let bytes = codec::encode(variant).unwrap();
        assert_eq!(usize::from(bytes[0]), number);
    }
    let next = u8::try_from(variants.len()).unwrap();
    let beyond = Vec::leak(vec![next; 64]);
    let error = codec::read_payload::<T>(beyond).err().unwrap();
    assert!(matches!(error, codec::CodecError::Invalid(_)), "{error}");
}

#[test]
fn plain_enums_keep_their_order() {
    check(&[Side::Local, Side::Remote]);
    check(&[Kind::File, Kind::Directory, Kind::Symlink]);
    check(&[DigestKind::Blake3, DigestKind::Md5, DigestKind::Sha1]);
    check(&[Direction::Bi, Direction::Up, Direction::Down]);
    check(&[Mode::Safe, Mode::Mirror]);
    check(&[Solve::Both, Solve::Manual, Solve::Local, Solve::Remote]);
    check(&[Keep::Local, Keep::Remote, Keep::Both]);
    check(&[Order::Pause, Order::Start, Order::Stop]);
    check(&[
        HaltReason::RootMissing,
        HaltReason::RootReplaced,
        HaltReason::RootEmptied,
        HaltReason::TooManyDeletions,
        HaltReason::EverythingChanged,
        HaltReason::RolledBack,
        HaltReason::HistoryLost,
    ]);
    check(&[
        UnknownReason::Excluded,
        UnknownReason::Unreadable,
        UnknownReason::UnsupportedKind,
        UnknownReason::UnsupportedSymlink,
        UnknownReason::InvalidName,
        UnknownReason::NameTooLong,
        UnknownReason::NameTwin,
        UnknownReason::MountPoint,
    ]);
    check(&[
        FailureClass::Retry,
        FailureClass::Precondition,
        FailureClass::Auth,
        FailureClass::Unsupported,
        FailureClass::NoSpace,
        FailureClass::Denied,
        FailureClass::InDoubt,
        FailureClass::Fatal,
    ]);
    {
        use Case::*;
        check(&[
            N0, U1, U2, D1, D2, A1, A2, E1, E2, C1, C2, C3, M1, M2, M3, M4, R1, Q1, V1, V2, P1, H1,
        ]);
    }
}

#[test]
fn enums_with_fields_keep_their_order() {
    let version = || Fingerprint {
        kind: Kind::File,
        size: 0,
        mtime_ns: 0,
        identity: None,
        version: None,
    };
    check(&[
        Digest::Blake3([0; 32]),
        Digest::Md5([0; 16]),
        Digest::Sha1([0; 20]),
    ]);
    check(&[Expected::Absent, Expected::Version(version())]);
    check(&[
        Displaced::Discard,
        Displaced::Rescue,
        Displaced::ConflictCopy(""),
    ]);
    check(&[
        Action::Transfer {
            from: Side::Local,
            source: "",
            expect: Entry {
                fingerprint: version(),
                digest: None,
            },
            target: "",
            replaces: Expected::Absent,
            displaced: Displaced::Discard,
        },
        Action::MakeDirectory {
            side: Side::Local,
            path: "",
        },
        Action::Move {
            side: Side::Local,
            from: "",
            to: "",
            expect: version(),
        },
        Action::Remove {
            side: Side::Local,
            path: "",
            expect: version(),
            rescue: false,
        },
        Action::Hash {
            side: Side::Local,
            path: "",
            expect: version(),
        },
    ]);
}

#[test]
fn tags_are_ordered_and_lead_back_to_themselves() {
    use crate::Tag;
    assert!(Tag::ALL.is_sorted_by_key(|tag| tag.number()));
    for tag in Tag::ALL {
        assert_eq!(Tag::from_number(tag.number()), Some(*tag));
        for version in 0..=u8::MAX {
            let known = crate::upcast::event(*tag, version, &[]).is_some();
            let expected = (1..=tag.version()).contains(&version);
            assert_eq!(known, expected, "{tag} version {version}");
        }
    }
}
