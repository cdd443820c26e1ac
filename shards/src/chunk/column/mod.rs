//! Columns of chunks of runs and blocks: values apart from timestamps.
//!
//! Values that are decimal numbers become integers, these become differences, and the differences
//! are packed; all other values are XORed or go through pco. Everything is bit-exact. A column
//! carries no length and no checksum; whoever holds it has both, and the number of samples.
//!
//! A long column of values is cut into pages of [`PAGE_LEN`] samples, each of which can be decoded
//! alone, with figures in front ([`PageSummary`]) that often make that unnecessary.
//!
//! - [`values`] and [`times`] describe the two kinds of column byte by byte;
//! - [`ints`] packs integers, [`decimal`] finds them, [`xor`] takes what is not decimal.

mod bits;
mod decimal;
mod ints;
#[cfg(test)]
mod tests;
pub mod times;
pub mod values;
mod xor;

pub use self::values::{PageSummary, summaries};
use super::ChunkError;

/// Samples of one column.
pub const CHUNK_LEN_MAX: usize = 8192;
/// Samples of one page of a column of values.
pub const PAGE_LEN: usize = 1024;

/// What compression may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// For a flush: what can be said in one pass.
    Fast,
    /// For what stays: the smallest.
    Best,
}

/// Encodes columns. Holds memory to work in.
#[derive(Debug, Default)]
pub struct Encoder {
    integers: Vec<i64>,
    residuals: Vec<i64>,
    exceptions: Vec<(usize, u64)>,
    payloads: Vec<u8>,
    directory: Vec<u8>,
}

impl Encoder {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Decodes columns. Holds memory to work in.
#[derive(Debug, Default)]
pub struct Decoder {
    integers: Vec<i64>,
    exceptions: Vec<(usize, u64)>,
}

/// Bytes that ended too soon.
impl From<crate::codec::Truncated> for ChunkError {
    fn from(_: crate::codec::Truncated) -> Self {
        Self::Truncated
    }
}
