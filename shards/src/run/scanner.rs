//! Reading the directory of a run from one end to the other, on a background thread.

use std::path::Path;

use roaring::RoaringBitmap;

use super::head::{RunHead, Sections, TableEntry, ends};
use super::page::RunPage;
use crate::codec::crc::unsealed;
use crate::error::{Error, Result};
use crate::io::{BulkReader, Disk};
use crate::model::SeriesRef;
use crate::part::chunk::read_entry;
use crate::part::{ChunkRef, Extent, PartMeta};

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
        let mut reader = disk.open_bulk(path)?;
        let len = reader.len();
        let mut piece = |extent: Extent| reader.read(extent.offset, extent.len as usize).map(<[u8]>::to_vec);
        let [header, trailer] = ends(path, len)?;
        let at = Sections::read(path, len, &piece(header)?, &piece(trailer)?)?;
        let head = at.head(path, &piece(at.meta)?, &piece(at.table)?, &piece(at.numbers)?)?;
        let RunHead { meta, table, numbers } = head;
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
        let payload = unsealed(&self.bytes).ok_or_else(|| corrupt("a page is damaged"))?;
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
