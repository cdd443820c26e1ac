//! Protobuf fields as they lie in the bytes: tags, wire types, lengths. Knows no message.
//!
//! Groups are refused: no message that we read has ever had them, and skipping them needs a stack.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use shards::codec::{Cursor, Truncated};

pub(crate) const WIRE_VARINT: u64 = 0;
pub(crate) const WIRE_FIXED64: u64 = 1;
pub(crate) const WIRE_BYTES: u64 = 2;
pub(crate) const WIRE_FIXED32: u64 = 5;

/// Largest field number of the format.
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

/// What is wrong with a field, and the offset in its message at which it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireFault {
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
}

impl From<Truncated> for WireFault {
    fn from(truncated: Truncated) -> Self {
        Self { offset: truncated.offset, what: "truncated or overlong value" }
    }
}

/// Content of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Payload<'a> {
    pub(crate) const fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// Reads a field of any kind: its number and content.
pub(crate) fn field<'a>(cursor: &mut Cursor<'a>) -> Result<(u64, Payload<'a>), WireFault> {
    let offset = cursor.position();
    let tag = cursor.uvarint()?;
    let payload = payload(cursor, tag, offset)?;
    Ok((tag >> 3, payload))
}

/// Reads the content that `tag`, which began at `offset`, announces.
pub(crate) fn payload<'a>(
    cursor: &mut Cursor<'a>,
    tag: u64,
    offset: usize,
) -> Result<Payload<'a>, WireFault> {
    if !(1..=FIELD_NUMBER_MAX).contains(&(tag >> 3)) {
        return Err(WireFault { offset, what: "invalid field number" });
    }
    match tag & 7 {
        WIRE_VARINT => Ok(Payload::Varint(cursor.uvarint()?)),
        WIRE_FIXED64 => Ok(Payload::Fixed64(cursor.u64_le()?)),
        WIRE_BYTES => Ok(Payload::Bytes(cursor.length_prefixed()?)),
        WIRE_FIXED32 => Ok(Payload::Fixed32(cursor.u32_le()?)),
        3 | 4 => Err(WireFault { offset, what: "group, which is not supported," }),
        _ => Err(WireFault { offset, what: "invalid wire type" }),
    }
}

/// Advances `at` over fields with this one-byte tag and a one-byte length, as far as they go. What
/// stops it, be it another field, a longer one or a fault, is for the caller to judge: behind a field
/// that is cut off, the result is beyond the bytes.
#[inline]
pub(crate) fn skip_short_fields(bytes: &[u8], mut at: usize, tag: u8) -> usize {
    while let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        // One comparison for the tag and for the length's high bit.
        let head = u16::from_le_bytes(*head);
        if head & 0x80ff != u16::from(tag) {
            break;
        }
        at += 2 + usize::from(head >> 8);
    }
    at
}

/// Value of a varint of exactly `len` bytes, at most eight, which are the low ones of `word`; none if
/// its continuation bits say otherwise.
#[inline]
pub(crate) const fn short_varint(word: u64, len: u32) -> Option<u64> {
    const CONTINUATION: u64 = 0x8080_8080_8080_8080;
    if len == 0 || len > 8 {
        return None;
    }
    let used = u64::MAX >> (64 - 8 * len);
    // Every byte but the last goes on.
    if word & used & CONTINUATION != used >> 8 & CONTINUATION {
        return None;
    }
    // Close the gaps: pairs of 7 bits, of 14 bits, of 28 bits.
    let sevens = word & used & !CONTINUATION;
    let fourteens = sevens & 0x007f_007f_007f_007f | (sevens & 0x7f00_7f00_7f00_7f00) >> 1;
    let wide = fourteens & 0x0000_3fff_0000_3fff | (fourteens & 0x3fff_0000_3fff_0000) >> 2;
    Some(wide & 0x0fff_ffff | (wide & 0x0fff_ffff_0000_0000) >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shards::codec::varint::put_uvarint;

    #[test]
    fn fields_of_every_wire_type_are_read() {
        let bytes = [0x08, 0x96, 1, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 1, b'x', 0x25, 2, 0, 0, 0];
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(field(&mut cursor), Ok((1, Payload::Varint(150))));
        assert_eq!(field(&mut cursor), Ok((2, Payload::Fixed64(1))));
        assert_eq!(field(&mut cursor), Ok((3, Payload::Bytes(b"x"))));
        assert_eq!(field(&mut cursor), Ok((4, Payload::Fixed32(2))));
        assert!(cursor.is_empty());
    }

    #[test]
    fn groups_and_bad_tags_are_refused() {
        let what = |bytes: &[u8]| field(&mut Cursor::new(bytes)).unwrap_err().what;
        assert_eq!(what(&[0x0b]), "group, which is not supported,");
        assert_eq!(what(&[0x0c]), "group, which is not supported,");
        assert_eq!(what(&[0x0e, 0]), "invalid wire type");
        assert_eq!(what(&[0x02, 0]), "invalid field number");
        assert_eq!(what(&[0xfa, 0xff, 0xff, 0xff, 0xff, 1, 0]), "invalid field number");
        assert_eq!(what(&[0x0a, 5, 1]), "truncated or overlong value");
    }

    proptest! {
        #[test]
        fn short_varints_are_those_of_the_cursor(bytes in proptest::array::uniform8(any::<u8>()), len in 0_u32..12) {
            let mut cursor = Cursor::new(&bytes);
            let expected = cursor.uvarint().ok().filter(|_| cursor.position() == len as usize);
            prop_assert_eq!(short_varint(u64::from_le_bytes(bytes), len), expected);
        }

        #[test]
        fn short_varints_of_every_length_are_read(shift in 8_u32..64, noise: u64) {
            let value = noise >> shift;
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, value);
            let len = u32::try_from(bytes.len()).unwrap();
            bytes.resize(8, 0xff);
            let word = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            prop_assert_eq!(short_varint(word, len), Some(value));
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while !cursor.is_empty() && field(&mut cursor).is_ok() {}
        }
    }
}
