//! Compensated summation after Kahan with Neumaier's improvement.

/// Adds `value` to `sum`, whose lost low-order part is `compensation`. An infinite sum has none.
#[inline]
#[must_use]
pub(crate) fn add(value: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + value;
    if total.is_infinite() {
        return (total, 0.0);
    }
    let lost = if sum.abs() >= value.abs() { (sum - total) + value } else { (value - total) + sum };
    (total, compensation + lost)
}

/// A running compensated sum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sum {
    sum: f64,
    compensation: f64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        (self.sum, self.compensation) = add(value, self.sum, self.compensation);
    }

    #[inline]
    pub(crate) fn value(self) -> f64 {
        self.sum + self.compensation
    }
}

/// A running mean: of the sum while that is finite, else incremental, which cannot overflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    count: f64,
    /// Sum of the values, or their mean once `incremental`.
    sum: f64,
    compensation: f64,
    incremental: bool,
}

impl Mean {
    #[inline]
    pub(crate) const fn of(value: f64) -> Self {
        Self { count: 1.0, sum: value, compensation: 0.0, incremental: false }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let (sum, compensation) = add(value, self.sum, self.compensation);
            if !sum.is_infinite() {
                (self.sum, self.compensation) = (sum, compensation);
                return;
            }
            self.count -= 1.0;
            self.make_incremental();
            self.count += 1.0;
        }
        let kept = (self.count - 1.0) / self.count;
        (self.sum, self.compensation) = add(value / self.count, kept * self.sum, kept * self.compensation);
    }

    fn make_incremental(&mut self) {
        if !self.incremental {
            self.incremental = true;
            self.sum /= self.count;
            self.compensation /= self.count;
        }
    }

    /// Takes in the values of another mean.
    pub(crate) fn merge(&mut self, mut other: Self) {
        let count = self.count + other.count;
        if !self.incremental && !other.incremental {
            let (sum, compensation) = add(other.sum, self.sum, self.compensation);
            if !sum.is_infinite() {
                *self =
                    Self { count, sum, compensation: compensation + other.compensation, incremental: false };
                return;
            }
        }
        self.make_incremental();
        other.make_incremental();
        let (kept, added) = (self.count / count, other.count / count);
        let (sum, compensation) = add(added * other.sum, kept * self.sum, kept * self.compensation);
        *self =
            Self { count, sum, compensation: compensation + added * other.compensation, incremental: true };
    }

    #[inline]
    pub(crate) fn value(self) -> f64 {
        if self.incremental {
            self.sum + self.compensation
        } else {
            self.sum / self.count + self.compensation / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_survive_between_large_ones() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.value(), 2.0);
    }

    #[test]
    fn mean_of_huge_values_does_not_overflow() {
        let mut mean = Mean::of(f64::MAX);
        mean.add(f64::MAX);
        mean.add(f64::MAX);
        assert_eq!(mean.value(), f64::MAX);
        let mut left = Mean::of(f64::MAX);
        left.merge(Mean::of(f64::MAX));
        assert_eq!(left.value(), f64::MAX);
    }

    #[test]
    fn mean_of_opposite_infinities_is_nan() {
        let mut mean = Mean::of(f64::INFINITY);
        mean.add(1.0);
        assert_eq!(mean.value(), f64::INFINITY);
        mean.add(f64::NEG_INFINITY);
        assert!(mean.value().is_nan());
    }
}
