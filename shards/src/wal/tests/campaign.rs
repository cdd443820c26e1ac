//! Long random lives of a log: full disks, failed writes, power cuts, restarts and releases in any
//! order, against a model of what was promised.

use super::*;
use crate::io::sim::Fault;

/// Draws of the campaign, apart from those of the disk.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What was promised of the records, by their series numbers in order of append.
#[derive(Default)]
struct Promises {
    sizes: BTreeMap<u32, usize>,
    /// Written for certain and not released.
    acknowledged: Vec<u32>,
    next: u32,
    /// Records before this one were released; they may be there or not.
    released: u32,
}

struct Campaign {
    seed: u64,
    disk: SimDisk,
    wal: Wal,
    random: Random,
    promises: Promises,
}

impl Campaign {
    fn start(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let (wal, ..) = open(&disk).unwrap();
        Self { seed, disk, wal, random: Random(seed), promises: Promises::default() }
    }

    fn write(&mut self) {
        let count = if self.random.below(4) == 0 { 8_000 } else { 1 + self.random.below(300) as usize };
        let series = self.promises.next;
        let Ok(lsn) = append(&self.wal, series, count) else { return self.reopen() };
        self.promises.next += 1;
        self.promises.sizes.insert(series, count);
        if block_on(self.wal.commit(lsn)).is_ok() {
            // A commit covers what was appended before it, also what had been refused for lack of room.
            let unsure = self.promises.acknowledged.last().map_or(self.promises.released, |last| last + 1);
            self.promises.acknowledged.extend(self.promises.sizes.range(unsure..=series).map(|(s, _)| *s));
        }
    }

    fn release(&mut self) {
        if let Ok(epoch) = block_on(self.wal.rotate()) {
            // Everything before is sealed now; once a release began, nothing is promised of it.
            self.promises.acknowledged.clear();
            self.promises.released = self.promises.next;
            let _ = block_on(self.wal.release(epoch));
        }
    }

    /// Starts again on the same disk and holds what is found against what was promised.
    fn reopen(&mut self) {
        let place = format!("seed {} after {} appends", self.seed, self.promises.next);
        self.disk.set_room(None);
        self.disk.set_failing(false);
        let mut opened = open(&self.disk);
        if self.disk.is_off() {
            // The power went while the log was opened.
            self.disk.restart();
            opened = open(&self.disk);
        }
        let (wal, report, found) = opened.unwrap();
        assert_eq!((report.damaged_frames, report.damaged_segments), (0, 0), "{place}: {report:?}");
        assert_eq!((report.damaged_records, report.unknown_records), (0, 0), "{place}: {report:?}");
        assert_eq!(report.missing_frames, 0, "{place}: {report:?}");
        for series in &self.promises.acknowledged {
            assert!(found.contains_key(series), "{place}: {series} was acknowledged");
        }
        for (series, read) in &found {
            let count = self.promises.sizes.get(series).copied();
            let expected = count.map(|count| values(*series, count));
            assert_eq!(Some(read), expected.as_ref(), "{place}: {series} is whole");
        }
        // From here on, what is not there will not come back, and what is there stays.
        self.promises.sizes.retain(|series, _| found.contains_key(series));
        self.promises.acknowledged =
            found.into_keys().filter(|series| *series >= self.promises.released).collect();
        self.wal = wal;
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0 => self.release(),
            1 => self.disk.set_room(Some(self.random.below(2 << 20))),
            2 | 3 => self.disk.set_room(None),
            4 => {
                let from = self.disk.operations() + 1 + self.random.below(4);
                let fault = if self.random.below(2) == 0 { Fault::InputOutput } else { Fault::NoSpace };
                self.disk.fail_at(from, 1 + self.random.below(3), fault);
            }
            5 => self.disk.cut_power_at(self.disk.operations() + 1 + self.random.below(5)),
            6 => {
                self.disk.restart();
                self.reopen();
            }
            7 => {
                // The process ends, the power stays.
                if self.disk.is_off() {
                    self.disk.restart();
                }
                self.reopen();
            }
            _ if self.disk.is_off() => {
                self.disk.restart();
                self.reopen();
            }
            _ => self.write(),
        }
    }
}

#[test]
fn promises_hold_through_any_life() {
    for seed in 0..30 {
        let mut campaign = Campaign::start(seed);
        for _ in 0..300 {
            campaign.step();
        }
        campaign.disk.restart();
        campaign.reopen();
    }
}
