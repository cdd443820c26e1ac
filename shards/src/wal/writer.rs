//! The writing end of the log: buffer, group commit, segments.
//!
//! Lives on its shard's core. [`Wal::append`] only copies into memory, so that a shard can check,
//! log and apply a write in one step without an await. [`Wal::commit`] then waits: the first that
//! comes writes for all whose records are buffered. Whoever calls it must drive it to its end; if
//! the writing future is dropped halfway the log is poisoned, because the disk's state is unknown.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use super::buffer::LogBuffer;
use super::replay::{self, ReplayReport};
use super::segment::{frame_len, put_frame};
use super::slots::Slots;
use super::{Record, SyncPolicy, WalOptions};
use crate::error::{Error, Result};
use crate::io::Disk;
use crate::limits::{
    BLOCK_LEN, WAL_FRAME_PAYLOAD_MAX, WAL_PENDING_BYTES_MAX, WAL_SEGMENT_BYTES_MAX, WAL_SEGMENT_BYTES_MIN,
};
use crate::model::ShardId;
use crate::waiters::Waiters;

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
    /// Time that durable writes of frames took.
    pub write_ns: u64,
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
    write_ns: Cell<u64>,
}

pub(super) struct State {
    pending: LogBuffer,
    spare: LogBuffer,
    appended: u64,
    durable: u64,
    writing: bool,
    poisoned: Option<String>,
    pub(super) slots: Slots,
    pub(super) next_sequence: u64,
}

pub(super) struct Shared {
    pub(super) disk: Disk,
    pub(super) directory: PathBuf,
    pub(super) shard: ShardId,
    pub(super) options: WalOptions,
    pub(super) frame_payload_max: usize,
    pub(super) state: RefCell<State>,
    /// Those who wait for the one that writes.
    waiters: Waiters,
    counters: Counters,
}

/// The log of one shard.
#[derive(Clone)]
pub struct Wal(pub(super) Rc<Shared>);

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
        let found = replay::find(&disk, directory, shard).await?;
        // Files that an earlier run made but did not live to make durable are in use from now on.
        disk.sync_directory(directory)?;
        let mut report = ReplayReport { damaged_segments: found.damaged, ..ReplayReport::default() };
        let tail = replay::replay(&disk, &found.segments, &mut report, on_record).await?;
        // Writes that the last process did not live to see confirmed may have been read back from the
        // disk's cache. What follows them must not become durable before them.
        let mut poisoned = None;
        for segment in found.segments.iter().rev().take(2) {
            if let Err(error) = segment.file.sync().await {
                tracing::error!(shard = shard.0, %error, "log cannot be synced; the shard takes no writes");
                poisoned = Some(error.to_string());
            }
        }
        let slots = Slots::adopt(found, &tail);
        // A frame and the segment's header must fit a segment.
        let largest = usize::try_from(segment_bytes / 2).unwrap_or(WAL_FRAME_PAYLOAD_MAX);
        let frame_payload_max = WAL_FRAME_PAYLOAD_MAX.min(largest);
        let state = State {
            pending: LogBuffer::new(frame_payload_max),
            spare: LogBuffer::new(frame_payload_max),
            appended: 0,
            durable: 0,
            writing: false,
            poisoned,
            slots,
            next_sequence: tail.next_sequence,
        };
        let wal = Self(Rc::new(Shared {
            disk,
            directory: directory.to_path_buf(),
            shard,
            options,
            frame_payload_max,
            state: RefCell::new(state),
            waiters: Waiters::default(),
            counters: Counters::default(),
        }));
        let (goes_on, poisoned) = {
            let state = wal.0.state.borrow();
            (state.slots.active.is_some(), state.poisoned.is_some())
        };
        if !goes_on && !poisoned {
            wal.make_first_segment().await?;
            wal.open_next_segment(0).await?;
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
        if state.pending.len() > WAL_PENDING_BYTES_MAX { Err(Error::Busy) } else { Ok(()) }
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
                let pending = self.0.state.borrow().pending.len();
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
                self.0.waiters.wait().await;
            }
        }
    }

    async fn write_pending(&self) -> Result<()> {
        let (batch, upto) = {
            let mut state = self.0.state.borrow_mut();
            let spare = std::mem::replace(&mut state.spare, LogBuffer::new(self.0.frame_payload_max));
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
            add(&self.0.counters.commits, 1);
            return Ok(());
        };
        add(&self.0.counters.failed_writes, 1);
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
        if !self.0.state.borrow().slots.has_room(len) {
            self.open_next_segment(len).await?;
        }
        let (file, position, bytes) = {
            let state = self.0.state.borrow();
            let Some(active) = &state.slots.active else {
                return Err(Error::Executor { reason: "the log has no active segment".into() });
            };
            assert!(active.position + len <= active.len, "a frame of {len} bytes fits the segment");
            let mut bytes = Vec::with_capacity(frame_len(payload.len()));
            put_frame(&mut bytes, &active.header, state.next_sequence, payload);
            (Rc::clone(&active.file), active.position, bytes)
        };
        let begun = Instant::now();
        file.write_at(&bytes, position).await?;
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        {
            let mut state = self.0.state.borrow_mut();
            state.next_sequence += 1;
            if let Some(active) = &mut state.slots.active {
                active.position = position + len;
            }
        }
        let counters = &self.0.counters;
        add(&counters.frames, 1);
        add(&counters.payload_bytes, payload.len() as u64);
        add(&counters.written_bytes, len);
        add(&counters.write_ns, took);
        self.prepare_ahead().await;
        Ok(())
    }

    /// Seals the active segment, so that everything written so far can be released as a whole.
    /// Gives the epoch of the sealed segment.
    pub async fn rotate(&self) -> Result<u64> {
        self.sync().await?;
        while std::mem::replace(&mut self.0.state.borrow_mut().writing, true) {
            self.0.waiters.wait().await;
        }
        let turn = Turn { wal: self, finished: false };
        let sealed = self.epoch();
        let outcome = self.open_next_segment(0).await;
        turn.finish();
        outcome.map(|()| sealed)
    }

    /// Makes everything appended so far durable and takes nothing more: what was not durable by then
    /// is never acknowledged.
    pub async fn end(&self) -> Result<()> {
        let outcome = self.sync().await;
        let ended = || "the log has ended".to_owned();
        self.0.state.borrow_mut().poisoned.get_or_insert_with(ended);
        outcome
    }

    /// Bytes of the frames that were not released, and of what waits to be written.
    #[must_use]
    pub fn unreleased_bytes(&self) -> u64 {
        let state = self.0.state.borrow();
        state.slots.frame_bytes() + state.pending.len() as u64
    }

    /// Epoch of the segment that is written now.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.state.borrow().slots.active.as_ref().map_or(0, |active| active.header.epoch)
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
            write_ns: counters.write_ns.get(),
            segments: state.slots.in_use() as u64,
            segment_bytes: state.slots.bytes(),
            pending_bytes: state.pending.len() as u64,
        }
    }
}

fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().saturating_add(more));
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
        {
            let mut state = self.wal.0.state.borrow_mut();
            state.writing = false;
            if !self.finished && state.poisoned.is_none() {
                state.poisoned = Some("a log write was abandoned".into());
            }
        }
        self.wal.0.waiters.wake();
    }
}
