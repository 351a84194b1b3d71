//! Properties over random records.

use super::strategies::record;
use crate::{DecodeError, decode_prefix, decode_record, encode_record, encode_record_into};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_record_comes_back(record in record()) {
        let bytes = encode_record(&record).unwrap();
        prop_assert_eq!(&decode_record(&bytes), &Ok(record.clone()));
        prop_assert_eq!(encode_record(&record).unwrap(), bytes);
    }

    #[test]
    fn a_stream_gives_its_records_one_by_one(records in vec(record(), 0..5)) {
        let mut bytes = Vec::new();
        for record in &records {
            encode_record_into(record, &mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (record, used) = decode_prefix(rest).unwrap();
            found.push(record);
            rest = &rest[used..];
        }
        prop_assert_eq!(found, records);
    }

    #[test]
    fn every_truncation_is_told(record in record()) {
        let bytes = encode_record(&record).unwrap();
        for length in 0..bytes.len() {
            let cut = decode_record(&bytes[..length]);
            let told = matches!(cut, Err(DecodeError::Truncated { found, .. }) if found == length);
            prop_assert!(told, "{} of {} bytes: {:?}", length, bytes.len(), cut);
        }
    }

    #[test]
    fn every_changed_byte_is_told(record in record(), change in 1..=255_u8) {
        let mut bytes = encode_record(&record).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= change;
            prop_assert!(decode_record(&bytes).is_err(), "byte {} xor {}", at, change);
            prop_assert!(decode_prefix(&bytes).is_err(), "byte {} xor {}", at, change);
            bytes[at] ^= change;
        }
    }

    #[test]
    fn random_bytes_are_no_record(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(decode_record(&bytes).is_err());
    }

    /// Behind a right checksum anything may stand: it decodes or it is an error,
    /// and what decodes can be written again.
    #[test]
    fn a_sealed_random_payload_never_panics(
        tag in proptest::sample::select(crate::Tag::ALL),
        payload in vec(prop_oneof![0..4_u8, any::<u8>()], 0..80),
    ) {
        let mut bytes = b"PSJR\x01\x01".to_vec();
        bytes.extend(tag.number().to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(0_i64.to_le_bytes());
        bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.extend(&payload);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        if let Ok(record) = decode_record(&bytes) {
            let again = encode_record(&record).unwrap();
            prop_assert_eq!(decode_record(&again), Ok(record));
        }
    }
}
