//! The engine as a whole: a data directory, its shards and the executors that run them.
//!
//! [`Engine::open`] is called on an ordinary thread and returns while the shards still read their
//! logs; [`Engine::wait_ready`] waits for that. Any thread, and any executor, reaches a shard
//! through its [`ShardHandle`].
//!
//! # Example
//!
//! Embedded, from an ordinary thread:
//!
//! ```
//! use shards::engine::{Engine, EngineOptions};
//! use shards::model::{Labels, MatchOp, Matcher, SampleBatch, SampleColumns, TimeRange};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let engine = Engine::open(&EngineOptions::new(directory.path()))?;
//! engine.wait_ready()?;
//!
//! // A series belongs to the shard that its key leads to.
//! let labels = Labels::from_pairs([("__name__", "temperature"), ("room", "kitchen")]);
//! let key = engine.hasher().key(labels.as_bytes());
//! let owner = &engine.shards()[key.shard(engine.meta().shards).index()];
//!
//! let now_ms = shards::clock::system_now_ms();
//! let mut batch = SampleBatch::new(labels.as_bytes().to_vec().into());
//! batch.push_series(key, 0, labels.as_bytes().len() as u32);
//! batch.push_sample(now_ms, 21.5);
//! // When this returns without an error, the sample is on the disk.
//! let outcome = owner.write(|writer| async move { writer.append(&batch).await })?.wait()??;
//! assert_eq!(outcome.stored, 1);
//!
//! let matchers = [Matcher::new(MatchOp::Equal, "room", "kitchen")?];
//! let read = owner.call(move |shard| async move {
//!     let mut cursor = shard.select(&matchers, TimeRange::ALL);
//!     let mut columns = SampleColumns::default();
//!     let labels = cursor.next(&mut columns).await?;
//!     Ok::<_, shards::error::Error>((labels, columns))
//! })?;
//! let (found, columns) = read.wait()??;
//! assert_eq!(found, Some(labels));
//! assert_eq!((columns.timestamps_ms, columns.values), (vec![now_ms], vec![21.5]));
//!
//! engine.close()?;
//! # Ok(())
//! # }
//! ```

mod admin;
mod data_dir;
mod executor;
mod mailbox;
mod placement;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use glommio::ExecutorJoinHandle;

pub use self::data_dir::{DataDirMeta, read_meta};
pub use self::mailbox::{CallError, MAILBOX_DEPTH_MAX, Reply, ShardHandle, ShardState};
use crate::error::{Error, Result};
use crate::io::Workers;
use crate::io::{Disk, dirs};
use crate::limits::{FLUSH_WAL_BYTES_DEFAULT, SHARDS_MAX};
use crate::model::{KeyHasher, ShardId};
use crate::shard::{ShardOptions, ShardRetention};
use crate::wal::WalOptions;

/// How often [`Engine::wait_ready`] looks.
const READY_POLL: Duration = Duration::from_millis(2);

/// One background thread of each kind serves this many cores.
const CORES_PER_WORKER: usize = 4;

/// How to open a data directory. Sizes are those of all shards together.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub directory: PathBuf,
    /// Shards of a directory that is made now; `None`: one per core. A directory that exists keeps
    /// the number it was made with.
    pub shards: Option<u16>,
    /// CPUs that executors may be pinned to, in order of preference; the others run unpinned.
    pub cpus: Vec<usize>,
    pub wal: WalOptions,
    /// Samples further ahead of the clock than this are refused.
    pub future_ms_max: i64,
    /// Series that all shards together may hold.
    pub series_max: u64,
    /// Size of the memtables at which they are flushed.
    pub memtable_bytes: u64,
    /// Bytes of log at which a shard flushes.
    pub flush_wal_bytes: u64,
    /// Age of a memtable at which it is flushed.
    pub flush_after: Duration,
    /// Memory for pieces of parts.
    pub cache_bytes: u64,
    /// Bytes that merges may write per second; `None`: as fast as they can.
    pub merge_bytes_per_second: Option<u64>,
    /// Room that is kept for merges and retention on a full disk.
    pub reserve_bytes: u64,
    pub retention: Retention,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Samples older than this are refused, and dropped.
    pub age: Duration,
    /// Bytes of all files.
    pub bytes: Option<u64>,
    /// Share of the file system, in percent, that all files may take.
    pub percent: Option<u8>,
}

impl EngineOptions {
    /// Options for a directory, all others at values that suit a small machine.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            shards: None,
            cpus: Vec::new(),
            wal: WalOptions::default(),
            future_ms_max: 10 * 60_000,
            series_max: 10_000_000,
            memtable_bytes: 128 << 20,
            flush_wal_bytes: FLUSH_WAL_BYTES_DEFAULT,
            flush_after: Duration::from_secs(2 * 3600),
            cache_bytes: 32 << 20,
            merge_bytes_per_second: None,
            reserve_bytes: 16 << 20,
            retention: Retention { age: Duration::from_secs(15 * 86_400), bytes: None, percent: None },
        }
    }
}

/// An open data directory.
pub struct Engine {
    meta: DataDirMeta,
    hasher: KeyHasher,
    shards: Arc<[ShardHandle]>,
    directory: PathBuf,
    executors: Vec<ExecutorJoinHandle<Result<()>>>,
    /// Held until the last executor has stopped.
    _lock: dirs::DirectoryLock,
}

/// Address of a whole engine. Cheap to clone; usable from any thread and any executor.
#[derive(Clone)]
pub struct EngineHandle {
    meta: DataDirMeta,
    directory: PathBuf,
    shards: Arc<[ShardHandle]>,
}

impl Engine {
    /// Locks and opens the directory, making it where there is none, and starts its executors.
    pub fn open(options: &EngineOptions) -> Result<Self> {
        dirs::create_directory(&options.directory)?;
        let lock = dirs::lock(&options.directory)?;
        let cores = options.cpus.len().max(1);
        let wanted = options.shards.unwrap_or_else(|| u16::try_from(cores).unwrap_or(SHARDS_MAX));
        if !(1..=SHARDS_MAX).contains(&wanted) {
            return Err(Error::InvalidOption { option: "shards", reason: "must be between 1 and 1024" });
        }
        let meta = data_dir::open_or_create(&options.directory, wanted)?;
        if let Some(asked) = options.shards
            && asked != meta.shards
        {
            tracing::warn!(
                asked,
                kept = meta.shards,
                "the data directory keeps the number of shards that it was made with"
            );
        }
        let hasher = KeyHasher::new(meta.key_seed);
        let (handles, inboxes): (Vec<_>, Vec<_>) =
            (0..meta.shards).map(|shard| mailbox::mailbox(ShardId(shard))).unzip();
        let mut inboxes: Vec<_> = inboxes.into_iter().map(Some).collect();
        let mut executors = Vec::new();
        let workers = Workers::start(cores.div_ceil(CORES_PER_WORKER))?;
        for (index, hosted) in placement::place(meta.shards, cores).into_iter().enumerate() {
            let mut tenants = Vec::new();
            for shard in &hosted {
                let Some(inbox) = inboxes.get_mut(shard.index()).and_then(Option::take) else { continue };
                tenants.push(executor::Tenancy {
                    options: shard_options(options, &meta, &hasher, *shard)?,
                    inbox,
                });
            }
            let name = format!("shard-core-{index}");
            executors.push(executor::spawn(
                &name,
                options.cpus.get(index).copied(),
                tenants,
                workers.clone(),
            )?);
        }
        let directory = options.directory.clone();
        Ok(Self { meta, hasher, shards: handles.into(), directory, executors, _lock: lock })
    }

    #[must_use]
    pub const fn meta(&self) -> DataDirMeta {
        self.meta
    }

    /// Hasher of this directory's series keys.
    #[must_use]
    pub const fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// Handles of all shards, by shard id.
    #[must_use]
    pub fn shards(&self) -> &Arc<[ShardHandle]> {
        &self.shards
    }

    /// Whether every shard has read its log and takes work.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shards.iter().all(|shard| shard.state() == ShardState::Ready)
    }

    /// Waits until every shard takes work. Blocks the calling thread.
    pub fn wait_ready(&self) -> Result<()> {
        loop {
            if self.is_ready() {
                return Ok(());
            }
            let failed =
                |shard: &&ShardHandle| matches!(shard.state(), ShardState::Failed | ShardState::Stopped);
            if let Some(shard) = self.shards.iter().find(failed) {
                return Err(Error::Executor { reason: format!("shard {} did not open", shard.shard()) });
            }
            std::thread::sleep(READY_POLL);
        }
    }

    /// Takes no more work, finishes what was taken, makes it durable and stops the executors.
    /// Blocks the calling thread.
    pub fn close(self) -> Result<()> {
        for shard in self.shards.iter() {
            shard.close();
        }
        let mut outcome = Ok(());
        for executor in self.executors {
            match executor.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => outcome = Err(error),
                Err(error) => outcome = Err(Error::Executor { reason: error.to_string() }),
            }
        }
        outcome
    }
}

fn shard_options(
    options: &EngineOptions,
    meta: &DataDirMeta,
    hasher: &KeyHasher,
    shard: ShardId,
) -> Result<ShardOptions> {
    let directory = dirs::shard_directory(&options.directory, shard);
    dirs::create_directory(&directory)?;
    let shards = u64::from(meta.shards);
    let share = |bytes: u64| usize::try_from(bytes / shards).unwrap_or(usize::MAX);
    Ok(ShardOptions {
        shard,
        directory,
        hasher: hasher.clone(),
        wal: options.wal.clone(),
        future_ms_max: options.future_ms_max,
        series_max: options.series_max.div_ceil(shards),
        memtable_bytes: share(options.memtable_bytes),
        flush_wal_bytes: options.flush_wal_bytes,
        flush_after_ms: i64::try_from(options.flush_after.as_millis()).unwrap_or(i64::MAX),
        cache_bytes: share(options.cache_bytes),
        merge_bytes_per_second: options.merge_bytes_per_second.map(|rate| (rate / shards).max(1)),
        reserve_bytes: options.reserve_bytes / shards,
        retention: shard_retention(options.retention, &options.directory, meta.shards)?,
    })
}

/// The share of one shard in what is kept.
fn shard_retention(retention: Retention, directory: &Path, shards: u16) -> Result<ShardRetention> {
    let of_disk = match retention.percent {
        Some(percent) => {
            let (_, total) = Disk::Dma.space(directory)?;
            Some(total / 100 * u64::from(percent))
        }
        None => None,
    };
    let bytes = [retention.bytes, of_disk].into_iter().flatten().min();
    Ok(ShardRetention {
        age_ms: i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX),
        bytes: bytes.map(|bytes| bytes / u64::from(shards)),
    })
}
