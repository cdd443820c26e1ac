//! Bounds-checked reader over bytes: the only way in which formats are decoded.
//!
//! Every read either returns what was asked or [`Truncated`]; nothing panics and nothing allocates.

use super::varint::unzigzag;

/// The bytes ended, or a varint ran over its ten bytes, at the given offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("truncated or overlong value at byte {offset}")]
pub struct Truncated {
    /// Offset in the cursor's bytes at which the value began.
    pub offset: usize,
}

/// Position in a byte slice.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    #[inline]
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes left.
    #[inline]
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The next `N` bytes, which stay to be read.
    #[inline]
    #[must_use]
    pub fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.bytes.get(self.position..)?.first_chunk()
    }

    const fn truncated(&self) -> Truncated {
        Truncated { offset: self.position }
    }

    /// The next `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let end = self.position.checked_add(len).ok_or(self.truncated())?;
        let taken = self.bytes.get(self.position..end).ok_or(self.truncated())?;
        self.position = end;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let taken = self.take(N)?;
        <[u8; N]>::try_from(taken).map_err(|_| self.truncated())
    }

    #[inline]
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    #[inline]
    pub fn u16_le(&mut self) -> Result<u16, Truncated> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    #[inline]
    pub fn u32_le(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    #[inline]
    pub fn u64_le(&mut self) -> Result<u64, Truncated> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    #[inline]
    pub fn i64_le(&mut self) -> Result<i64, Truncated> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// An unsigned LEB128 integer of at most ten bytes that fits 64 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u64, Truncated> {
        let start = self.truncated();
        let first = self.u8().map_err(|_| start)?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.u8().map_err(|_| start)?;
            if shift == 63 && byte > 1 {
                return Err(start);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 63 {
                return Err(start);
            }
        }
    }

    /// A zigzag LEB128 integer.
    #[inline]
    pub fn varint(&mut self) -> Result<i64, Truncated> {
        self.uvarint().map(unzigzag)
    }

    /// A byte string with its length before it as an unsigned varint.
    #[inline]
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], Truncated> {
        let start = self.truncated();
        let len = usize::try_from(self.uvarint()?).map_err(|_| start)?;
        self.take(len).map_err(|_| start)
    }
}

#[cfg(test)]
mod tests {
    use super::super::varint::{put_uvarint, put_varint, uvarint_len};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_round_trip(unsigned: u64, signed: i64) {
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, unsigned);
            prop_assert_eq!(bytes.len(), uvarint_len(unsigned));
            put_varint(&mut bytes, signed);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.uvarint(), Ok(unsigned));
            prop_assert_eq!(cursor.varint(), Ok(signed));
            prop_assert!(cursor.is_empty());
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.uvarint().is_ok() {}
            let mut cursor = Cursor::new(&bytes);
            while cursor.length_prefixed().is_ok() {}
        }
    }

    #[test]
    fn overlong_varint_is_refused_where_it_began() {
        let bytes = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.uvarint(), Ok(1));
        assert_eq!(cursor.uvarint(), Err(Truncated { offset: 1 }));
    }
}
