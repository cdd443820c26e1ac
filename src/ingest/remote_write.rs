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

use bytes::Bytes;
use shards::codec::Cursor;
use shards::limits::METADATA_BYTES_MAX;
use shards::model::{KeyHasher, Metadata, MetricType, SampleBatch};

use super::batch::WriteRequest;
use super::body::BodyPool;
use super::error::DecodeError;
use super::limits::{DecodeLimits, METADATA_PER_REQUEST_MAX, SNAPPY_RATIO_MAX};
use super::refusal::RefuseReason;
use super::wire::{Payload, WireFault, payload};

const TAG_TIMESERIES: u64 = 1 << 3 | 2;
const TAG_METADATA: u64 = 3 << 3 | 2;
const TAG_LABEL: u64 = 1 << 3 | 2;
const TAG_SAMPLE: u64 = 2 << 3 | 2;
const TAG_EXEMPLAR: u64 = 3 << 3 | 2;
const TAG_HISTOGRAM: u64 = 4 << 3 | 2;
const TAG_VALUE: u64 = 1 << 3 | 1;
const TAG_TIMESTAMP: u64 = 2 << 3;

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
        expected + expected / 16 + 16
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
                self.timeseries(message, base)?;
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

    fn timeseries(&mut self, message: &[u8], base: usize) -> Result<(), DecodeError> {
        if self.series_seen == self.limits.series {
            return Err(DecodeError::TooManySeries { max: self.limits.series });
        }
        let series = self.series_seen;
        self.series_seen += 1;
        self.timestamps_ms.clear();
        self.values.clear();
        let found = self.fields(message).map_err(|fault| DecodeError::Protobuf {
            what: fault.what,
            offset: base + fault.offset,
            series: Some(series),
        })?;
        self.samples_seen += self.values.len();
        if self.samples_seen > self.limits.samples {
            return Err(DecodeError::TooManySamples { max: self.limits.samples });
        }
        self.stage(message, base, &found);
        Ok(())
    }

    /// Finds the extent of the labels and collects the samples.
    fn fields(&mut self, message: &[u8]) -> Result<Found, WireFault> {
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
        self.request.refused.refuse(RefuseReason::HistogramUnsupported, labels, None, found.histograms);
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
            batch.extend_samples(self.timestamps_ms, self.values);
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
