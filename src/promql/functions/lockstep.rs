//! Compensated sums of overlapping windows, several at a time.
//!
//! Each addition waits for the one before it, and the order of additions decides the last bits, so
//! a window cannot be summed in parts. But windows do not wait for each other.
//!
//! The compensation is the sum of the errors of all additions. Where values are narrow (none is more
//! than twice as large as another), all errors are few multiples of one unit, so their sum has no
//! error itself: it is the exact total less the rounded one, and the exact totals of all windows
//! follow from running totals in integers. Elsewhere errors are summed one by one; windows in which
//! something overflows are summed again one value after the other.

use std::array::from_fn;
use std::ops::Range;

use super::range::{RangeInput, Scratch, StepWindow};
use crate::promql::kahan;

/// Windows of which it is decided together whether their values are narrow, at first.
const SPAN: usize = 64;
/// Windows that are summed together.
const GROUP: usize = 8;
/// Windows whose errors are summed at the same time.
const LANES: usize = 4;

/// Sum and compensation.
type Sum = (f64, f64);

/// Sets `out` of every window that has samples to `value` of its sum, the compensation and the
/// number of samples; or to `slowly` of its samples when the sum is not finite.
pub(super) fn each_sum(
    input: &RangeInput<'_>,
    scratch: &mut Scratch,
    out: &mut [f64],
    value: impl Fn(f64, f64, f64) -> f64,
    slowly: impl Fn(&[f64]) -> f64,
) {
    let Scratch { windows, totals, .. } = scratch;
    let windows = windows.get(input.times_number, |list| {
        list.extend(input.windows().filter(|(_, window)| !window.is_empty()));
    });
    let mut put = |(step, window): &StepWindow, (sum, compensation): Sum| {
        if let Some(out) = out.get_mut(*step) {
            *out = if sum.is_finite() && compensation.is_finite() {
                value(sum, compensation, window.len() as f64)
            } else {
                slowly(samples(input.values, window))
            };
        }
    };
    for span in windows.chunks(SPAN) {
        if each_narrow_sum(input.values, span, totals, &mut put) {
            continue;
        }
        for group in span.chunks(GROUP) {
            if !each_narrow_sum(input.values, group, totals, &mut put) {
                let sums = sums(lanes(input.values, group));
                group.iter().zip(sums).for_each(|(window, sum)| put(window, sum));
            }
        }
    }
}

/// Calls `put` with the sum of each of some windows; does nothing and returns false where their
/// values are not narrow. The windows are in order of time.
fn each_narrow_sum(
    values: &[f64],
    windows: &[StepWindow],
    totals: &mut Vec<i64>,
    mut put: impl FnMut(&StepWindow, Sum),
) -> bool {
    let (Some((_, first)), Some((_, last))) = (windows.first(), windows.last()) else { return true };
    let Some(unit) = Unit::of(samples(values, &(first.start..last.end))) else { return false };
    unit.totals(values, windows, totals);
    for (group, totals) in windows.chunks(GROUP).zip(totals.chunks(GROUP)) {
        let exact = from_fn(|at| totals.get(at).copied().unwrap_or(0));
        let sums = unit.sums(lanes(values, group), exact);
        group.iter().zip(sums).for_each(|(window, sum)| put(window, sum));
    }
    true
}

fn samples<'v>(values: &'v [f64], window: &Range<usize>) -> &'v [f64] {
    values.get(window.clone()).unwrap_or_default()
}

/// The samples of a group of windows; those of its first one again where it is not full.
fn lanes<'v>(values: &'v [f64], group: &[StepWindow]) -> [&'v [f64]; GROUP] {
    from_fn(|at| {
        let window = group.get(at).or_else(|| group.first());
        window.map_or(&[][..], |(_, window)| samples(values, window))
    })
}

/// Bits of the fraction of a double.
const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
/// Units are powers of two of which a double can be multiplied and divided without loss.
const EXPONENTS: Range<u64> = 200..1800;

/// A power of two of which all of some narrow values are multiples: the last place of the least.
#[derive(Debug, Clone, Copy)]
struct Unit {
    /// As in the bits of the least value.
    exponent: u64,
}

impl Unit {
    /// None if one value is more than twice as large as another, or none is positive.
    fn of(values: &[f64]) -> Option<Self> {
        let (parts, rest) = values.as_chunks::<LANES>();
        let (mut least, mut greatest) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let tail: [f64; LANES] =
            from_fn(|at| rest.get(at).or_else(|| values.first()).copied().unwrap_or(0.0));
        for part in parts.iter().chain([&tail]) {
            least = from_fn(|at| if part[at] < least[at] { part[at] } else { least[at] });
            greatest = from_fn(|at| if part[at] > greatest[at] { part[at] } else { greatest[at] });
        }
        let least = least.into_iter().fold(f64::INFINITY, f64::min);
        let narrow = greatest.into_iter().fold(f64::NEG_INFINITY, f64::max) <= 2.0 * least;
        let exponent = least.to_bits() >> FRACTION;
        (narrow && EXPONENTS.contains(&exponent)).then_some(Self { exponent })
    }

    /// Replaces `totals` by the exact sums of windows, in units; they may wrap.
    ///
    /// Each is what has been summed up when the window ends, less what had been when it began.
    fn totals(self, values: &[f64], windows: &[StepWindow], totals: &mut Vec<i64>) {
        totals.clear();
        let (mut total, mut at) = (0i64, windows.first().map_or(0, |(_, first)| first.start));
        let mut total_before = |place: usize| {
            let passed = samples(values, &(at..place)).iter();
            total = passed.fold(total, |total, value| total.wrapping_add(self.units(*value)));
            at = place;
            total
        };
        let mut ended = 0;
        while let Some((_, ending)) = windows.get(ended) {
            match windows.get(totals.len()) {
                Some((_, next)) if next.start <= ending.end => {
                    totals.push(total_before(next.start).wrapping_neg());
                }
                _ => {
                    let behind = total_before(ending.end);
                    if let Some(total) = totals.get_mut(ended) {
                        *total = total.wrapping_add(behind);
                    }
                    ended += 1;
                }
            }
        }
    }

    /// A narrow value in units: its fraction, or twice that.
    #[inline]
    const fn units(self, value: f64) -> i64 {
        let bits = value.to_bits();
        let fraction = bits & ((1 << FRACTION) - 1) | 1 << FRACTION;
        let twice = (bits >> FRACTION).wrapping_sub(self.exponent) & 1;
        (fraction + (fraction & twice.wrapping_neg())) as i64
    }

    /// Sums of windows whose exact totals in units are known.
    fn sums(self, windows: [&[f64]; GROUP], totals: [i64; GROUP]) -> [Sum; GROUP] {
        let sums = rounded_sums(windows);
        let bias = u64::from(FRACTION);
        // Multiplied by it, a value is in units.
        let units = f64::from_bits((2 * 1023 - self.exponent + bias) << FRACTION);
        let unit = f64::from_bits((self.exponent - bias) << FRACTION);
        from_fn(|at| {
            let sum = sums[at];
            let lost = totals[at].wrapping_sub((sum * units) as i128 as i64);
            (sum, lost as f64 * unit)
        })
    }
}

/// Plain sums, each in the order of its values.
fn rounded_sums(windows: [&[f64]; GROUP]) -> [f64; GROUP] {
    let common = windows.iter().map(|window| window.len()).min().unwrap_or(0);
    let mut sums = [0.0; GROUP];
    let [a, b, c, d, e, f, g, h] = windows.map(|window| window.get(..common).unwrap_or_default());
    let one = a.iter().zip(b).zip(c).zip(d);
    let other = e.iter().zip(f).zip(g).zip(h);
    for ((((a, b), c), d), (((e, f), g), h)) in one.zip(other) {
        for (sum, value) in sums.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum += *value;
        }
    }
    for (sum, window) in sums.iter_mut().zip(windows) {
        for value in window.get(common..).unwrap_or_default() {
            *sum += *value;
        }
    }
    sums
}

/// Sums of windows of any values.
fn sums(windows: [&[f64]; GROUP]) -> [Sum; GROUP] {
    let mut results = [(0.0, 0.0); GROUP];
    let (halves, _) = windows.as_chunks::<LANES>();
    let (places, _) = results.as_chunks_mut::<LANES>();
    for (half, place) in halves.iter().zip(places) {
        *place = sums_of_lanes(*half);
    }
    results
}

fn sums_of_lanes(windows: [&[f64]; LANES]) -> [Sum; LANES] {
    let common = windows.iter().map(|window| window.len()).min().unwrap_or(0);
    let mut lanes = Lanes::default();
    let [a, b, c, d] = windows.map(|window| window.get(..common).unwrap_or_default());
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        lanes = lanes.plus([*a, *b, *c, *d]);
    }
    let mut results = [(0.0, 0.0); LANES];
    for (((result, window), sum), lost) in results.iter_mut().zip(windows).zip(lanes.sums).zip(lanes.lost) {
        *result = (sum, lost);
        for value in window.get(common..).unwrap_or_default() {
            *result = kahan::add(*value, result.0, result.1);
        }
    }
    results
}

/// Running sums; written so that a machine's wide registers hold them.
#[derive(Clone, Copy, Default)]
struct Lanes {
    sums: [f64; LANES],
    lost: [f64; LANES],
}

impl Lanes {
    /// Adds a value to each sum. The error of an addition is exact however it is computed, unless
    /// something overflows.
    #[inline(always)]
    fn plus(self, values: [f64; LANES]) -> Self {
        let Self { sums, lost } = self;
        let totals: [f64; LANES] = from_fn(|at| sums[at] + values[at]);
        let added: [f64; LANES] = from_fn(|at| totals[at] - sums[at]);
        let errors: [f64; LANES] =
            from_fn(|at| (sums[at] - (totals[at] - added[at])) + (values[at] - added[at]));
        Self { sums: totals, lost: from_fn(|at| lost[at] + errors[at]) }
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

    /// One of `odd` is no number.
    fn narrow_value(odd: u32) -> impl Strategy<Value = f64> {
        prop_oneof![
            odd => (9_000_u32..18_000).prop_map(|value| f64::from(value) / 100.0),
            1 => Just(f64::NAN),
        ]
    }

    proptest! {
        #[test]
        fn sums_have_the_bits_of_single_windows(
            samples in prop_oneof![
                proptest::collection::vec((1_i64..30_000, value()), 0..120),
                proptest::collection::vec((15_000..15_001_i64, narrow_value(40)), 0..120),
                proptest::collection::vec((15_000..15_001_i64, 3e-7..6e-7_f64), 0..600),
            ],
            step in 1_i64..90_000, steps in 0_usize..200, range_ms in 1_i64..3_000_000,
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
                each_sum(&input, &mut Scratch::default(), &mut together, result, single);
                input.each_window(&mut apart, |_, _, values| single(values));
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&together), bits(&apart));
            }
        }
    }
}
