//! A whole write request staged by owner shard, and the builder for callers that have labels at hand.

use bytes::Bytes;
use shards::model::label::put_label;
use shards::model::{KeyHasher, Metadata, SampleBatch};

use super::canonical::{LabelFault, check_pairs};
use super::limits::DECODED_BYTES_MAX;
use super::refusal::{RefuseReason, WriteSummary};

/// Everything a write request asks for.
#[derive(Debug, Clone, Default)]
pub struct WriteRequest {
    /// One batch per shard, at the shard's index; those without samples are empty.
    pub batches: Vec<SampleBatch>,
    pub metadata: Vec<Metadata>,
    /// What is refused already; the dispatcher adds what the shards say.
    pub refused: WriteSummary,
    /// Series in the message, those without samples included.
    pub series: u64,
    /// Samples in the batches.
    pub samples: u64,
    /// Exemplars that are not stored. As upstream, this is no reason to refuse anything.
    pub exemplars_ignored: u64,
    /// Metadata entries that cannot be stored: not UTF-8, no name, or too large.
    pub metadata_ignored: u64,
}

/// Stages samples given one by one, by series with labels as text.
#[derive(Debug)]
pub struct BatchBuilder {
    hasher: KeyHasher,
    shards: u16,
    label_bytes: Vec<u8>,
    request: WriteRequest,
}

impl BatchBuilder {
    /// A builder for the shards of one data directory.
    #[must_use]
    pub fn new(hasher: KeyHasher, shards: u16) -> Self {
        assert!(shards > 0, "a data directory has at least one shard");
        let batches = vec![SampleBatch::default(); usize::from(shards)];
        let request = WriteRequest { batches, ..WriteRequest::default() };
        Self { hasher, shards, label_bytes: Vec::new(), request }
    }

    /// Adds a sample. The labels come in any order and are sorted in place; empty values count as
    /// absent. A fault of the labels is returned and nothing is added.
    pub fn push(
        &mut self,
        labels: &mut [(&str, &str)],
        timestamp_ms: i64,
        value: f64,
    ) -> Result<(), LabelFault> {
        labels.sort_unstable();
        check_pairs(labels)?;
        let start = self.label_bytes.len();
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            put_label(&mut self.label_bytes, name, value);
        }
        let (Ok(start_offset), Ok(end_offset), true) = (
            u32::try_from(start),
            u32::try_from(self.label_bytes.len()),
            self.label_bytes.len() <= 2 * DECODED_BYTES_MAX,
        ) else {
            self.label_bytes.truncate(start);
            return Err(LabelFault::RequestTooLarge { max: 2 * DECODED_BYTES_MAX });
        };
        let key = self.hasher.key(self.label_bytes.get(start..).unwrap_or_default());
        if let Some(batch) = self.request.batches.get_mut(key.shard(self.shards).index()) {
            batch.push_series(key, start_offset, end_offset);
            batch.push_sample(timestamp_ms, value);
            self.request.series += 1;
            self.request.samples += 1;
        }
        Ok(())
    }

    /// Adds the description of a metric family.
    pub fn push_metadata(&mut self, metadata: Metadata) {
        self.request.metadata.push(metadata);
    }

    /// Counts a sample that cannot be added.
    pub fn refuse(&mut self, fault: &LabelFault, labels: &[(&str, &str)]) {
        let mut bytes = Vec::new();
        for (name, value) in labels {
            put_label(&mut bytes, name, value);
        }
        self.request.refused.refuse_labels(fault, &bytes, 1);
    }

    /// Counts samples refused for another reason than their labels.
    pub fn refuse_for(&mut self, reason: RefuseReason, samples: u64) {
        self.request.refused.refuse(reason, &[], None, samples);
    }

    #[must_use]
    pub fn finish(mut self) -> WriteRequest {
        let label_bytes = Bytes::from(self.label_bytes);
        for batch in &mut self.request.batches {
            batch.set_label_bytes(label_bytes.clone());
        }
        self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::model::Labels;

    #[test]
    fn built_batches_hold_canonical_labels_at_their_owner() {
        let hasher = KeyHasher::new(7);
        let mut builder = BatchBuilder::new(hasher.clone(), 3);
        for index in 0..50_i64 {
            let instance = index.to_string();
            let mut labels = [("job", "a"), ("zone", ""), ("instance", &instance), ("__name__", "up")];
            builder.push(&mut labels, index, 1.5).unwrap();
        }
        assert!(builder.push(&mut [("job", "a")], 0, 1.0).is_err());
        let request = builder.finish();
        assert_eq!((request.series, request.samples, request.batches.len()), (50, 50, 3));
        for (shard, batch) in request.batches.iter().enumerate() {
            for series in batch.series() {
                let labels = Labels::from_canonical(series.labels).unwrap();
                let expected = Labels::from_pairs([
                    ("__name__", "up"),
                    ("instance", &series.timestamps_ms[0].to_string()),
                    ("job", "a"),
                ]);
                assert_eq!(labels, expected);
                assert_eq!(series.key, hasher.key(labels.as_bytes()));
                assert_eq!(series.key.shard(3).index(), shard);
                assert_eq!(series.values, [1.5]);
            }
        }
    }
}
