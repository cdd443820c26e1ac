//! The log: what a durable commit takes, what a sample costs on its way in and on its way back.
//!
//! Files are made beside the build, or in the directory of `TSDB_BENCH_DIR`; the figures are those of
//! its disk.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up ends")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use glommio::{LocalExecutorBuilder, Placement};
use shards::io::{Disk, prepare_executor};
use shards::model::{SeriesRef, ShardId};
use shards::wal::{LogBuffer, Record, SamplesEncoder, SyncPolicy, Wal, WalOptions};

const SEGMENT_BYTES: u64 = 128 << 20;
const RECORD_SAMPLES: u32 = 8_000;
/// About what one sample takes in the log.
const SAMPLE_BYTES: u32 = 10;
const REPLAY_SAMPLES: u32 = 4_000_000;

fn bench_directory() -> PathBuf {
    std::env::var_os("TSDB_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}

/// Runs `work` on an executor of its own and gives what it gives.
fn on_executor<T: Send + 'static, F: Future<Output = T> + 'static>(
    work: impl FnOnce() -> F + Send + 'static,
) -> T {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).spawn(move || async move {
        prepare_executor(&bench_directory()).await.expect("the bench directory can be written");
        work().await
    });
    executor.expect("io_uring is there").join().expect("the executor ends well")
}

async fn open(directory: &Path, on_record: &mut dyn FnMut(Record<'_>)) -> Wal {
    let options = WalOptions { sync: SyncPolicy::Always, segment_bytes: SEGMENT_BYTES };
    Wal::open(Disk::Dma, directory, ShardId(0), options, on_record).await.expect("the log opens").0
}

/// One scrape's worth of samples of neighbouring series at one time.
fn put_samples(log: &mut LogBuffer, first: u32, count: u32, timestamp_ms: i64) {
    for start in (first..first + count).step_by(RECORD_SAMPLES as usize) {
        log.record(|out| {
            let mut encoder = SamplesEncoder::begin(out, timestamp_ms);
            for series in start..(start + RECORD_SAMPLES).min(first + count) {
                encoder.push(SeriesRef(series), timestamp_ms, f64::from(series) * 0.5);
            }
            encoder.finish();
        });
    }
}

/// Time of `commits` commits of about `bytes` each, one after the other.
fn time_commits(bytes: u32, commits: u64) -> Duration {
    on_executor(move || async move {
        let directory = tempfile::tempdir_in(bench_directory()).expect("a directory");
        let wal = open(directory.path(), &mut |_| {}).await;
        let mut time = Duration::ZERO;
        for commit in 0..commits {
            let timestamp_ms = 1_700_000_000_000 + i64::try_from(commit).unwrap_or(0);
            let begun = Instant::now();
            let lsn = wal.append(|log| put_samples(log, 0, bytes / SAMPLE_BYTES, timestamp_ms));
            wal.commit(lsn).await.expect("the commit succeeds");
            time += begun.elapsed();
            if wal.metrics().segments > 2 {
                wal.release(wal.epoch() - 1).await.expect("the release succeeds");
            }
        }
        time
    })
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wal_commit");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for kib in [4_u32, 64, 256] {
        // Header and padding included, a commit takes this many bytes or a little less.
        let bytes = kib * 1024 - 128;
        group.throughput(Throughput::Bytes(u64::from(bytes)));
        group.bench_function(BenchmarkId::from_parameter(format!("{kib}KiB")), |bencher| {
            bencher.iter_custom(|commits| time_commits(bytes, commits));
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wal_encode");
    group.throughput(Throughput::Elements(u64::from(RECORD_SAMPLES)));
    for (name, stride) in [("neighbours", 1_u32), ("scattered", 7_919)] {
        group.bench_function(name, |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let mut encoder = SamplesEncoder::begin(&mut out, 1_700_000_000_000);
                for number in 0..RECORD_SAMPLES {
                    let series = number.wrapping_mul(stride) % 1_000_000;
                    encoder.push(SeriesRef(series), 1_700_000_000_000, f64::from(number));
                }
                encoder.finish();
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wal_replay");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(REPLAY_SAMPLES)));
    let directory = tempfile::tempdir_in(bench_directory()).expect("a directory");
    let path = directory.path().to_path_buf();
    on_executor(move || async move {
        let wal = open(&path, &mut |_| {}).await;
        for round in 0..REPLAY_SAMPLES / 20_000 {
            let lsn = wal.append(|log| put_samples(log, 0, 20_000, i64::from(round) * 15_000));
            wal.commit(lsn).await.expect("the commit succeeds");
        }
    });
    group.bench_function("samples", |bencher| {
        bencher.iter_custom(|times| {
            let path = directory.path().to_path_buf();
            on_executor(move || async move {
                let begun = Instant::now();
                for _ in 0..times {
                    let mut count = 0_u32;
                    let mut on_record = |record: Record<'_>| {
                        if let Record::Samples(samples) = record {
                            count += samples.filter(Result::is_ok).map(|_| 1).sum::<u32>();
                        }
                    };
                    drop(open(&path, &mut on_record).await);
                    assert_eq!(count, REPLAY_SAMPLES, "all samples are read back");
                }
                begun.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, encode, commit, replay);
criterion_main!(benches);
