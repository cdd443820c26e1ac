//! Bits behind bytes, least significant first.

#![deny(clippy::indexing_slicing)]

/// Longest code that is written or read at once.
pub(super) const CODE_BITS_MAX: u32 = 56;

/// Appends bits to bytes.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    used: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, used: 0 }
    }

    /// Appends the low `len` bits, at most [`CODE_BITS_MAX`], of a value that has no others.
    #[inline]
    pub(super) fn put(&mut self, value: u64, len: u32) {
        self.pending |= value << self.used;
        self.used += len;
        while self.used >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.used -= 8;
        }
    }

    /// Appends the low `len` bits, up to 64.
    pub(super) fn put_long(&mut self, value: u64, len: u32) {
        if len > 32 {
            self.put(value & 0xffff_ffff, 32);
            self.put(value >> 32, len - 32);
        } else {
            self.put(value, len);
        }
    }

    /// Fills the last byte with zeros.
    pub(super) fn finish(mut self) {
        if self.used > 0 {
            self.out.push(self.pending as u8);
            self.used = 0;
        }
    }
}

/// Reads bits; behind the end there are zeros, and [`BitReader::is_over`] tells.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// At least the next 57 bits.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let at = self.position / 8;
        let word = match self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk::<8>()) {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => self.peek_end(at),
        };
        word >> (self.position % 8)
    }

    #[cold]
    fn peek_end(&self, at: usize) -> u64 {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    #[inline]
    pub(super) const fn skip(&mut self, len: u32) {
        self.position += len as usize;
    }

    #[inline]
    pub(super) fn take(&mut self, len: u32) -> u64 {
        let value = self.peek() & ((1 << len) - 1);
        self.skip(len);
        value
    }

    pub(super) fn take_long(&mut self, len: u32) -> u64 {
        if len > 32 {
            let low = self.take(32);
            low | self.take(len - 32) << 32
        } else {
            self.take(len)
        }
    }

    /// Whether more was read than there is.
    pub(super) const fn is_over(&self) -> bool {
        self.position > self.bytes.len() * 8
    }

    /// Bytes that were read, the last one perhaps in part.
    pub(super) const fn bytes_read(&self) -> usize {
        self.position.div_ceil(8)
    }
}
