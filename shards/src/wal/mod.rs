//! The write-ahead log of one shard: what was acknowledged is in it, checksummed, on the disk.
//!
//! Records are collected in memory and written as *frames*, one durable write at a time; everybody
//! whose records are in a frame is woken when it is on the disk (group commit). What is promised
//! when [`Wal::commit`] returns depends on the [`SyncPolicy`]. A failed write poisons the log until
//! restart, but a full disk only refuses until there is room.
//!
//! The bytes are described in [`segment`] and [`record`], the whole story in docs/FORMAT.md.

mod buffer;
mod closed;
pub mod extras;
pub mod record;
mod replay;
pub mod segment;
mod slots;
#[cfg(test)]
mod tests;
mod writer;

use std::time::Duration;

pub use self::buffer::LogBuffer;
pub use self::closed::{read_log, remove_log};
pub use self::record::{Record, SampleEntry, SamplesEncoder};
pub use self::replay::ReplayReport;
pub use self::writer::{Lsn, Wal, WalMetrics};

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When it is on the disk.
    Always,
    /// At once; it is on the disk this much later at most.
    Interval(Duration),
    /// At once; it is written from time to time.
    Off,
}

/// How to keep a log.
#[derive(Debug, Clone)]
pub struct WalOptions {
    pub sync: SyncPolicy,
    /// Size of a segment file.
    pub segment_bytes: u64,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self { sync: SyncPolicy::Always, segment_bytes: 128 << 20 }
    }
}
