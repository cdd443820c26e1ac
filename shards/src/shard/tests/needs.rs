//! What is read for a need gives the same answers as all samples do.

use std::collections::BTreeMap;

use futures_lite::future::block_on;

use super::world::{EPOCH, HOUR, Samples, World, labels};
use crate::model::need::{Need, Windows};
use crate::model::{SampleColumns, TimeRange, is_stale_nan, stale_nan};

type Series = BTreeMap<i64, u64>;

/// Compares answers from what is needed with answers from all samples.
pub(super) fn check(world: &World, all: &Samples, visible: TimeRange) {
    for (end_hours, step_ms, range_ms, count) in [
        (2, HOUR, 3 * HOUR, 30),
        (2, 7 * HOUR, HOUR, 60),
        (2, HOUR / 7, HOUR / 3, 50),
        (2, 0, 30 * HOUR, 1),
        // Of what memory has, the last sample is all that is needed.
        (200, 0, 400 * HOUR, 1),
        (20, 9 * HOUR, 400 * HOUR, 9),
    ] {
        let windows = Windows { end_ms: EPOCH + end_hours * HOUR + 7, step_ms, count, range_ms };
        let last_ms = windows.end_of(count - 1);
        let range = TimeRange::inclusive(windows.end_ms - range_ms + 1, last_ms);
        let range = TimeRange::new(range.start_ms.max(visible.start_ms), range.end_ms.min(visible.end_ms));
        if range.is_empty() {
            continue;
        }
        let needs = [Need::Last(windows), Need::Ends(windows), Need::Greatest(windows), Need::Least(windows)];
        for need in needs {
            let read = world.read_needed(&[], range, need);
            let mut labelled: Vec<_> = read.iter().collect();
            labelled.sort_by_key(|(number, _)| labels(**number).as_bytes().to_vec());
            let unlabelled = world.read_unlabelled(&[], range, need);
            assert!(unlabelled.iter().map(samples_of).eq(labelled.iter().map(|(_, read)| samples_of(read))));
            for (number, samples) in all {
                let whole: Series = samples
                    .iter()
                    .filter(|(time, _)| range.contains(**time))
                    .map(|(t, b)| (*t, *b))
                    .collect();
                let empty = SampleColumns::default();
                check_series(&need, &windows, &whole, read.get(number).unwrap_or(&empty));
            }
        }
    }
}

fn samples_of(read: &SampleColumns) -> Series {
    read.timestamps_ms.iter().copied().zip(read.values.iter().map(|value| value.to_bits())).collect()
}

fn check_series(need: &Need, windows: &Windows, whole: &Series, read: &SampleColumns) {
    assert!(read.timestamps_ms.is_sorted_by(|left, right| left < right));
    let kept = samples_of(read);
    assert!(kept.iter().all(|(time, bits)| whole.get(time) == Some(bits)), "samples that were never stored");
    for window in 0..windows.count {
        let end_ms = windows.end_of(window);
        let begin_ms = end_ms - windows.range_ms;
        let of = |samples: &Series| -> Vec<(i64, u64)> {
            samples.range(begin_ms + 1..=end_ms).map(|(time, bits)| (*time, *bits)).collect()
        };
        let (whole, kept) = (of(whole), of(&kept));
        if let Need::Last(_) = need {
            assert_eq!(kept.last(), whole.last(), "{need:?} at {end_ms}");
            continue;
        }
        let live = |samples: &[(i64, u64)]| -> Vec<(i64, f64)> {
            let values = samples.iter().map(|(time, bits)| (*time, f64::from_bits(*bits)));
            values.filter(|(_, value)| !is_stale_nan(*value)).collect()
        };
        let (whole, kept) = (live(&whole), live(&kept));
        match need {
            Need::Greatest(_) => {
                assert_eq!(best(&kept, |new, old| new > old), best(&whole, |new, old| new > old));
            }

            Need::Least(_) => {
                assert_eq!(best(&kept, |new, old| new < old), best(&whole, |new, old| new < old));
            }

            _ => {
                let key = |sample: Option<&(i64, f64)>| sample.map(|(time, value)| (*time, value.to_bits()));
                assert_eq!(key(kept.first()), key(whole.first()));
                assert_eq!(key(kept.last()), key(whole.last()));
                assert_eq!(falls(&kept), falls(&whole));
                check_places(read, &kept, whole.len());
            }
        }
    }
}

/// The places count the samples of a window.
fn check_places(read: &SampleColumns, kept: &[(i64, f64)], count: usize) {
    if read.places.is_empty() {
        // Nothing was left out, unless there are no samples here.
        assert_eq!(kept.len(), count);
        return;
    }
    assert_eq!(read.places.len(), read.values.len());
    let place = |sample: Option<&(i64, f64)>| {
        let at = read.timestamps_ms.binary_search(&sample?.0).ok()?;
        read.places.get(at).copied()
    };
    if let (Some(first), Some(last)) = (place(kept.first()), place(kept.last())) {
        assert_eq!((last - first) as usize + 1, count);
    }
}

fn best(samples: &[(i64, f64)], beats: impl Fn(f64, f64) -> bool) -> Option<(i64, u64)> {
    let numbers = samples.iter().filter(|(_, value)| !value.is_nan());
    let found = numbers.copied().reduce(|old, new| if beats(new.1, old.1) { new } else { old });
    // Equal values do as well as the first of them, but for zeros of both signs.
    found.map(|(_, value)| (0, value.to_bits())).or_else(|| (!samples.is_empty()).then_some((1, 0)))
}

/// Values before falls, which resets of counters are told by.
fn falls(samples: &[(i64, f64)]) -> Vec<u64> {
    let pairs = samples.array_windows();
    pairs.filter(|[before, after]| after.1 < before.1).map(|[before, _]| before.1.to_bits()).collect()
}

#[test]
fn timestamps_that_were_forgotten_are_read_again() {
    let world = World::new(5);
    let mut expected = Samples::new();
    // Every other series shares its timestamps with many; the others fill the memory for timestamps.
    for series in 0..200 {
        let shift = if series % 2 == 0 { 0 } else { i64::from(series) };
        let samples: Vec<_> =
            (0..100).map(|n| (series, EPOCH + n * 15_000 + shift * (n + 1), n as u64 + 7)).collect();
        world.append(&samples).unwrap();
        expected.insert(series, samples.into_iter().map(|(_, time, bits)| (time, bits)).collect());
    }
    block_on(world.shard.flush()).unwrap();
    assert_eq!(world.read(&[], TimeRange::ALL), expected);
    assert_eq!(world.shard.metrics().damage_found, 0);
}

/// A value of a series: of some kinds the times alone tell what is needed, of others they do not.
fn value_of(kind: u32, place: u32) -> f64 {
    let noise = f64::from(place.wrapping_mul(2_654_435_761) >> 20);
    match kind {
        0 => f64::from(place) * 4_096.0 + noise,
        1 => 1e9 - f64::from(place) * 4_096.0 - noise,
        2 => f64::from(place % 900) * 4_096.0 + noise,
        3 => noise,
        4 if place % 7 < 3 => -0.0,
        4 => 0.0,
        5 if place % 501 == 250 => stale_nan(),
        5 => f64::from(place),
        6 => 17.0,
        _ => f64::from(place / 300),
    }
}

#[test]
fn series_of_the_same_times_have_values_of_their_own() {
    let world = World::new(6);
    let mut expected = Samples::new();
    for series in 0..64 {
        let samples: Vec<_> = (0..1_600)
            .map(|place| {
                let value = value_of(series * 5 % 29 % 8, place);
                (series, EPOCH + i64::from(place) * 60_000, value.to_bits())
            })
            .collect();
        world.append(&samples).unwrap();
        expected.insert(series, samples.into_iter().map(|(_, time, bits)| (time, bits)).collect());
    }
    block_on(world.shard.flush()).unwrap();
    check(&world, &expected, TimeRange::ALL);
    block_on(world.shard.compact()).unwrap();
    check(&world, &expected, TimeRange::ALL);
    assert_eq!(world.read(&[], TimeRange::ALL), expected);
    // A reader may take away what it was told.
    let mut left = expected;
    let (mut cursor, mut columns) = (world.shard.select(&[], TimeRange::ALL), SampleColumns::default());
    while let Some(labels) = block_on(cursor.next(&mut columns)).unwrap() {
        let number: u32 = labels.get("id").unwrap().parse().unwrap();
        let times = std::mem::take(&mut columns.timestamps_ms);
        assert!(times.iter().eq(left.remove(&number).unwrap().keys()), "series {number}");
    }
    assert_eq!(left, Samples::new());
}
