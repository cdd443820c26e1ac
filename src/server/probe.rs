//! Faults that would keep the server from running, found before anything is started.
//!
//! Each is told in one line: what is wrong, and what to do about it. A data directory that is in use
//! already must open even when its disk is full, since it can still be read; so only a new one needs
//! room for its log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shards::io::probe::io_uring_available;

use crate::config::Config;
use crate::units::size_text;

/// Log segments that each shard makes at once.
const SEGMENTS_PER_SHARD: u64 = 2;
/// Room beside the log: series tables, and what the system itself needs to go on.
const RESERVE_BYTES: u64 = 64 << 20;
/// File written and removed to see whether the directory can be written to.
const PROBE_FILE: &str = ".write-probe";

/// Why the server cannot start, and what to do. The line says all, so no cause is chained to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartFault {
    #[error("{0}")]
    IoUring(String),
    #[error("cannot make the data directory {path}: {reason}; {}", remedy(.cause))]
    Make { path: PathBuf, reason: String, cause: io::Error },
    #[error("cannot write to the data directory {path}: {reason}; {}", remedy(.cause))]
    Write { path: PathBuf, reason: String, cause: io::Error },
    #[error("{path} is not a directory; choose another with --data-dir")]
    NotDirectory { path: PathBuf },
    #[error(
        "not enough disk space at {path}: {} free, {shards} shards need {}; make room, choose another \
         place with --data-dir, or take smaller log files with --wal-segment-bytes",
        size_text(*.free_bytes >> 20 << 20), size_text(*.needed_bytes)
    )]
    Space { path: PathBuf, free_bytes: u64, needed_bytes: u64, shards: u16 },
}

/// Looks for every fault that can be known beforehand. The data directory exists afterwards.
///
/// Also lifts the limit of open files as far as the system lets us.
pub fn check(config: &Config) -> Result<(), StartFault> {
    io_uring_available().map_err(StartFault::IoUring)?;
    lift_open_files();
    let shards = config.shards.unwrap_or_else(default_shards);
    let needed_bytes = u64::from(shards) * SEGMENTS_PER_SHARD * config.wal.segment_bytes + RESERVE_BYTES;
    check_directory(&config.data_dir, shards, needed_bytes)
}

fn default_shards() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

fn check_directory(path: &Path, shards: u16, needed_bytes: u64) -> Result<(), StartFault> {
    let path_buf = || path.to_owned();
    if path.exists() && !path.is_dir() {
        return Err(StartFault::NotDirectory { path: path_buf() });
    }
    fs::create_dir_all(path).map_err(|cause| StartFault::Make {
        path: path_buf(),
        reason: reason(&cause),
        cause,
    })?;
    let fault = |cause| StartFault::Write { path: path_buf(), reason: reason(&cause), cause };
    let is_new = is_empty(path).map_err(fault)?;
    match write_probe(path) {
        Ok(()) => {}
        // Full is no reason not to serve what is there.
        Err(error) if !is_new && error.kind() == io::ErrorKind::StorageFull => {
            tracing::warn!(path = %path.display(), "the disk is full: no writes until there is room");
        }
        Err(error) => return Err(fault(error)),
    }
    let Ok(system) = rustix::fs::statvfs(path) else { return Ok(()) };
    let free_bytes = system.f_bavail.saturating_mul(system.f_frsize);
    if is_new && free_bytes < needed_bytes {
        return Err(StartFault::Space { path: path_buf(), free_bytes, needed_bytes, shards });
    }
    Ok(())
}

fn is_empty(path: &Path) -> io::Result<bool> {
    // What mkfs puts at the top of a volume does not count.
    let mut names = fs::read_dir(path)?.filter_map(Result::ok).map(|entry| entry.file_name());
    Ok(names.all(|name| name == "lost+found" || name == PROBE_FILE))
}

fn write_probe(path: &Path) -> io::Result<()> {
    let file = path.join(PROBE_FILE);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&file)
        .and_then(|mut probe| probe.write_all(&[0; 4096]));
    match (written, fs::remove_file(&file)) {
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// The cause in the words of the system, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "run as the owner of the directory, give it to this user with chown, or choose another with --data-dir"
        }
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable or choose another directory with --data-dir",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room or choose another directory with --data-dir"
        }
        _ => "choose another directory with --data-dir",
    }
}

/// Each connection and each file of the log is an open file.
fn lift_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, wanted) {
            tracing::warn!(%error, "limit of open files stays as it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_made_and_needs_room() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        check_directory(&path, 2, 1).unwrap();
        assert!(is_empty(&path).unwrap());
        let error = check_directory(&path, 2, u64::MAX >> 1).unwrap_err();
        assert!(matches!(error, StartFault::Space { shards: 2, .. }));
        assert!(error.to_string().contains("--wal-segment-bytes"), "{error}");
        fs::write(path.join("LOCK"), "").unwrap();
        check_directory(&path, 2, u64::MAX >> 1).unwrap();
    }

    #[test]
    fn what_is_no_directory_is_refused_in_words() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = check_directory(&file, 1, 1).unwrap_err();
        assert!(error.to_string().ends_with("is not a directory; choose another with --data-dir"), "{error}");
        let error = check_directory(&file.join("below"), 1, 1).unwrap_err();
        assert!(error.to_string().contains("not a directory; choose another"), "{error}");
    }

    #[test]
    fn causes_come_with_their_remedy() {
        let denied = || io::Error::from_raw_os_error(13);
        let fault = StartFault::Write { path: "/x".into(), reason: reason(&denied()), cause: denied() };
        assert_eq!(
            fault.to_string(),
            "cannot write to the data directory /x: permission denied; run as the owner of the directory, \
             give it to this user with chown, or choose another with --data-dir"
        );
    }
}
