//! What is taken of a write: samples by their times, series by their labels.

use super::refusal::{AppendOutcome, Refusal, RefuseReason};
use crate::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX};
use crate::model::{BatchSeries, Labels, METRIC_NAME, SeriesRef};

/// Times of samples that are accepted, both inclusive.
#[derive(Clone, Copy)]
pub(super) struct AcceptedTimes {
    first_ms: i64,
    last_ms: i64,
}

impl AcceptedTimes {
    pub(super) const fn at(now_ms: i64, age_ms: i64, future_ms_max: i64) -> Self {
        Self { first_ms: now_ms.saturating_sub(age_ms), last_ms: now_ms.saturating_add(future_ms_max) }
    }

    pub(super) fn refuse(self, timestamp_ms: i64) -> Option<RefuseReason> {
        if timestamp_ms < self.first_ms {
            return Some(RefuseReason::TooOld);
        }
        (timestamp_ms > self.last_ms).then_some(RefuseReason::TooFarInFuture)
    }

    /// Set when none of a new series' samples is taken, so that it need not be made.
    pub(super) fn refuse_all(self, timestamps_ms: &[i64]) -> Option<RefuseReason> {
        let first = self.refuse(*timestamps_ms.first()?)?;
        timestamps_ms.iter().all(|timestamp_ms| self.refuse(*timestamp_ms).is_some()).then_some(first)
    }
}

/// Samples that are accepted, as columns of one length.
#[derive(Default)]
pub(super) struct Accepted {
    pub(super) series: Vec<SeriesRef>,
    pub(super) timestamps_ms: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl Accepted {
    pub(super) fn clear(&mut self) {
        self.series.clear();
        self.timestamps_ms.clear();
        self.values.clear();
    }

    pub(super) fn reserve(&mut self, count: usize) {
        self.series.reserve(count);
        self.timestamps_ms.reserve(count);
        self.values.reserve(count);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) {
        self.series.push(series);
        self.timestamps_ms.push(timestamp_ms);
        self.values.push(value);
    }

    /// Adds the samples of the series at an index of a batch, those refused by their times left out.
    #[inline(always)]
    pub(super) fn take(
        &mut self,
        series: SeriesRef,
        index: usize,
        samples: &BatchSeries<'_>,
        times: AcceptedTimes,
        outcome: &mut AppendOutcome,
    ) {
        for (timestamp_ms, value) in samples.timestamps_ms.iter().zip(samples.values) {
            match times.refuse(*timestamp_ms) {
                None => self.push(series, *timestamp_ms, *value),
                Some(reason) => {
                    let timestamp_ms = Some(*timestamp_ms);
                    outcome.refuse(1, Refusal { reason, series: index, timestamp_ms });
                }
            }
        }
    }
}

/// Whether label bytes are canonical and within the limits.
pub(super) fn acceptable(label_bytes: &[u8]) -> bool {
    if label_bytes.len() > LABELS_BYTES_MAX {
        return false;
    }
    let Ok(labels) = Labels::from_canonical(label_bytes) else { return false };
    let short = |(name, value): (&str, &str)| {
        name.len() <= LABEL_NAME_BYTES_MAX && value.len() <= LABEL_VALUE_BYTES_MAX
    };
    labels.iter().all(short) && labels.iter().count() <= LABELS_MAX && labels.get(METRIC_NAME).is_some()
}
