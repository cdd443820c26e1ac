//! XOR chunks: the encoding of Gorilla (Pelkonen et al., VLDB 2015) with time buckets for
//! milliseconds. Bit-exact for every value and every time; times must rise.
//!
//! The number of samples is kept beside the chunk. Bits, most significant first:
//!
//! | what                | bits                                                                      |
//! |---------------------|---------------------------------------------------------------------------|
//! | first time          | 64: i64, milliseconds                                                     |
//! | first value         | 64: IEEE 754                                                              |
//! | then per sample:    |                                                                           |
//! | time, as the change of the difference to the previous time (at first: from 0) | `0`: no change; `10` + 7 bits; `110` + 12 bits; `1110` + 20 bits; `1111` + 64 bits; two's complement |
//! | value, as XOR with the previous value | `0`: equal; `10` + the bits of the window in force; `11` + 5 bits leading zeros, at most 31, + 6 bits window length minus 1 + the bits of that window, which is in force from now on |
//!
//! A scrape every 15 s with a jitter of some milliseconds takes 9 bits of time.

use crate::codec::Truncated;
use crate::codec::bits::{BitReader, BitWriter};
use crate::limits::CHUNK_SAMPLES_MAX;

/// Widths of the time buckets, without the last, which takes everything.
const TIME_BITS: [u8; 3] = [7, 12, 20];
const LEADING_BITS: u8 = 5;
const LEADING_MAX: u8 = 31;
const WINDOW_BITS: u8 = 6;
/// No window is in force yet.
const NO_WINDOW: u8 = u8::MAX;

/// What appending needs to know of an open chunk, beside its bytes.
#[derive(Debug, Clone, Copy)]
pub struct ChunkState {
    last_ms: i64,
    delta_ms: i64,
    last_bits: u64,
    leading: u8,
    trailing: u8,
    used: u8,
    count: u8,
}

impl Default for ChunkState {
    fn default() -> Self {
        Self { last_ms: 0, delta_ms: 0, last_bits: 0, leading: NO_WINDOW, trailing: 0, used: 8, count: 0 }
    }
}

impl ChunkState {
    #[inline]
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// Time of the last sample; meaningless in an empty chunk.
    #[inline]
    #[must_use]
    pub const fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Bits of the last value.
    #[inline]
    #[must_use]
    pub const fn last_bits(&self) -> u64 {
        self.last_bits
    }

    #[inline]
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count >= CHUNK_SAMPLES_MAX
    }

    /// Appends a sample to the chunk's bytes. The time is later than the last one.
    #[inline]
    pub fn append(&mut self, bytes: &mut Vec<u8>, timestamp_ms: i64, value: f64) {
        assert!(!self.is_full(), "appending to a full chunk");
        debug_assert!(self.count == 0 || timestamp_ms > self.last_ms, "{timestamp_ms} does not rise");
        let mut out = BitWriter::resume(bytes, self.used);
        let bits = value.to_bits();
        if self.count == 0 {
            out.write(timestamp_ms as u64, 64);
            out.write(bits, 64);
            self.delta_ms = 0;
        } else {
            let delta_ms = timestamp_ms.wrapping_sub(self.last_ms);
            write_time(&mut out, delta_ms.wrapping_sub(self.delta_ms));
            self.delta_ms = delta_ms;
            write_value(&mut out, bits ^ self.last_bits, &mut self.leading, &mut self.trailing);
        }
        self.used = out.used();
        self.last_ms = timestamp_ms;
        self.last_bits = bits;
        self.count += 1;
    }
}

#[inline]
fn write_time(out: &mut BitWriter<'_>, change_ms: i64) {
    if change_ms == 0 {
        out.write(0, 1);
        return;
    }
    for (bucket, width) in (1_u8..).zip(TIME_BITS) {
        let limit = 1_i64 << (width - 1);
        if (-limit..limit).contains(&change_ms) {
            // `10`, `110`, `1110` and the value behind it, in one go.
            let prefix = ((1_u64 << (bucket + 1)) - 2) << width;
            out.write(prefix | (change_ms as u64 & ((1 << width) - 1)), bucket + 1 + width);
            return;
        }
    }
    out.write(0b1111, 4);
    out.write(change_ms as u64, 64);
}

#[inline]
fn write_value(out: &mut BitWriter<'_>, xor: u64, leading: &mut u8, trailing: &mut u8) {
    if xor == 0 {
        out.write(0, 1);
        return;
    }
    let new_leading = (xor.leading_zeros() as u8).min(LEADING_MAX);
    let new_trailing = xor.trailing_zeros() as u8;
    let fits = *leading != NO_WINDOW && new_leading >= *leading && new_trailing >= *trailing;
    if fits {
        out.write(0b10, 2);
        out.write(xor >> *trailing, 64 - *leading - *trailing);
        return;
    }
    let width = 64 - new_leading - new_trailing;
    let head = (0b11 << (LEADING_BITS + WINDOW_BITS))
        | (u64::from(new_leading) << WINDOW_BITS)
        | u64::from(width - 1);
    out.write(head, 2 + LEADING_BITS + WINDOW_BITS);
    out.write(xor >> new_trailing, width);
    *leading = new_leading;
    *trailing = new_trailing;
}

/// A chunk to read: its bytes and how many samples they hold.
#[derive(Debug, Clone, Copy)]
pub struct XorChunk<'a> {
    pub bytes: &'a [u8],
    pub count: u8,
}

impl XorChunk<'_> {
    /// Appends all samples to the columns. On an error they hold what could be read.
    pub fn decode(&self, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<(), Truncated> {
        self.for_each(|timestamp_ms, value| {
            timestamps_ms.push(timestamp_ms);
            values.push(value);
        })
    }

    /// Hands over the samples in order of time.
    #[inline]
    pub fn for_each(&self, mut sample: impl FnMut(i64, f64)) -> Result<(), Truncated> {
        if self.count == 0 {
            return Ok(());
        }
        let mut reader = BitReader::new(self.bytes);
        let mut timestamp_ms = reader.read(64)? as i64;
        let mut bits = reader.read(64)?;
        sample(timestamp_ms, f64::from_bits(bits));
        let mut delta_ms = 0_i64;
        let (mut leading, mut trailing) = (0_u8, 0_u8);
        for _ in 1..self.count {
            delta_ms = delta_ms.wrapping_add(read_time(&mut reader)?);
            timestamp_ms = timestamp_ms.wrapping_add(delta_ms);
            if reader.bit()? {
                if reader.bit()? {
                    let head = reader.read(LEADING_BITS + WINDOW_BITS)?;
                    leading = (head >> WINDOW_BITS) as u8;
                    let width = (head & ((1 << WINDOW_BITS) - 1)) as u8 + 1;
                    // Only damaged bytes ask for more than 64 bits.
                    trailing = 64_u8.saturating_sub(leading).saturating_sub(width);
                }
                let width = 64_u8.saturating_sub(leading).saturating_sub(trailing);
                bits ^= reader.read(width)? << trailing;
            }
            sample(timestamp_ms, f64::from_bits(bits));
        }
        Ok(())
    }
}

#[inline]
fn read_time(reader: &mut BitReader<'_>) -> Result<i64, Truncated> {
    if !reader.bit()? {
        return Ok(0);
    }
    for width in TIME_BITS {
        if !reader.bit()? {
            let raw = reader.read(width)?;
            let unused = 64 - u32::from(width);
            return Ok(((raw << unused) as i64) >> unused);
        }
    }
    Ok(reader.read(64)? as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STALE_NAN_BITS;
    use proptest::prelude::*;

    fn round_trip(samples: &[(i64, u64)]) {
        let mut state = ChunkState::default();
        let mut bytes = Vec::new();
        for (timestamp_ms, bits) in samples {
            state.append(&mut bytes, *timestamp_ms, f64::from_bits(*bits));
        }
        let (mut timestamps_ms, mut values) = (Vec::new(), Vec::new());
        XorChunk { bytes: &bytes, count: state.count() }.decode(&mut timestamps_ms, &mut values).unwrap();
        let read: Vec<_> = timestamps_ms.into_iter().zip(values.into_iter().map(f64::to_bits)).collect();
        assert_eq!(read, samples);
    }

    fn values() -> impl Strategy<Value = u64> {
        prop_oneof![
            any::<u64>(),
            (0_u32..1000).prop_map(|n| f64::from(n).to_bits()),
            Just(STALE_NAN_BITS),
            Just(0_f64.to_bits()),
            Just((-0_f64).to_bits()),
            Just(f64::INFINITY.to_bits()),
            Just(u64::MAX),
        ]
    }

    proptest! {
        #[test]
        fn any_samples_round_trip(samples in proptest::collection::btree_map(any::<i64>(), values(), 0..=120)) {
            round_trip(&samples.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn scrapes_round_trip(start in 0_i64..1 << 42, steps in proptest::collection::vec((1_i64..40_000, values()), 1..=120)) {
            let mut at = start;
            let samples: Vec<_> = steps.into_iter().map(|(step, bits)| { at += step; (at, bits) }).collect();
            round_trip(&samples);
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>, count: u8) {
            let _ = XorChunk { bytes: &bytes, count }.decode(&mut Vec::new(), &mut Vec::new());
        }
    }

    #[test]
    fn a_steady_scrape_is_small() {
        let mut state = ChunkState::default();
        let mut bytes = Vec::new();
        for number in 0..120 {
            state.append(&mut bytes, 1_700_000_000_000 + number * 15_000, 42.0);
        }
        // 128 bits for the first, 4 + 20 and 1 for the second, 2 for each other.
        assert_eq!(bytes.len(), (128_usize + 25 + 118 * 2).div_ceil(8));
    }
}
