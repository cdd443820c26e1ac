//! Late and rewritten samples of one series: a sorted map from timestamp to value bits, compressed.
//!
//! The samples are cut into leaves of at most [`LEAF_SAMPLES`], disjoint in time: one hot leaf, in
//! the open, into which writes go, and any number of packed ones, each an XOR chunk. A write
//! elsewhere packs the hot leaf and unpacks the one it belongs to. Backfill in order, either way,
//! fills one leaf after the other; wholly random backfill costs an unpacking per sample, whatever
//! the number of samples.

use std::collections::BTreeMap;

use crate::chunk::{CHUNK_SAMPLES_MAX, ChunkBuilder, decode_words};
use crate::model::TimeRange;

/// Samples of one leaf.
pub const LEAF_SAMPLES: usize = CHUNK_SAMPLES_MAX as usize;

/// What a leaf costs beside its words: its entry in the tree, and what the allocator adds.
const LEAF_OVERHEAD: usize = size_of::<i64>() + size_of::<PackedLeaf>() + 24;

#[derive(Debug)]
struct PackedLeaf {
    words: Box<[u64]>,
    last_ms: i64,
    len_bits: u16,
    count: u8,
}

/// Sorted samples, unique by timestamp.
#[derive(Debug, Default)]
pub struct OooSamples {
    /// Hot leaf: sorted, at most [`LEAF_SAMPLES`].
    hot: Vec<(i64, u64)>,
    /// By first timestamp.
    packed: BTreeMap<i64, PackedLeaf>,
    packed_bytes: usize,
    len: usize,
}

impl OooSamples {
    #[must_use]
    pub const fn new() -> Self {
        Self { hot: Vec::new(), packed: BTreeMap::new(), packed_bytes: 0, len: 0 }
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bits of the value at a timestamp. Makes the leaf of that timestamp the hot one, since a
    /// write of it usually follows.
    pub fn get(&mut self, timestamp_ms: i64) -> Option<u64> {
        self.heat(timestamp_ms);
        let at = self.hot.binary_search_by_key(&timestamp_ms, |sample| sample.0).ok()?;
        self.hot.get(at).map(|sample| sample.1)
    }

    /// The value at a timestamp for readers, who change nothing.
    #[must_use]
    pub fn peek(&self, timestamp_ms: i64) -> Option<u64> {
        if let Ok(at) = self.hot.binary_search_by_key(&timestamp_ms, |sample| sample.0) {
            return self.hot.get(at).map(|sample| sample.1);
        }
        let (_, leaf) = self.packed.range(..=timestamp_ms).next_back()?;
        if leaf.last_ms < timestamp_ms {
            return None;
        }
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        leaf.decode(&mut timestamps, &mut values);
        let at = timestamps.binary_search(&timestamp_ms).ok()?;
        values.get(at).map(|value| value.to_bits())
    }

    /// Sets the value at a timestamp.
    pub fn insert(&mut self, timestamp_ms: i64, bits: u64) {
        self.heat(timestamp_ms);
        let at = match self.hot.binary_search_by_key(&timestamp_ms, |sample| sample.0) {
            Ok(at) => {
                if let Some(sample) = self.hot.get_mut(at) {
                    sample.1 = bits;
                }
                return;
            }
            Err(at) => at,
        };
        self.len += 1;
        if self.hot.len() < LEAF_SAMPLES {
            self.hot.insert(at, (timestamp_ms, bits));
            return;
        }
        // Backfill in order goes on in an empty leaf, so that the ones behind it stay full.
        let tail =
            if at == 0 || at == self.hot.len() { Vec::new() } else { self.hot.split_off(self.hot.len() / 2) };
        if tail.first().is_none_or(|first| timestamp_ms < first.0) && !tail.is_empty() {
            let kept = std::mem::replace(&mut self.hot, tail);
            self.pack();
            self.hot = kept;
            self.hot.insert(at, (timestamp_ms, bits));
            return;
        }
        self.pack();
        self.hot = tail;
        let at = self.hot.partition_point(|sample| sample.0 < timestamp_ms);
        self.hot.insert(at, (timestamp_ms, bits));
    }

    /// Makes the leaf to which `timestamp_ms` belongs the hot one: that with the greatest first
    /// timestamp not above it, else the first of all.
    fn heat(&mut self, timestamp_ms: i64) {
        let candidate = self.packed.range(..=timestamp_ms).next_back().map(|(first, _)| *first);
        let hot = self.hot.first().map(|sample| sample.0);
        let wanted = match (candidate, hot) {
            (Some(first), Some(hot)) if hot <= timestamp_ms && first < hot => return,
            (Some(first), _) => first,
            (None, Some(hot)) if hot <= timestamp_ms => return,
            (None, hot) => match (self.packed.keys().next().copied(), hot) {
                (None, _) => return,
                (Some(first), Some(hot)) if hot < first => return,
                (Some(first), _) => first,
            },
        };
        self.pack();
        if let Some(leaf) = self.packed.remove(&wanted) {
            self.packed_bytes -= leaf.memory_bytes();
            let (mut timestamps, mut values) = (Vec::new(), Vec::new());
            leaf.decode(&mut timestamps, &mut values);
            self.hot.extend(timestamps.into_iter().zip(values.into_iter().map(f64::to_bits)));
        }
    }

    /// Packs the hot leaf and leaves it empty.
    fn pack(&mut self) {
        let (Some(first), Some(last)) = (self.hot.first(), self.hot.last()) else { return };
        let (first_ms, last_ms) = (first.0, last.0);
        let mut builder = ChunkBuilder::new();
        for (timestamp_ms, bits) in &self.hot {
            builder.append(*timestamp_ms, f64::from_bits(*bits));
        }
        let (len_bits, count) = (builder.len_bits() as u16, builder.count());
        let leaf = PackedLeaf { words: builder.finish().into(), last_ms, len_bits, count };
        self.packed_bytes += leaf.memory_bytes();
        let before = self.packed.insert(first_ms, leaf);
        assert!(before.is_none(), "leaves are disjoint; two begin at {first_ms}");
        self.hot.clear();
    }

    /// Appends the samples of the range to the columns, and perhaps some around it.
    pub fn read(&self, range: TimeRange, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        let hot_first = self.hot.first().map_or(i64::MAX, |sample| sample.0);
        let mut hot_done = self.hot.is_empty();
        // The leaf before the range may reach into it.
        let begin =
            self.packed.range(..=range.start_ms).next_back().map_or(range.start_ms, |(first, _)| *first);
        if begin >= range.end_ms && range.is_empty() {
            return;
        }
        for (first, leaf) in self.packed.range(begin..range.end_ms.max(begin)) {
            if !hot_done && hot_first < *first {
                push_all(&self.hot, timestamps_ms, values);
                hot_done = true;
            }
            if leaf.last_ms >= range.start_ms {
                leaf.decode(timestamps_ms, values);
            }
        }
        if !hot_done {
            push_all(&self.hot, timestamps_ms, values);
        }
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.packed_bytes + self.hot.capacity() * size_of::<(i64, u64)>()
    }
}

fn push_all(samples: &[(i64, u64)], timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
    timestamps_ms.extend(samples.iter().map(|sample| sample.0));
    values.extend(samples.iter().map(|sample| f64::from_bits(sample.1)));
}

impl PackedLeaf {
    fn decode(&self, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        let len_bits = usize::from(self.len_bits);
        let decoded = decode_words(&self.words, len_bits, u16::from(self.count), timestamps_ms, values);
        assert!(decoded.is_ok(), "leaf of {} samples: {decoded:?}", self.count);
    }

    const fn memory_bytes(&self) -> usize {
        size_of_val::<[u64]>(&self.words) + LEAF_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contents(samples: &OooSamples, range: TimeRange) -> Vec<(i64, u64)> {
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        samples.read(range, &mut timestamps, &mut values);
        assert!(timestamps.is_sorted_by(|left, right| left < right));
        let bits = values.into_iter().map(f64::to_bits);
        timestamps.into_iter().zip(bits).filter(|(time, _)| range.contains(*time)).collect()
    }

    proptest! {
        #[test]
        fn equals_a_sorted_map(
            writes in proptest::collection::vec((prop_oneof![0i64..2000, 0i64..20, any::<i64>()], 0u64..4), 0..1500),
            start in -100i64..2100, len in 0i64..500,
        ) {
            let mut samples = OooSamples::new();
            let mut model = BTreeMap::new();
            for (timestamp, bits) in writes {
                prop_assert_eq!(samples.peek(timestamp), model.get(&timestamp).copied());
                if bits == 3 {
                    prop_assert_eq!(samples.get(timestamp), model.get(&timestamp).copied());
                } else {
                    samples.insert(timestamp, bits);
                    model.insert(timestamp, bits);
                }
            }
            prop_assert_eq!(samples.len(), model.len());
            model.remove(&i64::MAX);
            let all: Vec<_> = model.iter().map(|(time, bits)| (*time, *bits)).collect();
            prop_assert_eq!(contents(&samples, TimeRange::ALL), all);
            let range = TimeRange::new(start, start + len);
            let part: Vec<_> = model.range(start..start + len).map(|(time, bits)| (*time, *bits)).collect();
            prop_assert_eq!(contents(&samples, range), part);
        }
    }

    #[test]
    fn backfill_in_order_is_compact_in_either_direction() {
        for reversed in [false, true] {
            let mut samples = OooSamples::new();
            for index in 0..100_000i64 {
                let step = if reversed { 100_000 - index } else { index };
                samples.insert(step * 15_000, (step as f64).to_bits());
            }
            assert_eq!(samples.len(), 100_000);
            assert!(samples.memory_bytes() < 500_000, "{} bytes", samples.memory_bytes());
        }
    }
}
