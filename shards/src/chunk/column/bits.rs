//! Bits of a page, least significant bit first, written to and read from bytes.

use crate::codec::bits::{WORD_BITS, low_bits, push_bits};

/// Bits that one [`BitSource::peek`] is sure to give.
pub(super) const PEEK_BITS: u32 = 57;

/// Appends bits to bytes.
pub(super) struct BitSink<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    used: u32,
}

impl<'a> BitSink<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, used: 0 }
    }

    /// Appends the low `len` bits of `value`, which has no others; `len` is at most 64.
    #[inline]
    pub(super) fn push(&mut self, value: u64, len: u32) {
        if len == 0 {
            return;
        }
        if let Some(full) = push_bits(&mut self.pending, self.used, value, len) {
            self.out.extend_from_slice(&full.to_le_bytes());
        }
        self.used = (self.used + len) % WORD_BITS;
    }

    /// Writes what is pending, with zeros up to a byte.
    pub(super) fn finish(self) {
        let len = self.used.div_ceil(8) as usize;
        self.out.extend(self.pending.to_le_bytes().iter().take(len));
    }
}

/// Bytes to read bits from: a copy with zeros behind, so that reading needs no special end.
#[derive(Debug, Default)]
pub(super) struct BitSource {
    padded: Vec<u8>,
    len_bits: usize,
}

impl BitSource {
    pub(super) fn load(&mut self, bytes: &[u8]) {
        self.padded.clear();
        self.padded.extend_from_slice(bytes);
        self.padded.extend_from_slice(&[0; 8]);
        self.len_bits = bytes.len() * 8;
    }

    /// At least [`PEEK_BITS`] bits from `position` on; zeros beyond the end.
    #[inline]
    pub(super) fn peek(&self, position: usize) -> u64 {
        let word = self.padded.get(position / 8..).and_then(|rest| rest.first_chunk::<8>());
        word.map_or(0, |word| u64::from_le_bytes(*word) >> (position % 8))
    }

    /// The `len` bits from `position` on; `len` is at most 64.
    #[inline]
    pub(super) fn read(&self, position: usize, len: u32) -> u64 {
        if len <= PEEK_BITS {
            return self.peek(position) & ((1 << len) - 1);
        }
        let low = low_bits(self.peek(position), 32);
        low | low_bits(self.peek(position + 32), len - 32) << 32
    }

    /// Whether a stream that ends at bit `position` fills the bytes exactly.
    pub(super) fn ends_at(&self, position: usize) -> bool {
        position <= self.len_bits && position.div_ceil(8) * 8 == self.len_bits
    }

    pub(super) const fn len_bits(&self) -> usize {
        self.len_bits
    }
}
