//! Packing of integers that mostly lie near one of them, the *centre*.
//!
//! | mode | name   | behind the mode byte                                                             |
//! |-----:|--------|----------------------------------------------------------------------------------|
//! |    0 | equal  | varint centre: all are equal to it                                               |
//! |    1 | sparse | varint centre; uvarint number of others; u8 Rice parameter of the gaps; u8 Rice parameter of the values; bits: per other its gap (integers equal to the centre before it), then zigzag of it minus the centre minus 1 |
//! |    2 | groups | varint centre; per 64 integers: u8 width, u8 patches, if there are any u8 width of these; bits: zigzag of each minus the centre, its low `width` bits; per patch 6 bits of place and what is above `width`; filled to a byte |
//! |    3 | pco    | a standalone pco file of signed 16, 32 or 64 bit integers                        |
//!
//! A Rice code with parameter `p` is `value >> p` ones, a zero, and the low `p` bits; if there would
//! be more than 31 ones it is 32 ones and 64 bits of the value.

#![deny(clippy::indexing_slicing)]

use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::bits::{BitReader, BitWriter};
use super::{ChunkError, Effort};
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint, unzigzag, uvarint_len, zigzag};

const EQUAL: u8 = 0;
const SPARSE: u8 = 1;
const GROUPS: u8 = 2;
const PCO: u8 = 3;

const GROUP_LEN: usize = 64;
const RICE_ONES_MAX: u32 = 31;
/// pco has a head that pays off only from here on.
const PCO_LEN_MIN: usize = 256;
const PCO_LEVEL: usize = 6;
/// Bits per integer below which pco is not worth a try.
const PCO_BITS_MIN: usize = 2;

const fn rice_len(value: u64, parameter: u32) -> u32 {
    let ones = value >> parameter;
    if ones > RICE_ONES_MAX as u64 { RICE_ONES_MAX + 1 + 64 } else { ones as u32 + 1 + parameter }
}

fn put_rice(bits: &mut BitWriter<'_>, value: u64, parameter: u32) {
    let ones = value >> parameter;
    if ones > u64::from(RICE_ONES_MAX) {
        bits.put((1 << (RICE_ONES_MAX + 1)) - 1, RICE_ONES_MAX + 1);
        bits.put_long(value, 64);
    } else {
        bits.put((1 << ones) - 1, ones as u32 + 1);
        bits.put_long(value & ((1 << parameter) - 1), parameter);
    }
}

fn take_rice(bits: &mut BitReader<'_>, parameter: u32) -> u64 {
    let ones = bits.peek().trailing_ones();
    if ones > RICE_ONES_MAX {
        bits.skip(RICE_ONES_MAX + 1);
        return bits.take_long(64);
    }
    bits.skip(ones + 1);
    u64::from(ones) << parameter | bits.take_long(parameter)
}

/// The parameter that suits values of this sum and number.
fn rice_parameter(sum: u128, count: usize) -> u32 {
    let mean = sum / count.max(1) as u128;
    (128 - mean.leading_zeros()).saturating_sub(1).min(56)
}

/// The integer that most others are near: the most frequent of a few, or the one in the middle.
fn centre(integers: &[i64]) -> i64 {
    let step = (integers.len() / 15).max(1);
    let mut some: Vec<i64> = integers.iter().step_by(step).copied().collect();
    some.sort_unstable();
    let runs = some.chunk_by(|left, right| left == right);
    let longest = runs.max_by_key(|run| run.len()).filter(|run| run.len() * 3 > some.len());
    longest.and_then(|run| run.first()).or_else(|| some.get(some.len() / 2)).copied().unwrap_or(0)
}

/// Width of a group and of its patches with the least cost in bits.
fn group_widths(lens: &[u32; 65], count: usize) -> (u32, u32, usize, usize) {
    let longest =
        (0..=64).rev().find(|len| lens.get(*len as usize).is_some_and(|count| *count > 0)).unwrap_or(0);
    let mut best = (longest, 0, 0, 16 + count * longest as usize);
    let mut patches = 0;
    for width in (0..longest).rev() {
        patches += lens.get(width as usize + 1).copied().unwrap_or(0) as usize;
        let cost = 24 + count * width as usize + patches * (6 + (longest - width) as usize);
        if cost < best.3 {
            best = (width, longest - width, patches, cost);
        }
    }
    best
}

const fn bit_len(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Appends integers; the reader has to know their number.
pub(super) fn put_ints(out: &mut Vec<u8>, integers: &[i64], effort: Effort) {
    let centre = centre(integers);
    let offset = |integer: &i64| zigzag(integer.wrapping_sub(centre));
    let others = integers.iter().filter(|integer| **integer != centre).count();
    if others == 0 {
        out.push(EQUAL);
        return put_varint(out, centre);
    }
    // What the ways cost, in bits.
    let sum: u128 = integers.iter().map(|integer| u128::from(offset(integer))).sum();
    let gap_parameter = rice_parameter((integers.len() - others) as u128, others);
    let value_parameter = rice_parameter(sum - others as u128, others);
    let (mut sparse, mut groups, mut gap) = (16 + 8 * uvarint_len(others as u64), 0, 0);
    for group in integers.chunks(GROUP_LEN) {
        let mut lens = [0; 65];
        for integer in group {
            let offset = offset(integer);
            if let Some(count) = lens.get_mut(bit_len(offset) as usize) {
                *count += 1;
            }
            if offset == 0 {
                gap += 1;
            } else {
                sparse += (rice_len(gap, gap_parameter) + rice_len(offset - 1, value_parameter)) as usize;
                gap = 0;
            }
        }
        groups += group_widths(&lens, group.len()).3.next_multiple_of(8);
    }
    let least = sparse.min(groups);
    if effort == Effort::Best
        && integers.len() >= PCO_LEN_MIN
        && least > integers.len() * PCO_BITS_MIN
        && let Some(packed) = pco_compress(integers)
        && packed.len() * 8 < least
    {
        out.push(PCO);
        out.extend_from_slice(&packed);
        return;
    }
    if sparse <= groups {
        out.push(SPARSE);
        put_varint(out, centre);
        put_uvarint(out, others as u64);
        out.extend_from_slice(&[gap_parameter as u8, value_parameter as u8]);
        let mut bits = BitWriter::new(out);
        let mut gap = 0;
        for integer in integers {
            let offset = offset(integer);
            if offset == 0 {
                gap += 1;
                continue;
            }
            put_rice(&mut bits, gap, gap_parameter);
            put_rice(&mut bits, offset - 1, value_parameter);
            gap = 0;
        }
        bits.finish();
        return;
    }
    out.push(GROUPS);
    put_varint(out, centre);
    for group in integers.chunks(GROUP_LEN) {
        let mut lens = [0; 65];
        for integer in group {
            if let Some(count) = lens.get_mut(bit_len(offset(integer)) as usize) {
                *count += 1;
            }
        }
        let (width, above, patches, _) = group_widths(&lens, group.len());
        out.extend_from_slice(&[width as u8, patches as u8]);
        if patches > 0 {
            out.push(above as u8);
        }
        let mut bits = BitWriter::new(out);
        let mask = 1u64.checked_shl(width).map_or(u64::MAX, |bit| bit - 1);
        for integer in group {
            bits.put_long(offset(integer) & mask, width);
        }
        if patches > 0 {
            for (at, integer) in group.iter().enumerate() {
                let high = offset(integer).checked_shr(width).unwrap_or(0);
                if high != 0 {
                    bits.put(at as u64, 6);
                    bits.put_long(high, above);
                }
            }
        }
        bits.finish();
    }
}

/// Replaces `out` by the `count` integers that bytes hold; all bytes must be used.
pub(super) fn read_ints(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), ChunkError> {
    out.clear();
    let mut cursor = Cursor::new(bytes);
    let mode = cursor.u8()?;
    if mode == PCO {
        return pco_decompress(cursor.take(cursor.remaining())?, count, out);
    }
    let centre = cursor.varint()?;
    out.resize(count, centre);
    match mode {
        EQUAL => {}
        SPARSE => {
            let others = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::Truncated)?;
            let (gaps, values) = (u32::from(cursor.u8()?), u32::from(cursor.u8()?));
            if others > count || gaps > 56 || values > 56 {
                return Err(ChunkError::BadColumn);
            }
            let mut bits = BitReader::new(cursor.take(cursor.remaining())?);
            let mut places = out.iter_mut();
            for _ in 0..others {
                let gap = usize::try_from(take_rice(&mut bits, gaps)).map_err(|_| ChunkError::BadColumn)?;
                let offset = take_rice(&mut bits, values).wrapping_add(1);
                let place = places.nth(gap).ok_or(ChunkError::BadColumn)?;
                *place = centre.wrapping_add(unzigzag(offset));
            }
            if bits.is_over() {
                return Err(ChunkError::Truncated);
            }
            return if cursor.position() == bytes.len() { Ok(()) } else { Err(ChunkError::BadColumn) };
        }
        GROUPS => {
            for group in out.chunks_mut(GROUP_LEN) {
                read_group(&mut cursor, centre, group)?;
            }
        }
        _ => return Err(ChunkError::BadColumn),
    }
    if cursor.is_empty() { Ok(()) } else { Err(ChunkError::BadColumn) }
}

fn read_group(cursor: &mut Cursor<'_>, centre: i64, group: &mut [i64]) -> Result<(), ChunkError> {
    let (width, patches) = (u32::from(cursor.u8()?), usize::from(cursor.u8()?));
    let above = if patches > 0 { u32::from(cursor.u8()?) } else { 0 };
    if width > 64 || above > 64 - width || patches > GROUP_LEN {
        return Err(ChunkError::BadColumn);
    }
    let len_bits = group.len() * width as usize + patches * (6 + above as usize);
    let mut bits = BitReader::new(cursor.take(len_bits.div_ceil(8))?);
    if width <= super::bits::CODE_BITS_MAX {
        for place in &mut *group {
            *place = centre.wrapping_add(unzigzag(bits.take(width)));
        }
    } else {
        for place in &mut *group {
            *place = centre.wrapping_add(unzigzag(bits.take_long(width)));
        }
    }
    for _ in 0..patches {
        let at = bits.take(6) as usize;
        let high = bits.take_long(above).checked_shl(width).unwrap_or(0);
        let place = group.get_mut(at).ok_or(ChunkError::BadColumn)?;
        *place = centre.wrapping_add(unzigzag(zigzag(place.wrapping_sub(centre)) | high));
    }
    Ok(())
}

fn pco_config() -> ChunkConfig {
    ChunkConfig::default()
        .with_compression_level(PCO_LEVEL)
        .with_delta_spec(DeltaSpec::NoOp)
        .with_mode_spec(ModeSpec::Classic)
}

/// Packs with the narrowest type that holds all.
fn pco_compress(integers: &[i64]) -> Option<Vec<u8>> {
    let narrow = |bound: i64| integers.iter().all(|integer| (-bound..bound).contains(integer));
    let config = pco_config();
    if narrow(1 << 15) {
        let narrow: Vec<i16> = integers.iter().map(|integer| *integer as i16).collect();
        return Some([vec![16], simple_compress(&narrow, &config).ok()?].concat());
    }
    if narrow(1 << 31) {
        let narrow: Vec<i32> = integers.iter().map(|integer| *integer as i32).collect();
        return Some([vec![32], simple_compress(&narrow, &config).ok()?].concat());
    }
    Some([vec![64], simple_compress(integers, &config).ok()?].concat())
}

fn pco_decompress(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), ChunkError> {
    let (width, bytes) = bytes.split_first().ok_or(ChunkError::Truncated)?;
    match width {
        16 => {
            let mut narrow = vec![0i16; count];
            pco_into(bytes, &mut narrow)?;
            out.extend(narrow.into_iter().map(i64::from));
        }
        32 => {
            let mut narrow = vec![0i32; count];
            pco_into(bytes, &mut narrow)?;
            out.extend(narrow.into_iter().map(i64::from));
        }
        64 => {
            out.resize(count, 0);
            pco_into(bytes, out)?;
        }
        _ => return Err(ChunkError::BadColumn),
    }
    Ok(())
}

/// Fills a slice of exactly as many numbers as the file holds.
pub(super) fn pco_into<T: pco::data_types::Number>(bytes: &[u8], out: &mut [T]) -> Result<(), ChunkError> {
    let progress = simple_decompress_into(bytes, out).map_err(|_| ChunkError::BadColumn)?;
    let whole = progress.n_processed == out.len() && progress.finished;
    if whole { Ok(()) } else { Err(ChunkError::BadColumn) }
}
