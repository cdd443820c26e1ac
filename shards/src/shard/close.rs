//! The orderly end of a shard.

use super::Shard;
use crate::error::Result;

impl Shard {
    /// Writes what the sync policy has left in memory.
    pub async fn sync(&self) -> Result<()> {
        self.wal.sync().await
    }

    /// Makes everything durable. Nothing may be written afterwards.
    pub async fn close(&self) -> Result<()> {
        self.sync().await
    }
}
