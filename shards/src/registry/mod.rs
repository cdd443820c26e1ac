//! The series of a shard: numbers, keys, labels, and which series have which labels.
//!
//! Numbers are dense, given in order and given again after a series was removed. Lives on its
//! shard's core; does no I/O.

pub mod file;
mod pairs;
mod table;
#[cfg(test)]
mod tests;

use roaring::RoaringBitmap;

use self::pairs::{PairId, PairTable};
use self::table::KeyTable;
use crate::codec::Cursor;
use crate::codec::prefetch::prefetch;
use crate::index::lookup;
use crate::limits::SERIES_MAX;
use crate::model::{Labels, Matcher, SeriesKey, SeriesRef};
use crate::paged::PagedVec;

/// How far ahead of its use memory is asked for.
const AHEAD: usize = 16;

/// Why a series cannot be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    #[error("no more series numbers")]
    Full,
    #[error("the number belongs to another series")]
    Taken,
    #[error("the label bytes are damaged")]
    Labels,
}

#[derive(Debug)]
struct Entry {
    key: SeriesKey,
    /// Empty: the number is free.
    pairs: Box<[PairId]>,
}

impl Entry {
    fn free() -> Self {
        Self { key: SeriesKey(0), pairs: Box::default() }
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Registry {
    table: KeyTable,
    entries: PagedVec<Entry>,
    pairs: PairTable,
    free: Vec<SeriesRef>,
    live: usize,
    pair_list_bytes: usize,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: KeyTable::new(),
            entries: PagedVec::default(),
            pairs: PairTable::default(),
            free: Vec::new(),
            live: 0,
            pair_list_bytes: 0,
        }
    }

    /// Series that are there.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    fn entry(&self, series: SeriesRef) -> Option<&Entry> {
        self.entries.get(series.index()).filter(|entry| !entry.pairs.is_empty())
    }

    #[must_use]
    pub fn contains(&self, series: SeriesRef) -> bool {
        self.entry(series).is_some()
    }

    #[inline]
    fn has_key(&self, series: SeriesRef, key: SeriesKey) -> bool {
        self.entries.get(series.index()).is_some_and(|entry| entry.key == key)
    }

    #[must_use]
    pub fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.table.find(key, |series| self.has_key(series, key))
    }

    /// Looks up all keys; `found` gets one item per key. Memory is asked for well before it is
    /// used, first the slots, then the keys to compare with.
    pub fn lookup_many(&self, keys: &[SeriesKey], found: &mut Vec<Option<SeriesRef>>) {
        found.clear();
        for key in keys.iter().take(2 * AHEAD) {
            self.table.prefetch(*key);
        }
        for (index, key) in keys.iter().enumerate() {
            if let Some(later) = keys.get(index + 2 * AHEAD) {
                self.table.prefetch(*later);
            }
            if let Some(entry) = keys
                .get(index + AHEAD)
                .and_then(|soon| self.table.candidate(*soon))
                .and_then(|series| self.entries.get(series.index()))
            {
                prefetch(entry);
            }
            found.push(self.find(*key));
        }
    }

    /// Takes up a series whose key is not there, under a number of the registry's choice.
    pub fn insert(&mut self, key: SeriesKey, labels: &[u8]) -> Result<SeriesRef, RegistryError> {
        let series = match self.free.last() {
            Some(series) => *series,
            None => SeriesRef(u32::try_from(self.entries.len()).map_err(|_| RegistryError::Full)?),
        };
        if series.0 >= SERIES_MAX {
            return Err(RegistryError::Full);
        }
        self.put(series, key, labels)?;
        if self.free.last() == Some(&series) {
            self.free.pop();
        }
        Ok(series)
    }

    /// Takes up a series under the number it had. Doing so twice changes nothing.
    pub fn insert_at(
        &mut self,
        series: SeriesRef,
        key: SeriesKey,
        labels: &[u8],
    ) -> Result<(), RegistryError> {
        if let Some(entry) = self.entry(series) {
            return if entry.key == key { Ok(()) } else { Err(RegistryError::Taken) };
        }
        if series.0 >= SERIES_MAX || self.find(key).is_some() {
            return Err(RegistryError::Taken);
        }
        let known = self.entries.len();
        self.put(series, key, labels)?;
        if series.index() < known {
            self.free.retain(|free| *free != series);
        } else {
            // Numbers that were skipped are free; the smallest is given out first.
            self.free.extend((known..series.index()).rev().map(|index| SeriesRef(index as u32)));
        }
        Ok(())
    }

    fn put(&mut self, series: SeriesRef, key: SeriesKey, labels: &[u8]) -> Result<(), RegistryError> {
        let ranges = label_ranges(labels).ok_or(RegistryError::Labels)?;
        self.entries.grow(series.index() + 1, Entry::free);
        let pairs: Box<[PairId]> = ranges.into_iter().map(|bytes| self.pairs.add(bytes, series.0)).collect();
        self.pair_list_bytes += pairs.len() * size_of::<PairId>();
        if let Some(entry) = self.entries.get_mut(series.index()) {
            *entry = Entry { key, pairs };
        }
        let entries = &self.entries;
        self.table.insert(key, series, |series| {
            entries.get(series.index()).map_or(SeriesKey(0), |entry| entry.key)
        });
        self.pairs.all.insert(series.0);
        self.live += 1;
        Ok(())
    }

    /// Lets a series go; its number may be given again.
    pub fn remove(&mut self, series: SeriesRef) {
        let Some(key) = self.entry(series).map(|entry| entry.key) else { return };
        let entries = &self.entries;
        self.table.remove(key, series, |series| {
            entries.get(series.index()).map_or(SeriesKey(0), |entry| entry.key)
        });
        let Some(entry) = self.entries.get_mut(series.index()) else { return };
        let entry = std::mem::replace(entry, Entry::free());
        for pair in &entry.pairs {
            self.pairs.remove(*pair, series.0);
        }
        self.pair_list_bytes -= entry.pairs.len() * size_of::<PairId>();
        self.pairs.all.remove(series.0);
        self.free.push(series);
        self.live -= 1;
    }

    /// Labels of a series; empty for one that is not there.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Labels {
        let mut bytes = Vec::with_capacity(256);
        if let Some(entry) = self.entry(series) {
            for pair in &entry.pairs {
                bytes.extend_from_slice(self.pairs.bytes(*pair));
            }
        }
        Labels::from_canonical_trusted(&bytes)
    }

    /// Series in order of their numbers, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (SeriesRef, SeriesKey)> {
        let numbered = (0..).map(SeriesRef).zip(self.entries.iter());
        numbered.filter(|(_, entry)| !entry.pairs.is_empty()).map(|(series, entry)| (series, entry.key))
    }

    /// The series that satisfy all matchers.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        lookup(&self.pairs, matchers)
    }

    /// Names of the labels of these series, or of all; unsorted.
    #[must_use]
    pub fn label_names(&self, among: Option<&RoaringBitmap>) -> Vec<String> {
        self.pairs.names(among).map(str::to_owned).collect()
    }

    /// Values of a label of these series, or of all; unsorted.
    #[must_use]
    pub fn label_values(&self, name: &str, among: Option<&RoaringBitmap>) -> Vec<String> {
        self.pairs.values(name, among).map(str::to_owned).collect()
    }

    /// Bytes of everything kept here.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
            + self.entries.memory_bytes()
            + self.pair_list_bytes
            + self.pairs.memory_bytes()
            + self.free.capacity() * size_of::<SeriesRef>()
    }
}

/// The bytes of each label of canonical label bytes; `None` where they are not such.
fn label_ranges(labels: &[u8]) -> Option<Vec<&[u8]>> {
    let mut cursor = Cursor::new(labels);
    let mut ranges = Vec::with_capacity(16);
    while !cursor.is_empty() {
        let start = cursor.position();
        cursor.u8().ok()?;
        cursor.length_prefixed().ok()?;
        ranges.push(labels.get(start..cursor.position())?);
    }
    (!ranges.is_empty()).then_some(ranges)
}
