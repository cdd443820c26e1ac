//! Writing samples: look up, check, log, apply; then wait for the log.

use super::admission::{Accepted, AcceptedTimes, acceptable};
use super::metrics::add;
use super::refusal::{AppendOutcome, Refusal, RefuseReason};
use super::{Shard, State};
use crate::error::{Error, Result};
use crate::limits::{METADATA_BYTES_MAX, METADATA_MAX};
use crate::memtable::{Appended, Memtable};
use crate::model::{BatchSeries, Metadata, SampleBatch, SeriesRef};
use crate::wal::Lsn;
use crate::wal::record::{Samples, put_metadata, put_series};

/// Columns that writes use again and again.
#[derive(Default)]
pub(super) struct Scratch {
    found: Vec<Option<SeriesRef>>,
    accepted: Accepted,
    appended: Vec<Appended>,
}

impl Scratch {
    /// Takes over the samples of a log record whose series `resolve` knows; gives the number of
    /// others.
    pub(super) fn refill(
        &mut self,
        samples: Samples<'_>,
        resolve: impl Fn(SeriesRef) -> Option<SeriesRef>,
    ) -> u64 {
        self.accepted.clear();
        self.accepted.reserve(samples.len_max());
        let mut lost = 0;
        for entry in samples {
            match entry.ok().and_then(|entry| Some((resolve(entry.series)?, entry))) {
                Some((series, entry)) => self.accepted.push(series, entry.timestamp_ms, entry.value),
                None => lost += 1,
            }
        }
        lost
    }

    /// Appends the samples to the memtable.
    pub(super) fn store(&mut self, memtable: &mut Memtable) {
        let Accepted { series, timestamps_ms, values } = &self.accepted;
        memtable.append_many(series, timestamps_ms, values, &mut self.appended);
    }
}

/// With this many times its size in the active generation while another is flushed, a memtable takes
/// no more.
const OVER_FULL: usize = 3;

/// Why a series seen for the first time is not taken.
enum FirstSight {
    Unacceptable,
    Refused(RefuseReason),
}

impl Shard {
    /// Stores samples. When this returns, those counted as stored are as durable as the sync policy
    /// promises; an error means that nothing is promised about any of them.
    pub async fn append(&self, batch: &SampleBatch) -> Result<AppendOutcome> {
        let (outcome, lsn) = self.apply(batch)?;
        if let Some(lsn) = lsn {
            self.wal.commit(lsn).await?;
        }
        Ok(outcome)
    }

    /// Stores what is said about metric families. What is known already costs nothing.
    pub async fn append_metadata(&self, metadata: Vec<Metadata>) -> Result<()> {
        self.wal.admit()?;
        if let Some(lsn) = self.apply_metadata(metadata) {
            self.wal.commit(lsn).await?;
        }
        Ok(())
    }

    fn apply(&self, batch: &SampleBatch) -> Result<(AppendOutcome, Option<Lsn>)> {
        self.wal.admit()?;
        if self.is_over_full() {
            return Err(Error::Busy);
        }
        let times = self.accepted_times();
        let mut outcome = AppendOutcome::default();
        let mut state = self.state.borrow_mut();
        let mut scratch = std::mem::take(&mut state.scratch);
        scratch.accepted.clear();
        state.registry.lookup_many(batch.keys(), &mut scratch.found);
        let mut created: Vec<(SeriesRef, &[u8])> = Vec::new();
        for (index, (series, found)) in batch.series().zip(&scratch.found).enumerate() {
            if series.timestamps_ms.is_empty() {
                continue;
            }
            let series_ref = match found {
                Some(series_ref) => *series_ref,
                None => match self.first_sight(&mut state, &series, times, &mut created) {
                    Ok(series_ref) => series_ref,
                    Err(FirstSight::Unacceptable) => {
                        outcome.unacceptable.push(index);
                        continue;
                    }
                    Err(FirstSight::Refused(reason)) => {
                        let samples = series.timestamps_ms.len() as u64;
                        outcome.refuse(samples, Refusal { reason, series: index, timestamp_ms: None });
                        continue;
                    }
                },
            };
            scratch.accepted.take(series_ref, index, &series, times, &mut outcome);
        }
        let lsn = self.log_and_store(&mut state, &created, &mut scratch, &mut outcome);
        state.scratch = scratch;
        self.count(&outcome, created.len());
        Ok((outcome, lsn))
    }

    /// Whether the memtable has grown far beyond its size because flushes fail or lag behind.
    fn is_over_full(&self) -> bool {
        let state = self.state.borrow();
        state.memtable.frozen().is_some()
            && state.memtable.active().memory_bytes() > self.options.memtable_bytes.saturating_mul(OVER_FULL)
    }

    /// The step after which the write has happened: into the log's buffer and into memory.
    fn log_and_store(
        &self,
        state: &mut State,
        created: &[(SeriesRef, &[u8])],
        scratch: &mut Scratch,
        outcome: &mut AppendOutcome,
    ) -> Option<Lsn> {
        let Accepted { series, timestamps_ms, values } = &scratch.accepted;
        let newest_ms = *timestamps_ms.iter().max()?;
        let lsn = self.wal.append(|log| {
            for (series, labels) in created {
                log.record(|out| put_series(out, *series, labels));
            }
            log.samples(series, timestamps_ms, values);
        });
        outcome.stored = series.len() as u64;
        scratch.store(&mut state.memtable);
        state.frontier_ms = state.frontier_ms.max(newest_ms);
        state.active_since_ms.get_or_insert_with(|| self.clock.now_ms());
        for appended in &scratch.appended {
            match appended {
                Appended::Stored => {}
                Appended::Duplicate => outcome.duplicates += 1,
                Appended::Replaced => outcome.replaced += 1,
                Appended::OutOfOrder => outcome.out_of_order += 1,
            }
        }
        Some(lsn)
    }

    fn first_sight<'a>(
        &self,
        state: &mut State,
        series: &BatchSeries<'a>,
        times: AcceptedTimes,
        created: &mut Vec<(SeriesRef, &'a [u8])>,
    ) -> std::result::Result<SeriesRef, FirstSight> {
        // The same new series may come twice in one request.
        if let Some(found) = state.registry.find(series.key) {
            return Ok(found);
        }
        if !acceptable(series.labels) {
            return Err(FirstSight::Unacceptable);
        }
        if let Some(reason) = times.refuse_all(series.timestamps_ms) {
            return Err(FirstSight::Refused(reason));
        }
        if state.registry.len() as u64 >= self.options.series_max {
            return Err(FirstSight::Refused(RefuseReason::SeriesLimit));
        }
        let inserted = state.registry.insert(series.key, series.labels);
        let series_ref = inserted.map_err(|_| FirstSight::Refused(RefuseReason::SeriesLimit))?;
        created.push((series_ref, series.labels));
        Ok(series_ref)
    }

    fn accepted_times(&self) -> AcceptedTimes {
        AcceptedTimes::at(self.clock.now_ms(), self.retention.get().age_ms, self.options.future_ms_max)
    }

    /// The series with these canonical labels, made and logged where it is new.
    pub(super) fn enter_series(&self, labels: &[u8]) -> Option<SeriesRef> {
        let key = self.options.hasher.key(labels);
        let registry = &mut self.state.borrow_mut().registry;
        if let Some(known) = registry.find(key) {
            return Some(known);
        }
        let series = registry.insert(key, labels).ok()?;
        self.wal.append(|log| log.record(|out| put_series(out, series, labels)));
        add(&self.counters.series_created, 1);
        Some(series)
    }

    /// Logs and stores the samples of a record of another log, whose series `resolve` knows; gives
    /// the number of others.
    pub(super) fn store_record(
        &self,
        samples: Samples<'_>,
        resolve: impl Fn(SeriesRef) -> Option<SeriesRef>,
    ) -> u64 {
        let mut state = self.state.borrow_mut();
        let mut scratch = std::mem::take(&mut state.scratch);
        let lost = scratch.refill(samples, resolve);
        let mut outcome = AppendOutcome::default();
        self.log_and_store(&mut state, &[], &mut scratch, &mut outcome);
        state.scratch = scratch;
        self.count(&outcome, 0);
        lost
    }

    fn count(&self, outcome: &AppendOutcome, created: usize) {
        let counters = &self.counters;
        add(&counters.samples_stored, outcome.stored);
        add(&counters.samples_duplicate, outcome.duplicates);
        add(&counters.samples_replaced, outcome.replaced);
        add(&counters.samples_out_of_order, outcome.out_of_order);
        add(&counters.series_created, created as u64);
        for (reason, counter) in RefuseReason::ALL.iter().zip(&counters.samples_refused) {
            add(counter, outcome.refused(*reason));
        }
    }

    pub(super) fn apply_metadata(&self, metadata: Vec<Metadata>) -> Option<Lsn> {
        let mut state = self.state.borrow_mut();
        let fresh: Vec<Metadata> = metadata
            .into_iter()
            .filter(|one| {
                let room = state.metadata.len() < METADATA_MAX || state.metadata.contains_key(&one.metric);
                let taken = !one.metric.is_empty() && one.text_len() <= METADATA_BYTES_MAX && room;
                if !taken {
                    add(&self.counters.metadata_refused, 1);
                }
                taken && state.metadata.get(&one.metric) != Some(one)
            })
            .collect();
        if fresh.is_empty() {
            return None;
        }
        let lsn = self.wal.append(|log| {
            for one in &fresh {
                log.record(|out| put_metadata(out, one));
            }
        });
        state.metadata_saved = false;
        state.metadata.extend(fresh.into_iter().map(|one| (one.metric.clone(), one)));
        Some(lsn)
    }
}
