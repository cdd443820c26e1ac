//! What is taken of a write: samples by their times, series by their labels.

use super::refusal::RefuseReason;
use crate::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX};
use crate::model::{Labels, METRIC_NAME};

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
