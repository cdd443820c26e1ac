//! Writing a run, series by series in label order.

use std::path::Path;

use roaring::RoaringBitmap;

use super::page::put_page;
use super::trailer::{TRAILER_LEN, Trailer};
use super::{MAGIC, PAGE_SERIES};
use crate::chunk::column::Effort;
use crate::codec::crc::seal;
use crate::error::{Error, Result};
use crate::io::{BulkWriter, Disk};
use crate::model::SeriesRef;
use crate::part::chunk::put_entry;
use crate::part::{ChunkRef, ChunkWriter, PartMeta, Window};

/// A run on its way to the disk.
pub struct RunWriter {
    chunks: ChunkWriter,
    window: Window,
    /// Complete pages, each with its first number; they go behind the columns.
    pages: Vec<(u32, Box<[u8]>)>,
    series: Vec<(SeriesRef, usize)>,
    entries: Vec<u8>,
    numbers: RoaringBitmap,
}

impl RunWriter {
    pub fn create(disk: &Disk, path: &Path, window: Window, effort: Effort) -> Result<Self> {
        Ok(Self {
            chunks: ChunkWriter::new(disk.create_bulk(path)?, MAGIC, effort)?,
            window,
            pages: Vec::new(),
            series: Vec::new(),
            entries: Vec::new(),
            numbers: RoaringBitmap::new(),
        })
    }

    /// Where the chunks of the next series are written.
    pub const fn chunks(&mut self) -> &mut ChunkWriter {
        &mut self.chunks
    }

    /// Adds a series whose chunks were written.
    pub fn add(&mut self, series: SeriesRef, chunks: &[ChunkRef]) {
        let before = self.entries.len();
        put_entry(&mut self.entries, self.window.start_ms, chunks);
        self.series.push((series, self.entries.len() - before));
        self.numbers.insert(series.0);
        if self.series.len() == PAGE_SERIES {
            self.end_page();
        }
    }

    fn end_page(&mut self) {
        let Some((first, _)) = self.series.first() else { return };
        let mut page = Vec::with_capacity(self.entries.len() + 4 * self.series.len());
        put_page(&mut page, &self.series, &self.entries);
        seal(&mut page);
        self.pages.push((first.0, page.into_boxed_slice()));
        self.series.clear();
        self.entries.clear();
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.bounds().is_none()
    }

    /// Writes what is left and makes the file durable under its present name. `meta` brings what
    /// the writer does not know; the rest is filled in.
    pub fn finish(mut self, mut meta: PartMeta) -> Result<PartMeta> {
        self.end_page();
        let Some((min_ms, max_ms)) = self.chunks.bounds() else {
            return Err(Error::Executor { reason: "a run without samples".into() });
        };
        meta.window = self.window;
        (meta.min_ms, meta.max_ms) = (min_ms, max_ms);
        (meta.chunks, meta.samples) = (self.chunks.chunks(), self.chunks.samples());
        meta.series = self.numbers.len();
        let mut writer = self.chunks.into_writer();
        let mut table = Vec::with_capacity(self.pages.len() * 16);
        for (first, page) in &self.pages {
            table.extend_from_slice(&first.to_le_bytes());
            table.extend_from_slice(&(page.len() as u32).to_le_bytes());
            table.extend_from_slice(&writer.position().to_le_bytes());
            writer.write(page)?;
        }
        let numbers_at = writer.position();
        self.numbers.optimize();
        let mut numbers = Vec::with_capacity(self.numbers.serialized_size());
        // Writing to memory does not fail.
        let _ = self.numbers.serialize_into(&mut numbers);
        section(&mut writer, numbers)?;
        let table_at = writer.position();
        section(&mut writer, table)?;
        let meta_at = writer.position();
        section(&mut writer, meta.encode())?;
        let trailer = Trailer {
            pages: self.pages.len() as u32,
            numbers_at,
            table_at,
            meta_at,
            file_len: writer.position() + TRAILER_LEN as u64,
        };
        writer.write(&trailer.encode())?;
        writer.finish()?;
        Ok(meta)
    }
}

fn section(writer: &mut BulkWriter, mut bytes: Vec<u8>) -> Result<()> {
    seal(&mut bytes);
    writer.write(&bytes)
}
