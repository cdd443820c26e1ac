//! From memory to disk: the memtable is frozen and written as runs; the log behind it is released.
//!
//! The order is what makes a crash harmless: the log segment is sealed, the generation frozen, its
//! new series written to the series table, then the deletes and metadata that the log holds, then
//! the runs; only when all are durable is the log released. A crash in between replays samples that
//! runs have too, which changes nothing.

use std::sync::Arc;

use super::metrics::add;
use super::parts::{Part, part_set};
use super::{FrozenState, Shard};
use crate::compaction::flush::Flush;
use crate::error::{Error, Result};
use crate::io::{Priority, dirs};
use crate::model::SeriesRef;
use crate::part::PartKind;
use crate::registry::file::SeriesFrame;
use crate::tombstone;
use crate::wal::record::put_metadata;

/// Name of the file with the metadata of metric families.
pub(super) const METADATA_FILE: &str = "metadata";
pub(super) const METADATA_MAGIC: &[u8; 8] = b"TSDBMET1";
/// Series whose labels are copied at once on their way to the series table.
const SAVED_AT_ONCE: usize = 8192;
/// A checkpoint of the series table is due when it has grown by this factor.
const CHECKPOINT_RATIO: u64 = 2;
const CHECKPOINT_BYTES_MIN: u64 = 1 << 20;

impl Shard {
    /// Writes what is in memory to disk as runs. When this returns, everything that was accepted
    /// before is in parts. Whether there was anything.
    pub async fn flush(&self) -> Result<bool> {
        self.flush_if(|| true).await
    }

    /// Flushes what is frozen, and the active generation if it is wanted when the turn has come:
    /// another flush may have been before.
    pub(super) async fn flush_if(&self, wanted: impl Fn() -> bool) -> Result<bool> {
        let _turn = self.flushing.take().await;
        let _worker = self.workers.flush_turn().await;
        let mut flushed = false;
        // A generation whose flush failed comes first.
        if self.state.borrow().memtable.frozen().is_some() {
            self.flush_frozen().await?;
            flushed = true;
        }
        if wanted() && self.freeze().await? {
            self.flush_frozen().await?;
            flushed = true;
        }
        Ok(flushed)
    }

    /// Flushes, and has the log give back the room that it does not need.
    pub async fn flush_and_trim(&self) -> Result<()> {
        self.wal.trim()?;
        self.flush().await?;
        self.wal.trim()
    }

    /// Freezes the active generation, if it has samples.
    async fn freeze(&self) -> Result<bool> {
        let worth = {
            let state = self.state.borrow();
            state.memtable.active().samples() > 0 || !state.deletes_saved || !state.metadata_saved
        };
        if !worth {
            return Ok(false);
        }
        let epoch = self.wal.rotate().await?;
        let mut state = self.state.borrow_mut();
        let generation = state.memtable.freeze();
        let sequence = state.sequence;
        state.frozen = Some(FrozenState { sequence, epoch });
        state.readers.keep(sequence, &generation);
        state.sequence += 1;
        state.active_since_ms = None;
        Ok(true)
    }

    async fn flush_frozen(&self) -> Result<()> {
        let outcome = self.write_frozen().await;
        match &outcome {
            Ok(()) => self.note_disk(false),
            Err(error) => {
                add(&self.counters.flush_failures, 1);
                if matches!(error, Error::DiskFull { .. }) {
                    self.note_disk(true);
                } else {
                    tracing::error!(shard = self.id().0, %error, "flush failed; it is tried again");
                }
            }
        }
        outcome
    }

    async fn write_frozen(&self) -> Result<()> {
        self.save_series().await?;
        self.save_small_files()?;
        let (flush, epoch, samples) = {
            let mut state = self.state.borrow_mut();
            let Some(FrozenState { sequence, epoch }) = state.frozen else { return Ok(()) };
            let Some(generation) = state.memtable.frozen().map(Arc::clone) else { return Ok(()) };
            state.registry.rank_new();
            let concerning = state.deletes.iter().filter(|delete| delete.sequence >= sequence);
            let deleted = concerning.map(|delete| (state.registry.select(&delete.matchers), delete.range));
            let samples = generation.samples();
            let flush = Flush {
                disk: self.disk.clone(),
                directory: self.options.directory.join(dirs::RUNS_DIRECTORY),
                generation,
                sequence,
                ranks: state.registry.ranks(),
                frontier_ms: state.frontier_ms,
                deleted: deleted.collect(),
                deletes_applied: state.last_delete,
            };
            (flush, epoch, samples)
        };
        let metas = self.workers.run(Priority::Flush, move || flush.run()).await??;
        let mut fresh = Vec::new();
        for meta in metas {
            let part = Part::open(&self.disk, &self.cache, &self.options.directory, meta.id, PartKind::Run);
            fresh.push(std::rc::Rc::new(part.await?));
        }
        add(&self.counters.flushes, 1);
        add(&self.counters.flushed_samples, samples);
        add(&self.counters.flushed_bytes, fresh.iter().map(|part| part.bytes).sum());
        {
            let mut state = self.state.borrow_mut();
            let parts = state.parts.iter().cloned().chain(fresh).collect();
            state.parts = part_set(parts);
            state.memtable.drop_frozen();
            state.frozen = None;
        }
        self.wal.release(epoch).await?;
        self.checkpoint_if_due().await
    }

    /// Writes the series that are new since the last flush to the series table.
    async fn save_series(&self) -> Result<()> {
        loop {
            let mut bytes = Vec::new();
            let mut ends: Vec<(SeriesRef, usize)> = Vec::new();
            {
                let mut state = self.state.borrow_mut();
                let fresh = state.registry.take_unsaved();
                if !fresh.is_empty() {
                    state.unsaved.extend(fresh);
                    // In label order neighbours share most of their bytes. Taken from the end.
                    state.registry.rank_new();
                    let ranks = state.registry.ranks();
                    state.unsaved.sort_unstable_by_key(|series| std::cmp::Reverse(ranks.get(*series)));
                }
                let begin = state.unsaved.len().saturating_sub(SAVED_AT_ONCE);
                for series in state.unsaved.get(begin..).unwrap_or_default().iter().rev() {
                    state.registry.labels_into(*series, &mut bytes);
                    ends.push((*series, bytes.len()));
                }
            }
            if ends.is_empty() {
                return Ok(());
            }
            let mut start = 0;
            let mut entries = Vec::with_capacity(ends.len());
            for (series, end) in &ends {
                let labels = bytes.get(start..*end).unwrap_or_default();
                // Forgotten since: nothing refers to it.
                if !labels.is_empty() {
                    entries.push((*series, labels));
                }
                start = *end;
            }
            self.series_file.append(&entries).await?;
            let mut state = self.state.borrow_mut();
            let left = state.unsaved.len().saturating_sub(ends.len());
            state.unsaved.truncate(left);
        }
    }

    /// Writes deletes and metadata as whole files where they have changed.
    fn save_small_files(&self) -> Result<()> {
        let mut state = self.state.borrow_mut();
        if !state.deletes_saved {
            let bytes = tombstone::encode(state.last_delete, &state.deletes);
            self.disk.write_small(&self.options.directory.join(tombstone::DELETES_FILE), &bytes)?;
            state.deletes_saved = true;
        }
        if !state.metadata_saved {
            let mut records = Vec::new();
            state.metadata.values().for_each(|one| put_metadata(&mut records, one));
            let mut bytes = METADATA_MAGIC.to_vec();
            bytes.extend_from_slice(&crate::codec::crc::crc32c(&records).to_le_bytes());
            bytes.extend_from_slice(&records);
            self.disk.write_small(&self.options.directory.join(METADATA_FILE), &bytes)?;
            state.metadata_saved = true;
        }
        Ok(())
    }

    /// Writes the series table anew if much of it is of no use any more.
    async fn checkpoint_if_due(&self) -> Result<()> {
        let forgotten = self.state.borrow().registry.forgotten() as u64;
        let live = self.state.borrow().registry.len() as u64;
        let grown = self.series_file.bytes() > CHECKPOINT_BYTES_MIN
            && self.series_file.bytes() > CHECKPOINT_RATIO * self.counters.checkpoint_bytes.get();
        if forgotten > live / 4 + 1000 || grown {
            self.checkpoint().await?;
        }
        Ok(())
    }

    /// Writes the series table anew, without the series that were forgotten. Their numbers are free
    /// afterwards.
    pub(super) async fn checkpoint(&self) -> Result<()> {
        self.save_series().await?;
        let order = {
            let mut state = self.state.borrow_mut();
            state.registry.begin_checkpoint();
            state.registry.in_label_order()
        };
        self.series_file.checkpoint(self.series_in(order)).await?;
        self.counters.checkpoint_bytes.set(self.series_file.bytes());
        self.state.borrow_mut().registry.end_checkpoint();
        Ok(())
    }

    /// Puts these series into the frames of a series table, as many as go into each.
    pub(super) fn series_in(&self, order: Vec<SeriesRef>) -> impl FnMut(&mut SeriesFrame) {
        let mut rest = order.into_iter();
        let mut labels = Vec::new();
        move |frame| {
            let state = self.state.borrow();
            while !frame.is_full()
                && let Some(series) = rest.next()
            {
                labels.clear();
                state.registry.labels_into(series, &mut labels);
                // Forgotten since.
                if !labels.is_empty() {
                    frame.push(series, &labels);
                }
            }
        }
    }
}
