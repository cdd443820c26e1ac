//! A disk in memory that fails on purpose: for tests, never in the server.
//!
//! It keeps the promises that a real disk keeps and no other. A write that returned is durable. Of a
//! write that the power cut interrupts any subset of its 512-byte sectors may be there. A name that
//! was made, changed or removed since its directory was last synced may or may not have been, and so
//! may a reservation of space. What happens is drawn from a seed, so that a seed replays exactly.
//!
//! Operations that change something are counted, and faults are planned by their numbers, the first
//! being 1. After a power cut everything fails until [`SimDisk::restart`], and files opened before it
//! stay dead.

mod names;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::names::{NameChange, Names};
use crate::error::{Error, Result};
use crate::limits::BLOCK_LEN;

/// What the hardware writes as a whole or not at all.
const SECTOR_LEN: usize = 512;
const EIO: i32 = 5;

const _: () = assert!(BLOCK_LEN.is_multiple_of(SECTOR_LEN));

/// How an operation fails; what a failed write leaves behind is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The device reports an error.
    InputOutput,
    /// The device is full, though the file had its space reserved.
    NoSpace,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// An open file of a [`SimDisk`].
pub struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
    boot: u64,
}

struct State {
    random: Random,
    inodes: Vec<Inode>,
    names: Names,
    powered: bool,
    /// Number of restarts; files belong to one.
    boot: u64,
    operations: u64,
    power_cut_at: Option<u64>,
    fault: Option<PlannedFault>,
    capacity: Option<u64>,
    writes_wait: bool,
}

#[derive(Default)]
struct Inode {
    content: Vec<u8>,
    /// Length that outlives a power cut; what was reserved beyond it may not.
    durable_len: usize,
}

struct PlannedFault {
    from: u64,
    remaining: u64,
    fault: Fault,
}

/// What becomes of an operation.
enum Verdict {
    Proceed,
    PowerCut,
    Fail(Fault),
}

impl SimDisk {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Random(seed),
            inodes: Vec::new(),
            names: Names::default(),
            powered: true,
            boot: 0,
            operations: 0,
            power_cut_at: None,
            fault: None,
            capacity: None,
            writes_wait: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the last operation that changed something or tried to.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Cuts the power in the middle of this operation.
    pub fn cut_power_at(&self, operation: u64) {
        self.state().power_cut_at = Some(operation);
    }

    /// Cuts the power, if it is still on, and turns it on again; no fault is planned any more.
    pub fn restart(&self) {
        let mut state = self.state();
        if state.powered {
            state.lose_power();
        }
        state.powered = true;
        state.boot += 1;
        state.power_cut_at = None;
        state.fault = None;
    }

    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.state().powered
    }

    /// Lets `count` operations fail, beginning with operation `from`.
    pub fn fail_at(&self, from: u64, count: u64, fault: Fault) {
        self.state().fault = Some(PlannedFault { from, remaining: count, fault });
    }

    /// Lets every operation fail with an I/O error, or none any more.
    pub fn set_failing(&self, failing: bool) {
        let plan = PlannedFault { from: 0, remaining: u64::MAX, fault: Fault::InputOutput };
        self.state().fault = failing.then_some(plan);
    }

    /// Limits by how much the files may grow together from now on; `None`: no limit.
    pub fn set_room(&self, bytes: Option<u64>) {
        let mut state = self.state();
        state.capacity = bytes.map(|bytes| state.used() + bytes);
    }

    /// Bytes that the files take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Makes every write give other tasks a turn before it reaches the disk. One that is dropped
    /// while it waits is not written.
    pub fn let_writes_wait(&self, wait: bool) {
        self.state().writes_wait = wait;
    }

    /// Bytes of a file, or `None` where there is none.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let inode = state.names.get(path)?;
        state.inodes.get(inode).map(|inode| inode.content.clone())
    }

    /// Replaces a file's bytes durably, behind the back of whoever has it open.
    pub fn set_content(&self, path: &Path, content: Vec<u8>) {
        let mut state = self.state();
        let inode = match state.names.get(path) {
            Some(inode) => inode,
            None => state.make(path),
        };
        state.names.sync_parent_of(path);
        if let Some(inode) = state.inodes.get_mut(inode) {
            inode.durable_len = content.len();
            inode.content = content;
        }
    }

    /// Flips one bit of a file; a position outside of it changes nothing.
    pub fn flip_bit(&self, path: &Path, bit: usize) {
        let mut state = self.state();
        let inode = state.names.get(path);
        let content = inode.and_then(|inode| state.inodes.get_mut(inode)).map(|inode| &mut inode.content);
        if let Some(byte) = content.and_then(|content| content.get_mut(bit / 8)) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// Length of a file, if it is there.
    #[must_use]
    pub fn file_len(&self, path: &Path) -> Option<usize> {
        let state = self.state();
        state.inodes.get(state.names.get(path)?).map(|inode| inode.content.len())
    }

    pub(super) fn open(&self, path: &Path) -> Result<SimFile> {
        let mut state = self.state();
        let inode = match state.names.get(path) {
            Some(inode) => {
                state.check_power("open", path)?;
                inode
            }
            None => match state.begin("open", path)? {
                Verdict::Proceed => state.make(path),
                Verdict::PowerCut => {
                    state.make(path);
                    return state.power_is_cut("open", path);
                }
                Verdict::Fail(fault) => return fault.error("open", path),
            },
        };
        Ok(SimFile { disk: self.clone(), path: path.to_path_buf(), inode, boot: state.boot })
    }

    pub(super) fn open_existing(&self, path: &Path) -> Result<SimFile> {
        let known = self.state().names.get(path).is_some();
        if known { self.open(path) } else { Err(Error::io("open", path, &ErrorKind::NotFound.into())) }
    }

    pub(super) fn list(&self, directory: &Path) -> Result<Vec<String>> {
        let state = self.state();
        state.check_power("list", directory)?;
        Ok(state.names.list(directory))
    }

    pub(super) fn sync_directory(&self, directory: &Path) -> Result<()> {
        let mut state = self.state();
        match state.begin("sync", directory)? {
            Verdict::Proceed => {
                state.names.sync(directory);
                Ok(())
            }
            Verdict::PowerCut => state.power_is_cut("sync", directory),
            Verdict::Fail(fault) => fault.error("sync", directory),
        }
    }

    pub(super) fn publish(&self, from: &Path, to: &Path) -> Result<()> {
        assert_eq!(from.parent(), to.parent(), "a file is published in its own directory");
        let mut state = self.state();
        if !state.names.exists(from) {
            return Err(Error::io("rename", from, &ErrorKind::NotFound.into()));
        }
        let verdict = state.begin("rename", from)?;
        state.names.change(NameChange::Rename { from: from.to_path_buf(), to: to.to_path_buf() });
        match verdict {
            Verdict::Proceed => {
                state.names.sync_parent_of(to);
                Ok(())
            }
            Verdict::PowerCut => state.power_is_cut("rename", from),
            Verdict::Fail(fault) => fault.error("rename", from),
        }
    }

    /// Removes a directory with the files in it, one after the other.
    pub(super) fn remove_directory(&self, directory: &Path) -> Result<()> {
        for name in self.list(directory)? {
            self.remove(&directory.join(name))?;
        }
        Ok(())
    }

    /// Gives a file a second name.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.state();
        let Some(inode) = state.names.get(from) else {
            return Err(Error::io("link", from, &ErrorKind::NotFound.into()));
        };
        let verdict = state.begin("link", to)?;
        if let Verdict::Fail(fault) = verdict {
            return fault.error("link", to);
        }
        state.names.change(NameChange::Make { path: to.to_path_buf(), inode });
        if matches!(verdict, Verdict::PowerCut) { state.power_is_cut("link", to) } else { Ok(()) }
    }

    /// Bytes that are free and bytes in all.
    pub(super) fn space(&self) -> (u64, u64) {
        let state = self.state();
        let total = state.capacity.unwrap_or(1 << 40);
        (total.saturating_sub(state.used()), total)
    }

    /// All files with their contents, for tests that damage them.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().names.paths()
    }

    /// A second disk with what this one holds durably, without faults.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Self {
        let copy = Self::new(seed);
        for path in self.paths() {
            if let Some(content) = self.content(&path) {
                copy.set_content(&path, content);
            }
        }
        copy
    }

    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.state();
        let verdict = state.begin("remove", path)?;
        if let Verdict::Fail(fault) = verdict {
            return fault.error("remove", path);
        }
        if state.names.get(path).is_some() {
            state.names.change(NameChange::Remove { path: path.to_path_buf() });
        }
        if matches!(verdict, Verdict::PowerCut) { state.power_is_cut("remove", path) } else { Ok(()) }
    }
}

impl SimFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let wait = self.disk.state().writes_wait;
        if wait {
            futures_lite::future::yield_now().await;
        }
        self.write_now(bytes, position)
    }

    pub(super) fn write_now(&self, bytes: &[u8], position: u64) -> Result<()> {
        let position = self.offset(position, "write")?;
        let mut state = self.disk.state();
        self.check_boot(&state, "write")?;
        match state.begin("write", &self.path)? {
            Verdict::Proceed => state.write(self.inode, &self.path, position, bytes),
            Verdict::PowerCut => {
                state.tear(self.inode, position, bytes);
                state.power_is_cut("write", &self.path)
            }
            Verdict::Fail(fault) => {
                state.tear(self.inode, position, bytes);
                fault.error("write", &self.path)
            }
        }
    }

    pub(super) fn sync(&self) -> Result<()> {
        let mut state = self.disk.state();
        self.check_boot(&state, "sync")?;
        match state.begin("sync", &self.path)? {
            Verdict::Proceed => {
                if let Some(inode) = state.inodes.get_mut(self.inode) {
                    inode.durable_len = inode.content.len();
                }
                Ok(())
            }
            Verdict::PowerCut => state.power_is_cut("sync", &self.path),
            Verdict::Fail(fault) => fault.error("sync", &self.path),
        }
    }

    pub(super) fn read_at(&self, position: u64, len: usize) -> Result<Vec<u8>> {
        let state = self.disk.state();
        self.check_boot(&state, "read")?;
        let content = state.inodes.get(self.inode).map(|inode| &inode.content[..]).unwrap_or_default();
        let start = self.offset(position, "read")?.min(content.len());
        let end = start.saturating_add(len).min(content.len());
        Ok(content.get(start..end).unwrap_or_default().to_vec())
    }

    pub(super) fn len(&self) -> Result<u64> {
        let state = self.disk.state();
        self.check_boot(&state, "stat")?;
        Ok(state.inodes.get(self.inode).map_or(0, |inode| inode.content.len() as u64))
    }

    pub(super) fn preallocate(&self, len: u64) -> Result<()> {
        let len = self.offset(len, "reserve space for")?;
        let mut state = self.disk.state();
        self.check_boot(&state, "reserve space for")?;
        let verdict = state.begin("reserve space for", &self.path)?;
        if let Verdict::Fail(fault) = verdict {
            return fault.error("reserve space for", &self.path);
        }
        if !state.has_room(self.inode, len) {
            return Fault::NoSpace.error("reserve space for", &self.path);
        }
        if let Some(inode) = state.inodes.get_mut(self.inode).filter(|inode| inode.content.len() < len) {
            inode.content.resize(len, 0);
        }
        match verdict {
            Verdict::PowerCut => state.power_is_cut("reserve space for", &self.path),
            _ => Ok(()),
        }
    }

    pub(super) fn truncate(&self, len: u64) -> Result<()> {
        let len = self.offset(len, "truncate")?;
        let mut state = self.disk.state();
        self.check_boot(&state, "truncate")?;
        if let Some(inode) = state.inodes.get_mut(self.inode) {
            inode.content.truncate(len);
            inode.durable_len = inode.durable_len.min(len);
        }
        Ok(())
    }

    fn check_boot(&self, state: &State, op: &'static str) -> Result<()> {
        if state.boot == self.boot {
            return Ok(());
        }
        Err(Error::io(op, &self.path, &std::io::Error::other("the file was opened before the power cut")))
    }

    fn offset(&self, position: u64, op: &'static str) -> Result<usize> {
        usize::try_from(position).map_err(|_| Error::io(op, &self.path, &ErrorKind::InvalidInput.into()))
    }
}

impl Fault {
    fn error<T>(self, op: &'static str, path: &Path) -> Result<T> {
        let source = match self {
            Self::InputOutput => std::io::Error::from_raw_os_error(EIO),
            Self::NoSpace => ErrorKind::StorageFull.into(),
        };
        Err(Error::io(op, path, &source))
    }
}

impl State {
    fn check_power(&self, op: &'static str, path: &Path) -> Result<()> {
        if self.powered {
            return Ok(());
        }
        Err(Error::io(op, path, &std::io::Error::other("the power is off")))
    }

    /// Counts an operation and says what becomes of it.
    fn begin(&mut self, op: &'static str, path: &Path) -> Result<Verdict> {
        self.check_power(op, path)?;
        self.operations += 1;
        let number = self.operations;
        if self.power_cut_at == Some(number) {
            return Ok(Verdict::PowerCut);
        }
        match &mut self.fault {
            Some(plan) if number >= plan.from && plan.remaining > 0 => {
                plan.remaining -= 1;
                Ok(Verdict::Fail(plan.fault))
            }
            _ => Ok(Verdict::Proceed),
        }
    }

    fn power_is_cut<T>(&mut self, op: &'static str, path: &Path) -> Result<T> {
        self.lose_power();
        Err(Error::io(op, path, &std::io::Error::other("the power is off")))
    }

    fn lose_power(&mut self) {
        self.powered = false;
        let kept = self.random.below(self.names.pending() + 1);
        self.names.lose_power(kept);
        for inode in &mut self.inodes {
            if inode.content.len() > inode.durable_len && self.random.below(2) == 0 {
                inode.content.truncate(inode.durable_len);
            }
            inode.durable_len = inode.content.len();
        }
    }

    fn make(&mut self, path: &Path) -> usize {
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.change(NameChange::Make { path: path.to_path_buf(), inode });
        inode
    }

    fn used(&self) -> u64 {
        let lens = self.names.inodes().filter_map(|inode| self.inodes.get(inode));
        lens.map(|inode| inode.content.len() as u64).sum()
    }

    fn has_room(&self, inode: usize, len: usize) -> bool {
        let old = self.inodes.get(inode).map_or(0, |inode| inode.content.len());
        self.capacity.is_none_or(|capacity| self.used() + len.saturating_sub(old) as u64 <= capacity)
    }

    fn write(&mut self, inode: usize, path: &Path, position: usize, bytes: &[u8]) -> Result<()> {
        if self.has_room(inode, position + bytes.len()) {
            self.put(inode, position, bytes);
            return Ok(());
        }
        // A write to a disk that fills up ends short.
        let sectors = self.random.below(bytes.len() / SECTOR_LEN);
        let kept = bytes.get(..sectors * SECTOR_LEN).unwrap_or_default();
        if self.has_room(inode, position + kept.len()) {
            self.put(inode, position, kept);
        }
        Fault::NoSpace.error("write", path)
    }

    fn put(&mut self, inode: usize, position: usize, bytes: &[u8]) {
        let Some(inode) = self.inodes.get_mut(inode) else { return };
        let end = position + bytes.len();
        if inode.content.len() < end {
            inode.content.resize(end, 0);
        }
        if let Some(place) = inode.content.get_mut(position..end) {
            place.copy_from_slice(bytes);
        }
        inode.durable_len = inode.durable_len.max(end);
    }

    /// Leaves of a write what an interrupted disk may leave: nothing, all, one end or any sectors.
    fn tear(&mut self, inode: usize, position: usize, bytes: &[u8]) {
        let sectors = bytes.len() / SECTOR_LEN;
        let split = self.random.below(sectors + 1);
        let shape = self.random.below(5);
        for (index, sector) in bytes.chunks(SECTOR_LEN).enumerate() {
            let kept = match shape {
                0 => false,
                1 => true,
                2 => index < split,
                3 => index >= split,
                _ => self.random.below(2) == 0,
            };
            if kept {
                self.put(inode, position + index * SECTOR_LEN, sector);
            }
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "a draw has at least one outcome");
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }
}
