//! Reading the series table at start: which file it is, its frames, and where it ends.

use std::path::Path;

use super::format::{self, Entry, FRAMES_AT, FileHeader, FrameHeader, HeaderFault};
use super::{Current, SeriesReport, random_salt, temporary_path, write_table};
use crate::error::{Error, Result};
use crate::io::{Disk, DiskFile, dirs};
use crate::limits::BLOCK_LEN;
use crate::model::ShardId;

/// The file is read in pieces of this size, several of the largest frames each.
const READ_LEN: usize = 4 << 20;

const _: () = assert!(READ_LEN >= 2 * format::FRAME_PAYLOAD_MAX);

/// Opens the newest whole file of the directory and reads it, or makes the first one.
pub(super) async fn load(
    disk: &Disk,
    directory: &Path,
    shard: ShardId,
    report: &mut SeriesReport,
    on_series: &mut impl FnMut(Entry<'_>),
) -> Result<Current> {
    let names = disk.list(directory)?;
    for name in names.iter().filter(|name| name.ends_with(dirs::TEMPORARY_SUFFIX)) {
        disk.remove(&directory.join(name))?;
    }
    let mut generations: Vec<u64> = names.iter().filter_map(|name| format::generation_of(name)).collect();
    generations.sort_unstable();
    let newest = generations.last().copied().unwrap_or(0);
    while let Some(generation) = generations.pop() {
        let path = directory.join(format::file_name(generation));
        let file = disk.open(&path).await?;
        let Some(header) = identify(&file, shard, generation)? else {
            report.files_damaged += 1;
            tracing::error!(path = %path.display(), "header of the series table is damaged, file set aside");
            disk.publish(&path, &path.with_extension("damaged"))?;
            continue;
        };
        let mut current = Current { file, header, position: FRAMES_AT, sequence: 0 };
        read_frames(disk, &mut current, report, on_series).await?;
        // What was read may still be in the disk's cache only; nothing may become durable before it.
        current.file.sync().await?;
        for old in generations {
            disk.remove(&directory.join(format::file_name(old)))?;
        }
        return Ok(current);
    }
    create(disk, directory, FileHeader { shard, generation: newest + 1, salt: random_salt() }).await
}

async fn create(disk: &Disk, directory: &Path, header: FileHeader) -> Result<Current> {
    let temporary = temporary_path(directory, header.generation);
    let table = write_table(disk, &temporary, header, &mut |_| {}).await?;
    disk.publish(&temporary, &directory.join(format::file_name(header.generation)))?;
    Ok(table)
}

/// The header of a file, or `None` where it is damaged.
fn identify(file: &DiskFile, shard: ShardId, generation: u64) -> Result<Option<FileHeader>> {
    let corrupt = |what| Err(Error::Corrupt { path: file.path(), offset: 0, what });
    let mut blocks = Vec::new();
    file.read_into(0, 2 * BLOCK_LEN, &mut blocks)?;
    match FileHeader::decode(&blocks) {
        Ok(header) if header.shard != shard => corrupt("series table of another shard"),
        Ok(header) if header.generation == generation => Ok(Some(header)),
        Ok(_) | Err(HeaderFault::Damaged) => Ok(None),
        Err(HeaderFault::UnknownVersion) => {
            corrupt("written in a format that this version does not know; use a newer tsdb")
        }
    }
}

/// A piece of the file in memory.
struct Piece {
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    /// What it holds from `position` on.
    fn from(&self, position: u64) -> &[u8] {
        let skipped = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        self.bytes.get(skipped..).unwrap_or_default()
    }
}

/// Reads frames to the end of the file, and leaves `current` where the next one goes.
async fn read_frames(
    disk: &Disk,
    current: &mut Current,
    report: &mut SeriesReport,
    on_series: &mut impl FnMut(Entry<'_>),
) -> Result<()> {
    let file_len = current.file.len()?;
    let mut piece = Piece { start: FRAMES_AT, bytes: Vec::new() };
    let mut position = FRAMES_AT;
    while position < file_len {
        let header = FrameHeader::decode(piece.from(position), &current.header)
            .filter(|header| header.sequence >= current.sequence);
        let wanted = header.map_or(BLOCK_LEN, |header| header.frame_len());
        let there = piece.from(position).len();
        if there < wanted && there < usize::try_from(file_len - position).unwrap_or(usize::MAX) {
            current.file.read_into(position, READ_LEN, &mut piece.bytes)?;
            piece.start = position;
            if piece.bytes.len() <= there {
                break;
            }
            disk.yield_if_needed().await;
            continue;
        }
        let Some((header, payload)) = header.and_then(|h| Some((h, h.payload(piece.from(position))?))) else {
            position += BLOCK_LEN as u64;
            continue;
        };
        if position > current.position {
            report.frames_bad += (header.sequence - current.sequence).max(1);
            tracing::error!(path = %current.file.path().display(), offset = current.position,
                bytes = position - current.position, "damaged part of the series table skipped");
        }
        let mut count = 0;
        let whole = format::read_payload(payload, |entry| {
            count += 1;
            on_series(entry);
        });
        if whole.is_err() {
            report.frames_bad += 1;
            tracing::error!(path = %current.file.path().display(), offset = position,
                "malformed entry in the series table");
        }
        report.series += count;
        report.frames += 1;
        position += header.frame_len() as u64;
        current.position = position;
        current.sequence = header.sequence + 1;
        disk.yield_if_needed().await;
    }
    report.torn_bytes = file_len.saturating_sub(current.position);
    if report.torn_bytes > 0 {
        tracing::warn!(path = %current.file.path().display(), offset = current.position,
            bytes = report.torn_bytes, "series table ends in an interrupted append");
    }
    Ok(())
}
