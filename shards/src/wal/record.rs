//! WAL records: what a frame's payload is made of.
//!
//! | size | field   | encoding | notes                           |
//! |-----:|---------|----------|---------------------------------|
//! |    1 | kind    | u8       | below                           |
//! |  1-5 | length  | uvarint  | bytes of the payload            |
//! |    n | payload |          | by kind                         |
//!
//! | kind | record   | payload                                                                    |
//! |-----:|----------|----------------------------------------------------------------------------|
//! |    1 | series   | uvarint series ref; the rest: canonical label bytes                        |
//! |    2 | samples  | varint base timestamp, then until the end per sample: varint ref minus the previous sample's (first: minus 0), varint timestamp minus the previous one's (first: minus the base), 8 bytes value, IEEE 754 bits little-endian |
//! |    3 | metadata | u8 metric type, then metric name, help and unit, each with a uvarint length before it |
//! |    4 | delete   | uvarint id, uvarint sequence, varint start, varint end (exclusive), uvarint number of matchers; per matcher operator, name and value, each UTF-8 with a uvarint length before it |
//! |    5 | reserved | series removal                                                             |
//! |  6-8 | extras   | histograms, exemplars, start timestamps, see [`super::extras`]             |
//!
//! `varint` is zigzag LEB128. A record of an unknown kind is skipped and counted.

#![deny(clippy::indexing_slicing)]

use super::extras::{Extras, read_extras};
use crate::codec::varint::{VARINT_LEN_MAX, put_uvarint, put_varint, unzigzag, zigzag};
use crate::codec::{Cursor, Truncated};
use crate::limits::{LABELS_BYTES_MAX, METADATA_BYTES_MAX, WAL_SEGMENT_BYTES_MIN};
use crate::model::{Delete, MatchOp, Matcher, Metadata, MetricType, SeriesRef, TimeRange};

const KIND_SERIES: u8 = 1;
const KIND_SAMPLES: u8 = 2;
const KIND_METADATA: u8 = 3;
const KIND_DELETE: u8 = 4;

/// Samples of one record; more become several records.
pub const RECORD_SAMPLES_MAX: usize = 8192;
/// Bytes of the longest encoding of one sample.
const SAMPLE_LEN_MAX: usize = 5 + VARINT_LEN_MAX + 8;
/// Bytes of a sample whose neighbour was written at nearly the same time.
const SAMPLE_LEN_MIN: usize = 1 + 1 + 8;
/// Bytes of the longest record, with kind and length.
pub const RECORD_LEN_MAX: usize = 320 << 10;

const _: () = assert!(RECORD_SAMPLES_MAX * SAMPLE_LEN_MAX + 32 < RECORD_LEN_MAX);
const _: () = assert!(LABELS_BYTES_MAX + 32 < RECORD_LEN_MAX);
const _: () = assert!(METADATA_BYTES_MAX + 32 < RECORD_LEN_MAX);
const _: () = assert!((RECORD_LEN_MAX as u64) < WAL_SEGMENT_BYTES_MIN / 2);

/// A record as it is read; borrows the frame.
#[derive(Debug, Clone)]
pub enum Record<'a> {
    Series { series: SeriesRef, labels: &'a [u8] },
    Samples(Samples<'a>),
    Metadata(Metadata),
    Delete(Delete),
    Extras { series: SeriesRef, extras: Extras },
    Unknown { kind: u8 },
}

/// One sample of a samples record.
#[derive(Debug, Clone, Copy)]
pub struct SampleEntry {
    pub series: SeriesRef,
    pub timestamp_ms: i64,
    pub value: f64,
}

/// Appends a series record.
pub fn put_series(out: &mut Vec<u8>, series: SeriesRef, labels: &[u8]) {
    assert!(labels.len() <= LABELS_BYTES_MAX, "{} label bytes were checked on first sight", labels.len());
    let ref_len = crate::codec::varint::uvarint_len(u64::from(series.0));
    out.push(KIND_SERIES);
    put_uvarint(out, (ref_len + labels.len()) as u64);
    put_uvarint(out, u64::from(series.0));
    out.extend_from_slice(labels);
}

/// Appends a record of a kind with its payload.
pub(super) fn put_record(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    put_uvarint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends a metadata record.
pub fn put_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    let mut payload = vec![metadata.metric_type as u8];
    for text in [&metadata.metric, &metadata.help, &metadata.unit] {
        put_uvarint(&mut payload, text.len() as u64);
        payload.extend_from_slice(text.as_bytes());
    }
    assert!(payload.len() <= METADATA_BYTES_MAX + 32, "metadata texts were checked before");
    put_record(out, KIND_METADATA, &payload);
}

/// Bytes of the matchers of one delete.
pub const DELETE_MATCHERS_BYTES_MAX: usize = 64 << 10;
const DELETE_MATCHERS_MAX: u64 = 256;

/// Appends a delete record; its matchers are within the limits.
pub fn put_delete(out: &mut Vec<u8>, delete: &Delete) {
    let mut payload = Vec::new();
    put_uvarint(&mut payload, delete.id);
    put_uvarint(&mut payload, delete.sequence);
    put_varint(&mut payload, delete.range.start_ms);
    put_varint(&mut payload, delete.range.end_ms);
    put_uvarint(&mut payload, delete.matchers.len() as u64);
    for matcher in &delete.matchers {
        for text in [matcher.op().as_str(), matcher.name(), matcher.value()] {
            put_uvarint(&mut payload, text.len() as u64);
            payload.extend_from_slice(text.as_bytes());
        }
    }
    put_record(out, KIND_DELETE, &payload);
}

fn read_delete(payload: &mut Cursor<'_>, start: Truncated) -> Result<Delete, Truncated> {
    let (id, sequence) = (payload.uvarint()?, payload.uvarint()?);
    let range = TimeRange::new(payload.varint()?, payload.varint()?);
    let count = payload.uvarint()?;
    if count > DELETE_MATCHERS_MAX {
        return Err(start);
    }
    let mut matchers = Vec::new();
    for _ in 0..count {
        let mut text = || -> Result<&str, Truncated> {
            std::str::from_utf8(payload.length_prefixed()?).map_err(|_| start)
        };
        let op = MatchOp::from_text(text()?).ok_or(start)?;
        let (name, value) = (text()?, text()?);
        matchers.push(Matcher::new(op, name, value).map_err(|_| start)?);
    }
    Ok(Delete { id, sequence, range, matchers })
}

/// Appends one samples record, sample by sample.
pub struct SamplesEncoder<'a> {
    out: &'a mut Vec<u8>,
    length_at: usize,
    previous_ref: u32,
    previous_ms: i64,
    count: usize,
}

/// The length of a samples record is written afterwards, in this many bytes.
const LENGTH_LEN: usize = 3;
const _: () = assert!(RECORD_LEN_MAX < 1 << (7 * LENGTH_LEN));

impl<'a> SamplesEncoder<'a> {
    pub fn begin(out: &'a mut Vec<u8>, base_ms: i64) -> Self {
        out.push(KIND_SAMPLES);
        let length_at = out.len();
        out.extend_from_slice(&[0; LENGTH_LEN]);
        put_varint(out, base_ms);
        Self { out, length_at, previous_ref: 0, previous_ms: base_ms, count: 0 }
    }

    #[inline]
    pub fn push(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) {
        self.count += 1;
        let ref_delta = zigzag(i64::from(series.0) - i64::from(self.previous_ref));
        let ms_delta = zigzag(timestamp_ms.wrapping_sub(self.previous_ms));
        let value = value.to_bits().to_le_bytes();
        if (ref_delta | ms_delta) < 0x80 {
            // Neighbours of one scrape: one store of ten bytes.
            let [a, b, c, d, e, f, g, h] = value;
            self.out.extend_from_slice(&[ref_delta as u8, ms_delta as u8, a, b, c, d, e, f, g, h]);
        } else {
            self.out.reserve(SAMPLE_LEN_MAX);
            put_uvarint(self.out, ref_delta);
            put_uvarint(self.out, ms_delta);
            self.out.extend_from_slice(&value);
        }
        self.previous_ref = series.0;
        self.previous_ms = timestamp_ms;
    }

    pub fn finish(self) {
        assert!(self.count <= RECORD_SAMPLES_MAX, "{} samples in one record", self.count);
        let length = self.out.len() - self.length_at - LENGTH_LEN;
        let bytes = [(length as u8) | 0x80, ((length >> 7) as u8) | 0x80, (length >> 14) as u8];
        for (slot, byte) in self.out.iter_mut().skip(self.length_at).zip(bytes) {
            *slot = byte;
        }
    }
}

/// Reads the next record of a frame's payload; `None` at its end.
pub fn next_record<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Record<'a>>, Truncated> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let start = Truncated { offset: cursor.position() };
    let kind = cursor.u8()?;
    let mut payload = Cursor::new(cursor.length_prefixed()?);
    let record = match kind {
        KIND_SERIES => {
            let series = SeriesRef(u32::try_from(payload.uvarint()?).map_err(|_| start)?);
            Record::Series { series, labels: payload.take(payload.remaining())? }
        }
        KIND_SAMPLES => {
            let previous_ms = payload.varint()?;
            Record::Samples(Samples { payload, previous_ref: 0, previous_ms })
        }
        KIND_METADATA => {
            let metric_type = MetricType::from_number(u64::from(payload.u8()?));
            let mut text = || -> Result<String, Truncated> {
                let bytes = payload.length_prefixed()?;
                Ok(std::str::from_utf8(bytes).map_err(|_| start)?.to_owned())
            };
            Record::Metadata(Metadata { metric: text()?, metric_type, help: text()?, unit: text()? })
        }
        KIND_DELETE => Record::Delete(read_delete(&mut payload, start)?),
        kind => match read_extras(kind, &mut payload, start)? {
            Some((series, extras)) => Record::Extras { series, extras },
            None => Record::Unknown { kind },
        },
    };
    Ok(Some(record))
}

/// The samples of a record, in the order they were written.
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    payload: Cursor<'a>,
    previous_ref: i64,
    previous_ms: i64,
}

impl Iterator for Samples<'_> {
    type Item = Result<SampleEntry, Truncated>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.payload.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.payload = Cursor::new(&[]);
        }
        Some(entry)
    }
}

impl Samples<'_> {
    /// Most samples that there can be.
    #[must_use]
    pub fn len_max(&self) -> usize {
        self.payload.remaining() / SAMPLE_LEN_MIN
    }

    #[inline(always)]
    fn entry(&mut self) -> Result<SampleEntry, Truncated> {
        // Neighbours of one scrape: all of it in one step.
        if let Some([series, ms, value @ ..]) = self.payload.peek::<SAMPLE_LEN_MIN>()
            && (series | ms) < 0x80
            && let Ok(number) = u32::try_from(self.previous_ref + unzigzag(u64::from(*series)))
        {
            self.previous_ref = i64::from(number);
            self.previous_ms = self.previous_ms.wrapping_add(unzigzag(u64::from(*ms)));
            let value = f64::from_bits(u64::from_le_bytes(*value));
            self.payload.take(SAMPLE_LEN_MIN)?;
            return Ok(SampleEntry { series: SeriesRef(number), timestamp_ms: self.previous_ms, value });
        }
        let start = Truncated { offset: self.payload.position() };
        self.previous_ref = self.previous_ref.checked_add(self.payload.varint()?).ok_or(start)?;
        let series = SeriesRef(u32::try_from(self.previous_ref).map_err(|_| start)?);
        self.previous_ms = self.previous_ms.wrapping_add(self.payload.varint()?);
        let value = f64::from_bits(self.payload.u64_le()?);
        Ok(SampleEntry { series, timestamp_ms: self.previous_ms, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Result<Vec<Record<'_>>, Truncated> {
        let mut cursor = Cursor::new(bytes);
        let mut records = Vec::new();
        while let Some(record) = next_record(&mut cursor)? {
            records.push(record);
        }
        Ok(records)
    }

    proptest! {
        #[test]
        fn samples_round_trip(samples: Vec<(u32, i64, u64)>, base: i64) {
            let mut bytes = Vec::new();
            let mut encoder = SamplesEncoder::begin(&mut bytes, base);
            for (series, timestamp_ms, bits) in &samples {
                encoder.push(SeriesRef(*series), *timestamp_ms, f64::from_bits(*bits));
            }
            encoder.finish();
            let records = read_all(&bytes).unwrap();
            let [Record::Samples(read)] = &records[..] else { panic!("one samples record: {records:?}") };
            let read: Vec<_> = read.clone().map(|entry| entry.unwrap()).map(|e| (e.series.0, e.timestamp_ms, e.value.to_bits())).collect();
            prop_assert_eq!(read, samples);
        }

        #[test]
        fn series_and_metadata_round_trip(series: u32, labels: Vec<u8>, metric: String, help: String, unit: String) {
            let mut bytes = Vec::new();
            put_series(&mut bytes, SeriesRef(series), &labels);
            let metadata = Metadata { metric, metric_type: MetricType::Summary, help, unit };
            put_metadata(&mut bytes, &metadata);
            let records = read_all(&bytes).unwrap();
            let [Record::Series { series: read, labels: bytes }, Record::Metadata(described)] = &records[..] else { panic!("{records:?}") };
            prop_assert_eq!((read.0, *bytes), (series, &labels[..]));
            prop_assert_eq!(described, &metadata);
        }

        #[test]
        fn deletes_round_trip(id: u64, sequence: u64, start: i64, end: i64, names in proptest::collection::vec(".{0,20}", 0..5)) {
            let matchers = names.iter().map(|name| Matcher::new(MatchOp::NotEqual, name, "value").unwrap()).collect();
            let delete = Delete { id, sequence, range: TimeRange::new(start, end), matchers };
            let mut bytes = Vec::new();
            put_delete(&mut bytes, &delete);
            let records = read_all(&bytes).unwrap();
            let [Record::Delete(read)] = &records[..] else { panic!("{records:?}") };
            prop_assert_eq!((read.id, read.sequence, read.range), (id, sequence, delete.range));
            prop_assert!(read.matchers.iter().map(|matcher| matcher.name()).eq(names.iter().map(String::as_str)));
        }

        #[test]
        fn records_of_later_versions_are_stepped_over(kind in 9_u8.., payload: Vec<u8>) {
            let mut bytes = vec![kind];
            put_uvarint(&mut bytes, payload.len() as u64);
            bytes.extend_from_slice(&payload);
            put_series(&mut bytes, SeriesRef(5), b"labels");
            let records = read_all(&bytes).unwrap();
            let [Record::Unknown { kind: read }, Record::Series { series: SeriesRef(5), .. }] = &records[..] else {
                panic!("{records:?}")
            };
            prop_assert_eq!(*read, kind);
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while let Ok(Some(record)) = next_record(&mut cursor) {
                if let Record::Samples(samples) = record {
                    samples.for_each(drop);
                }
            }
        }
    }
}
