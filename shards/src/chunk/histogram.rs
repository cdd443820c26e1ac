//! Chunks of native histograms of one series, column by column.
//!
//! | field      | encoding | notes                                                               |
//! |------------|----------|---------------------------------------------------------------------|
//! | version    | u8       | 1                                                                   |
//! | count      | uvarint  | histograms                                                          |
//! | timestamps | column   | of timestamps                                                       |
//! | sums       | column   | of values                                                           |
//! | runs       |          | histograms of the same layout, until there are `count`; each:       |
//! | - samples  | uvarint  | histograms of the run                                               |
//! | - kind     | u8       | 1 if counts are floats, and 2 times the [`CounterReset`]            |
//! | - schema   | i8       |                                                                     |
//! | - zero     | f64 LE   | zero threshold                                                      |
//! | - spans    |          | positive, then negative: uvarint number, then offset varint and length uvarint of each |
//! | - bounds   | uvarint  | number of custom bounds; if there are any, a column of values       |
//! | - counts   | columns  | count, zero count, positive, negative buckets: of integers or values |
//!
//! A column is its length as uvarint and its bytes, see [`super::column`].

#![deny(clippy::indexing_slicing)]

use super::ChunkError;
use super::column::{CHUNK_LEN_MAX, Decoder, Effort, Encoder};
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint};
use crate::limits::{
    HISTOGRAM_BOUNDS_MAX, HISTOGRAM_BUCKETS_MAX, HISTOGRAM_CHUNK_NUMBERS_MAX, HISTOGRAM_SPANS_MAX,
};
use crate::model::{CounterReset, Counts, NativeHistogram, Span};

const VERSION: u8 = 1;
const FLOAT: u8 = 1;
/// Numbers of a histogram besides its buckets: timestamp, sum, count and zero count.
const NUMBERS: usize = 4;

/// Appends 1 to [`CHUNK_LEN_MAX`] histograms, each later than the one before. What was appended
/// before an error is of no use.
pub fn encode_histograms(samples: &[(i64, NativeHistogram)], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    check(samples)?;
    let (mut encoder, mut column) = (Encoder::new(), Vec::new());
    out.push(VERSION);
    put_uvarint(out, samples.len() as u64);
    let times: Vec<i64> = samples.iter().map(|(time, _)| *time).collect();
    encoder.encode_timestamps(&times, Effort::Best, &mut column);
    put_column(&mut column, out);
    let sums: Vec<f64> = samples.iter().map(|(_, histogram)| histogram.sum).collect();
    encoder.encode_values(&sums, Effort::Best, &mut column);
    put_column(&mut column, out);
    for run in samples.chunk_by(|(_, before), (_, histogram)| before.same_layout(histogram)) {
        put_uvarint(out, run.len() as u64);
        let Some((_, first)) = run.first() else { continue };
        put_layout(first, &mut encoder, out);
        let (positive, negative) = first.counts.lens();
        for place in 0..2 + positive + negative {
            match &first.counts {
                Counts::Integer { .. } => {
                    let counts: Vec<i64> =
                        run.iter().map(|(_, histogram)| integer_at(histogram, place)).collect();
                    encoder.encode_integers(&counts, Effort::Best, &mut column);
                }
                Counts::Float { .. } => {
                    let counts: Vec<f64> =
                        run.iter().map(|(_, histogram)| float_at(histogram, place)).collect();
                    encoder.encode_values(&counts, Effort::Best, &mut column);
                }
            }
            put_column(&mut column, out);
        }
    }
    Ok(())
}

fn check(samples: &[(i64, NativeHistogram)]) -> Result<(), ChunkError> {
    if samples.is_empty() {
        return Err(ChunkError::Empty);
    }
    let mut numbers = 0;
    for (_, histogram) in samples {
        histogram.validate_layout().map_err(|_| ChunkError::BadHistogram)?;
        numbers += numbers_of(histogram);
    }
    if samples.len() > CHUNK_LEN_MAX || numbers > HISTOGRAM_CHUNK_NUMBERS_MAX {
        return Err(ChunkError::TooLong);
    }
    let ordered = samples.is_sorted_by(|(before, _), (time, _)| before < time);
    if ordered { Ok(()) } else { Err(ChunkError::Unordered) }
}

fn numbers_of(histogram: &NativeHistogram) -> usize {
    let (positive, negative) = histogram.counts.lens();
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    NUMBERS + positive + negative + spans + histogram.custom_bounds.len()
}

/// The number in the `place`th column of counts, 0 if it has none.
fn integer_at(histogram: &NativeHistogram, place: usize) -> i64 {
    let Counts::Integer { count, zero_count, positive, negative } = &histogram.counts else { return 0 };
    let mut all = [count, zero_count].into_iter().chain(positive).chain(negative);
    all.nth(place).map_or(0, |count| *count as i64)
}

fn float_at(histogram: &NativeHistogram, place: usize) -> f64 {
    let Counts::Float { count, zero_count, positive, negative } = &histogram.counts else { return 0.0 };
    let mut all = [count, zero_count].into_iter().chain(positive).chain(negative);
    all.nth(place).copied().unwrap_or(0.0)
}

fn put_column(column: &mut Vec<u8>, out: &mut Vec<u8>) {
    put_uvarint(out, column.len() as u64);
    out.append(column);
}

fn put_layout(histogram: &NativeHistogram, encoder: &mut Encoder, out: &mut Vec<u8>) {
    let float = if matches!(histogram.counts, Counts::Float { .. }) { FLOAT } else { 0 };
    out.push(float | (histogram.counter_reset as u8) << 1);
    out.push(histogram.schema as u8);
    out.extend_from_slice(&histogram.zero_threshold.to_le_bytes());
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        put_uvarint(out, spans.len() as u64);
        for span in spans {
            put_varint(out, i64::from(span.offset));
            put_uvarint(out, u64::from(span.len));
        }
    }
    put_uvarint(out, histogram.custom_bounds.len() as u64);
    if !histogram.custom_bounds.is_empty() {
        let mut column = Vec::new();
        encoder.encode_values(&histogram.custom_bounds, Effort::Best, &mut column);
        put_column(&mut column, out);
    }
}

/// The histograms that take all of `bytes`.
pub fn decode_histograms(bytes: &[u8]) -> Result<Vec<(i64, NativeHistogram)>, ChunkError> {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8()? {
        VERSION => {}
        other => return Err(ChunkError::UnknownEncoding(other)),
    }
    let count = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::TooLong)?;
    let (mut decoder, mut times, mut sums) = (Decoder::new(), Vec::new(), Vec::new());
    decoder.decode_timestamps(cursor.length_prefixed()?, count, &mut times)?;
    decoder.decode_values(cursor.length_prefixed()?, count, &mut sums)?;
    let mut numbers = 0;
    let mut samples = Vec::new();
    while samples.len() < count {
        let len = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::TooLong)?;
        if len == 0 || len > count - samples.len() {
            return Err(ChunkError::Corrupt);
        }
        let layout = take_layout(&mut cursor, &mut decoder)?;
        let (positive, negative) = layout.counts.lens();
        // Said before any memory is taken for the counts.
        numbers += len * numbers_of(&layout);
        if numbers > HISTOGRAM_CHUNK_NUMBERS_MAX || cursor.remaining() < (2 + positive + negative) * 2 {
            return Err(ChunkError::TooLong);
        }
        let start = samples.len();
        let here = times.iter().zip(&sums).skip(start).take(len);
        samples.extend(here.map(|(time, sum)| (*time, NativeHistogram { sum: *sum, ..layout.clone() })));
        let run = samples.get_mut(start..).unwrap_or_default();
        take_counts(&mut cursor, &mut decoder, run, 2 + positive + negative)?;
    }
    if cursor.is_empty() { Ok(samples) } else { Err(ChunkError::Surplus) }
}

/// A histogram of this layout whose counts are 0.
fn take_layout(cursor: &mut Cursor<'_>, decoder: &mut Decoder) -> Result<NativeHistogram, ChunkError> {
    let kind = cursor.u8()?;
    let counter_reset = match kind >> 1 {
        0 => CounterReset::Unknown,
        1 => CounterReset::Reset,
        2 => CounterReset::NotReset,
        3 => CounterReset::Gauge,
        _ => return Err(ChunkError::BadHistogram),
    };
    let schema = cursor.u8()? as i8;
    let zero_threshold = f64::from_bits(cursor.u64_le()?);
    let (positive_spans, positive) = take_spans(cursor)?;
    let (negative_spans, negative) = take_spans(cursor)?;
    let bounds = cursor.uvarint()?;
    let mut custom_bounds = Vec::new();
    if bounds > HISTOGRAM_BOUNDS_MAX as u64 {
        return Err(ChunkError::BadHistogram);
    }
    if bounds > 0 {
        decoder.decode_values(cursor.length_prefixed()?, bounds as usize, &mut custom_bounds)?;
    }
    let counts = if kind & FLOAT == 0 {
        Counts::Integer { count: 0, zero_count: 0, positive: vec![0; positive], negative: vec![0; negative] }
    } else {
        let (positive, negative) = (vec![0.0; positive], vec![0.0; negative]);
        Counts::Float { count: 0.0, zero_count: 0.0, positive, negative }
    };
    let layout = NativeHistogram {
        schema,
        zero_threshold,
        sum: 0.0,
        counter_reset,
        positive_spans,
        negative_spans,
        custom_bounds,
        counts,
    };
    layout.validate_layout().map_err(|_| ChunkError::BadHistogram)?;
    Ok(layout)
}

/// Spans and the buckets that they have.
fn take_spans(cursor: &mut Cursor<'_>) -> Result<(Vec<Span>, usize), ChunkError> {
    let (mut spans, mut buckets) = (Vec::new(), 0u64);
    for _ in 0..cursor.uvarint()? {
        let offset = i32::try_from(cursor.varint()?).map_err(|_| ChunkError::BadHistogram)?;
        let len = u32::try_from(cursor.uvarint()?).map_err(|_| ChunkError::BadHistogram)?;
        buckets += u64::from(len);
        if spans.len() == HISTOGRAM_SPANS_MAX || buckets > HISTOGRAM_BUCKETS_MAX as u64 {
            return Err(ChunkError::BadHistogram);
        }
        spans.push(Span { offset, len });
    }
    Ok((spans, buckets as usize))
}

/// Reads the columns of counts of a run.
fn take_counts(
    cursor: &mut Cursor<'_>,
    decoder: &mut Decoder,
    run: &mut [(i64, NativeHistogram)],
    columns: usize,
) -> Result<(), ChunkError> {
    let (mut integers, mut floats) = (Vec::new(), Vec::new());
    let float = run.first().is_some_and(|(_, histogram)| matches!(histogram.counts, Counts::Float { .. }));
    for place in 0..columns {
        let bytes = cursor.length_prefixed()?;
        integers.clear();
        floats.clear();
        if float {
            decoder.decode_values(bytes, run.len(), &mut floats)?;
        } else {
            decoder.decode_integers(bytes, run.len(), &mut integers)?;
        }
        for (index, (_, histogram)) in run.iter_mut().enumerate() {
            match &mut histogram.counts {
                Counts::Integer { count, zero_count, positive, negative } => {
                    let mut all = [count, zero_count].into_iter().chain(positive).chain(negative);
                    if let (Some(to), Some(from)) = (all.nth(place), integers.get(index)) {
                        *to = *from as u64;
                    }
                }
                Counts::Float { count, zero_count, positive, negative } => {
                    let mut all = [count, zero_count].into_iter().chain(positive).chain(negative);
                    if let (Some(to), Some(from)) = (all.nth(place), floats.get(index)) {
                        *to = *from;
                    }
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "histogram_tests.rs"]
mod tests;
