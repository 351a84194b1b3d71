//! Stands in for `journal_format::envelope` until that is merged.

use journal_format::event::{Event, OperationEvent, FailureClass, Record};
use journal_format::value::{Seq, Timestamp};

pub(super) fn encode_record(record: &Record) -> Vec<u8> {
    let detail = match &record.event {
        Event::Operation(OperationEvent::Failed { detail, .. }) => detail.as_bytes(),
        _ => b"",
    };
    let mut bytes = record.seq.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&record.time.0.to_be_bytes());
    bytes.extend_from_slice(detail);
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(&hash.as_bytes()[..8]);
    bytes
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, String> {
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or("short")?;
    if blake3::hash(body).as_bytes()[..8] != *sum {
        return Err("checksum".into());
    }
    let (seq, rest) = body.split_first_chunk::<8>().ok_or("short")?;
    let (time, rest) = rest.split_first_chunk::<8>().ok_or("short")?;
    Ok(Record {
        seq: Seq(u64::from_be_bytes(*seq)),
        time: Timestamp(i64::from_be_bytes(*time)),
        event: Event::Operation(OperationEvent::Failed {
            operation: Seq(1),
            class: FailureClass::Retry,
            detail: String::from_utf8(rest.to_vec()).map_err(|e| e.to_string())?,
            retry_at: None,
        }),
    })
}
