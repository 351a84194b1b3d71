//! What is sent of a source, and when its end is believed.

use super::*;
use crate::ports::{Chunk, Task};
use journal_format::value::{Entry, Fingerprint, Kind};
use std::sync::Arc;

struct Fake {
    entry: Entry,
    pieces: Vec<Vec<u8>>,
    is_changed: bool,
}

impl Source for Fake {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async move {
            if self.pieces.is_empty() && self.is_changed {
                return Err(PortError::precondition("it changed"));
            }
            Ok(self.pieces.pop().map(Chunk::from))
        })
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

pub(in crate::adapters::http) fn content(
    size: u64,
    text: &[u8],
    piece: usize,
    is_changed: bool,
) -> Content<'static> {
    let mut pieces: Vec<Vec<u8>> = text.chunks(piece).map(<[u8]>::to_vec).collect();
    pieces.reverse();
    let source = Box::new(Fake {
        entry: Entry {
            fingerprint: Fingerprint {
                kind: Kind::File,
                size,
                mtime_ns: 0,
                identity: None,
                version: None,
            },
            digest: None,
        },
        pieces,
        is_changed,
    });
    Content::new(source, DigestKind::Md5)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime")
        .block_on(future)
}

#[test]
fn the_last_piece_comes_only_after_the_source_ended_as_announced() {
    for (size, is_changed) in [(3, false), (5, false), (4, true)] {
        for piece in 1..=4 {
            let mut content = content(size, b"1234", piece, is_changed);
            let mut given = 0;
            let end = loop {
                match run(content.next(usize::MAX)) {
                    Ok(Some(bytes)) => given += bytes.len(),
                    end => break end,
                }
            };
            assert!(end.is_err(), "{size} {is_changed} {piece}");
            assert!((given as u64) < size, "the last piece was held back");
        }
    }
    assert_eq!(
        run(content(4, b"1234", 3, false).all()),
        Ok(b"1234".to_vec())
    );
    assert_eq!(run(content(0, b"", 3, false).all()), Ok(Vec::new()));
    assert!(run(content(0, b"1", 3, false).all()).is_err());
}

#[test]
fn what_is_skipped_counts_in_the_hash_of_the_whole() {
    let mut content = content(6, b"abcdef", 4, false);
    let beginning = run(content.skip(3)).expect("skip");
    assert_eq!(
        beginning.map(|digest| digest.to_string()).as_deref(),
        Some("md5:900150983cd24fb0d6963f7d28e17f72")
    );
    assert_eq!(run(content.all()), Ok(b"def".to_vec()));
    assert_eq!(
        content.finish().to_string(),
        "md5:e80b5017098950fc58aad83c8c14978e"
    );
}
