//! A shard on a simulated disk with a clock that is set, and what it should hold.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use futures_lite::future::block_on;

use crate::clock::Clock;
use crate::error::Result;
use crate::io::sim::SimDisk;
use crate::io::{Disk, Workers};
use crate::model::need::Need;
use crate::model::{KeyHasher, Labels, MatchOp, Matcher, SampleBatch, SampleColumns, ShardId, TimeRange};
use crate::shard::{Shard, ShardOptions, ShardRetention};
use crate::wal::WalOptions;

pub(super) const DIRECTORY: &str = "/data/shard-000";
pub(super) const HOUR: i64 = 3_600_000;
/// Where time begins in tests: the start of a window of seven days.
pub(super) const EPOCH: i64 = 2900 * 7 * 24 * HOUR;

/// Value bits by series and time.
pub(super) type Samples = BTreeMap<u32, BTreeMap<i64, u64>>;

pub(super) fn options() -> ShardOptions {
    ShardOptions {
        shard: ShardId(0),
        directory: PathBuf::from(DIRECTORY),
        hasher: KeyHasher::new(7),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        future_ms_max: 100 * 24 * HOUR,
        series_max: 1_000_000,
        memtable_bytes: 1 << 20,
        flush_wal_bytes: 1 << 20,
        flush_after_ms: HOUR,
        cache_bytes: 1 << 20,
        merge_bytes_per_second: None,
        reserve_bytes: 0,
        retention: ShardRetention { age_ms: 365 * 24 * HOUR, bytes: None },
    }
}

/// Labels of series number `n`: a metric, and a group of series that matchers can name.
pub(super) fn labels(n: u32) -> Labels {
    let (id, group) = (n.to_string(), (n % 3).to_string());
    Labels::from_pairs([("__name__", "m"), ("group", group.as_str()), ("id", id.as_str())])
}

pub(super) fn equal(name: &str, value: &str) -> Matcher {
    Matcher::new(MatchOp::Equal, name, value).unwrap()
}

/// A shard that can be closed and opened again.
pub(super) struct World {
    pub(super) disk: SimDisk,
    pub(super) clock: Rc<Cell<i64>>,
    pub(super) shard: Rc<Shard>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self::on(SimDisk::new(seed))
    }

    pub(super) fn on(disk: SimDisk) -> Self {
        Self::try_on(disk).unwrap()
    }

    pub(super) fn try_on(disk: SimDisk) -> Result<Self> {
        let clock = Rc::new(Cell::new(EPOCH + 40 * 24 * HOUR));
        let shard = open(&disk, &clock)?;
        Ok(Self { disk, clock, shard })
    }

    /// As after a power cut: nothing is closed.
    pub(super) fn restart(&mut self) {
        self.disk.restart();
        self.shard = open(&self.disk, &self.clock).unwrap();
    }

    pub(super) fn append(&self, samples: &[(u32, i64, u64)]) -> Result<()> {
        let outcome = block_on(self.shard.append(&batch_of(samples)))?;
        assert_eq!(outcome.stored, samples.len() as u64, "{outcome:?}");
        Ok(())
    }

    /// What is needed of a range, with the places of the samples.
    pub(super) fn read_needed(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        need: Need,
    ) -> BTreeMap<u32, SampleColumns> {
        let mut cursor = self.shard.select_needed(matchers, range, need);
        let mut columns = SampleColumns::default();
        let mut series = BTreeMap::new();
        while let Some(labels) = block_on(cursor.next(&mut columns)).unwrap() {
            series.insert(labels.get("id").unwrap().parse().unwrap(), columns.clone());
        }
        series
    }

    /// Likewise, by a reader that does not look at labels.
    pub(super) fn read_unlabelled(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        need: Need,
    ) -> Vec<SampleColumns> {
        let mut cursor = self.shard.select_needed(matchers, range, need).without_labels();
        let mut columns = SampleColumns::default();
        let mut series = Vec::new();
        while block_on(cursor.next(&mut columns)).unwrap().is_some() {
            series.push(columns.clone());
        }
        series
    }

    /// Everything in a range.
    pub(super) fn read(&self, matchers: &[Matcher], range: TimeRange) -> Samples {
        let mut cursor = self.shard.select(matchers, range);
        let mut columns = SampleColumns::default();
        let mut samples = Samples::new();
        while let Some(labels) = block_on(cursor.next(&mut columns)).unwrap() {
            let number = labels.get("id").unwrap().parse().unwrap();
            assert_eq!(labels, super::world::labels(number));
            assert!(columns.timestamps_ms.is_sorted_by(|left, right| left < right));
            let bits = columns.values.iter().map(|value| value.to_bits());
            let read = columns.timestamps_ms.iter().copied().zip(bits).collect();
            assert!(samples.insert(number, read).is_none(), "series {number} came twice");
        }
        samples
    }
}

pub(super) fn batch_of(samples: &[(u32, i64, u64)]) -> SampleBatch {
    let mut bytes = Vec::new();
    let mut ranges = Vec::new();
    for (series, ..) in samples {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(labels(*series).as_bytes());
        ranges.push((start, bytes.len() as u32));
    }
    let hasher = options().hasher;
    let mut batch = SampleBatch::new(Bytes::from(bytes));
    for ((series, time, bits), (start, end)) in samples.iter().zip(ranges) {
        batch.push_series(hasher.key(labels(*series).as_bytes()), start, end);
        batch.push_sample(*time, f64::from_bits(*bits));
    }
    batch
}

pub(super) fn open(disk: &SimDisk, clock: &Rc<Cell<i64>>) -> Result<Rc<Shard>> {
    let clock = Clock::Manual(Rc::clone(clock));
    block_on(Shard::open(Disk::Sim(disk.clone()), Workers::inline(), clock, options())).map(Rc::new)
}

/// The part of a model that is in a range; series without samples there left out.
pub(super) fn within(model: &Samples, range: TimeRange, wanted: impl Fn(u32) -> bool) -> Samples {
    let mut part = Samples::new();
    for (series, samples) in model.iter().filter(|(series, _)| wanted(**series)) {
        let inside: BTreeMap<_, _> = samples
            .iter()
            .filter(|(time, _)| range.contains(**time))
            .map(|(time, bits)| (*time, *bits))
            .collect();
        if !inside.is_empty() {
            part.insert(*series, inside);
        }
    }
    part
}
