//! One generation: the samples of all series between two freezes. It is dropped as a whole.

use super::Appended;
use super::series::ActiveSeries;
use crate::codec::prefetch::prefetch;
use crate::model::{SeriesRef, TimeRange};
use crate::paged::PagedVec;

/// A series that has no samples in this generation.
const NONE: u32 = u32::MAX;
/// How far ahead of its use memory is asked for.
const AHEAD: usize = 8;

/// See the module's text.
#[derive(Debug)]
pub struct Generation {
    /// By series number: index into `active`, or [`NONE`].
    index: PagedVec<u32, 16384>,
    active: PagedVec<ActiveSeries>,
    samples: u64,
    sample_bytes: usize,
    first_ms: i64,
    last_ms: i64,
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            index: PagedVec::default(),
            active: PagedVec::default(),
            samples: 0,
            sample_bytes: 0,
            first_ms: i64::MAX,
            last_ms: i64::MIN,
        }
    }
}

impl Generation {
    #[inline]
    fn find(&self, series: SeriesRef) -> Option<&ActiveSeries> {
        self.active.get(*self.index.get(series.index())? as usize)
    }

    #[inline]
    pub(super) fn append(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Appended {
        if self.index.len() <= series.index() {
            self.index.grow(series.index() + 1, || NONE);
        }
        let mut at = self.index.get(series.index()).copied().unwrap_or(NONE);
        if at == NONE {
            at = self.active.push(ActiveSeries::default()) as u32;
            if let Some(slot) = self.index.get_mut(series.index()) {
                *slot = at;
            }
        }
        self.first_ms = self.first_ms.min(timestamp_ms);
        self.last_ms = self.last_ms.max(timestamp_ms);
        let Some(active) = self.active.get_mut(at as usize) else { return Appended::Stored };
        let appended = active.append(timestamp_ms, value, &mut self.sample_bytes);
        if matches!(appended, Appended::Stored | Appended::OutOfOrder) {
            self.samples += 1;
        }
        appended
    }

    pub(super) fn append_many(
        &mut self,
        series: &[SeriesRef],
        timestamps_ms: &[i64],
        values: &[f64],
        appended: &mut Vec<Appended>,
    ) {
        assert_eq!(series.len(), timestamps_ms.len(), "columns of equal length");
        assert_eq!(series.len(), values.len(), "columns of equal length");
        appended.clear();
        appended.reserve(series.len());
        for (index, ((one, timestamp_ms), value)) in series.iter().zip(timestamps_ms).zip(values).enumerate()
        {
            if let Some(slot) = series.get(index + 2 * AHEAD).and_then(|later| self.index.get(later.index()))
            {
                prefetch(slot);
            }
            if let Some(active) = series.get(index + AHEAD).and_then(|soon| self.find(*soon)) {
                prefetch(active);
            }
            appended.push(self.append(*one, *timestamp_ms, *value));
        }
    }

    /// Appends the samples of a series in a range to the columns: sorted by time, times unique.
    pub fn read(
        &self,
        series: SeriesRef,
        range: TimeRange,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        if let Some(active) = self.find(series) {
            active.read(range, timestamps_ms, values);
        }
    }

    /// The series that have samples here, in order of their numbers.
    pub fn series(&self) -> impl Iterator<Item = SeriesRef> {
        let numbered = (0..).map(SeriesRef).zip(self.index.iter());
        numbered.filter(|(_, at)| **at != NONE).map(|(series, _)| series)
    }

    /// First and last time of a series, both inclusive.
    #[must_use]
    pub fn series_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        self.find(series)?.bounds()
    }

    /// First and last time of all series, both inclusive.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        (self.first_ms <= self.last_ms).then_some((self.first_ms, self.last_ms))
    }

    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.active.memory_bytes() + self.sample_bytes
    }
}
