//! Ranges of time in milliseconds since the Unix epoch.

/// Half-open range `[start_ms, end_ms)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub start_ms: i64,
    pub end_ms: i64,
}

impl TimeRange {
    /// All of time but its very last millisecond.
    pub const ALL: Self = Self { start_ms: i64::MIN, end_ms: i64::MAX };

    #[must_use]
    pub const fn new(start_ms: i64, end_ms: i64) -> Self {
        Self { start_ms, end_ms }
    }

    /// Both bounds belong to the range, as in the HTTP API.
    #[must_use]
    pub const fn inclusive(first_ms: i64, last_ms: i64) -> Self {
        Self { start_ms: first_ms, end_ms: last_ms.saturating_add(1) }
    }

    #[inline]
    #[must_use]
    pub const fn contains(&self, timestamp_ms: i64) -> bool {
        self.start_ms <= timestamp_ms && timestamp_ms < self.end_ms
    }

    /// Whether any millisecond lies both here and in `[first_ms, last_ms]`.
    #[inline]
    #[must_use]
    pub const fn overlaps_inclusive(&self, first_ms: i64, last_ms: i64) -> bool {
        first_ms < self.end_ms && self.start_ms <= last_ms
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start_ms >= self.end_ms
    }
}

/// Places that are tried one after the other before [`advance`] takes longer strides.
const NEAR: usize = 4;

/// Index of the first of some ascending times that is after `time_ms`, searched from `from` on,
/// before which all are. Takes time by the logarithm of the way.
#[inline]
#[must_use]
pub fn advance(times_ms: &[i64], from: usize, time_ms: i64) -> usize {
    let is_before = |index: usize| times_ms.get(index).is_some_and(|time| *time <= time_ms);
    let mut low = from;
    while low < from + NEAR {
        if !is_before(low) {
            return low;
        }
        low += 1;
    }
    let mut stride = NEAR;
    while is_before(low + stride - 1) {
        low += stride;
        stride *= 2;
    }
    let high = (low + stride - 1).min(times_ms.len());
    low + times_ms.get(low..high).map_or(0, |rest| rest.partition_point(|time| *time <= time_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn advancing_finds_the_place_from_anywhere_before_it(
            mut times in proptest::collection::vec(0_i64..200, 0..100), from in 0_usize..100, time in -5_i64..210,
        ) {
            times.sort_unstable();
            let expected = times.partition_point(|one| *one <= time);
            prop_assert_eq!(advance(&times, from.min(expected), time), expected);
        }
    }
}
