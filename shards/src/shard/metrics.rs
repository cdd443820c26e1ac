//! What a shard counts about its own work: plain cells on its core, read as one snapshot.

use std::cell::Cell;

use super::Shard;
use super::refusal::RefuseReason;
use crate::io::cache::CacheMetrics;
use crate::part::PartKind;
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
    pub(super) flushes: Cell<u64>,
    pub(super) flush_failures: Cell<u64>,
    pub(super) flushed_samples: Cell<u64>,
    pub(super) flushed_bytes: Cell<u64>,
    pub(super) merges: Cell<u64>,
    pub(super) merge_failures: Cell<u64>,
    pub(super) merge_samples: Cell<u64>,
    pub(super) merge_bytes_read: Cell<u64>,
    pub(super) merge_bytes_written: Cell<u64>,
    pub(super) parts_expired: Cell<u64>,
    pub(super) parts_quarantined: Cell<u64>,
    pub(super) damage_found: Cell<u64>,
    pub(super) series_forgotten: Cell<u64>,
    /// Bytes of the series table when it was last written as a whole.
    pub(super) checkpoint_bytes: Cell<u64>,
    pub(super) reserve_bytes: Cell<u64>,
    /// Merges and expired parts when series without data were last looked for.
    pub(super) idle_looked_at: Cell<u64>,
    /// Flushes and merges when it was last counted how many series of runs have ended.
    pub(super) ended_looked_at: Cell<u64>,
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
    pub flushes: u64,
    pub flush_failures: u64,
    pub flushed_samples: u64,
    pub flushed_bytes: u64,
    pub merges: u64,
    pub merge_failures: u64,
    pub merge_samples: u64,
    pub merge_bytes_read: u64,
    pub merge_bytes_written: u64,
    pub parts_expired: u64,
    pub parts_quarantined: u64,
    pub damage_found: u64,
    pub series_forgotten: u64,
    pub runs: u64,
    pub run_bytes: u64,
    pub blocks: u64,
    pub block_bytes: u64,
    pub part_samples: u64,
    /// Memory that open parts take, what the cache holds aside.
    pub part_memory_bytes: u64,
    pub series_file_bytes: u64,
    pub reserve_bytes: u64,
    pub deletes_pending: u64,
    pub disk_full: bool,
    pub cache: CacheMetrics,
    pub wal: WalMetrics,
    pub replay: ReplayReport,
}

impl Shard {
    #[must_use]
    pub fn metrics(&self) -> ShardMetrics {
        let state = self.state.borrow();
        let counters = &self.counters;
        let of_kind = |kind| state.parts.iter().filter(move |part| part.meta.kind == kind);
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
            flushes: counters.flushes.get(),
            flush_failures: counters.flush_failures.get(),
            flushed_samples: counters.flushed_samples.get(),
            flushed_bytes: counters.flushed_bytes.get(),
            merges: counters.merges.get(),
            merge_failures: counters.merge_failures.get(),
            merge_samples: counters.merge_samples.get(),
            merge_bytes_read: counters.merge_bytes_read.get(),
            merge_bytes_written: counters.merge_bytes_written.get(),
            parts_expired: counters.parts_expired.get(),
            parts_quarantined: counters.parts_quarantined.get(),
            damage_found: counters.damage_found.get(),
            series_forgotten: counters.series_forgotten.get(),
            runs: of_kind(PartKind::Run).count() as u64,
            run_bytes: of_kind(PartKind::Run).map(|part| part.bytes).sum(),
            blocks: of_kind(PartKind::Block).count() as u64,
            block_bytes: of_kind(PartKind::Block).map(|part| part.bytes).sum(),
            part_samples: state.parts.iter().map(|part| part.meta.samples).sum(),
            part_memory_bytes: state.parts.iter().map(|part| part.memory_bytes() as u64).sum(),
            series_file_bytes: self.series_file.bytes(),
            reserve_bytes: counters.reserve_bytes.get(),
            deletes_pending: state.deletes.len() as u64,
            disk_full: self.disk_full.get(),
            cache: self.cache.metrics(),
            wal: self.wal.metrics(),
            replay: self.replay,
        }
    }
}
