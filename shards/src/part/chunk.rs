//! References to chunks: what a reader must know to leave a chunk out, and where its bytes are.
//!
//! The references of one series in one part, its *entry*: uvarint number of chunks, then per chunk
//!
//! | size | field          | encoding | notes                                                           |
//! |-----:|----------------|----------|-----------------------------------------------------------------|
//! |    1 | kind           | u8       | [`ChunkKind`]                                                   |
//! | 1-10 | first          | varint   | first timestamp, minus the last one of the chunk before (first chunk: minus the start of the window) |
//! | 1-10 | span           | uvarint  | last timestamp minus the first                                  |
//! |  1-5 | count          | uvarint  | samples                                                         |
//! | 1-10 | values offset  | varint   | minus the end of the values of the chunk before (first: minus 0) |
//! |  1-5 | values length  | uvarint  | checksum included                                               |
//! | 1-10 | times offset   | varint   | minus the offset of the values; only for kind 1                 |
//! |  1-5 | times length   | uvarint  | checksum included; only for kind 1                              |

#![deny(clippy::indexing_slicing)]

use crate::codec::varint::{put_uvarint, put_varint};
use crate::codec::{Cursor, Truncated};
use crate::model::TimeRange;

/// Chunks of one series in one part.
pub const CHUNKS_MAX: u64 = 1 << 16;
/// Bytes of one column with its checksum.
pub const COLUMN_LEN_MAX: u32 = 4 << 20;

/// What is in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ChunkKind {
    /// A column of floats and a column of timestamps, which chunks share.
    Floats = 1,
    /// Native histograms with their timestamps.
    Histograms = 2,
    /// Exemplars.
    Exemplars = 3,
    /// Start timestamps of the samples.
    Starts = 4,
}

impl ChunkKind {
    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Floats),
            2 => Some(Self::Histograms),
            3 => Some(Self::Exemplars),
            4 => Some(Self::Starts),
            _ => None,
        }
    }
}

/// Bytes of a file, their checksum at the end included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Extent {
    pub offset: u64,
    pub len: u32,
}

impl Extent {
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.len as u64)
    }
}

/// One chunk of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    pub kind: ChunkKind,
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: u32,
    pub values: Extent,
    /// The column of timestamps; empty where they are in `values`.
    pub times: Extent,
}

impl ChunkRef {
    #[must_use]
    pub const fn overlaps(&self, range: TimeRange) -> bool {
        range.overlaps_inclusive(self.first_ms, self.last_ms)
    }
}

/// Appends the entry of a series in a part whose window begins at `base_ms`.
pub fn put_entry(out: &mut Vec<u8>, base_ms: i64, chunks: &[ChunkRef]) {
    put_uvarint(out, chunks.len() as u64);
    let (mut before_ms, mut before_end) = (base_ms, 0u64);
    for chunk in chunks {
        out.push(chunk.kind as u8);
        put_varint(out, chunk.first_ms.wrapping_sub(before_ms));
        put_uvarint(out, chunk.last_ms.wrapping_sub(chunk.first_ms) as u64);
        put_uvarint(out, u64::from(chunk.count));
        put_varint(out, chunk.values.offset.wrapping_sub(before_end) as i64);
        put_uvarint(out, u64::from(chunk.values.len));
        if chunk.kind == ChunkKind::Floats {
            put_varint(out, chunk.times.offset.wrapping_sub(chunk.values.offset) as i64);
            put_uvarint(out, u64::from(chunk.times.len));
        }
        before_ms = chunk.last_ms;
        before_end = chunk.values.end();
    }
}

/// Replaces `chunks` by the content of an entry.
pub fn read_entry(entry: &[u8], base_ms: i64, chunks: &mut Vec<ChunkRef>) -> Result<(), Truncated> {
    chunks.clear();
    let mut cursor = Cursor::new(entry);
    let count = cursor.uvarint()?;
    if count > CHUNKS_MAX {
        return Err(Truncated { offset: 0 });
    }
    let (mut before_ms, mut before_end) = (base_ms, 0u64);
    for _ in 0..count {
        let bad = Truncated { offset: cursor.position() };
        let kind = ChunkKind::from_number(cursor.u8()?).ok_or(bad)?;
        let first_ms = before_ms.wrapping_add(cursor.varint()?);
        let span = i64::try_from(cursor.uvarint()?).map_err(|_| bad)?;
        let last_ms = first_ms.checked_add(span).ok_or(bad)?;
        let count = u32::try_from(cursor.uvarint()?).map_err(|_| bad)?;
        let offset = before_end.wrapping_add(cursor.varint()? as u64);
        let values = Extent { offset, len: column_len(cursor.uvarint()?).ok_or(bad)? };
        let mut times = Extent::default();
        if kind == ChunkKind::Floats {
            times.offset = offset.wrapping_add(cursor.varint()? as u64);
            times.len = column_len(cursor.uvarint()?).ok_or(bad)?;
        }
        if count == 0 {
            return Err(bad);
        }
        before_ms = last_ms;
        before_end = values.end();
        chunks.push(ChunkRef { kind, first_ms, last_ms, count, values, times });
    }
    if cursor.is_empty() { Ok(()) } else { Err(Truncated { offset: cursor.position() }) }
}

fn column_len(len: u64) -> Option<u32> {
    u32::try_from(len).ok().filter(|len| *len <= COLUMN_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_chunk() -> impl Strategy<Value = ChunkRef> {
        let extent = (0..1u64 << 40, 0..COLUMN_LEN_MAX).prop_map(|(offset, len)| Extent { offset, len });
        let kind = prop_oneof![
            Just(ChunkKind::Floats),
            Just(ChunkKind::Histograms),
            Just(ChunkKind::Exemplars),
            Just(ChunkKind::Starts)
        ];
        (kind, any::<i32>(), any::<u32>(), 1..100_000u32, extent.clone(), extent).prop_map(
            |(kind, first, span, count, values, times)| {
                let times = if kind == ChunkKind::Floats { times } else { Extent::default() };
                let first_ms = i64::from(first);
                ChunkRef { kind, first_ms, last_ms: first_ms + i64::from(span), count, values, times }
            },
        )
    }

    proptest! {
        #[test]
        fn entries_round_trip(chunks in proptest::collection::vec(any_chunk(), 0..20), base: i32) {
            let mut bytes = Vec::new();
            put_entry(&mut bytes, i64::from(base), &chunks);
            let mut read = Vec::new();
            prop_assert!(read_entry(&bytes, i64::from(base), &mut read).is_ok());
            prop_assert_eq!(read, chunks);
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>, base: i64) {
            let _ = read_entry(&bytes, base, &mut Vec::new());
        }
    }
}
