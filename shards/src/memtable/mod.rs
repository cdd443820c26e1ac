//! The newest samples of a shard, compressed in memory.
//!
//! A memtable is one generation that takes writes and, while a flush is under way, one that was
//! frozen as a whole and is read only. The newer generation wins where both have a time.

mod generation;
mod series;
#[cfg(test)]
mod tests;

use std::rc::Rc;

pub use self::generation::Generation;
use crate::model::{SeriesRef, TimeRange};

/// What became of an appended sample. All of them are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Newer than all others of its series.
    Stored,
    /// It was there already, bit for bit.
    Duplicate,
    /// It took the place of another value at the same time.
    Replaced,
    /// Older than the newest of its series.
    OutOfOrder,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Memtable {
    active: Generation,
    frozen: Option<Rc<Generation>>,
}

impl Memtable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[inline]
    pub fn append(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Appended {
        self.active.append(series, timestamp_ms, value)
    }

    /// Appends the samples of three columns of equal length; `appended` gets one item per sample.
    pub fn append_many(
        &mut self,
        series: &[SeriesRef],
        timestamps_ms: &[i64],
        values: &[f64],
        appended: &mut Vec<Appended>,
    ) {
        self.active.append_many(series, timestamps_ms, values, appended);
    }

    /// Appends the samples of a series in a range to the columns: sorted by time, times unique.
    pub fn read(
        &self,
        series: SeriesRef,
        range: TimeRange,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        let Some(frozen) = &self.frozen else {
            self.active.read(series, range, timestamps_ms, values);
            return;
        };
        let start = timestamps_ms.len();
        frozen.read(series, range, timestamps_ms, values);
        let (mut newer_ms, mut newer) = (Vec::new(), Vec::new());
        self.active.read(series, range, &mut newer_ms, &mut newer);
        series::merge_newer(timestamps_ms, values, start, &newer_ms, &newer);
    }

    /// Freezes what is there and goes on with an empty generation. Only one may be frozen at a time.
    ///
    /// # Panics
    ///
    /// When the generation frozen before was not dropped.
    pub fn freeze(&mut self) -> Rc<Generation> {
        assert!(self.frozen.is_none(), "a frozen generation has not been dropped yet");
        let frozen = Rc::new(std::mem::take(&mut self.active));
        self.frozen = Some(Rc::clone(&frozen));
        frozen
    }

    /// Forgets the frozen generation: its samples are readable elsewhere.
    pub fn drop_frozen(&mut self) {
        self.frozen = None;
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.frozen.as_deref().into_iter().chain(std::iter::once(&self.active))
    }

    /// First and last time of a series, both inclusive.
    #[must_use]
    pub fn series_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        self.generations().filter_map(|generation| generation.series_bounds(series)).reduce(join)
    }

    /// First and last time of all series, both inclusive.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        self.generations().filter_map(Generation::bounds).reduce(join)
    }

    #[must_use]
    pub fn samples(&self) -> u64 {
        self.generations().map(Generation::samples).sum()
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.generations().map(Generation::memory_bytes).sum()
    }
}

fn join(left: (i64, i64), right: (i64, i64)) -> (i64, i64) {
    (left.0.min(right.0), left.1.max(right.1))
}
