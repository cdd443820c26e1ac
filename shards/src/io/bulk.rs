//! Files written or read from one end to the other on a background thread, past the page cache.
//!
//! A file written here is durable when [`BulkWriter::finish`] has returned and its directory was
//! synced; before that it may be there in part. Reading keeps one window of the file in memory.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Disk;
use super::read::piece_end;
#[cfg(any(test, feature = "sim"))]
use super::sim::SimFile;
use crate::error::{Error, Result};
use crate::limits::BLOCK_LEN;

const O_DIRECT: i32 = 0o40000;
const FILE_MODE: u32 = 0o640;
/// Bytes written or read at once.
const WINDOW_LEN: usize = 256 << 10;

/// Memory of which a part begins at a multiple of [`BLOCK_LEN`], as direct I/O wants it.
struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    fn new(len: usize) -> Self {
        let bytes = vec![0; len + BLOCK_LEN];
        let start = bytes.as_ptr().align_offset(BLOCK_LEN).min(BLOCK_LEN);
        Self { bytes, start, len }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.start + self.len).unwrap_or_default()
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }
}

enum Handle {
    Real(File),
    #[cfg(any(test, feature = "sim"))]
    Sim(SimFile),
}

/// Opens past the page cache, or through it on file systems that have no other way.
fn open_direct(options: &mut OpenOptions, path: &Path) -> Result<File> {
    match options.custom_flags(O_DIRECT).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            options.custom_flags(0).open(path).map_err(|error| Error::io("open", path, &error))
        }
        opened => opened.map_err(|error| Error::io("open", path, &error)),
    }
}

/// A new file on its way to the disk.
pub struct BulkWriter {
    path: PathBuf,
    handle: Handle,
    buffer: AlignedBuffer,
    filled: usize,
    /// Bytes written to the file so far, whole blocks.
    flushed: u64,
}

impl Disk {
    /// Makes a file, emptying one that is there.
    pub fn create_bulk(&self, path: &Path) -> Result<BulkWriter> {
        let handle = match self {
            Self::Dma => {
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true).mode(FILE_MODE);
                Handle::Real(open_direct(&mut options, path)?)
            }
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => {
                let file = disk.open(path)?;
                file.truncate(0)?;
                Handle::Sim(file)
            }
        };
        Ok(BulkWriter {
            path: path.to_path_buf(),
            handle,
            buffer: AlignedBuffer::new(WINDOW_LEN),
            filled: 0,
            flushed: 0,
        })
    }

    /// Opens a file to be read from one end to the other.
    pub fn open_bulk(&self, path: &Path) -> Result<BulkReader> {
        let (handle, len) = match self {
            Self::Dma => {
                let file = open_direct(OpenOptions::new().read(true), path)?;
                let len = file.metadata().map_err(|error| Error::io("stat", path, &error))?.len();
                (Handle::Real(file), len)
            }
            #[cfg(any(test, feature = "sim"))]
            Self::Sim(disk) => {
                let file = disk.open_existing(path)?;
                let len = file.len()?;
                (Handle::Sim(file), len)
            }
        };
        Ok(BulkReader { path: path.to_path_buf(), handle, len, window: AlignedBuffer::new(0), window_at: 0 })
    }
}

impl BulkWriter {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes appended so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.flushed + self.filled as u64
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.buffer.len - self.filled;
            let (now, later) = rest.split_at(rest.len().min(room));
            let end = self.filled + now.len();
            if let Some(place) = self.buffer.as_mut_slice().get_mut(self.filled..end) {
                place.copy_from_slice(now);
            }
            self.filled = end;
            rest = later;
            if self.filled == self.buffer.len {
                self.flush(self.filled)?;
                self.filled = 0;
            }
        }
        Ok(())
    }

    /// Writes the first `len` bytes of the buffer, whole blocks.
    fn flush(&mut self, len: usize) -> Result<()> {
        let bytes = self.buffer.as_slice().get(..len).unwrap_or_default();
        match &self.handle {
            Handle::Real(file) => {
                let written = file.write_all_at(bytes, self.flushed);
                written.map_err(|error| match error.kind() {
                    std::io::ErrorKind::WriteZero => {
                        Error::io("write", &self.path, &std::io::ErrorKind::StorageFull.into())
                    }
                    _ => Error::io("write", &self.path, &error),
                })?;
            }
            #[cfg(any(test, feature = "sim"))]
            Handle::Sim(file) => file.write_now(bytes, self.flushed)?,
        }
        self.flushed += len as u64;
        Ok(())
    }

    /// Writes the rest and makes the file durable. Gives its length.
    pub fn finish(mut self) -> Result<u64> {
        let len = self.position();
        if self.filled > 0 {
            let padded = self.filled.next_multiple_of(BLOCK_LEN);
            let filled = self.filled;
            if let Some(padding) = self.buffer.as_mut_slice().get_mut(filled..padded) {
                padding.fill(0);
            }
            self.flush(padded)?;
        }
        match &self.handle {
            Handle::Real(file) => {
                file.set_len(len).map_err(|error| Error::io("truncate", &self.path, &error))?;
                file.sync_all().map_err(|error| Error::io("sync", &self.path, &error))?;
            }
            #[cfg(any(test, feature = "sim"))]
            Handle::Sim(file) => {
                file.truncate(len)?;
                file.sync()?;
            }
        }
        Ok(len)
    }
}

/// A file that is read mostly in order.
pub struct BulkReader {
    path: PathBuf,
    handle: Handle,
    len: u64,
    window: AlignedBuffer,
    window_at: u64,
}

impl BulkReader {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[expect(clippy::len_without_is_empty, reason = "an empty file is as good as any other")]
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The bytes of a piece of the file, which must lie within it.
    pub fn read(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let end = piece_end(&self.path, self.len, offset, len)?;
        let window_end = self.window_at + self.window.len as u64;
        if offset < self.window_at || end > window_end {
            self.load(offset, len)?;
        }
        let at = usize::try_from(offset - self.window_at).unwrap_or(usize::MAX);
        Ok(at.checked_add(len).and_then(|end| self.window.as_slice().get(at..end)).unwrap_or_default())
    }

    /// Moves the window so that it begins at `offset` and has at least `len` bytes.
    fn load(&mut self, offset: u64, len: usize) -> Result<()> {
        let block = BLOCK_LEN as u64;
        let begin = offset / block * block;
        let wanted = (offset + len as u64 - begin).max(WINDOW_LEN as u64).min(self.len - begin);
        let wanted = usize::try_from(wanted).unwrap_or(WINDOW_LEN);
        let aligned = wanted.next_multiple_of(BLOCK_LEN);
        let mut window = std::mem::replace(&mut self.window, AlignedBuffer::new(0));
        if window.bytes.len() < aligned + BLOCK_LEN || window.bytes.len() > 4 * (aligned + WINDOW_LEN) {
            window = AlignedBuffer::new(aligned);
        }
        window.len = aligned;
        let mut filled = 0;
        match &self.handle {
            Handle::Real(file) => {
                while let Some(rest) = window.as_mut_slice().get_mut(filled..).filter(|rest| !rest.is_empty())
                {
                    match file.read_at(rest, begin + filled as u64) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(Error::io("read", &self.path, &error)),
                    }
                    // A short direct read ends at the end of the file.
                    if filled % BLOCK_LEN != 0 {
                        break;
                    }
                }
            }
            #[cfg(any(test, feature = "sim"))]
            Handle::Sim(file) => {
                let bytes = file.read_at(begin, wanted)?;
                if let Some(place) = window.as_mut_slice().get_mut(..bytes.len()) {
                    place.copy_from_slice(&bytes);
                }
                filled = bytes.len();
            }
        }
        if filled < wanted {
            let what = "the file ends before its length";
            return Err(Error::Corrupt { path: self.path.clone(), offset: begin + filled as u64, what });
        }
        window.len = filled.min(aligned);
        self.window = window;
        self.window_at = begin;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(disk: &Disk, directory: &Path) {
        let path = directory.join("file");
        let bytes: Vec<u8> = (0..700_001_u32).map(|index| (index % 251) as u8).collect();
        let mut writer = disk.create_bulk(&path).unwrap();
        for piece in bytes.chunks(1777) {
            writer.write(piece).unwrap();
        }
        assert_eq!(writer.position(), bytes.len() as u64);
        assert_eq!(writer.finish().unwrap(), bytes.len() as u64);
        let mut reader = disk.open_bulk(&path).unwrap();
        assert_eq!(reader.len(), bytes.len() as u64);
        for (offset, len) in [(0, 10), (1, 4096), (5000, 300_000), (699_000, 1001), (12, 0), (4095, 2)] {
            assert_eq!(reader.read(offset as u64, len).unwrap(), &bytes[offset..offset + len]);
        }
        assert_eq!(reader.read(0, bytes.len()).unwrap(), &bytes[..]);
        assert!(matches!(reader.read(700_000, 2), Err(Error::Corrupt { .. })));
        assert!(matches!(reader.read(u64::MAX, 2), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        round_trip(&Disk::Dma, directory.path());
        round_trip(&Disk::Sim(super::super::sim::SimDisk::new(1)), Path::new("/sim"));
    }
}
