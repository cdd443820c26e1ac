//! Remote write 1.0: a snappy block of a `prometheus.WriteRequest` to staged batches.
//!
//! | message        | fields read                                                         |
//! |----------------|---------------------------------------------------------------------|
//! | `WriteRequest` | 1 time series, 3 metadata                                           |
//! | `TimeSeries`   | 1 labels, 2 samples, 3 exemplars (counted), 4 histograms (counted)  |
//! | `Sample`       | 1 value (double), 2 timestamp (int64, ms)                           |
//! | metadata       | 1 type, 2 metric family, 4 help, 5 unit                             |
//!
//! Fields come in any order; unknown ones are skipped by their wire type. Labels are not looked into:
//! only their extent is found, and its bytes are hashed. Labels that do not lie side by side are
//! copied together behind the body first. Nothing is allocated per label or per sample.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

#[cfg(test)]
mod tests;

use bytes::Bytes;
use shards::codec::Cursor;
use shards::limits::METADATA_BYTES_MAX;
use shards::model::{KeyHasher, Metadata, MetricType, SampleBatch};

use crate::ingest::batch::WriteRequest;
use crate::ingest::body::BodyPool;
use crate::ingest::error::DecodeError;
use crate::ingest::limits::{DecodeLimits, METADATA_PER_REQUEST_MAX, SNAPPY_RATIO_MAX};
use crate::ingest::refusal::RefuseReason;
use crate::ingest::wire::{Payload, WireFault, payload, short_varint, skip_short_fields};

const TAG_TIMESERIES: u64 = 1 << 3 | 2;
const TAG_METADATA: u64 = 3 << 3 | 2;
const TAG_LABEL: u64 = 1 << 3 | 2;
const TAG_SAMPLE: u64 = 2 << 3 | 2;
const TAG_EXEMPLAR: u64 = 3 << 3 | 2;
const TAG_HISTOGRAM: u64 = 4 << 3 | 2;
const TAG_VALUE: u64 = 1 << 3 | 1;
const TAG_TIMESTAMP: u64 = 2 << 3;

const TAG_LABEL_BYTE: u8 = 0x0a;
const TAG_SAMPLE_BYTE: u8 = 0x12;
const TAG_VALUE_BYTE: u8 = 0x09;
const TAG_TIMESTAMP_BYTE: u8 = 0x10;
const _: () = assert!(TAG_LABEL_BYTE as u64 == TAG_LABEL);
const _: () = assert!(TAG_SAMPLE_BYTE as u64 == TAG_SAMPLE);
const _: () = assert!(TAG_VALUE_BYTE as u64 == TAG_VALUE);
const _: () = assert!(TAG_TIMESTAMP_BYTE as u64 == TAG_TIMESTAMP);

/// A label whose name is `__name__`, from the name's tag on.
const METRIC_NAME_FIELD: &[u8] = b"\x0a\x08__name__\x12";

const WRONG_WIRE_TYPE: &str = "field of another wire type than the message has";

/// Decodes requests for the shards of one data directory. Holds buffers that are used again, so a
/// core keeps one for all its requests.
#[derive(Debug)]
pub struct Decoder {
    hasher: KeyHasher,
    shards: u16,
    limits: DecodeLimits,
    snappy: snap::raw::Decoder,
    bodies: BodyPool,
    shape: Shape,
    /// Samples of the series at hand.
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
}

impl Decoder {
    #[must_use]
    pub fn new(hasher: KeyHasher, shards: u16, limits: DecodeLimits) -> Self {
        assert!(shards > 0, "a data directory has at least one shard");
        Self {
            hasher,
            shards,
            limits,
            snappy: snap::raw::Decoder::new(),
            bodies: BodyPool::default(),
            shape: Shape::TYPICAL,
            timestamps_ms: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Decodes the body of a request as it came over the network.
    pub fn decode(&mut self, compressed: &[u8]) -> Result<WriteRequest, DecodeError> {
        let snappy_error = |error: snap::Error| DecodeError::Snappy {
            compressed: compressed.len(),
            reason: error.to_string(),
        };
        if compressed.is_empty() {
            return Err(snappy_error(snap::Error::Empty));
        }
        let declared = snap::raw::decompress_len(compressed).map_err(snappy_error)?;
        let max = self.limits.decoded_bytes_effective();
        if declared > max {
            return Err(DecodeError::TooLarge { declared, max });
        }
        if declared / SNAPPY_RATIO_MAX > compressed.len() {
            return Err(DecodeError::Bomb { declared, compressed: compressed.len() });
        }
        let mut body = self.bodies.take(declared);
        let len = self.snappy.decompress(compressed, body.as_mut_slice()).map_err(snappy_error)?;
        assert_eq!(len, declared, "snappy yields what it declares or fails");

        let mut walk = Walk::new(self, declared);
        walk.write_request(body.as_ref())?;
        let (mut request, gathered) = (walk.request, walk.gathered);
        self.shape = Shape::of(&request, declared);
        if !gathered.is_empty() {
            body.append(&gathered);
        }
        let label_bytes = Bytes::from_owner(body);
        for batch in &mut request.batches {
            batch.set_label_bytes(label_bytes.clone());
        }
        Ok(request)
    }
}

/// How many series and samples a body of some size had: a sender's next one will be alike.
#[derive(Debug, Clone, Copy)]
struct Shape {
    bytes: usize,
    series: usize,
    samples: usize,
}

impl Shape {
    const TYPICAL: Self = Self { bytes: 250, series: 1, samples: 1 };
    /// Smaller requests say nothing about the next one.
    const SERIES_MIN: u64 = 64;

    /// Smaller parts are left to grow.
    const EXPECTED_MIN: usize = 4;

    fn of(request: &WriteRequest, bytes: usize) -> Self {
        match (usize::try_from(request.series), usize::try_from(request.samples)) {
            (Ok(series), Ok(samples)) if request.series >= Self::SERIES_MIN => {
                Self { bytes, series, samples }
            }
            _ => Self::TYPICAL,
        }
    }

    /// Room in a batch for its part of a body with so many bytes, and a little more.
    fn room(self, count: usize, bytes: usize, shards: u16) -> usize {
        let expected = count.saturating_mul(bytes) / self.bytes.max(1) / usize::from(shards.max(1));
        // With many shards and few series, most batches stay empty.
        if expected < Self::EXPECTED_MIN { 0 } else { expected + expected / 16 + 16 }
    }
}

/// One pass over an uncompressed body.
struct Walk<'d> {
    hasher: &'d KeyHasher,
    shards: u16,
    limits: DecodeLimits,
    timestamps_ms: &'d mut Vec<i64>,
    values: &'d mut Vec<f64>,
    body_len: usize,
    /// Labels copied together; their offsets go on where the body ends.
    gathered: Vec<u8>,
    series_seen: usize,
    samples_seen: usize,
    request: WriteRequest,
}

impl<'d> Walk<'d> {
    fn new(decoder: &'d mut Decoder, body_len: usize) -> Self {
        let (shape, shards, limits) = (decoder.shape, decoder.shards, decoder.limits);
        let series = shape.room(shape.series, body_len, shards).min(limits.series);
        let samples = shape.room(shape.samples, body_len, shards).min(limits.samples);
        let mut batches = vec![SampleBatch::default(); usize::from(shards)];
        for batch in &mut batches {
            batch.reserve(series, samples);
        }
        Self {
            hasher: &decoder.hasher,
            shards,
            limits,
            timestamps_ms: &mut decoder.timestamps_ms,
            values: &mut decoder.values,
            body_len,
            gathered: Vec::new(),
            series_seen: 0,
            samples_seen: 0,
            request: WriteRequest { batches, ..WriteRequest::default() },
        }
    }

    fn write_request(&mut self, body: &[u8]) -> Result<(), DecodeError> {
        let outside =
            |fault: WireFault| DecodeError::Protobuf { what: fault.what, offset: fault.offset, series: None };
        let mut cursor = Cursor::new(body);
        while !cursor.is_empty() {
            let offset = cursor.position();
            let tag = cursor.uvarint().map_err(|fault| outside(fault.into()))?;
            if tag == TAG_TIMESERIES {
                let message = cursor.length_prefixed().map_err(|fault| outside(fault.into()))?;
                let base = cursor.position() - message.len();
                self.timeseries(body, base, message)?;
            } else if tag == TAG_METADATA {
                let message = cursor.length_prefixed().map_err(|fault| outside(fault.into()))?;
                let base = cursor.position() - message.len();
                self.metadata(message)
                    .map_err(|fault| outside(WireFault { offset: base + fault.offset, ..fault }))?;
            } else {
                unknown(&mut cursor, tag, offset, &[1, 3]).map_err(outside)?;
            }
        }
        self.request.series = self.series_seen as u64;
        self.request.samples = self.request.batches.iter().map(|batch| batch.sample_count() as u64).sum();
        Ok(())
    }

    fn timeseries(&mut self, body: &[u8], base: usize, message: &[u8]) -> Result<(), DecodeError> {
        if self.series_seen == self.limits.series {
            return Err(DecodeError::TooManySeries { max: self.limits.series });
        }
        let series = self.series_seen;
        self.series_seen += 1;
        let rest = body.get(base..).unwrap_or_default();
        let found = match self.usual_fields(rest, message.len()) {
            Some(found) => found,
            None => self.fields(message).map_err(|fault| DecodeError::Protobuf {
                what: fault.what,
                offset: base + fault.offset,
                series: Some(series),
            })?,
        };
        self.samples_seen += self.values.len();
        if self.samples_seen > self.limits.samples {
            return Err(DecodeError::TooManySamples { max: self.limits.samples });
        }
        self.stage(message, base, &found);
        Ok(())
    }

    /// Reads a message of the usual form: first the labels, then the samples, both as all common
    /// senders write them, and nothing else. Gives up, and says so, where that ends. The message is
    /// the first `len` bytes of `rest`, whose other bytes are read along but not looked at.
    #[inline]
    fn usual_fields(&mut self, rest: &[u8], len: usize) -> Option<Found> {
        self.timestamps_ms.clear();
        self.values.clear();
        let message = rest.get(..len)?;
        let mut at = 0;
        loop {
            at = skip_short_fields(message, at, TAG_LABEL_BYTE);
            // A label of 128 to 16383 bytes.
            let head = message.get(at..)?.first_chunk();
            let Some([TAG_LABEL_BYTE, low @ 0x80..=0xff, high @ 0..=0x7f]) = head else { break };
            at += 3 + usize::from(low & 0x7f) + (usize::from(*high) << 7);
        }
        let labels_end = at;
        while at < len {
            let (timestamp_ms, value, sample_len) = usual_sample(rest.get(at..)?)?;
            self.timestamps_ms.push(timestamp_ms);
            self.values.push(value);
            at += sample_len;
        }
        (at == len).then_some(Found { labels_start: 0, labels_end, scattered: false, histograms: 0 })
    }

    /// Finds the extent of the labels and collects the samples.
    fn fields(&mut self, message: &[u8]) -> Result<Found, WireFault> {
        self.timestamps_ms.clear();
        self.values.clear();
        let room = self.limits.samples - self.samples_seen;
        let mut found = Found::default();
        let mut cursor = Cursor::new(message);
        while !cursor.is_empty() {
            let offset = cursor.position();
            let tag = cursor.uvarint()?;
            if tag == TAG_LABEL {
                cursor.length_prefixed()?;
                if found.labels_end == 0 {
                    found.labels_start = offset;
                } else if found.labels_end != offset {
                    found.scattered = true;
                }
                found.labels_end = cursor.position();
            } else if tag == TAG_SAMPLE {
                let sample = cursor.length_prefixed()?;
                let base = cursor.position() - sample.len();
                let (timestamp_ms, value) = sample_fields(sample)
                    .map_err(|fault| WireFault { offset: base + fault.offset, ..fault })?;
                if self.values.len() <= room {
                    self.timestamps_ms.push(timestamp_ms);
                    self.values.push(value);
                }
            } else if tag == TAG_EXEMPLAR {
                cursor.length_prefixed()?;
                self.request.exemplars_ignored += 1;
            } else if tag == TAG_HISTOGRAM {
                cursor.length_prefixed()?;
                found.histograms += 1;
            } else {
                unknown(&mut cursor, tag, offset, &[1, 2, 3, 4])?;
            }
        }
        Ok(found)
    }

    /// Puts the series at hand into the batch of its owner.
    fn stage(&mut self, message: &[u8], base: usize, found: &Found) {
        if self.values.is_empty() && found.histograms == 0 {
            return;
        }
        let gathered_from = self.gathered.len();
        let labels = if found.scattered {
            gather(message, &mut self.gathered);
            self.gathered.get(gathered_from..).unwrap_or_default()
        } else {
            message.get(found.labels_start..found.labels_end).unwrap_or_default()
        };
        let start = if found.scattered { self.body_len + gathered_from } else { base + found.labels_start };
        if found.histograms > 0 {
            self.request.refused.refuse(RefuseReason::HistogramUnsupported, labels, None, found.histograms);
        }
        if self.values.is_empty() {
            return;
        }
        if !has_metric_name(labels) {
            let samples = self.values.len() as u64;
            self.request.refused.refuse(RefuseReason::MissingMetricName, labels, None, samples);
            return;
        }
        let key = self.hasher.key(labels);
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(start + labels.len())) else {
            // Not reached: `decoded_bytes_effective` keeps twice the body below 4 GiB.
            return;
        };
        if let Some(batch) = self.request.batches.get_mut(key.shard(self.shards).index()) {
            batch.push_series(key, start, end);
            match (self.timestamps_ms.as_slice(), self.values.as_slice()) {
                // By far the most frequent case, and a call cheaper.
                ([timestamp_ms], [value]) => batch.push_sample(*timestamp_ms, *value),
                (timestamps_ms, values) => batch.extend_samples(timestamps_ms, values),
            }
        }
    }

    fn metadata(&mut self, message: &[u8]) -> Result<(), WireFault> {
        let mut cursor = Cursor::new(message);
        let (mut kind, mut metric, mut help, mut unit) = (0, &[][..], &[][..], &[][..]);
        while !cursor.is_empty() {
            let offset = cursor.position();
            let tag = cursor.uvarint()?;
            match (tag >> 3, payload(&mut cursor, tag, offset)?) {
                (1, Payload::Varint(number)) => kind = number,
                (2, Payload::Bytes(bytes)) => metric = bytes,
                (4, Payload::Bytes(bytes)) => help = bytes,
                (5, Payload::Bytes(bytes)) => unit = bytes,
                (1 | 2 | 4 | 5, _) => return Err(WireFault { offset, what: WRONG_WIRE_TYPE }),
                _ => {}
            }
        }
        let fits = !metric.is_empty()
            && metric.len() + help.len() + unit.len() <= METADATA_BYTES_MAX
            && self.request.metadata.len() < METADATA_PER_REQUEST_MAX;
        let texts = (std::str::from_utf8(metric), std::str::from_utf8(help), std::str::from_utf8(unit));
        if let (true, (Ok(metric), Ok(help), Ok(unit))) = (fits, texts) {
            self.request.metadata.push(Metadata {
                metric: metric.to_owned(),
                metric_type: MetricType::from_number(kind),
                help: help.to_owned(),
                unit: unit.to_owned(),
            });
        } else {
            self.request.metadata_ignored += 1;
        }
        Ok(())
    }
}

/// What a series message holds besides its samples; offsets are in the message.
#[derive(Debug, Default)]
struct Found {
    labels_start: usize,
    /// 0 until the first label is seen.
    labels_end: usize,
    /// Other fields lie between the labels.
    scattered: bool,
    histograms: u64,
}

/// Time and value of a sample at the beginning of `bytes`, and the length of its field, if it has both
/// in the usual order and the time in at most eight bytes.
#[inline]
fn usual_sample(bytes: &[u8]) -> Option<(i64, f64, usize)> {
    let (head, rest) = bytes.split_first_chunk::<12>()?;
    let [TAG_SAMPLE_BYTE, len, TAG_VALUE_BYTE, value @ .., TAG_TIMESTAMP_BYTE] = head else { return None };
    let word = match rest.first_chunk::<8>() {
        Some(word) => u64::from_le_bytes(*word),
        // The end of the body is near.
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    // Beside the varint: two tags and the value.
    let varint_len = u32::from(*len).checked_sub(10)?;
    let timestamp_ms = short_varint(word, varint_len)?.cast_signed();
    Some((timestamp_ms, f64::from_le_bytes(*value), 2 + usize::from(*len)))
}

/// Time and value of a sample. Absent fields are zero, of repeated ones the last counts.
#[inline]
fn sample_fields(message: &[u8]) -> Result<(i64, f64), WireFault> {
    let (mut timestamp_ms, mut value) = (0, 0.0);
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let offset = cursor.position();
        let tag = cursor.uvarint()?;
        if tag == TAG_VALUE {
            value = f64::from_bits(cursor.u64_le()?);
        } else if tag == TAG_TIMESTAMP {
            timestamp_ms = cursor.uvarint()?.cast_signed();
        } else {
            unknown(&mut cursor, tag, offset, &[1, 2])?;
        }
    }
    Ok((timestamp_ms, value))
}

/// Skips a field whose tag is none of those looked for; one with a `known` number has a wrong type.
#[cold]
fn unknown(cursor: &mut Cursor<'_>, tag: u64, offset: usize, known: &[u64]) -> Result<(), WireFault> {
    payload(cursor, tag, offset)?;
    if known.contains(&(tag >> 3)) {
        return Err(WireFault { offset, what: WRONG_WIRE_TYPE });
    }
    Ok(())
}

/// Copies the labels of a message, which was read without a fault, side by side.
#[cold]
fn gather(message: &[u8], out: &mut Vec<u8>) {
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let offset = cursor.position();
        let Ok(tag) = cursor.uvarint() else { return };
        if payload(&mut cursor, tag, offset).is_err() {
            return;
        }
        if tag == TAG_LABEL {
            out.extend_from_slice(message.get(offset..cursor.position()).unwrap_or_default());
        }
    }
}

/// Whether a label `__name__` is there, not empty as far as this can tell. It is nearly always the
/// first; label bytes that cannot be read are for the owner shard to refuse.
#[inline]
fn has_metric_name(labels: &[u8]) -> bool {
    // The label's length takes one byte up to 127 and two up to 16383.
    let at = if labels.get(1).is_some_and(|len| *len < 0x80) { 2 } else { 3 };
    let first = labels.get(at..at + METRIC_NAME_FIELD.len());
    first.is_some_and(|bytes| bytes == METRIC_NAME_FIELD) || search_metric_name(labels)
}

#[cold]
fn search_metric_name(labels: &[u8]) -> bool {
    let mut cursor = Cursor::new(labels);
    while !cursor.is_empty() {
        let (Ok(_), Ok(label)) = (cursor.uvarint(), cursor.length_prefixed()) else { return true };
        let mut fields = Cursor::new(label);
        while !fields.is_empty() {
            let offset = fields.position();
            let Ok(tag) = fields.uvarint() else { return true };
            match payload(&mut fields, tag, offset) {
                Ok(Payload::Bytes(b"__name__")) if tag == TAG_LABEL => return true,
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }
    false
}
