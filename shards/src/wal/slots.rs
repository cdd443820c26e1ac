//! Segment files of a log: which is written, which are sealed, which are free, and how one becomes
//! the other.
//!
//! A slot is a numbered file that lives for ever and is used again and again. Invariants: a slot is
//! in one of the lists of [`Slots`] or in the hands of one function; epochs grow with every use; the
//! sealed ones are in order of epoch. A slot that could not be used goes back to where it came from.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::rc::Rc;

use super::replay::{Found, FoundSegment, Tail};
use super::segment::{SegmentHeader, file_name};
use super::writer::Wal;
use crate::error::{Error, Result};
use crate::io::DiskFile;
use crate::limits::{BLOCK_LEN, WAL_SEGMENTS_MAX};

/// The first segment of a log is as small as this; each one made later is twice as large as the one
/// before, up to the size that was asked for. So a log that takes little takes little room.
const FIRST_SEGMENT_BYTES: u64 = 128 << 10;
/// Free segments that are kept for their next use.
const FREE_SEGMENTS_KEPT: usize = 2;

pub(super) struct ActiveSegment {
    pub(super) slot: u32,
    pub(super) header: SegmentHeader,
    pub(super) file: Rc<DiskFile>,
    pub(super) len: u64,
    /// Where the next frame goes.
    pub(super) position: u64,
}

pub(super) struct SealedSegment {
    pub(super) slot: u32,
    pub(super) header: SegmentHeader,
    pub(super) len: u64,
    /// Bytes of its header and frames.
    pub(super) used: u64,
}

/// A file with nothing in it that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct FreeSlot {
    pub(super) slot: u32,
    pub(super) len: u64,
}

/// The segment files of one log.
pub(super) struct Slots {
    pub(super) active: Option<ActiveSegment>,
    pub(super) sealed: VecDeque<SealedSegment>,
    free: Vec<FreeSlot>,
    /// Numbers below `end` that have no file.
    vacant: Vec<u32>,
    end: u32,
    /// A file is being made for later.
    preparing: bool,
    /// Size of the next file that is made.
    next_len: u64,
    pub(super) next_epoch: u64,
}

impl Slots {
    /// Takes over what replay found. The last segment is written on behind its last whole frame, so
    /// that a restart costs no segment; but one that holds nothing is put into service anew, since
    /// its header may date from before frames that went into the segment before it, and one that
    /// could not be read is never written over.
    pub(super) fn adopt(found: Found, tail: &Tail) -> Self {
        let mut slots = Self {
            active: None,
            sealed: VecDeque::new(),
            free: found.free,
            vacant: Vec::new(),
            end: found.slot_end,
            preparing: false,
            next_len: FIRST_SEGMENT_BYTES,
            next_epoch: found.segments.last().map_or(1, |segment| segment.header.epoch + 1),
        };
        let last = found.segments.len().saturating_sub(1);
        for (index, FoundSegment { slot, header, file, len }) in found.segments.into_iter().enumerate() {
            if index < last || !tail.readable {
                slots.sealed.push_back(SealedSegment { slot, header, len, used: len });
            } else if tail.position == BLOCK_LEN as u64 {
                slots.free.push(FreeSlot { slot, len });
            } else {
                let file = Rc::new(file);
                slots.active = Some(ActiveSegment { slot, header, file, len, position: tail.position });
            }
        }
        slots
    }

    /// Whether the active segment takes a frame of `len` bytes.
    pub(super) fn has_room(&self, len: u64) -> bool {
        self.active.as_ref().is_some_and(|active| active.position + len <= active.len)
    }

    /// Segments that hold records.
    pub(super) fn in_use(&self) -> usize {
        self.sealed.len() + usize::from(self.active.is_some())
    }

    pub(super) fn bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|sealed| sealed.len).sum();
        let free: u64 = self.free.iter().map(|free| free.len).sum();
        sealed + free + self.active.as_ref().map_or(0, |active| active.len)
    }

    /// Bytes of headers and frames in the segments that hold records.
    pub(super) fn frame_bytes(&self) -> u64 {
        let sealed: u64 = self.sealed.iter().map(|sealed| sealed.used).sum();
        sealed + self.active.as_ref().map_or(0, |active| active.position)
    }

    fn take_vacant(&mut self) -> Option<u32> {
        self.vacant.pop().or_else(|| {
            let slot = self.end;
            self.end = slot.checked_add(1).filter(|end| *end <= WAL_SEGMENTS_MAX)?;
            Some(slot)
        })
    }

    /// Another file is wanted soon and none is there or being made.
    fn wants_file(&self) -> bool {
        let half_full = self.active.as_ref().is_some_and(|active| active.position > active.len / 2);
        half_full && self.free.is_empty() && !self.preparing
    }
}

impl Wal {
    /// Makes the first file of a new log: small, so that zeroing it takes no time.
    pub(super) async fn make_first_segment(&self) -> Result<()> {
        if self.0.state.borrow().slots.free.is_empty() {
            let len = self.next_len();
            let free = self.make_file(len, true).await?;
            self.0.state.borrow_mut().slots.free.push(free);
        }
        Ok(())
    }

    /// Starts making the next file when the active segment is half full.
    pub(super) async fn prepare_ahead(&self) {
        {
            let mut state = self.0.state.borrow_mut();
            if !state.slots.wants_file() {
                return;
            }
            state.slots.preparing = true;
        }
        let wal = self.clone();
        let work = async move {
            let len = wal.next_len();
            let made = wal.make_file(len, true).await;
            let mut state = wal.0.state.borrow_mut();
            state.slots.preparing = false;
            match made {
                Ok(free) => state.slots.free.push(free),
                // It is tried again when the segment is needed; then the writers learn of it.
                Err(error) => tracing::warn!(shard = wal.0.shard.0, %error, "next log segment not prepared"),
            }
        };
        self.0.disk.spawn(work).await;
    }

    fn path_of(&self, slot: u32) -> PathBuf {
        self.0.directory.join(file_name(slot))
    }

    /// Makes a file for a slot that has none. Without `zero` its first writes are slower.
    async fn make_file(&self, len: u64, zero: bool) -> Result<FreeSlot> {
        let Some(slot) = self.0.state.borrow_mut().slots.take_vacant() else {
            return Err(Error::DiskFull { path: self.0.directory.clone() });
        };
        let made = self.fill_file(slot, len, zero).await;
        if made.is_err() {
            // What was reserved of a segment that did not fit must not keep the disk full.
            let removed = self.0.disk.remove(&self.path_of(slot));
            self.0.state.borrow_mut().slots.vacant.push(slot);
            removed?;
        }
        made.map(|()| FreeSlot { slot, len })
    }

    async fn fill_file(&self, slot: u32, len: u64, zero: bool) -> Result<()> {
        let file = self.0.disk.open(&self.path_of(slot)).await?;
        file.preallocate(len).await?;
        if zero {
            file.zero(len).await?;
        }
        self.0.disk.sync_directory(&self.0.directory)
    }

    /// Size of the file that is made now; the next one is twice as large.
    fn next_len(&self) -> u64 {
        let slots = &mut self.0.state.borrow_mut().slots;
        let len = slots.next_len.min(self.0.options.segment_bytes);
        slots.next_len = len.saturating_mul(2);
        len
    }

    /// Seals the active segment and puts another into service, with room for a frame of `frame_len`
    /// bytes.
    pub(super) async fn open_next_segment(&self, frame_len: u64) -> Result<()> {
        let needed = BLOCK_LEN as u64 + frame_len;
        let free = self.0.state.borrow_mut().slots.free.pop();
        let free = match free {
            Some(free) => free,
            None => {
                let len = self.next_len().max(needed);
                self.make_file(len, false).await?
            }
        };
        match self.put_into_service(free, needed).await {
            Ok(fresh) => {
                let mut state = self.0.state.borrow_mut();
                if let Some(ActiveSegment { slot, header, len, position, .. }) =
                    state.slots.active.replace(fresh)
                {
                    state.slots.sealed.push_back(SealedSegment { slot, header, len, used: position });
                }
                Ok(())
            }
            Err(error) => {
                self.0.state.borrow_mut().slots.free.push(free);
                Err(error)
            }
        }
    }

    async fn put_into_service(&self, free: FreeSlot, needed: u64) -> Result<ActiveSegment> {
        let file = self.0.disk.open(&self.path_of(free.slot)).await?;
        let mut len = file.len()?;
        if len < needed.max(FIRST_SEGMENT_BYTES) {
            // Too small for what comes, or left behind half made.
            file.preallocate(needed.max(FIRST_SEGMENT_BYTES)).await?;
            len = file.len()?;
        }
        let header = {
            let mut state = self.0.state.borrow_mut();
            // Used up even if the header's write fails: it may have reached the disk all the same.
            let epoch = state.slots.next_epoch;
            state.slots.next_epoch += 1;
            let first_sequence = state.next_sequence;
            SegmentHeader { shard: self.0.shard, epoch, first_sequence, salt: random_salt(epoch) }
        };
        file.write_at(&header.encode(), 0).await?;
        Ok(ActiveSegment { slot: free.slot, header, file: Rc::new(file), len, position: BLOCK_LEN as u64 })
    }

    /// Gives the sealed segments up to an epoch free for new use: what they hold is safe elsewhere.
    /// Says how many they were.
    pub async fn release(&self, epoch: u64) -> Result<usize> {
        let mut released = 0;
        loop {
            let segment = {
                let slots = &mut self.0.state.borrow_mut().slots;
                match slots.sealed.front() {
                    Some(front) if front.header.epoch <= epoch => slots.sealed.pop_front(),
                    _ => None,
                }
            };
            let Some(segment) = segment else { break };
            if let Err(error) = self.mark_free(&segment).await {
                self.0.state.borrow_mut().slots.sealed.push_front(segment);
                return Err(error);
            }
            let free = FreeSlot { slot: segment.slot, len: segment.len };
            self.0.state.borrow_mut().slots.free.push(free);
            released += 1;
        }
        self.remove_free(FREE_SEGMENTS_KEPT)?;
        Ok(released)
    }

    /// Deletes the free segments and begins with small ones again: for a log that has little to do.
    pub fn trim(&self) -> Result<()> {
        self.0.state.borrow_mut().slots.next_len = FIRST_SEGMENT_BYTES;
        self.remove_free(0)
    }

    /// Deletes all free segments but so many. Each says that it is free, so one that comes back
    /// after a power cut does no harm.
    fn remove_free(&self, kept: usize) -> Result<()> {
        loop {
            let slots = &mut self.0.state.borrow_mut().slots;
            if slots.free.len() <= kept {
                return Ok(());
            }
            let Some(free) = slots.free.pop() else { return Ok(()) };
            if let Err(error) = self.0.disk.remove(&self.path_of(free.slot)) {
                slots.free.push(free);
                return Err(error);
            }
            slots.vacant.push(free.slot);
        }
    }

    async fn mark_free(&self, segment: &SealedSegment) -> Result<()> {
        let file = self.0.disk.open(&self.path_of(segment.slot)).await?;
        file.write_at(&SegmentHeader { epoch: 0, ..segment.header }.encode(), 0).await
    }
}

fn random_salt(epoch: u64) -> u32 {
    // RandomState is seeded by the system; the salt needs to be unguessable, no more.
    (RandomState::new().hash_one(epoch) >> 32) as u32
}
