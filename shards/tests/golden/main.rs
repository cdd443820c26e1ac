//! A data directory of format version 1, as it was once written, is read sample by sample, and
//! today's code writes the same bytes. The files lie in `v1`; `TSDB_GOLDEN=write` writes them anew,
//! which is right only together with a new version of the format.
//!
//! Compared byte by byte is what has no random part: the run, the block, deletes and metadata. No
//! compressing library is behind them; should an update of `fst`, `roaring` or `serde_json` write
//! other bytes that mean the same, then write the files anew. The log and the series table have a
//! salt, so they are only read.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

mod content;
mod directory;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use content::Samples;
use shards::engine::{Engine, EngineOptions};
use shards::error::Error;
use shards::model::{SampleColumns, TimeRange};

/// The fixture is older than any usual retention.
const CENTURIES: Duration = Duration::from_secs(300 * 365 * 86_400);

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Everything that an engine finds in a data directory, and then once more after it has merged it.
fn check_all(data_dir: &Path) {
    let mut options = EngineOptions::new(data_dir);
    options.retention.age = CENTURIES;
    let engine = Engine::open(&options).unwrap();
    engine.wait_ready().unwrap();
    let [shard] = &engine.shards()[..] else { panic!("one shard") };
    let check = || {
        let read = shard.call(|shard| async move {
            let mut cursor = shard.select(&[], TimeRange::ALL);
            let (mut found, mut columns) = (Samples::new(), SampleColumns::default());
            while let Some(labels) = cursor.next(&mut columns).await? {
                let bits = columns.values.iter().map(|value| value.to_bits());
                let samples: BTreeMap<_, _> = columns.timestamps_ms.iter().copied().zip(bits).collect();
                assert_eq!(samples.len(), columns.values.len());
                assert!(found.insert(labels.as_bytes().to_vec(), samples).is_none());
            }
            Ok::<_, Error>((found, shard.metadata()))
        });
        let (found, mut metadata) = read.unwrap().wait().unwrap().unwrap();
        let expected = content::expected();
        assert!(found.keys().eq(expected.keys()), "other series");
        for (labels, samples) in &expected {
            assert_eq!(found.get(labels), Some(samples), "{}", String::from_utf8_lossy(labels));
        }
        metadata.sort_by(|one, other| one.metric.cmp(&other.metric));
        assert_eq!(metadata, [content::saved_metadata(), content::logged_metadata()]);
    };
    check();
    futures_lite::future::block_on(engine.handle().compact()).unwrap();
    check();
    engine.close().unwrap();
}

#[test]
fn a_data_directory_of_version_1_is_read() {
    if directory::is_written_anew() {
        return;
    }
    let temporary = temporary();
    let data_dir = temporary.path().join("data");
    directory::restore(&data_dir);
    let summary = shards::inspect::inspect(&data_dir, true).unwrap();
    let [shard] = &summary.shards[..] else { panic!("one shard") };
    assert_eq!(shard.findings, []);
    assert_eq!(shard.parts.len(), 2);
    check_all(&data_dir);
}

#[test]
fn the_same_bytes_are_written_today() {
    let temporary = temporary();
    let data_dir = temporary.path().join("data");
    directory::write(&data_dir);
    if directory::is_written_anew() {
        directory::save(&data_dir);
    }
    for name in directory::SAME_BYTES {
        let [then, now] =
            [&directory::golden(), &data_dir].map(|root| std::fs::read(root.join(name)).unwrap());
        let differ = then.iter().zip(&now).position(|(then, now)| then != now);
        assert_eq!((then.len(), None), (now.len(), differ), "{name}: lengths, and the first other byte");
    }
    check_all(&data_dir);
}
