//! What a reader needs of a series: often less than all of its samples gives the same result.

/// Spans of time `(end - range_ms, end]` whose ends are `step_ms` apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// End of the first window.
    pub end_ms: i64,
    /// Zero if there is one window only.
    pub step_ms: i64,
    pub count: usize,
    pub range_ms: i64,
}

/// Samples that a reader needs at least; it may get more. Those it gets are as they were stored, in
/// order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    All,
    /// The last sample at or before the end of each window.
    Last(Windows),
    /// Of each window the first and the last sample that is no staleness marker, and all samples
    /// between which a value falls. The places of the samples are told when some are left out.
    Ends(Windows),
    /// Of each window the first of its greatest values, staleness markers apart.
    Greatest(Windows),
    /// Of each window the first of its least values, staleness markers apart.
    Least(Windows),
}

impl Windows {
    /// End of the window of this number.
    #[inline]
    #[must_use]
    pub const fn end_of(&self, number: usize) -> i64 {
        self.end_ms.saturating_add(self.step_ms.saturating_mul(number as i64))
    }

    /// Number of the first window that ends at this time or later.
    #[must_use]
    pub const fn first_from(&self, time_ms: i64) -> usize {
        if time_ms <= self.end_ms || self.step_ms <= 0 {
            return 0;
        }
        let ahead = time_ms.saturating_sub(self.end_ms) as u64;
        let number = ahead.div_ceil(self.step_ms as u64);
        if number > self.count as u64 { self.count } else { number as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_window_from_a_time_on_is_found() {
        let windows = Windows { end_ms: 100, step_ms: 10, count: 5, range_ms: 30 };
        for time in 0..200 {
            let found = (0..5).find(|&number| windows.end_of(number) >= time).unwrap_or(5);
            assert_eq!(windows.first_from(time), found, "{time}");
        }
        assert_eq!(Windows { step_ms: 0, count: 1, ..windows }.first_from(500), 0);
    }
}
