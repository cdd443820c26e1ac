//! The memtable against a naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append { series: u32, timestamp_ms: i64, bits: u64 },
    Run { series: u32, start_ms: i64, count: i64 },
    Freeze,
    DropFrozen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u32..3, -50i64..50, 0u64..3).prop_map(|(series, timestamp_ms, bits)| Step::Append { series, timestamp_ms, bits }),
        2 => (0u32..3, -500i64..500, 1i64..300).prop_map(|(series, start_ms, count)| Step::Run { series, start_ms, count }),
        1 => Just(Step::Freeze),
        1 => Just(Step::DropFrozen),
    ]
}

type Model = BTreeMap<(u32, i64), u64>;

fn read(memtable: &Memtable, series: u32, range: TimeRange) -> Vec<(i64, u64)> {
    let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
    memtable.read(SeriesRef(series), range, &mut timestamps_ms, &mut values);
    timestamps_ms.into_iter().zip(values.into_iter().map(f64::to_bits)).collect()
}

proptest! {
    #[test]
    fn behaves_as_a_sorted_map(steps in proptest::collection::vec(step(), 1..40), start in -600i64..600, len in 0i64..900) {
        let mut memtable = Memtable::new();
        let (mut active, mut frozen) = (Model::new(), None::<Model>);
        for step in steps {
            match step {
                Step::Append { series, timestamp_ms, bits } => {
                    let newest = active.range((series, i64::MIN)..=(series, i64::MAX)).last().map(|((_, at), _)| *at);
                    let expected = match active.insert((series, timestamp_ms), bits) {
                        Some(before) if before == bits => Appended::Duplicate,
                        Some(_) => Appended::Replaced,
                        None if newest.is_some_and(|newest| newest > timestamp_ms) => Appended::OutOfOrder,
                        None => Appended::Stored,
                    };
                    prop_assert_eq!(memtable.append(SeriesRef(series), timestamp_ms, f64::from_bits(bits)), expected);
                }
                Step::Run { series, start_ms, count } => {
                    let times: Vec<_> = (start_ms..start_ms + count).collect();
                    let values: Vec<_> = times.iter().map(|at| *at as f64).collect();
                    memtable.append_many(&vec![SeriesRef(series); times.len()], &times, &values, &mut Vec::new());
                    active.extend(times.iter().map(|at| ((series, *at), (*at as f64).to_bits())));
                }
                Step::Freeze => {
                    if frozen.is_none() {
                        memtable.freeze();
                        frozen = Some(std::mem::take(&mut active));
                    }
                }
                Step::DropFrozen => {
                    memtable.drop_frozen();
                    frozen = None;
                }
            }
        }
        let mut all = frozen.clone().unwrap_or_default();
        all.extend(active.clone());
        let range = TimeRange::new(start, start + len);
        for series in 0..3 {
            let of_series: Vec<_> = all.iter().filter(|((s, _), _)| *s == series).map(|((_, at), bits)| (*at, *bits)).collect();
            prop_assert_eq!(read(&memtable, series, TimeRange::ALL), of_series.clone());
            prop_assert_eq!(memtable.series_bounds(SeriesRef(series)), of_series.first().map(|first| (first.0, of_series.last().unwrap().0)));
            let inside: Vec<_> = of_series.into_iter().filter(|(at, _)| range.contains(*at)).collect();
            prop_assert_eq!(read(&memtable, series, range), inside);
        }
        prop_assert_eq!(memtable.samples(), (active.len() + frozen.map_or(0, |frozen| frozen.len())) as u64);
    }
}

#[test]
fn a_frozen_generation_lists_its_series_and_is_left_alone() {
    let mut memtable = Memtable::new();
    for series in [5, 2, 9] {
        memtable.append(SeriesRef(series), 10, 1.0);
    }
    let frozen = memtable.freeze();
    memtable.append(SeriesRef(2), 10, 2.0);
    memtable.append(SeriesRef(2), 20, 3.0);
    assert_eq!(frozen.series().collect::<Vec<_>>(), [2, 5, 9].map(SeriesRef));
    assert_eq!(read(&memtable, 2, TimeRange::ALL), [(10, 2f64.to_bits()), (20, 3f64.to_bits())]);
    assert_eq!(frozen.samples(), 3);
    memtable.drop_frozen();
    assert_eq!(read(&memtable, 5, TimeRange::ALL), []);
}

#[test]
fn a_backfill_in_reverse_is_kept_whole() {
    let mut memtable = Memtable::new();
    for at in (0..100_000).rev() {
        memtable.append(SeriesRef(0), at, at as f64);
    }
    let expected: Vec<_> = (0..100_000).map(|at| (at, (at as f64).to_bits())).collect();
    assert_eq!(read(&memtable, 0, TimeRange::ALL), expected);
}
