//! An open run: its table and numbers in memory, the rest behind the cache.

use std::path::Path;
use std::rc::Rc;

use roaring::RoaringBitmap;

use super::head::{RunHead, Sections, TableEntry, ends};
use super::page::RunPage;
use crate::codec::crc::unsealed;
use crate::error::{Error, Result};
use crate::io::{Cache, CachedFile, Disk, ReadFile};
use crate::model::SeriesRef;
use crate::part::chunk::read_entry;
use crate::part::{ChunkRef, Extent, PartMeta};

/// See the module's text. Lives on the shard's core.
pub struct Run {
    file: CachedFile,
    numbers: RoaringBitmap,
    table: Vec<TableEntry>,
    base_ms: i64,
}

impl Run {
    /// Opens a run, reading little of it.
    pub async fn open(disk: &Disk, cache: &Cache, path: &Path) -> Result<(Self, PartMeta)> {
        let file = disk.open_read(path).await?;
        let [header, trailer] = ends(path, file.len())?;
        let (header, trailer) = (piece(&file, header).await?, piece(&file, trailer).await?);
        let at = Sections::read(path, file.len(), &header, &trailer)?;
        let meta = piece(&file, at.meta).await?;
        let table = piece(&file, at.table).await?;
        let RunHead { meta, table, numbers } =
            at.head(path, &meta, &table, &piece(&file, at.numbers).await?)?;
        let base_ms = meta.window.start_ms;
        Ok((Self { file: cache.adopt(file), numbers, table, base_ms }, meta))
    }

    /// Numbers of the series that the run has samples of.
    #[must_use]
    pub const fn numbers(&self) -> &RoaringBitmap {
        &self.numbers
    }

    #[must_use]
    pub const fn file(&self) -> &CachedFile {
        &self.file
    }

    /// Bytes held in memory, what the cache holds aside.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.table.capacity() * size_of::<TableEntry>() + crate::index::postings::bitmap_bytes(&self.numbers)
    }

    /// Chunks of these series, which are in label order: `put` gets the index into `wanted` and the
    /// chunks. Series that are not here are left out. `rank` tells the place of a series in label
    /// order.
    pub async fn chunks_of(
        &self,
        wanted: &[SeriesRef],
        rank: &impl Fn(SeriesRef) -> Option<u32>,
        put: &mut impl FnMut(usize, &[ChunkRef]),
    ) -> Result<()> {
        let mut page = RunPage::default();
        let mut chunks = Vec::new();
        let mut at = 0;
        while let Some((index, series)) = wanted.iter().enumerate().skip(at).find(|(_, one)| self.has(**one))
        {
            let Some(place) = self.page_of(rank(*series), rank) else {
                at = index + 1;
                continue;
            };
            // All that are wanted of the page are served at once.
            let next_first = self.table.get(place + 1).and_then(|entry| rank(entry.first));
            let end = match next_first {
                Some(next) => {
                    let rest = wanted.get(index..).unwrap_or_default();
                    index + rest.partition_point(|one| rank(*one).is_none_or(|rank| rank < next)).max(1)
                }
                None => wanted.len(),
            };
            let Some(entry) = self.table.get(place) else { break };
            let bytes = self.page(entry.page).await?;
            let payload = unsealed(&bytes).ok_or_else(|| self.corrupt(entry.page, "a page is damaged"))?;
            page.refill(payload).map_err(|_| self.corrupt(entry.page, "a page cannot be read"))?;
            let mut entries = page.entries(payload);
            for (index, series) in wanted.get(..end).unwrap_or_default().iter().enumerate().skip(index) {
                if !self.has(*series) {
                    continue;
                }
                let Some((_, entry_bytes)) = entries.find(|(number, _)| number == series) else {
                    return Err(self.corrupt(entry.page, "a series is missing from its page"));
                };
                read_entry(entry_bytes, self.base_ms, &mut chunks)
                    .map_err(|_| self.corrupt(entry.page, "the chunks of a series cannot be read"))?;
                put(index, &chunks);
            }
            at = end;
        }
        Ok(())
    }

    fn has(&self, series: SeriesRef) -> bool {
        self.numbers.contains(series.0)
    }

    /// Index of the page in which a series of this rank is.
    fn page_of(&self, wanted: Option<u32>, rank: &impl Fn(SeriesRef) -> Option<u32>) -> Option<usize> {
        let wanted = wanted?;
        let behind =
            self.table.partition_point(|entry| rank(entry.first).is_some_and(|first| first <= wanted));
        behind.checked_sub(1)
    }

    async fn page(&self, page: Extent) -> Result<Rc<[u8]>> {
        self.file.piece(page.offset, page.len as usize).await
    }

    fn corrupt(&self, page: Extent, what: &'static str) -> Error {
        Error::Corrupt { path: self.file.path().to_path_buf(), offset: page.offset, what }
    }
}

async fn piece(file: &ReadFile, extent: Extent) -> Result<Vec<u8>> {
    file.read(extent.offset, extent.len as usize, |bytes: &[u8]| bytes.to_vec()).await
}
