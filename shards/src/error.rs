//! Errors of the engine: what failed and where.

use std::path::{Path, PathBuf};

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the engine could not do something. Refused samples are not errors but counted outcomes.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{path}: corrupt at byte {offset}: {what}", path = .path.display())]
    Corrupt { path: PathBuf, offset: u64, what: &'static str },

    #[error("cannot {op} {path}: {reason}", path = .path.display())]
    Io { op: &'static str, path: PathBuf, kind: std::io::ErrorKind, reason: String },

    #[error("{path} is in use by another instance{holder}; stop it or choose another --data-dir", path = .path.display())]
    InUse { path: PathBuf, holder: String },

    #[error("no space left on the disk of {path}; writes resume by themselves when there is room", path = .path.display())]
    DiskFull { path: PathBuf },

    #[error("shard is read-only after a failed write to its log: {reason}; restart to recover")]
    Poisoned { reason: String },

    #[error("too much waits to be written; try again later")]
    Busy,

    #[error("{option} {reason}")]
    InvalidOption { option: &'static str, reason: &'static str },

    #[error("executor: {reason}")]
    Executor { reason: String },
}

impl Error {
    /// An I/O failure with its place; a full disk is told apart.
    #[must_use]
    pub fn io(op: &'static str, path: &Path, source: &std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull
            || source.kind() == std::io::ErrorKind::QuotaExceeded
        {
            return Self::DiskFull { path: path.to_path_buf() };
        }
        Self::Io { op, path: path.to_path_buf(), kind: source.kind(), reason: source.to_string() }
    }
}
