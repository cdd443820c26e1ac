//! Bit packing of residuals: every one in the same width above a base, outliers patched.
//!
//! | field   | encoding           | notes                                                         |
//! |---------|--------------------|---------------------------------------------------------------|
//! | width   | u8                 | 0 to 64; 128 is added if there are patches                    |
//! | base    | varint             | added to each residual                                        |
//! | patches | uvarint, then each | number of patches; present if told                            |
//! | - gap   | uvarint            | residuals between the patch before and this one               |
//! | - high  | varint             | added to the residual, shifted left by the width              |
//! | lows    | bits               | `width` bits each, least significant first; zeros to a byte   |

use super::bits::{BitSink, BitSource};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::bits::{WORD_BITS, low_bits};
use crate::codec::varint::{put_uvarint, put_varint, uvarint_len, zigzag};

const PATCHED: u8 = 0x80;
/// Residuals looked at to tell the ordinary from the outliers.
const PROBES: usize = 33;

/// Bits that a patch is thought to take besides its bits above the width.
const PATCH_BITS: usize = 11;

fn bit_len(value: u64) -> u32 {
    WORD_BITS - value.leading_zeros()
}

/// Bits of a residual relative to a base, where those below it are outliers of their distance.
#[inline]
fn reach(residual: i64, base: i64) -> u32 {
    let above = residual.wrapping_sub(base);
    if above >= 0 { bit_len(above as u64) } else { 1 + bit_len(above.unsigned_abs()) }
}

/// Cheapest width for residuals of these bit lengths, and the bits that they take.
pub(super) fn cheapest_width(lens: &[u32; 66]) -> (u32, usize) {
    let total: u32 = lens.iter().sum();
    let (mut best, mut outliers, mut above) = ((WORD_BITS, usize::MAX), 0usize, 0usize);
    // From wide to narrow: `above` is the sum of what the outliers have above the width.
    for (len, count) in lens.iter().enumerate().rev() {
        let width = len as u32;
        if width <= WORD_BITS {
            let bits = total as usize * len + outliers * PATCH_BITS + above * 8 / 7;
            if bits < best.1 {
                best = (width, bits);
            }
        }
        outliers += *count as usize;
        above += outliers;
    }
    best
}

/// Appends a page of residuals.
pub(super) fn write_page(residuals: &[i64], out: &mut Vec<u8>) {
    let (base, width, patched) = choose(residuals);
    let high_of = |residual: i64| if width >= WORD_BITS { 0 } else { residual.wrapping_sub(base) >> width };
    let flag = if patched { PATCHED } else { 0 };
    out.push(width as u8 | flag);
    put_varint(out, base);
    if patched {
        put_uvarint(out, residuals.iter().filter(|residual| high_of(**residual) != 0).count() as u64);
        let mut next = 0;
        for (index, residual) in residuals.iter().enumerate() {
            let high = high_of(*residual);
            if high != 0 {
                put_uvarint(out, (index - next) as u64);
                put_varint(out, high);
                next = index + 1;
            }
        }
    }
    if width > 0 {
        let mut bits = BitSink::new(out);
        for residual in residuals {
            bits.push(low_bits(residual.wrapping_sub(base) as u64, width), width);
        }
        bits.finish();
    }
}

/// Base, width, and whether there are outliers.
fn choose(residuals: &[i64]) -> (i64, u32, bool) {
    let (Some(min), Some(max)) = (residuals.iter().min(), residuals.iter().max()) else {
        return (0, 0, false);
    };
    let full = bit_len(max.wrapping_sub(*min) as u64);
    if full == 0 {
        return (*min, 0, false);
    }
    let mut probes = [0i64; PROBES];
    let stride = residuals.len().div_ceil(PROBES);
    let mut taken = 0;
    for (probe, residual) in probes.iter_mut().zip(residuals.iter().step_by(stride)) {
        *probe = *residual;
        taken += 1;
    }
    let sorted = probes.get_mut(..taken).unwrap_or_default();
    sorted.sort_unstable();
    let edge = sorted.len() / 16;
    let low = sorted.get(edge).copied().unwrap_or(*min);
    let high = sorted.iter().rev().nth(edge).copied().unwrap_or(*max);
    let ordinary = bit_len(high.wrapping_sub(low) as u64);
    // With all in one width a patch cannot pay for itself.
    if full <= ordinary + 1 && full > 1 || residuals.len() < 4 {
        return (*min, full, false);
    }
    let mut best = (*min, full, false);
    let mut best_bits = residuals.len() * full as usize;
    for base in [*min, low] {
        let mut lens = [0u32; 66];
        for residual in residuals {
            if let Some(count) = lens.get_mut(reach(*residual, base) as usize) {
                *count += 1;
            }
        }
        let (width, bits) = cheapest_width(&lens);
        let bits = bits + uvarint_len(zigzag(base)) * 8;
        if bits < best_bits {
            let patched = base != *min || width < full;
            (best, best_bits) = ((base, width, patched), bits);
        }
    }
    best
}

/// Fills `out` with the residuals of a page that takes all of `bytes`.
pub(super) fn read_page(bytes: &[u8], source: &mut BitSource, out: &mut [i64]) -> Result<(), ChunkError> {
    let mut cursor = Cursor::new(bytes);
    let head = cursor.u8()?;
    let width = u32::from(head & !PATCHED);
    if width > WORD_BITS {
        return Err(ChunkError::Corrupt);
    }
    let base = cursor.varint()?;
    let patches = if head & PATCHED == 0 { 0 } else { cursor.uvarint()? };
    if patches > out.len() as u64 {
        return Err(ChunkError::Corrupt);
    }
    let mut behind = cursor.clone();
    for _ in 0..patches {
        behind.uvarint()?;
        behind.varint()?;
    }
    let stored = behind.take(behind.remaining())?;
    let len_bits = out.len() * width as usize;
    if stored.len() != len_bits.div_ceil(8) {
        return Err(if stored.len() * 8 < len_bits { ChunkError::Truncated } else { ChunkError::Surplus });
    }
    if width == 0 {
        out.fill(base);
    } else {
        source.load(stored);
        source.unpack(width, out);
        if base != 0 {
            out.iter_mut().for_each(|value| *value = base.wrapping_add(*value));
        }
    }
    let mut next = 0usize;
    for _ in 0..patches {
        let gap = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::Corrupt)?;
        let high = cursor.varint()?;
        let place = next.checked_add(gap).ok_or(ChunkError::Corrupt)?;
        let value = out.get_mut(place).ok_or(ChunkError::Corrupt)?;
        *value = value.wrapping_add(high.checked_shl(width).unwrap_or(0));
        next = place + 1;
    }
    Ok(())
}
