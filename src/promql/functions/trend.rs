//! Functions that fit a curve to a window: `deriv`, `predict_linear`,
//! `double_exponential_smoothing`.

use super::range::RangeInput;
use crate::promql::eval_error::EvalError;
use crate::promql::kahan;
use crate::promql::value::ABSENT;

pub(super) fn deriv(input: &RangeInput<'_>, out: &mut [f64]) {
    input.each_window(out, |_, timestamps, values| match timestamps.first() {
        // Times near the samples keep the sums small and so exact.
        Some(&first) if values.len() > 1 => regression(timestamps, values, first).0,
        _ => ABSENT,
    });
}

pub(super) fn predict_linear(input: &RangeInput<'_>, seconds: usize, out: &mut [f64]) {
    input.each_window(out, |step, timestamps, values| {
        if values.len() < 2 {
            return ABSENT;
        }
        let (slope, intercept) = regression(timestamps, values, input.grid.at(step));
        slope * input.param(seconds, step) + intercept
    });
}

/// Least squares line: slope per second, and value at `origin_ms`.
#[expect(clippy::float_cmp, reason = "a constant series is one of equal values")]
fn regression(timestamps: &[i64], values: &[f64], origin_ms: i64) -> (f64, f64) {
    let Some(&first) = values.first() else { return (f64::NAN, f64::NAN) };
    if values.iter().all(|&value| value == first) || values.len() == 1 {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let mut sum_x = kahan::Sum::default();
    let mut sum_y = kahan::Sum::default();
    let mut sum_xy = kahan::Sum::default();
    let mut sum_xx = kahan::Sum::default();
    for (&timestamp, &y) in timestamps.iter().zip(values) {
        let x = (timestamp - origin_ms) as f64 / 1e3;
        sum_x.add(x);
        sum_y.add(y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let count = values.len() as f64;
    let (sum_x, sum_y) = (sum_x.value(), sum_y.value());
    let covariance = sum_xy.value() - sum_x * sum_y / count;
    let variance = sum_xx.value() - sum_x * sum_x / count;
    let slope = covariance / variance;
    (slope, sum_y / count - slope * sum_x / count)
}

pub(super) fn double_exponential_smoothing(
    input: &RangeInput<'_>,
    smoothing: usize,
    trend: usize,
    out: &mut [f64],
) -> Result<(), EvalError> {
    let mut bad = None;
    input.each_window(out, |step, _, values| {
        let (smoothing, trend) = (input.param(smoothing, step), input.param(trend, step));
        for (name, symbol, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trend)] {
            if factor <= 0.0 || factor >= 1.0 {
                bad.get_or_insert_with(|| {
                    EvalError::execution(format!(
                        "invalid {name} factor. Expected: 0 < {symbol} < 1, got: {factor:.6}"
                    ))
                });
            }
        }
        smooth(values, smoothing, trend)
    });
    bad.map_or(Ok(()), Err)
}

fn smooth(values: &[f64], smoothing: f64, trend_factor: f64) -> f64 {
    let (Some(&first), Some(&second)) = (values.first(), values.get(1)) else { return ABSENT };
    let mut before = 0.0;
    let mut level = first;
    let mut trend = second - first;
    for (index, &value) in values.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + trend);
        before = level;
        level = next;
    }
    level
}
