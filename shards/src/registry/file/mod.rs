//! The series table on disk: which labels a series number stands for.
//!
//! An append-only file of checksummed frames, described in [`format`]. It takes over the series of
//! log segments before these are recycled, and a restart reads it first. A *checkpoint* writes the
//! whole table anew into the file of the next generation and puts that in place at once; series that
//! are gone are left out of it.
//!
//! Invariants: an append that returned is durable. Frames are written one after the other, each
//! durable before the next, so a power cut damages only the last one; a frame that does not check
//! and has no whole one behind it is such a torn tail, the end of the table, and the next append
//! takes its place. A series number may be listed more than once; the last entry counts.
//!
//! Lives on one core. Appends and checkpoints take turns: the second of two at a time is told
//! [`Error::Busy`]. One that is dropped before it ends leaves the table read-only until restart,
//! since what it wrote is not known.

pub mod format;
mod load;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

pub use self::format::{Entry, SeriesFrame};
use self::format::{FRAMES_AT, FileHeader};
use crate::error::{Error, Result};
use crate::io::{Disk, DiskFile, dirs};
use crate::model::{SeriesRef, ShardId};

/// What reading the table came upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeriesReport {
    /// Entries read.
    pub series: u64,
    pub frames: u64,
    /// Frames in the middle that did not check: their series are missing.
    pub frames_bad: u64,
    /// Bytes of an append that the last stop interrupted; nobody was told that it had succeeded.
    pub torn_bytes: u64,
    /// Files whose header did not check, set aside under the name `*.damaged`.
    pub files_damaged: u64,
    /// Bytes of the file in use.
    pub file_bytes: u64,
}

/// The open table of one shard.
pub struct SeriesFile {
    disk: Disk,
    directory: PathBuf,
    state: RefCell<State>,
    bytes: Cell<u64>,
}

enum State {
    Idle(Current),
    /// An append or a checkpoint is under way.
    Busy,
    Failed {
        reason: String,
    },
}

/// The file in use and where the next frame goes.
struct Current {
    file: DiskFile,
    header: FileHeader,
    position: u64,
    sequence: u64,
}

impl SeriesFile {
    /// Reads the table of a directory and hands over its entries in order, or makes an empty one.
    ///
    /// Damage is reported and logged, not an error; a format of a newer version is one.
    pub async fn open(
        disk: &Disk,
        directory: &Path,
        shard: ShardId,
        mut on_series: impl FnMut(Entry<'_>),
    ) -> Result<(Self, SeriesReport)> {
        disk.create_directory(directory)?;
        let mut report = SeriesReport::default();
        let current = load::load(disk, directory, shard, &mut report, &mut on_series).await?;
        report.file_bytes = current.position;
        let table = Self {
            disk: disk.clone(),
            directory: directory.to_path_buf(),
            bytes: Cell::new(current.position),
            state: RefCell::new(State::Idle(current)),
        };
        Ok((table, report))
    }

    /// Bytes of the file in use.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Adds series; they are durable when this returns. After [`Error::DiskFull`] some of them may be
    /// in the table, and the same append may be tried again.
    pub async fn append(&self, series: &[(SeriesRef, &[u8])]) -> Result<()> {
        let (mut current, turn) = self.take_turn()?;
        let mut frame = SeriesFrame::default();
        let mut outcome = Ok(());
        for (index, (number, labels)) in series.iter().enumerate() {
            frame.push(*number, labels);
            if frame.is_full() || index + 1 == series.len() {
                outcome = current.write(&mut frame).await;
                frame.clear();
                if outcome.is_err() {
                    break;
                }
            }
        }
        turn.end(current, outcome)
    }

    /// Rewrites the table with the series that `fill` pushes, frame by frame; it is called again
    /// until it pushes none. Nothing is borrowed between two calls, so the registry stays usable
    /// meanwhile. A checkpoint that fails leaves the table as it was.
    pub async fn checkpoint(&self, mut fill: impl FnMut(&mut SeriesFrame)) -> Result<()> {
        let (current, turn) = self.take_turn()?;
        let header =
            FileHeader { generation: current.header.generation + 1, salt: random_salt(), ..current.header };
        let temporary = temporary_path(&self.directory, header.generation);
        let written = write_table(&self.disk, &temporary, header, &mut fill).await;
        let fresh = match written {
            Ok(fresh) => fresh,
            Err(error) => {
                // Left behind, it is removed at the next start.
                let _ = self.disk.remove(&temporary);
                turn.keep(current);
                return Err(error);
            }
        };
        let path = self.directory.join(format::file_name(header.generation));
        let outcome = self.disk.publish(&temporary, &path);
        if outcome.is_err() {
            // Which of the two is in place is not known.
            return turn.fail(outcome);
        }
        turn.keep(fresh);
        let old = self.directory.join(format::file_name(current.header.generation));
        if let Err(error) = self.disk.remove(&old) {
            tracing::warn!(path = %old.display(), %error, "old series table stays until the next start");
        }
        Ok(())
    }

    fn take_turn(&self) -> Result<(Current, Turn<'_>)> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Busy) {
            State::Idle(current) => Ok((current, Turn { table: self, over: false })),
            State::Busy => Err(Error::Busy),
            State::Failed { reason } => {
                *state = State::Failed { reason: reason.clone() };
                Err(Error::Poisoned { reason })
            }
        }
    }
}

fn temporary_path(directory: &Path, generation: u64) -> PathBuf {
    dirs::temporary(&directory.join(format::file_name(generation)))
}

/// Not secret, only unlikely to be guessed by whoever chooses label values.
fn random_salt() -> u32 {
    RandomState::new().hash_one("salt") as u32
}

/// Writes a whole table under a temporary name.
async fn write_table(
    disk: &Disk,
    temporary: &Path,
    header: FileHeader,
    fill: &mut impl FnMut(&mut SeriesFrame),
) -> Result<Current> {
    disk.remove(temporary)?;
    let file = disk.open(temporary).await?;
    file.write_at(&header.encode(), 0).await?;
    let mut table = Current { file, header, position: FRAMES_AT, sequence: 0 };
    let mut frame = SeriesFrame::default();
    loop {
        fill(&mut frame);
        if frame.is_empty() {
            return Ok(table);
        }
        table.write(&mut frame).await?;
        frame.clear();
    }
}

impl Current {
    /// Writes one frame; on failure the next one goes to the same place.
    async fn write(&mut self, frame: &mut SeriesFrame) -> Result<()> {
        let bytes = frame.seal(&self.header, self.sequence);
        self.file.write_at(bytes, self.position).await?;
        self.position += bytes.len() as u64;
        self.sequence += 1;
        Ok(())
    }
}

/// The right to write; dropped before its end, it leaves the table failed.
struct Turn<'a> {
    table: &'a SeriesFile,
    over: bool,
}

impl Turn<'_> {
    /// Gives the turn back after a write: a full disk may be tried again, another failure not.
    fn end(self, current: Current, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) | Err(Error::DiskFull { .. }) => {
                self.keep(current);
                outcome
            }
            failure => self.fail(failure),
        }
    }

    fn keep(mut self, current: Current) {
        self.table.bytes.set(current.position);
        self.over(State::Idle(current));
    }

    fn fail(mut self, outcome: Result<()>) -> Result<()> {
        if let Err(error) = &outcome {
            self.over(State::Failed { reason: error.to_string() });
        }
        outcome
    }

    fn over(&mut self, state: State) {
        self.over = true;
        *self.table.state.borrow_mut() = state;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.over(State::Failed { reason: "a write of the series table was given up midway".to_owned() });
        }
    }
}
