//! The memtable against a sorted map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Appended, Memtable};
use crate::model::{SeriesRef, TimeRange};

#[derive(Debug, Clone)]
enum Step {
    Append { series: u32, timestamp_ms: i64, value: u8 },
    Freeze,
    DropFrozen,
}

/// What the memtable should hold: per generation and series, bits by timestamp.
#[derive(Debug, Default)]
struct Model {
    active: BTreeMap<u32, BTreeMap<i64, u64>>,
    frozen: Option<BTreeMap<u32, BTreeMap<i64, u64>>>,
}

impl Model {
    fn append(&mut self, series: u32, timestamp_ms: i64, bits: u64) -> Appended {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.get(&series));
        let newest =
            self.active.get(&series).into_iter().chain(frozen).filter_map(|map| map.keys().next_back()).max();
        let in_order = newest.is_none_or(|newest| timestamp_ms > *newest);
        let stored = self.active.get(&series).and_then(|map| map.get(&timestamp_ms));
        let stored = stored.or_else(|| frozen.and_then(|map| map.get(&timestamp_ms)));
        let appended = match stored {
            Some(stored) if *stored == bits => return Appended::Duplicate,
            Some(_) => Appended::Replaced,
            None if in_order => Appended::Stored,
            None => Appended::OutOfOrder,
        };
        self.active.entry(series).or_default().insert(timestamp_ms, bits);
        appended
    }

    fn read(&self, series: u32, range: TimeRange) -> Vec<(i64, u64)> {
        let mut merged = BTreeMap::new();
        for generation in self.frozen.iter().chain([&self.active]) {
            merged.extend(generation.get(&series).into_iter().flatten().map(|(time, bits)| (*time, *bits)));
        }
        merged.into_iter().filter(|(time, _)| range.contains(*time)).collect()
    }
}

fn read(memtable: &Memtable, series: u32, range: TimeRange) -> Vec<(i64, u64)> {
    let (mut timestamps, mut values) = (vec![i64::MAX], vec![0.5]);
    memtable.read(SeriesRef(series), range, &mut timestamps, &mut values);
    assert_eq!((timestamps[0], values[0]), (i64::MAX, 0.5), "what was in the columns stays");
    timestamps.into_iter().zip(values.into_iter().map(f64::to_bits)).skip(1).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = prop_oneof![
        20 => (0i64..400).prop_map(|step| step * 10),
        10 => 0i64..40,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX - 1), any::<i64>().prop_map(|time| time.min(i64::MAX - 1))],
    ];
    let step = prop_oneof![
        300 => (0u32..4, time, 0u8..3).prop_map(|(series, timestamp_ms, value)| Step::Append { series, timestamp_ms, value }),
        1 => Just(Step::Freeze),
        1 => Just(Step::DropFrozen),
    ];
    proptest::collection::vec(step, 0..1200)
}

/// In order for the most part, so that chunks fill up and are sealed.
fn orderly_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        300 => (0u32..2, 0i64..20, 0u8..3).prop_map(|(series, timestamp_ms, value)| Step::Append { series, timestamp_ms, value }),
        2 => (0u32..2, 0i64..40_000_000, 0u8..3).prop_map(|(series, timestamp_ms, value)| Step::Append { series, timestamp_ms, value }),
        3 => (0u32..2, -4000i64..0, 0u8..3).prop_map(|(series, timestamp_ms, value)| Step::Append { series, timestamp_ms, value }),
        1 => Just(Step::Freeze),
        1 => Just(Step::DropFrozen),
    ];
    proptest::collection::vec(step, 0..1500).prop_map(|mut steps| {
        let mut now = 0;
        for step in &mut steps {
            if let Step::Append { timestamp_ms, .. } = step {
                if *timestamp_ms >= 0 {
                    now += *timestamp_ms;
                    *timestamp_ms = now;
                } else {
                    *timestamp_ms += now;
                }
            }
        }
        steps
    })
}

fn run(steps: Vec<Step>, ranges: &[(i64, i64)]) {
    let mut memtable = Memtable::new();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append { series, timestamp_ms, value } => {
                let value = [0.0, -0.0, f64::from_bits(0x7ff0_0000_0000_0002)][usize::from(value)];
                let appended = memtable.append(SeriesRef(series), timestamp_ms, value);
                assert_eq!(appended, model.append(series, timestamp_ms, value.to_bits()));
            }
            Step::Freeze => {
                if memtable.frozen().is_none() {
                    memtable.freeze();
                    model.frozen = Some(std::mem::take(&mut model.active));
                }
            }
            Step::DropFrozen => {
                memtable.drop_frozen();
                model.frozen = None;
            }
        }
    }
    let count =
        |map: &BTreeMap<u32, BTreeMap<i64, u64>>| map.values().map(BTreeMap::len).sum::<usize>() as u64;
    assert_eq!(memtable.active().samples(), count(&model.active));
    assert_eq!(memtable.frozen().map(|frozen| frozen.samples()), model.frozen.as_ref().map(count));
    let series: Vec<_> = memtable.active().series().map(|series| series.0).collect();
    assert_eq!(series, model.active.keys().copied().collect::<Vec<_>>());
    for series in 0..4 {
        let all = model.read(series, TimeRange::ALL);
        assert_eq!(read(&memtable, series, TimeRange::ALL), all);
        let bounds = all.first().zip(all.last()).map(|(first, last)| (first.0, last.0));
        assert_eq!(memtable.series_bounds(SeriesRef(series)), bounds);
        for (start, len) in ranges {
            let range = TimeRange::new(*start, start.saturating_add(*len));
            assert_eq!(read(&memtable, series, range), model.read(series, range), "{range:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn equals_a_sorted_map_for_random_times(
        steps in steps(), ranges in proptest::collection::vec((-50i64..4050, 0i64..2000), 8)
    ) {
        run(steps, &ranges);
    }

    #[test]
    fn equals_a_sorted_map_for_scrapes_with_late_samples(
        steps in orderly_steps(), ranges in proptest::collection::vec((0i64..14_000, 0i64..5000), 8)
    ) {
        run(steps, &ranges);
    }

    #[test]
    fn batches_do_what_single_appends_do(
        samples in proptest::collection::vec((0u32..50, 0i64..60, 0u8..2), 0..600), freeze_at in 0usize..600
    ) {
        let (mut single, mut batched) = (Memtable::new(), Memtable::new());
        for (number, part) in [&samples[..freeze_at.min(samples.len())], &samples[freeze_at.min(samples.len())..]].into_iter().enumerate() {
            let one_by_one: Vec<_> = part
                .iter()
                .map(|(series, time, value)| single.append(SeriesRef(*series), *time, f64::from(*value)))
                .collect();
            let series: Vec<_> = part.iter().map(|sample| SeriesRef(sample.0)).collect();
            let times: Vec<_> = part.iter().map(|sample| sample.1).collect();
            let values: Vec<_> = part.iter().map(|sample| f64::from(sample.2)).collect();
            let mut appended = vec![Appended::Replaced];
            batched.append_many(&series, &times, &values, &mut appended);
            prop_assert_eq!(appended, one_by_one);
            if number == 0 {
                single.freeze();
                batched.freeze();
            }
        }
        for series in 0..50 {
            prop_assert_eq!(read(&single, series, TimeRange::ALL), read(&batched, series, TimeRange::ALL));
        }
    }
}

#[test]
fn newest_write_wins_over_full_chunks_and_the_frozen_generation() {
    let mut memtable = Memtable::new();
    let series = SeriesRef(7);
    for step in 0..500 {
        assert_eq!(memtable.append(series, step * 15_000, 1.0), Appended::Stored);
    }
    assert_eq!(memtable.append(series, 10 * 15_000, 1.0), Appended::Duplicate);
    assert_eq!(memtable.append(series, 10 * 15_000, 2.0), Appended::Replaced);
    assert_eq!(memtable.append(series, 499 * 15_000, 2.0), Appended::Replaced);
    let frozen = memtable.freeze();
    assert_eq!(memtable.append(series, 11 * 15_000, 1.0), Appended::Duplicate);
    assert_eq!(memtable.append(series, 10 * 15_000, 1.0), Appended::Replaced);
    assert_eq!(memtable.append(series, 11 * 15_000, 3.0), Appended::Replaced);
    assert_eq!(memtable.append(series, 11 * 15_000 + 1, 4.0), Appended::OutOfOrder);
    assert_eq!(memtable.append(series, 500 * 15_000, 5.0), Appended::Stored);
    let all = read(&memtable, 7, TimeRange::ALL);
    assert_eq!(all.len(), 502);
    let value_at =
        |time: i64| all.iter().find(|sample| sample.0 == time).map(|sample| f64::from_bits(sample.1));
    assert_eq!(value_at(10 * 15_000), Some(1.0));
    assert_eq!(value_at(11 * 15_000), Some(3.0));
    assert_eq!(value_at(11 * 15_000 + 1), Some(4.0));
    assert_eq!(value_at(499 * 15_000), Some(2.0));
    memtable.drop_frozen();
    assert_eq!(read(&memtable, 7, TimeRange::ALL).len(), 4);
    assert_eq!(frozen.samples(), 500);
    assert_eq!(memtable.append(series, 12 * 15_000, 1.0), Appended::OutOfOrder);
}

#[test]
fn a_series_with_few_samples_takes_little_more_than_its_head() {
    let mut memtable = Memtable::new();
    for step in 0..8i64 {
        for series in 0..10_000 {
            memtable.append(SeriesRef(series), step * 15_000, (step * i64::from(series % 10)) as f64);
        }
    }
    assert!(memtable.memory_bytes() < 10_000 * 110, "{} bytes", memtable.memory_bytes());
}

#[test]
fn memory_is_counted_and_reused_by_later_chunks() {
    let mut memtable = Memtable::new();
    for step in 0..1200i64 {
        for series in 0..100 {
            memtable.append(SeriesRef(series), step * 15_000, (step * i64::from(series)) as f64);
        }
    }
    assert_eq!(memtable.samples(), 120_000);
    assert_eq!(memtable.active().series_count(), 100);
    assert!(memtable.memory_bytes() < 2_000_000, "{} bytes", memtable.memory_bytes());
}
