//! The series table file: what was acknowledged is read back, whatever happens to the disk.

use std::collections::{BTreeMap, BTreeSet};

use futures_lite::future::{block_on, poll_once};

use super::*;
use crate::io::sim::{Fault, SimDisk};
use crate::limits::BLOCK_LEN;

const SHARD: ShardId = ShardId(1);

fn directory() -> PathBuf {
    PathBuf::from("/data/shard-001/series")
}

fn path(generation: u64) -> PathBuf {
    directory().join(format::file_name(generation))
}

type Table = BTreeMap<u32, Vec<u8>>;

fn try_open(disk: &SimDisk) -> Result<(SeriesFile, SeriesReport, Table)> {
    let mut table = Table::new();
    let opened = block_on(SeriesFile::open(
        &Disk::Sim(disk.clone()),
        &directory(),
        SHARD,
        |Entry { series, labels, .. }| {
            if let Some(before) = table.insert(series.0, labels.to_vec()) {
                assert_eq!(before, labels, "series {} changes its labels", series.0);
            }
        },
    ));
    opened.map(|(file, report)| (file, report, table))
}

fn open(disk: &SimDisk) -> (SeriesFile, SeriesReport, Table) {
    try_open(disk).unwrap()
}

fn labels_of(series: u32) -> Vec<u8> {
    format!("job=api,instance=host-{},series={series}", series / 10).into_bytes()
}

fn append(file: &SeriesFile, series: std::ops::Range<u32>) -> Result<()> {
    let labels: Vec<_> = series.map(|series| (SeriesRef(series), labels_of(series))).collect();
    let entries: Vec<_> = labels.iter().map(|(series, labels)| (*series, &labels[..])).collect();
    block_on(file.append(&entries))
}

fn checkpoint(file: &SeriesFile, keep: &[u32]) -> Result<()> {
    let mut rest = keep.iter().peekable();
    block_on(file.checkpoint(|frame| {
        while let Some(series) = rest.next_if(|_| !frame.is_full()) {
            frame.push(SeriesRef(*series), &labels_of(*series));
        }
    }))
}

fn expected(series: impl IntoIterator<Item = u32>) -> Table {
    series.into_iter().map(|series| (series, labels_of(series))).collect()
}

#[test]
fn what_was_appended_is_read_back_in_order() {
    let disk = SimDisk::new(1);
    let (file, report, table) = open(&disk);
    assert_eq!((report.series, table.len()), (0, 0));
    append(&file, 0..5).unwrap();
    append(&file, 5..70_000).unwrap();
    append(&file, 70_000..70_000).unwrap();
    drop(file);
    let (file, report, table) = open(&disk);
    assert_eq!(table, expected(0..70_000));
    assert!(report.frames >= 2, "{report:?}");
    assert_eq!((report.series, report.frames_bad, report.torn_bytes), (70_000, 0, 0));
    assert_eq!(report.file_bytes, file.bytes());
    append(&file, 70_000..70_001).unwrap();
    assert_eq!(open(&disk).2, expected(0..70_001));
}

#[test]
fn a_checkpoint_replaces_the_table() {
    let disk = SimDisk::new(1);
    let (file, _, _) = open(&disk);
    append(&file, 0..1000).unwrap();
    let kept: Vec<u32> = (0..1000).step_by(3).collect();
    checkpoint(&file, &kept).unwrap();
    assert!(disk.content(&path(1)).is_none());
    append(&file, 2000..2010).unwrap();
    let (_, report, table) = open(&disk);
    assert_eq!(table, expected(kept.into_iter().chain(2000..2010)));
    assert_eq!(report.torn_bytes, 0);
    checkpoint(&file, &[]).unwrap();
    assert_eq!(open(&disk).2, Table::new());
}

#[test]
fn a_checkpoint_of_many_frames_is_read_back() {
    let disk = SimDisk::new(1);
    let (file, _, _) = open(&disk);
    let all: Vec<u32> = (0..300_000).collect();
    checkpoint(&file, &all).unwrap();
    let (_, report, table) = open(&disk);
    assert!(report.frames >= 3, "{report:?}");
    assert_eq!(table.len(), all.len());
}

/// What the scripted work has been told is durable, and what it has tried.
#[derive(Default)]
struct Witness {
    acknowledged: BTreeSet<u32>,
    /// Each append is there as a whole or not at all; frames are the unit, these are one each.
    appends: Vec<std::ops::Range<u32>>,
    dropped: BTreeSet<u32>,
}

fn scripted_work(disk: &SimDisk, witness: &mut Witness) -> Result<()> {
    let (file, _, _) = try_open(disk)?;
    let mut next = 0;
    for round in 0..12_u32 {
        let series = next..next + 1 + (round * 37) % 400;
        next = series.end;
        witness.appends.push(series.clone());
        append(&file, series.clone())?;
        witness.acknowledged.extend(series);
        if round % 5 == 4 {
            let kept: Vec<u32> =
                witness.acknowledged.iter().copied().filter(|series| series % 7 != 0).collect();
            witness.dropped.extend(witness.acknowledged.iter().filter(|series| *series % 7 == 0));
            checkpoint(&file, &kept)?;
            witness.acknowledged = kept.into_iter().collect();
        }
    }
    Ok(())
}

#[test]
fn power_may_fail_at_every_step() {
    let steps = {
        let disk = SimDisk::new(0);
        scripted_work(&disk, &mut Witness::default()).unwrap();
        disk.operations()
    };
    assert!(steps > 20);
    for step in 1..=steps {
        for seed in 0..12 {
            let place = format!("power cut at step {step}, seed {seed}");
            let disk = SimDisk::new(seed * 1000 + step);
            disk.cut_power_at(step);
            let mut witness = Witness::default();
            scripted_work(&disk, &mut witness).unwrap_err();
            disk.restart();
            let (file, report, table) = open(&disk);
            assert_eq!(report.frames_bad, 0, "{place}");
            assert_eq!(report.files_damaged, 0, "{place}");
            for series in witness.acknowledged.iter().filter(|series| !witness.dropped.contains(series)) {
                assert_eq!(table.get(series), Some(&labels_of(*series)), "{place}");
            }
            for append in &witness.appends {
                let live = append.clone().filter(|series| !witness.dropped.contains(series));
                let there: BTreeSet<_> = live.map(|series| table.contains_key(&series)).collect();
                assert!(there.len() < 2, "{place}: {append:?} is there in part");
            }
            // It goes on from there as if nothing had been.
            append(&file, 50_000..50_010).unwrap();
            let (_, report, again) = open(&disk);
            // Of a longer append that was torn, blocks may be left behind the new end.
            assert_eq!(report.frames_bad, 0, "{place}");
            assert_eq!(again.len(), table.len() + 10, "{place}");
        }
    }
}

#[test]
fn a_full_disk_can_be_tried_again() {
    let disk = SimDisk::new(4);
    let (file, _, _) = open(&disk);
    append(&file, 0..100).unwrap();
    disk.set_room(Some(6000));
    assert!(matches!(append(&file, 100..3000), Err(Error::DiskFull { .. })));
    assert!(matches!(checkpoint(&file, &(0..100).collect::<Vec<_>>()), Err(Error::DiskFull { .. })));
    append(&file, 100..105).unwrap();
    disk.set_room(None);
    append(&file, 105..3000).unwrap();
    checkpoint(&file, &(0..2999).collect::<Vec<_>>()).unwrap();
    let (_, report, table) = open(&disk);
    assert_eq!(table, expected(0..2999));
    assert_eq!((report.torn_bytes, report.frames_bad), (0, 0));
}

#[test]
fn a_failed_write_ends_appends_until_restart() {
    let disk = SimDisk::new(4);
    let (file, _, _) = open(&disk);
    append(&file, 0..10).unwrap();
    disk.fail_at(disk.operations() + 1, 1, Fault::InputOutput);
    assert!(matches!(append(&file, 10..20), Err(Error::Io { .. })));
    assert!(matches!(append(&file, 10..20), Err(Error::Poisoned { .. })));
    assert!(matches!(checkpoint(&file, &[1]), Err(Error::Poisoned { .. })));
    let (file, _, table) = open(&disk);
    assert!(expected(0..10).iter().all(|(series, labels)| table.get(series) == Some(labels)));
    append(&file, 10..20).unwrap();
    assert_eq!(open(&disk).2, expected(0..20));
}

#[test]
fn a_failed_checkpoint_leaves_the_table_in_use() {
    let disk = SimDisk::new(4);
    let (file, _, _) = open(&disk);
    append(&file, 0..10).unwrap();
    disk.fail_at(disk.operations() + 3, 1, Fault::InputOutput);
    assert!(matches!(checkpoint(&file, &[1]), Err(Error::Io { .. })));
    append(&file, 10..20).unwrap();
    assert_eq!(open(&disk).2, expected(0..20));
}

#[test]
fn writers_take_turns_and_giving_up_midway_is_final() {
    let disk = SimDisk::new(4);
    let (file, _, _) = open(&disk);
    append(&file, 0..10).unwrap();
    disk.let_writes_wait(true);
    let labels = labels_of(10);
    let entries = [(SeriesRef(10), &labels[..])];
    let mut first = Box::pin(file.append(&entries));
    assert!(block_on(poll_once(&mut first)).is_none());
    assert!(matches!(append(&file, 11..12), Err(Error::Busy)));
    drop(first);
    assert!(matches!(append(&file, 11..12), Err(Error::Poisoned { .. })));
    assert_eq!(open(&disk).2, expected(0..10));
}

#[test]
fn a_damaged_frame_costs_only_its_own_series() {
    let disk = SimDisk::new(1);
    let (file, _, _) = open(&disk);
    for round in 0..4 {
        append(&file, round * 10..round * 10 + 10).unwrap();
    }
    let frame_at = |index: usize| (2 + index) * BLOCK_LEN;
    disk.flip_bit(&path(1), (frame_at(1) + 40) * 8);
    let (file, report, table) = open(&disk);
    assert_eq!(table, expected((0..10).chain(20..40)));
    assert_eq!((report.frames_bad, report.torn_bytes), (1, 0));
    append(&file, 10..20).unwrap();
    assert_eq!(open(&disk).2, expected(0..40));
}

#[test]
fn a_damaged_last_frame_is_a_torn_tail() {
    let disk = SimDisk::new(1);
    let (file, _, _) = open(&disk);
    append(&file, 0..10).unwrap();
    append(&file, 10..20).unwrap();
    disk.flip_bit(&path(1), (3 * BLOCK_LEN + 40) * 8);
    let (file, report, table) = open(&disk);
    assert_eq!(table, expected(0..10));
    assert_eq!((report.frames_bad, report.torn_bytes), (0, BLOCK_LEN as u64));
    append(&file, 20..30).unwrap();
    assert_eq!(open(&disk).2, expected((0..10).chain(20..30)));
}

#[test]
fn a_file_without_header_is_set_aside() {
    let disk = SimDisk::new(1);
    let (file, _, _) = open(&disk);
    append(&file, 0..10).unwrap();
    let mut content = disk.content(&path(1)).unwrap();
    content[..8].fill(0);
    disk.set_content(&path(1), content.clone());
    assert_eq!(open(&disk).2, expected(0..10), "the second copy of the header is whole");
    content[BLOCK_LEN..BLOCK_LEN + 8].fill(0);
    disk.set_content(&path(1), content);
    let (file, report, table) = open(&disk);
    assert_eq!((report.files_damaged, table.len()), (1, 0));
    assert!(disk.content(&path(1).with_extension("damaged")).is_some());
    append(&file, 0..3).unwrap();
    assert_eq!(open(&disk).2, expected(0..3));
}

#[test]
fn a_table_of_another_shard_is_refused() {
    let disk = SimDisk::new(1);
    open(&disk);
    let other = block_on(SeriesFile::open(&Disk::Sim(disk), &directory(), ShardId(2), |_| {}));
    assert!(matches!(other, Err(Error::Corrupt { what: "series table of another shard", .. })));
}
