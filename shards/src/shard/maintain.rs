//! Upkeep: what a shard does on its own, a little at a time.

use super::metrics::add;
use super::{IdleSeries, Shard};
use crate::compaction::retention::{RetentionLimits, expired};
use crate::error::{Error, Result};
use crate::io::dirs;
use crate::model::SeriesRef;

/// How much newer samples must be than when a series was found without data, or how long that must
/// have been ago, before it leaves the registry. One that comes back costs no more than a new one, so
/// this is for targets that restart.
const IDLE_SAMPLES_MS: i64 = 10 * 60_000;
const IDLE_CLOCK_MS: i64 = 2 * 3_600_000;

/// The reserve is made when the parts of the shard are so many times as large.
const RESERVE_RATIO: u64 = 16;
/// Name of the file that keeps room for merges and retention on a full disk.
const RESERVE_FILE: &str = "reserve";

/// Samples that a series of the memtable has on average when a flush by size is worth it.
const MEAN_SAMPLES_MIN: u64 = 8;

impl Shard {
    /// Whether the active generation should be flushed now.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        let state = self.state.borrow();
        if state.memtable.active().samples() == 0 {
            return false;
        }
        // The first flush of each shard comes at a time of its own.
        let stagger = if self.counters.flushes.get() == 0 { 2 + u64::from(self.id().0) % 3 } else { 4 };
        let due = |size: u64, limit: u64| size >= limit / 4 * stagger;
        let age = state.active_since_ms.map_or(0, |since| self.clock.now_ms().saturating_sub(since));
        let active = state.memtable.active();
        let (memory, limit) = (active.memory_bytes() as u64, self.options.memtable_bytes as u64);
        // With very many series most of the memory goes into the first sample of each: runs of so
        // short stretches would cost more than they free.
        let worth =
            active.samples() >= active.series_count() as u64 * MEAN_SAMPLES_MIN || memory >= limit * 2;
        (due(memory, limit) && worth)
            || due(self.wal.unreleased_bytes(), self.options.flush_wal_bytes)
            || age >= self.options.flush_after_ms
    }

    /// Flushes if it is time, or if a flush has failed before. Meant to be called often.
    pub async fn tend_memory(&self) -> Result<()> {
        let frozen = self.state.borrow().memtable.frozen().is_some();
        if frozen || self.wants_flush() {
            self.flush_if(|| self.wants_flush()).await?;
        }
        Ok(())
    }

    /// Drops what has expired, merges what is worth it, forgets series without data. Meant to be
    /// called every second or so; it returns when there is nothing more to do.
    pub async fn tend_parts(&self) -> Result<()> {
        self.tend_reserve().await;
        self.apply_retention()?;
        while !self.closing.get() && self.merge_routinely().await? {
            self.apply_retention()?;
        }
        self.drop_finished_deletes()?;
        self.forget_idle_series();
        Ok(())
    }

    /// Drops the parts that retention does not keep.
    pub fn apply_retention(&self) -> Result<()> {
        let retention = self.retention.get();
        let ids = {
            let state = self.state.borrow();
            let limits = RetentionLimits { age_ms: Some(retention.age_ms), bytes: retention.bytes };
            let parts = state.parts.iter().map(|part| (&part.meta, part.bytes));
            expired(parts, self.other_bytes(), self.clock.now_ms(), limits)
        };
        if ids.is_empty() {
            return Ok(());
        }
        // Parts that are merged right now must stay until that is done.
        let Some(_turn) = self.merging.try_take() else { return Ok(()) };
        self.drop_parts(&ids)
    }

    /// Bytes of the files that are not parts.
    pub(super) fn other_bytes(&self) -> u64 {
        self.wal.metrics().segment_bytes + self.series_file.bytes()
    }

    /// Lets go of the series that neither memory nor runs have; blocks know their own. First they
    /// are only noted; they go when samples ten minutes newer have come, or after some hours, and
    /// every read has ended that had begun by then.
    pub fn forget_idle_series(&self) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let has_data = |state: &super::State, series: SeriesRef| {
            state.memtable.series_bounds(series).is_some()
                || state
                    .parts
                    .iter()
                    .any(|part| part.as_run().is_some_and(|run| run.numbers().contains(series.0)))
        };
        if let Some(idle) = &state.idle {
            let over = state.frontier_ms.saturating_sub(idle.frontier_ms) >= IDLE_SAMPLES_MS
                || now_ms.saturating_sub(idle.noted_ms) >= IDLE_CLOCK_MS;
            if !over || !state.readers.have_ended(idle.ticket) {
                return;
            }
        }
        if let Some(idle) = state.idle.take() {
            for series in idle.series {
                if !has_data(state, series) && state.registry.forget(series) {
                    add(&self.counters.series_forgotten, 1);
                }
            }
            return;
        }
        // Series lose their last run only by merges and retention.
        let changes = self.counters.merges.get() + self.counters.parts_expired.get();
        if self.counters.idle_looked_at.replace(changes) == changes {
            return;
        }
        let mut candidates = state.registry.select(&[]);
        for part in state.parts.iter() {
            if let Some(run) = part.as_run() {
                candidates -= run.numbers();
            }
        }
        let series: Vec<_> =
            candidates.into_iter().map(SeriesRef).filter(|series| !has_data(state, *series)).collect();
        if !series.is_empty() {
            let ticket = state.readers.last_ticket();
            state.idle =
                Some(IdleSeries { ticket, noted_ms: now_ms, frontier_ms: state.frontier_ms, series });
        }
    }

    /// Remembers whether the disk is full; when it becomes so, the reserve is given up.
    pub(super) fn note_disk(&self, full: bool) {
        if self.disk_full.replace(full) == full {
            return;
        }
        if full {
            tracing::error!(
                shard = self.id().0,
                "the disk is full; the reserve is used for merges and retention"
            );
            let path = self.options.directory.join(RESERVE_FILE);
            if let Err(error) = self.disk.remove(&path) {
                tracing::error!(shard = self.id().0, %error, "the reserve cannot be freed");
            }
        } else {
            tracing::info!(shard = self.id().0, "there is room on the disk again");
        }
    }

    /// Makes the reserve file again when there is room for it.
    async fn tend_reserve(&self) {
        let reserve = self.options.reserve_bytes;
        let path = self.options.directory.join(RESERVE_FILE);
        if reserve == 0 || self.counters.reserve_bytes.get() == reserve && !self.disk_full.get() {
            return;
        }
        // A shard with little data has no use for it.
        let parts: u64 = self.state.borrow().parts.iter().map(|part| part.bytes).sum();
        let enough = parts >= reserve.saturating_mul(RESERVE_RATIO);
        if !enough && !self.disk_full.get() {
            return;
        }
        let room =
            self.disk.space(&self.options.directory).is_ok_and(|(free, _)| free > reserve.saturating_mul(4));
        if self.disk_full.get() {
            self.counters.reserve_bytes.set(0);
            if room {
                self.note_disk(false);
            }
            return;
        }
        if !room {
            return;
        }
        let made = async {
            let file = self.disk.open(&path).await?;
            file.preallocate(reserve).await
        };
        match made.await {
            Ok(()) => self.counters.reserve_bytes.set(reserve),
            Err(Error::DiskFull { .. }) => self.note_disk(true),
            Err(error) => tracing::warn!(shard = self.id().0, %error, "no reserve is kept on the disk"),
        }
    }

    /// Long work stops at its next step.
    pub fn begin_close(&self) {
        self.closing.set(true);
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// The directories that parts are in.
    pub(super) fn part_directories(&self) -> [std::path::PathBuf; 2] {
        [dirs::RUNS_DIRECTORY, dirs::BLOCKS_DIRECTORY].map(|name| self.options.directory.join(name))
    }
}
