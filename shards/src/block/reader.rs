//! An open block: the top of its index in memory, the rest behind the cache.

use std::path::Path;
use std::rc::Rc;

use super::{CHUNKS_FILE, INDEX_FILE, MAGIC, META_FILE, decode_meta};
use crate::error::{Error, Result};
use crate::index::block::{BlockIndex, PageSource};
use crate::io::{Cache, CachedFile, Disk};
use crate::part::meta::META_LEN_MAX;
use crate::part::{HEADER_LEN, PartKind, PartMeta, check_header};

/// An index file reads its pieces through the cache.
impl PageSource for CachedFile {
    async fn read(&self, offset: u64, len: usize) -> Result<Rc<[u8]>> {
        self.piece(offset, len).await
    }
}

/// See the module's text. Lives on the shard's core.
pub struct Block {
    index: BlockIndex<CachedFile>,
    chunks: CachedFile,
    file_bytes: u64,
}

impl Block {
    /// Opens a block, reading little of it.
    pub async fn open(disk: &Disk, cache: &Cache, directory: &Path) -> Result<(Self, PartMeta)> {
        let meta_path = directory.join(META_FILE);
        let corrupt = |what| Error::Corrupt { path: meta_path.clone(), offset: 0, what };
        let bytes = disk.read_small(&meta_path, META_LEN_MAX)?;
        let bytes = bytes.ok_or_else(|| corrupt("the meta is missing"))?;
        let meta = decode_meta(&meta_path, &bytes)?;
        if meta.kind != PartKind::Block {
            return Err(corrupt("the meta is not that of a block"));
        }
        let chunks_path = directory.join(CHUNKS_FILE);
        let chunks = disk.open_read(&chunks_path).await?;
        let header = chunks.read(0, HEADER_LEN, |bytes: &[u8]| check_header(bytes, MAGIC)).await?;
        header.map_err(|what| Error::Corrupt { path: chunks_path.clone(), offset: 0, what })?;
        let index_path = directory.join(INDEX_FILE);
        let index = disk.open_read(&index_path).await?;
        let len = index.len();
        let index = BlockIndex::open(cache.adopt(index), &index_path, len).await?;
        if u64::from(index.series_count()) != meta.series {
            return Err(corrupt("index and meta tell of different numbers of series"));
        }
        let file_bytes = chunks.len() + len + bytes.len() as u64;
        Ok((Self { index, chunks: cache.adopt(chunks), file_bytes }, meta))
    }

    #[must_use]
    pub const fn index(&self) -> &BlockIndex<CachedFile> {
        &self.index
    }

    /// The file that the chunks of its series are in.
    #[must_use]
    pub const fn file(&self) -> &CachedFile {
        &self.chunks
    }

    /// Length of its files together.
    #[must_use]
    pub const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Bytes held in memory, what the cache holds aside.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes()
    }
}
