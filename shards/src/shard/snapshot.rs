//! A copy of the shard as of now, that can be opened as a shard of its own.

use std::path::Path;

use super::Shard;
use super::flush::METADATA_FILE;
use super::parts::files_of;
use crate::error::Result;
use crate::io::dirs;
use crate::registry::file::SeriesFile;
use crate::tombstone;

impl Shard {
    /// Flushes, then links all parts into another directory of the same file system and writes the
    /// series table, deletes and metadata there. Writes go on meanwhile; what they add is not in it.
    pub async fn snapshot(&self, directory: &Path) -> Result<()> {
        self.flush().await?;
        // Merges would delete what is linked.
        let _merging = self.merging.take().await;
        let _flushing = self.flushing.take().await;
        let parts = self.state.borrow().parts.clone();
        for (from, name) in self.part_directories().iter().zip([dirs::RUNS_DIRECTORY, dirs::BLOCKS_DIRECTORY])
        {
            let to = directory.join(name);
            self.disk.create_directory(&to)?;
            for part in parts.iter() {
                for file in files_of(part) {
                    let Ok(below) = file.strip_prefix(from) else { continue };
                    let link = to.join(below);
                    if let Some(parent) = link.parent() {
                        self.disk.create_directory(parent)?;
                        self.disk.link(&file, &link)?;
                        self.disk.sync_directory(parent)?;
                    }
                }
            }
            self.disk.sync_directory(&to)?;
        }
        let order = self.state.borrow_mut().registry.in_label_order();
        let series_directory = directory.join(dirs::SERIES_DIRECTORY);
        let (table, _) = SeriesFile::open(&self.disk, &series_directory, self.id(), |_| {}).await?;
        table.checkpoint(self.series_in(order)).await?;
        for name in [tombstone::DELETES_FILE, METADATA_FILE] {
            if let Some(bytes) = self.disk.read_small(&self.options.directory.join(name), 1 << 30)? {
                self.disk.write_small(&directory.join(name), &bytes)?;
            }
        }
        self.disk.create_directory(&directory.join(dirs::WAL_DIRECTORY))?;
        self.disk.sync_directory(directory)
    }
}
