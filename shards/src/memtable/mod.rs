//! Samples in memory, by series number: an active generation that takes writes and at most one
//! frozen generation that waits for its flush.
//!
//! API skeleton.
use std::rc::Rc;

use crate::model::{SeriesRef, TimeRange};

/// What became of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Newer than all others of its series.
    Stored,
    /// Same timestamp and bits as a stored one: nothing to do.
    Duplicate,
    /// Same timestamp as a stored one, other bits: the new value is read from now on.
    Replaced,
    /// Older than the newest of its series, and stored.
    OutOfOrder,
}

/// Outcomes of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppendCounts {
    pub stored: u64,
    pub duplicate: u64,
    pub replaced: u64,
    pub out_of_order: u64,
}

/// Samples of one stretch of the WAL, frozen and dropped as a whole.
#[derive(Debug)]
pub struct Generation {}

impl Generation {
    /// Series with samples, in order of their numbers.
    pub fn series(&self) -> impl Iterator<Item = SeriesRef> + '_ {
        std::iter::empty()
    }
    #[must_use]
    pub fn series_count(&self) -> usize {
        todo!()
    }
    #[must_use]
    pub fn sample_count(&self) -> u64 {
        todo!()
    }
    /// Oldest and newest timestamp of a series, both inclusive.
    #[must_use]
    pub fn time_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        todo!("{series:?}")
    }
    /// Oldest and newest timestamp of all.
    #[must_use]
    pub fn time_bounds_all(&self) -> Option<(i64, i64)> {
        todo!()
    }
    /// Appends the series' samples of the range to the columns: sorted, unique, newest write wins.
    pub fn read(&self, series: SeriesRef, range: TimeRange, timestamps: &mut Vec<i64>, values: &mut Vec<f64>) {
        todo!("{series:?} {range:?} {timestamps:?} {values:?}")
    }
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}

#[derive(Debug)]
pub struct Memtable {}

impl Default for Memtable {
    fn default() -> Self {
        Self::new()
    }
}

impl Memtable {
    #[must_use]
    pub fn new() -> Self {
        todo!()
    }
    pub fn append(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Appended {
        todo!("{series:?} {timestamp_ms} {value}")
    }
    /// Appends `timestamps[i], values[i]` to `series[i]` for all i; several samples of one series
    /// are appended in the order given.
    pub fn append_many(&mut self, series: &[SeriesRef], timestamps: &[i64], values: &[f64]) -> AppendCounts {
        todo!("{series:?} {timestamps:?} {values:?}")
    }
    /// Appends the series' samples of the range to the columns: sorted, unique, newest write wins,
    /// from both generations.
    pub fn read(&self, series: SeriesRef, range: TimeRange, timestamps: &mut Vec<i64>, values: &mut Vec<f64>) {
        todo!("{series:?} {range:?} {timestamps:?} {values:?}")
    }
    /// Oldest and newest timestamp of a series, both inclusive.
    #[must_use]
    pub fn time_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        todo!("{series:?}")
    }
    #[must_use]
    pub fn time_bounds_all(&self) -> Option<(i64, i64)> {
        todo!()
    }
    /// Freezes the active generation and starts an empty one; `None` if one is frozen already.
    pub fn freeze(&mut self) -> Option<Rc<Generation>> {
        todo!()
    }
    #[must_use]
    pub fn frozen(&self) -> Option<&Rc<Generation>> {
        todo!()
    }
    #[must_use]
    pub fn active(&self) -> &Generation {
        todo!()
    }
    /// Lets go of the frozen generation, whose samples are elsewhere by now.
    pub fn drop_frozen(&mut self) {
        todo!()
    }
    /// Series with samples, counted per generation.
    #[must_use]
    pub fn series_count(&self) -> usize {
        todo!()
    }
    #[must_use]
    pub fn sample_count(&self) -> u64 {
        todo!()
    }
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
