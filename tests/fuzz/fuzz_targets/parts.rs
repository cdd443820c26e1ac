//! Noise in place of what runs and blocks hold: columns, entries, pages and indexes.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use shards::chunk::column::{CHUNK_LEN_MAX, Decoder, summaries};
use shards::error::{Error, Result};
use shards::index::block::{BulkRead, IndexScanner, verify};
use shards::part::chunk::read_entry;
use shards::run::RunPage;

struct Noise<'a>(&'a [u8]);

impl BulkRead for Noise<'_> {
    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let piece = start.checked_add(len).and_then(|end| self.0.get(start..end));
        piece.map(<[u8]>::to_vec).ok_or_else(|| Error::Corrupt { path: "noise".into(), offset, what: "the end" })
    }
}

fuzz_target!(|input: (u16, &[u8])| {
    let (count, bytes) = input;
    let count = usize::from(count) % (CHUNK_LEN_MAX + 2);
    let mut decoder = Decoder::default();
    let (mut values, mut times) = (Vec::new(), Vec::new());
    if decoder.decode_values(bytes, count, &mut values).is_ok() {
        assert_eq!(values.len(), count);
    }
    if decoder.decode_timestamps(bytes, count, &mut times).is_ok() {
        assert!(times.len() == count && times.is_sorted_by(|left, right| left < right));
    }
    let _ = summaries(bytes, count, &mut Vec::new());
    let _ = read_entry(bytes, 0, &mut Vec::new());
    let _ = RunPage::default().refill(bytes);
    let (path, len) = (Path::new("noise"), bytes.len() as u64);
    let _ = verify(Noise(bytes), path, len);
    if let Ok(mut scanner) = IndexScanner::open(Noise(bytes), path, len) {
        while let Ok(Some(_)) = scanner.next() {}
    }
});
