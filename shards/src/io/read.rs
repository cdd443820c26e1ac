//! Files that queries read at any place, by io_uring past the page cache.

use std::path::{Path, PathBuf};

use glommio::io::{DmaFile, OpenOptions};

use super::Disk;
use super::dma::glommio_error;
#[cfg(any(test, feature = "sim"))]
use super::sim::SimFile;
use crate::error::{Error, Result};

/// A file that does not change. Lives on the executor that opened it.
pub struct ReadFile {
    path: PathBuf,
    handle: Handle,
    len: u64,
}

enum Handle {
    Dma(DmaFile),
    #[cfg(any(test, feature = "sim"))]
    Sim(SimFile),
}

/// Where a piece of a file of this length ends; one that does not lie within it is damage.
pub(super) fn piece_end(path: &Path, file_len: u64, offset: u64, len: usize) -> Result<u64> {
    let end = offset.checked_add(len as u64).filter(|end| *end <= file_len);
    let what = "a piece beyond the end of the file is referred to";
    end.ok_or_else(|| Error::Corrupt { path: path.to_path_buf(), offset, what })
}

impl Disk {
    /// Opens a file for reads at any place.
    pub async fn open_read(&self, path: &Path) -> Result<ReadFile> {
        let (handle, len) = match self {
            Self::Dma => {
                let opened = OpenOptions::new().read(true).dma_open(path).await;
                let file = opened.map_err(|error| glommio_error("open", path, error))?;
                let len = file.file_size().await.map_err(|error| glommio_error("stat", path, error))?;
                (Handle::Dma(file), len)
            }
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => {
                let file = disk.open_existing(path)?;
                let len = file.len()?;
                (Handle::Sim(file), len)
            }
        };
        Ok(ReadFile { path: path.to_path_buf(), handle, len })
    }
}

impl ReadFile {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[expect(clippy::len_without_is_empty, reason = "an empty file is as good as any other")]
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The `len` bytes from `offset` on, which must be there; `put` gets them.
    pub async fn read<R>(&self, offset: u64, len: usize, put: impl FnOnce(&[u8]) -> R) -> Result<R> {
        piece_end(&self.path, self.len, offset, len)?;
        let short =
            || Error::Corrupt { path: self.path.clone(), offset, what: "the file ends before its length" };
        match &self.handle {
            Handle::Dma(file) => {
                let read = file.read_at(offset, len).await;
                let read = read.map_err(|error| glommio_error("read", &self.path, error))?;
                if read.len() == len { Ok(put(&read)) } else { Err(short()) }
            }
            #[cfg(any(test, feature = "sim"))]
            Handle::Sim(file) => {
                let read = file.read_at(offset, len)?;
                if read.len() == len { Ok(put(&read)) } else { Err(short()) }
            }
        }
    }
}
