//! Time in evaluations: step grids, windows `(start, end]`, lookback, `offset` and `@`.

use shards::model::TimeRange;
use shards::model::time::advance;

/// Times of evaluation: `start_ms`, `start_ms + step_ms`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub start_ms: i64,
    /// Zero only where all steps look at the same time.
    pub step_ms: i64,
    pub steps: usize,
}

impl Grid {
    #[must_use]
    pub const fn instant(time_ms: i64) -> Self {
        Self { start_ms: time_ms, step_ms: 0, steps: 1 }
    }

    /// Steps of `step_ms` from `start_ms` up to `end_ms`, both included; none when `end_ms` is
    /// before `start_ms`.
    #[must_use]
    pub fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        assert!(step_ms > 0, "a range has a positive step, not {step_ms} ms");
        let steps = if end_ms < start_ms {
            0
        } else {
            usize::try_from((i128::from(end_ms) - i128::from(start_ms)) / i128::from(step_ms) + 1)
                .unwrap_or(usize::MAX)
        };
        Self { start_ms, step_ms, steps }
    }

    /// Time of a step.
    #[inline]
    #[must_use]
    pub const fn at(&self, step: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(step as i64))
    }

    #[must_use]
    pub const fn end_ms(&self) -> i64 {
        if self.steps == 0 { self.start_ms } else { self.at(self.steps - 1) }
    }

    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.steps).map(move |step| grid.at(step))
    }

    /// The same steps, `offset_ms` earlier.
    #[must_use]
    pub const fn earlier(&self, offset_ms: i64) -> Self {
        Self { start_ms: self.start_ms.saturating_sub(offset_ms), ..*self }
    }

    /// As many steps that all look at one time.
    #[must_use]
    pub const fn fixed_at(&self, time_ms: i64) -> Self {
        Self { start_ms: time_ms, step_ms: 0, steps: self.steps }
    }

    /// Samples that windows `(time - before_ms, time]` of all steps touch.
    #[must_use]
    pub const fn reach(&self, before_ms: i64) -> TimeRange {
        TimeRange::inclusive(self.start_ms.saturating_sub(before_ms).saturating_add(1), self.end_ms())
    }
}

/// The samples in `(time - range, time]` for the time of each step, as index ranges.
#[derive(Debug, Clone)]
pub(crate) struct Windows<'a> {
    timestamps: &'a [i64],
    reference: Grid,
    range_ms: i64,
    step: usize,
    low: usize,
    high: usize,
}

impl<'a> Windows<'a> {
    pub(crate) const fn new(timestamps: &'a [i64], reference: Grid, range_ms: i64) -> Self {
        Self { timestamps, reference, range_ms, step: 0, low: 0, high: 0 }
    }
}

impl Iterator for Windows<'_> {
    type Item = (usize, std::ops::Range<usize>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.step >= self.reference.steps {
            return None;
        }
        let step = self.step;
        self.step += 1;
        let end = self.reference.at(step);
        let start = end.saturating_sub(self.range_ms);
        self.high = advance(self.timestamps, self.high, end);
        self.low = advance(self.timestamps, self.low, start).min(self.high);
        Some((step, self.low..self.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_hold_the_samples_of_the_left_open_range(
            mut timestamps in proptest::collection::btree_set(-500_i64..500, 0..80),
            start in -300_i64..300, step in 0_i64..100, steps in 0_usize..20, range in 0_i64..300,
        ) {
            let timestamps: Vec<i64> = std::mem::take(&mut timestamps).into_iter().collect();
            let grid = Grid { start_ms: start, step_ms: step, steps };
            let windows: Vec<_> = Windows::new(&timestamps, grid, range).collect();
            prop_assert_eq!(windows.len(), steps);
            for (index, window) in windows {
                let end = start + step * index as i64;
                let expected: Vec<i64> =
                    timestamps.iter().copied().filter(|&t| end - range < t && t <= end).collect();
                prop_assert_eq!(&timestamps[window], &expected[..]);
            }
        }
    }

    #[test]
    fn a_grid_ends_at_the_last_whole_step() {
        let grid = Grid::range(0, 100, 30);
        assert_eq!(grid.steps, 4);
        assert_eq!(grid.end_ms(), 90);
        assert_eq!(Grid::range(10, 0, 5).steps, 0);
        assert_eq!(grid.earlier(5).times().collect::<Vec<_>>(), vec![-5, 25, 55, 85]);
        assert_eq!(grid.reach(60), TimeRange { start_ms: -59, end_ms: 91 });
    }
}
