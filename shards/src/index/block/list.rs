//! Sorted ordinals of series, in the shortest of three forms.
//!
//! | kind | form    | behind the kind byte                                                        |
//! |-----:|---------|-----------------------------------------------------------------------------|
//! |    1 | runs    | uvarint number of runs; per run uvarint first ordinal minus the one behind the run before (first: minus 0), uvarint length minus 1 |
//! |    2 | bitmap  | a serialized roaring bitmap                                                 |

#![deny(clippy::indexing_slicing)]

use roaring::RoaringBitmap;

use crate::codec::Cursor;
use crate::codec::crc::{seal, unsealed};
use crate::codec::varint::put_uvarint;

const RUNS: u8 = 1;
const BITMAP: u8 = 2;

/// A list that grows by ascending ordinals: complete runs encoded, the last one open.
#[derive(Debug, Clone, Default)]
pub(super) struct ListBuilder {
    runs: Vec<u8>,
    run_count: u32,
    /// Behind the last complete run.
    behind: u32,
    first: u32,
    /// Behind the open run; equal to `first` when there is none.
    end: u32,
    len: u32,
}

impl ListBuilder {
    pub(super) fn push(&mut self, ordinal: u32) {
        self.len += 1;
        if self.len > 1 && ordinal == self.end {
            self.end += 1;
            return;
        }
        if self.len > 1 {
            self.end_run();
        }
        (self.first, self.end) = (ordinal, ordinal + 1);
    }

    fn end_run(&mut self) {
        let runs = &mut self.runs;
        put_uvarint(runs, u64::from(self.first - self.behind));
        put_uvarint(runs, u64::from(self.end - self.first - 1));
        self.behind = self.end;
        self.run_count += 1;
    }

    /// The only ordinal, if there is just one.
    pub(super) fn only(&self) -> Option<u32> {
        (self.len == 1).then_some(self.first)
    }

    /// The bytes of the list, checksum included.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_run();
        let mut bytes = vec![RUNS];
        put_uvarint(&mut bytes, u64::from(self.run_count));
        bytes.extend_from_slice(&self.runs);
        if bytes.len() as u64 > 64 + u64::from(self.len) / 8 {
            let bitmap = read_runs(&bytes, u32::MAX).unwrap_or_default();
            if bitmap.serialized_size() + 1 < bytes.len() {
                bytes = vec![BITMAP];
                // Writing to memory does not fail.
                let _ = bitmap.serialize_into(&mut bytes);
            }
        }
        seal(&mut bytes);
        bytes
    }
}

fn read_runs(bytes: &[u8], series: u32) -> Option<RoaringBitmap> {
    let mut cursor = Cursor::new(bytes);
    cursor.u8().ok()?;
    let mut bitmap = RoaringBitmap::new();
    let mut behind = 0u64;
    for _ in 0..cursor.uvarint().ok()? {
        let first = behind.checked_add(cursor.uvarint().ok()?)?;
        let end = first.checked_add(cursor.uvarint().ok()?)?.checked_add(1)?;
        if end > u64::from(series) {
            return None;
        }
        bitmap.insert_range(first as u32..end as u32);
        behind = end;
    }
    cursor.is_empty().then_some(bitmap)
}

/// Reads the bytes of a list of ordinals below `series`.
pub(super) fn read_list(bytes: &[u8], series: u32) -> Option<RoaringBitmap> {
    let bytes = unsealed(bytes)?;
    match *bytes.first()? {
        RUNS => read_runs(bytes, series),
        BITMAP => {
            let bitmap = RoaringBitmap::deserialize_from(bytes.get(1..)?).ok()?;
            bitmap.max().is_none_or(|max| max < series).then_some(bitmap)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_round_trip(gaps in proptest::collection::vec(prop_oneof![8 => 0..1u32, 1 => 0..50u32], 1..3000)) {
            let mut builder = ListBuilder::default();
            let mut expected = RoaringBitmap::new();
            let mut at = 0;
            for gap in gaps {
                at += gap;
                builder.push(at);
                expected.insert(at);
                at += 1;
            }
            prop_assert_eq!(builder.only().is_some(), expected.len() == 1);
            let bytes = builder.finish();
            prop_assert_eq!(read_list(&bytes, at), Some(expected));
            prop_assert_eq!(read_list(&bytes, at - 1), None);
        }
    }
}
