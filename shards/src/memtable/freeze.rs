//! The memtable: an active generation, and a frozen one while it waits for its flush.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::index::postings::bitmap_of_sorted;
use crate::model::columns::merge_newer;
use crate::model::{SeriesRef, TimeRange};

use super::generation::{Appended, Generation};

/// How many samples lie between two stages of an append: enough to hide the latency of memory, few
/// enough to stay in the first-level cache.
const AHEAD: usize = 8;

/// Samples of the shard's series that are not on disk except in the WAL.
#[derive(Debug, Default)]
pub struct Memtable {
    active: Generation,
    frozen: Option<Arc<Generation>>,
    /// Samples of the frozen generation were deleted since: what is written again is no repetition.
    frozen_is_stale: bool,
}

impl Memtable {
    #[must_use]
    pub const fn new() -> Self {
        Self { active: Generation::new(), frozen: None, frozen_is_stale: false }
    }

    /// Appends one sample, whatever its time.
    pub fn append(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Appended {
        let frozen = if self.frozen_is_stale { None } else { self.frozen.as_deref() };
        self.active.append(series, timestamp_ms, value.to_bits(), frozen)
    }

    /// Takes samples out of the active generation. The frozen one does not change: readers and the
    /// flush leave out what was deleted of it.
    pub fn delete(&mut self, series: impl IntoIterator<Item = SeriesRef>, range: TimeRange) {
        self.frozen_is_stale = self.frozen.is_some();
        for series in series {
            self.active.remove(series, range);
        }
    }

    /// Appends `timestamps_ms[i], values[i]` to `series[i]` for all i; several samples of one
    /// series are appended in the order given. The columns are equally long, and `appended` gets
    /// one item per sample.
    ///
    /// Goes through the batch in stages, so that the memory of many series is loaded at once.
    pub fn append_many(
        &mut self,
        series: &[SeriesRef],
        timestamps_ms: &[i64],
        values: &[f64],
        appended: &mut Vec<Appended>,
    ) {
        assert_eq!(series.len(), timestamps_ms.len(), "one timestamp per series reference");
        assert_eq!(series.len(), values.len(), "one value per series reference");
        appended.clear();
        appended.reserve(series.len());
        let frozen = if self.frozen_is_stale { None } else { self.frozen.as_deref() };
        // The heads of the samples to come; none where a series has none yet.
        let mut heads = [None; 2 * AHEAD];
        for (head, series) in heads.iter_mut().zip(series) {
            *head = self.active.find_head(*series, frozen);
        }
        for (index, ((one, timestamp_ms), value)) in series.iter().zip(timestamps_ms).zip(values).enumerate()
        {
            if let Some(later) = series.get(index + 3 * AHEAD) {
                self.active.prefetch_index(*later);
            }
            self.active.prefetch_words(heads[(index + AHEAD) % heads.len()]);
            let later = series.get(index + 2 * AHEAD);
            let later = later.and_then(|later| self.active.find_head(*later, frozen));
            let head = std::mem::replace(&mut heads[index % (2 * AHEAD)], later);
            appended.push(self.active.append_to(head, *one, *timestamp_ms, value.to_bits(), frozen));
        }
    }

    /// Appends the series' samples of the range to the columns: sorted, unique, newest write wins,
    /// from both generations.
    pub fn read(
        &self,
        series: SeriesRef,
        range: TimeRange,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        let base = timestamps_ms.len();
        if let Some(frozen) = &self.frozen {
            frozen.read(series, range, timestamps_ms, values);
        }
        let middle = timestamps_ms.len();
        self.active.read(series, range, timestamps_ms, values);
        if middle > base
            && let (Some(last), Some(first)) = (timestamps_ms.get(middle - 1), timestamps_ms.get(middle))
            && first <= last
        {
            let newer_ms = timestamps_ms.split_off(middle);
            let newer_values = values.split_off(middle);
            merge_newer(base, timestamps_ms, values, &newer_ms, &newer_values);
        }
    }

    /// Numbers of the series that either generation has samples of.
    #[must_use]
    pub fn series(&self) -> RoaringBitmap {
        let numbers = |generation: &Generation| bitmap_of_sorted(generation.series().map(|series| series.0));
        let mut series = numbers(&self.active);
        if let Some(frozen) = &self.frozen {
            series |= numbers(frozen);
        }
        series
    }

    /// Oldest and newest timestamp of a series, both inclusive.
    #[must_use]
    pub fn series_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.series_bounds(series));
        union(self.active.series_bounds(series), frozen)
    }

    /// Oldest and newest timestamp of all.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.bounds());
        union(self.active.bounds(), frozen)
    }

    /// Freezes the active generation and starts an empty one.
    ///
    /// # Panics
    ///
    /// When the generation frozen before has not been dropped.
    pub fn freeze(&mut self) -> Arc<Generation> {
        assert!(self.frozen.is_none(), "a frozen generation of {} samples is there", self.samples());
        self.frozen_is_stale = false;
        let frozen = Arc::new(std::mem::take(&mut self.active));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// Lets go of the frozen generation, whose samples are elsewhere by now. Its memory is freed
    /// when the last reader drops it.
    pub fn drop_frozen(&mut self) {
        self.frozen = None;
    }

    #[must_use]
    pub const fn frozen(&self) -> Option<&Arc<Generation>> {
        self.frozen.as_ref()
    }

    #[must_use]
    pub const fn active(&self) -> &Generation {
        &self.active
    }

    /// Samples of both generations; one that replaces a frozen one counts twice until the flush.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.active.samples() + self.frozen.as_ref().map_or(0, |frozen| frozen.samples())
    }

    /// Bytes held by both generations.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.active.memory_bytes() + self.frozen.as_ref().map_or(0, |frozen| frozen.memory_bytes())
    }
}

fn union(left: Option<(i64, i64)>, right: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (left, right) {
        (Some(left), Some(right)) => Some((left.0.min(right.0), left.1.max(right.1))),
        (left, right) => left.or(right),
    }
}
