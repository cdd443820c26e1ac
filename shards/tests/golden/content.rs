//! What is in the golden data directory: a function of nothing.

use std::collections::BTreeMap;

use shards::model::{Delete, Labels, MatchOp, Matcher, Metadata, MetricType, TimeRange};
use shards::part::Level;

/// Bits of the values, by canonical label bytes and time.
pub(crate) type Samples = BTreeMap<Vec<u8>, BTreeMap<i64, u64>>;

/// Series of the series table; there is one more in the log, and another one in the block.
pub(crate) const TABLED: u32 = 70;
pub(crate) const LOGGED: u32 = TABLED;
pub(crate) const OF_BLOCK: u32 = TABLED + 1;

/// Each place has samples of a window of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Block,
    Run,
    Log,
}

impl Place {
    pub(crate) const ALL: [Self; 3] = [Self::Block, Self::Run, Self::Log];

    pub(crate) fn start_ms(self) -> i64 {
        Level::Hours2.window_at(1_700_000_000_000).start_ms + self as i64 * Level::Hours2.len_ms()
    }

    /// Of the generation that the samples came from.
    pub(crate) const fn sequence(self) -> u64 {
        self as u64 + 1
    }

    pub(crate) fn has(self, series: u32) -> bool {
        match self {
            Self::Block => series != LOGGED,
            Self::Run => series < TABLED && !series.is_multiple_of(5),
            Self::Log => series <= LOGGED && !series.is_multiple_of(3),
        }
    }
}

pub(crate) fn labels(series: u32) -> Labels {
    let number = series.to_string();
    let mut labels = vec![
        ("__name__", if series.is_multiple_of(2) { "golden_total" } else { "golden_celsius" }),
        ("instance", number.as_str()),
    ];
    if series.is_multiple_of(7) {
        labels.push(("zone", "z\u{fc}rich \u{1f9ca} \"\\\n"));
    }
    Labels::from_pairs(labels)
}

fn mixed(place: Place, series: u32, index: u32) -> u64 {
    let seed = u64::from(series) << 32 | u64::from(index) << 8 | place as u64;
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Values that a careless encoder would change.
const ODD: [u64; 10] = [
    0x7ff0_0000_0000_0002,
    0x7ff8_0000_0000_0001,
    0xfff8_0000_dead_beef,
    0x8000_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x7fef_ffff_ffff_ffff,
    0x3fb9_9999_9999_999a,
    0x4340_0000_0000_0001,
];

/// Timestamps and values of a series in a place.
pub(crate) fn columns(place: Place, series: u32) -> (Vec<i64>, Vec<f64>) {
    let count = if series == 0 { 300 } else { 3 + series % 9 };
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for index in 0..count {
        let mixed = mixed(place, series, index);
        let late_ms = if series.is_multiple_of(4) { 0 } else { (mixed % 9000) as i64 };
        times.push(place.start_ms() + i64::from(index) * 15_000 + late_ms);
        values.push(match series % 5 {
            0 => f64::from(index * index),
            1 => f64::from(mixed as u16) / 100.0,
            2 => f64::from_bits(ODD[mixed as usize % ODD.len()]),
            3 => f64::from_bits(mixed),
            _ => f64::from(series),
        });
    }
    (times, values)
}

fn delete(id: u64, place: Place, series: u32, range: TimeRange) -> Delete {
    let matchers = vec![Matcher::new(MatchOp::Equal, "instance", &series.to_string()).unwrap()];
    Delete { id, sequence: place.sequence(), range, matchers }
}

/// A delete in the file of deletes: of a series in run and block.
pub(crate) fn saved_delete() -> Delete {
    delete(1, Place::Run, 4, TimeRange::new(Place::Block.start_ms(), Place::Log.start_ms()))
}

/// A delete in the log: of some minutes of the run.
pub(crate) fn logged_delete() -> Delete {
    let start_ms = Place::Run.start_ms() + 30_000;
    delete(2, Place::Log, 8, TimeRange::new(start_ms, start_ms + 60_000))
}

fn metadata(metric: &str, metric_type: MetricType, help: &str, unit: &str) -> Metadata {
    Metadata { metric: metric.to_owned(), metric_type, help: help.to_owned(), unit: unit.to_owned() }
}

pub(crate) fn saved_metadata() -> Metadata {
    metadata("golden_celsius", MetricType::Gauge, "Warmth of \u{2609}.", "celsius")
}

pub(crate) fn logged_metadata() -> Metadata {
    metadata("golden_total", MetricType::Counter, "Things.\nAll of them.", "")
}

/// What a reader must find.
pub(crate) fn expected() -> Samples {
    let mut samples = Samples::new();
    for place in Place::ALL {
        for series in (0..=OF_BLOCK).filter(|series| place.has(*series)) {
            let labels = labels(series);
            let (times, values) = columns(place, series);
            let left = times.into_iter().zip(values).filter(|(time, _)| {
                [saved_delete(), logged_delete()].iter().all(|delete| {
                    let meant = place.sequence() <= delete.sequence && delete.range.contains(*time);
                    !(meant && delete.matches(&labels))
                })
            });
            let of_series = samples.entry(labels.as_bytes().to_vec()).or_default();
            of_series.extend(left.map(|(time, value)| (time, value.to_bits())));
        }
    }
    samples.retain(|_, samples| !samples.is_empty());
    samples
}
