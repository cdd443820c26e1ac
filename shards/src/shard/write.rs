//! Writing samples: look up, check, log, apply; then wait for the log.

use super::metrics::add;
use super::refusal::{AppendOutcome, Refusal, RefuseReason};
use super::{Shard, State};
use crate::error::Result;
use crate::limits::{
    LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX, METADATA_BYTES_MAX,
    METADATA_MAX,
};
use crate::memtable::Appended;
use crate::model::{BatchSeries, Labels, METRIC_NAME, Metadata, SampleBatch, SeriesRef};
use crate::wal::record::{RECORD_SAMPLES_MAX, put_metadata, put_series};
use crate::wal::{Lsn, SamplesEncoder};

/// Bytes of a series' labels that an answer repeats.
const SERIES_TEXT_MAX: usize = 300;

/// Columns that writes use again and again.
#[derive(Default)]
pub(super) struct Scratch {
    found: Vec<Option<SeriesRef>>,
    refs: Vec<SeriesRef>,
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
    appended: Vec<Appended>,
}

/// Times of samples that are accepted, both inclusive.
#[derive(Clone, Copy)]
struct AcceptedTimes {
    first_ms: i64,
    last_ms: i64,
}

/// Why a series seen for the first time is not taken.
enum FirstSight {
    NotCanonical,
    Refused(RefuseReason, String),
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
        let times = self.accepted_times();
        let mut outcome = AppendOutcome::default();
        let mut state = self.state.borrow_mut();
        let mut scratch = std::mem::take(&mut state.scratch);
        scratch.refs.clear();
        scratch.timestamps_ms.clear();
        scratch.values.clear();
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
                    Err(FirstSight::NotCanonical) => {
                        outcome.not_canonical.push(index);
                        continue;
                    }
                    Err(FirstSight::Refused(reason, detail)) => {
                        let count = series.timestamps_ms.len() as u64;
                        outcome.refuse_many(reason, count, || describe(reason, &series, 0, detail));
                        continue;
                    }
                },
            };
            for (at, (timestamp_ms, value)) in series.timestamps_ms.iter().zip(series.values).enumerate() {
                if let Some((reason, detail)) = times.refuse(*timestamp_ms) {
                    outcome.refuse(reason, || describe(reason, &series, at, detail));
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
        state.memtable.append_many(
            &scratch.refs,
            &scratch.timestamps_ms,
            &scratch.values,
            &mut scratch.appended,
        );
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
        if series.labels.len() > LABELS_BYTES_MAX {
            let detail = format!("labels take {} bytes, at most {LABELS_BYTES_MAX} are taken", series.labels.len());
            return Err(FirstSight::Refused(RefuseReason::InvalidLabels, detail));
        }
        let labels = Labels::from_canonical(series.labels).map_err(|_| FirstSight::NotCanonical)?;
        check_labels(&labels).map_err(|detail| FirstSight::Refused(RefuseReason::InvalidLabels, detail))?;
        if let Some((reason, detail)) = times.refuse_all(series.timestamps_ms) {
            return Err(FirstSight::Refused(reason, detail));
        }
        if state.registry.len() as u64 >= self.options.series_max {
            let detail = format!("the shard holds {} series; raise --max-series", state.registry.len());
            return Err(FirstSight::Refused(RefuseReason::TooManySeries, detail));
        }
        let inserted = state.registry.insert(series.key, series.labels);
        let series_ref =
            inserted.map_err(|error| FirstSight::Refused(RefuseReason::TooManySeries, error.to_string()))?;
        created.push((series_ref, series.labels));
        Ok(series_ref)
    }

    fn accepted_times(&self) -> AcceptedTimes {
        let now_ms = self.clock.now_ms();
        AcceptedTimes {
            first_ms: now_ms.saturating_sub(self.options.retention_ms),
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
        state.metadata.extend(fresh.into_iter().map(|one| (one.metric.clone(), one)));
        Ok(Some(lsn))
    }
}

impl AcceptedTimes {
    fn refuse(self, timestamp_ms: i64) -> Option<(RefuseReason, String)> {
        if timestamp_ms < self.first_ms {
            let detail = format!("older than the retention keeps, which begins at {}", self.first_ms);
            return Some((RefuseReason::TooOld, detail));
        }
        (timestamp_ms > self.last_ms).then(|| {
            let detail = format!("ahead of the server's clock, which allows up to {}", self.last_ms);
            (RefuseReason::TooFarInFuture, detail)
        })
    }

    /// Set when none of a new series' samples is taken, so that it need not be made.
    fn refuse_all(self, timestamps_ms: &[i64]) -> Option<(RefuseReason, String)> {
        let first = self.refuse(*timestamps_ms.first()?)?;
        timestamps_ms.iter().all(|timestamp_ms| self.refuse(*timestamp_ms).is_some()).then_some(first)
    }
}

/// The rules for labels of a series that is stored, beyond being canonical.
fn check_labels(labels: &Labels) -> std::result::Result<(), String> {
    let mut count = 0;
    let mut named = false;
    for (name, value) in labels.iter() {
        count += 1;
        named |= name == METRIC_NAME;
        if name.len() > LABEL_NAME_BYTES_MAX {
            return Err(format!("a label name of {} bytes; at most {LABEL_NAME_BYTES_MAX} are taken", name.len()));
        }
        if value.len() > LABEL_VALUE_BYTES_MAX {
            return Err(format!(
                "the value of label {name:?} has {} bytes; at most {LABEL_VALUE_BYTES_MAX} are taken",
                value.len()
            ));
        }
    }
    if count > LABELS_MAX {
        return Err(format!("{count} labels; at most {LABELS_MAX} are taken"));
    }
    if named { Ok(()) } else { Err("no metric name: label __name__ is missing".into()) }
}

fn describe(reason: RefuseReason, series: &BatchSeries<'_>, at: usize, detail: String) -> Refusal {
    Refusal {
        reason,
        series: series_text(series.labels),
        timestamp_ms: series.timestamps_ms.get(at).copied().unwrap_or(0),
        detail,
    }
}

/// The labels as text, cut where they are long.
#[must_use]
pub fn series_text(label_bytes: &[u8]) -> String {
    let head = label_bytes.get(..label_bytes.len().min(LABELS_BYTES_MAX)).unwrap_or_default();
    let Ok(labels) = Labels::from_canonical(head) else {
        return format!("(labels of {} bytes)", label_bytes.len());
    };
    let mut text = labels.to_string();
    if text.len() > SERIES_TEXT_MAX {
        let cut = (0..=SERIES_TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push_str("...");
    }
    text
}
