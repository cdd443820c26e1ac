//! Chunks of exemplars of one series.
//!
//! | field      | encoding | notes                                                                |
//! |------------|----------|----------------------------------------------------------------------|
//! | version    | u8       | 1                                                                    |
//! | count      | uvarint  | exemplars                                                            |
//! | timestamps | column   | of integers; they may repeat                                         |
//! | values     | column   | of values                                                            |
//! | labels     |          | of each exemplar:                                                    |
//! | - names    | uvarint  | place of its names among those told before, or one beyond: then follows |
//! |            |          | uvarint number of names, and each with its length as uvarint before  |
//! | - value    | uvarint  | of each name: length * 2, and 1 if it is the lowercase hex digits of so |
//! |            |          | many bytes; then the bytes                                           |
//!
//! A column is its length as uvarint and its bytes, see [`super::column`].

#![deny(clippy::indexing_slicing)]

use super::ChunkError;
use super::column::{CHUNK_LEN_MAX, Decoder, Effort, Encoder};
use crate::codec::Cursor;
use crate::codec::varint::put_uvarint;
use crate::limits::{EXEMPLAR_LABELS_BYTES_MAX, LABELS_MAX};
use crate::model::{Exemplar, Labels};

const VERSION: u8 = 1;

/// Appends 1 to [`CHUNK_LEN_MAX`] exemplars. What was appended before an error is of no use.
pub fn encode_exemplars(exemplars: &[Exemplar], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    match exemplars.len() {
        0 => return Err(ChunkError::Empty),
        1..=CHUNK_LEN_MAX => {}
        _ => return Err(ChunkError::TooLong),
    }
    let (mut encoder, mut column) = (Encoder::new(), Vec::new());
    out.push(VERSION);
    put_uvarint(out, exemplars.len() as u64);
    let times: Vec<i64> = exemplars.iter().map(|exemplar| exemplar.timestamp_ms).collect();
    encoder.encode_integers(&times, Effort::Best, &mut column);
    put_bytes(&column, out);
    column.clear();
    let values: Vec<f64> = exemplars.iter().map(|exemplar| exemplar.value).collect();
    encoder.encode_values(&values, Effort::Best, &mut column);
    put_bytes(&column, out);
    let mut told: Vec<Vec<&str>> = Vec::new();
    for exemplar in exemplars {
        if exemplar.labels.as_bytes().len() > EXEMPLAR_LABELS_BYTES_MAX || exemplar.labels.len() > LABELS_MAX
        {
            return Err(ChunkError::BadLabels);
        }
        let names: Vec<&str> = exemplar.labels.iter().map(|(name, _)| name).collect();
        let place = told.iter().position(|known| *known == names);
        put_uvarint(out, place.unwrap_or(told.len()) as u64);
        if place.is_none() {
            put_uvarint(out, names.len() as u64);
            names.iter().for_each(|name| put_bytes(name.as_bytes(), out));
            told.push(names);
        }
        exemplar.labels.iter().for_each(|(_, value)| put_value(value, out));
    }
    Ok(())
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_value(value: &str, out: &mut Vec<u8>) {
    let (pairs, rest) = value.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?)).collect();
    match bytes {
        Some(bytes) if rest.is_empty() && !bytes.is_empty() => {
            put_uvarint(out, (bytes.len() as u64) << 1 | 1);
            out.extend_from_slice(&bytes);
        }
        _ => {
            put_uvarint(out, (value.len() as u64) << 1);
            out.extend_from_slice(value.as_bytes());
        }
    }
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// The exemplars that take all of `bytes`.
pub fn decode_exemplars(bytes: &[u8]) -> Result<Vec<Exemplar>, ChunkError> {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8()? {
        VERSION => {}
        other => return Err(ChunkError::UnknownEncoding(other)),
    }
    let count = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::TooLong)?;
    let (mut decoder, mut times, mut values) = (Decoder::new(), Vec::new(), Vec::new());
    decoder.decode_integers(cursor.length_prefixed()?, count, &mut times)?;
    decoder.decode_values(cursor.length_prefixed()?, count, &mut values)?;
    let mut told: Vec<Vec<&str>> = Vec::new();
    let mut exemplars = Vec::new();
    for (timestamp_ms, value) in times.into_iter().zip(values) {
        exemplars.push(Exemplar { timestamp_ms, value, labels: take_labels(&mut cursor, &mut told)? });
    }
    if cursor.is_empty() { Ok(exemplars) } else { Err(ChunkError::Surplus) }
}

fn take_labels<'a>(cursor: &mut Cursor<'a>, told: &mut Vec<Vec<&'a str>>) -> Result<Labels, ChunkError> {
    let place = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::BadLabels)?;
    if place == told.len() {
        let (mut names, mut len) = (Vec::new(), 0);
        for _ in 0..cursor.uvarint()? {
            let name = cursor.length_prefixed()?;
            len += name.len();
            if names.len() == LABELS_MAX || len > EXEMPLAR_LABELS_BYTES_MAX {
                return Err(ChunkError::BadLabels);
            }
            names.push(std::str::from_utf8(name).map_err(|_| ChunkError::BadLabels)?);
        }
        told.push(names);
    }
    let (mut pairs, mut len) = (Vec::new(), 0);
    for name in told.get(place).ok_or(ChunkError::BadLabels)? {
        let value = take_value(cursor)?;
        len += name.len() + value.len();
        if len > EXEMPLAR_LABELS_BYTES_MAX {
            return Err(ChunkError::BadLabels);
        }
        pairs.push((*name, value));
    }
    let ordered = pairs.is_sorted_by(|(before, _), (name, _)| before < name);
    if !ordered || pairs.iter().any(|(name, value)| name.is_empty() || value.is_empty()) {
        return Err(ChunkError::BadLabels);
    }
    Ok(Labels::from_pairs(pairs))
}

fn take_value(cursor: &mut Cursor<'_>) -> Result<String, ChunkError> {
    let head = cursor.uvarint()?;
    let len = usize::try_from(head >> 1).map_err(|_| ChunkError::Truncated)?;
    let bytes = cursor.take(len)?;
    if head & 1 == 0 {
        return std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| ChunkError::BadLabels);
    }
    if len > EXEMPLAR_LABELS_BYTES_MAX {
        return Err(ChunkError::BadLabels);
    }
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
        let value = prop_oneof!["[0-9a-f]{16}", "[0-9a-f]{1,5}", "[a-z\u{e4}]{1,9}", Just("0".to_owned())];
        let labels = proptest::collection::btree_map("trace_id|span_id|user|[a-z]{1,3}", value, 0..4);
        proptest::collection::vec((0i64..5000, any::<f64>(), labels), 1..60).prop_map(|parts| {
            let mut timestamp_ms = 1_700_000_000_000;
            let exemplar = |(step, value, labels)| {
                timestamp_ms += step;
                Exemplar { timestamp_ms, value, labels: Labels::from_pairs(labels) }
            };
            parts.into_iter().map(exemplar).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn exemplars_round_trip(exemplars in exemplars()) {
            let mut bytes = Vec::new();
            encode_exemplars(&exemplars, &mut bytes).unwrap();
            prop_assert_eq!(decode_exemplars(&bytes), Ok(exemplars));
            for cut in 0..bytes.len() {
                prop_assert!(decode_exemplars(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn damage_is_decoded_or_refused(exemplars in exemplars(), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = Vec::new();
            encode_exemplars(&exemplars, &mut bytes).unwrap();
            let index = place.index(bytes.len());
            bytes[index] ^= 1 << bit;
            let _ = decode_exemplars(&bytes);
        }

        #[test]
        fn noise_is_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode_exemplars(&bytes);
            bytes.splice(0..0, [1, 2, 1, 7, 1, 7]);
            let _ = decode_exemplars(&bytes);
        }
    }

    #[test]
    fn encoding_is_part_of_the_disk_contract() {
        let exemplar = |timestamp_ms, value, trace: &str| Exemplar {
            timestamp_ms,
            value,
            labels: Labels::from_pairs([("trace_id", trace), ("user", "me")]),
        };
        let mut bytes = Vec::new();
        encode_exemplars(&[exemplar(1000, 0.25, "0a1b2c"), exemplar(1500, 0.5, "0a1b2d")], &mut bytes)
            .unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "0102084001d00ff4030002074101023219000200020874726163655f69640475736572070a1b2c046d6500070a1b2d046d65"
        );
    }
}
