//! Writing a block, series by series in label order.

use std::path::{Path, PathBuf};

use super::{CHUNKS_FILE, INDEX_FILE, MAGIC, META_FILE, encode_meta};
use crate::chunk::column::Effort;
use crate::error::{Error, Result};
use crate::index::block::{IndexWriter, Sink};
use crate::io::{BulkWriter, Disk};
use crate::part::chunk::put_entry;
use crate::part::{ChunkRef, ChunkWriter, PartMeta, Window};

impl Sink for BulkWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Self::write(self, bytes)
    }
}

/// A block on its way to the disk.
pub struct BlockWriter {
    disk: Disk,
    directory: PathBuf,
    chunks: ChunkWriter,
    index: IndexWriter<BulkWriter>,
    window: Window,
    entry: Vec<u8>,
}

impl BlockWriter {
    /// Begins a block in a directory that is made for it.
    pub fn create(disk: &Disk, directory: &Path, window: Window, effort: Effort) -> Result<Self> {
        disk.create_directory(directory)?;
        let chunks = ChunkWriter::new(disk.create_bulk(&directory.join(CHUNKS_FILE))?, MAGIC, effort)?;
        let index = IndexWriter::new(disk.create_bulk(&directory.join(INDEX_FILE))?);
        Ok(Self {
            disk: disk.clone(),
            directory: directory.to_path_buf(),
            chunks,
            index,
            window,
            entry: Vec::new(),
        })
    }

    /// Where the chunks of the next series are written.
    pub const fn chunks(&mut self) -> &mut ChunkWriter {
        &mut self.chunks
    }

    /// Adds a series whose chunks were written.
    pub fn add(&mut self, labels: &[u8], chunks: &[ChunkRef]) -> Result<()> {
        self.entry.clear();
        put_entry(&mut self.entry, self.window.start_ms, chunks);
        self.index.add(labels, &self.entry)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.bounds().is_none()
    }

    /// Writes what is left and makes all files durable under their present names. `meta` brings
    /// what the writer does not know; the rest is filled in.
    pub fn finish(self, mut meta: PartMeta) -> Result<PartMeta> {
        let Some((min_ms, max_ms)) = self.chunks.bounds() else {
            return Err(Error::Executor { reason: "a block without samples".into() });
        };
        meta.window = self.window;
        (meta.min_ms, meta.max_ms) = (min_ms, max_ms);
        (meta.chunks, meta.samples) = (self.chunks.chunks(), self.chunks.samples());
        self.chunks.into_writer().finish()?;
        let (index, _, series) = self.index.finish()?;
        index.finish()?;
        meta.series = u64::from(series);
        let mut file = self.disk.create_bulk(&self.directory.join(META_FILE))?;
        file.write(&encode_meta(&meta))?;
        file.finish()?;
        self.disk.sync_directory(&self.directory)?;
        Ok(meta)
    }
}
