//! Functions of counters and gauges over a window: `rate`, `increase`, `delta`, `irate`, `idelta`,
//! `changes`, `resets`.

use super::range::{RangeInput, Scratch};

/// What [`extrapolated`] computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Per second, of a counter.
    Rate,
    /// Of a counter.
    Increase,
    /// Of a gauge.
    Delta,
}

impl Kind {
    const fn is_counter(self) -> bool {
        matches!(self, Self::Rate | Self::Increase)
    }
}

/// Change over each window, extrapolated to its bounds where the samples suggest that the series
/// goes on there.
///
/// Of a window only the ends and the counter resets inside are looked at.
pub(super) fn extrapolated(input: &RangeInput<'_>, kind: Kind, scratch: &mut Scratch, out: &mut [f64]) {
    let range_seconds = go_seconds(input.range_ms);
    // Indices of the samples that are smaller than the one before.
    let resets = &mut scratch.indices;
    resets.clear();
    if kind.is_counter() {
        for (index, pair) in input.values.windows(2).enumerate() {
            if let [before, after] = pair
                && after < before
            {
                resets.push(index as u32 + 1);
            }
        }
    }
    let reaches = scratch.reaches.get(input.times_number, |list| find_reaches(input, list));
    let mut first_reset = 0;
    for reach in reaches {
        let (low, last) = (reach.low as usize, reach.last as usize);
        let (Some(&first_value), Some(&last_value)) = (input.values.get(low), input.values.get(last)) else {
            continue;
        };
        let mut change = last_value - first_value;
        while resets.get(first_reset).is_some_and(|&reset| reset <= reach.low) {
            first_reset += 1;
        }
        for &reset in resets.get(first_reset..).unwrap_or_default() {
            if reset > reach.last {
                break;
            }
            change += input.values.get(reset as usize - 1).copied().unwrap_or(0.0);
        }
        let mut factor = reach.factor(kind.is_counter(), change, first_value);
        if kind == Kind::Rate {
            factor /= range_seconds;
        }
        if let Some(out) = out.get_mut(reach.step as usize) {
            *out = change * factor;
        }
    }
}

/// A window as far as its times tell: its first and last sample, of two or more, and how far these
/// are from its bounds. In seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    step: u32,
    low: u32,
    last: u32,
    /// From the first to the last sample.
    interval: f64,
    /// From the first sample back to where the series is taken to begin.
    to_start: f64,
    /// Factor by which the change grows when it is extended to the bounds.
    factor: f64,
    /// From the last sample to where the series is taken to end.
    to_end: f64,
}

/// Appends the windows of two samples or more. The series is taken to go on to a bound that is about
/// one sample distance off, else for half a distance.
fn find_reaches(input: &RangeInput<'_>, reaches: &mut Vec<Reach>) {
    reaches.reserve(input.reference.steps);
    for (step, window) in input.windows() {
        if window.len() < 2 {
            continue;
        }
        let (low, last) = (window.start, window.end - 1);
        let (Some(first_ms), Some(last_ms)) = (input.timestamps.get(low), input.timestamps.get(last)) else {
            continue;
        };
        let end_ms = input.reference.at(step);
        let interval = (last_ms - first_ms) as f64 / 1_000.0;
        let distance = interval / (input.count(low, last) - 1) as f64;
        let threshold = distance * 1.1;
        let bounded = |gap: f64| if gap >= threshold { distance / 2.0 } else { gap };
        let to_start = bounded((first_ms - end_ms.saturating_sub(input.range_ms)) as f64 / 1_000.0);
        let to_end = bounded((end_ms - last_ms) as f64 / 1_000.0);
        let factor = extension(interval, to_start, to_end);
        let (step, low, last) = (step as u32, low as u32, last as u32);
        reaches.push(Reach { step, low, last, interval, to_start, factor, to_end });
    }
}

fn extension(interval: f64, to_start: f64, to_end: f64) -> f64 {
    if interval == 0.0 { 1.0 } else { (interval + to_start + to_end) / interval }
}

impl Reach {
    /// By how much the change grows; a counter is never extended to where it would have been negative.
    #[inline]
    fn factor(&self, is_counter: bool, change: f64, first_value: f64) -> f64 {
        if is_counter && change > 0.0 && first_value >= 0.0 {
            let to_zero = self.interval * (first_value / change);
            if to_zero < self.to_start {
                return extension(self.interval, to_zero, self.to_end);
            }
        }
        self.factor
    }
}

/// Seconds the way Go's durations give them: whole ones and the rest apart.
fn go_seconds(duration_ms: i64) -> f64 {
    (duration_ms / 1_000) as f64 + (duration_ms % 1_000 * 1_000_000) as f64 / 1e9
}

/// Change between the last two samples: of a counter per second and reset aware, of a gauge as is.
pub(super) fn of_last_two(input: &RangeInput<'_>, is_rate: bool, out: &mut [f64]) {
    for (step, window) in input.windows() {
        let samples = input.values.get(window.clone()).zip(input.timestamps.get(window));
        if let Some(([.., before, last], [.., before_ms, last_ms])) = samples
            && let Some(out) = out.get_mut(step)
        {
            let mut change = if is_rate && last < before { *last } else { last - before };
            if is_rate {
                change /= (last_ms - before_ms) as f64 / 1_000.0;
            }
            *out = change;
        }
    }
}

/// How often the value changed; NaN equals NaN.
#[expect(clippy::float_cmp, reason = "a change is any difference")]
pub(super) fn changes(input: &RangeInput<'_>, scratch: &mut Scratch, out: &mut [f64]) {
    count_pairs(input, scratch, out, |before, after| before != after && !(before.is_nan() && after.is_nan()));
}

/// How often the value went down.
pub(super) fn resets(input: &RangeInput<'_>, scratch: &mut Scratch, out: &mut [f64]) {
    count_pairs(input, scratch, out, |before, after| after < before);
}

/// Counts neighbours for which `counts` holds, by differences of running totals.
fn count_pairs(
    input: &RangeInput<'_>,
    scratch: &mut Scratch,
    out: &mut [f64],
    counts: impl Fn(f64, f64) -> bool,
) {
    let totals = &mut scratch.indices;
    totals.clear();
    totals.push(0);
    let mut total = 0;
    for pair in input.values.windows(2) {
        if let [before, after] = pair {
            total += u32::from(counts(*before, *after));
            totals.push(total);
        }
    }
    for (step, window) in input.windows() {
        if !window.is_empty()
            && let (Some(first), Some(last)) = (totals.get(window.start), totals.get(window.end - 1))
            && let Some(out) = out.get_mut(step)
        {
            *out = f64::from(last - first);
        }
    }
}
