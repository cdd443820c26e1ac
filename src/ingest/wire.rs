//! Protobuf fields as they lie in the bytes: tags, wire types, lengths. Knows no message.
//!
//! Groups are refused: no message that we read has ever had them, and skipping them needs a stack.

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        fn noise_never_panics(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while !cursor.is_empty() && field(&mut cursor).is_ok() {}
        }
    }
}
