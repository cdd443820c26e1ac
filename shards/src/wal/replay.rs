//! Reading a log back: segments in order of epoch, frames in order of sequence.
//!
//! A frame that is not whole ends the log when nothing of the segment follows it (torn tail: it was
//! never acknowledged). When a whole frame does follow, the damage is skipped, counted and logged.
//! Nothing found here makes a shard refuse to start.

#![deny(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use super::record::{Record, next_record};
use super::segment::{FRAME_HEADER_LEN, FrameHeader, SegmentHeader, frame_len, slot_of};
use super::slots::FreeSlot;
use crate::codec::Cursor;
use crate::error::Result;
use crate::io::{Disk, DiskFile};
use crate::limits::{BLOCK_LEN, WAL_FRAME_PAYLOAD_MAX};
use crate::model::ShardId;

/// Bytes read at once.
const WINDOW_LEN: usize = 1 << 20;
/// How far behind damage a whole frame is looked for in the last segment, where damage nearly
/// always is the torn tail.
const TAIL_SEARCH_LEN: u64 = 4 * frame_len(WAL_FRAME_PAYLOAD_MAX) as u64;

/// What a replay found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayReport {
    pub segments: u64,
    pub frames: u64,
    pub bytes: u64,
    /// Places where a frame was damaged though later ones were whole.
    pub damaged_frames: u64,
    /// Frames that are missing by their numbers.
    pub missing_frames: u64,
    /// Segment files that could not be read at all.
    pub damaged_segments: u64,
    /// Frames whose records could not be read to their end.
    pub damaged_records: u64,
    /// Records of kinds that this version does not know.
    pub unknown_records: u64,
}

impl ReplayReport {
    /// Places where something of the log was lost.
    #[must_use]
    pub const fn damage(&self) -> u64 {
        self.damaged_frames + self.damaged_segments + self.damaged_records
    }
}

/// A segment that holds frames.
pub(super) struct FoundSegment {
    pub(super) slot: u32,
    pub(super) header: SegmentHeader,
    pub(super) file: DiskFile,
    pub(super) len: u64,
}

/// What is in the log's directory.
#[derive(Default)]
pub(super) struct Found {
    /// In order of epoch.
    pub(super) segments: Vec<FoundSegment>,
    /// Slots with nothing in them.
    pub(super) free: Vec<FreeSlot>,
    pub(super) slot_end: u32,
    pub(super) damaged: u64,
}

/// Opens every segment of the directory.
pub(super) async fn find(disk: &Disk, directory: &Path, shard: ShardId) -> Result<Found> {
    let mut found = Found::default();
    let mut block = Vec::new();
    for name in disk.list(directory)? {
        let Some(slot) = slot_of(&name) else { continue };
        found.slot_end = found.slot_end.max(slot.saturating_add(1));
        let file = disk.open(&directory.join(&name)).await?;
        let len = file.len()?;
        if let Err(error) = file.read_into(0, BLOCK_LEN, &mut block) {
            damaged(&mut found, &file.path(), &error.to_string());
            continue;
        }
        if block.iter().all(|byte| *byte == 0) {
            found.free.push(FreeSlot { slot, len });
            continue;
        }
        match SegmentHeader::decode(&block) {
            Ok(header) if header.shard != shard => {
                damaged(&mut found, &file.path(), "segment belongs to another shard");
            }
            Ok(header) if header.epoch == 0 => found.free.push(FreeSlot { slot, len }),
            Ok(header) => found.segments.push(FoundSegment { slot, header, file, len }),
            Err(what) => damaged(&mut found, &file.path(), what),
        }
    }
    found.segments.sort_by_key(|segment| segment.header.epoch);
    Ok(found)
}

fn damaged(found: &mut Found, path: &Path, what: &str) {
    tracing::error!(path = %path.display(), offset = 0, what, "log segment skipped and left as it is");
    found.damaged += 1;
}

/// Where the log goes on.
pub(super) struct Tail {
    /// After the last whole frame of the last segment.
    pub(super) position: u64,
    pub(super) next_sequence: u64,
    /// The last segment was read to its end; what could not be read must not be written over.
    pub(super) readable: bool,
}

/// Reads all frames and hands over their records.
pub(super) async fn replay(
    disk: &Disk,
    segments: &[FoundSegment],
    report: &mut ReplayReport,
    on_record: &mut dyn FnMut(Record<'_>),
) -> Result<Tail> {
    let mut tail = Tail { position: BLOCK_LEN as u64, next_sequence: 1, readable: true };
    let mut expected = None;
    for (index, segment) in segments.iter().enumerate() {
        report.segments += 1;
        let last = index + 1 == segments.len();
        let first = segment.header.first_sequence;
        note_gap(report, &segment.file.path(), 0, expected, first);
        let mut reader = SegmentReader::new(segment);
        let mut next = first.max(tail.next_sequence);
        tail.readable = true;
        loop {
            let (offset, sequence, payload) = match reader.next_frame(last) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(path = %segment.file.path().display(), %error, "rest of log segment skipped");
                    report.damaged_segments += 1;
                    tail.readable = false;
                    break;
                }
            };
            if sequence != next {
                report.damaged_frames += 1;
                note_gap(report, &segment.file.path(), offset, Some(next), sequence);
            }
            report.frames += 1;
            report.bytes += payload.len() as u64;
            read_records(payload, &segment.file.path(), offset, report, on_record);
            next = sequence + 1;
            disk.yield_if_needed().await;
        }
        expected = Some(next);
        tail.position = reader.position;
        tail.next_sequence = next;
    }
    Ok(tail)
}

fn note_gap(report: &mut ReplayReport, path: &Path, offset: u64, expected: Option<u64>, found: u64) {
    let missing = expected.map_or(0, |expected| found.saturating_sub(expected));
    if missing > 0 {
        tracing::error!(path = %path.display(), offset, missing, "log frames are missing before this place");
        report.missing_frames += missing;
    }
}

fn read_records(
    payload: &[u8],
    path: &Path,
    offset: u64,
    report: &mut ReplayReport,
    on_record: &mut dyn FnMut(Record<'_>),
) {
    let mut cursor = Cursor::new(payload);
    loop {
        match next_record(&mut cursor) {
            Ok(Some(Record::Unknown { .. })) => report.unknown_records += 1,
            Ok(Some(record)) => on_record(record),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(path = %path.display(), offset, %error, "log record skipped");
                report.damaged_records += 1;
                return;
            }
        }
    }
}

struct SegmentReader<'a> {
    segment: &'a FoundSegment,
    path: PathBuf,
    /// After the last whole frame.
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> SegmentReader<'a> {
    fn new(segment: &'a FoundSegment) -> Self {
        Self {
            segment,
            path: segment.file.path(),
            position: BLOCK_LEN as u64,
            window: Vec::new(),
            window_start: 0,
        }
    }

    /// Makes `len` bytes at `position` available; fewer where the file ends.
    fn fill(&mut self, position: u64, len: usize) -> Result<()> {
        let end = position + len as u64;
        if position < self.window_start || end > self.window_start + self.window.len() as u64 {
            self.segment.file.read_into(position, len.max(WINDOW_LEN), &mut self.window)?;
            self.window_start = position;
        }
        Ok(())
    }

    fn bytes(&self, position: u64, len: usize) -> &[u8] {
        let start = usize::try_from(position - self.window_start).unwrap_or(usize::MAX);
        let rest = self.window.get(start..).unwrap_or_default();
        rest.get(..len).unwrap_or(rest)
    }

    /// The header of a whole frame at `position`.
    fn frame_at(&mut self, position: u64) -> Result<Option<FrameHeader>> {
        self.fill(position, FRAME_HEADER_LEN)?;
        let bytes = self.bytes(position, FRAME_HEADER_LEN);
        let Some(header) = FrameHeader::decode(bytes, &self.segment.header) else { return Ok(None) };
        let len = FRAME_HEADER_LEN + header.payload_len;
        self.fill(position, len)?;
        Ok(header.payload(self.bytes(position, len)).is_some().then_some(header))
    }

    /// Offset, sequence number and payload of the next whole frame.
    fn next_frame(&mut self, last_segment: bool) -> Result<Option<(u64, u64, &[u8])>> {
        let expected_at = self.position;
        let mut search_end = self.segment.len;
        if last_segment {
            search_end = search_end.min(expected_at.saturating_add(TAIL_SEARCH_LEN));
        }
        let mut at = expected_at;
        while at < search_end {
            if let Some(header) = self.frame_at(at)? {
                if at != expected_at {
                    tracing::error!(path = %self.path.display(), offset = expected_at, until = at, "damaged log frame skipped");
                }
                self.position = at + frame_len(header.payload_len) as u64;
                let bytes = self.bytes(at, FRAME_HEADER_LEN + header.payload_len);
                let payload = bytes.get(FRAME_HEADER_LEN..).unwrap_or_default();
                return Ok(Some((at, header.sequence, payload)));
            }
            at += BLOCK_LEN as u64;
        }
        Ok(None)
    }
}
