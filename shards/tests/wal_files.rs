//! The log and the series table on real files, through an executor. The disk's failures are played
//! through in memory; here it is seen that the real one is driven rightly.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use futures_util::future::join_all;
use glommio::{LocalExecutorBuilder, Placement};
use shards::io::{Disk, prepare_executor};
use shards::model::{SeriesRef, ShardId};
use shards::registry::file::{Entry, SeriesFile};
use shards::wal::{Record, ReplayReport, SamplesEncoder, SyncPolicy, Wal, WalOptions};

const SEGMENT_BYTES: u64 = 2 << 20;

/// Runs `work` on an executor, in a directory on a real disk.
fn on_executor<F: Future<Output = ()> + 'static>(work: impl FnOnce(Rc<Path>) -> F + Send + 'static) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().to_path_buf();
    let executor = LocalExecutorBuilder::new(Placement::Unbound).spawn(move || async move {
        prepare_executor(&path).await.unwrap();
        work(path.into()).await;
    });
    executor.unwrap().join().unwrap();
}

async fn open(directory: &Path) -> (Wal, ReplayReport, BTreeMap<u32, usize>) {
    let mut found = BTreeMap::new();
    let mut on_record = |record: Record<'_>| {
        let Record::Samples(samples) = record else { return };
        for entry in samples {
            let entry = entry.unwrap();
            assert_eq!(entry.value, f64::from(entry.series.0) + entry.timestamp_ms as f64);
            *found.entry(entry.series.0).or_default() += 1;
        }
    };
    let options = WalOptions { sync: SyncPolicy::Always, segment_bytes: SEGMENT_BYTES };
    let (wal, report) =
        Wal::open(Disk::Dma, &directory.join("wal"), ShardId(3), options, &mut on_record).await.unwrap();
    (wal, report, found)
}

async fn write(wal: &Wal, series: u32, count: i64) {
    wal.admit().unwrap();
    let lsn = wal.append(|log| {
        log.record(|out| {
            let mut encoder = SamplesEncoder::begin(out, 0);
            for number in 0..count {
                encoder.push(SeriesRef(series), number, f64::from(series) + number as f64);
            }
            encoder.finish();
        });
    });
    wal.commit(lsn).await.unwrap();
}

#[test]
fn commits_are_read_back_from_files() {
    on_executor(|directory| async move {
        let (wal, report, _) = open(&directory).await;
        assert_eq!(report, ReplayReport::default());
        for series in 0..100 {
            write(&wal, series, 1 + i64::from(series) * 70).await;
        }
        assert!(wal.metrics().segments > 1);
        drop(wal);
        let (wal, report, found) = open(&directory).await;
        assert_eq!((report.frames, report.damaged_frames, report.missing_frames), (100, 0, 0));
        assert!((0..100).all(|series| found.get(&series) == Some(&(1 + series as usize * 70))));
        write(&wal, 100, 5).await;
        drop(wal);
        assert_eq!(open(&directory).await.2.len(), 101);
    });
}

#[test]
fn tasks_share_commits_and_segments_are_recycled() {
    on_executor(|directory| async move {
        let (wal, ..) = open(&directory).await;
        let released = Rc::new(Cell::new(0));
        for round in 0..8 {
            let tasks = (0..16).map(|number| {
                let wal = wal.clone();
                glommio::spawn_local(async move { write(&wal, round * 100 + number, 3_000).await })
            });
            join_all(tasks).await;
            let sealed = wal.rotate().await.unwrap();
            released.set(released.get() + wal.release(sealed).await.unwrap());
        }
        let metrics = wal.metrics();
        assert!(metrics.commits < 8 * 16, "{metrics:?}");
        assert!(metrics.segment_bytes <= 5 * SEGMENT_BYTES, "{metrics:?}");
        assert!(released.get() >= 8, "{} segments released", released.get());
        write(&wal, 5_000, 7).await;
        drop(wal);
        let (_, report, found) = open(&directory).await;
        assert_eq!(found, BTreeMap::from([(5_000, 7)]));
        assert_eq!((report.damaged_frames, report.missing_frames, report.damaged_segments), (0, 0, 0));
    });
}

#[test]
fn a_torn_file_ends_the_log_and_is_written_on() {
    on_executor(|directory| async move {
        let (wal, ..) = open(&directory).await;
        for series in 0..5 {
            write(&wal, series, 2_000).await;
        }
        drop(wal);
        let path = directory.join("wal").join("segment-00000.wal");
        let mut bytes = std::fs::read(&path).unwrap();
        // Each frame takes 20,032 bytes and more, five blocks; the last begins at block 21.
        bytes[23 * 4096] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (wal, report, found) = open(&directory).await;
        assert_eq!((found.len(), report.damaged_frames), (4, 0));
        write(&wal, 9, 10).await;
        drop(wal);
        let (_, report, found) = open(&directory).await;
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 9]);
        assert_eq!(report.damaged_frames, 0);
    });
}

#[test]
fn the_series_table_is_read_back_from_files() {
    on_executor(|directory| async move {
        let labels: Vec<_> = (0..50_000_u32).map(|number| format!("host-{number}").into_bytes()).collect();
        let entries: Vec<_> = labels
            .iter()
            .enumerate()
            .map(|(number, labels)| (SeriesRef(number as u32), &labels[..]))
            .collect();
        let read = || async {
            let mut table = Vec::new();
            let mut on_series = |entry: Entry<'_>| table.push((entry.series, entry.labels.to_vec()));
            let path = directory.join("series");
            let opened = SeriesFile::open(&Disk::Dma, &path, ShardId(3), &mut on_series).await;
            let (file, report) = opened.unwrap();
            assert_eq!((report.torn_bytes, report.frames_bad, report.files_damaged), (0, 0, 0));
            (file, table)
        };
        let (file, table) = read().await;
        assert!(table.is_empty());
        file.append(&entries[..20_000]).await.unwrap();
        file.append(&entries[20_000..]).await.unwrap();
        drop(file);
        let (file, table) = read().await;
        assert!(table.iter().map(|(series, labels)| (*series, &labels[..])).eq(entries.iter().copied()));
        let mut rest = entries.iter().skip(40_000).peekable();
        let fill = |frame: &mut shards::registry::file::SeriesFrame| {
            while let Some((series, labels)) = rest.next_if(|_| !frame.is_full()) {
                frame.push(*series, labels);
            }
        };
        file.checkpoint(fill).await.unwrap();
        file.append(&entries[..1]).await.unwrap();
        drop(file);
        assert_eq!(read().await.1.len(), 10_001);
    });
}
