//! The log on the simulated disk: what was acknowledged is there, what was not is whole or absent.

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
                encoder.push(SeriesRef(series), 1_000 + number as i64, number as f64);
            }
            encoder.finish();
        });
    }))
}

fn values(count: usize) -> Vec<u64> {
    (0..count).map(|number| (number as f64).to_bits()).collect()
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
        let (wal, ..) = open(&disk).unwrap();
        for (series, count) in script().enumerate() {
            let lsn = append(&wal, series as u32, count).unwrap();
            block_on(wal.commit(lsn)).unwrap();
        }
        assert!(wal.metrics().segments > 1, "the load crosses segments");
        disk.operations()
    };
    for cut in 1..=total {
        let disk = SimDisk::new(cut);
        disk.cut_power_at(cut);
        let mut acknowledged = 0;
        if let Ok((wal, ..)) = open(&disk) {
            for (series, count) in script().enumerate() {
                let Ok(lsn) = append(&wal, series as u32, count) else { break };
                if block_on(wal.commit(lsn)).is_err() {
                    break;
                }
                acknowledged = series + 1;
            }
        }
        disk.restart();
        let (wal, report, found) = open(&disk).unwrap();
        assert_eq!((report.damaged_frames, report.missing_frames), (0, 0), "cut {cut}: {report:?}");
        for (series, count) in script().enumerate() {
            let read = found.get(&(series as u32));
            if series < acknowledged {
                assert_eq!(read, Some(&values(count)), "cut {cut}: series {series} was acknowledged");
            } else if let Some(read) = read {
                assert_eq!(read, &values(count), "cut {cut}: series {series} is whole or absent");
                assert_eq!(series, acknowledged, "cut {cut}: nothing was sent after it");
            }
        }
        // The log goes on after the torn tail.
        let lsn = append(&wal, 999, 5).unwrap();
        block_on(wal.commit(lsn)).unwrap();
        let (.., found) = open(&disk).unwrap();
        assert_eq!(found.get(&999), Some(&values(5)), "cut {cut}");
        assert_eq!(found.range(..acknowledged as u32).count(), acknowledged, "cut {cut}");
    }
}

#[test]
fn concurrent_commits_share_a_write() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    let before = wal.metrics().frames;
    let commits = (0..10).map(|series| {
        let wal = wal.clone();
        async move {
            let lsn = append(&wal, series, 3).unwrap();
            futures_lite::future::yield_now().await;
            wal.commit(lsn).await.unwrap();
        }
    });
    block_on(futures_util::future::join_all(commits));
    assert_eq!(wal.metrics().frames, before + 1);
    assert_eq!(open(&disk).unwrap().2.len(), 10);
}

#[test]
fn damage_in_the_middle_is_skipped_and_counted() {
    let disk = SimDisk::new(3);
    let (wal, ..) = open(&disk).unwrap();
    for series in 0..5 {
        let lsn = append(&wal, series, 10).unwrap();
        block_on(wal.commit(lsn)).unwrap();
    }
    // Frame 0 begins at block 1; the third is at block 3.
    disk.flip_bit(&segment_path(0), (3 * 4096 + 40) * 8);
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!((report.damaged_frames, report.missing_frames), (1, 1));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 1, 3, 4]);
}

#[test]
fn damage_at_the_tail_ends_the_log() {
    let disk = SimDisk::new(4);
    let (wal, ..) = open(&disk).unwrap();
    for series in 0..3 {
        let lsn = append(&wal, series, 10).unwrap();
        block_on(wal.commit(lsn)).unwrap();
    }
    disk.flip_bit(&segment_path(0), (3 * 4096 + 40) * 8);
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(report.damaged_frames, 0);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_segment_with_a_damaged_header_is_reported_and_the_rest_is_read() {
    let disk = SimDisk::new(5);
    let (wal, ..) = open(&disk).unwrap();
    let mut series = 0;
    while wal.metrics().segments < 3 {
        let lsn = append(&wal, series, 8_000).unwrap();
        block_on(wal.commit(lsn)).unwrap();
        series += 1;
    }
    let whole = open(&disk).unwrap().2.len();
    disk.flip_bit(&segment_path(1), 16 * 8);
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(report.damaged_segments, 1);
    assert!(report.missing_frames > 0);
    assert!(!found.is_empty() && found.len() < whole);
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
        assert_eq!(block_on(wal.release(sealed)).unwrap(), 1);
    }
    let lsn = append(&wal, 7_777, 2).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    assert!(wal.metrics().segment_bytes <= 3 << 20, "{:?}", wal.metrics());
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(found, BTreeMap::from([(7_777, values(2))]));
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
    assert_eq!(found.get(&series), Some(&values(8_000)));
    assert_eq!((report.damaged_frames, report.missing_frames), (0, 0));
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
    assert_eq!(found.get(&1), Some(&values(10)));
    assert!(found.get(&2).is_none_or(|read| *read == values(10)));
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
    assert!(open(&disk).unwrap().2.is_empty());
    block_on(wal.sync()).unwrap();
    assert_eq!(open(&disk).unwrap().2.len(), 1);
}
