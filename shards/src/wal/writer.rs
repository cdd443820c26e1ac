//! The writing end of the log: buffer, group commit, segments.
//!
//! Lives on its shard's core. [`Wal::append`] only copies into memory, so that a shard can check,
//! log and apply a write in one step without an await. [`Wal::commit`] then waits: the first that
//! comes writes for all whose records are buffered. Whoever calls it must drive it to its end; if
//! the writing future is dropped halfway the log is poisoned, because the disk's state is unknown.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::record::RECORD_LEN_MAX;
use super::replay::{self, ReplayReport};
use super::segment::{SegmentHeader, file_name, frame_len, put_frame};
use super::{Record, SyncPolicy, WalOptions};
use crate::error::{Error, Result};
use crate::io::{Disk, DiskFile};
use crate::limits::{
    BLOCK_LEN, WAL_FRAME_PAYLOAD_MAX, WAL_PENDING_BYTES_MAX, WAL_SEGMENT_BYTES_MAX, WAL_SEGMENT_BYTES_MIN,
    WAL_SEGMENTS_MAX,
};
use crate::model::ShardId;

/// Under the policies that do not wait, this much is buffered before somebody has to write it.
const UNSYNCED_BYTES_MAX: usize = 4 << 20;

/// A place in the log: everything appended up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(u64);

/// What the log has done since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalMetrics {
    pub commits: u64,
    pub frames: u64,
    /// Payload bytes of the frames.
    pub payload_bytes: u64,
    /// Bytes written, headers and padding included.
    pub written_bytes: u64,
    pub failed_writes: u64,
    pub segments: u64,
    pub segment_bytes: u64,
    pub pending_bytes: u64,
}

#[derive(Default)]
struct Counters {
    commits: Cell<u64>,
    frames: Cell<u64>,
    payload_bytes: Cell<u64>,
    written_bytes: Cell<u64>,
    failed_writes: Cell<u64>,
}

/// Records on their way into frames.
#[derive(Default)]
pub struct LogBuffer {
    bytes: Vec<u8>,
    /// Where one frame's payload ends and the next begins.
    cuts: Vec<usize>,
    frame_payload_max: usize,
}

impl LogBuffer {
    /// Adds one record, which `put` appends.
    pub fn record(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        put(&mut self.bytes);
        let len = self.bytes.len() - start;
        assert!(len <= RECORD_LEN_MAX, "a record of {len} bytes");
        let frame_start = self.cuts.last().copied().unwrap_or(0);
        if self.bytes.len() - frame_start > self.frame_payload_max {
            self.cuts.push(start);
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain(std::iter::once(self.bytes.len()));
        starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.cuts.clear();
    }

    /// Puts what another buffer holds from its frame number `written` on before this one's content.
    fn put_back(&mut self, mut earlier: Self, written: usize) {
        let start = written.checked_sub(1).and_then(|last| earlier.cuts.get(last)).copied().unwrap_or(0);
        earlier.bytes.drain(..start);
        earlier.cuts = earlier.cuts.iter().skip(written).map(|cut| cut - start).collect();
        let joint = earlier.bytes.len();
        earlier.cuts.push(joint);
        earlier.cuts.extend(self.cuts.iter().map(|cut| cut + joint));
        earlier.bytes.append(&mut self.bytes);
        if earlier.bytes.len() == joint {
            earlier.cuts.pop();
        }
        *self = earlier;
    }
}

struct ActiveSegment {
    slot: u32,
    header: SegmentHeader,
    file: Rc<DiskFile>,
    len: u64,
    position: u64,
}

struct SealedSegment {
    slot: u32,
    header: SegmentHeader,
    len: u64,
}

struct State {
    pending: LogBuffer,
    spare: LogBuffer,
    appended: u64,
    durable: u64,
    writing: bool,
    poisoned: Option<String>,
    wakers: Vec<Waker>,
    active: Option<ActiveSegment>,
    sealed: VecDeque<SealedSegment>,
    free: Vec<u32>,
    preparing: bool,
    slot_end: u32,
    next_epoch: u64,
    next_sequence: u64,
}

struct Shared {
    disk: Disk,
    directory: PathBuf,
    shard: ShardId,
    options: WalOptions,
    frame_payload_max: usize,
    state: RefCell<State>,
    counters: Counters,
}

/// The log of one shard.
#[derive(Clone)]
pub struct Wal(Rc<Shared>);

impl Wal {
    /// Reads the log of a directory, handing over its records in order, and continues it.
    pub async fn open(
        disk: Disk,
        directory: &Path,
        shard: ShardId,
        options: WalOptions,
        on_record: &mut dyn FnMut(Record<'_>),
    ) -> Result<(Self, ReplayReport)> {
        let segment_bytes = options.segment_bytes;
        if !(WAL_SEGMENT_BYTES_MIN..=WAL_SEGMENT_BYTES_MAX).contains(&segment_bytes)
            || !segment_bytes.is_multiple_of(BLOCK_LEN as u64)
        {
            return Err(Error::InvalidOption {
                option: "wal-segment-bytes",
                reason: "must be a multiple of 4KiB from 1MiB to 1GiB",
            });
        }
        disk.create_directory(directory)?;
        let mut found = replay::find(&disk, directory, shard).await?;
        let mut report = ReplayReport { damaged_segments: found.damaged, ..ReplayReport::default() };
        let (position, next_sequence) =
            replay::replay(&disk, &found.segments, &mut report, on_record).await?;
        let next_epoch = found.segments.last().map_or(1, |segment| segment.header.epoch + 1);
        let active = found.segments.pop().map(|segment| ActiveSegment {
            slot: segment.slot,
            header: segment.header,
            file: Rc::new(segment.file),
            len: segment.len,
            position,
        });
        let sealed = found
            .segments
            .into_iter()
            .map(|segment| SealedSegment { slot: segment.slot, header: segment.header, len: segment.len })
            .collect();
        // A frame and the segment's header must fit a segment.
        let largest = usize::try_from(segment_bytes / 2).unwrap_or(WAL_FRAME_PAYLOAD_MAX);
        let frame_payload_max = WAL_FRAME_PAYLOAD_MAX.min(largest);
        let buffer = || LogBuffer { frame_payload_max, ..LogBuffer::default() };
        let state = State {
            pending: buffer(),
            spare: buffer(),
            appended: 0,
            durable: 0,
            writing: false,
            poisoned: None,
            wakers: Vec::new(),
            active,
            sealed,
            free: found.free,
            preparing: false,
            slot_end: found.slot_end,
            next_epoch,
            next_sequence,
        };
        let wal = Self(Rc::new(Shared {
            disk,
            directory: directory.to_path_buf(),
            shard,
            options,
            frame_payload_max,
            state: RefCell::new(state),
            counters: Counters::default(),
        }));
        if wal.0.state.borrow().active.is_none() {
            wal.open_next_segment().await?;
        }
        Ok((wal, report))
    }

    #[must_use]
    pub fn sync_policy(&self) -> SyncPolicy {
        self.0.options.sync
    }

    /// Whether another write may be appended now: neither poisoned nor too much waiting.
    pub fn admit(&self) -> Result<()> {
        let state = self.0.state.borrow();
        if let Some(reason) = &state.poisoned {
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        if state.pending.bytes.len() > WAL_PENDING_BYTES_MAX { Err(Error::Busy) } else { Ok(()) }
    }

    /// Adds records to what is written next. Call [`Wal::admit`] first; nothing that was appended
    /// is ever taken back, so the caller can apply the write to memory in the same step.
    pub fn append(&self, put: impl FnOnce(&mut LogBuffer)) -> Lsn {
        let mut state = self.0.state.borrow_mut();
        put(&mut state.pending);
        state.appended += 1;
        Lsn(state.appended)
    }

    /// Waits until everything up to `lsn` is as safe as the policy says.
    pub async fn commit(&self, lsn: Lsn) -> Result<()> {
        match self.0.options.sync {
            SyncPolicy::Always => self.write_until(lsn).await,
            SyncPolicy::Interval(_) | SyncPolicy::Off => {
                let pending = self.0.state.borrow().pending.bytes.len();
                if pending > UNSYNCED_BYTES_MAX { self.write_until(lsn).await } else { self.admit() }
            }
        }
    }

    /// Makes everything appended so far durable, whatever the policy.
    pub async fn sync(&self) -> Result<()> {
        let lsn = Lsn(self.0.state.borrow().appended);
        self.write_until(lsn).await
    }

    async fn write_until(&self, lsn: Lsn) -> Result<()> {
        loop {
            let lead = {
                let mut state = self.0.state.borrow_mut();
                if state.durable >= lsn.0 {
                    return Ok(());
                }
                if let Some(reason) = &state.poisoned {
                    return Err(Error::Poisoned { reason: reason.clone() });
                }
                !std::mem::replace(&mut state.writing, true)
            };
            if lead {
                let turn = Turn { wal: self, finished: false };
                let outcome = self.write_pending().await;
                turn.finish();
                outcome?;
            } else {
                self.turn_over().await;
            }
        }
    }

    /// Waits until the one that writes now is done.
    async fn turn_over(&self) {
        let mut registered = false;
        std::future::poll_fn(|context| {
            // A wake that came from elsewhere does no harm: callers look at the log again.
            if std::mem::replace(&mut registered, true) {
                return Poll::Ready(());
            }
            self.0.state.borrow_mut().wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    async fn write_pending(&self) -> Result<()> {
        let (batch, upto) = {
            let mut state = self.0.state.borrow_mut();
            let spare = std::mem::take(&mut state.spare);
            (std::mem::replace(&mut state.pending, spare), state.appended)
        };
        let mut written = 0;
        let mut failure = None;
        if !batch.is_empty() {
            for payload in batch.frames() {
                if let Err(error) = self.write_frame(payload).await {
                    failure = Some(error);
                    break;
                }
                written += 1;
            }
        }
        let mut state = self.0.state.borrow_mut();
        let Some(error) = failure else {
            state.durable = upto;
            let mut batch = batch;
            batch.clear();
            state.spare = batch;
            self.0.counters.commits.set(self.0.counters.commits.get() + 1);
            return Ok(());
        };
        self.0.counters.failed_writes.set(self.0.counters.failed_writes.get() + 1);
        state.spare.frame_payload_max = batch.frame_payload_max;
        if matches!(error, Error::DiskFull { .. }) {
            // Memory already holds these records: they stay first in line for when there is room.
            state.pending.put_back(batch, written);
        } else {
            tracing::error!(shard = self.0.shard.0, %error, "log write failed; the shard takes no more writes");
            state.poisoned = Some(error.to_string());
        }
        Err(error)
    }

    async fn write_frame(&self, payload: &[u8]) -> Result<()> {
        let len = frame_len(payload.len()) as u64;
        let full =
            |state: &State| state.active.as_ref().is_none_or(|active| active.position + len > active.len);
        if full(&self.0.state.borrow()) {
            self.open_next_segment().await?;
        }
        let (file, position, bytes) = {
            let state = self.0.state.borrow();
            let Some(active) = &state.active else {
                return Err(Error::Executor { reason: "the log has no active segment".into() });
            };
            let mut bytes = Vec::with_capacity(frame_len(payload.len()));
            put_frame(&mut bytes, &active.header, state.next_sequence, payload);
            (Rc::clone(&active.file), active.position, bytes)
        };
        file.write_at(&bytes, position).await?;
        let prepare = {
            let mut state = self.0.state.borrow_mut();
            state.next_sequence += 1;
            let half_full = state.active.as_mut().is_some_and(|active| {
                active.position = position + len;
                active.position > active.len / 2
            });
            half_full && state.free.is_empty() && !std::mem::replace(&mut state.preparing, true)
        };
        let counters = &self.0.counters;
        counters.frames.set(counters.frames.get() + 1);
        counters.payload_bytes.set(counters.payload_bytes.get() + payload.len() as u64);
        counters.written_bytes.set(counters.written_bytes.get() + len);
        if prepare {
            let wal = self.clone();
            self.0.disk.spawn(async move { wal.prepare_segment().await }).await;
        }
        Ok(())
    }

    /// Makes a zeroed segment ready before the active one is full.
    async fn prepare_segment(&self) {
        let slot = self.take_slot();
        let prepared = match slot {
            Ok(slot) => self.create_file(slot, true).await.map(|_| slot),
            Err(error) => Err(error),
        };
        let mut state = self.0.state.borrow_mut();
        state.preparing = false;
        match prepared {
            Ok(slot) => state.free.push(slot),
            // It is tried again when the segment is needed; then the writers learn of it.
            Err(error) => tracing::warn!(shard = self.0.shard.0, %error, "next log segment not prepared"),
        }
    }

    fn take_slot(&self) -> Result<u32> {
        let mut state = self.0.state.borrow_mut();
        if state.slot_end >= WAL_SEGMENTS_MAX {
            return Err(Error::DiskFull { path: self.0.directory.clone() });
        }
        state.slot_end += 1;
        Ok(state.slot_end - 1)
    }

    async fn create_file(&self, slot: u32, zero: bool) -> Result<DiskFile> {
        let path = self.0.directory.join(file_name(slot));
        let made = async {
            let file = self.0.disk.open(&path).await?;
            file.preallocate(self.0.options.segment_bytes).await?;
            if zero {
                file.zero(self.0.options.segment_bytes).await?;
            }
            self.0.disk.sync_directory(&self.0.directory)?;
            Ok(file)
        };
        let made: Result<DiskFile> = made.await;
        if made.is_err() {
            // What was reserved of a segment that did not fit must not keep the disk full.
            self.0.disk.remove(&path)?;
        }
        made
    }

    /// Seals the active segment and puts another into service.
    async fn open_next_segment(&self) -> Result<()> {
        let free = self.0.state.borrow_mut().free.pop();
        let (slot, file) = match free {
            Some(slot) => (slot, self.0.disk.open(&self.0.directory.join(file_name(slot))).await?),
            None => {
                let slot = self.take_slot()?;
                (slot, self.create_file(slot, false).await?)
            }
        };
        let len = file.len()?;
        let len = if len < (BLOCK_LEN + frame_len(self.0.frame_payload_max)) as u64 {
            // A file that was left behind half made, or by a smaller setting.
            file.preallocate(self.0.options.segment_bytes).await?;
            file.len()?
        } else {
            len
        };
        let header = {
            let state = self.0.state.borrow();
            SegmentHeader {
                shard: self.0.shard,
                epoch: state.next_epoch,
                first_sequence: state.next_sequence,
                salt: random_salt(state.next_epoch),
            }
        };
        file.write_at(&header.encode(), 0).await?;
        let mut state = self.0.state.borrow_mut();
        state.next_epoch += 1;
        let active = ActiveSegment { slot, header, file: Rc::new(file), len, position: BLOCK_LEN as u64 };
        if let Some(sealed) = state.active.replace(active) {
            state.sealed.push_back(SealedSegment {
                slot: sealed.slot,
                header: sealed.header,
                len: sealed.len,
            });
        }
        Ok(())
    }

    /// Seals the active segment, so that everything written so far can be released as a whole.
    /// Gives the epoch of the sealed segment.
    pub async fn rotate(&self) -> Result<u64> {
        self.sync().await?;
        while std::mem::replace(&mut self.0.state.borrow_mut().writing, true) {
            self.turn_over().await;
        }
        let turn = Turn { wal: self, finished: false };
        let sealed = self.0.state.borrow().active.as_ref().map_or(0, |active| active.header.epoch);
        let outcome = self.open_next_segment().await;
        turn.finish();
        outcome.map(|()| sealed)
    }

    /// Epoch of the segment that is written now.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.state.borrow().active.as_ref().map_or(0, |active| active.header.epoch)
    }

    /// Gives the sealed segments up to an epoch free for new use: what they hold is safe elsewhere.
    pub async fn release(&self, epoch: u64) -> Result<usize> {
        let mut released = 0;
        loop {
            let segment = {
                let mut state = self.0.state.borrow_mut();
                match state.sealed.front() {
                    Some(front) if front.header.epoch <= epoch => state.sealed.pop_front(),
                    _ => None,
                }
            };
            let Some(segment) = segment else { return Ok(released) };
            let file = self.0.disk.open(&self.0.directory.join(file_name(segment.slot))).await?;
            file.write_at(&SegmentHeader { epoch: 0, ..segment.header }.encode(), 0).await?;
            self.0.state.borrow_mut().free.push(segment.slot);
            released += 1;
        }
    }

    #[must_use]
    pub fn metrics(&self) -> WalMetrics {
        let state = self.0.state.borrow();
        let counters = &self.0.counters;
        WalMetrics {
            commits: counters.commits.get(),
            frames: counters.frames.get(),
            payload_bytes: counters.payload_bytes.get(),
            written_bytes: counters.written_bytes.get(),
            failed_writes: counters.failed_writes.get(),
            segments: (state.sealed.len() + usize::from(state.active.is_some())) as u64,
            segment_bytes: state.sealed.iter().map(|sealed| sealed.len).sum::<u64>()
                + state.active.as_ref().map_or(0, |active| active.len)
                + state.free.len() as u64 * self.0.options.segment_bytes,
            pending_bytes: state.pending.bytes.len() as u64,
        }
    }
}

fn random_salt(epoch: u64) -> u32 {
    use std::hash::{BuildHasher, RandomState};
    // RandomState is seeded by the system; the salt needs to be unguessable, no more.
    (RandomState::new().hash_one(epoch) >> 32) as u32
}

/// The right to write. Dropped before it is finished, the log's state on disk is unknown.
struct Turn<'a> {
    wal: &'a Wal,
    finished: bool,
}

impl Turn<'_> {
    fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let wakers = {
            let mut state = self.wal.0.state.borrow_mut();
            state.writing = false;
            if !self.finished && state.poisoned.is_none() {
                state.poisoned = Some("a log write was abandoned".into());
            }
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
