//! Logs whose bytes have changed: what is whole is read, what is not is counted, nothing panics.

use proptest::prelude::*;

use super::*;
use crate::limits::BLOCK_LEN;

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
fn a_damaged_segment_is_not_written_again() {
    let disk = SimDisk::new(5);
    let (wal, ..) = open(&disk).unwrap();
    let lsn = append(&wal, 1, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    disk.flip_bit(&segment_path(0), 16 * 8);
    let before = disk.content(&segment_path(0));
    let (wal, ..) = open(&disk).unwrap();
    let lsn = append(&wal, 2, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    assert_eq!(disk.content(&segment_path(0)), before);
    // Whoever repairs the header finds both.
    disk.flip_bit(&segment_path(0), 16 * 8);
    assert_eq!(open(&disk).unwrap().2.len(), 2);
}

#[test]
fn a_segment_of_another_shard_is_left_alone() {
    let disk = SimDisk::new(5);
    let header = segment::SegmentHeader { shard: ShardId(9), epoch: 77, first_sequence: 1, salt: 1 };
    let mut content = header.encode();
    content.resize(1 << 20, 0);
    disk.set_content(&segment_path(4), content.clone());
    let (wal, report, _) = open(&disk).unwrap();
    assert_eq!(report.damaged_segments, 1);
    let lsn = append(&wal, 1, 10).unwrap();
    block_on(wal.commit(lsn)).unwrap();
    assert_eq!(disk.content(&segment_path(4)), Some(content));
}

/// A log of some frames in one segment, with a stale one of an earlier use behind them.
fn small_log() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new(6);
    let (wal, ..) = open(&disk).unwrap();
    for series in 0..6 {
        let lsn = append(&wal, series, 1 + series as usize * 100).unwrap();
        block_on(wal.commit(lsn)).unwrap();
    }
    let content = disk.content(&segment_path(0)).unwrap();
    (disk, content)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_never_change_what_is_read(flips in proptest::collection::vec(0..10 * BLOCK_LEN * 8, 1..12)) {
        let (disk, _) = small_log();
        for bit in flips {
            disk.flip_bit(&segment_path(0), bit);
        }
        let (wal, _, found) = open(&disk).unwrap();
        for (series, read) in found {
            prop_assert_eq!(read, values(series, 1 + series as usize * 100));
        }
        let lsn = append(&wal, 50, 10).unwrap();
        block_on(wal.commit(lsn)).unwrap();
        let (_, _, again) = open(&disk).unwrap();
        prop_assert_eq!(again.get(&50), Some(&values(50, 10)));
    }

    #[test]
    fn noise_in_a_segment_never_panics(
        noise in proptest::collection::vec(any::<u8>(), 0..3 * BLOCK_LEN),
        at in 0..8 * BLOCK_LEN,
        cut in 0..12 * BLOCK_LEN,
    ) {
        let (disk, mut content) = small_log();
        for (place, byte) in content.iter_mut().skip(at).zip(noise) {
            *place = byte;
        }
        content.truncate(cut);
        disk.set_content(&segment_path(0), content);
        let (wal, _, found) = open(&disk).unwrap();
        for (series, read) in found {
            prop_assert_eq!(read, values(series, 1 + series as usize * 100));
        }
        let lsn = append(&wal, 50, 10).unwrap();
        block_on(wal.commit(lsn)).unwrap();
    }
}
