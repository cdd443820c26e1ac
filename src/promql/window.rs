//! Time in evaluations: step grids, windows `(start, end]`, lookback, `offset` and `@`.

use shards::model::TimeRange;

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
