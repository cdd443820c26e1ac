//! Directory of a column of many pages: where each is, where it starts, and its summary.
//!
//! An entry, in reduced integers `x` (see [`super::ints`]):
//!
//! | field  | encoding | notes                                                                    |
//! |--------|----------|--------------------------------------------------------------------------|
//! | head   | uvarint  | bytes of the page * 8 + flags: 1 ascending, 2 has a NaN, 4 told as values |
//! | first  | varint   | `x` of the first sample less that of the last before it; not of page 0   |
//! | last   | varint   | `x` of the last sample less that of the first                            |
//! | min    | varint   | less the first; if there are no flags                                    |
//! | max    | varint   | less the first; if there are no flags                                    |
//! | values | f64 LE   | first, last, and unless ascending min, max; if told as values            |
//!
//! Of a page with a NaN only the first and last `x` are told, those of the last integers before
//! (or, at the start, after) exceptions.

use super::PageSummary;
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint};

const ASCENDING: u8 = 1;
const NAN: u8 = 2;
const VALUES: u8 = 4;

/// What an encoder knows of a page besides its integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) summary: PageSummary,
    /// Where in the page the least and the greatest value are.
    pub(super) min_at: usize,
    pub(super) max_at: usize,
    /// The integers alone do not tell the values.
    pub(super) explicit: bool,
}

impl Figures {
    pub(super) fn of(values: &[f64], explicit: bool) -> Self {
        let nan = f64::NAN;
        let (first, last) = (values.first().copied().unwrap_or(nan), values.last().copied().unwrap_or(nan));
        let mut summary = PageSummary {
            count: values.len(),
            first,
            last,
            min: first,
            max: first,
            has_nan: false,
            ascending: true,
        };
        let (mut before, mut min_at, mut max_at) = (first, 0, 0);
        for (index, value) in values.iter().enumerate() {
            summary.has_nan |= value.is_nan();
            summary.ascending &= *value >= before;
            if *value < summary.min {
                summary.min = *value;
                min_at = index;
            }
            if *value > summary.max {
                summary.max = *value;
                max_at = index;
            }
            before = *value;
        }
        if summary.has_nan {
            summary.ascending = false;
            (summary.first, summary.last, summary.min, summary.max) = (nan, nan, nan, nan);
        } else if summary.ascending {
            // The greatest may be there more than once, even as zeros of both signs.
            (summary.max, max_at) = (last, values.len().saturating_sub(1));
        }
        Self { summary, min_at, max_at, explicit }
    }

    /// Appends the entry of a page of integers and returns its last one.
    pub(super) fn write(&self, page: &[i64], before: Option<i64>, len: usize, out: &mut Vec<u8>) -> i64 {
        let summary = &self.summary;
        let explicit = self.explicit && !summary.has_nan;
        let flags = [(summary.ascending, ASCENDING), (summary.has_nan, NAN), (explicit, VALUES)];
        let flags: u8 = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        let (first, last) = (page.first().copied().unwrap_or(0), page.last().copied().unwrap_or(0));
        put_uvarint(out, (len as u64) << 3 | u64::from(flags));
        if let Some(before) = before {
            put_varint(out, first.wrapping_sub(before));
        }
        put_varint(out, last.wrapping_sub(first));
        if flags == 0 {
            for place in [self.min_at, self.max_at] {
                put_varint(out, page.get(place).copied().unwrap_or(first).wrapping_sub(first));
            }
        }
        if explicit {
            let told = [summary.first, summary.last, summary.min, summary.max];
            for value in told.iter().take(if summary.ascending { 2 } else { 4 }) {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        last
    }
}

/// An entry as it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) len: usize,
    pub(super) first: i64,
    pub(super) last: i64,
    min: i64,
    max: i64,
    pub(super) ascending: bool,
    has_nan: bool,
    values: Option<[f64; 4]>,
}

impl Entry {
    /// Reads the entry of a page; `before` is the last integer of the page before, if there is one.
    pub(super) fn read(cursor: &mut Cursor<'_>, before: Option<i64>) -> Result<Self, ChunkError> {
        let head = cursor.uvarint()?;
        let flags = head as u8 & 7;
        let (ascending, has_nan) = (flags & ASCENDING != 0, flags & NAN != 0);
        if has_nan && flags != NAN {
            return Err(ChunkError::Corrupt);
        }
        let len = usize::try_from(head >> 3).map_err(|_| ChunkError::Truncated)?;
        let first = match before {
            Some(before) => before.wrapping_add(cursor.varint()?),
            None => 0,
        };
        let last = first.wrapping_add(cursor.varint()?);
        let (mut min, mut max) = (first, last);
        if flags == 0 {
            min = first.wrapping_add(cursor.varint()?);
            max = first.wrapping_add(cursor.varint()?);
        }
        let mut values = None;
        if flags & VALUES != 0 {
            let mut value = || cursor.u64_le().map(f64::from_bits);
            let (first, last) = (value()?, value()?);
            values =
                Some(if ascending { [first, last, first, last] } else { [first, last, value()?, value()?] });
        }
        Ok(Self { len, first, last, min, max, ascending, has_nan, values })
    }

    /// The summary, where `value` is the value of an `x`.
    pub(super) fn summary(&self, count: usize, value: impl Fn(i64) -> f64) -> PageSummary {
        let told = self.values.unwrap_or_else(|| [self.first, self.last, self.min, self.max].map(value));
        let [first, last, min, max] = if self.has_nan { [f64::NAN; 4] } else { told };
        PageSummary { count, first, last, min, max, has_nan: self.has_nan, ascending: self.ascending }
    }
}
