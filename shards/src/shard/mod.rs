//! One shard: a log, a series registry and a memtable with one owner core.
//!
//! A shard is not `Send`; it lives on the executor that opened it, and other threads reach it
//! through the engine's mailboxes. Writes are checked, logged in memory and applied in one step
//! without an await; only the acknowledgement waits for the disk. So no second write can slip in
//! between check and change, and a caller that goes away leaves nothing half done.

mod close;
mod metrics;
mod open;
mod read;
mod refusal;
mod write;

use std::cell::RefCell;
use std::path::PathBuf;

use hashbrown::HashMap;

pub use self::metrics::ShardMetrics;
pub use self::read::{SampleColumns, SeriesCursor};
pub use self::refusal::{AppendOutcome, Refusal, RefuseReason};
use crate::clock::Clock;
use crate::io::Disk;
use crate::memtable::Memtable;
use crate::model::{KeyHasher, Metadata, ShardId};
use crate::registry::Registry;
use crate::wal::{ReplayReport, SyncPolicy, Wal, WalOptions};

/// How to open a shard.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    pub shard: ShardId,
    /// The shard's own directory.
    pub directory: PathBuf,
    pub hasher: KeyHasher,
    pub wal: WalOptions,
    /// Samples older than this are refused.
    pub retention_ms: i64,
    /// Samples further ahead of the clock than this are refused.
    pub future_ms_max: i64,
    pub series_max: u64,
}

/// See the module's text.
pub struct Shard {
    options: ShardOptions,
    clock: Clock,
    state: RefCell<State>,
    disk: Disk,
    wal: Wal,
    replay: ReplayReport,
    counters: metrics::ShardCounters,
}

/// What a write changes in one step.
struct State {
    registry: Registry,
    memtable: Memtable,
    /// By metric name.
    metadata: HashMap<String, Metadata>,
    scratch: write::Scratch,
}

impl Shard {
    #[must_use]
    pub const fn id(&self) -> ShardId {
        self.options.shard
    }

    #[must_use]
    pub fn sync_policy(&self) -> SyncPolicy {
        self.wal.sync_policy()
    }

    /// What reading the log at the start has found.
    #[must_use]
    pub const fn replay_report(&self) -> ReplayReport {
        self.replay
    }
}
