//! Header, trailer and top of an index.

#![deny(clippy::indexing_slicing)]

use super::symbols::PAGE_SYMBOLS;
use crate::codec::Cursor;
use crate::codec::crc::{seal, unsealed};
use crate::codec::varint::put_uvarint;

pub(super) const HEADER_LEN: usize = 16;
pub(super) const TRAILER_LEN: usize = 48;
/// Series of one page.
pub(super) const PAGE_SERIES: u32 = 64;
/// Bytes of the largest piece that is read.
pub(super) const PIECE_LEN_MAX: u64 = 64 << 20;
/// Bits of the length in the place of a list.
pub(super) const LENGTH_BITS: u32 = 24;

const MAGIC: &[u8; 8] = b"TSDBIDX1";
const TRAILER_MAGIC: &[u8; 8] = b"TSDBIDXT";
const VERSION: u32 = 1;

pub(super) fn header() -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    seal(&mut bytes);
    bytes
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Trailer {
    pub(super) series: u32,
    pub(super) top_at: u64,
    pub(super) pages_at: u64,
    pub(super) file_len: u64,
    pub(super) symbols: u32,
}

impl Trailer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = TRAILER_MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.series.to_le_bytes());
        for place in [self.top_at, self.pages_at, self.file_len] {
            bytes.extend_from_slice(&place.to_le_bytes());
        }
        bytes.extend_from_slice(&self.symbols.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    /// Reads the trailer of a file of this length; the sections it tells of lie within it.
    pub(super) fn decode(bytes: &[u8], file_len: u64) -> Option<Self> {
        let mut cursor = Cursor::new(unsealed(bytes)?);
        if cursor.take(8).ok()? != TRAILER_MAGIC || cursor.u32_le().ok()? != VERSION {
            return None;
        }
        let series = cursor.u32_le().ok()?;
        let mut place = || cursor.u64_le().ok();
        let (top_at, pages_at, length) = (place()?, place()?, place()?);
        let trailer = Self { series, top_at, pages_at, file_len: length, symbols: cursor.u32_le().ok()? };
        let ordered = trailer.top_at >= HEADER_LEN as u64
            && trailer.top_at <= trailer.pages_at
            && trailer.pages_at.checked_add(TRAILER_LEN as u64)? <= file_len
            && trailer.file_len == file_len;
        ordered.then_some(trailer)
    }

    pub(super) const fn top_len(&self) -> u64 {
        self.pages_at - self.top_at
    }

    pub(super) const fn pages_len(&self) -> u64 {
        self.file_len - TRAILER_LEN as u64 - self.pages_at
    }
}

/// A dictionary of some of the values of a name.
#[derive(Debug, Clone)]
pub(super) struct DictionaryEntry {
    pub(super) first: String,
    pub(super) offset: u64,
    pub(super) len: usize,
    pub(super) values: u64,
}

/// A label name.
#[derive(Debug, Clone)]
pub(super) struct NameEntry {
    pub(super) name: String,
    pub(super) values: u64,
    /// Place of the list of its series.
    pub(super) place: u64,
    pub(super) dictionaries: Vec<DictionaryEntry>,
}

pub(super) fn put_top(out: &mut Vec<u8>, names: &[NameEntry]) {
    let put_text = |out: &mut Vec<u8>, text: &str| {
        put_uvarint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    };
    put_uvarint(out, names.len() as u64);
    for name in names {
        put_text(out, &name.name);
        put_uvarint(out, name.values);
        put_uvarint(out, name.place);
        put_uvarint(out, name.dictionaries.len() as u64);
        for dictionary in &name.dictionaries {
            put_text(out, &dictionary.first);
            put_uvarint(out, dictionary.offset);
            put_uvarint(out, dictionary.len as u64);
            put_uvarint(out, dictionary.values);
        }
    }
    seal(out);
}

/// Reads the top; its dictionaries lie below `end`.
pub(super) fn read_top(bytes: &[u8], end: u64) -> Option<Vec<NameEntry>> {
    let mut cursor = Cursor::new(unsealed(bytes)?);
    let text = |cursor: &mut Cursor<'_>| -> Option<String> {
        Some(std::str::from_utf8(cursor.length_prefixed().ok()?).ok()?.to_owned())
    };
    let mut names = Vec::new();
    for _ in 0..cursor.uvarint().ok()? {
        let name = text(&mut cursor)?;
        let values = cursor.uvarint().ok()?;
        let place = cursor.uvarint().ok()?;
        let mut dictionaries = Vec::new();
        for _ in 0..cursor.uvarint().ok()? {
            let first = text(&mut cursor)?;
            let offset = cursor.uvarint().ok()?;
            let len = cursor.uvarint().ok().filter(|len| *len <= PIECE_LEN_MAX)?;
            if offset.checked_add(len)? > end {
                return None;
            }
            let values = cursor.uvarint().ok()?;
            dictionaries.push(DictionaryEntry { first, offset, len: usize::try_from(len).ok()?, values });
        }
        names.push(NameEntry { name, values, place, dictionaries });
    }
    let sorted = names.is_sorted_by(|left, right| left.name < right.name);
    (sorted && cursor.is_empty()).then_some(names)
}

/// Offsets of pages, and where the last one ends.
pub(super) type PageOffsets = Vec<u64>;

/// Offsets of the series pages and of the symbol pages.
pub(super) fn read_pages(bytes: &[u8], trailer: &Trailer) -> Option<(PageOffsets, PageOffsets)> {
    let mut cursor = Cursor::new(unsealed(bytes)?);
    let series = trailer.series.div_ceil(PAGE_SERIES) as usize;
    let symbols = trailer.symbols.div_ceil(PAGE_SYMBOLS) as usize;
    let series = read_offsets(&mut cursor, series, HEADER_LEN as u64, trailer.top_at)?;
    let symbols = read_offsets(&mut cursor, symbols, *series.last()?, trailer.top_at)?;
    cursor.is_empty().then_some((series, symbols))
}

fn read_offsets(cursor: &mut Cursor<'_>, count: usize, start: u64, end: u64) -> Option<PageOffsets> {
    // A page takes a byte here at least.
    if count > cursor.remaining() {
        return None;
    }
    let mut at = start;
    let mut offsets = Vec::with_capacity(count + 1);
    for _ in 0..count {
        offsets.push(at);
        let len = cursor.uvarint().ok().filter(|len| *len <= PIECE_LEN_MAX)?;
        at = at.checked_add(len).filter(|at| *at <= end)?;
    }
    offsets.push(at);
    Some(offsets)
}

/// Where a value of a dictionary, or a name, has its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Only(u32),
    List { offset: u64, len: usize },
}

impl Place {
    pub(super) const fn encode(self) -> u64 {
        match self {
            Self::Only(ordinal) => (ordinal as u64) << 1 | 1,
            Self::List { offset, len } => (offset << LENGTH_BITS | len as u64) << 1,
        }
    }

    /// Reads a place; a list lies below `end`.
    pub(super) fn decode(number: u64, series: u32, end: u64) -> Option<Self> {
        if number & 1 == 1 {
            let ordinal = u32::try_from(number >> 1).ok().filter(|ordinal| *ordinal < series)?;
            return Some(Self::Only(ordinal));
        }
        let (offset, len) = (number >> (LENGTH_BITS + 1), number >> 1 & ((1 << LENGTH_BITS) - 1));
        (offset.checked_add(len)? <= end).then_some(Self::List { offset, len: len as usize })
    }
}
