//! The log on the simulated disk: what was acknowledged is there, what was not is whole or absent.

mod campaign;
mod damage;
mod group;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_lite::future::block_on;

use super::*;
use crate::error::Error;
use crate::io::Disk;
use crate::io::sim::SimDisk;
use crate::model::{SeriesRef, ShardId};

const DIRECTORY: &str = "/shard-000/wal";

fn options() -> WalOptions {
    WalOptions { sync: SyncPolicy::Always, segment_bytes: 1 << 20 }
}

/// Opens the log; the samples found, by series.
fn open(disk: &SimDisk) -> crate::error::Result<(Wal, ReplayReport, BTreeMap<u32, Vec<u64>>)> {
    let mut found = BTreeMap::<u32, Vec<u64>>::new();
    let mut on_record = |record: Record<'_>| {
        if let Record::Samples(samples) = record {
            for entry in samples {
                let entry = entry.unwrap();
                found.entry(entry.series.0).or_default().push(entry.value.to_bits());
            }
        }
    };
    let opened = block_on(Wal::open(
        Disk::Sim(disk.clone()),
        Path::new(DIRECTORY),
        ShardId(0),
        options(),
        &mut on_record,
    ));
    let (wal, report) = opened?;
    Ok((wal, report, found))
}

/// Appends `count` samples of one series with values derived from their number.
fn append(wal: &Wal, series: u32, count: usize) -> crate::error::Result<Lsn> {
    wal.admit()?;
    Ok(wal.append(|log| {
        log.record(|out| {
            let mut encoder = SamplesEncoder::begin(out, 1_000);
            for number in 0..count {
                encoder.push(SeriesRef(series), 1_000 + number as i64, value(series, number));
            }
            encoder.finish();
        });
    }))
}

/// What [`append`] writes; records of different series are different everywhere.
fn values(series: u32, count: usize) -> Vec<u64> {
    (0..count).map(|number| value(series, number).to_bits()).collect()
}

fn value(series: u32, number: usize) -> f64 {
    f64::from(series) * 1e6 + number as f64
}

fn segment_path(slot: u32) -> PathBuf {
    Path::new(DIRECTORY).join(segment::file_name(slot))
}

/// Sizes of the appends of the scripted load: small ones, and ones that cross segments.
fn script() -> impl Iterator<Item = usize> {
    (0..60).map(|step| if step % 4 == 3 { 8_000 } else { 1 + step * 3 })
}

#[test]
fn acknowledged_records_survive_a_power_cut_at_every_write() {
    let total = {
        let disk = SimDisk::new(1);
        run_script(&disk, &mut 0).unwrap();
        disk.operations()
    };
    for cut in 1..=total {
        for seed in 0..8 {
            let place = format!("cut {cut}, seed {seed}");
            let disk = SimDisk::new(cut * 100 + seed);
            disk.cut_power_at(cut);
            let mut acknowledged = 0;
            run_script(&disk, &mut acknowledged).unwrap_err();
            disk.restart();
            let (wal, report, found) = open(&disk).unwrap();
            assert_eq!((report.damaged_frames, report.missing_frames), (0, 0), "{place}: {report:?}");
            assert_eq!(report.damaged_segments, 0, "{place}");
            for (series, count) in script().enumerate() {
                let read = found.get(&(series as u32));
                if series < acknowledged {
                    assert_eq!(
                        read,
                        Some(&values(series as u32, count)),
                        "{place}: series {series} was acknowledged"
                    );
                } else if let Some(read) = read {
                    assert_eq!(
                        read,
                        &values(series as u32, count),
                        "{place}: series {series} is whole or absent"
                    );
                    assert_eq!(series, acknowledged, "{place}: nothing was sent after it");
                }
            }
            // The log goes on after the torn tail.
            let lsn = append(&wal, 999, 5).unwrap();
            block_on(wal.commit(lsn)).unwrap();
            let (.., found) = open(&disk).unwrap();
            assert_eq!(found.get(&999), Some(&values(999, 5)), "{place}");
            assert_eq!(found.range(..acknowledged as u32).count(), acknowledged, "{place}");
        }
    }
}

fn run_script(disk: &SimDisk, acknowledged: &mut usize) -> crate::error::Result<()> {
    let (wal, ..) = open(disk)?;
    for (series, count) in script().enumerate() {
        let lsn = append(&wal, series as u32, count)?;
        block_on(wal.commit(lsn))?;
        *acknowledged = series + 1;
    }
    assert!(wal.metrics().segments > 1, "the load crosses segments");
    Ok(())
}

#[test]
fn released_segments_are_used_again_and_never_read() {
    let disk = SimDisk::new(6);
    let (wal, ..) = open(&disk).unwrap();
    for round in 0..20 {
        for series in 0..3 {
            let lsn = append(&wal, round * 10 + series, 8_000).unwrap();
            block_on(wal.commit(lsn)).unwrap();
        }
        let sealed = block_on(wal.rotate()).unwrap();
        assert!(block_on(wal.release(sealed)).unwrap() >= 1);
    }
    let lsn = append(&wal, 7_777, 2).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    assert!(wal.metrics().segment_bytes <= 3 << 20, "{:?}", wal.metrics());
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(found, BTreeMap::from([(7_777, values(7_777, 2))]));
    assert_eq!((report.damaged_frames, report.missing_frames), (0, 0));
}

#[test]
fn a_full_disk_refuses_until_there_is_room_and_loses_nothing() {
    let disk = SimDisk::new(7);
    let (wal, ..) = open(&disk).unwrap();
    disk.set_room(Some(0));
    let mut series = 0;
    let refused = loop {
        let lsn = append(&wal, series, 8_000).unwrap();
        match block_on(wal.commit(lsn)) {
            Ok(()) => series += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    let lsn = append(&wal, series + 1, 10).unwrap();
    assert!(matches!(block_on(wal.commit(lsn)), Err(Error::DiskFull { .. })));
    disk.set_room(None);
    let lsn = append(&wal, series + 2, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(found.len() as u32, series + 3);
    assert_eq!(found.get(&series), Some(&values(series, 8_000)));
    assert_eq!((report.damaged_frames, report.missing_frames), (0, 0));
}

#[test]
fn trying_again_and_again_on_a_full_disk_uses_nothing_up() {
    let disk = SimDisk::new(7);
    let (wal, ..) = open(&disk).unwrap();
    while append(&wal, 1, 8_000).is_ok_and(|lsn| block_on(wal.commit(lsn)).is_ok()) {
        disk.set_room(Some(0));
    }
    let files = Disk::Sim(disk.clone()).list(Path::new(DIRECTORY)).unwrap();
    for _ in 0..1_000 {
        assert!(matches!(block_on(wal.sync()), Err(Error::DiskFull { .. })));
    }
    assert_eq!(Disk::Sim(disk.clone()).list(Path::new(DIRECTORY)).unwrap(), files);
    disk.set_room(None);
    block_on(wal.sync()).unwrap();
    assert!(disk.file_len(&segment_path(files.len() as u32)).is_some(), "the next number is the next file's");
}

#[test]
fn a_failed_write_poisons_until_restart() {
    let disk = SimDisk::new(8);
    let (wal, ..) = open(&disk).unwrap();
    let lsn = append(&wal, 1, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    disk.set_failing(true);
    let lsn = append(&wal, 2, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap_err();
    disk.set_failing(false);
    assert!(matches!(append(&wal, 3, 10), Err(Error::Poisoned { .. })));
    let (wal, _, found) = open(&disk).unwrap();
    // The write that failed may have reached the disk; it was not acknowledged.
    assert_eq!(found.get(&1), Some(&values(1, 10)));
    assert!(found.get(&2).is_none_or(|read| *read == values(2, 10)));
    let lsn = append(&wal, 4, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
}

#[test]
fn policies_that_do_not_wait_write_when_asked() {
    let disk = SimDisk::new(9);
    let relaxed = WalOptions { sync: SyncPolicy::Interval(Duration::from_secs(1)), ..options() };
    let mut ignore = |_: Record<'_>| {};
    let opened = Wal::open(Disk::Sim(disk.clone()), Path::new(DIRECTORY), ShardId(0), relaxed, &mut ignore);
    let (wal, _) = block_on(opened).unwrap();
    let lsn = append(&wal, 1, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    assert_eq!(wal.metrics().frames, 0);
    block_on(wal.sync()).unwrap();
    assert_eq!(open(&disk).unwrap().2.len(), 1);
}
