//! What a shard counts about its own work: plain cells, read by a snapshot.

use std::cell::Cell;

/// Counters of one shard. Lives on the shard's core.
#[derive(Debug, Default)]
pub(super) struct ShardCounters {
    pub(super) samples_stored: Cell<u64>,
    pub(super) samples_duplicate: Cell<u64>,
    pub(super) samples_replaced: Cell<u64>,
    pub(super) samples_out_of_order: Cell<u64>,
    pub(super) samples_too_old: Cell<u64>,
    pub(super) samples_too_new: Cell<u64>,
    pub(super) series_refused: Cell<u64>,
    pub(super) series_created: Cell<u64>,
    pub(super) selects: Cell<u64>,
    pub(super) select_series: Cell<u64>,
    pub(super) select_samples: Cell<u64>,
}

/// Adds to a counter.
pub(super) fn add(counter: &Cell<u64>, count: u64) {
    counter.set(counter.get() + count);
}
