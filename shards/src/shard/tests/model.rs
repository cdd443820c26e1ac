//! Random operations on a shard and on a sorted map: both always hold the same.

use std::collections::BTreeSet;
use std::path::Path;

use futures_lite::future::block_on;
use proptest::prelude::*;

use super::world::{EPOCH, HOUR, Samples, World, equal, labels, within};
use crate::io::sim::SimDisk;
use crate::model::{STALE_NAN_BITS, TimeRange};
use crate::shard::ShardRetention;

#[derive(Debug, Clone)]
enum Operation {
    /// Samples of random series around an hour, in any order.
    Append {
        hour: i64,
        samples: Vec<(u32, i64, u64)>,
    },
    /// A scrape: all series at one time.
    Scrape {
        series: u32,
        hour: i64,
        minutes: Vec<i64>,
    },
    Flush,
    Tend,
    Compact,
    CleanTombstones,
    Delete {
        group: u32,
        start_hour: i64,
        hours: i64,
    },
    Retention {
        hours: i64,
    },
    Checkpoint,
    Restart,
    Snapshot,
    Read {
        group: u32,
        start_hour: i64,
        hours: i64,
    },
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..50u32).prop_map(|n| f64::from(n).to_bits()),
        (0..500u32).prop_map(|n| (f64::from(n) / 100.0).to_bits()),
        any::<u64>(),
        Just(STALE_NAN_BITS),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let hour = prop_oneof![0..6i64, 0..30i64, 0..400i64];
    let samples = proptest::collection::vec((0..12u32, 0..2 * HOUR, bits()), 1..30);
    prop_oneof![
        8 => (hour.clone(), samples).prop_map(|(hour, samples)| Operation::Append { hour, samples }),
        8 => (1..40u32, hour.clone(), proptest::collection::vec(0..60i64, 1..8))
            .prop_map(|(series, hour, minutes)| Operation::Scrape { series, hour, minutes }),
        6 => Just(Operation::Flush),
        4 => Just(Operation::Tend),
        1 => Just(Operation::Compact),
        1 => Just(Operation::CleanTombstones),
        3 => (0..4u32, hour.clone(), prop_oneof![0..3i64, 0..500i64])
            .prop_map(|(group, start_hour, hours)| Operation::Delete { group, start_hour, hours }),
        1 => (300..900i64).prop_map(|hours| Operation::Retention { hours }),
        1 => Just(Operation::Checkpoint),
        2 => Just(Operation::Restart),
        1 => Just(Operation::Snapshot),
        4 => (0..4u32, hour, 0..100i64)
            .prop_map(|(group, start_hour, hours)| Operation::Read { group, start_hour, hours }),
    ]
}

struct Test {
    world: World,
    model: Samples,
    horizon_ms: i64,
}

impl Test {
    fn store(&mut self, samples: Vec<(u32, i64, u64)>) {
        let samples: Vec<_> = samples.into_iter().filter(|(_, time, _)| *time >= self.horizon_ms).collect();
        self.world.append(&samples).unwrap();
        for (series, time, bits) in samples {
            self.model.entry(series).or_default().insert(time, bits);
        }
    }

    fn run(&mut self, operation: &Operation) {
        let shard = std::rc::Rc::clone(&self.world.shard);
        match operation {
            Operation::Append { hour, samples } => {
                let base = EPOCH + hour * HOUR;
                self.store(
                    samples.iter().map(|(series, offset, bits)| (*series, base + offset, *bits)).collect(),
                );
            }
            Operation::Scrape { series, hour, minutes } => {
                for minute in minutes {
                    let time = EPOCH + hour * HOUR + minute * 60_000;
                    let bits = (*minute as f64).to_bits();
                    self.store((0..*series).map(|series| (series, time, bits + u64::from(series))).collect());
                }
            }
            Operation::Flush => {
                block_on(shard.flush()).unwrap();
                assert_eq!(shard.state.borrow().memtable.samples(), 0);
            }
            Operation::Tend => {
                block_on(shard.tend_memory()).unwrap();
                block_on(shard.tend_parts()).unwrap();
            }
            Operation::Compact => block_on(shard.compact()).unwrap(),
            Operation::CleanTombstones => {
                block_on(shard.clean_tombstones()).unwrap();
                assert!(shard.state.borrow().deletes.is_empty());
            }
            Operation::Delete { group, start_hour, hours } => {
                let start = EPOCH + start_hour * HOUR;
                let range = TimeRange::new(start, start + hours * HOUR + 1);
                let matchers = vec![equal("group", &group.to_string())];
                block_on(shard.delete(&[matchers], range)).unwrap();
                for (series, samples) in &mut self.model {
                    if series % 3 == *group {
                        samples.retain(|time, _| !range.contains(*time));
                    }
                }
            }
            Operation::Retention { hours } => {
                // Whole parts go at once, the rest with later merges: what is older may be there or
                // not, so the horizon never moves back.
                let horizon_ms = self.world.clock.get() - hours * HOUR;
                self.horizon_ms = self.horizon_ms.max(horizon_ms);
                let age_ms = self.world.clock.get() - self.horizon_ms;
                shard.set_retention(ShardRetention { age_ms, bytes: None });
                shard.apply_retention().unwrap();
            }
            Operation::Checkpoint => block_on(shard.checkpoint()).unwrap(),
            Operation::Restart => {
                self.world.restart();
                let age_ms = self.world.clock.get() - self.horizon_ms;
                self.world.shard.set_retention(ShardRetention { age_ms, bytes: None });
            }
            Operation::Snapshot => {
                // What was deleted may be back after a power cut: every copy has a name of its own.
                let to = format!("/data/copy-{}/shard-000", self.world.disk.operations());
                let to = Path::new(&to);
                block_on(shard.snapshot(to)).unwrap();
                let copy = SimDisk::new(1);
                for path in self.world.disk.paths() {
                    if let (Ok(below), Some(content)) =
                        (path.strip_prefix(to), self.world.disk.content(&path))
                    {
                        copy.set_content(&Path::new(super::world::DIRECTORY).join(below), content);
                    }
                }
                for path in self.world.disk.paths() {
                    if path.starts_with(to) {
                        crate::io::Disk::Sim(self.world.disk.clone()).remove(&path).unwrap();
                    }
                }
                let copy = World::on(copy);
                self.check_world(&copy, TimeRange::ALL);
            }
            Operation::Read { group, start_hour, hours } => {
                let start = EPOCH + start_hour * HOUR;
                let range = self.visible(TimeRange::new(start, start + hours * HOUR));
                let read = self.world.read(&[equal("group", &group.to_string())], range);
                assert_eq!(read, within(&self.model, range, |series| series % 3 == *group));
            }
        }
    }

    /// What retention has not touched.
    fn visible(&self, range: TimeRange) -> TimeRange {
        TimeRange::new(range.start_ms.max(self.horizon_ms), range.end_ms)
    }

    fn check(&self) {
        self.check_world(&self.world, TimeRange::ALL);
    }

    fn check_world(&self, world: &World, range: TimeRange) {
        let range = self.visible(range);
        let expected = within(&self.model, range, |_| true);
        assert_eq!(world.read(&[], range), expected);
        super::needs::check(world, &expected, range);
        let ids: BTreeSet<String> = expected.keys().map(u32::to_string).collect();
        let listed = block_on(world.shard.label_values("id", &[], range)).unwrap();
        assert!(listed.is_superset(&ids), "{listed:?} lacks some of {ids:?}");
        let series: BTreeSet<_> =
            block_on(world.shard.series(&[], range, usize::MAX)).unwrap().into_iter().collect();
        assert!(expected.keys().all(|number| series.contains(&labels(*number))));
    }
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_shard_is_a_sorted_map(seed: u64, operations in proptest::collection::vec(operation(), 1..40)) {
        let mut test = Test { world: World::new(seed), model: Samples::new(), horizon_ms: i64::MIN };
        test.horizon_ms = test.world.clock.get() - super::world::options().retention.age_ms;
        for operation in &operations {
            test.run(operation);
        }
        test.check();
        test.run(&Operation::Compact);
        test.check();
        test.run(&Operation::Restart);
        test.check();
    }
}

#[test]
fn series_without_data_leave_the_registry() {
    let world = World::new(1);
    for hour in 0..40 {
        let time = EPOCH + hour * HOUR;
        let samples: Vec<_> = (0..50).map(|n| (hour as u32 * 50 + n, time, 1)).collect();
        world.append(&samples).unwrap();
        block_on(world.shard.flush()).unwrap();
        // Once to note them, once to let them go.
        block_on(world.shard.tend_parts()).unwrap();
        block_on(world.shard.tend_parts()).unwrap();
    }
    let live = world.shard.metrics().series;
    assert!(live <= 50 * 15, "{live} of 2000 series are in memory");
    assert_eq!(world.read(&[], TimeRange::ALL).len(), 2000);
    block_on(world.shard.checkpoint()).unwrap();
    let numbers = world.shard.state.borrow().registry.refs_end();
    let time = EPOCH + 50 * HOUR;
    world.append(&(5000..5100).map(|n| (n, time, 1)).collect::<Vec<_>>()).unwrap();
    assert_eq!(world.shard.state.borrow().registry.refs_end(), numbers, "numbers are used again");
}

#[test]
fn series_that_end_leave_the_registry_while_their_window_is_open() {
    let world = World::new(1);
    let minute = HOUR / 60;
    let mut model = Samples::new();
    let most = (0..100).map(|at| {
        // A flush a minute; one of a hundred series is replaced each time.
        let samples: Vec<_> = (at..at + 100).map(|n| (n, EPOCH + i64::from(at) * minute, 1)).collect();
        for (series, time, bits) in &samples {
            model.entry(*series).or_default().insert(*time, *bits);
        }
        world.append(&samples).unwrap();
        block_on(world.shard.flush()).unwrap();
        block_on(world.shard.tend_parts()).unwrap();
        world.shard.metrics().series
    });
    let most = most.max().unwrap();
    assert!(most <= 150, "{most} of 200 series were in memory");
    assert_eq!(world.read(&[], TimeRange::ALL), model);
}

#[test]
fn deleted_names_and_values_disappear() {
    let world = World::new(1);
    let samples: Vec<_> = (0..9).map(|n| (n, EPOCH + 1000, 1)).collect();
    world.append(&samples).unwrap();
    block_on(world.shard.flush()).unwrap();
    world.append(&(0..9).map(|n| (n, EPOCH + 2000, 1)).collect::<Vec<_>>()).unwrap();
    block_on(world.shard.delete(&[vec![equal("group", "1")]], TimeRange::ALL)).unwrap();
    let groups = || block_on(world.shard.label_values("group", &[], TimeRange::ALL)).unwrap();
    let left = BTreeSet::from(["0".to_owned(), "2".to_owned()]);
    assert_eq!(groups(), left);
    block_on(world.shard.clean_tombstones()).unwrap();
    assert_eq!(groups(), left);
    block_on(world.shard.compact()).unwrap();
    assert_eq!(groups(), left);
    // What was deleted can be written again, bit for bit.
    world.append(&[(1, EPOCH + 1000, 1)]).unwrap();
    assert_eq!(groups().len(), 3);
}
