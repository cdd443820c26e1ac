//! Instant selection: the value a series has at each step.

use shards::model::is_stale_nan;
use shards::model::time::advance;

use crate::promql::value::ABSENT;
use crate::promql::window::Grid;

/// Fills `out` with the last sample at or before each time of `reference`, unless it is older than
/// the lookback or a staleness marker; or with the time of that sample in seconds.
///
/// Returns how many values there are.
pub(crate) fn select(
    timestamps: &[i64],
    values: &[f64],
    reference: &Grid,
    lookback_ms: i64,
    time_of_sample: bool,
    out: &mut Vec<f64>,
) -> u64 {
    out.clear();
    out.reserve(reference.steps);
    let mut present = 0;
    let mut after = 0;
    for time in reference.times() {
        after = advance(timestamps, after, time);
        let latest = after.checked_sub(1).and_then(|at| timestamps.get(at).zip(values.get(at)));
        out.push(match latest {
            Some((&timestamp, &value))
                if (timestamp == time || timestamp > time.saturating_sub(lookback_ms))
                    && !is_stale_nan(value) =>
            {
                present += 1;
                if time_of_sample { timestamp as f64 / 1_000.0 } else { value }
            }
            _ => ABSENT,
        });
    }
    present
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::model::stale_nan;

    #[test]
    fn lookback_is_left_open_and_markers_end_a_series() {
        let timestamps = [0, 10_000, 20_000, 30_000];
        let values = [1.0, 2.0, stale_nan(), 4.0];
        let grid = Grid { start_ms: 0, step_ms: 5_000, steps: 9 };
        let mut out = Vec::new();
        let present = select(&timestamps, &values, &grid, 10_000, false, &mut out);
        let shown: Vec<Option<f64>> =
            out.iter().map(|&value| (!is_stale_nan(value)).then_some(value)).collect();
        let four = Some(4.0);
        assert_eq!(shown, vec![Some(1.0), Some(1.0), Some(2.0), Some(2.0), None, None, four, four, None]);
        assert_eq!(present, 6);
        select(&timestamps, &values, &Grid::instant(12_345), 10_000, true, &mut out);
        assert_eq!(out, vec![10.0]);
        select(&timestamps, &values, &Grid::instant(10_000), 0, false, &mut out);
        assert_eq!(out, vec![2.0]);
    }
}
