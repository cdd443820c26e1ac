//! The golden data directory: written by the present code, kept in `v1`, restored for a reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use glommio::{LocalExecutorBuilder, Placement};
use shards::block::BlockWriter;
use shards::chunk::column::Effort;
use shards::codec::crc::crc32c;
use shards::io::{Disk, prepare_executor};
use shards::model::{SeriesRef, ShardId};
use shards::part::{ChunkWriter, Level, PartId, PartKind, PartMeta, Sequences};
use shards::registry::file::SeriesFile;
use shards::run::RunWriter;
use shards::wal::record::{put_delete, put_metadata, put_series};
use shards::wal::{SamplesEncoder, SyncPolicy, Wal, WalOptions};

use crate::content::{self, LOGGED, OF_BLOCK, Place, TABLED};

const TSDB_JSON: &str = "{\"format_version\":1,\"shards\":1,\"key_seed\":\"0123456789abcdef\"}\n";
const SHARD: &str = "shard-000";
const RUN: &str = "01HF7YAT00000000000000RVN1";
const BLOCK: &str = "01HF7YAT00000000000000B0CK";
const PARENT: &str = "01HF7YAT00000000000000PARE";
/// Files that have no random part.
pub(crate) const SAME_BYTES: [&str; 6] = [
    "shard-000/runs/01HF7YAT00000000000000RVN1.run",
    "shard-000/blocks/01HF7YAT00000000000000B0CK/chunks",
    "shard-000/blocks/01HF7YAT00000000000000B0CK/index",
    "shard-000/blocks/01HF7YAT00000000000000B0CK/meta.json",
    "shard-000/deletes",
    "shard-000/metadata",
];
/// A segment is kept without the zeros at its end.
const SEGMENT_ENDING: &str = "wal";
const SEGMENT_BYTES: usize = 128 << 10;

pub(crate) fn is_written_anew() -> bool {
    std::env::var("TSDB_GOLDEN").is_ok_and(|value| value == "write")
}

/// Where the files are kept.
pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// Writes a data directory with the present code.
pub(crate) fn write(data_dir: &Path) {
    let shard = data_dir.join(SHARD);
    for name in ["runs", "blocks", "wal", "series"] {
        fs::create_dir_all(shard.join(name)).unwrap();
    }
    fs::write(data_dir.join("tsdb.json"), TSDB_JSON).unwrap();
    write_run(&shard);
    write_block(&shard);
    fs::write(shard.join("deletes"), shards::tombstone::encode(1, &[content::saved_delete()])).unwrap();
    let mut records = Vec::new();
    put_metadata(&mut records, &content::saved_metadata());
    let crc = crc32c(&records).to_le_bytes();
    fs::write(shard.join("metadata"), [b"TSDBMET1".as_slice(), &crc, &records].concat()).unwrap();
    let executor = LocalExecutorBuilder::new(Placement::Unbound).spawn(move || async move {
        prepare_executor(&shard).await.unwrap();
        write_table(&shard).await;
        write_log(&shard).await;
    });
    executor.unwrap().join().unwrap();
}

/// What is written with a part; the writer fills in the rest.
fn meta(kind: PartKind, place: Place, id: &str, parents: &[&str]) -> PartMeta {
    PartMeta {
        format_version: 1,
        id: id.parse().unwrap(),
        kind,
        window: Level::Hours2.window_at(place.start_ms()),
        min_ms: 0,
        max_ms: 0,
        series: 0,
        chunks: 0,
        samples: 0,
        sequences: Sequences { min: place.sequence(), max: place.sequence() },
        deletes_applied: 0,
        parents: parents.iter().map(|id| id.parse::<PartId>().unwrap()).collect(),
    }
}

/// Series of a place in label order, by their canonical bytes.
fn series_of(place: Place) -> BTreeMap<Vec<u8>, u32> {
    let series = (0..=OF_BLOCK).filter(|series| place.has(*series));
    series.map(|series| (content::labels(series).as_bytes().to_vec(), series)).collect()
}

/// The samples of a series in one chunk, or in two when there are many.
fn put_chunks(writer: &mut ChunkWriter, place: Place, series: u32) -> Vec<shards::part::ChunkRef> {
    let (times, values) = content::columns(place, series);
    let len = if times.len() > 100 { times.len() / 2 } else { times.len() };
    times
        .chunks(len)
        .zip(values.chunks(len))
        .map(|(times, values)| writer.floats(times, values).unwrap())
        .collect()
}

fn write_run(shard: &Path) {
    let meta = meta(PartKind::Run, Place::Run, RUN, &[]);
    let path = shard.join("runs").join(shards::run::file_name(meta.id));
    let mut writer = RunWriter::create(&Disk::Dma, &path, meta.window, Effort::Fast).unwrap();
    for series in series_of(Place::Run).into_values() {
        let chunks = put_chunks(writer.chunks(), Place::Run, series);
        writer.add(SeriesRef(series), &chunks);
    }
    writer.finish(meta).unwrap();
}

fn write_block(shard: &Path) {
    let meta = meta(PartKind::Block, Place::Block, BLOCK, &[PARENT]);
    let path = shard.join("blocks").join(meta.id.to_string());
    let mut writer = BlockWriter::create(&Disk::Dma, &path, meta.window, Effort::Best).unwrap();
    for (labels, series) in series_of(Place::Block) {
        let chunks = put_chunks(writer.chunks(), Place::Block, series);
        writer.add(&labels, &chunks).unwrap();
    }
    writer.finish(meta).unwrap();
}

async fn write_table(shard: &Path) {
    let opened = SeriesFile::open(&Disk::Dma, &shard.join("series"), ShardId(0), |_| {}).await;
    let (file, _) = opened.unwrap();
    let labels: Vec<_> = (0..TABLED).map(content::labels).collect();
    let entries: Vec<_> =
        (0..).zip(&labels).map(|(series, labels)| (SeriesRef(series), labels.as_bytes())).collect();
    for entries in entries.chunks(40) {
        file.append(entries).await.unwrap();
    }
}

async fn write_log(shard: &Path) {
    let options = WalOptions { sync: SyncPolicy::Always, segment_bytes: 1 << 20 };
    let (wal, _) = Wal::open(Disk::Dma, &shard.join("wal"), ShardId(0), options, &mut |_| {}).await.unwrap();
    // Samples in two frames, and what else a log has in a third.
    for of_frame in [0..30, 30..LOGGED + 1] {
        let lsn = wal.append(|log| {
            if of_frame.contains(&LOGGED) {
                log.record(|out| put_series(out, SeriesRef(LOGGED), content::labels(LOGGED).as_bytes()));
            }
            log.record(|out| {
                let mut encoder = SamplesEncoder::begin(out, Place::Log.start_ms());
                for series in of_frame.filter(|series| Place::Log.has(*series)) {
                    let (times, values) = content::columns(Place::Log, series);
                    for (time, value) in times.into_iter().zip(values) {
                        encoder.push(SeriesRef(series), time, value);
                    }
                }
                encoder.finish();
            });
        });
        wal.commit(lsn).await.unwrap();
    }
    let lsn = wal.append(|log| {
        log.record(|out| put_metadata(out, &content::logged_metadata()));
        log.record(|out| put_delete(out, &content::logged_delete()));
    });
    wal.commit(lsn).await.unwrap();
}

/// Keeps a data directory as the golden one.
pub(crate) fn save(data_dir: &Path) {
    let _ = fs::remove_dir_all(golden());
    copy(data_dir, &golden(), &|bytes| {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
    });
}

/// Copies the golden data directory.
pub(crate) fn restore(data_dir: &Path) {
    copy(&golden(), data_dir, &|bytes| bytes.resize(SEGMENT_BYTES, 0));
}

fn copy(from: &Path, to: &Path, segment: &dyn Fn(&mut Vec<u8>)) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to, segment);
            continue;
        }
        let mut bytes = fs::read(&from).unwrap();
        if from.extension().is_some_and(|ending| ending == SEGMENT_ENDING) {
            segment(&mut bytes);
        }
        fs::write(&to, bytes).unwrap();
    }
}
