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
