//! Columns: up to [`CHUNK_LEN_MAX`] values or timestamps of one series, compressed apart.
//!
//! A column has no length, count or checksum of its own: its holder keeps them. Values are made
//! integers ([`scale`]), integers are predicted ([`order`]), and what is left is packed ([`pack`])
//! or entropy-coded ([`entropy`]), in pages of [`PAGE_LEN`] samples that can be read alone. Any
//! bytes can be given to a decoder: the outcome is samples or a [`ChunkError`], never a panic, and
//! memory for no more samples than asked for.

#![deny(clippy::indexing_slicing)]

mod bits;
mod detect;
mod dictionary;
mod directory;
mod entropy;
mod entropy_decoder;
mod integers;
mod ints;
mod odd;
mod order;
mod pack;
mod picks;
mod scale;
#[cfg(test)]
mod tests;
mod times;
mod token;
mod values;

use std::ops::Range;

use super::ChunkError;

/// Most samples of one column.
pub const CHUNK_LEN_MAX: usize = 8192;
/// Samples of one page; the last page of a column may be shorter.
pub const PAGE_LEN: usize = 512;

/// How much time encoding may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Bit packing only, for flushes.
    Fast,
    /// The smallest that is known, for compaction.
    Best,
}

/// Writes columns; keeps memory to work in.
#[derive(Debug, Default)]
pub struct Encoder {
    values: values::ValueEncoder,
    times: times::TimeEncoder,
    integers: integers::IntegerEncoder,
}

/// Reads columns; keeps memory to work in.
#[derive(Debug, Default)]
pub struct Decoder {
    values: values::ValueDecoder,
    times: times::TimeDecoder,
    integers: integers::IntegerDecoder,
}

/// What can be told of a page without decoding it.
#[derive(Debug, Clone, Copy)]
pub struct PageSummary {
    pub count: usize,
    pub first: f64,
    pub last: f64,
    pub min: f64,
    pub max: f64,
    /// A NaN is in the page, be it a staleness marker; the four values are NaN then.
    pub has_nan: bool,
    /// No value is smaller than the one before it in the page.
    pub ascending: bool,
}

impl PageSummary {
    /// Summary of the values of a page.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        directory::Figures::of(values, false).summary
    }
}

impl Encoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the column of 1 to [`CHUNK_LEN_MAX`] values, kept bit for bit.
    pub fn encode_values(&mut self, values: &[f64], effort: Effort, out: &mut Vec<u8>) {
        assert!((1..=CHUNK_LEN_MAX).contains(&values.len()), "{} values", values.len());
        self.values.encode(values, effort, out);
    }

    /// Appends the column of 1 to [`CHUNK_LEN_MAX`] timestamps, each later than the one before.
    pub fn encode_timestamps(&mut self, timestamps_ms: &[i64], effort: Effort, out: &mut Vec<u8>) {
        assert!((1..=CHUNK_LEN_MAX).contains(&timestamps_ms.len()), "{} timestamps", timestamps_ms.len());
        debug_assert!(timestamps_ms.is_sorted_by(|before, time| before < time), "timestamps out of order");
        self.times.encode(timestamps_ms, effort, out);
    }

    /// Appends the column of 1 to [`CHUNK_LEN_MAX`] integers of any kind.
    pub(super) fn encode_integers(&mut self, integers: &[i64], effort: Effort, out: &mut Vec<u8>) {
        assert!((1..=CHUNK_LEN_MAX).contains(&integers.len()), "{} integers", integers.len());
        self.integers.encode(integers, effort, out);
    }
}

impl Decoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the `count` values of a column; `out` stays as it was on an error.
    pub fn decode_values(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        self.decode_values_pages(bytes, count, 0..count.div_ceil(PAGE_LEN), out)
    }

    /// Appends the values of some pages of a column of `count` values; `out` stays as it was on an
    /// error.
    pub fn decode_values_pages(
        &mut self,
        bytes: &[u8],
        count: usize,
        pages: Range<usize>,
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        check_count(count)?;
        if pages.start >= pages.end || pages.end > count.div_ceil(PAGE_LEN) {
            return Err(ChunkError::NoSuchPage);
        }
        let base = out.len();
        self.values.decode(bytes, count, &pages, out).inspect_err(|_| out.truncate(base))
    }

    /// Appends the values at ascending `places` of a column of `count` values; of pages without any
    /// of them nothing is decoded. `out` stays as it was on an error.
    pub fn decode_values_at(
        &mut self,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        check_places(count, places)?;
        let base = out.len();
        self.values.decode_at(bytes, count, places, out).inspect_err(|_| out.truncate(base))
    }

    /// Likewise, if the column tells, without being decoded, that no value is less than the one before
    /// it, and none is NaN or minus zero. If it does not, which is no proof of the contrary, the answer
    /// is false.
    pub fn decode_rising_values_at(
        &mut self,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<bool, ChunkError> {
        check_places(count, places)?;
        let base = out.len();
        self.values.decode_rising_at(bytes, count, places, out).inspect_err(|_| out.truncate(base))
    }

    /// Replaces `out` by the `count` timestamps of a column, or by nothing on an error.
    pub fn decode_timestamps(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        out.clear();
        check_count(count)?;
        self.times.decode(bytes, count, out).inspect_err(|_| out.clear())
    }

    /// Appends the `count` integers of a column; `out` stays as it was on an error.
    pub(super) fn decode_integers(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        check_count(count)?;
        self.integers.decode(bytes, count, out)
    }
}

/// Appends the summary of every page of a column of `count` values; `out` stays as it was on an
/// error.
pub fn summaries(bytes: &[u8], count: usize, out: &mut Vec<PageSummary>) -> Result<(), ChunkError> {
    check_count(count)?;
    let base = out.len();
    let outcome = values::summaries(bytes, count, out);
    outcome.inspect_err(|_| out.truncate(base))
}

fn check_places(count: usize, places: &[u32]) -> Result<(), ChunkError> {
    check_count(count)?;
    if places.last().is_some_and(|place| *place as usize >= count) {
        return Err(ChunkError::NoSuchPage);
    }
    Ok(())
}

const fn check_count(count: usize) -> Result<(), ChunkError> {
    match count {
        0 => Err(ChunkError::Empty),
        1..=CHUNK_LEN_MAX => Ok(()),
        _ => Err(ChunkError::TooLong),
    }
}
