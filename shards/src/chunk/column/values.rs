//! Columns of values.
//!
//! | tag | name     | behind the tag                                                                 |
//! |----:|----------|--------------------------------------------------------------------------------|
//! |   1 | constant | 8 bytes: the bits of every value                                               |
//! |   2 | decimal  | u8 scale: exponent `e`, plus 128 if floats are `m * 10^-e` and not `m / 10^e`; u8 order of the differences, 0 to 2; varint first integer; uvarint divisor; uvarint number of exceptions, per exception uvarint 2 x (place minus that of the one before) + 1 if it is a staleness marker, else 8 bytes of bits; then the pages |
//! |   3 | xor      | bits ([`super::xor`])                                                          |
//! |   4 | pco      | a standalone pco file of floats                                                |
//! |   5 | small    | u8 scale; varint integer: every value is this decimal                          |
//!
//! The integers `m` are `first + divisor * n`. Of up to [`PAGE_LEN`] values there is one page: its
//! differences of `n`, packed ([`super::ints`]), one less than values (order 0: the `n` but for the
//! first). Of more, per page in front of all payloads: u8 flags (1: ascending, 2: exceptions), varint
//! first `n` minus that of the page before, varint last `n` minus the first, if not ascending uvarint
//! first minus least and uvarint greatest minus first, uvarint length of the payload.

#![deny(clippy::indexing_slicing)]

use pco::ChunkConfig;
use pco::standalone::simple_compress;

use super::decimal::{Scale, to_integers};
use super::ints::{pco_into, put_ints, read_ints};
use super::{CHUNK_LEN_MAX, ChunkError, Decoder, Effort, Encoder, PAGE_LEN, xor};
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint};
use crate::model::STALE_NAN_BITS;

const CONSTANT: u8 = 1;
const DECIMAL: u8 = 2;
const XOR: u8 = 3;
const PCO: u8 = 4;
const SMALL: u8 = 5;

const ASCENDING: u8 = 1;
const EXCEPTIONS: u8 = 2;
/// Longest columns that are tried as XOR only: pco has a head.
const PCO_LEN_MIN: usize = 128;

/// What is known of a page without decoding it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageSummary {
    pub count: usize,
    pub first: f64,
    pub last: f64,
    pub min: f64,
    pub max: f64,
    /// Not all values are ordinary: the other figures cannot be used.
    pub has_nan: bool,
    /// No value is less than the one before it.
    pub ascending: bool,
}

impl Encoder {
    /// Appends a column of 1 to [`CHUNK_LEN_MAX`] values.
    pub fn encode_values(&mut self, values: &[f64], effort: Effort, out: &mut Vec<u8>) {
        assert!((1..=CHUNK_LEN_MAX).contains(&values.len()), "a column of {} values", values.len());
        let Some(first) = values.first() else { return };
        if values.iter().all(|value| value.to_bits() == first.to_bits()) {
            return put_constant(out, *first);
        }
        match to_integers(values, &mut self.integers, &mut self.exceptions) {
            Some(scale) => self.put_decimal(scale, effort, out),
            None => put_floats(values, effort, out),
        }
    }

    fn put_decimal(&mut self, scale: Scale, effort: Effort, out: &mut Vec<u8>) {
        let first = self.integers.first().copied().unwrap_or(0);
        let mut divisor = 0u64;
        for integer in &self.integers {
            if divisor == 1 {
                break;
            }
            divisor = gcd(divisor, integer.wrapping_sub(first).unsigned_abs());
        }
        let divisor = divisor.max(1);
        for integer in &mut self.integers {
            *integer = integer.wrapping_sub(first) / divisor as i64;
        }
        let order = best_order(&self.integers);
        out.extend_from_slice(&[DECIMAL, scale.to_byte(), order]);
        put_varint(out, first);
        put_uvarint(out, divisor);
        put_uvarint(out, self.exceptions.len() as u64);
        let mut before = 0;
        for (at, bits) in &self.exceptions {
            let stale = *bits == STALE_NAN_BITS;
            put_uvarint(out, ((at - before) as u64) << 1 | u64::from(stale));
            if !stale {
                out.extend_from_slice(&bits.to_le_bytes());
            }
            before = *at;
        }
        if self.integers.len() <= PAGE_LEN {
            put_page(out, &self.integers, order, &mut self.residuals, effort);
            return;
        }
        self.directory.clear();
        self.payloads.clear();
        let mut before = 0;
        for (number, page) in self.integers.chunks(PAGE_LEN).enumerate() {
            let begin = self.payloads.len();
            put_page(&mut self.payloads, page, order, &mut self.residuals, effort);
            let len = self.payloads.len() - begin;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
            let (min, max) = page.iter().fold((*first, *first), |(min, max), n| (min.min(*n), max.max(*n)));
            let range = number * PAGE_LEN..number * PAGE_LEN + page.len();
            let exceptional = self.exceptions.iter().any(|(at, _)| range.contains(at));
            let ascending = page.is_sorted();
            self.directory.push(u8::from(ascending) * ASCENDING | u8::from(exceptional) * EXCEPTIONS);
            put_varint(&mut self.directory, first.wrapping_sub(before));
            put_varint(&mut self.directory, last.wrapping_sub(*first));
            if !ascending {
                put_uvarint(&mut self.directory, first.wrapping_sub(min) as u64);
                put_uvarint(&mut self.directory, max.wrapping_sub(*first) as u64);
            }
            put_uvarint(&mut self.directory, len as u64);
            before = *first;
        }
        out.extend_from_slice(&self.directory);
        out.extend_from_slice(&self.payloads);
    }
}

fn put_constant(out: &mut Vec<u8>, value: f64) {
    let (mut integers, mut exceptions) = (Vec::new(), Vec::new());
    let decimal = to_integers(&[value], &mut integers, &mut exceptions).filter(|_| exceptions.is_empty());
    if let (Some(scale), Some(integer)) = (decimal, integers.first())
        && integer.unsigned_abs() < 1 << 40
    {
        out.extend_from_slice(&[SMALL, scale.to_byte()]);
        return put_varint(out, *integer);
    }
    out.push(CONSTANT);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn put_floats(values: &[f64], effort: Effort, out: &mut Vec<u8>) {
    let begin = out.len();
    out.push(XOR);
    xor::put(out, values);
    if effort == Effort::Fast || values.len() < PCO_LEN_MIN {
        return;
    }
    if let Ok(packed) = simple_compress(values, &ChunkConfig::default().with_compression_level(6))
        && packed.len() < out.len() - begin - 1
    {
        out.truncate(begin);
        out.push(PCO);
        out.extend_from_slice(&packed);
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The order of differences that are shortest, judged by a part of them.
fn best_order(integers: &[i64]) -> u8 {
    let mut costs = [0u32; 3];
    let part = integers.len().min(256);
    let start = (integers.len() - part) / 2;
    let len = |value: i64| 64 - value.wrapping_abs().leading_zeros();
    let (mut before, mut delta_before) = (None, None);
    let sample = integers.get(start..start + part).unwrap_or_default();
    // Around the middle, as packing takes a centre into account.
    let count = sample.len().max(1) as i128;
    let middle = sample.iter().fold(0i128, |sum, n| sum + i128::from(*n)) / count;
    let (begin, end) = (sample.first().copied().unwrap_or(0), sample.last().copied().unwrap_or(0));
    let mean_delta = ((i128::from(end) - i128::from(begin)) / (count - 1).max(1)) as i64;
    for integer in sample {
        if let Some(before) = before {
            let delta = integer.wrapping_sub(before);
            costs[0] += len(integer.wrapping_sub(middle as i64));
            costs[1] += len(delta.wrapping_sub(mean_delta));
            if let Some(delta_before) = delta_before {
                costs[2] += len(delta.wrapping_sub(delta_before));
            }
            delta_before = Some(delta);
        }
        before = Some(*integer);
    }
    let [zero, one, two] = costs;
    if two + part as u32 / 4 < one.min(zero) { 2 } else { u8::from(one <= zero) }
}

/// Appends the integers of a page but the first, as differences of an order.
fn put_page(out: &mut Vec<u8>, page: &[i64], order: u8, residuals: &mut Vec<i64>, effort: Effort) {
    residuals.clear();
    let Some((first, rest)) = page.split_first() else { return };
    let (mut before, mut delta_before) = (*first, 0i64);
    for integer in rest {
        let delta = integer.wrapping_sub(before);
        residuals.push(match order {
            0 => integer.wrapping_sub(*first),
            1 => delta,
            _ => delta.wrapping_sub(delta_before),
        });
        (before, delta_before) = (*integer, delta);
    }
    if !residuals.is_empty() {
        put_ints(out, residuals, effort);
    }
}

/// Appends the integers of a page: `first`, and what its differences lead to.
fn read_page(
    bytes: &[u8],
    count: usize,
    order: u8,
    first: i64,
    (base, divisor): (i64, i64),
    scratch: &mut Vec<i64>,
    out: &mut Vec<f64>,
    scale: Scale,
) -> Result<(), ChunkError> {
    if count > 1 {
        read_ints(bytes, count - 1, scratch)?;
    } else {
        scratch.clear();
        if !bytes.is_empty() {
            return Err(ChunkError::BadColumn);
        }
    }
    let begin = base.wrapping_add(first.wrapping_mul(divisor));
    match order {
        0 => scratch.iter_mut().for_each(|n| *n = begin.wrapping_add(n.wrapping_mul(divisor))),
        1 => {
            let mut integer = begin;
            for n in &mut *scratch {
                integer = integer.wrapping_add(n.wrapping_mul(divisor));
                *n = integer;
            }
        }
        _ => {
            let (mut integer, mut delta) = (begin, 0i64);
            for n in &mut *scratch {
                delta = delta.wrapping_add(n.wrapping_mul(divisor));
                integer = integer.wrapping_add(delta);
                *n = integer;
            }
        }
    }
    scale.floats(&[begin], out);
    scale.floats(scratch, out);
    Ok(())
}

/// The head of a decimal column.
struct Head {
    scale: Scale,
    order: u8,
    first: i64,
    divisor: i64,
}

fn read_head(
    cursor: &mut Cursor<'_>,
    count: usize,
    exceptions: &mut Vec<(usize, u64)>,
) -> Result<Head, ChunkError> {
    let scale = Scale::from_byte(cursor.u8()?).ok_or(ChunkError::BadColumn)?;
    let order = cursor.u8()?;
    let first = cursor.varint()?;
    let divisor = i64::try_from(cursor.uvarint()?).map_err(|_| ChunkError::BadColumn)?;
    let number = cursor.uvarint()?;
    if order > 2 || number > count as u64 {
        return Err(ChunkError::BadColumn);
    }
    exceptions.clear();
    let mut at = 0usize;
    for _ in 0..number {
        let code = cursor.uvarint()?;
        at = usize::try_from(code >> 1)
            .ok()
            .and_then(|gap| at.checked_add(gap))
            .ok_or(ChunkError::BadColumn)?;
        if at >= count {
            return Err(ChunkError::BadColumn);
        }
        exceptions.push((at, if code & 1 == 1 { STALE_NAN_BITS } else { cursor.u64_le()? }));
    }
    Ok(Head { scale, order, first, divisor })
}

/// A page as its directory tells of it.
struct PageEntry {
    flags: u8,
    first: i64,
    last: i64,
    min: i64,
    max: i64,
    len: usize,
}

fn read_page_entry(cursor: &mut Cursor<'_>, before: i64) -> Result<PageEntry, ChunkError> {
    let flags = cursor.u8()?;
    let first = before.wrapping_add(cursor.varint()?);
    let last = first.wrapping_add(cursor.varint()?);
    let (mut min, mut max) = (first, last);
    if flags & ASCENDING == 0 {
        min = first.wrapping_sub(cursor.uvarint()? as i64);
        max = first.wrapping_add(cursor.uvarint()? as i64);
    }
    let len = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::BadColumn)?;
    Ok(PageEntry { flags, first, last, min, max, len })
}

impl Decoder {
    /// Appends the `count` values of a column. On an error nothing is appended.
    pub fn decode_values(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        self.decode_values_pages(bytes, count, 0..count.div_ceil(PAGE_LEN), out)
    }

    /// Appends the values of some pages. On an error nothing is appended.
    pub fn decode_values_pages(
        &mut self,
        bytes: &[u8],
        count: usize,
        pages: std::ops::Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        let begin = out.len();
        let decoded = self.values(bytes, count, pages, out);
        if decoded.is_err() {
            out.truncate(begin);
        }
        decoded
    }

    fn values(
        &mut self,
        bytes: &[u8],
        count: usize,
        pages: std::ops::Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        if count == 0 || count > CHUNK_LEN_MAX {
            return Err(ChunkError::BadColumn);
        }
        let wanted =
            pages.start.saturating_mul(PAGE_LEN).min(count)..pages.end.saturating_mul(PAGE_LEN).min(count);
        let mut cursor = Cursor::new(bytes);
        let tag = cursor.u8()?;
        let begin = out.len();
        match tag {
            CONSTANT => out.resize(begin + wanted.len(), f64::from_bits(cursor.u64_le()?)),
            SMALL => {
                let scale = Scale::from_byte(cursor.u8()?).ok_or(ChunkError::BadColumn)?;
                out.resize(begin + wanted.len(), scale.float(cursor.varint()?));
            }
            XOR | PCO => {
                let rest = cursor.take(cursor.remaining())?;
                if tag == XOR {
                    xor::read(rest, count, out)?;
                } else {
                    out.resize(begin + count, 0.0);
                    pco_into(rest, out.get_mut(begin..).unwrap_or_default())?;
                }
                out.truncate(begin + wanted.end);
                out.drain(begin..begin + wanted.start);
                return Ok(());
            }
            DECIMAL => {
                let head = read_head(&mut cursor, count, &mut self.exceptions)?;
                self.decimal(&mut cursor, &head, count, pages, out)?;
                for (at, bits) in self.exceptions.iter().filter(|(at, _)| wanted.contains(at)) {
                    if let Some(place) = out.get_mut(begin + at - wanted.start) {
                        *place = f64::from_bits(*bits);
                    }
                }
                return Ok(());
            }
            _ => return Err(ChunkError::BadColumn),
        }
        if cursor.is_empty() { Ok(()) } else { Err(ChunkError::BadColumn) }
    }

    fn decimal(
        &mut self,
        cursor: &mut Cursor<'_>,
        head: &Head,
        count: usize,
        pages: std::ops::Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        let ints = (head.first, head.divisor);
        if count <= PAGE_LEN {
            let rest = cursor.take(cursor.remaining())?;
            return read_page(rest, count, head.order, 0, ints, &mut self.integers, out, head.scale);
        }
        let mut entries = Vec::with_capacity(count.div_ceil(PAGE_LEN));
        let mut before = 0;
        for _ in 0..count.div_ceil(PAGE_LEN) {
            let entry = read_page_entry(cursor, before)?;
            before = entry.first;
            entries.push(entry);
        }
        for (number, entry) in entries.iter().enumerate() {
            let payload = cursor.take(entry.len)?;
            if pages.contains(&number) {
                let len = (count - number * PAGE_LEN).min(PAGE_LEN);
                read_page(payload, len, head.order, entry.first, ints, &mut self.integers, out, head.scale)?;
            }
        }
        if cursor.is_empty() { Ok(()) } else { Err(ChunkError::BadColumn) }
    }
}

/// Replaces `out` by what is known of the pages of a column. Only columns that are not decimal, or
/// have one page, are decoded for it.
pub fn summaries(bytes: &[u8], count: usize, out: &mut Vec<PageSummary>) -> Result<(), ChunkError> {
    out.clear();
    if count == 0 || count > CHUNK_LEN_MAX {
        return Err(ChunkError::BadColumn);
    }
    let mut cursor = Cursor::new(bytes);
    let mut exceptions = Vec::new();
    if count > PAGE_LEN && cursor.u8()? == DECIMAL {
        let head = read_head(&mut cursor, count, &mut exceptions)?;
        let mut before = 0;
        for number in 0..count.div_ceil(PAGE_LEN) {
            let entry = read_page_entry(&mut cursor, before)?;
            before = entry.first;
            let float = |n: i64| head.scale.float(head.first.wrapping_add(n.wrapping_mul(head.divisor)));
            out.push(PageSummary {
                count: (count - number * PAGE_LEN).min(PAGE_LEN),
                first: float(entry.first),
                last: float(entry.last),
                min: float(entry.min),
                max: float(entry.max),
                has_nan: entry.flags & EXCEPTIONS != 0,
                ascending: entry.flags & ASCENDING != 0,
            });
        }
        return Ok(());
    }
    let mut values = Vec::new();
    Decoder::default().decode_values(bytes, count, &mut values)?;
    out.extend(values.chunks(PAGE_LEN).map(summarise));
    Ok(())
}

fn summarise(page: &[f64]) -> PageSummary {
    let first = page.first().copied().unwrap_or_default();
    let fold = |pick: fn(f64, f64) -> f64| page.iter().copied().fold(first, pick);
    PageSummary {
        count: page.len(),
        first,
        last: page.last().copied().unwrap_or_default(),
        min: fold(|least, value| if value < least { value } else { least }),
        max: fold(|most, value| if value > most { value } else { most }),
        has_nan: page.iter().any(|value| !value.is_finite() || value.to_bits() == (-0.0f64).to_bits()),
        ascending: page.is_sorted(),
    }
}
