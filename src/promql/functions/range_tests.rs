//! The sliding implementations against fresh computations of every window.

use proptest::prelude::*;

use super::range::{RangeFunction, RangeInput, Scratch};
use crate::promql::value::{ABSENT, is_absent};
use crate::promql::window::Grid;

/// Value of one window, computed from its samples alone.
fn naive(function: RangeFunction, samples: &[(i64, f64)], end: i64, range: i64) -> f64 {
    let (Some(&(first_ms, first)), Some(&(last_ms, last))) = (samples.first(), samples.last()) else {
        return ABSENT;
    };
    let pairs = || samples.windows(2).map(|pair| (pair[0].1, pair[1].1));
    let fold = |beats: fn(f64, f64) -> bool| {
        samples.iter().fold(
            first,
            |best, &(_, value)| {
                if beats(value, best) || best.is_nan() { value } else { best }
            },
        )
    };
    match function {
        RangeFunction::Changes => {
            pairs().filter(|&(a, b)| a != b && !(a.is_nan() && b.is_nan())).count() as f64
        }
        RangeFunction::Resets => pairs().filter(|&(a, b)| b < a).count() as f64,
        RangeFunction::MinOverTime => fold(|new, old| new < old),
        RangeFunction::MaxOverTime => fold(|new, old| new > old),
        RangeFunction::Rate | RangeFunction::Increase | RangeFunction::Delta => {
            if samples.len() < 2 {
                return ABSENT;
            }
            let counter = function != RangeFunction::Delta;
            let mut change = last - first;
            if counter {
                for (before, after) in pairs() {
                    if after < before {
                        change += before;
                    }
                }
            }
            let interval = (last_ms - first_ms) as f64 / 1e3;
            let distance = interval / (samples.len() - 1) as f64;
            let bound = |gap: f64| if gap >= distance * 1.1 { distance / 2.0 } else { gap };
            let mut start = bound((first_ms - (end - range)) as f64 / 1e3);
            if counter && change > 0.0 && first >= 0.0 {
                start = start.min(interval * (first / change));
            }
            let mut factor = (interval + start + bound((end - last_ms) as f64 / 1e3)) / interval;
            if function == RangeFunction::Rate {
                factor /= (range / 1_000) as f64;
            }
            change * factor
        }
        _ => unreachable!("has no sliding implementation"),
    }
}

const SLIDING: [RangeFunction; 7] = [
    RangeFunction::Rate,
    RangeFunction::Increase,
    RangeFunction::Delta,
    RangeFunction::Changes,
    RangeFunction::Resets,
    RangeFunction::MinOverTime,
    RangeFunction::MaxOverTime,
];

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (0_u8..30).prop_map(f64::from),
        2 => -50.0..50.0_f64,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)],
    ]
}

proptest! {
    #[test]
    fn sliding_gives_the_bits_of_fresh_windows(
        gaps in proptest::collection::vec((1_i64..40_000, value()), 0..60),
        start in 0_i64..200_000, step in 0_i64..90_000, steps in 0_usize..30, range_s in 1_i64..300,
    ) {
        let mut timestamp = 0;
        let samples: Vec<(i64, f64)> = gaps
            .into_iter()
            .map(|(gap, value)| {
                timestamp += gap;
                (timestamp, value)
            })
            .collect();
        let (timestamps, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
        let grid = Grid { start_ms: start, step_ms: step, steps };
        let range_ms = range_s * 1_000;
        let input = RangeInput::whole(&timestamps, &values, grid, range_ms);
        let (mut scratch, mut out) = (Scratch::default(), Vec::new());
        for function in SLIDING {
            function.evaluate(&input, &mut scratch, &mut out).unwrap();
            prop_assert_eq!(out.len(), steps);
            for (end, &sliding) in grid.times().zip(&out) {
                let window: Vec<_> =
                    samples.iter().copied().filter(|&(t, _)| end - range_ms < t && t <= end).collect();
                let fresh = naive(function, &window, end, range_ms);
                prop_assert_eq!(is_absent(fresh), is_absent(sliding), "{:?}", function);
                prop_assert!(
                    fresh.to_bits() == sliding.to_bits() || (fresh.is_nan() && sliding.is_nan()),
                    "{:?} at {}: fresh {} sliding {}", function, end, fresh, sliding
                );
            }
        }
    }
}
