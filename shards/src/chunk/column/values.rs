//! Columns of values.
//!
//! The first byte, and what follows it:
//!
//! | bits 0-2 | bits 3-7          | what follows                                                   |
//! |---------:|-------------------|----------------------------------------------------------------|
//! |      0-5 | shape             | the scale of this number, see [`super::scale`], and integers    |
//! |        6 | 0                 | one value: its 8 bytes                                          |
//! |        6 | 1                 | one value: the NaN `7ff8000000000001`                           |
//! |        6 | 2                 | one value: the staleness marker                                 |
//! |        6 | 3                 | one value: an integer as varint                                 |
//! |        6 | 4                 | one value: a quotient, its exponent as u8, its integer as varint |
//! |        7 | 0 to 31           | one value: this integer                                         |
//!
//! The shape is the order in bits 3 and 4, 1 in bit 5 if entropy-coded, 1 in bit 6 if a second
//! byte follows, 0 in bit 7. Bits of the second byte, 0 if it is missing: 0 integers are divided,
//! 1 there are exceptions, 2 the column is paged, others 0. Then:
//!
//! | field      | encoding | notes                                                              |
//! |------------|----------|--------------------------------------------------------------------|
//! | exponent   | u8       | of scales 1 to 4                                                   |
//! | exceptions |          | if told, see [`super::odd`]                                        |
//! | length     | uvarint  | bytes of the integers, of scale 4                                  |
//! | integers   |          | see [`super::ints`]                                                |
//! | excess     |          | of scale 4: as a column of scale 0 without exceptions              |

use std::ops::Range;

use super::directory::Figures;
use super::ints::{Body, IntDecoder, IntEncoder, Plan, Shape};
use super::odd::{self, GO_NAN_BITS, Run};
use super::order::Order;
use super::picks::Picks;
use super::scale::{Scale, exceed, excess, rounded};
use super::{Effort, PAGE_LEN, PageSummary, detect};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint};
use crate::model::STALE_NAN_BITS;

pub(super) const CONSTANT: u8 = 6;
pub(super) const SMALL: u8 = 7;
pub(super) const SMALL_MAX: i64 = 31;

const ENTROPY: u8 = 1 << 5;
const EXTENDED: u8 = 1 << 6;
const RESERVED: u8 = 1 << 7;

const DIVIDED: u8 = 1;
const ODD: u8 = 2;
const PAGED: u8 = 4;

/// Writes columns of values.
#[derive(Debug, Default)]
pub(super) struct ValueEncoder {
    integers: Vec<i64>,
    excesses: Vec<i64>,
    probes: Vec<f64>,
    odd: Vec<usize>,
    runs: Vec<Run>,
    figures: Vec<Figures>,
    ints: IntEncoder,
    body: Vec<u8>,
}

/// Appends the first byte of a column that is not constant, and the second if it is needed.
pub(super) fn write_shape(scale: u8, shape: Shape, odd: bool, out: &mut Vec<u8>) {
    let mut more = 0;
    for (set, flag) in [(shape.divided, DIVIDED), (odd, ODD), (shape.paged, PAGED)] {
        more |= if set { flag } else { 0 };
    }
    let entropy = if shape.entropy { ENTROPY } else { 0 };
    let extended = if more != 0 { EXTENDED } else { 0 };
    out.push(scale | (shape.order as u8) << 3 | entropy | extended);
    if more != 0 {
        out.push(more);
    }
}

/// Reads the rest of a shape; also tells whether there are exceptions.
pub(super) fn read_shape(first: u8, cursor: &mut Cursor<'_>) -> Result<(Shape, bool), ChunkError> {
    let more = if first & EXTENDED != 0 { cursor.u8()? } else { 0 };
    if first & RESERVED != 0 || more & !(DIVIDED | ODD | PAGED) != 0 {
        return Err(ChunkError::UnknownEncoding(first));
    }
    let shape = Shape {
        order: Order::from_number(first >> 3),
        entropy: first & ENTROPY != 0,
        divided: more & DIVIDED != 0,
        paged: more & PAGED != 0,
    };
    Ok((shape, more & ODD != 0))
}

impl ValueEncoder {
    pub(super) fn encode(&mut self, values: &[f64], effort: Effort, out: &mut Vec<u8>) {
        let Some(first) = values.first() else { return };
        if values.iter().all(|value| value.to_bits() == first.to_bits()) {
            return write_constant(*first, out);
        }
        let scale = self.make_integers(values);
        let plan = self.ints.plan(&self.integers, true, effort);
        if plan.shape.paged {
            self.make_figures(values, scale);
        }
        write_shape(scale.number(), plan.shape, !self.runs.is_empty(), out);
        out.extend(scale.exponent());
        if !self.runs.is_empty() {
            odd::write(&self.runs, out);
        }
        if !matches!(scale, Scale::Sum(_)) {
            return self.ints.write(&plan, &self.figures, out);
        }
        self.body.clear();
        self.ints.write(&plan, &self.figures, &mut self.body);
        put_uvarint(out, self.body.len() as u64);
        out.extend_from_slice(&self.body);
        let plan: Plan = self.ints.plan(&self.excesses, true, effort);
        if plan.shape.paged && self.figures.is_empty() {
            self.make_figures(values, scale);
        }
        write_shape(0, plan.shape, false, out);
        self.ints.write(&plan, &self.figures, out);
    }

    /// Fills `integers`, `excesses` and `runs`.
    fn make_integers(&mut self, values: &[f64]) -> Scale {
        self.probes.clear();
        self.figures.clear();
        detect::take_probes(values.iter().copied(), values.len(), &mut self.probes);
        // Values that were not looked at may need more digits.
        for _ in 0..3 {
            let scale = detect::scale_of(&self.probes, values);
            if let Scale::Sum(_) = scale {
                self.make_sums(values, scale);
            } else {
                self.odd.clear();
                self.integers.clear();
                scale.integers(values, &mut self.integers, |index| self.odd.push(index));
                let at = |index: &usize| values.get(*index).copied().unwrap_or(0.0);
                let surprises = self.odd.iter().map(at).filter(|value| !detect::is_special(*value));
                let count = surprises.clone().count();
                if count > values.len() / 32 {
                    detect::take_probes(surprises, count, &mut self.probes);
                    continue;
                }
            }
            self.make_runs(values);
            // With that many exceptions their own bits are the shorter way.
            if self.runs.len() <= values.len() / 4 + 2 {
                odd::bridge(&self.runs, &mut self.integers);
                if let Scale::Sum(_) = scale {
                    odd::bridge(&self.runs, &mut self.excesses);
                }
                return scale;
            }
            break;
        }
        self.runs.clear();
        self.integers.clear();
        Scale::Bits.integers(values, &mut self.integers, |_| {});
        Scale::Bits
    }

    fn make_runs(&mut self, values: &[f64]) {
        self.runs.clear();
        for index in &self.odd {
            odd::add(&mut self.runs, *index, values.get(*index).copied().unwrap_or(0.0));
        }
    }

    fn make_sums(&mut self, values: &[f64], scale: Scale) {
        let factor = Scale::Quotient(scale.exponent().unwrap_or(0)).value(1).recip();
        self.odd.clear();
        self.integers.clear();
        self.excesses.clear();
        for (index, value) in values.iter().enumerate() {
            let integer = if detect::is_special(*value) { None } else { rounded(value * factor) };
            if integer.is_none() {
                self.odd.push(index);
            }
            self.integers.push(integer.unwrap_or(0));
            self.excesses.push(integer.map_or(0, |integer| excess(*value, scale.value(integer))));
        }
    }

    fn make_figures(&mut self, values: &[f64], scale: Scale) {
        self.figures.clear();
        let (mut start, sums) = (0, matches!(scale, Scale::Sum(_)));
        let mut runs = self.runs.iter().peekable();
        for page in values.chunks(PAGE_LEN) {
            let end = start + page.len();
            while runs.next_if(|run| run.end() <= start).is_some() {}
            let odd = runs.peek().is_some_and(|run| run.start < end);
            self.figures.push(Figures::of(page, sums || odd));
            start = end;
        }
    }
}

fn write_constant(value: f64, out: &mut Vec<u8>) {
    match (value.to_bits(), Scale::Integer.integer(value)) {
        (GO_NAN_BITS, _) => out.push(CONSTANT | 1 << 3),
        (STALE_NAN_BITS, _) => out.push(CONSTANT | 2 << 3),
        (_, Some(integer @ 0..=SMALL_MAX)) => out.push(SMALL | (integer as u8) << 3),
        (_, Some(integer)) if integer.unsigned_abs() < 1 << 48 => {
            out.push(CONSTANT | 3 << 3);
            put_varint(out, integer);
        }
        _ => match detect::scale_of(&[value], &[]) {
            scale @ Scale::Quotient(exponent) => {
                out.push(CONSTANT | 4 << 3);
                out.push(exponent);
                put_varint(out, scale.integer(value).unwrap_or(0));
            }
            _ => {
                out.push(CONSTANT);
                out.extend_from_slice(&value.to_le_bytes());
            }
        },
    }
}

/// Reads columns of values.
#[derive(Debug, Default)]
pub(super) struct ValueDecoder {
    pub(super) integers: Vec<i64>,
    excesses: Vec<i64>,
    pub(super) runs: Vec<Run>,
    pub(super) ints: IntDecoder,
    pub(super) picks: Picks,
}

/// A column as far as it is read without its integers.
pub(super) enum Column<'a> {
    Constant(f64),
    Scaled(Scale, Body<'a>, Option<Cursor<'a>>),
}

/// Reads what comes before the integers; `runs` are replaced by the exceptions.
pub(super) fn open<'a>(bytes: &'a [u8], count: usize, runs: &mut Vec<Run>) -> Result<Column<'a>, ChunkError> {
    let mut cursor = Cursor::new(bytes);
    let first = cursor.u8()?;
    let number = first & 7;
    if number >= CONSTANT {
        let value = read_constant(first, &mut cursor)?;
        return if cursor.is_empty() { Ok(Column::Constant(value)) } else { Err(ChunkError::Surplus) };
    }
    let (shape, odd) = read_shape(first, &mut cursor)?;
    let scale = Scale::read(number, &mut cursor)?;
    runs.clear();
    if odd {
        odd::read(&mut cursor, count, runs)?;
    }
    if !matches!(scale, Scale::Sum(_)) {
        return Ok(Column::Scaled(scale, Body::read(cursor, shape, count)?, None));
    }
    let body = Cursor::new(cursor.length_prefixed()?);
    Ok(Column::Scaled(scale, Body::read(body, shape, count)?, Some(cursor)))
}

impl ValueDecoder {
    /// Appends the values of some pages of a column; all of them must exist.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        pages: &Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        let from = pages.start * PAGE_LEN;
        let wanted = from..(pages.end * PAGE_LEN).min(count);
        let (scale, body, excess) = match open(bytes, count, &mut self.runs)? {
            Column::Constant(value) => {
                out.resize(out.len() + wanted.len(), value);
                return Ok(());
            }
            Column::Scaled(scale, body, excess) => (scale, body, excess),
        };
        let all = self.ints.decode(&body, |page| pages.contains(&page), &mut self.integers)?;
        let integers = part(&self.integers, &wanted, all)?;
        if let Some(mut cursor) = excess {
            let first = cursor.u8()?;
            let (shape, odd) = read_shape(first, &mut cursor)?;
            if first & 7 != 0 || odd {
                return Err(ChunkError::UnknownEncoding(first));
            }
            let body = Body::read(cursor, shape, count)?;
            let all = self.ints.decode(&body, |page| pages.contains(&page), &mut self.excesses)?;
            let excesses = part(&self.excesses, &wanted, all)?;
            let sums = integers.iter().zip(excesses);
            out.extend(sums.map(|(integer, excess)| exceed(scale.value(*integer), *excess)));
        } else {
            scale.values(integers, out);
        }
        if !self.runs.is_empty() {
            let start = out.len() - wanted.len();
            odd::apply(&self.runs, from, out.get_mut(start..).unwrap_or_default());
        }
        Ok(())
    }
}

/// Appends the summary of every page.
pub(super) fn summaries(bytes: &[u8], count: usize, out: &mut Vec<PageSummary>) -> Result<(), ChunkError> {
    if let Column::Scaled(scale, body, _) = open(bytes, count, &mut Vec::new())?
        && body.paged()
    {
        let told = body.entries().iter().zip(body.spans());
        out.extend(
            told.map(|(entry, (span, _))| entry.summary(span.count, |x| scale.value(body.integer(x)))),
        );
        return Ok(());
    }
    let mut values = Vec::new();
    ValueDecoder::default().decode(bytes, count, &(0..count.div_ceil(PAGE_LEN)), &mut values)?;
    out.extend(values.chunks(PAGE_LEN).map(PageSummary::of));
    Ok(())
}

/// The integers that are wanted, of all or of only these.
fn part<'a>(integers: &'a [i64], wanted: &Range<usize>, all: bool) -> Result<&'a [i64], ChunkError> {
    let range = if all { wanted.clone() } else { 0..wanted.len() };
    integers.get(range).ok_or(ChunkError::NoSuchPage)
}

fn read_constant(first: u8, cursor: &mut Cursor<'_>) -> Result<f64, ChunkError> {
    if first & 7 == SMALL {
        return Ok(f64::from(first >> 3));
    }
    Ok(match first >> 3 {
        0 => f64::from_bits(cursor.u64_le()?),
        1 => f64::from_bits(GO_NAN_BITS),
        2 => f64::from_bits(STALE_NAN_BITS),
        3 => cursor.varint()? as f64,
        4 => {
            let scale = Scale::read(1, cursor)?;
            scale.value(cursor.varint()?)
        }
        _ => return Err(ChunkError::UnknownEncoding(first)),
    })
}
