//! The logs of a shard, its own and that of its intake, segment by segment.

use std::path::Path;

use super::{Finding, note};
use crate::codec::Cursor;
use crate::error::Result;
use crate::io::{BulkReader, Disk, dirs};
use crate::limits::BLOCK_LEN;
use crate::model::ShardId;
use crate::wal::record::{Record, next_record};
use crate::wal::segment::{FRAME_HEADER_LEN, FrameHeader, SegmentHeader, frame_len, slot_of};

/// What the log holds.
#[derive(Debug, Default)]
pub struct LogSummary {
    /// Segments that hold frames.
    pub segments: u64,
    /// Segments that wait for their next use.
    pub free_segments: u64,
    pub bytes: u64,
    pub frames: u64,
    pub series: u64,
    pub samples: u64,
    pub deletes: u64,
}

pub(super) fn read(
    disk: &Disk,
    directory: &Path,
    shard: ShardId,
    findings: &mut Vec<Finding>,
) -> Result<LogSummary> {
    let mut summary = LogSummary::default();
    for name in [dirs::WAL_DIRECTORY, dirs::INTAKE_DIRECTORY] {
        read_directory(disk, &directory.join(name), shard, &mut summary, findings)?;
    }
    Ok(summary)
}

fn read_directory(
    disk: &Disk,
    directory: &Path,
    shard: ShardId,
    summary: &mut LogSummary,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let mut segments = Vec::new();
    for name in disk.list(directory)? {
        if slot_of(&name).is_none() {
            continue;
        }
        let path = directory.join(&name);
        let mut reader = disk.open_bulk(&path)?;
        summary.bytes += reader.len();
        if reader.len() < BLOCK_LEN as u64 {
            summary.free_segments += 1;
            continue;
        }
        let block = reader.read(0, BLOCK_LEN)?;
        if block.iter().all(|byte| *byte == 0) {
            summary.free_segments += 1;
            continue;
        }
        match SegmentHeader::decode(block) {
            Ok(header) if header.shard != shard => {
                findings.push(Finding { path, offset: 0, what: "segment of another shard".to_owned() });
            }
            Ok(header) if header.epoch == 0 => summary.free_segments += 1,
            Ok(header) => segments.push((header, reader)),
            Err(what) => findings.push(Finding { path, offset: 0, what: what.to_owned() }),
        }
    }
    segments.sort_by_key(|(header, _)| header.epoch);
    for (header, mut reader) in segments {
        summary.segments += 1;
        let outcome = read_segment(&mut reader, &header, summary, findings);
        note(findings, outcome)?;
    }
    Ok(())
}

/// Walks the frames of a segment. Where none stands any more it ends; a whole one further on means
/// that what lies between is damaged.
fn read_segment(
    reader: &mut BulkReader,
    header: &SegmentHeader,
    summary: &mut LogSummary,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let path = reader.path().to_path_buf();
    let (mut at, mut expected_at) = (BLOCK_LEN as u64, BLOCK_LEN as u64);
    while at + BLOCK_LEN as u64 <= reader.len() {
        let frame = FrameHeader::decode(reader.read(at, FRAME_HEADER_LEN)?, header);
        let whole = frame.filter(|frame| {
            let len = FRAME_HEADER_LEN + frame.payload_len;
            at + len as u64 <= reader.len()
                && reader.read(at, len).is_ok_and(|bytes| frame.payload(bytes).is_some())
        });
        let Some(frame) = whole else {
            at += BLOCK_LEN as u64;
            continue;
        };
        if at != expected_at {
            findings.push(Finding {
                path: path.clone(),
                offset: expected_at,
                what: format!("a damaged frame; the next whole one is at byte {at}"),
            });
        }
        summary.frames += 1;
        let payload = reader.read(at + FRAME_HEADER_LEN as u64, frame.payload_len)?;
        let mut cursor = Cursor::new(payload);
        loop {
            match next_record(&mut cursor) {
                Ok(None) => break,
                Ok(Some(Record::Series { .. })) => summary.series += 1,
                Ok(Some(Record::Samples(samples))) => summary.samples += samples.count() as u64,
                Ok(Some(Record::Delete(_))) => summary.deletes += 1,
                Ok(Some(Record::Metadata(_) | Record::Extras { .. } | Record::Unknown { .. })) => {}
                Err(_) => {
                    let what = "a record cannot be read".to_owned();
                    findings.push(Finding { path: path.clone(), offset: at, what });
                    break;
                }
            }
        }
        at += frame_len(frame.payload_len) as u64;
        expected_at = at;
    }
    Ok(())
}
