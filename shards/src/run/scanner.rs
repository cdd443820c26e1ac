//! Reading the directory of a run from one end to the other, on a background thread.

use std::path::Path;

use roaring::RoaringBitmap;

use super::MAGIC;
use super::page::RunPage;
use super::reader::{TableEntry, read_table};
use super::trailer::{TRAILER_LEN, Trailer};
use crate::error::{Error, Result};
use crate::io::{BulkReader, Disk};
use crate::model::SeriesRef;
use crate::part::chunk::read_entry;
use crate::part::{ChunkRef, Extent, HEADER_LEN, PartMeta, check_header, checked};

/// The series of a run in label order.
pub struct RunScanner {
    reader: BulkReader,
    meta: PartMeta,
    numbers: RoaringBitmap,
    table: std::vec::IntoIter<TableEntry>,
    page: RunPage,
    bytes: Vec<u8>,
    base_ms: i64,
}

impl RunScanner {
    pub fn open(disk: &Disk, path: &Path) -> Result<Self> {
        let corrupt = |what| Error::Corrupt { path: path.to_path_buf(), offset: 0, what };
        let mut reader = disk.open_bulk(path)?;
        check_header(reader.read(0, HEADER_LEN)?, MAGIC).map_err(corrupt)?;
        let len = reader.len();
        let trailer_at = len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| corrupt("too short"))?;
        let trailer = Trailer::decode(reader.read(trailer_at, TRAILER_LEN)?, len);
        let trailer = trailer.ok_or_else(|| corrupt("the trailer is damaged"))?;
        let section = |extent: Option<Extent>| extent.ok_or_else(|| corrupt("a section is too large"));
        let meta_at = section(trailer.meta())?;
        let meta = checked(reader.read(meta_at.offset, meta_at.len as usize)?);
        let meta = PartMeta::decode(path, meta.ok_or_else(|| corrupt("the meta is damaged"))?)?;
        let table_at = section(trailer.table())?;
        let table = reader.read(table_at.offset, table_at.len as usize)?;
        let table = read_table(table, trailer.pages, trailer.numbers_at)
            .ok_or_else(|| corrupt("the table of pages is damaged"))?;
        let numbers_at = section(trailer.numbers())?;
        let numbers = checked(reader.read(numbers_at.offset, numbers_at.len as usize)?);
        let numbers = numbers.and_then(|bytes| RoaringBitmap::deserialize_from(bytes).ok());
        let numbers = numbers.ok_or_else(|| corrupt("the set of series is damaged"))?;
        let base_ms = meta.window.start_ms;
        let page = RunPage::default();
        Ok(Self { reader, meta, numbers, table: table.into_iter(), page, bytes: Vec::new(), base_ms })
    }

    #[must_use]
    pub const fn meta(&self) -> &PartMeta {
        &self.meta
    }

    #[must_use]
    pub const fn numbers(&self) -> &RoaringBitmap {
        &self.numbers
    }

    /// Hands over the series of the next page, one after the other. `false` at the end.
    pub fn next_page(&mut self, put: &mut dyn FnMut(SeriesRef, &[ChunkRef])) -> Result<bool> {
        let Some(entry) = self.table.next() else { return Ok(false) };
        let path = self.reader.path().to_path_buf();
        let corrupt = |what| Error::Corrupt { path: path.clone(), offset: entry.page.offset, what };
        self.bytes.clear();
        self.bytes.extend_from_slice(self.reader.read(entry.page.offset, entry.page.len as usize)?);
        let payload = checked(&self.bytes).ok_or_else(|| corrupt("a page is damaged"))?;
        self.page.refill(payload).map_err(|_| corrupt("a page cannot be read"))?;
        let mut chunks = Vec::new();
        for (series, entry) in self.page.entries(payload) {
            read_entry(entry, self.base_ms, &mut chunks)
                .map_err(|_| corrupt("the chunks of a series cannot be read"))?;
            put(series, &chunks);
        }
        Ok(true)
    }
}
