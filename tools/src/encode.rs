//! Remote-write 1.0 bodies: protobuf by hand, then a snappy block.
//!
//! Only what a sender needs: `WriteRequest { repeated TimeSeries = 1 }`,
//! `TimeSeries { repeated Label = 1; repeated Sample = 2 }`, `Label { name = 1; value = 2 }`,
//! `Sample { double value = 1; int64 timestamp = 2 }`. Lengths are in shortest form and labels
//! come sorted, as well-behaved senders have them.

use anyhow::{Context, Result};

/// The NaN by which a sender says that a series has ended.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

const TAG_FIRST_MESSAGE: u8 = 0x0a;
const TAG_SECOND_MESSAGE: u8 = 0x12;
const TAG_VALUE_DOUBLE: u8 = 0x09;
const TAG_TIMESTAMP: u8 = 0x10;

/// Appends an unsigned varint.
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn uvarint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends one label as field 1 of a `TimeSeries`.
pub fn put_label(out: &mut Vec<u8>, name: &str, value: &str) {
    let field = |len: usize| 1 + uvarint_len(len as u64) + len;
    out.push(TAG_FIRST_MESSAGE);
    put_uvarint(out, (field(name.len()) + field(value.len())) as u64);
    out.push(TAG_FIRST_MESSAGE);
    put_uvarint(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    out.push(TAG_SECOND_MESSAGE);
    put_uvarint(out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends one `TimeSeries` with its encoded labels and samples.
pub fn put_series(out: &mut Vec<u8>, labels: &[u8], samples: &[(i64, f64)]) {
    let sample_len = |timestamp: i64| 9 + 1 + uvarint_len(timestamp as u64);
    let samples_len: usize = samples
        .iter()
        .map(|&(timestamp, _)| {
            let len = sample_len(timestamp);
            1 + uvarint_len(len as u64) + len
        })
        .sum();
    out.push(TAG_FIRST_MESSAGE);
    put_uvarint(out, (labels.len() + samples_len) as u64);
    out.extend_from_slice(labels);
    for &(timestamp, value) in samples {
        out.push(TAG_SECOND_MESSAGE);
        put_uvarint(out, sample_len(timestamp) as u64);
        out.push(TAG_VALUE_DOUBLE);
        out.extend_from_slice(&value.to_bits().to_le_bytes());
        out.push(TAG_TIMESTAMP);
        put_uvarint(out, timestamp as u64);
    }
}

/// The snappy block that is sent as the body.
pub fn compress(message: &[u8]) -> Result<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(message).context("snappy refuses the message")
}

/// Name and value pairs of labels written by [`put_label`]; `None` when they are something else.
#[must_use]
pub fn read_labels(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !bytes.is_empty() {
        let mut label = take_field(&mut bytes, TAG_FIRST_MESSAGE)?;
        let name = take_field(&mut label, TAG_FIRST_MESSAGE)?;
        let value = take_field(&mut label, TAG_SECOND_MESSAGE)?;
        labels.push((String::from_utf8(name.to_vec()).ok()?, String::from_utf8(value.to_vec()).ok()?));
    }
    Some(labels)
}

fn take_field<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (&first, rest) = bytes.split_first()?;
    if first != tag {
        return None;
    }
    *bytes = rest;
    let len = usize::try_from(take_uvarint(bytes)?).ok()?;
    let (field, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(field)
}

fn take_uvarint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A decoded series: its labels and samples.
    pub(crate) type Series = (Vec<(String, String)>, Vec<(i64, u64)>);

    /// Reads a body back the way a receiver does.
    pub(crate) fn read_body(body: &[u8]) -> Vec<Series> {
        let message = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let mut rest = message.as_slice();
        let mut all = Vec::new();
        while !rest.is_empty() {
            let series = take_field(&mut rest, TAG_FIRST_MESSAGE).unwrap();
            let labels_len = label_bytes(series);
            let (labels, mut samples_left) = series.split_at(labels_len);
            let mut samples = Vec::new();
            while !samples_left.is_empty() {
                let sample = take_field(&mut samples_left, TAG_SECOND_MESSAGE).unwrap();
                assert_eq!((sample[0], sample[9]), (TAG_VALUE_DOUBLE, TAG_TIMESTAMP));
                let bits = u64::from_le_bytes(sample[1..9].try_into().unwrap());
                let timestamp = take_uvarint(&mut &sample[10..]).unwrap() as i64;
                samples.push((timestamp, bits));
            }
            all.push((read_labels(labels).unwrap(), samples));
        }
        all
    }

    fn label_bytes(series: &[u8]) -> usize {
        let mut rest = series;
        while rest.first() == Some(&TAG_FIRST_MESSAGE) {
            take_field(&mut rest, TAG_FIRST_MESSAGE).unwrap();
        }
        series.len() - rest.len()
    }

    #[test]
    fn a_body_reads_back_as_it_was_written() {
        let long = "v".repeat(300);
        let mut labels = Vec::new();
        put_label(&mut labels, "__name__", "up");
        put_label(&mut labels, "x", &long);
        let mut message = Vec::new();
        let stale = f64::from_bits(STALE_NAN_BITS);
        put_series(&mut message, &labels, &[(1_700_000_000_123, 1.5), (-5, stale)]);
        put_series(&mut message, &labels, &[]);
        let body = compress(&message).unwrap();

        let series = read_body(&body);
        let expected = vec![("__name__".to_owned(), "up".to_owned()), ("x".to_owned(), long)];
        assert_eq!(series[0].0, expected);
        assert_eq!(series[0].1, vec![(1_700_000_000_123, 1.5_f64.to_bits()), (-5, STALE_NAN_BITS)]);
        assert_eq!(series[1], (expected, vec![]));
    }

    #[test]
    fn varint_lengths_match_what_is_written() {
        for shift in 0..64 {
            for value in [(1_u64 << shift) - 1, 1 << shift] {
                let mut out = Vec::new();
                put_uvarint(&mut out, value);
                assert_eq!(out.len(), uvarint_len(value), "{value}");
            }
        }
    }

    #[test]
    fn labels_of_another_shape_are_refused() {
        assert_eq!(read_labels(&[0x12, 0x00]), None);
        assert_eq!(read_labels(&[0x0a, 0x7f]), None);
    }
}
