//! Disk access: direct, durable writes on an executor, or a disk in memory for tests.
//!
//! Files written here are opened with O_DIRECT and O_DSYNC: a write that returned is on the disk.
//! Everything above this module asks a [`Disk`] and knows nothing of glommio.

mod bulk;
pub mod cache;
pub mod coop;
pub mod dirs;
mod dma;
pub mod nudge;
pub mod probe;
mod read;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod workers;

use std::path::{Path, PathBuf};

pub use self::bulk::{BulkReader, BulkWriter};
pub use self::cache::{Cache, CachedFile};
pub use self::dma::prepare_executor;
pub use self::read::ReadFile;
pub use self::workers::{Priority, WorkerTurn, Workers};
use crate::error::{Error, Result};
use crate::limits::BLOCK_LEN;

/// Where a shard keeps its files. Cheap to clone.
#[derive(Clone)]
pub enum Disk {
    /// Real files, through the executor that the caller runs on.
    Dma,
    /// Files in memory that can lose power.
    #[cfg(any(test, feature = "sim"))]
    Sim(sim::SimDisk),
}

/// An open file. Writes are whole blocks of [`BLOCK_LEN`] at multiples of it.
pub enum DiskFile {
    Dma(dma::DirectFile),
    #[cfg(any(test, feature = "sim"))]
    Sim(sim::SimFile),
}

impl Disk {
    /// Opens a file for durable writes and for reads; makes it where there is none.
    pub async fn open(&self, path: &Path) -> Result<DiskFile> {
        match self {
            Self::Dma => dma::DirectFile::open(path).await.map(DiskFile::Dma),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.open(path).map(DiskFile::Sim),
        }
    }

    /// Names of the files of a directory, sorted; a directory that is not there is empty.
    pub fn list(&self, directory: &Path) -> Result<Vec<String>> {
        match self {
            Self::Dma => dirs::list(directory),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.list(directory),
        }
    }

    /// Makes a directory and those above it.
    pub fn create_directory(&self, directory: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::create_directory(directory),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(_) => Ok(()),
        }
    }

    /// Makes the names in a directory durable.
    pub fn sync_directory(&self, directory: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::sync_directory(directory),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.sync_directory(directory),
        }
    }

    /// Gives a file another name in the same directory, replacing what had it, durably.
    pub fn publish(&self, from: &Path, to: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::publish(from, to),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.publish(from, to),
        }
    }

    /// Gives a file a second name, in a directory of the same file system.
    pub fn link(&self, from: &Path, to: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::link(from, to),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.link(from, to),
        }
    }

    /// Deletes a directory with the files in it; one that is not there is no error.
    pub fn remove_directory(&self, directory: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::remove_directory(directory),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.remove_directory(directory),
        }
    }

    /// Bytes that are free on the file system of a directory, and its size.
    pub fn space(&self, directory: &Path) -> Result<(u64, u64)> {
        match self {
            Self::Dma => dirs::space(directory),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => Ok(disk.space()),
        }
    }

    /// The whole of a small file; `None` where there is none.
    pub fn read_small(&self, path: &Path, len_max: u64) -> Result<Option<Vec<u8>>> {
        let mut reader = match self.open_bulk(path) {
            Ok(reader) => reader,
            Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let len = reader.len();
        if len > len_max {
            let what = "the file is longer than any of its kind";
            return Err(Error::Corrupt { path: path.to_path_buf(), offset: len_max, what });
        }
        let len = usize::try_from(len).unwrap_or(0);
        reader.read(0, len).map(|bytes| Some(bytes.to_vec()))
    }

    /// Writes a small file as a whole: under a temporary name, then published.
    pub fn write_small(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let temporary = dirs::temporary(path);
        let mut writer = self.create_bulk(&temporary)?;
        writer.write(bytes)?;
        writer.finish()?;
        self.publish(&temporary, path)
    }

    /// Deletes a file; one that is not there is no error.
    pub fn remove(&self, path: &Path) -> Result<()> {
        match self {
            Self::Dma => dirs::remove(path),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => disk.remove(path),
        }
    }

    /// Lets other tasks of the core run when this one has run long enough.
    pub async fn yield_if_needed(&self) {
        match self {
            Self::Dma => coop::yield_if_needed().await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(_) => {}
        }
    }

    /// Waits; not under the simulator.
    pub async fn sleep(&self, time: std::time::Duration) {
        match self {
            Self::Dma => glommio::timer::sleep(time).await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(_) => futures_lite::future::yield_now().await,
        }
    }

    /// Starts a task beside the caller; under the simulator it is run to its end at once.
    pub async fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        match self {
            Self::Dma => drop(glommio::spawn_local(work).detach()),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(_) => work.await,
        }
    }
}

impl DiskFile {
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Dma(file) => file.path().to_path_buf(),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.path().to_path_buf(),
        }
    }

    /// Writes whole blocks; when this returns they are durable.
    pub async fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        assert_eq!(bytes.len() % BLOCK_LEN, 0, "writes are whole blocks");
        assert_eq!(position % BLOCK_LEN as u64, 0, "writes begin at a block");
        match self {
            Self::Dma(file) => file.write_at(bytes, position).await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.write_at(bytes, position).await,
        }
    }

    /// Makes durable what a run before this one may have left in the disk's cache.
    pub async fn sync(&self) -> Result<()> {
        match self {
            Self::Dma(file) => file.sync().await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.sync(),
        }
    }

    /// Replaces what is in `into` by up to `len` bytes from `position`: fewer at the end of the file.
    /// Meant for recovery: it may block the core.
    pub fn read_into(&self, position: u64, len: usize, into: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Dma(file) => file.read_into(position, len, into),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.read_at(position, len).map(|bytes| *into = bytes),
        }
    }

    #[expect(clippy::len_without_is_empty, reason = "asking for the length can fail")]
    pub fn len(&self) -> Result<u64> {
        match self {
            Self::Dma(file) => file.len(),
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.len(),
        }
    }

    /// Reserves room for `len` bytes, so that writes within them do not grow the file.
    pub async fn preallocate(&self, len: u64) -> Result<()> {
        match self {
            Self::Dma(file) => file.preallocate(len).await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(file) => file.preallocate(len),
        }
    }

    /// Writes zeros over the whole of a preallocated file, so that later writes change no metadata.
    pub async fn zero(&self, len: u64) -> Result<()> {
        match self {
            Self::Dma(file) => file.zero(len).await,
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(_) => Ok(()),
        }
    }
}
