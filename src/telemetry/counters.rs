//! Counters of one core: cells, since nobody else writes them, and snapshots that may cross cores.

use std::cell::Cell;
use std::time::Duration;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    #[must_use]
    pub const fn new() -> Self {
        Self(Cell::new(0))
    }

    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    #[inline]
    pub fn add(&self, by: u64) {
        self.0.set(self.0.get().wrapping_add(by));
    }

    #[must_use]
    pub const fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Upper bounds that suit everything from a decode to a slow query, in seconds.
pub const LATENCY_BOUNDS_SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Observations counted by fixed upper bounds, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One per bound, and one for what is above all of them.
    counts: Box<[Cell<u64>]>,
    sum: Cell<f64>,
}

impl Histogram {
    /// A histogram with these bounds, which ascend and are finite.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        assert!(bounds.is_sorted_by(|left, right| left < right), "bounds ascend: {bounds:?}");
        Self { bounds, counts: vec![Cell::new(0); bounds.len() + 1].into(), sum: Cell::new(0.0) }
    }

    /// A histogram of durations.
    #[must_use]
    pub fn latency() -> Self {
        Self::new(LATENCY_BOUNDS_SECONDS)
    }

    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.set(count.get().wrapping_add(1));
        }
        self.sum.set(self.sum.get() + value);
    }

    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    #[must_use]
    pub fn figures(&self) -> HistogramFigures {
        HistogramFigures {
            bounds: self.bounds,
            counts: self.counts.iter().map(Cell::get).collect(),
            sum: self.sum.get(),
        }
    }
}

/// A histogram at one moment; may cross cores and be added up.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramFigures {
    pub bounds: &'static [f64],
    /// Not cumulated; the last is for what is above all bounds.
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl HistogramFigures {
    /// Adds the observations of another core.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.bounds, other.bounds, "only histograms of one kind are added up");
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_fall_into_the_bucket_whose_bound_they_do_not_exceed() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 2.5, f64::INFINITY] {
            histogram.observe(value);
        }
        assert_eq!(histogram.figures().counts, [2, 2, 2]);
        assert_eq!(histogram.figures().count(), 6);
        let mut figures = histogram.figures();
        figures.merge(&histogram.figures());
        assert_eq!(figures.counts, [4, 4, 4]);
    }

    #[test]
    fn counters_count() {
        let counter = Counter::new();
        counter.inc();
        counter.add(2);
        assert_eq!(counter.get(), 3);
    }
}
