//! One shard: a log, a series registry, a memtable and parts on disk, with one owner core.
//!
//! A shard is not `Send`; it lives on the executor that opened it, and other threads reach it
//! through the engine's mailboxes. Writes are checked, logged in memory and applied in one step
//! without an await; only the acknowledgement waits for the disk. So no second write can slip in
//! between check and change, and a caller that goes away leaves nothing half done.
//!
//! What changes besides writes happens in turns: one flush at a time ([`flush`]), one merge at a
//! time ([`compact`]); a flush and a merge may go on together. Both prepare files on a background
//! thread and swap the set of parts in one step. Reads hold a [`view`] of one moment.

mod admission;
mod close;
mod compact;
mod damage;
mod delete;
mod fetch;
mod flush;
mod intake;
mod labels;
mod maintain;
mod metrics;
mod open;
mod parts;
mod read;
mod refusal;
mod sieve;
mod snapshot;
mod stream;
#[cfg(test)]
mod tests;
mod times;
mod turn;
mod view;
mod write;
mod writer;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

pub use self::metrics::ShardMetrics;
pub use self::read::SeriesCursor;
pub use self::refusal::{AppendOutcome, Refusal, RefuseReason};
pub use self::writer::Writer;
use crate::clock::Clock;
use crate::io::{Cache, Disk, Workers};
use crate::memtable::{Generation, Memtable};
pub use crate::model::SampleColumns;
use crate::model::{Delete, KeyHasher, Metadata, SeriesRef, ShardId};
use crate::registry::Registry;
use crate::registry::file::SeriesFile;
use crate::wal::{ReplayReport, SyncPolicy, Wal, WalOptions};

/// How to open a shard.
#[derive(Debug, Clone)]
pub struct ShardOptions {
    pub shard: ShardId,
    /// The shard's own directory.
    pub directory: PathBuf,
    pub hasher: KeyHasher,
    pub wal: WalOptions,
    /// Samples further ahead of the clock than this are refused.
    pub future_ms_max: i64,
    pub series_max: u64,
    /// Size of the memtable at which it is flushed.
    pub memtable_bytes: usize,
    /// Bytes of log at which the memtable is flushed.
    pub flush_wal_bytes: u64,
    /// Age of the memtable at which it is flushed.
    pub flush_after_ms: i64,
    /// Memory for pieces of parts.
    pub cache_bytes: usize,
    /// Bytes that merges may write per second; `None`: as fast as they can.
    pub merge_bytes_per_second: Option<u64>,
    /// Room that is kept for merges and retention on a full disk.
    pub reserve_bytes: u64,
    pub retention: ShardRetention,
}

/// What a shard keeps; may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRetention {
    /// Samples older than this are refused, and dropped.
    pub age_ms: i64,
    /// Bytes of all its files.
    pub bytes: Option<u64>,
}

/// See the module's text.
pub struct Shard {
    options: ShardOptions,
    clock: Clock,
    state: RefCell<State>,
    disk: Disk,
    workers: Workers,
    cache: Cache,
    wal: Wal,
    series_file: SeriesFile,
    replay: ReplayReport,
    counters: metrics::ShardCounters,
    retention: Cell<ShardRetention>,
    flushing: turn::Turns,
    merging: turn::Turns,
    /// Set when the shard is to end: long work stops at its next step.
    closing: Cell<bool>,
    disk_full: Cell<bool>,
}

/// What changes in steps without an await.
struct State {
    registry: Registry,
    memtable: Memtable,
    /// Sequence of the active generation.
    sequence: u64,
    /// Since when the active generation has samples.
    active_since_ms: Option<i64>,
    /// The frozen generation while it is flushed.
    frozen: Option<FrozenState>,
    /// Series that are not yet in the series table.
    unsaved: Vec<SeriesRef>,
    /// By metric name.
    metadata: HashMap<String, Metadata>,
    metadata_saved: bool,
    parts: parts::PartSet,
    /// Newest sample of all.
    frontier_ms: i64,
    deletes: Rc<Vec<Delete>>,
    last_delete: u64,
    deletes_saved: bool,
    readers: view::Readers,
    idle: Option<IdleSeries>,
    scratch: write::Scratch,
}

/// Series that seemed to have no data at a moment.
struct IdleSeries {
    /// Reads up to this one may have seen data of them.
    ticket: u64,
    noted_ms: i64,
    frontier_ms: i64,
    series: Vec<SeriesRef>,
}

#[derive(Clone, Copy)]
struct FrozenState {
    sequence: u64,
    /// Log segments up to this one hold nothing else.
    epoch: u64,
}

impl State {
    fn frozen_generation(&self) -> Option<(u64, Arc<Generation>)> {
        let generation = self.memtable.frozen()?;
        self.frozen.map(|frozen| (frozen.sequence, Arc::clone(generation)))
    }
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

    #[must_use]
    pub fn retention(&self) -> ShardRetention {
        self.retention.get()
    }

    /// Changes what is kept; it takes effect with the next sample and the next round of upkeep.
    pub fn set_retention(&self, retention: ShardRetention) {
        self.retention.set(retention);
    }
}
