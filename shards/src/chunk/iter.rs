//! Reading chunks: a whole chunk at a time, straight into two columns.
//!
//! Any bytes can be given: the outcome is samples or a [`ChunkError`], never a panic, and never
//! more samples than the stream has room for.

#![deny(clippy::indexing_slicing)]

use super::Encoding;
use super::xor::{DELTA_CLASSES, DELTA_ONES_MAX, FIRST_SAMPLE_BITS, SAMPLE_BITS_MIN};
use crate::codec::bits::{WORD_BITS, bytes_to_words, low_bits, peek_bits, sign_extend, words_to_bytes};
use crate::codec::{Cursor, Truncated};

/// Why bytes are not a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
    #[error("chunk is cut off")]
    Truncated,
    #[error("chunk has unknown encoding {0}")]
    UnknownEncoding(u8),
    #[error("chunk has no samples")]
    Empty,
    #[error("chunk tells a value window that does not exist")]
    BadWindow,
    #[error("chunk tells more samples than any has")]
    TooLong,
    #[error("chunk has bytes after its end")]
    Surplus,
    #[error("timestamps of a chunk are not in order")]
    Unordered,
    #[error("chunk has no such page")]
    NoSuchPage,
    #[error("chunk contradicts itself")]
    Corrupt,
    #[error("chunk has a histogram that is none")]
    BadHistogram,
    #[error("chunk has labels that are none")]
    BadLabels,
}

impl From<Truncated> for ChunkError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// Appends the bytes of a chunk whose stream has `len_bits` bits.
pub fn encode_bytes(words: &[u64], len_bits: usize, count: u16, out: &mut Vec<u8>) {
    assert!(count > 0, "a chunk has samples");
    assert!(len_bits <= words.len() * WORD_BITS as usize, "{len_bits} bits in {} words", words.len());
    out.push(Encoding::Xor as u8);
    out.extend_from_slice(&count.to_le_bytes());
    words_to_bytes(words, len_bits, out);
}

/// Appends the samples of an encoded chunk to the columns, which stay as they were on an error.
/// `scratch` is memory to work in.
pub fn decode_bytes(
    bytes: &[u8],
    scratch: &mut Vec<u64>,
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), ChunkError> {
    let mut cursor = Cursor::new(bytes);
    let encoding = cursor.u8().map_err(|_| ChunkError::Truncated)?;
    let Some(Encoding::Xor) = Encoding::from_number(encoding) else {
        return Err(ChunkError::UnknownEncoding(encoding));
    };
    let count = cursor.u16_le().map_err(|_| ChunkError::Truncated)?;
    let stream = cursor.take(cursor.remaining()).map_err(|_| ChunkError::Truncated)?;
    bytes_to_words(stream, scratch);
    decode_words(scratch, stream.len() * 8, count, timestamps_ms, values)
}

/// Appends the `count` samples of a stream of at most `len_bits` bits to the columns, which stay
/// as they were on an error.
pub fn decode_words(
    words: &[u64],
    len_bits: usize,
    count: u16,
    timestamps_ms: &mut Vec<i64>,
    values: &mut Vec<f64>,
) -> Result<(), ChunkError> {
    let count = usize::from(count);
    if count == 0 {
        return Err(ChunkError::Empty);
    }
    // Said before any memory is taken for the samples.
    if FIRST_SAMPLE_BITS + (count - 1) * SAMPLE_BITS_MIN > len_bits {
        return Err(ChunkError::Truncated);
    }
    let (timestamps_base, values_base) = (timestamps_ms.len(), values.len());
    timestamps_ms.resize(timestamps_base + count, 0);
    values.resize(values_base + count, 0.0);
    let decoded = decode_columns(
        words,
        timestamps_ms.get_mut(timestamps_base..).unwrap_or_default(),
        values.get_mut(values_base..).unwrap_or_default(),
    );
    let outcome = match decoded {
        Ok(position) if position <= len_bits => return Ok(()),
        Ok(_) => Err(ChunkError::Truncated),
        Err(error) => Err(error),
    };
    timestamps_ms.truncate(timestamps_base);
    values.truncate(values_base);
    outcome
}

/// Fills the columns and returns the bits read, which may be more than there are.
fn decode_columns(words: &[u64], timestamps_ms: &mut [i64], values: &mut [f64]) -> Result<usize, ChunkError> {
    let mut samples = timestamps_ms.iter_mut().zip(values);
    let mut timestamp = peek_bits(words, 0) as i64;
    let mut value = peek_bits(words, WORD_BITS as usize);
    if let Some((first_ms, first_value)) = samples.next() {
        *first_ms = timestamp;
        *first_value = f64::from_bits(value);
    }
    let mut position = FIRST_SAMPLE_BITS;
    let mut delta = 0i64;
    let mut trailing = 0u32;
    let mut window = 0u32;
    for (out_ms, out_value) in samples {
        let mut bits = peek_bits(words, position);
        if bits & 1 == 0 {
            bits >>= 1;
            position += 1;
        } else {
            let (delta_of_delta, len) = read_delta(words, position, bits);
            delta = delta.wrapping_add(delta_of_delta);
            position += len;
            bits = peek_bits(words, position);
        }
        timestamp = timestamp.wrapping_add(delta);
        *out_ms = timestamp;
        // Two bits decide; what follows them is read in one piece unless it is longer than what
        // is left of the 63 or 64 bits at hand.
        if bits & 1 == 0 {
            position += 1;
        } else {
            if bits & 2 == 0 {
                position += 2;
            } else {
                let leading = low_bits(bits >> 2, 5) as u32;
                window = low_bits(bits >> 7, 6) as u32 + 1;
                trailing = WORD_BITS.checked_sub(leading + window).ok_or(ChunkError::BadWindow)?;
                position += 13;
            }
            let xor = low_bits(peek_bits(words, position), window);
            value ^= xor << trailing;
            position += window as usize;
        }
        *out_value = f64::from_bits(value);
    }
    Ok(position)
}

/// A delta of delta that is not zero, and the length of its code.
#[inline]
fn read_delta(words: &[u64], position: usize, bits: u64) -> (i64, usize) {
    let ones = bits.trailing_ones().min(DELTA_ONES_MAX);
    match DELTA_CLASSES.get(ones as usize - 1) {
        Some(class) => (sign_extend(bits >> (ones + 1), class.bits), (class.ones + 1 + class.bits) as usize),
        None => {
            let prefix = DELTA_ONES_MAX as usize;
            (peek_bits(words, position + prefix) as i64, prefix + WORD_BITS as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{CHUNK_SAMPLES_MAX, ChunkBuilder};
    use proptest::prelude::*;

    fn round_trip(samples: &[(i64, u64)]) {
        let mut builder = ChunkBuilder::new();
        for (timestamp, bits) in samples {
            builder.append(*timestamp, f64::from_bits(*bits));
        }
        let (len_bits, count) = (builder.len_bits(), u16::from(builder.count()));
        let words = builder.finish();
        let mut bytes = Vec::new();
        encode_bytes(&words, len_bits, count, &mut bytes);
        let (mut scratch, mut timestamps, mut values) = (Vec::new(), vec![7], vec![7.0]);
        assert_eq!(decode_bytes(&bytes, &mut scratch, &mut timestamps, &mut values), Ok(()));
        assert_eq!((timestamps.remove(0), values.remove(0)), (7, 7.0));
        let read: Vec<_> =
            timestamps.iter().zip(&values).map(|(time, value)| (*time, value.to_bits())).collect();
        assert_eq!(read, samples);
        bytes.truncate(bytes.len() - 1);
        let cut = decode_bytes(&bytes, &mut scratch, &mut timestamps, &mut values);
        assert_eq!(cut, Err(ChunkError::Truncated));
        assert_eq!((timestamps.len(), values.len()), (samples.len(), samples.len()));
    }

    fn any_samples() -> impl Strategy<Value = Vec<(i64, u64)>> {
        let time = prop_oneof![
            any::<i64>(),
            -20i64..20,
            (0i64..100).prop_map(|step| step * 15_000),
            Just(i64::MIN),
            Just(i64::MAX)
        ];
        let bits = prop_oneof![
            any::<u64>(),
            any::<f64>().prop_map(f64::to_bits),
            (0u32..1000).prop_map(|integer| f64::from(integer).to_bits()),
            (0u64..1 << 52).prop_map(|payload| 0x7ff0_0000_0000_0000 | payload),
            Just(crate::model::STALE_NAN_BITS),
            Just(0),
        ];
        proptest::collection::vec((time, bits), 1..=usize::from(CHUNK_SAMPLES_MAX))
    }

    fn scraped_samples() -> impl Strategy<Value = Vec<(i64, u64)>> {
        let step = (prop_oneof![8 => Just(0i64), 1 => -5..5i64, 1 => -300..300i64], 0..4u32);
        proptest::collection::vec(step, 1..=usize::from(CHUNK_SAMPLES_MAX)).prop_map(|steps| {
            let mut counter = 100.0f64;
            let samples = steps.iter().enumerate().map(|(index, (jitter, increase))| {
                counter += f64::from(*increase) * 0.25;
                (1_700_000_000_000 + index as i64 * 15_000 + jitter, counter.to_bits())
            });
            samples.collect()
        })
    }

    proptest! {
        #[test]
        fn any_samples_round_trip(samples in any_samples()) {
            round_trip(&samples);
        }

        #[test]
        fn scraped_samples_round_trip(samples in scraped_samples()) {
            round_trip(&samples);
        }

        #[test]
        fn noise_is_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), count: u16) {
            let (mut scratch, mut timestamps, mut values) = (Vec::new(), Vec::new(), Vec::new());
            let _ = decode_bytes(&bytes, &mut scratch, &mut timestamps, &mut values);
            bytes.splice(0..0, [1, count as u8 & 0x7f, 0]);
            if decode_bytes(&bytes, &mut scratch, &mut timestamps, &mut values).is_err() {
                prop_assert!(timestamps.len() == values.len());
            }
        }
    }

    #[test]
    fn a_long_count_in_a_short_stream_takes_no_memory() {
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        let outcome = decode_words(&[0, 0, 0], 192, u16::MAX, &mut timestamps, &mut values);
        assert_eq!(outcome, Err(ChunkError::Truncated));
        assert_eq!(timestamps.capacity() + values.capacity(), 0);
    }

    #[test]
    fn regular_scrapes_of_a_constant_take_two_bits_a_sample() {
        let mut builder = ChunkBuilder::new();
        for index in 0..i64::from(CHUNK_SAMPLES_MAX) {
            builder.append(1_700_000_000_000 + index * 15_000, 1.0);
        }
        // The first delta takes 21 bits and a zero for the value.
        assert_eq!(builder.len_bits(), 128 + 22 + (usize::from(CHUNK_SAMPLES_MAX) - 2) * 2);
    }

    #[test]
    fn encoding_is_part_of_the_disk_contract() {
        let mut builder = ChunkBuilder::new();
        for (timestamp, value) in [(1000, 1.0), (16_000, 2.0), (31_003, 2.5), (46_000, 2.5)] {
            builder.append(timestamp, value);
        }
        let (len_bits, count) = (builder.len_bits(), u16::from(builder.count()));
        let words = builder.finish();
        let mut bytes = Vec::new();
        encode_bytes(&words, len_bits, count, &mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "010400e803000000000000000000000000f03f87a9e3a0fcbf7103a601");
    }
}
