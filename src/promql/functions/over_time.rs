//! Aggregations of the samples in one window: `avg_over_time` and its relatives.

use super::range::{RangeInput, Scratch};
use crate::promql::kahan;

pub(super) fn sum(values: &[f64]) -> f64 {
    let mut sum = kahan::Sum::default();
    for &value in values {
        sum.add(value);
    }
    sum.value()
}

pub(super) fn avg(values: &[f64]) -> f64 {
    let Some((&first, rest)) = values.split_first() else { return f64::NAN };
    let mut mean = kahan::Mean::of(first);
    for &value in rest {
        mean.add(value);
    }
    mean.value()
}

/// Population variance, by Welford's recurrence with compensated sums.
pub(super) fn variance(values: &[f64]) -> f64 {
    let mut count = 0.0;
    let mut mean = kahan::Sum::default();
    let mut squares = kahan::Sum::default();
    for &value in values {
        count += 1.0;
        let delta = value - mean.value();
        mean.add(delta / count);
        squares.add(delta * (value - mean.value()));
    }
    squares.value() / count
}

/// Smallest or largest value of each window; NaN only when all values are.
///
/// The deque holds the indices of values that may yet become the answer: each is beaten by none
/// after it. So every sample enters and leaves once.
pub(super) fn extreme(
    input: &RangeInput<'_>,
    scratch: &mut Scratch,
    out: &mut [f64],
    beats: impl Fn(f64, f64) -> bool,
) {
    let value_at = |index: usize| input.values.get(index).copied().unwrap_or(f64::NAN);
    let deque = &mut scratch.deque;
    deque.clear();
    let mut next = 0;
    for (step, window) in input.windows() {
        next = next.max(window.start);
        while next < window.end {
            let value = value_at(next);
            while deque.back().is_some_and(|&last| {
                let last = value_at(last);
                beats(value, last) || last.is_nan()
            }) {
                deque.pop_back();
            }
            if !value.is_nan() || deque.is_empty() {
                deque.push_back(next);
            }
            next += 1;
        }
        while deque.front().is_some_and(|&first| first < window.start) {
            deque.pop_front();
        }
        if !window.is_empty()
            && let Some(out) = out.get_mut(step)
        {
            // Empty when the only values that were not NaN have left the window.
            *out = deque.front().map_or(f64::NAN, |&first| value_at(first));
        }
    }
}

/// Time in seconds of the last value that no other beats.
pub(super) fn time_of(timestamps: &[i64], values: &[f64], beats: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = f64::NAN;
    let mut time = 0;
    for (&timestamp, &value) in timestamps.iter().zip(values) {
        if best.is_nan() || beats(value, best) {
            best = value;
            time = timestamp;
        }
    }
    time as f64 / 1_000.0
}

/// Quantile of values in any order; `sorted` is a buffer.
pub(super) fn quantile(quantile: f64, values: &[f64], sorted: &mut Vec<f64>) -> f64 {
    sorted.clear();
    sorted.extend_from_slice(values);
    quantile_in_place(quantile, sorted)
}

/// Quantile by linear interpolation between the two nearest ranks, NaN being the least; the order of
/// the values is lost.
pub(crate) fn quantile_in_place(quantile: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || quantile.is_nan() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    let last = values.len() - 1;
    let rank = quantile * last as f64;
    let lower = (rank.floor() as usize).min(last);
    let weight = rank - rank.floor();
    // Only two neighbours count, so the rest need no order.
    let (_, below, above) = values.select_nth_unstable_by(lower, nan_first);
    let next = above.iter().copied().min_by(nan_first).unwrap_or(*below);
    *below * (1.0 - weight) + next * weight
}

fn nan_first(a: &f64, b: &f64) -> std::cmp::Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal),
        (a_is, b_is) => b_is.cmp(&a_is),
    }
}

/// Median of the distances from the median; NaN as soon as one value is.
pub(super) fn median_absolute_deviation(values: &[f64], buffer: &mut Vec<f64>) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let median = quantile(0.5, values, buffer);
    for value in buffer.iter_mut() {
        *value = (*value - median).abs();
    }
    quantile_in_place(0.5, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(sum(&values), 40.0);
        assert_eq!(avg(&values), 5.0);
        assert_eq!(variance(&values), 4.0);
        let mut buffer = Vec::new();
        assert_eq!(quantile(0.5, &values, &mut buffer), 4.5);
        assert_eq!(quantile(0.25, &[1.0, 2.0, 3.0], &mut buffer), 1.5);
        assert_eq!(quantile(2.0, &values, &mut buffer), f64::INFINITY);
        assert_eq!(quantile(-1.0, &values, &mut buffer), f64::NEG_INFINITY);
        assert!(quantile(f64::NAN, &values, &mut buffer).is_nan());
        assert_eq!(median_absolute_deviation(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0], &mut buffer), 1.0);
        assert_eq!(time_of(&[1_000, 2_000, 3_000], &[5.0, 5.0, f64::NAN], |a, b| a >= b), 2.0);
    }

    #[test]
    fn infinite_sums_stay_infinite() {
        assert_eq!(sum(&[f64::MAX, f64::MAX, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}
