//! The series table of a shard.

use std::path::Path;

use roaring::RoaringBitmap;

use super::Finding;
use crate::error::Result;
use crate::io::{Disk, dirs};
use crate::limits::BLOCK_LEN;
use crate::model::{Labels, ShardId};
use crate::registry::file::format::{self, FileHeader, FrameHeader};

/// What the table holds.
#[derive(Debug, Default)]
pub struct SeriesSummary {
    pub bytes: u64,
    pub frames: u64,
    pub series: u64,
}

/// Reads the newest table; also gives the numbers that it names.
pub(super) fn read(
    disk: &Disk,
    directory: &Path,
    shard: ShardId,
    findings: &mut Vec<Finding>,
) -> Result<(SeriesSummary, RoaringBitmap)> {
    let (mut summary, mut numbers) = (SeriesSummary::default(), RoaringBitmap::new());
    let directory = directory.join(dirs::SERIES_DIRECTORY);
    let newest = disk.list(&directory)?.iter().filter_map(|name| format::generation_of(name)).max();
    let Some(generation) = newest else { return Ok((summary, numbers)) };
    let path = directory.join(format::file_name(generation));
    let mut reader = disk.open_bulk(&path)?;
    summary.bytes = reader.len();
    let mut found = |offset, what: &str| {
        findings.push(Finding { path: path.clone(), offset, what: what.to_owned() });
    };
    let head = 2 * BLOCK_LEN;
    if reader.len() < head as u64 {
        found(0, "the series table is cut short");
        return Ok((summary, numbers));
    }
    let header = match FileHeader::decode(reader.read(0, head)?) {
        Ok(header) if header.shard == shard && header.generation == generation => header,
        _ => {
            found(0, "the header of the series table is damaged");
            return Ok((summary, numbers));
        }
    };
    let (mut at, mut expected_at) = (head as u64, head as u64);
    while at + BLOCK_LEN as u64 <= reader.len() {
        let frame = FrameHeader::decode(reader.read(at, BLOCK_LEN)?, &header);
        let len = frame.as_ref().map_or(0, FrameHeader::frame_len);
        let whole = frame.filter(|_| at + len as u64 <= reader.len());
        let bytes = reader.read(at, if whole.is_some() { len } else { 0 })?;
        let Some(payload) = whole.and_then(|frame| frame.payload(bytes)) else {
            at += BLOCK_LEN as u64;
            continue;
        };
        if at != expected_at {
            found(expected_at, "a damaged frame of the series table");
        }
        summary.frames += 1;
        let mut canonical = true;
        let read = format::read_payload(payload, |entry| {
            numbers.insert(entry.series.0);
            canonical &= Labels::from_canonical(entry.labels).is_ok();
        });
        if read.is_err() || !canonical {
            found(at, "an entry of the series table cannot be read");
        }
        at += len as u64;
        expected_at = at;
    }
    summary.series = numbers.len();
    Ok((summary, numbers))
}
