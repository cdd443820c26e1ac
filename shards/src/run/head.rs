//! What is read first of a run, whoever reads it: its meta, its table of pages, its set of series.

#![deny(clippy::indexing_slicing)]

use std::path::Path;

use roaring::RoaringBitmap;

use super::MAGIC;
use super::trailer::{TRAILER_LEN, Trailer};
use crate::codec::Cursor;
use crate::codec::crc::unsealed;
use crate::error::{Error, Result};
use crate::model::SeriesRef;
use crate::part::{Extent, HEADER_LEN, PartKind, PartMeta, check_header};

/// A page of the directory, and the series it begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableEntry {
    pub(super) first: SeriesRef,
    pub(super) page: Extent,
}

/// See the module's text.
pub(super) struct RunHead {
    pub(super) meta: PartMeta,
    pub(super) table: Vec<TableEntry>,
    pub(super) numbers: RoaringBitmap,
}

/// Where the sections of a run are.
pub(super) struct Sections {
    pages: u32,
    pages_end: u64,
    pub(super) meta: Extent,
    pub(super) table: Extent,
    pub(super) numbers: Extent,
}

fn corrupt(path: &Path, what: &'static str) -> Error {
    Error::Corrupt { path: path.to_path_buf(), offset: 0, what }
}

/// Where the header and the trailer of a run of this length are.
pub(super) fn ends(path: &Path, file_len: u64) -> Result<[Extent; 2]> {
    let trailer_at = file_len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| corrupt(path, "too short"))?;
    let header = Extent { offset: 0, len: HEADER_LEN as u32 };
    Ok([header, Extent { offset: trailer_at, len: TRAILER_LEN as u32 }])
}

impl Sections {
    /// Reads header and trailer.
    pub(super) fn read(path: &Path, file_len: u64, header: &[u8], trailer: &[u8]) -> Result<Self> {
        check_header(header, MAGIC).map_err(|what| corrupt(path, what))?;
        let trailer =
            Trailer::decode(trailer, file_len).ok_or_else(|| corrupt(path, "the trailer is damaged"))?;
        let section = |extent: Option<Extent>| extent.ok_or_else(|| corrupt(path, "a section is too large"));
        Ok(Self {
            pages: trailer.pages,
            pages_end: trailer.numbers_at,
            meta: section(trailer.meta())?,
            table: section(trailer.table())?,
            numbers: section(trailer.numbers())?,
        })
    }

    /// Reads the sections from their bytes.
    pub(super) fn head(&self, path: &Path, meta: &[u8], table: &[u8], numbers: &[u8]) -> Result<RunHead> {
        let meta = unsealed(meta).ok_or_else(|| corrupt(path, "the meta is damaged"))?;
        let meta = PartMeta::decode(path, meta)?;
        if meta.kind != PartKind::Run {
            return Err(corrupt(path, "the meta is not that of a run"));
        }
        let table = self.table(table).ok_or_else(|| corrupt(path, "the table of pages is damaged"))?;
        let numbers = unsealed(numbers).and_then(|bytes| RoaringBitmap::deserialize_from(bytes).ok());
        let numbers = numbers.ok_or_else(|| corrupt(path, "the set of series is damaged"))?;
        Ok(RunHead { meta, table, numbers })
    }

    fn table(&self, bytes: &[u8]) -> Option<Vec<TableEntry>> {
        let bytes = unsealed(bytes)?;
        if bytes.len() != self.pages as usize * 16 {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        let mut table = Vec::with_capacity(self.pages as usize);
        for _ in 0..self.pages {
            let first = SeriesRef(cursor.u32_le().ok()?);
            let len = cursor.u32_le().ok()?;
            let page = Extent { offset: cursor.u64_le().ok()?, len };
            if page.end() > self.pages_end {
                return None;
            }
            table.push(TableEntry { first, page });
        }
        Some(table)
    }
}
