//! Samples of one series as two columns.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::time::TimeRange;

/// Every thread takes numbers of times by the block, so that cores do not meet at each series.
const NUMBERS: u64 = 1 << 20;
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The next [`SampleColumns::times_number`]; where a block begins, there is none left.
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// Samples of one series as two columns of equal length, sorted by time, times unique.
#[derive(Debug, Clone, Default)]
pub struct SampleColumns {
    pub timestamps_ms: Vec<i64>,
    pub values: Vec<f64>,
    /// If samples were left out: the place of each among all, staleness markers not counted.
    pub places: Vec<u32>,
    times_number: u64,
}

impl SampleColumns {
    /// Columns of the same number, if it is not 0, have the same timestamps and places: series of one
    /// target often have.
    #[must_use]
    pub const fn times_number(&self) -> u64 {
        self.times_number
    }

    /// Gives timestamps and places that other series may have as well a number of their own.
    pub fn number_times(&mut self) -> u64 {
        self.times_number = match NEXT_NUMBER.get() {
            begin if begin.is_multiple_of(NUMBERS) => {
                NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * NUMBERS + 1
            }
            next => next,
        };
        NEXT_NUMBER.set(self.times_number + 1);
        self.times_number
    }

    pub fn clear(&mut self) {
        self.times_number = 0;
        self.timestamps_ms.clear();
        self.values.clear();
        self.places.clear();
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps_ms.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps_ms.is_empty()
    }

    /// Adds later writes: samples that are sorted, wherever they lie in time. Of equal timestamps
    /// they stay.
    pub fn overlay(&mut self, newer_ms: &[i64], newer_values: &[f64]) {
        self.times_number = 0;
        let ahead = self.timestamps_ms.last().zip(newer_ms.first()).is_none_or(|(last, first)| last < first);
        if ahead {
            self.timestamps_ms.extend_from_slice(newer_ms);
            self.values.extend_from_slice(newer_values);
        } else {
            merge_newer(0, &mut self.timestamps_ms, &mut self.values, newer_ms, newer_values);
        }
    }

    /// Takes out the samples of a range.
    pub fn remove(&mut self, range: TimeRange) {
        self.times_number = 0;
        let begin = self.timestamps_ms.partition_point(|time| *time < range.start_ms);
        let end = self.timestamps_ms.partition_point(|time| *time < range.end_ms).max(begin);
        self.timestamps_ms.drain(begin..end);
        self.values.drain(begin..end);
    }
}

/// Drops what lies behind `base` and outside of the range; the columns are sorted from there.
pub fn trim(base: usize, range: TimeRange, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
    let column = timestamps_ms.get(base..).unwrap_or_default();
    let begin = base + column.partition_point(|time| *time < range.start_ms);
    let end = base + column.partition_point(|time| *time < range.end_ms);
    timestamps_ms.truncate(end);
    values.truncate(end);
    if begin > base {
        let begin = begin.min(end);
        timestamps_ms.drain(base..begin);
        values.drain(base..begin);
    }
}

/// Merges sorted samples into the sorted columns behind `base`; of equal timestamps the merged
/// ones stay.
pub fn merge_newer(
    base: usize,
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
    newer_ms: &[i64],
    newer_values: &[f64],
) {
    let Some(first) = newer_ms.first() else { return };
    // Only what is not older than the first of the newer samples takes part.
    let start = base + timestamps_ms.get(base..).unwrap_or_default().partition_point(|time| time < first);
    let older_ms = timestamps_ms.split_off(start);
    let older_values = values.split_off(start);
    timestamps_ms.reserve(older_ms.len() + newer_ms.len());
    values.reserve(older_ms.len() + newer_ms.len());
    let mut older = older_ms.iter().zip(&older_values).peekable();
    for (newer_ms, newer_value) in newer_ms.iter().zip(newer_values) {
        while let Some((time, value)) = older.next_if(|(time, _)| *time < newer_ms) {
            timestamps_ms.push(*time);
            values.push(*value);
        }
        older.next_if(|(time, _)| *time == newer_ms);
        timestamps_ms.push(*newer_ms);
        values.push(*newer_value);
    }
    for (time, value) in older {
        timestamps_ms.push(*time);
        values.push(*value);
    }
}
