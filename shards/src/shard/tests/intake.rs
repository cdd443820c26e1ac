//! Writes that come while a shard is being opened.

use std::path::Path;
use std::rc::Rc;

use futures_lite::future::{block_on, or, poll_once, yield_now};

use super::world::{DIRECTORY, EPOCH, HOUR, Samples, World, batch_of, open, options};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::io::Disk;
use crate::io::sim::SimDisk;
use crate::model::{Metadata, MetricType, SampleBatch, TimeRange};
use crate::shard::Writer;

impl World {
    fn door(&self) -> Result<Writer> {
        let clock = Clock::Manual(Rc::clone(&self.clock));
        block_on(Writer::open(&Disk::Sim(self.disk.clone()), clock, &options()))
    }

    /// Opens the shard with writes coming before, between and after.
    fn open_under_writes(&mut self, mut write: impl FnMut(&Writer) -> Result<()>) -> Result<Writer> {
        let writer = self.door()?;
        write(&writer)?;
        write(&writer)?;
        self.shard = open(&self.disk, &self.clock)?;
        write(&writer)?;
        block_on(writer.take_over(&self.shard))?;
        let off = async {
            while !self.disk.is_off() {
                yield_now().await;
            }
        };
        block_on(or(writer.finish(&self.shard), off));
        write(&writer)?;
        Ok(writer)
    }
}

fn intake_files(disk: &SimDisk) -> Vec<String> {
    Disk::Sim(disk.clone()).list(&Path::new(DIRECTORY).join("intake")).unwrap()
}

/// Samples of series `series` and the one before at an hour.
fn pair(series: u32, hour: i64, bits: u64) -> Vec<(u32, i64, u64)> {
    vec![(series, EPOCH + hour * HOUR, bits), (series - 1, EPOCH + hour * HOUR, bits)]
}

#[test]
fn what_came_before_is_there_and_newer_than_the_log() {
    let mut world = World::new(1);
    world.append(&pair(1, 0, 10)).unwrap();
    world.append(&pair(1, 1, 11)).unwrap();
    world.disk.restart();
    let mut step = 0;
    let opened = world.open_under_writes(|writer| {
        step += 1;
        // The first is a correction, the others have a series that is new.
        let samples = if step == 1 { pair(1, 1, 99) } else { pair(2, step, step as u64) };
        assert_eq!(block_on(writer.append(&batch_of(&samples)))?.stored, 2);
        Ok(())
    });
    let writer = opened.unwrap();
    let at = |hour: i64, bits: u64| (EPOCH + hour * HOUR, bits);
    let expected = Samples::from([
        (0, [at(0, 10), at(1, 99)].into()),
        (1, [at(0, 10), at(1, 99), at(2, 2), at(3, 3), at(4, 4)].into()),
        (2, [at(2, 2), at(3, 3), at(4, 4)].into()),
    ]);
    assert_eq!(world.read(&[], TimeRange::ALL), expected);
    assert_eq!(intake_files(&world.disk), [""; 0]);
    drop(writer);
    world.restart();
    assert_eq!(world.read(&[], TimeRange::ALL), expected);
}

#[test]
fn refusals_and_metadata_are_as_ever() {
    let world = World::new(2);
    let writer = world.door().unwrap();
    let too_far = EPOCH + 400 * 24 * HOUR;
    let outcome = block_on(writer.append(&batch_of(&[(1, EPOCH, 1), (2, too_far, 1)]))).unwrap();
    assert_eq!((outcome.stored, outcome.refusals.len()), (1, 1));
    let mut batch = SampleBatch::new(bytes::Bytes::from_static(b"not labels"));
    batch.push_series(options().hasher.key(b"not labels"), 0, 10);
    batch.push_sample(EPOCH, 1.0);
    assert_eq!(block_on(writer.append(&batch)).unwrap().unacceptable, [0]);
    let metadata = Metadata {
        metric: "m".into(),
        metric_type: MetricType::Counter,
        help: "what it counts".into(),
        unit: String::new(),
    };
    block_on(writer.append_metadata(vec![metadata.clone()])).unwrap();
    block_on(writer.take_over(&world.shard)).unwrap();
    block_on(writer.finish(&world.shard));
    assert_eq!(world.shard.metadata(), [metadata]);
}

#[test]
fn a_write_during_the_change_waits_and_is_stored() {
    let world = World::new(3);
    let writer = world.door().unwrap();
    block_on(writer.append(&batch_of(&pair(1, 0, 1)))).unwrap();
    block_on(writer.take_over(&world.shard)).unwrap();
    let late = batch_of(&pair(1, 0, 2));
    let mut waiting = Box::pin(writer.append(&late));
    assert!(block_on(poll_once(&mut waiting)).is_none(), "nothing newer may be stored yet");
    block_on(writer.finish(&world.shard));
    block_on(waiting).unwrap();
    let read = world.read(&[], TimeRange::ALL);
    assert_eq!(read[&0], [(EPOCH, 2)].into());
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let world = World::new(4);
    let writer = world.door().unwrap();
    // More than the shard's log has room for in the file that it has.
    let samples: Vec<_> = (0..4000).map(|series| (series, EPOCH, u64::from(series))).collect();
    block_on(writer.append(&batch_of(&samples))).unwrap();
    block_on(writer.take_over(&world.shard)).unwrap();
    assert_eq!(world.read(&[], TimeRange::ALL).len(), 4000, "it can be read at once");
    world.disk.set_room(Some(0));
    let one = batch_of(&pair(1, 0, 7));
    let refused = async { writer.append(&one).await.err() };
    let trying = async {
        writer.finish(&world.shard).await;
        None
    };
    let first = block_on(or(refused, trying));
    assert!(matches!(first, Some(Error::DiskFull { .. })), "{first:?}");
    assert_ne!(intake_files(&world.disk), [""; 0], "the only durable copy is kept");
    world.disk.set_room(None);
    block_on(writer.finish(&world.shard));
    block_on(writer.append(&one)).unwrap();
    assert_eq!(intake_files(&world.disk), [""; 0]);
}

/// Two lives with writes while the shard is opened; the power goes at some operation of the second
/// one, and at another of the third.
#[test]
fn a_power_cut_at_any_operation_loses_nothing() {
    let mut whole = World::new(0);
    let operations = life(&mut whole, &mut Known::default()).unwrap();
    for cut in 0..operations {
        for seed in 0..3 {
            let mut world = World::new(seed);
            let mut known = Known::default();
            let begun = world.disk.operations();
            world.disk.cut_power_at(begun + cut);
            let first = life(&mut world, &mut known);
            world.disk.restart();
            world.disk.cut_power_at(world.disk.operations() + (cut * 7 + seed * 5) % operations);
            let second = life(&mut world, &mut known);
            assert!(first.is_err() || second.is_ok() || world.disk.is_off());
            world.disk.restart();
            let opened = world.open_under_writes(|_| Ok(()));
            drop(opened.unwrap());
            known.check(&world, cut, seed);
        }
    }
}

/// What may be found: the value acknowledged last, or one that was tried afterwards.
#[derive(Default)]
struct Known {
    acknowledged: Option<u64>,
    tried: u64,
}

impl Known {
    fn check(&self, world: &World, cut: u64, seed: u64) {
        let read = world.read(&[], TimeRange::ALL);
        for series in [0, 1] {
            let found = read.get(&series).and_then(|samples| samples.get(&EPOCH)).copied();
            assert!(
                found >= self.acknowledged && found <= Some(self.tried),
                "cut at {cut}, seed {seed}: series {series} is {found:?}, acknowledged {:?}, tried {}",
                self.acknowledged,
                self.tried
            );
        }
    }
}

/// Opens the shard while the same sample is written again and again; gives the disk's operations.
fn life(world: &mut World, known: &mut Known) -> Result<u64> {
    let begun = world.disk.operations();
    let mut write = |writer: &Writer| {
        known.tried += 1;
        block_on(writer.append(&batch_of(&pair(1, 0, known.tried))))?;
        known.acknowledged = Some(known.tried);
        Ok(())
    };
    let writer = world.open_under_writes(&mut write)?;
    block_on(world.shard.flush())?;
    write(&writer)?;
    Ok(world.disk.operations() - begun)
}
