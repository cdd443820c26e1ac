//! The end of a run: where its sections are.

use crate::codec::Cursor;
use crate::codec::crc::{seal, unsealed};
use crate::part::Extent;

pub(super) const TRAILER_LEN: usize = 56;
const MAGIC: &[u8; 8] = b"TSDBRTR1";
const VERSION: u32 = 1;

/// Places of the sections that follow the pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trailer {
    pub(super) pages: u32,
    pub(super) numbers_at: u64,
    pub(super) table_at: u64,
    pub(super) meta_at: u64,
    pub(super) file_len: u64,
}

impl Trailer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.pages.to_le_bytes());
        for place in [self.numbers_at, self.table_at, self.meta_at, self.file_len] {
            bytes.extend_from_slice(&place.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        seal(&mut bytes);
        bytes
    }

    /// Reads a trailer; the sections it tells of lie within the file, one behind the other.
    pub(super) fn decode(bytes: &[u8], file_len: u64) -> Option<Self> {
        let mut cursor = Cursor::new(unsealed(bytes)?);
        if cursor.take(8).ok()? != MAGIC || cursor.u32_le().ok()? != VERSION {
            return None;
        }
        let pages = cursor.u32_le().ok()?;
        let mut place = || cursor.u64_le().ok();
        let trailer =
            Self { pages, numbers_at: place()?, table_at: place()?, meta_at: place()?, file_len: place()? };
        let ordered = trailer.numbers_at <= trailer.table_at
            && trailer.table_at <= trailer.meta_at
            && trailer.meta_at + TRAILER_LEN as u64 <= file_len
            && trailer.file_len == file_len;
        ordered.then_some(trailer)
    }

    fn between(start: u64, end: u64) -> Option<Extent> {
        Some(Extent { offset: start, len: u32::try_from(end.checked_sub(start)?).ok()? })
    }

    pub(super) fn numbers(&self) -> Option<Extent> {
        Self::between(self.numbers_at, self.table_at)
    }

    pub(super) fn table(&self) -> Option<Extent> {
        Self::between(self.table_at, self.meta_at)
    }

    pub(super) fn meta(&self) -> Option<Extent> {
        Self::between(self.meta_at, self.file_len.checked_sub(TRAILER_LEN as u64)?)
    }
}
