//! Compensated sums of overlapping windows, several at a time.
//!
//! Each addition waits for the one before it, and the order of additions decides the last bits, so
//! a window cannot be summed in parts. But windows do not wait for each other. The error of an
//! addition is exact however it is computed, unless something overflows; such windows are summed
//! again one value after the other.

use std::array::from_fn;
use std::ops::Range;

use super::range::RangeInput;
use crate::promql::kahan;

/// Windows that are summed at the same time.
const LANES: usize = 4;

/// Sets `out` of every window that has samples to `value` of its sum, the compensation and the
/// number of samples; or to `slowly` of its samples when the sum is not finite.
pub(super) fn each_sum(
    input: &RangeInput<'_>,
    out: &mut [f64],
    value: impl Fn(f64, f64, f64) -> f64,
    slowly: impl Fn(&[f64]) -> f64,
) {
    let mut steps = [0; LANES];
    let mut windows = [const { 0..0 }; LANES];
    let mut waiting = 0;
    let mut flush = |steps: &[usize], windows: &[Range<usize>; LANES]| {
        let samples = |window: &Range<usize>| input.values.get(window.clone()).unwrap_or_default();
        let start = windows.iter().map(|window| window.start).min().unwrap_or(0);
        let end = windows.iter().map(|window| window.end).max().unwrap_or(0);
        let narrow = is_narrow(samples(&(start..end)));
        let sums = sums(windows.each_ref().map(samples), narrow);
        for ((step, window), (sum, compensation)) in steps.iter().zip(windows).zip(sums) {
            if let Some(out) = out.get_mut(*step) {
                *out = if sum.is_finite() && compensation.is_finite() {
                    value(sum, compensation, window.len() as f64)
                } else {
                    slowly(samples(window))
                };
            }
        }
    };
    for (step, window) in input.windows().filter(|(_, window)| !window.is_empty()) {
        if waiting == 0 {
            windows.fill(window.clone());
        }
        if let (Some(place), Some(lane)) = (steps.get_mut(waiting), windows.get_mut(waiting)) {
            (*place, *lane) = (step, window);
        }
        waiting += 1;
        if waiting == LANES {
            flush(&steps, &windows);
            waiting = 0;
        }
    }
    if waiting > 0 {
        flush(steps.get(..waiting).unwrap_or_default(), &windows);
    }
}

/// Sum and compensation of each window; whether none of their values is more than twice as large as
/// another is told.
fn sums(windows: [&[f64]; LANES], narrow: bool) -> [(f64, f64); LANES] {
    let common = windows.iter().map(|window| window.len()).min().unwrap_or(0);
    // From the third value on none is larger than the sum, if they are narrow.
    let careful = if narrow { common.min(2) } else { common };
    let part = |range: Range<usize>| windows.map(|window| window.get(range.clone()).unwrap_or_default());
    let mut lanes = Lanes::default();
    for_each(part(0..careful), |values| lanes = lanes.plus(values));
    for_each(part(careful..common), |values| lanes = lanes.plus_less(values));
    let mut results = [(0.0, 0.0); LANES];
    for (((result, window), sum), lost) in results.iter_mut().zip(windows).zip(lanes.sums).zip(lanes.lost) {
        *result = (sum, lost);
        for value in window.get(common..).unwrap_or_default() {
            *result = kahan::add(*value, result.0, result.1);
        }
    }
    results
}

/// Calls `each` with the values in the same place of all lanes, which are equally long.
#[inline(always)]
fn for_each(lanes: [&[f64]; LANES], mut each: impl FnMut([f64; LANES])) {
    let [a, b, c, d] = lanes;
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        each([*a, *b, *c, *d]);
    }
}

/// Whether no value is more than twice as large as another; none is negative then.
fn is_narrow(values: &[f64]) -> bool {
    let (parts, rest) = values.as_chunks::<LANES>();
    let (mut least, mut greatest) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let tail: [f64; LANES] = from_fn(|at| rest.get(at).or_else(|| values.first()).copied().unwrap_or(0.0));
    for part in parts.iter().chain([&tail]) {
        least = from_fn(|at| if part[at] < least[at] { part[at] } else { least[at] });
        greatest = from_fn(|at| if part[at] > greatest[at] { part[at] } else { greatest[at] });
    }
    let least = least.into_iter().fold(f64::INFINITY, f64::min);
    greatest.into_iter().fold(f64::NEG_INFINITY, f64::max) <= 2.0 * least
}

/// Running sums; written so that a machine's wide registers hold them.
#[derive(Clone, Copy, Default)]
struct Lanes {
    sums: [f64; LANES],
    lost: [f64; LANES],
}

impl Lanes {
    /// Adds a value to each sum, whatever their sizes.
    #[inline(always)]
    fn plus(self, values: [f64; LANES]) -> Self {
        let Self { sums, lost } = self;
        let totals: [f64; LANES] = from_fn(|at| sums[at] + values[at]);
        let added: [f64; LANES] = from_fn(|at| totals[at] - sums[at]);
        let errors: [f64; LANES] =
            from_fn(|at| (sums[at] - (totals[at] - added[at])) + (values[at] - added[at]));
        Self { sums: totals, lost: from_fn(|at| lost[at] + errors[at]) }
    }

    /// Adds a value to each sum where no value is larger than the sum.
    #[inline(always)]
    fn plus_less(self, values: [f64; LANES]) -> Self {
        let Self { sums, lost } = self;
        let totals: [f64; LANES] = from_fn(|at| sums[at] + values[at]);
        let added: [f64; LANES] = from_fn(|at| totals[at] - sums[at]);
        Self { sums: totals, lost: from_fn(|at| lost[at] + (values[at] - added[at])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::functions::over_time;
    use crate::promql::value::ABSENT;
    use crate::promql::window::Grid;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (100_000_u32..150_000).prop_map(|value| f64::from(value) / 100.0),
            4 => (0_u32..150_000).prop_map(|value| f64::from(value) / 100.0),
            2 => any::<f64>(),
            2 => -1e3..1e3_f64,
            1 => prop_oneof![Just(f64::INFINITY), Just(f64::MAX), Just(-0.0), Just(f64::MIN_POSITIVE)],
        ]
    }

    proptest! {
        #[test]
        fn sums_have_the_bits_of_single_windows(
            samples in prop_oneof![
                proptest::collection::vec((1_i64..30_000, value()), 0..120),
                proptest::collection::vec((15_000..15_001_i64, (9_000_u32..17_000).prop_map(|v| f64::from(v) / 100.0)), 0..120),
            ],
            step in 1_i64..90_000, steps in 0_usize..40, range_ms in 1_i64..300_000,
        ) {
            let mut time = 0;
            let (timestamps, values): (Vec<i64>, Vec<f64>) = samples
                .into_iter()
                .map(|(gap, value)| {
                    time += gap;
                    (time, value)
                })
                .unzip();
            let grid = Grid { start_ms: 0, step_ms: step, steps };
            let input = RangeInput::whole(&timestamps, &values, grid, range_ms);
            for (single, sum) in [(over_time::sum as fn(&[f64]) -> f64, true), (over_time::avg, false)] {
                let (mut together, mut apart) = (vec![ABSENT; steps], vec![ABSENT; steps]);
                let result = |total: f64, lost: f64, count: f64| {
                    if sum { total + lost } else { total / count + lost / count }
                };
                each_sum(&input, &mut together, result, single);
                input.each_window(&mut apart, |_, _, values| single(values));
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&together), bits(&apart));
            }
        }
    }
}
