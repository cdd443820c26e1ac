//! Real files: writes by io_uring past the page cache, each durable when it returns.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use glommio::GlommioError;
use glommio::io::{DmaFile, OpenOptions};

use crate::error::{Error, Result};

const O_DSYNC: i32 = 0o10000;
const FILE_MODE: u32 = 0o640;
/// Zeros are written in steps of this size.
const ZERO_STEP: usize = 1 << 20;

/// Opens a write-only scratch file first.
///
/// glommio probes polled I/O on the first direct file that an executor opens, by reading from it;
/// an empty readable file passes the probe wrongly and later reads fail. Every executor calls this
/// before it opens anything else.
pub async fn prepare_executor(directory: &Path) -> Result<()> {
    let path = directory.join(".probe");
    let file = DmaFile::create(&path).await.map_err(|error| glommio_error("create", &path, error))?;
    file.close().await.map_err(|error| glommio_error("close", &path, error))?;
    super::dirs::remove(&path)
}

pub(super) fn glommio_error(op: &'static str, path: &Path, error: GlommioError<()>) -> Error {
    Error::io(op, path, &std::io::Error::from(error))
}

/// A file for durable writes.
pub struct DirectFile {
    path: PathBuf,
    file: DmaFile,
    reader: std::fs::File,
}

impl DirectFile {
    pub(super) async fn open(path: &Path) -> Result<Self> {
        let file = open_direct(path, O_DSYNC).await?;
        let reader = std::fs::File::open(path).map_err(|error| Error::io("open", path, &error))?;
        Ok(Self { path: path.to_path_buf(), file, reader })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        write_direct(&self.file, &self.path, bytes, position).await
    }

    pub(super) async fn sync(&self) -> Result<()> {
        self.file.fdatasync().await.map_err(|error| glommio_error("sync", &self.path, error))
    }

    pub(super) fn read_into(&self, position: u64, len: usize, into: &mut Vec<u8>) -> Result<()> {
        into.resize(len, 0);
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.path, &error)),
            }
        }
        into.truncate(filled);
        Ok(())
    }

    pub(super) fn len(&self) -> Result<u64> {
        self.reader.metadata().map(|meta| meta.len()).map_err(|error| Error::io("stat", &self.path, &error))
    }

    pub(super) async fn preallocate(&self, len: u64) -> Result<()> {
        self.file
            .pre_allocate(len, false)
            .await
            .map_err(|error| glommio_error("reserve space for", &self.path, error))
    }

    pub(super) async fn zero(&self, len: u64) -> Result<()> {
        // A handle without O_DSYNC: one sync at the end is enough here.
        let file = open_direct(&self.path, 0).await?;
        let zeros = vec![0; ZERO_STEP];
        let mut position = 0;
        while position < len {
            let step = usize::try_from(len - position).unwrap_or(ZERO_STEP).min(ZERO_STEP);
            let bytes = zeros.get(..step).unwrap_or(&zeros);
            write_direct(&file, &self.path, bytes, position).await?;
            position += step as u64;
        }
        file.fdatasync().await.map_err(|error| glommio_error("sync", &self.path, error))?;
        file.close().await.map_err(|error| glommio_error("close", &self.path, error))
    }
}

async fn open_direct(path: &Path, flags: i32) -> Result<DmaFile> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .mode(FILE_MODE)
        .custom_flags(flags)
        .dma_open(path)
        .await
        .map_err(|error| glommio_error("open", path, error))
}

async fn write_direct(file: &DmaFile, path: &Path, bytes: &[u8], position: u64) -> Result<()> {
    let mut buffer = file.alloc_dma_buffer(bytes.len());
    buffer.as_bytes_mut().copy_from_slice(bytes);
    let written =
        file.write_at(buffer, position).await.map_err(|error| glommio_error("write", path, error))?;
    if written == bytes.len() {
        return Ok(());
    }
    // A write to a disk that fills up ends short.
    Err(Error::io("write all of", path, &std::io::Error::from(std::io::ErrorKind::StorageFull)))
}
