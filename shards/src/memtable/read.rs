//! Reading a series out of generations into two columns: sorted, unique, the newest write wins.

use crate::chunk::decode_words;
use crate::model::columns::{merge_newer, trim};
use crate::model::{SeriesRef, TimeRange};

use super::generation::Generation;
use super::sealed::{NONE, SealedChunk};
use super::series::Head;

impl Generation {
    /// Appends the series' samples of the range to the columns, in order of time.
    pub fn read(
        &self,
        series: SeriesRef,
        range: TimeRange,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        let Some(head) = self.head(series) else { return };
        if range.is_empty() || !range.overlaps_inclusive(head.min_ms(&self.extras), head.max_ms()) {
            return;
        }
        let base = timestamps_ms.len();
        self.read_chunks(head, range, timestamps_ms, values);
        trim(base, range, timestamps_ms, values);
        if let Some(ooo) = self.ooo_of(head) {
            let (mut late_ms, mut late_values) = (Vec::new(), Vec::new());
            ooo.read(range, &mut late_ms, &mut late_values);
            trim(0, range, &mut late_ms, &mut late_values);
            merge_newer(base, timestamps_ms, values, &late_ms, &late_values);
        }
    }

    /// Appends the chunks that overlap the range.
    fn read_chunks(
        &self,
        head: &Head,
        range: TimeRange,
        timestamps_ms: &mut Vec<i64>,
        values: &mut Vec<f64>,
    ) {
        let mut chunks = Vec::new();
        let mut index = self.sealed_of(head);
        while index != NONE
            && let Some(chunk) = self.sealed.get(index)
            && chunk.last_ms >= range.start_ms
        {
            if chunk.first_ms < range.end_ms {
                chunks.push(chunk);
            }
            index = chunk.previous;
        }
        for chunk in chunks.iter().rev() {
            self.sealed.decode(chunk, timestamps_ms, values);
        }
        let newest_sealed = self.sealed.get(self.sealed_of(head)).map_or(i64::MIN, |chunk| chunk.last_ms);
        if head.max_ms() >= range.start_ms && newest_sealed < range.end_ms {
            self.decode_open(head, timestamps_ms, values);
        }
    }

    fn decode_open(&self, head: &Head, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        let mut words = Vec::new();
        head.gather(&self.segments, &mut words);
        let chunk = head.chunk();
        let (len_bits, count) = (usize::from(chunk.len_bits()), u16::from(chunk.count()));
        let decoded = decode_words(&words, len_bits, count, timestamps_ms, values);
        assert!(decoded.is_ok(), "open chunk of {count} samples: {decoded:?}");
    }

    /// Value bits at a timestamp in the chunks, late samples left aside.
    pub(super) fn value_in_chunks(&self, head: &Head, timestamp_ms: i64) -> Option<u64> {
        if timestamp_ms == head.max_ms() {
            return Some(head.last_bits());
        }
        let mut holder: Option<&SealedChunk> = None;
        let mut index = self.sealed_of(head);
        while let Some(chunk) = self.sealed.get(index)
            && chunk.last_ms >= timestamp_ms
        {
            holder = Some(chunk);
            index = chunk.previous;
        }
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        match holder {
            Some(chunk) if chunk.first_ms > timestamp_ms => return None,
            Some(chunk) => self.sealed.decode(chunk, &mut timestamps, &mut values),
            None => self.decode_open(head, &mut timestamps, &mut values),
        }
        let at = timestamps.binary_search(&timestamp_ms).ok()?;
        values.get(at).map(|value| value.to_bits())
    }
}
