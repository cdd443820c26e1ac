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
/// Bits that a patch may cost more: many of them are slow to read.
const PATCH_BITS_WORTH: usize = 9;

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
    cheapest_width_with(lens, PATCH_BITS)
}

fn cheapest_width_with(lens: &[u32; 66], patch_bits: usize) -> (u32, usize) {
    let total: u32 = lens.iter().sum();
    let (mut best, mut outliers, mut above) = ((WORD_BITS, usize::MAX), 0usize, 0usize);
    // From wide to narrow: `above` is the sum of what the outliers have above the width.
    for (len, count) in lens.iter().enumerate().rev() {
        let width = len as u32;
        if width <= WORD_BITS {
            let bits = total as usize * len + outliers * patch_bits + above * 8 / 7;
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
        let (width, bits) = cheapest_width_with(&lens, PATCH_BITS + PATCH_BITS_WORTH);
        let bits = bits + uvarint_len(zigzag(base)) * 8;
        if bits < best_bits {
            let patched = base != *min || width < full;
            (best, best_bits) = ((base, width, patched), bits);
        }
    }
    best
}

/// A page of residuals as it is read.
#[derive(Debug)]
pub(super) struct PackedPage<'a> {
    width: u32,
    /// Added to each residual.
    pub(super) base: i64,
    patches: Patches<'a>,
    lows: &'a [u8],
}

/// What is added to residuals that are longer than the width, by their places.
#[derive(Debug, Clone)]
struct Patches<'a> {
    cursor: Cursor<'a>,
    left: u64,
    next: usize,
    width: u32,
}

impl Patches<'_> {
    fn read(&mut self) -> Result<Option<(usize, i64)>, ChunkError> {
        if self.left == 0 {
            return Ok(None);
        }
        let gap = usize::try_from(self.cursor.uvarint()?).map_err(|_| ChunkError::Corrupt)?;
        let high = self.cursor.varint()?;
        let place = self.next.checked_add(gap).ok_or(ChunkError::Corrupt)?;
        self.next = place.saturating_add(1);
        self.left -= 1;
        Ok(Some((place, high.checked_shl(self.width).unwrap_or(0))))
    }
}

impl<'a> PackedPage<'a> {
    /// Reads the head of a page of `count` residuals that takes all of `bytes`.
    pub(super) fn read(bytes: &'a [u8], count: usize) -> Result<Self, ChunkError> {
        let mut cursor = Cursor::new(bytes);
        let head = cursor.u8()?;
        let width = u32::from(head & !PATCHED);
        if width > WORD_BITS {
            return Err(ChunkError::Corrupt);
        }
        let base = cursor.varint()?;
        let left = if head & PATCHED == 0 { 0 } else { cursor.uvarint()? };
        if left > count as u64 {
            return Err(ChunkError::Corrupt);
        }
        let patches = Patches { cursor: cursor.clone(), left, next: 0, width };
        let mut behind = patches.clone();
        while let Some((place, _)) = behind.read()? {
            if place >= count {
                return Err(ChunkError::Corrupt);
            }
        }
        let mut cursor = behind.cursor;
        let lows = cursor.take(cursor.remaining())?;
        let len_bits = count * width as usize;
        if lows.len() != len_bits.div_ceil(8) {
            return Err(if lows.len() * 8 < len_bits { ChunkError::Truncated } else { ChunkError::Surplus });
        }
        Ok(Self { width, base, patches, lows })
    }

    /// Fills `out` with the residuals less the base.
    pub(super) fn fill(&self, source: &mut BitSource, out: &mut [i64]) -> Result<(), ChunkError> {
        if self.width == 0 {
            out.fill(0);
        } else {
            source.load(self.lows);
            source.unpack(self.width, out);
        }
        let mut patches = self.patches.clone();
        while let Some((place, high)) = patches.read()? {
            let value = out.get_mut(place).ok_or(ChunkError::Corrupt)?;
            *value = value.wrapping_add(high);
        }
        Ok(())
    }
}

/// Fills `out` with the residuals of a page that takes all of `bytes`.
pub(super) fn read_page(bytes: &[u8], source: &mut BitSource, out: &mut [i64]) -> Result<(), ChunkError> {
    let page = PackedPage::read(bytes, out.len())?;
    page.fill(source, out)?;
    if page.base != 0 {
        out.iter_mut().for_each(|value| *value = page.base.wrapping_add(*value));
    }
    Ok(())
}
