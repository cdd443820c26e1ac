//! Records of what is not a float sample: native histograms, exemplars and start timestamps of one
//! series. Their payload is a chunk of [`crate::chunk`] behind the series number.

#![deny(clippy::indexing_slicing)]

use super::record::{RECORD_LEN_MAX, put_record};
use crate::chunk::{
    ChunkError, decode_exemplars, decode_histograms, decode_starts, encode_exemplars, encode_histograms,
    encode_starts,
};
use crate::codec::varint::put_uvarint;
use crate::codec::{Cursor, Truncated};
use crate::model::histogram::NativeHistogram;
use crate::model::{Exemplar, SeriesRef};

const KIND_HISTOGRAMS: u8 = 6;
const KIND_EXEMPLARS: u8 = 7;
const KIND_STARTS: u8 = 8;

/// Kind and series number at most.
const OVERHEAD: usize = 32;

/// What such a record holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Extras {
    /// Time in ms and histogram.
    Histograms(Vec<(i64, NativeHistogram)>),
    Exemplars(Vec<Exemplar>),
    /// Time of a sample, and since when it counts, both in ms.
    Starts(Vec<(i64, i64)>),
}

/// Appends a record. One that would be too long is refused whole: write it as several.
pub fn put_extras(out: &mut Vec<u8>, series: SeriesRef, extras: &Extras) -> Result<(), ChunkError> {
    let mut payload = Vec::new();
    put_uvarint(&mut payload, u64::from(series.0));
    let kind = match extras {
        Extras::Histograms(histograms) => {
            encode_histograms(histograms, &mut payload)?;
            KIND_HISTOGRAMS
        }
        Extras::Exemplars(exemplars) => {
            encode_exemplars(exemplars, &mut payload)?;
            KIND_EXEMPLARS
        }
        Extras::Starts(starts) => {
            let (times, starts): (Vec<i64>, Vec<i64>) = starts.iter().copied().unzip();
            let mut chunk = Vec::new();
            encode_starts(&times, &mut chunk)?;
            put_uvarint(&mut payload, chunk.len() as u64);
            payload.extend_from_slice(&chunk);
            encode_starts(&starts, &mut payload)?;
            KIND_STARTS
        }
    };
    if payload.len() > RECORD_LEN_MAX - OVERHEAD {
        return Err(ChunkError::TooLong);
    }
    put_record(out, kind, &payload);
    Ok(())
}

/// Reads the payload of a record of this kind; `None` where the kind is another.
pub(super) fn read_extras(
    kind: u8,
    payload: &mut Cursor<'_>,
    start: Truncated,
) -> Result<Option<(SeriesRef, Extras)>, Truncated> {
    if !(KIND_HISTOGRAMS..=KIND_STARTS).contains(&kind) {
        return Ok(None);
    }
    let series = SeriesRef(u32::try_from(payload.uvarint()?).map_err(|_| start)?);
    let damaged = |_: ChunkError| start;
    let extras = match kind {
        KIND_HISTOGRAMS => {
            Extras::Histograms(decode_histograms(payload.take(payload.remaining())?).map_err(damaged)?)
        }
        KIND_EXEMPLARS => {
            Extras::Exemplars(decode_exemplars(payload.take(payload.remaining())?).map_err(damaged)?)
        }
        _ => {
            let times = decode_starts(payload.length_prefixed()?).map_err(damaged)?;
            let starts = decode_starts(payload.take(payload.remaining())?).map_err(damaged)?;
            if times.len() != starts.len() {
                return Err(start);
            }
            Extras::Starts(times.into_iter().zip(starts).collect())
        }
    };
    Ok(Some((series, extras)))
}

#[cfg(test)]
mod tests {
    use super::super::record::{Record, next_record};
    use super::*;
    use crate::model::Labels;
    use crate::model::histogram::{CounterReset, Counts, Span};
    use proptest::prelude::*;

    fn round_trip(series: u32, extras: &Extras) -> Result<(), TestCaseError> {
        let mut bytes = Vec::new();
        put_extras(&mut bytes, SeriesRef(series), extras).unwrap();
        let mut cursor = Cursor::new(&bytes);
        let record = next_record(&mut cursor).unwrap().unwrap();
        let Record::Extras { series: read, extras: found } = record else { panic!("{record:?}") };
        prop_assert_eq!((read.0, &found), (series, extras));
        prop_assert!(cursor.is_empty());
        for cut in 0..bytes.len() {
            prop_assert!(
                next_record(&mut Cursor::new(&bytes[..cut])).is_ok_and(|found| found.is_none()) == (cut == 0)
            );
        }
        Ok(())
    }

    fn histogram((counts, zero, is_float): (Vec<u32>, u32, bool)) -> NativeHistogram {
        let len = u32::try_from(counts.len()).unwrap();
        let positive: Vec<u64> = counts.into_iter().map(u64::from).collect();
        let count = positive.iter().sum::<u64>() + u64::from(zero);
        let floats = positive.iter().map(|count| *count as f64 / 8.0).collect();
        let counts = if is_float {
            let (count, zero_count) = (count as f64 / 8.0, f64::from(zero) / 8.0);
            Counts::Float { count, zero_count, positive: floats, negative: Vec::new() }
        } else {
            Counts::Integer { count, zero_count: u64::from(zero), positive, negative: Vec::new() }
        };
        NativeHistogram {
            schema: 2,
            zero_threshold: 0.001,
            sum: count as f64 * 0.1,
            counter_reset: CounterReset::Unknown,
            positive_spans: if len > 0 { vec![Span { offset: -1, len }] } else { Vec::new() },
            negative_spans: Vec::new(),
            custom_bounds: Vec::new(),
            counts,
        }
    }

    proptest! {
        #[test]
        fn histograms_round_trip(
            series: u32,
            samples in proptest::collection::vec((1i64..1_000_000, (proptest::collection::vec(any::<u32>(), 0..20), any::<u32>(), any::<bool>())), 1..20),
        ) {
            let mut time = 0;
            let samples = samples.into_iter().map(|(step, of)| { time += step; (time, histogram(of)) }).collect();
            round_trip(series, &Extras::Histograms(samples))?;
        }

        #[test]
        fn exemplars_round_trip(series: u32, exemplars in proptest::collection::vec((any::<i64>(), any::<u64>(), "[a-z]{1,9}", "[0-9a-f]{1,40}"), 1..20)) {
            let exemplars = exemplars.into_iter().map(|(timestamp_ms, bits, name, value)| Exemplar {
                timestamp_ms,
                value: f64::from_bits(bits),
                labels: Labels::from_pairs([(name.as_str(), value.as_str())]),
            });
            round_trip(series, &Extras::Exemplars(exemplars.collect()))?;
        }

        #[test]
        fn starts_round_trip(series: u32, starts in proptest::collection::vec(any::<(i64, i64)>(), 1..50)) {
            round_trip(series, &Extras::Starts(starts))?;
        }

        #[test]
        fn noise_never_panics(kind in KIND_HISTOGRAMS..=KIND_STARTS, payload: Vec<u8>) {
            let mut bytes = Vec::new();
            put_record(&mut bytes, kind, &payload);
            let _ = next_record(&mut Cursor::new(&bytes));
        }
    }

    #[test]
    fn too_much_for_one_record_is_refused() {
        let mut out = vec![7];
        let noise = |n: i64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
        let exemplars = (0..4000)
            .map(|n| Exemplar {
                timestamp_ms: noise(n),
                value: f64::from_bits(noise(n + 7) as u64),
                labels: Labels::from_pairs([("trace", format!("{n:z>900}").as_str())]),
            })
            .collect();
        assert_eq!(
            put_extras(&mut out, SeriesRef(1), &Extras::Exemplars(exemplars)),
            Err(ChunkError::TooLong)
        );
        assert_eq!(out, [7]);
    }
}
