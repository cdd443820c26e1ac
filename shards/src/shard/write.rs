//! Writing samples: look up, check, log, apply; then wait for the log.

use super::metrics::add;
use super::refusal::{AppendOutcome, Refusal, RefuseReason};
use super::{Shard, State};
use crate::error::{Error, Result};
use crate::limits::{
    LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX, METADATA_BYTES_MAX,
    METADATA_MAX,
};
use crate::memtable::{Appended, Memtable};
use crate::model::{BatchSeries, Labels, METRIC_NAME, Metadata, SampleBatch, SeriesRef};
use crate::wal::record::{RECORD_SAMPLES_MAX, Samples, put_metadata, put_series};
use crate::wal::{Lsn, SamplesEncoder};

/// Columns that writes use again and again.
#[derive(Default)]
pub(super) struct Scratch {
    found: Vec<Option<SeriesRef>>,
    refs: Vec<SeriesRef>,
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
    appended: Vec<Appended>,
}

impl Scratch {
    fn clear(&mut self) {
        self.refs.clear();
        self.timestamps_ms.clear();
        self.values.clear();
    }

    /// Takes over the samples of a log record whose series are known; gives the number of others.
    pub(super) fn refill(&mut self, samples: Samples<'_>, is_known: impl Fn(SeriesRef) -> bool) -> u64 {
        self.clear();
        let mut lost = 0;
        for entry in samples {
            match entry {
                Ok(entry) if is_known(entry.series) => {
                    self.refs.push(entry.series);
                    self.timestamps_ms.push(entry.timestamp_ms);
                    self.values.push(entry.value);
                }
                _ => lost += 1,
            }
        }
        lost
    }

    /// Appends the samples to the memtable.
    pub(super) fn store(&mut self, memtable: &mut Memtable) {
        memtable.append_many(&self.refs, &self.timestamps_ms, &self.values, &mut self.appended);
    }
}

/// Times of samples that are accepted, both inclusive.
#[derive(Clone, Copy)]
struct AcceptedTimes {
    first_ms: i64,
    last_ms: i64,
}

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
        if let Some(lsn) = self.apply_metadata(metadata)? {
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
        scratch.clear();
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
            for (timestamp_ms, value) in series.timestamps_ms.iter().zip(series.values) {
                if let Some(reason) = times.refuse(*timestamp_ms) {
                    let timestamp_ms = Some(*timestamp_ms);
                    outcome.refuse(1, Refusal { reason, series: index, timestamp_ms });
                    continue;
                }
                scratch.refs.push(series_ref);
                scratch.timestamps_ms.push(*timestamp_ms);
                scratch.values.push(*value);
            }
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
            && state.memtable.active().memory_bytes() > self.options.memtable_bytes.saturating_mul(2)
    }

    /// The step after which the write has happened: into the log's buffer and into memory.
    fn log_and_store(
        &self,
        state: &mut State,
        created: &[(SeriesRef, &[u8])],
        scratch: &mut Scratch,
        outcome: &mut AppendOutcome,
    ) -> Option<Lsn> {
        let base_ms = *scratch.timestamps_ms.first()?;
        let lsn = self.wal.append(|log| {
            for (series, labels) in created {
                log.record(|out| put_series(out, *series, labels));
            }
            let chunks = scratch
                .refs
                .chunks(RECORD_SAMPLES_MAX)
                .zip(scratch.timestamps_ms.chunks(RECORD_SAMPLES_MAX))
                .zip(scratch.values.chunks(RECORD_SAMPLES_MAX));
            for ((refs, timestamps_ms), values) in chunks {
                log.record(|out| {
                    let mut encoder = SamplesEncoder::begin(out, base_ms);
                    for ((series, timestamp_ms), value) in refs.iter().zip(timestamps_ms).zip(values) {
                        encoder.push(*series, *timestamp_ms, *value);
                    }
                    encoder.finish();
                });
            }
        });
        scratch.store(&mut state.memtable);
        let newest = scratch.timestamps_ms.iter().copied().max().unwrap_or(i64::MIN);
        state.frontier_ms = state.frontier_ms.max(newest);
        state.active_since_ms.get_or_insert_with(|| self.clock.now_ms());
        outcome.stored = scratch.refs.len() as u64;
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
        let now_ms = self.clock.now_ms();
        AcceptedTimes {
            first_ms: now_ms.saturating_sub(self.retention.get().age_ms),
            last_ms: now_ms.saturating_add(self.options.future_ms_max),
        }
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

    fn apply_metadata(&self, metadata: Vec<Metadata>) -> Result<Option<Lsn>> {
        self.wal.admit()?;
        let mut state = self.state.borrow_mut();
        let fresh: Vec<Metadata> = metadata
            .into_iter()
            .filter(|one| {
                let bytes = one.metric.len() + one.help.len() + one.unit.len();
                let room = state.metadata.len() < METADATA_MAX || state.metadata.contains_key(&one.metric);
                let taken = !one.metric.is_empty() && bytes <= METADATA_BYTES_MAX && room;
                if !taken {
                    add(&self.counters.metadata_refused, 1);
                }
                taken && state.metadata.get(&one.metric) != Some(one)
            })
            .collect();
        if fresh.is_empty() {
            return Ok(None);
        }
        let lsn = self.wal.append(|log| {
            for one in &fresh {
                log.record(|out| put_metadata(out, one));
            }
        });
        state.metadata_saved = false;
        state.metadata.extend(fresh.into_iter().map(|one| (one.metric.clone(), one)));
        Ok(Some(lsn))
    }
}

impl AcceptedTimes {
    fn refuse(self, timestamp_ms: i64) -> Option<RefuseReason> {
        if timestamp_ms < self.first_ms {
            return Some(RefuseReason::TooOld);
        }
        (timestamp_ms > self.last_ms).then_some(RefuseReason::TooFarInFuture)
    }

    /// Set when none of a new series' samples is taken, so that it need not be made.
    fn refuse_all(self, timestamps_ms: &[i64]) -> Option<RefuseReason> {
        let first = self.refuse(*timestamps_ms.first()?)?;
        timestamps_ms.iter().all(|timestamp_ms| self.refuse(*timestamp_ms).is_some()).then_some(first)
    }
}

/// Whether label bytes are canonical and within the limits.
fn acceptable(label_bytes: &[u8]) -> bool {
    if label_bytes.len() > LABELS_BYTES_MAX {
        return false;
    }
    let Ok(labels) = Labels::from_canonical(label_bytes) else { return false };
    let short = |(name, value): (&str, &str)| {
        name.len() <= LABEL_NAME_BYTES_MAX && value.len() <= LABEL_VALUE_BYTES_MAX
    };
    labels.iter().all(short) && labels.iter().count() <= LABELS_MAX && labels.get(METRIC_NAME).is_some()
}
