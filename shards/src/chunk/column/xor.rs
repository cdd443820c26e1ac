//! Values that are not decimal: each XORed with the one before, in the way of Gorilla.

#![deny(clippy::indexing_slicing)]

use super::ChunkError;
use super::bits::{BitReader, BitWriter};

/// Appends values: the first in 64 bits; then `0` for the same value, `10` and the bits of the
/// window, or `11`, 6 bits of leading zeros, 6 bits of length minus 1 and as many bits.
pub(super) fn put(out: &mut Vec<u8>, values: &[f64]) {
    let mut bits = BitWriter::new(out);
    let Some((first, rest)) = values.split_first() else { return };
    let mut before = first.to_bits();
    bits.put_long(before, 64);
    let (mut leading, mut window) = (0, 0);
    for value in rest {
        let xor = value.to_bits() ^ before;
        before = value.to_bits();
        if xor == 0 {
            bits.put(0, 1);
            continue;
        }
        let (zeros, tail) = (xor.leading_zeros(), xor.trailing_zeros());
        let needed = 64 - zeros - tail;
        let fits = window > 0 && zeros >= leading && tail >= 64 - leading - window;
        if fits && window <= needed + 12 {
            bits.put(0b01, 2);
        } else {
            (leading, window) = (zeros, needed);
            bits.put(0b11 | u64::from(leading) << 2 | u64::from(window - 1) << 8, 14);
        }
        bits.put_long(xor >> (64 - leading - window), window);
    }
    bits.finish();
}

/// Appends `count` values; all bytes must be used.
pub(super) fn read(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), ChunkError> {
    // A value takes a bit at least.
    if count > bytes.len().saturating_mul(8) {
        return Err(ChunkError::Truncated);
    }
    let mut bits = BitReader::new(bytes);
    let mut value = bits.take_long(64);
    out.push(f64::from_bits(value));
    let (mut leading, mut window) = (0, 0);
    for _ in 1..count {
        let head = bits.peek();
        if head & 1 == 0 {
            bits.skip(1);
        } else {
            if head & 2 == 0 {
                bits.skip(2);
            } else {
                leading = (head >> 2 & 0x3f) as u32;
                window = (head >> 8 & 0x3f) as u32 + 1;
                bits.skip(14);
            }
            let tail = 64u32.checked_sub(leading + window).ok_or(ChunkError::BadWindow)?;
            value ^= bits.take_long(window).checked_shl(tail).unwrap_or(0);
        }
        out.push(f64::from_bits(value));
    }
    if bits.is_over() {
        return Err(ChunkError::Truncated);
    }
    if bits.bytes_read() == bytes.len() { Ok(()) } else { Err(ChunkError::BadColumn) }
}
