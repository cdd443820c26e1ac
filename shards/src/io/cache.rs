//! The shard's cache of pieces of immutable files: direct reads have no page cache behind them.
//!
//! Replacement is S3-FIFO: what is read once passes through a small queue, what is read again
//! moves to the main one, and what came back soon after it was dropped goes there at once. A scan
//! of a week thus does not drive out the indexes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::future::join_all;
use hashbrown::{HashMap, HashSet};

use super::read::ReadFile;
use crate::error::Result;

/// Files are cached in pages of this size where they are read at any place.
const PAGE_LEN: usize = 16 << 10;
/// Neighbouring pages that are missing are read together, up to this size.
const READ_LEN_MAX: usize = 256 << 10;
/// Reads in flight at once.
const READS_MAX: usize = 32;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: usize = 96;
/// Share of the budget, in percent, of what was read once.
const SMALL_PERCENT: usize = 10;
const USES_MAX: u8 = 3;

type Key = (u64, u64);

struct Entry {
    bytes: Rc<[u8]>,
    uses: u8,
    in_main: bool,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    small: VecDeque<Key>,
    main: VecDeque<Key>,
    ghosts: VecDeque<Key>,
    ghost_keys: HashSet<Key>,
    small_bytes: usize,
    main_bytes: usize,
    next_file: u64,
    hits: u64,
    misses: u64,
}

/// What the cache has done.
#[derive(Debug, Clone, Copy, Default)]
pub struct CacheMetrics {
    pub hits: u64,
    pub misses: u64,
    pub bytes: u64,
}

/// Pieces of files by file and offset. Clones are the same cache; lives on one core.
#[derive(Clone)]
pub struct Cache {
    budget: usize,
    state: Rc<RefCell<State>>,
}

impl Cache {
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self { budget, state: Rc::new(RefCell::new(State::default())) }
    }

    #[must_use]
    pub fn metrics(&self) -> CacheMetrics {
        let state = self.state.borrow();
        CacheMetrics {
            hits: state.hits,
            misses: state.misses,
            bytes: (state.small_bytes + state.main_bytes) as u64,
        }
    }

    /// Puts a file behind the cache.
    #[must_use]
    pub fn adopt(&self, file: ReadFile) -> CachedFile {
        let mut state = self.state.borrow_mut();
        let id = state.next_file;
        state.next_file += 2;
        CachedFile { cache: self.clone(), file: Rc::new(file), id }
    }

    fn get(&self, key: Key) -> Option<Rc<[u8]>> {
        let mut state = self.state.borrow_mut();
        let found = state.entries.get_mut(&key).map(|entry| {
            entry.uses = (entry.uses + 1).min(USES_MAX);
            Rc::clone(&entry.bytes)
        });
        if found.is_some() {
            state.hits += 1;
        } else {
            state.misses += 1;
        }
        found
    }

    fn put(&self, key: Key, bytes: Rc<[u8]>) {
        let cost = bytes.len() + ENTRY_BYTES;
        if cost > self.budget / 4 {
            return;
        }
        let mut state = self.state.borrow_mut();
        if state.entries.contains_key(&key) {
            return;
        }
        let in_main = state.ghost_keys.remove(&key);
        if in_main {
            state.main.push_back(key);
            state.main_bytes += cost;
        } else {
            state.small.push_back(key);
            state.small_bytes += cost;
        }
        state.entries.insert(key, Entry { bytes, uses: 0, in_main });
        state.shrink(self.budget);
    }
}

impl State {
    fn shrink(&mut self, budget: usize) {
        while self.small_bytes + self.main_bytes > budget {
            let from_small = self.small_bytes * 100 > budget * SMALL_PERCENT || self.main.is_empty();
            let queue = if from_small { &mut self.small } else { &mut self.main };
            let Some(key) = queue.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let cost = entry.bytes.len() + ENTRY_BYTES;
            if entry.uses > 0 {
                entry.uses = if from_small { 0 } else { entry.uses - 1 };
                if from_small {
                    entry.in_main = true;
                    self.small_bytes -= cost;
                    self.main_bytes += cost;
                }
                self.main.push_back(key);
                continue;
            }
            self.entries.remove(&key);
            if from_small {
                self.small_bytes -= cost;
                self.remember(key);
            } else {
                self.main_bytes -= cost;
            }
        }
    }

    fn remember(&mut self, key: Key) {
        if self.ghost_keys.insert(key) {
            self.ghosts.push_back(key);
        }
        while self.ghosts.len() > self.entries.len() + 64 {
            if let Some(oldest) = self.ghosts.pop_front() {
                self.ghost_keys.remove(&oldest);
            }
        }
    }

    /// Drops what belongs to a file that is gone.
    fn forget(&mut self, file: u64) {
        let (mut small, mut main) = (0, 0);
        self.entries.retain(|key, entry| {
            if key.0 & !1 == file {
                let place = if entry.in_main { &mut main } else { &mut small };
                *place += entry.bytes.len() + ENTRY_BYTES;
            }
            key.0 & !1 != file
        });
        self.small_bytes -= small;
        self.main_bytes -= main;
        self.small.retain(|key| key.0 & !1 != file);
        self.main.retain(|key| key.0 & !1 != file);
    }
}

/// An immutable file behind the cache. Dropped, its pieces leave the cache.
pub struct CachedFile {
    cache: Cache,
    file: Rc<ReadFile>,
    id: u64,
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        self.cache.state.borrow_mut().forget(self.id);
    }
}

impl CachedFile {
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        self.file.path()
    }

    #[expect(clippy::len_without_is_empty, reason = "an empty file is as good as any other")]
    #[must_use]
    pub fn len(&self) -> u64 {
        self.file.len()
    }

    /// Pieces of a file are cached apart from its pages.
    const fn pieces(&self) -> u64 {
        self.id + 1
    }

    /// A piece that is always asked for with the same bounds.
    pub async fn piece(&self, offset: u64, len: usize) -> Result<Rc<[u8]>> {
        let key = (self.pieces(), offset);
        if let Some(found) = self.cache.get(key).filter(|found| found.len() == len) {
            return Ok(found);
        }
        let bytes: Rc<[u8]> = self.file.read(offset, len, |bytes: &[u8]| Rc::from(bytes)).await?;
        self.cache.put(key, Rc::clone(&bytes));
        Ok(bytes)
    }

    /// Loads the pages that the extents (offset, length) touch, many at once.
    pub async fn load(&self, extents: impl IntoIterator<Item = (u64, usize)>) -> Result<Loaded> {
        let page_len = PAGE_LEN as u64;
        let mut numbers: Vec<u64> = Vec::new();
        for (offset, len) in extents {
            let end = offset.saturating_add(len as u64).min(self.len());
            if offset < end {
                numbers.extend(offset / page_len..end.div_ceil(page_len));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        let mut pages = HashMap::with_capacity(numbers.len());
        let mut missing: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            if let Some(page) = self.cache.get((self.id, number * page_len)) {
                pages.insert(number, page);
                continue;
            }
            match missing.last_mut() {
                Some((first, end))
                    if *end == number && (number - *first) < (READ_LEN_MAX as u64 / page_len) =>
                {
                    *end = number + 1;
                }
                _ => missing.push((number, number + 1)),
            }
        }
        for group in missing.chunks(READS_MAX) {
            let reads = group.iter().map(|(first, end)| self.read_pages(*first, *end));
            for read in join_all(reads).await {
                for (number, page) in read? {
                    self.cache.put((self.id, number * page_len), Rc::clone(&page));
                    pages.insert(number, page);
                }
            }
        }
        Ok(Loaded { pages })
    }

    async fn read_pages(&self, first: u64, end: u64) -> Result<Vec<(u64, Rc<[u8]>)>> {
        let offset = first * PAGE_LEN as u64;
        let len = (end * PAGE_LEN as u64).min(self.len()).saturating_sub(offset);
        let cut = |bytes: &[u8]| (first..).zip(bytes.chunks(PAGE_LEN).map(Rc::from)).collect::<Vec<_>>();
        self.file.read(offset, usize::try_from(len).unwrap_or(0), cut).await
    }
}

/// Pages of one file, held while they are needed.
#[derive(Default)]
pub struct Loaded {
    pages: HashMap<u64, Rc<[u8]>>,
}

impl Loaded {
    /// The bytes of an extent that was loaded; `scratch` is used where they span pages. `None` if
    /// they are not all there.
    #[must_use]
    pub fn get<'a>(&'a self, offset: u64, len: usize, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let number = offset / PAGE_LEN as u64;
        let at = usize::try_from(offset % PAGE_LEN as u64).ok()?;
        if at + len <= PAGE_LEN {
            return self.pages.get(&number)?.get(at..at + len);
        }
        scratch.clear();
        let (mut number, mut at) = (number, at);
        while scratch.len() < len {
            let page = self.pages.get(&number)?;
            let rest = page.get(at..)?;
            let wanted = (len - scratch.len()).min(rest.len());
            if wanted == 0 {
                return None;
            }
            scratch.extend_from_slice(rest.get(..wanted)?);
            number += 1;
            at = 0;
        }
        Some(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Disk;
    use crate::io::sim::SimDisk;
    use futures_lite::future::block_on;
    use std::path::Path;

    fn file(cache: &Cache, len: usize) -> (CachedFile, Vec<u8>) {
        let disk = Disk::Sim(SimDisk::new(1));
        let bytes: Vec<u8> = (0..len).map(|index| (index / 7) as u8).collect();
        disk.write_small(Path::new("/d/file"), &bytes).unwrap();
        (cache.adopt(block_on(disk.open_read(Path::new("/d/file"))).unwrap()), bytes)
    }

    #[test]
    fn extents_are_read_across_pages() {
        let cache = Cache::new(1 << 20);
        let (file, bytes) = file(&cache, 100_000);
        let extents = [(0, 5), (16_380, 10), (30_000, 50_000), (99_999, 1)];
        for _ in 0..2 {
            let loaded = block_on(file.load(extents)).unwrap();
            for (offset, len) in extents {
                let mut scratch = Vec::new();
                let read = loaded.get(offset, len, &mut scratch);
                assert_eq!(read, Some(&bytes[offset as usize..offset as usize + len]));
            }
        }
        assert!(cache.metrics().hits > 0);
        drop(file);
        assert_eq!(cache.metrics().bytes, 0);
    }

    #[test]
    fn the_budget_holds_and_what_is_used_stays() {
        let cache = Cache::new(64 << 10);
        let (file, _) = file(&cache, 4 << 20);
        block_on(file.piece(0, 1000)).unwrap();
        for offset in (1000..4_000_000).step_by(1000) {
            block_on(file.piece(0, 1000)).unwrap();
            block_on(file.piece(offset, 1000)).unwrap();
        }
        assert!(cache.metrics().bytes <= 64 << 10);
        assert!(cache.metrics().misses <= 4001, "the piece in use was read again");
    }
}
