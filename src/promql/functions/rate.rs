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
    let mut first_reset = 0;
    for (step, window) in input.windows() {
        let len = window.len();
        if len < 2 {
            continue;
        }
        let (low, last) = (window.start, window.end - 1);
        let (Some(&first_value), Some(&last_value)) = (input.values.get(low), input.values.get(last)) else {
            continue;
        };
        let (Some(&first_ms), Some(&last_ms)) = (input.timestamps.get(low), input.timestamps.get(last))
        else {
            continue;
        };
        let mut change = last_value - first_value;
        while resets.get(first_reset).is_some_and(|&reset| reset as usize <= low) {
            first_reset += 1;
        }
        for &reset in resets.get(first_reset..).unwrap_or_default() {
            if reset as usize > last {
                break;
            }
            change += input.values.get(reset as usize - 1).copied().unwrap_or(0.0);
        }
        let end_ms = input.reference.at(step);
        let sampled = Sampled {
            change,
            first_value,
            count: input.count(low, last),
            to_start: (first_ms - end_ms.saturating_sub(input.range_ms)) as f64 / 1_000.0,
            to_end: (end_ms - last_ms) as f64 / 1_000.0,
            interval: (last_ms - first_ms) as f64 / 1_000.0,
        };
        let mut factor = sampled.factor(kind.is_counter());
        if kind == Kind::Rate {
            factor /= range_seconds;
        }
        if let Some(out) = out.get_mut(step) {
            *out = change * factor;
        }
    }
}

/// The samples of a window in brief; times in seconds.
struct Sampled {
    change: f64,
    first_value: f64,
    count: usize,
    /// From the start of the window to the first sample.
    to_start: f64,
    /// From the last sample to the end of the window.
    to_end: f64,
    /// From the first to the last sample.
    interval: f64,
}

impl Sampled {
    /// By how much the change grows when it is extended to the bounds of the window: all the way
    /// when a bound is about one sample distance off, else by half a distance; and a counter never
    /// to where it would have been negative.
    fn factor(&self, is_counter: bool) -> f64 {
        let distance = self.interval / (self.count - 1) as f64;
        let threshold = distance * 1.1;
        let mut to_start = self.to_start;
        if to_start >= threshold {
            to_start = distance / 2.0;
        }
        if is_counter && self.change > 0.0 && self.first_value >= 0.0 {
            let to_zero = self.interval * (self.first_value / self.change);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        let mut to_end = self.to_end;
        if to_end >= threshold {
            to_end = distance / 2.0;
        }
        if self.interval == 0.0 { 1.0 } else { (self.interval + to_start + to_end) / self.interval }
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
