//! Records between their append and the write that makes them durable.

use super::record::{RECORD_LEN_MAX, RECORD_SAMPLES_MAX, SamplesEncoder};
use crate::model::SeriesRef;

/// Memory that an empty buffer keeps for its next use.
const SPARE_BYTES_MAX: usize = 8 << 20;

/// Records on their way into frames.
pub struct LogBuffer {
    bytes: Vec<u8>,
    /// Where one frame's payload ends and the next begins.
    cuts: Vec<usize>,
    frame_payload_max: usize,
}

impl LogBuffer {
    pub(super) fn new(frame_payload_max: usize) -> Self {
        Self { bytes: Vec::new(), cuts: Vec::new(), frame_payload_max }
    }

    /// Bytes of the records.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds one record, which `put` appends.
    pub fn record(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        put(&mut self.bytes);
        let len = self.bytes.len() - start;
        assert!(len <= RECORD_LEN_MAX, "a record of {len} bytes");
        let frame_start = self.cuts.last().copied().unwrap_or(0);
        if self.bytes.len() - frame_start > self.frame_payload_max {
            self.cuts.push(start);
        }
    }

    /// Adds samples, given as columns of one length, in as many records as it takes.
    pub fn samples(&mut self, series: &[SeriesRef], timestamps_ms: &[i64], values: &[f64]) {
        let Some(base_ms) = timestamps_ms.first() else { return };
        let series = series.chunks(RECORD_SAMPLES_MAX);
        let samples = timestamps_ms.chunks(RECORD_SAMPLES_MAX).zip(values.chunks(RECORD_SAMPLES_MAX));
        for (series, (timestamps_ms, values)) in series.zip(samples) {
            self.record(|out| {
                let mut encoder = SamplesEncoder::begin(out, *base_ms);
                for ((series, timestamp_ms), value) in series.iter().zip(timestamps_ms).zip(values) {
                    encoder.push(*series, *timestamp_ms, *value);
                }
                encoder.finish();
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain(std::iter::once(self.bytes.len()));
        let frames = starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end));
        frames.filter(|frame| !frame.is_empty())
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES_MAX);
        self.cuts.clear();
    }

    /// Puts what another buffer holds from its frame number `written` on before this one's content.
    ///
    /// Its frames stay as they are, none is extended: the one whose write failed may be on the disk
    /// all the same, and is then overwritten by its equal instead of being there twice.
    pub(super) fn put_back(&mut self, mut earlier: Self, written: usize) {
        let start = written.checked_sub(1).and_then(|last| earlier.cuts.get(last)).copied().unwrap_or(0);
        earlier.bytes.drain(..start);
        earlier.cuts = earlier.cuts.iter().skip(written).map(|cut| cut - start).collect();
        let joint = earlier.bytes.len();
        earlier.cuts.push(joint);
        earlier.cuts.extend(self.cuts.iter().map(|cut| cut + joint));
        earlier.bytes.append(&mut self.bytes);
        *self = earlier;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(records: &[Vec<u8>]) -> LogBuffer {
        let mut buffer = LogBuffer::new(100);
        for record in records {
            buffer.record(|out| out.extend_from_slice(record));
        }
        buffer
    }

    proptest! {
        #[test]
        fn what_could_not_be_written_stays_first_in_line(
            earlier in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 1..30),
            later in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..30),
            written: proptest::sample::Index,
        ) {
            let batch = filled(&earlier);
            let written = written.index(batch.frames().count());
            let mut expected: Vec<Vec<u8>> = batch.frames().skip(written).map(<[u8]>::to_vec).collect();
            let mut pending = filled(&later);
            expected.extend(pending.frames().map(<[u8]>::to_vec));
            pending.put_back(batch, written);
            prop_assert_eq!(pending.frames().map(<[u8]>::to_vec).collect::<Vec<_>>(), &expected[..]);
            pending.record(|out| out.push(1));
            if later.is_empty() || pending.frames().count() > expected.len() {
                expected.push(vec![1]);
            } else if let Some(last) = expected.last_mut() {
                last.push(1);
            }
            prop_assert!(pending.frames().all(|frame| frame.len() <= 100));
            prop_assert_eq!(pending.frames().map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
        }
    }
}
