//! LEB128 variable-length integers, unsigned and zigzag; reading is in [`super::Cursor`].

/// Longest encoding of a `u64`.
pub const VARINT_LEN_MAX: usize = 10;

/// Appends `value`, seven bits a byte, least significant first.
#[inline]
pub fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed value, small magnitudes short.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_uvarint(out, zigzag(value));
}

/// Maps signed to unsigned so that small magnitudes stay small.
#[inline]
#[must_use]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Inverse of [`zigzag`].
#[inline]
#[must_use]
pub const fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// Bytes that [`put_uvarint`] appends for `value`.
#[inline]
#[must_use]
pub const fn uvarint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}
