//! What a shard counts about its own work: plain cells on its core, read as one snapshot.

use std::cell::Cell;

use super::Shard;
use super::refusal::RefuseReason;
use crate::wal::{ReplayReport, WalMetrics};

/// Counters of one shard.
#[derive(Debug, Default)]
pub(super) struct ShardCounters {
    pub(super) samples_stored: Cell<u64>,
    pub(super) samples_duplicate: Cell<u64>,
    pub(super) samples_replaced: Cell<u64>,
    pub(super) samples_out_of_order: Cell<u64>,
    pub(super) samples_refused: [Cell<u64>; RefuseReason::ALL.len()],
    pub(super) series_created: Cell<u64>,
    pub(super) metadata_refused: Cell<u64>,
    pub(super) selects: Cell<u64>,
    pub(super) select_series: Cell<u64>,
    pub(super) select_samples: Cell<u64>,
}

/// Adds to a counter.
pub(super) fn add(counter: &Cell<u64>, count: u64) {
    counter.set(counter.get() + count);
}

/// A shard's counters and sizes at one moment.
#[derive(Debug, Clone, Default)]
pub struct ShardMetrics {
    pub samples_stored: u64,
    pub samples_duplicate: u64,
    pub samples_replaced: u64,
    pub samples_out_of_order: u64,
    pub samples_refused: Vec<(&'static str, u64)>,
    pub series: u64,
    pub series_created: u64,
    pub metadata_entries: u64,
    pub metadata_refused: u64,
    pub registry_bytes: u64,
    pub memtable_bytes: u64,
    pub memtable_samples: u64,
    pub selects: u64,
    pub select_series: u64,
    pub select_samples: u64,
    pub wal: WalMetrics,
    pub replay: ReplayReport,
}

impl Shard {
    #[must_use]
    pub fn metrics(&self) -> ShardMetrics {
        let state = self.state.borrow();
        let counters = &self.counters;
        let reasons = RefuseReason::ALL.iter().map(|reason| reason.as_str());
        ShardMetrics {
            samples_stored: counters.samples_stored.get(),
            samples_duplicate: counters.samples_duplicate.get(),
            samples_replaced: counters.samples_replaced.get(),
            samples_out_of_order: counters.samples_out_of_order.get(),
            samples_refused: reasons.zip(counters.samples_refused.iter().map(Cell::get)).collect(),
            series: state.registry.len() as u64,
            series_created: counters.series_created.get(),
            metadata_entries: state.metadata.len() as u64,
            metadata_refused: counters.metadata_refused.get(),
            registry_bytes: state.registry.memory_bytes() as u64,
            memtable_bytes: state.memtable.memory_bytes() as u64,
            memtable_samples: state.memtable.samples(),
            selects: counters.selects.get(),
            select_series: counters.select_series.get(),
            select_samples: counters.select_samples.get(),
            wal: self.wal.metrics(),
            replay: self.replay,
        }
    }
}
