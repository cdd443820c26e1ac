//! Opening a shard: its log is read back into the registry and the memtable.

use std::cell::RefCell;

use hashbrown::HashMap;

use super::metrics::ShardCounters;
use super::{Shard, ShardOptions, State, write};
use crate::clock::Clock;
use crate::error::Result;
use crate::io::{Disk, dirs};
use crate::memtable::Memtable;
use crate::model::KeyHasher;
use crate::registry::Registry;
use crate::wal::{Record, Wal};

impl Shard {
    /// Opens the shard of a directory, making it where there is none.
    pub async fn open(disk: Disk, clock: Clock, options: ShardOptions) -> Result<Self> {
        let mut state = State {
            registry: Registry::new(),
            memtable: Memtable::new(),
            metadata: HashMap::new(),
            scratch: write::Scratch::default(),
        };
        let mut replay =
            Replay { hasher: &options.hasher, state: &mut state, lost_samples: 0, lost_series: 0 };
        let wal_directory = options.directory.join(dirs::WAL_DIRECTORY);
        let mut apply = |record: Record<'_>| replay.apply(record);
        let opened = Wal::open(disk.clone(), &wal_directory, options.shard, options.wal.clone(), &mut apply);
        let (wal, report) = opened.await?;
        if replay.lost_samples > 0 || replay.lost_series > 0 {
            tracing::error!(
                shard = options.shard.0,
                samples = replay.lost_samples,
                series = replay.lost_series,
                "log records refer to series that are damaged or missing; they were skipped"
            );
        }
        tracing::info!(
            shard = options.shard.0,
            series = state.registry.len(),
            samples = state.memtable.samples(),
            segments = report.segments,
            frames = report.frames,
            bytes = report.bytes,
            "log read"
        );
        Ok(Self {
            options,
            clock,
            disk,
            state: RefCell::new(state),
            wal,
            replay: report,
            counters: ShardCounters::default(),
        })
    }
}

/// Applies the records of the log.
struct Replay<'a> {
    hasher: &'a KeyHasher,
    state: &'a mut State,
    lost_samples: u64,
    lost_series: u64,
}

impl Replay<'_> {
    fn apply(&mut self, record: Record<'_>) {
        match record {
            Record::Series { series, labels } => {
                let key = self.hasher.key(labels);
                if self.state.registry.insert_at(series, key, labels).is_err() {
                    self.lost_series += 1;
                }
            }
            Record::Samples(samples) => {
                let State { registry, memtable, scratch, .. } = &mut *self.state;
                self.lost_samples += scratch.refill(samples, |series| registry.contains(series));
                scratch.store(memtable);
            }
            Record::Metadata(metadata) => {
                self.state.metadata.insert(metadata.metric.clone(), metadata);
            }
            Record::Unknown { .. } => {}
        }
    }
}
