//! The samples of one series in one generation.
//!
//! Samples that come in order of time go into chunks. Others go into a sorted map beside them, and
//! so does a second value for a time that is in a chunk: where both have a time, the map is newer.

use std::collections::BTreeMap;

use super::Appended;
use crate::chunk::{ChunkState, XorChunk};
use crate::model::TimeRange;

/// Capacities that the bytes of the open chunk grow through, so that little is wasted.
const CAPACITY_STEP: usize = 32;
/// Estimate of what a sample out of order takes.
const OUT_OF_ORDER_SAMPLE_BYTES: usize = 28;

/// A chunk that takes no more samples.
#[derive(Debug)]
struct FullChunk {
    first_ms: i64,
    last_ms: i64,
    count: u8,
    bytes: Box<[u8]>,
}

impl FullChunk {
    fn chunk(&self) -> XorChunk<'_> {
        XorChunk { bytes: &self.bytes, count: self.count }
    }
}

/// What only some series need.
#[derive(Debug, Default)]
struct Rest {
    full: Vec<FullChunk>,
    out_of_order: BTreeMap<i64, u64>,
}

/// One active series.
#[derive(Debug, Default)]
pub(super) struct ActiveSeries {
    state: ChunkState,
    open_first_ms: i64,
    open: Vec<u8>,
    rest: Option<Box<Rest>>,
}

impl ActiveSeries {
    /// Stores a sample; adds to `bytes` what it takes more of memory.
    #[inline]
    pub(super) fn append(&mut self, timestamp_ms: i64, value: f64, bytes: &mut usize) -> Appended {
        if self.state.count() > 0 && timestamp_ms <= self.state.last_ms() {
            return self.append_late(timestamp_ms, value, bytes);
        }
        if self.state.is_full() {
            self.seal(bytes);
        }
        if self.state.count() == 0 {
            self.open_first_ms = timestamp_ms;
        }
        // A sample takes 19 bytes at most.
        if self.open.capacity() - self.open.len() < 20 {
            let before = self.open.capacity();
            self.open.reserve_exact(CAPACITY_STEP);
            *bytes += self.open.capacity() - before;
        }
        self.state.append(&mut self.open, timestamp_ms, value);
        Appended::Stored
    }

    fn seal(&mut self, bytes: &mut usize) {
        let open = std::mem::take(&mut self.open);
        let before = open.capacity();
        let full = FullChunk {
            first_ms: self.open_first_ms,
            last_ms: self.state.last_ms(),
            count: self.state.count(),
            bytes: open.into_boxed_slice(),
        };
        *bytes = (*bytes + full.bytes.len() + size_of::<FullChunk>()).saturating_sub(before);
        self.rest.get_or_insert_default().full.push(full);
        self.state = ChunkState::default();
    }

    #[cold]
    fn append_late(&mut self, timestamp_ms: i64, value: f64, bytes: &mut usize) -> Appended {
        let bits = value.to_bits();
        let rest = self.rest.as_deref();
        let known = rest.and_then(|rest| rest.out_of_order.get(&timestamp_ms).copied());
        let in_chunk = || {
            if timestamp_ms == self.state.last_ms() {
                Some(self.state.last_bits())
            } else {
                self.find(timestamp_ms)
            }
        };
        let known = known.or_else(in_chunk);
        if known == Some(bits) {
            return Appended::Duplicate;
        }
        let rest = self.rest.get_or_insert_with(|| {
            *bytes += size_of::<Rest>();
            Box::default()
        });
        if rest.out_of_order.insert(timestamp_ms, bits).is_none() {
            *bytes += OUT_OF_ORDER_SAMPLE_BYTES;
        }
        if known.is_some() { Appended::Replaced } else { Appended::OutOfOrder }
    }

    /// The bits of the value at a time, from the chunks.
    fn find(&self, timestamp_ms: i64) -> Option<u64> {
        let mut found = None;
        let range = TimeRange::inclusive(timestamp_ms, timestamp_ms);
        for (.., chunk) in self.chunks(range) {
            // Our own chunks decode; if one ever did not, its readable samples still count.
            let _ = chunk.for_each(|at, value| {
                if at == timestamp_ms {
                    found = Some(value.to_bits());
                }
            });
        }
        found
    }

    /// The chunks that overlap a range, in order of time, with their first and last times.
    fn chunks(&self, range: TimeRange) -> impl Iterator<Item = (i64, i64, XorChunk<'_>)> {
        let full = self.rest.iter().flat_map(|rest| &rest.full);
        let open = (self.state.count() > 0).then(|| {
            let chunk = XorChunk { bytes: &self.open, count: self.state.count() };
            (self.open_first_ms, self.state.last_ms(), chunk)
        });
        full.map(|full| (full.first_ms, full.last_ms, full.chunk()))
            .chain(open)
            .filter(move |(first_ms, last_ms, _)| range.overlaps_inclusive(*first_ms, *last_ms))
    }

    pub(super) fn read(&self, range: TimeRange, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        if range.is_empty() {
            return;
        }
        let start = timestamps_ms.len();
        for (first_ms, last_ms, chunk) in self.chunks(range) {
            let decoded = if range.contains(first_ms) && range.contains(last_ms) {
                chunk.decode(timestamps_ms, values)
            } else {
                chunk.for_each(|timestamp_ms, value| {
                    if range.contains(timestamp_ms) {
                        timestamps_ms.push(timestamp_ms);
                        values.push(value);
                    }
                })
            };
            debug_assert!(decoded.is_ok(), "chunks in memory decode");
        }
        let Some(rest) = self.rest.as_deref().filter(|rest| !rest.out_of_order.is_empty()) else { return };
        let (newer_ms, newer): (Vec<i64>, Vec<f64>) = rest
            .out_of_order
            .range(range.start_ms..range.end_ms)
            .map(|(timestamp_ms, bits)| (*timestamp_ms, f64::from_bits(*bits)))
            .unzip();
        merge_newer(timestamps_ms, values, start, &newer_ms, &newer);
    }

    /// First and last time.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let chunks = self.chunks(TimeRange::ALL).map(|(first_ms, last_ms, _)| (first_ms, last_ms));
        let late = self.rest.as_deref().and_then(|rest| {
            Some((*rest.out_of_order.first_key_value()?.0, *rest.out_of_order.last_key_value()?.0))
        });
        chunks.chain(late).reduce(super::join)
    }
}

/// Merges newer samples into those of the columns from `start` on. Both are sorted; where both have
/// a time the newer value stays.
pub(super) fn merge_newer(
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
    start: usize,
    newer_ms: &[i64],
    newer: &[f64],
) {
    let Some(first_newer) = newer_ms.first() else { return };
    if timestamps_ms.get(start..).and_then(<[_]>::last).is_none_or(|last| last < first_newer) {
        timestamps_ms.extend_from_slice(newer_ms);
        values.extend_from_slice(newer);
        return;
    }
    let older_ms = timestamps_ms.split_off(start);
    let older = values.split_off(start);
    let mut older = older_ms.into_iter().zip(older).peekable();
    for (timestamp_ms, value) in newer_ms.iter().zip(newer) {
        while let Some((at, kept)) = older.next_if(|(at, _)| at < timestamp_ms) {
            timestamps_ms.push(at);
            values.push(kept);
        }
        older.next_if(|(at, _)| at == timestamp_ms);
        timestamps_ms.push(*timestamp_ms);
        values.push(*value);
    }
    for (at, kept) in older {
        timestamps_ms.push(at);
        values.push(kept);
    }
}
