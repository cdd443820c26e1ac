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

/// Numbers of a group: it begins and ends at whole bytes, whatever their width.
const GROUP: usize = 8;
/// Zeros behind the bytes: room for a whole group read word by word.
const PADDING: usize = 8 * GROUP + 8;

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
        self.padded.extend_from_slice(&[0; PADDING]);
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

    /// Fills `out` with numbers of `width` bits each, from the first bit on; at most 64.
    pub(super) fn unpack(&self, width: u32, out: &mut [i64]) {
        macro_rules! by_width {
            ($($width:literal)*) => {
                match width {
                    $($width => self.unpack_groups::<$width>(out),)*
                    _ => {
                        let positions = (0..).step_by(width as usize);
                        for (value, position) in out.iter_mut().zip(positions) {
                            *value = self.read(position, width) as i64;
                        }
                    }
                }
            };
        }
        // Wider ones are rare.
        by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28);
    }

    /// With the width known every number is a load, a shift and a mask.
    #[inline]
    fn unpack_groups<const WIDTH: usize>(&self, out: &mut [i64]) {
        let mut groups = out.chunks_exact_mut(GROUP);
        let mut at = 0;
        for group in &mut groups {
            let Some(bytes) = self.padded.get(at..).and_then(|rest| rest.first_chunk::<PADDING>()) else {
                return;
            };
            for (index, value) in group.iter_mut().enumerate() {
                *value = number::<WIDTH>(bytes, index);
            }
            at += WIDTH;
        }
        for (index, value) in groups.into_remainder().iter_mut().enumerate() {
            *value = self.read(at * 8 + index * WIDTH, WIDTH as u32) as i64;
        }
    }

    pub(super) const fn len_bits(&self) -> usize {
        self.len_bits
    }
}

/// The number of this index among those of a group; the width is at most [`PEEK_BITS`].
#[inline(always)]
fn number<const WIDTH: usize>(bytes: &[u8; PADDING], index: usize) -> i64 {
    let position = index * WIDTH;
    let word = bytes.get(position / 8..).and_then(|rest| rest.first_chunk::<8>());
    let word = word.map_or(0, |word| u64::from_le_bytes(*word));
    ((word >> (position % 8)) & ((1 << WIDTH) - 1)) as i64
}
