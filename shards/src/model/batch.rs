//! Samples of one request on their way to one shard: plain columns that cross cores as they are.

use bytes::Bytes;

use super::hash::SeriesKey;

/// Samples grouped by series. The labels are ranges of a buffer that all batches of a request share.
#[derive(Debug, Clone, Default)]
pub struct SampleBatch {
    label_bytes: Bytes,
    keys: Vec<SeriesKey>,
    label_ranges: Vec<(u32, u32)>,
    sample_counts: Vec<u32>,
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
}

/// One series of a batch with its samples, in the order in which they came.
#[derive(Debug, Clone, Copy)]
pub struct BatchSeries<'a> {
    pub key: SeriesKey,
    /// Label bytes as sent: canonical if the key is known to the shard, else to be checked.
    pub labels: &'a [u8],
    pub timestamps_ms: &'a [i64],
    pub values: &'a [f64],
}

impl SampleBatch {
    /// An empty batch whose series have their labels in `label_bytes`.
    #[must_use]
    pub const fn new(label_bytes: Bytes) -> Self {
        Self {
            label_bytes,
            keys: Vec::new(),
            label_ranges: Vec::new(),
            sample_counts: Vec::new(),
            timestamps_ms: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Sets the buffer that the label ranges refer to, for callers that have it only at the end.
    pub fn set_label_bytes(&mut self, label_bytes: Bytes) {
        self.label_bytes = label_bytes;
    }

    /// Makes room for as many series and samples.
    pub fn reserve(&mut self, series: usize, samples: usize) {
        self.keys.reserve(series);
        self.label_ranges.reserve(series);
        self.sample_counts.reserve(series);
        self.timestamps_ms.reserve(samples);
        self.values.reserve(samples);
    }

    /// Begins a series: its labels are the bytes `start..end` of the buffer.
    #[inline]
    pub fn push_series(&mut self, key: SeriesKey, start: u32, end: u32) {
        self.keys.push(key);
        self.label_ranges.push((start, end));
        self.sample_counts.push(0);
    }

    /// Adds a sample to the series begun last.
    #[inline]
    pub fn push_sample(&mut self, timestamp_ms: i64, value: f64) {
        if let Some(count) = self.sample_counts.last_mut() {
            *count += 1;
            self.timestamps_ms.push(timestamp_ms);
            self.values.push(value);
        }
    }

    /// Adds samples to the series begun last: pairs of the two columns.
    #[inline]
    pub fn extend_samples(&mut self, timestamps_ms: &[i64], values: &[f64]) {
        assert_eq!(timestamps_ms.len(), values.len(), "columns of samples have one length");
        if let (Some(count), Ok(more)) = (self.sample_counts.last_mut(), u32::try_from(values.len())) {
            *count += more;
            self.timestamps_ms.extend_from_slice(timestamps_ms);
            self.values.extend_from_slice(values);
        }
    }

    #[must_use]
    pub fn keys(&self) -> &[SeriesKey] {
        &self.keys
    }

    #[must_use]
    pub fn series_count(&self) -> usize {
        self.keys.len()
    }

    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.timestamps_ms.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The series at an index. Walks there: meant for the few that are refused.
    #[must_use]
    pub fn nth_series(&self, index: usize) -> Option<BatchSeries<'_>> {
        self.series().nth(index)
    }

    /// A batch of only the series at these rising indices; the label bytes are shared.
    #[must_use]
    pub fn subset(&self, indices: &[usize]) -> Self {
        let mut subset = Self::new(self.label_bytes.clone());
        let mut wanted = indices.iter().peekable();
        for ((index, series), (start, end)) in self.series().enumerate().zip(&self.label_ranges) {
            if wanted.next_if(|next| **next == index).is_some() {
                subset.push_series(series.key, *start, *end);
                subset.extend_samples(series.timestamps_ms, series.values);
            }
        }
        subset
    }

    /// The series in order.
    pub fn series(&self) -> impl Iterator<Item = BatchSeries<'_>> {
        let mut offset = 0;
        self.keys.iter().zip(&self.label_ranges).zip(&self.sample_counts).map(
            move |((key, (start, end)), count)| {
                let samples = offset..offset + *count as usize;
                offset = samples.end;
                BatchSeries {
                    key: *key,
                    labels: self.label_bytes.get(*start as usize..*end as usize).unwrap_or_default(),
                    timestamps_ms: self.timestamps_ms.get(samples.clone()).unwrap_or_default(),
                    values: self.values.get(samples).unwrap_or_default(),
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_keep_their_samples() {
        let mut batch = SampleBatch::new(Bytes::from_static(b"aabbb"));
        batch.push_series(SeriesKey(1), 0, 2);
        batch.push_sample(10, 1.0);
        batch.push_sample(20, 2.0);
        batch.push_series(SeriesKey(2), 2, 5);
        batch.push_series(SeriesKey(3), 5, 99);
        batch.push_sample(30, 3.0);
        let read: Vec<_> = batch.series().map(|s| (s.key.0, s.labels, s.timestamps_ms.to_vec())).collect();
        assert_eq!(read, [(1, &b"aa"[..], vec![10, 20]), (2, &b"bbb"[..], vec![]), (3, &b""[..], vec![30])]);
    }
}
