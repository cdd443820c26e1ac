//! Instant selection: the value a series has at each step.

use shards::model::is_stale_nan;
use shards::model::time::advance;

use crate::promql::value::ABSENT;
use crate::promql::window::Grid;

/// Stands for no sample.
const NONE: u32 = u32::MAX;

/// Appends the place of the last sample at or before each time of `reference`, unless it is older than
/// the lookback.
pub(crate) fn find_latest(timestamps: &[i64], reference: &Grid, lookback_ms: i64, places: &mut Vec<u32>) {
    places.reserve(reference.steps);
    let mut after = 0;
    for time in reference.times() {
        after = advance(timestamps, after, time);
        let latest = after.checked_sub(1).filter(|place| {
            let sampled = timestamps.get(*place).copied();
            sampled.is_some_and(|sampled| sampled == time || sampled > time.saturating_sub(lookback_ms))
        });
        places.push(latest.map_or(NONE, |place| place as u32));
    }
}

/// Fills `out` with the values at these places but for staleness markers, or with the times there in
/// seconds.
///
/// Returns how many values there are.
pub(crate) fn select(
    places: &[u32],
    timestamps: &[i64],
    values: &[f64],
    time_of_sample: bool,
    out: &mut Vec<f64>,
) -> u64 {
    out.clear();
    let mut present = 0;
    out.extend(places.iter().map(|place| match values.get(*place as usize) {
        Some(value) if !is_stale_nan(*value) => {
            present += 1;
            if time_of_sample {
                timestamps.get(*place as usize).map_or(ABSENT, |time| *time as f64 / 1_000.0)
            } else {
                *value
            }
        }
        _ => ABSENT,
    }));
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
        let mut select = |grid: &Grid, lookback_ms, time_of_sample| {
            let mut places = Vec::new();
            find_latest(&timestamps, grid, lookback_ms, &mut places);
            let present = super::select(&places, &timestamps, &values, time_of_sample, &mut out);
            (present, out.clone())
        };
        let (present, out) = select(&grid, 10_000, false);
        let shown: Vec<Option<f64>> =
            out.iter().map(|&value| (!is_stale_nan(value)).then_some(value)).collect();
        let four = Some(4.0);
        assert_eq!(shown, vec![Some(1.0), Some(1.0), Some(2.0), Some(2.0), None, None, four, four, None]);
        assert_eq!(present, 6);
        assert_eq!(select(&Grid::instant(12_345), 10_000, true).1, vec![10.0]);
        assert_eq!(select(&Grid::instant(10_000), 0, false).1, vec![2.0]);
    }
}
