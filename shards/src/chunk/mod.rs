//! Chunks: up to [`CHUNK_SAMPLES_MAX`] samples of one series, compressed, in order of time.
//!
//! A chunk on disk is its encoding, its sample count and its stream:
//!
//! | offset | size | field    | encoding | notes                                 |
//! |-------:|-----:|----------|----------|---------------------------------------|
//! |      0 |    1 | encoding | u8       | see [`Encoding`]                      |
//! |      1 |    2 | count    | u16 LE   | samples, 1 or more                    |
//! |      3 |    n | stream   | bits     | see [`xor`]; zero bits up to a byte   |
//!
//! Length and checksum belong to the section that holds the chunk. In memory a chunk is only its
//! stream as 64-bit words; the memtable knows the rest. This module does no I/O and keeps nothing.

pub mod appender;
pub mod column;
pub mod exemplar;
pub mod histogram;
pub mod iter;
pub mod start;
pub mod xor;

pub use appender::{ChunkBuilder, PackedAppender, XorAppender};
pub use exemplar::{decode_exemplars, encode_exemplars};
pub use histogram::{decode_histograms, encode_histograms};
pub use iter::{ChunkError, decode_bytes, decode_words, encode_bytes};
pub use start::{decode_starts, encode_starts};

pub use crate::limits::CHUNK_SAMPLES_MAX;

/// How the stream of a chunk is encoded; the number is part of the disk contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// Delta-of-delta timestamps and XOR of values, see [`xor`].
    Xor = 1,
}

impl Encoding {
    /// Encoding of a number on disk.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Xor),
            _ => None,
        }
    }
}
