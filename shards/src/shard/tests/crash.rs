//! The power is cut at every operation of flushes, merges, deletes and snapshots, and disks fail.

use std::path::Path;

use futures_lite::future::block_on;

use super::world::{EPOCH, HOUR, Samples, World, equal};
use crate::error::Error;
use crate::io::sim::{Fault, SimDisk};
use crate::model::TimeRange;

/// Writes that are acknowledged, and what is in flight when the power goes.
struct Story {
    world: World,
    model: Samples,
    /// A delete that was not acknowledged: samples it means may be there or not.
    in_doubt: bool,
    /// The delete was acknowledged.
    deleted: bool,
}

impl Story {
    fn begin(seed: u64) -> Self {
        Self { world: World::new(seed), model: Samples::new(), in_doubt: false, deleted: false }
    }

    fn append(&mut self, samples: &[(u32, i64, u64)]) -> Result<(), Error> {
        self.world.append(samples)?;
        for (series, time, bits) in samples {
            self.model.entry(*series).or_default().insert(*time, *bits);
        }
        Ok(())
    }

    fn scrape(&mut self, hour: i64, value: u64) -> Result<(), Error> {
        let samples: Vec<_> = (0..20).map(|series| (series, EPOCH + hour * HOUR, value)).collect();
        self.append(&samples)
    }

    /// A life: flushes, merges of all levels, deletes, a snapshot, late data.
    fn live(&mut self) -> Result<(), Error> {
        for hour in 0..16 {
            self.scrape(hour, hour as u64)?;
            if hour % 2 == 0 {
                block_on(self.world.shard.flush())?;
            }
            if hour % 5 == 4 {
                block_on(self.world.shard.tend_parts())?;
            }
            if hour == 7 {
                self.delete()?;
            }
            if hour == 9 {
                block_on(self.world.shard.snapshot(Path::new("/data/copy/shard-000")))?;
            }
            if hour == 11 {
                self.scrape(1, 77)?;
                block_on(self.world.shard.checkpoint())?;
            }
        }
        block_on(self.world.shard.compact())?;
        block_on(self.world.shard.clean_tombstones())
    }

    fn delete(&mut self) -> Result<(), Error> {
        let range = TimeRange::new(EPOCH, EPOCH + 3 * HOUR + 1);
        self.in_doubt = true;
        block_on(self.world.shard.delete(&[vec![equal("group", "1")]], range))?;
        self.in_doubt = false;
        self.deleted = true;
        for (series, samples) in &mut self.model {
            if series % 3 == 1 {
                samples.retain(|time, _| !range.contains(*time));
            }
        }
        Ok(())
    }

    /// Everything acknowledged is there, and nothing that was never written.
    fn check(&self, cut: u64) {
        let read = self.world.read(&[], TimeRange::ALL);
        for (series, samples) in &self.model {
            if self.in_doubt && series % 3 == 1 {
                continue;
            }
            for (time, bits) in samples {
                let found = read.get(series).and_then(|samples| samples.get(time));
                // The overwriting of hour 1 may have been in flight.
                let late = *time == EPOCH + HOUR && found == Some(&77);
                assert!(
                    found == Some(bits) || late,
                    "cut at {cut}: series {series} at {time}: {found:?}, not {bits}"
                );
            }
        }
        for (series, samples) in &read {
            for (time, bits) in samples {
                let hour = (time - EPOCH) / HOUR;
                let known = *bits == hour as u64 || hour == 1 && *bits == 77;
                assert!(known && *series < 20, "cut at {cut}: series {series} has {bits} at hour {hour}");
                let gone = self.deleted && series % 3 == 1 && hour <= 3 && *bits != 77;
                assert!(!gone, "cut at {cut}: {series} at hour {hour} is back");
            }
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing() {
    let mut whole = Story::begin(0);
    whole.live().unwrap();
    whole.check(0);
    let operations = whole.world.disk.operations();
    assert!(operations > 100, "{operations} operations");
    for cut in 1..=operations {
        let mut story = Story::begin_cut(cut);
        let _ = story.live();
        assert!(story.world.disk.is_off(), "the power was cut at {cut}");
        story.world.restart();
        story.check(cut);
        // And it goes on as if nothing had been.
        block_on(story.world.shard.compact()).unwrap();
        story.check(cut);
        let leftover = |path: &Path| path.to_string_lossy().contains(".tmp");
        let paths = story.world.disk.paths();
        let left: Vec<_> =
            paths.iter().filter(|path| leftover(path) && !path.starts_with("/data/copy")).collect();
        assert!(left.is_empty(), "cut at {cut}: {left:?}");
    }
}

impl Story {
    fn begin_cut(cut: u64) -> Self {
        let disk = SimDisk::new(cut * 31 + 7);
        disk.cut_power_at(cut);
        match World::try_on(disk.clone()) {
            Ok(world) => Self { world, model: Samples::new(), in_doubt: false, deleted: false },
            Err(_) => {
                disk.restart();
                let mut story =
                    Self { world: World::on(disk), model: Samples::new(), in_doubt: false, deleted: false };
                // The cut fell into the opening: nothing was written yet.
                story.world.disk.cut_power_at(story.world.disk.operations() + 1);
                let _ = story.scrape(0, 0);
                story
            }
        }
    }
}

#[test]
fn operations_that_fail_once_are_done_again() {
    let mut whole = Story::begin(0);
    whole.live().unwrap();
    let operations = whole.world.disk.operations();
    for fault in [Fault::NoSpace, Fault::InputOutput] {
        for failing in (1..=operations).step_by(3) {
            let disk = SimDisk::new(failing);
            let Ok(world) = World::try_on(disk.clone()) else { continue };
            let opened = disk.operations();
            disk.fail_at(opened + failing, 1, fault);
            let mut story = Story { world, model: Samples::new(), in_doubt: false, deleted: false };
            let _ = story.live();
            story.check(failing);
            story.world.restart();
            story.check(failing);
            block_on(story.world.shard.compact()).unwrap();
            story.check(failing);
        }
    }
}

#[test]
fn a_full_disk_refuses_and_resumes() {
    let mut story = Story::begin(3);
    story.scrape(0, 0).unwrap();
    block_on(story.world.shard.flush()).unwrap();
    story.scrape(1, 1).unwrap();
    story.world.disk.set_room(Some(0));
    let full = block_on(story.world.shard.flush());
    assert!(matches!(full, Err(Error::DiskFull { .. })), "{full:?}");
    story.check(0);
    story.world.disk.set_room(None);
    story.scrape(2, 2).unwrap();
    block_on(story.world.shard.flush()).unwrap();
    block_on(story.world.shard.compact()).unwrap();
    story.check(0);
}
