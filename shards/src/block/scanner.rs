//! Reading the series of a block from one end to the other, on a background thread.

use std::path::{Path, PathBuf};

use super::{CHUNKS_FILE, INDEX_FILE, META_FILE, decode_meta};
use crate::error::{Error, Result};
use crate::index::block::{BulkRead, IndexScanner};
use crate::io::{BulkReader, Disk};
use crate::part::chunk::read_entry;
use crate::part::meta::META_LEN_MAX;
use crate::part::{ChunkRef, PartMeta};

impl BulkRead for BulkReader {
    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>> {
        Self::read(self, offset, len).map(<[u8]>::to_vec)
    }
}

/// The series of a block in label order.
pub struct BlockScanner {
    index: IndexScanner<BulkReader>,
    index_path: PathBuf,
    chunks_path: PathBuf,
    meta: PartMeta,
}

impl BlockScanner {
    pub fn open(disk: &Disk, directory: &Path) -> Result<Self> {
        let meta_path = directory.join(META_FILE);
        let missing = || Error::Corrupt { path: meta_path.clone(), offset: 0, what: "the meta is missing" };
        let meta = decode_meta(&meta_path, &disk.read_small(&meta_path, META_LEN_MAX)?.ok_or_else(missing)?)?;
        let index_path = directory.join(INDEX_FILE);
        let reader = disk.open_bulk(&index_path)?;
        let len = reader.len();
        let index = IndexScanner::open(reader, &index_path, len)?;
        Ok(Self { index, index_path, chunks_path: directory.join(CHUNKS_FILE), meta })
    }

    #[must_use]
    pub const fn meta(&self) -> &PartMeta {
        &self.meta
    }

    #[must_use]
    pub fn chunks_path(&self) -> &Path {
        &self.chunks_path
    }

    /// The next series: its labels and chunks replace what was in the buffers. `false` at the end.
    pub fn next(&mut self, labels: &mut Vec<u8>, chunks: &mut Vec<ChunkRef>) -> Result<bool> {
        let Some((_, label_bytes, entry)) = self.index.next()? else { return Ok(false) };
        labels.clear();
        labels.extend_from_slice(label_bytes);
        read_entry(entry, self.meta.window.start_ms, chunks).map_err(|_| Error::Corrupt {
            path: self.index_path.clone(),
            offset: 0,
            what: "the chunks of a series cannot be read",
        })?;
        Ok(true)
    }
}
