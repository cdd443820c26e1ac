//! Names of files and directories, and the operations on them that need no executor.

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::ShardId;

const LOCK_FILE: &str = "LOCK";
/// Directory of a shard's log segments.
pub const WAL_DIRECTORY: &str = "wal";
/// Directory of the log of writes that come while a shard is being opened.
pub const INTAKE_DIRECTORY: &str = "intake";
/// Directory of a shard's series table.
pub const SERIES_DIRECTORY: &str = "series";

/// Directory of a shard's runs.
pub const RUNS_DIRECTORY: &str = "runs";
/// Directory of a shard's blocks.
pub const BLOCKS_DIRECTORY: &str = "blocks";
/// What a file or directory is called until it is complete.
pub const TEMPORARY_SUFFIX: &str = ".tmp";
/// Added to the name of what is too damaged to be served.
pub const DAMAGED_SUFFIX: &str = ".damaged";

/// A path with something added to its last name.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// What a file or directory is called until it is complete.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, TEMPORARY_SUFFIX)
}

/// Directory of one shard in a data directory.
#[must_use]
pub fn shard_directory(data_directory: &Path, shard: ShardId) -> PathBuf {
    data_directory.join(format!("shard-{:03}", shard.0))
}

pub fn create_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| Error::io("create directory", directory, &error))
}

pub fn sync_directory(directory: &Path) -> Result<()> {
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io("sync", directory, &error))
}

/// Names in a directory, sorted; a directory that is not there is empty.
pub fn list(directory: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", directory, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", directory, &error))?;
        // Our own names are ASCII; what is not UTF-8 is not ours.
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

pub fn publish(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("rename", from, &error))?;
    to.parent().map_or(Ok(()), sync_directory)
}

pub fn link(from: &Path, to: &Path) -> Result<()> {
    fs::hard_link(from, to).map_err(|error| Error::io("link", to, &error))
}

pub fn remove_directory(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", directory, &error)),
        _ => Ok(()),
    }
}

/// Bytes that are free for us on the file system of a directory, and its size.
pub fn space(directory: &Path) -> Result<(u64, u64)> {
    let found =
        rustix::fs::statvfs(directory).map_err(|error| Error::io("stat", directory, &error.into()))?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Held while a data directory is open; the system releases it when the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: fs::File,
}

/// Takes the data directory for this process, or says who has it.
pub fn lock(directory: &Path) -> Result<DirectoryLock> {
    let path = directory.join(LOCK_FILE);
    let io = |op| {
        let path = path.clone();
        move |error: std::io::Error| Error::io(op, &path, &error)
    };
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            return Err(Error::InUse { path: directory.to_path_buf(), holder });
        }
        Err(fs::TryLockError::Error(error)) => return Err(io("lock")(error)),
    }
    // The number is for people who read the file; the lock is what counts.
    file.seek(SeekFrom::Start(0)).map_err(io("write"))?;
    file.set_len(0).map_err(io("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(io("write"))?;
    Ok(DirectoryLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let held = lock(directory.path()).unwrap();
        let refused = lock(directory.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(held);
        lock(directory.path()).unwrap();
    }
}
