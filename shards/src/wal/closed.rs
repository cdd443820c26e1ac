//! A log that nobody writes: read as a whole, deleted as a whole.

use std::path::Path;

use super::Record;
use super::replay::{self, ReplayReport};
use super::segment::{file_name, slot_of};
use crate::error::Result;
use crate::io::Disk;
use crate::model::ShardId;

/// Reads the log of a directory and hands over its records in order.
pub async fn read_log(
    disk: &Disk,
    directory: &Path,
    shard: ShardId,
    on_record: &mut dyn FnMut(Record<'_>),
) -> Result<ReplayReport> {
    let found = replay::find(disk, directory, shard).await?;
    let mut report = ReplayReport { damaged_segments: found.damaged, ..ReplayReport::default() };
    replay::replay(disk, &found.segments, &mut report, on_record).await?;
    Ok(report)
}

/// Deletes the log of a directory, oldest segment first: what a crash leaves are its newest records.
pub async fn remove_log(disk: &Disk, directory: &Path, shard: ShardId) -> Result<()> {
    let found = replay::find(disk, directory, shard).await?;
    for segment in found.segments {
        disk.remove(&directory.join(file_name(segment.slot)))?;
        disk.sync_directory(directory)?;
    }
    // The free ones, and those that could not be read.
    for name in disk.list(directory)?.iter().filter(|name| slot_of(name).is_some()) {
        disk.remove(&directory.join(name))?;
    }
    disk.sync_directory(directory)
}
