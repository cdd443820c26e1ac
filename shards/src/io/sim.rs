//! A disk in memory that can lose power, fill up, fail and rot.
//!
//! Writes that returned are durable, as with O_DSYNC. The write during which the power goes leaves
//! an arbitrary part of its 512-byte sectors behind. A file whose directory was not synced since it
//! was made may vanish with the power. Everything is decided by the seed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};

const SECTOR_LEN: usize = 512;

#[derive(Debug, Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    /// Its name has been made durable.
    named: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Inode>,
    random: u64,
    operations: u64,
    /// The power goes during the operation of this number.
    cut_at: Option<u64>,
    off: bool,
    /// Bytes by which files may still grow.
    room: Option<u64>,
    failing: bool,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Rc<RefCell<State>>);

/// A file of the disk.
#[derive(Debug, Clone)]
pub struct SimFile {
    disk: SimDisk,
    path: PathBuf,
}

impl State {
    /// xorshift64*: as random as a torn write needs to be.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Counts an operation; says whether the power goes during it.
    fn begin(&mut self, path: &Path) -> Result<bool> {
        if self.off {
            return Err(power_off(path));
        }
        if self.failing {
            return Err(Error::io("write", path, &std::io::Error::from_raw_os_error(5)));
        }
        self.operations += 1;
        let cut = self.cut_at == Some(self.operations);
        self.off |= cut;
        Ok(cut)
    }

    fn lose_power(&mut self) {
        let names: Vec<_> = self.files.keys().cloned().collect();
        for name in names {
            let vanishes = !self.files[&name].named && self.next_random().is_multiple_of(2);
            if vanishes {
                self.files.remove(&name);
            }
        }
    }
}

fn power_off(path: &Path) -> Error {
    Error::io("write", path, &std::io::Error::other("the power is off"))
}

impl SimDisk {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State { random: seed | 1, ..State::default() })))
    }

    /// Lets the power go during the `operation`-th write, name change or sync from the start.
    pub fn cut_power_at(&self, operation: u64) {
        self.0.borrow_mut().cut_at = Some(operation);
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.borrow().off
    }

    /// Cuts the power, if it is still on, and turns it on again; no further cut is planned.
    pub fn restart(&self) {
        let mut state = self.0.borrow_mut();
        state.lose_power();
        state.off = false;
        state.cut_at = None;
    }

    /// Limits by how much files may grow from now on; `None`: no limit.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.0.borrow_mut().room = bytes;
    }

    /// Makes every write fail with an I/O error.
    pub fn set_failing(&self, failing: bool) {
        self.0.borrow_mut().failing = failing;
    }

    /// Turns over one bit of a file.
    pub fn flip_bit(&self, path: &Path, bit: usize) {
        if let Some(inode) = self.0.borrow_mut().files.get_mut(path) {
            inode.bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// Length of a file, if it is there.
    #[must_use]
    pub fn file_len(&self, path: &Path) -> Option<usize> {
        self.0.borrow().files.get(path).map(|inode| inode.bytes.len())
    }

    pub(super) fn open(&self, path: &Path) -> Result<SimFile> {
        let mut state = self.0.borrow_mut();
        if state.off {
            return Err(power_off(path));
        }
        state.files.entry(path.to_path_buf()).or_default();
        Ok(SimFile { disk: self.clone(), path: path.to_path_buf() })
    }

    pub(super) fn list(&self, directory: &Path) -> Vec<String> {
        let state = self.0.borrow();
        let inside = state.files.keys().filter(|path| path.parent() == Some(directory));
        inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect()
    }

    pub(super) fn sync_directory(&self, directory: &Path) -> Result<()> {
        let mut state = self.0.borrow_mut();
        if state.begin(directory)? {
            return Err(power_off(directory));
        }
        for (_, inode) in state.files.iter_mut().filter(|(path, _)| path.parent() == Some(directory)) {
            inode.named = true;
        }
        Ok(())
    }

    pub(super) fn publish(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let cut = state.begin(from)?;
        // A rename under which the power goes has happened or has not.
        if !cut || state.next_random().is_multiple_of(2) {
            if let Some(mut inode) = state.files.remove(from) {
                inode.named = true;
                state.files.insert(to.to_path_buf(), inode);
            }
        }
        if cut { Err(power_off(from)) } else { Ok(()) }
    }

    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        let mut state = self.0.borrow_mut();
        if state.begin(path)? {
            return Err(power_off(path));
        }
        state.files.remove(path);
        Ok(())
    }
}

impl SimFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let mut state = self.disk.0.borrow_mut();
        let cut = state.begin(&self.path)?;
        let start = position as usize;
        self.grow(&mut state, start + bytes.len())?;
        for (index, sector) in bytes.chunks(SECTOR_LEN).enumerate() {
            if cut && state.next_random().is_multiple_of(2) {
                continue;
            }
            let at = start + index * SECTOR_LEN;
            if let Some(inode) = state.files.get_mut(&self.path) {
                inode.bytes[at..at + sector.len()].copy_from_slice(sector);
            }
        }
        if cut { Err(power_off(&self.path)) } else { Ok(()) }
    }

    fn grow(&self, state: &mut State, len: usize) -> Result<()> {
        let Some(inode) = state.files.get_mut(&self.path) else {
            return Err(Error::io("write", &self.path, &std::io::ErrorKind::NotFound.into()));
        };
        let growth = len.saturating_sub(inode.bytes.len());
        if let Some(room) = &mut state.room {
            *room = room
                .checked_sub(growth as u64)
                .ok_or_else(|| Error::io("write", &self.path, &std::io::ErrorKind::StorageFull.into()))?;
        }
        if growth > 0 {
            inode.bytes.resize(len, 0);
        }
        Ok(())
    }

    pub(super) fn read_at(&self, position: u64, len: usize) -> Result<Vec<u8>> {
        let state = self.disk.0.borrow();
        if state.off {
            return Err(power_off(&self.path));
        }
        let bytes = state.files.get(&self.path).map_or(&[][..], |inode| &inode.bytes);
        let start = (position as usize).min(bytes.len());
        Ok(bytes[start..(start + len).min(bytes.len())].to_vec())
    }

    pub(super) fn len(&self) -> Result<u64> {
        Ok(self.disk.file_len(&self.path).unwrap_or(0) as u64)
    }

    pub(super) fn preallocate(&self, len: u64) -> Result<()> {
        let mut state = self.disk.0.borrow_mut();
        if state.begin(&self.path)? {
            return Err(power_off(&self.path));
        }
        self.grow(&mut state, len as usize)
    }
}
