//! A disk with a volatile write cache, whose power can be cut.
//!
//! What is written is in the cache until the next flush. A cut takes effect between two operations:
//! of the blocks in the cache some reach the medium, each in any version it has had since the last
//! flush, for a disk writes in the order it likes. Until power is back on, reads and writes go on as
//! if nothing had happened, but nothing of it stays: so the system above can be taken down in peace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::common::random::random;

/// Unit of the cache.
const BLOCK: usize = 4096;
/// Smallest unit that reaches the medium as a whole.
const SECTOR: usize = 512;
/// ext4 writes its superblock, two sectors, outside of its journal, and cannot be mounted when it is
/// torn. That is its matter, not ours.
const NEVER_TORN: u64 = 0;

type Block = Box<[u8; BLOCK]>;

/// Which cached writes a cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survivors {
    None,
    /// Random blocks, whole.
    Blocks,
    /// Random sectors: a block may be torn.
    Sectors,
    All,
}

/// A cut to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// So many writes and flushes are carried out before it,
    pub(crate) after: u64,
    /// and then more until so many blocks are in the cache,
    pub(crate) cached: usize,
    /// but at most so many more.
    pub(crate) patience: u64,
    pub(crate) survivors: Survivors,
    pub(crate) seed: u64,
}

/// What the disk did since power came on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) writes: u64,
    pub(crate) flushes: u64,
    /// Blocks in the cache when power was cut, and how many of them the medium got in part at least.
    pub(crate) cached: u64,
    pub(crate) survived: u64,
}

/// A handle of the disk.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<State>>);

struct State {
    medium: Vec<u8>,
    /// Contents of the blocks written since the last flush, the oldest first.
    cache: BTreeMap<u64, Vec<Block>>,
    cut: Option<Cut>,
    /// The medium's new blocks, once power has been cut.
    left: Option<BTreeMap<u64, Block>>,
    counts: Counts,
}

impl Disk {
    /// A disk full of zeros.
    pub(crate) fn new(bytes: usize) -> Self {
        assert!(bytes.is_multiple_of(BLOCK));
        Self(Arc::new(Mutex::new(State {
            medium: vec![0; bytes],
            cache: BTreeMap::new(),
            cut: None,
            left: None,
            counts: Counts::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.state().medium.len() as u64
    }

    pub(crate) fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let state = self.state();
        let start = usize::try_from(offset).unwrap().min(state.medium.len());
        let end = (start + len).min(state.medium.len());
        let mut out = Vec::with_capacity(end - start);
        for (block, from, to) in pieces(start, end) {
            match state.cache.get(&block) {
                Some(versions) => out.extend_from_slice(&versions.last().unwrap()[from..to]),
                None => out.extend_from_slice(&state.medium[block as usize * BLOCK..][from..to]),
            }
        }
        out
    }

    /// Whether all of it lies on the disk, and so was written.
    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> bool {
        let mut state = self.state();
        let start = usize::try_from(offset).unwrap();
        let end = start + data.len();
        if end > state.medium.len() {
            return false;
        }
        state.cut_if_due();
        state.counts.writes += 1;
        for (block, from, to) in pieces(start, end) {
            let mut content = state.newest(block);
            let at = block as usize * BLOCK + from - start;
            content[from..to].copy_from_slice(&data[at..at + to - from]);
            state.cache.entry(block).or_default().push(content);
        }
        true
    }

    /// What was written is on the medium when this returns.
    pub(crate) fn flush(&self) {
        let mut state = self.state();
        state.cut_if_due();
        state.counts.flushes += 1;
        if state.left.is_none() {
            for (block, versions) in std::mem::take(&mut state.cache) {
                state.put(block, versions.last().unwrap());
            }
        }
    }

    /// Cuts power when the time has come.
    pub(crate) fn cut_after(&self, cut: Cut) {
        let mut state = self.state();
        let done = state.counts.writes + state.counts.flushes;
        state.cut = Some(Cut { after: done + cut.after, ..cut });
    }

    /// Cuts power now.
    pub(crate) fn cut(&self, survivors: Survivors, seed: u64) {
        self.state().carry_out(survivors, seed);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.state().left.is_some()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Forgets all that a cut does not leave; without a cut, all is there.
    pub(crate) fn power_on(&self) {
        let mut state = self.state();
        if let Some(left) = state.left.take() {
            state.cache.clear();
            for (block, content) in left {
                state.put(block, &content);
            }
        }
        state.cut = None;
        state.counts = Counts::default();
    }
}

impl State {
    fn on_medium(&self, block: u64) -> Block {
        let mut content = Box::new([0; BLOCK]);
        content.copy_from_slice(&self.medium[block as usize * BLOCK..][..BLOCK]);
        content
    }

    fn newest(&self, block: u64) -> Block {
        let cached = self.cache.get(&block).and_then(|versions| versions.last());
        cached.cloned().unwrap_or_else(|| self.on_medium(block))
    }

    fn put(&mut self, block: u64, content: &[u8; BLOCK]) {
        self.medium[block as usize * BLOCK..][..BLOCK].copy_from_slice(content);
    }

    fn cut_if_due(&mut self) {
        let done = self.counts.writes + self.counts.flushes;
        let cached = self.cache.len();
        let due = |cut: &mut Cut| {
            done >= cut.after && (cached >= cut.cached || done >= cut.after.saturating_add(cut.patience))
        };
        if let Some(cut) = self.cut.take_if(due) {
            self.carry_out(cut.survivors, cut.seed);
        }
    }

    fn carry_out(&mut self, survivors: Survivors, seed: u64) {
        if self.left.is_some() {
            return;
        }
        // From hardly anything to nearly everything.
        let share = random(seed, 1) % 100;
        let mut left = BTreeMap::new();
        for (&block, versions) in &self.cache {
            let chosen = |unit: u64| {
                let drawn = random(seed, block << 8 | (2 + unit));
                let kept = match survivors {
                    Survivors::None => false,
                    Survivors::All => return versions.last(),
                    Survivors::Blocks | Survivors::Sectors => drawn % 100 < share,
                };
                kept.then(|| &versions[(drawn >> 32) as usize % versions.len()])
            };
            let mut content = self.on_medium(block);
            let mut any = false;
            let torn = survivors == Survivors::Sectors && block != NEVER_TORN;
            for sector in 0..BLOCK / SECTOR {
                let unit = if torn { sector as u64 } else { 0 };
                if let Some(version) = chosen(unit) {
                    let range = sector * SECTOR..(sector + 1) * SECTOR;
                    content[range.clone()].copy_from_slice(&version[range]);
                    any = true;
                }
            }
            if any {
                left.insert(block, content);
            }
        }
        self.counts.cached = self.cache.len() as u64;
        self.counts.survived = left.len() as u64;
        self.left = Some(left);
    }
}

/// The blocks of a range of bytes, each with the part of it that lies in the range.
fn pieces(start: usize, end: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    (start / BLOCK..end.div_ceil(BLOCK)).map(move |block| {
        let first = block * BLOCK;
        (block as u64, start.max(first) - first, end.min(first + BLOCK) - first)
    })
}
