//! The shard's series: by key, by number and by label.
//!
//! Lives on the shard's core; no I/O and no interior mutability. Every live series has a dense
//! number ([`SeriesRef`]), its key in a table built for lookups of many keys at once ([`table`]),
//! its labels as a list of interned pairs ([`pairs`]), and a place in the posting list of each of
//! its pairs ([`crate::index`]).
//!
//! Invariant: a series is in all of these or in none, and a pair exists as long as a series has it.

pub mod file;
mod load;
mod order;
mod pairs;
mod source;
mod symbols;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::arena::{Pages, SliceArena};
use crate::codec::prefetch::prefetch;
use crate::index::{self, MemoryIndex, PostingsSource, PostingsView};
use crate::limits::{LABELS_MAX, SERIES_MAX};
use crate::model::{Labels, Matcher, SeriesKey, SeriesRef};

pub use order::Ranks;
use pairs::{Pairs, label_slices};
use table::KeyTable;

/// How many keys ahead of its use memory is asked for.
const AHEAD: usize = 16;

/// Why a series cannot be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    #[error("no more series numbers")]
    Full,
    #[error("the number or the key belongs to another series")]
    Taken,
    #[error("the label bytes are damaged")]
    Labels,
}

/// Bytes held, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryMemory {
    /// Interned names and values.
    pub pairs: usize,
    /// Keys and label lists by series number.
    pub series: usize,
    /// Table from key to number.
    pub table: usize,
    /// Posting lists.
    pub postings: usize,
}

impl RegistryMemory {
    #[must_use]
    pub const fn total(&self) -> usize {
        self.pairs + self.series + self.table + self.postings
    }
}

/// Where the label list of a series lies; no labels for a number that is free.
#[derive(Debug, Clone, Copy)]
struct LabelList {
    at: u32,
    count: u16,
}

const NO_LABELS: LabelList = LabelList { at: 0, count: 0 };

/// All series of a shard.
#[derive(Debug, Default)]
pub struct Registry {
    table: KeyTable,
    keys: Pages<SeriesKey, 4096>,
    lists: Pages<LabelList, 4096>,
    pair_lists: SliceArena<u32, 1>,
    /// Numbers that were free at some time; those in use by now are skipped.
    free: Vec<u32>,
    pairs: Pairs,
    index: MemoryIndex,
    /// Pair list of the series at hand.
    scratch: Vec<u32>,
    ranks: Arc<Ranks>,
    /// Numbers that may have no rank yet.
    unranked: Vec<u32>,
    /// Numbers that may not be in the series table on disk.
    unsaved: Vec<u32>,
    /// Numbers given up since the last checkpoint of the table began, and those before: they are
    /// free when no table on disk names them any more.
    forgotten: Vec<u32>,
    checkpointing: Vec<u32>,
}

impl Registry {
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: KeyTable::new(),
            keys: Pages::new(),
            lists: Pages::new(),
            pair_lists: SliceArena::new(),
            free: Vec::new(),
            pairs: Pairs::default(),
            index: MemoryIndex::default(),
            scratch: Vec::new(),
            ranks: Arc::default(),
            unranked: Vec::new(),
            unsaved: Vec::new(),
            forgotten: Vec::new(),
            checkpointing: Vec::new(),
        }
    }

    #[inline]
    fn has_key(&self, series: u32, key: SeriesKey) -> bool {
        self.keys.get(series) == Some(&key)
    }

    /// Number of the series with this key.
    #[inline]
    #[must_use]
    pub fn find(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.table.get(key, |series| self.has_key(series, key)).map(SeriesRef)
    }

    /// Looks up all keys at once; `out` is cleared and gets one entry per key.
    ///
    /// Asks for memory well before it is used, first the slots of the table, then the full keys of
    /// the series found there.
    pub fn lookup_many(&self, keys: &[SeriesKey], out: &mut Vec<Option<SeriesRef>>) {
        out.clear();
        out.reserve(keys.len());
        for key in keys.iter().take(2 * AHEAD) {
            self.table.prefetch(*key);
        }
        let mut candidates = [None; AHEAD];
        for (candidate, key) in candidates.iter_mut().zip(keys) {
            *candidate = self.candidate(*key);
        }
        for (index, key) in keys.iter().enumerate() {
            if let Some(later) = keys.get(index + 2 * AHEAD) {
                self.table.prefetch(*later);
            }
            let candidate = candidates[index % AHEAD];
            if let Some(soon) = keys.get(index + AHEAD) {
                candidates[index % AHEAD] = self.candidate(*soon);
            }
            out.push(match candidate {
                Some(series) if self.has_key(series, *key) => Some(SeriesRef(series)),
                Some(_) => self.find(*key),
                None => None,
            });
        }
    }

    /// A series that probably has this key; its full key is on its way.
    #[inline]
    fn candidate(&self, key: SeriesKey) -> Option<u32> {
        let candidate = self.table.candidate(key)?;
        if let Some(key) = self.keys.get(candidate) {
            prefetch(key);
        }
        Some(candidate)
    }

    /// Takes up a series at first sight under a number of the registry's choice. The label bytes
    /// are canonical and within the limits; a known key keeps its number.
    pub fn insert(&mut self, key: SeriesKey, label_bytes: &[u8]) -> Result<SeriesRef, RegistryError> {
        if let Some(series) = self.find(key) {
            return Ok(series);
        }
        if !are_labels(label_bytes) {
            return Err(RegistryError::Labels);
        }
        let series = loop {
            match self.free.pop() {
                Some(number) if self.contains(SeriesRef(number)) => {}
                Some(number) => break SeriesRef(number),
                None if self.refs_end() >= SERIES_MAX => return Err(RegistryError::Full),
                None => break SeriesRef(self.refs_end()),
            }
        };
        self.add(series, key, label_bytes);
        self.unsaved.push(series.0);
        Ok(series)
    }

    /// Series that are not yet in the table on disk, as far as they were not asked for before.
    pub fn take_unsaved(&mut self) -> Vec<SeriesRef> {
        let unsaved = std::mem::take(&mut self.unsaved);
        unsaved.into_iter().map(SeriesRef).filter(|series| self.contains(*series)).collect()
    }

    /// Replay: takes up a series under the number it had. Doing so twice changes nothing.
    pub fn insert_at(
        &mut self,
        series: SeriesRef,
        key: SeriesKey,
        label_bytes: &[u8],
    ) -> Result<(), RegistryError> {
        match self.find(key) {
            Some(known) if known == series => return Ok(()),
            Some(_) => return Err(RegistryError::Taken),
            None if self.contains(series) || series.0 >= SERIES_MAX => return Err(RegistryError::Taken),
            None => {}
        }
        if !are_labels(label_bytes) {
            return Err(RegistryError::Labels);
        }
        self.add(series, key, label_bytes);
        self.unsaved.push(series.0);
        Ok(())
    }

    /// Replay of a later record: as [`Registry::insert_at`], but whoever has the number or the key
    /// was forgotten before that record was made, and is forgotten now.
    pub fn replace_at(
        &mut self,
        series: SeriesRef,
        key: SeriesKey,
        label_bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let outcome = self.insert_at(series, key, label_bytes);
        if outcome != Err(RegistryError::Taken) || series.0 >= SERIES_MAX {
            return outcome;
        }
        self.vacate(series, key);
        self.insert_at(series, key, label_bytes)
    }

    /// Forgets whoever has a number or a key.
    fn vacate(&mut self, series: SeriesRef, key: SeriesKey) {
        if let Some(former) = self.find(key) {
            self.forget(former);
        }
        if self.contains(series) {
            self.take_out(series);
        }
    }

    /// Takes a series whose number and key are free.
    fn add(&mut self, series: SeriesRef, key: SeriesKey, label_bytes: &[u8]) {
        debug_assert!(!self.contains(series), "number {} is taken", series.0);
        self.scratch.clear();
        for label in label_slices(label_bytes) {
            let pair = self.pairs.intern(label);
            self.scratch.push(pair);
            self.index.insert_pair(pair, self.pairs.name_of(pair), series.0);
        }
        self.index.insert(series.0);
        let list = self.keep_list();
        self.enter(series, key, list);
    }

    /// Keeps the pairs of the scratch list.
    fn keep_list(&mut self) -> LabelList {
        LabelList { at: self.pair_lists.alloc(&self.scratch), count: self.scratch.len() as u16 }
    }

    /// Enters a series under its number and its key.
    fn enter(&mut self, series: SeriesRef, key: SeriesKey, list: LabelList) {
        while self.refs_end() <= series.0 {
            if self.refs_end() < series.0 {
                self.free.push(self.refs_end());
            }
            self.keys.push(SeriesKey(0));
            self.lists.push(NO_LABELS);
        }
        if let (Some(key_place), Some(list_place)) =
            (self.keys.get_mut(series.0), self.lists.get_mut(series.0))
        {
            *key_place = key;
            *list_place = list;
        }
        self.table.insert(key, series.0);
        self.unranked.push(series.0);
    }

    /// Places of the series in label order, for those that [`Registry::rank_new`] has seen.
    #[must_use]
    pub fn ranks(&self) -> Arc<Ranks> {
        Arc::clone(&self.ranks)
    }

    /// Forgets a series; whether there was one. Nothing in memory or on disk may refer to it any
    /// more but the series table; its number is given to another one only after a checkpoint of
    /// the table that does not name it.
    pub fn forget(&mut self, series: SeriesRef) -> bool {
        let known = self.take_out(series);
        if known {
            self.forgotten.push(series.0);
        }
        known
    }

    /// Numbers that wait for a checkpoint.
    #[must_use]
    pub fn forgotten(&self) -> usize {
        self.forgotten.len() + self.checkpointing.len()
    }

    /// A checkpoint of the series table begins: it names the series that are known now.
    pub fn begin_checkpoint(&mut self) {
        self.checkpointing.append(&mut self.forgotten);
    }

    /// It is in place: what was forgotten before it began is named nowhere.
    pub fn end_checkpoint(&mut self) {
        self.free.append(&mut self.checkpointing);
    }

    /// Forgets a series; whether there was one. Its number is given to a later one, so nothing
    /// may refer to it any more.
    pub fn remove(&mut self, series: SeriesRef) -> bool {
        let known = self.take_out(series);
        if known {
            self.free.push(series.0);
        }
        known
    }

    fn take_out(&mut self, series: SeriesRef) -> bool {
        let Some(key) = self.key(series) else { return false };
        let Some(list) = self.lists.get_mut(series.0).map(|list| std::mem::replace(list, NO_LABELS)) else {
            return false;
        };
        let in_table = self.table.remove(key, series.0);
        assert!(in_table, "series {} is in the table", series.0);
        // One that is still being loaded is in no list yet.
        if self.index.all().contains(series.0) {
            for pair in self.pair_lists.get(list.at, usize::from(list.count)) {
                if self.index.remove_pair(*pair, self.pairs.name_of(*pair), series.0) {
                    self.pairs.remove(*pair);
                }
            }
        }
        self.pair_lists.free(list.at, usize::from(list.count));
        self.index.remove(series.0);
        true
    }

    #[inline]
    #[must_use]
    pub fn contains(&self, series: SeriesRef) -> bool {
        self.lists.get(series.0).is_some_and(|list| list.count > 0)
    }

    #[must_use]
    pub fn key(&self, series: SeriesRef) -> Option<SeriesKey> {
        if self.contains(series) { self.keys.get(series.0).copied() } else { None }
    }

    /// Pair ids of a series, in order of names.
    fn pairs_of(&self, series: u32) -> &[u32] {
        let list = self.lists.get(series).copied().unwrap_or(NO_LABELS);
        if list.count == 0 { &[] } else { self.pair_lists.get(list.at, usize::from(list.count)) }
    }

    /// Labels of a series; none if there is no such series.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Labels {
        let mut bytes = Vec::new();
        self.labels_into(series, &mut bytes);
        Labels::from_canonical_trusted(&bytes)
    }

    /// Appends the canonical label bytes of a series.
    pub fn labels_into(&self, series: SeriesRef, out: &mut Vec<u8>) {
        for pair in self.pairs_of(series.0) {
            out.extend_from_slice(self.pairs.label(*pair));
        }
    }

    /// Live series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the highest number ever used.
    #[must_use]
    pub fn refs_end(&self) -> u32 {
        self.lists.len() as u32
    }

    /// Live series in order of their numbers, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (SeriesRef, SeriesKey)> {
        let keyed = |series| self.keys.get(series).map(|key| (SeriesRef(series), *key));
        self.index.all().iter().filter_map(keyed)
    }

    /// Numbers of the series that satisfy every matcher; all series without any matcher.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        index::select(self, matchers)
    }

    /// Label names, sorted; of the given series only if `within` is given.
    #[must_use]
    pub fn label_names(&self, within: Option<&RoaringBitmap>) -> Vec<String> {
        let wanted = |name: u32| within.is_none_or(|within| self.index.of_name(name).intersects(within));
        let mut names: Vec<String> =
            self.pairs.names().filter(|(name, _)| wanted(*name)).map(|(_, text)| text.to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Values of one label, sorted; of the given series only if `within` is given.
    #[must_use]
    pub fn label_values(&self, name: &str, within: Option<&RoaringBitmap>) -> Vec<String> {
        let mut values = BTreeSet::new();
        match within {
            Some(within) if within.len() < self.value_count(name) as u64 => {
                values.extend(within.iter().map(|series| self.value_of(series, name)));
                values.remove("");
            }
            _ => self.for_each_value(name, &mut |value, postings: PostingsView<'_>| {
                if within.is_none_or(|within| postings.intersects(within)) {
                    values.insert(value);
                }
            }),
        }
        values.into_iter().map(str::to_owned).collect()
    }

    /// Distinct pairs of name and value.
    #[must_use]
    pub fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    /// Bytes held; takes a walk over all posting lists.
    #[must_use]
    pub fn memory(&self) -> RegistryMemory {
        RegistryMemory {
            pairs: self.pairs.memory_bytes(),
            series: self.keys.memory_bytes()
                + self.lists.memory_bytes()
                + self.pair_lists.memory_bytes()
                + (self.free.capacity() + self.unranked.capacity() + self.unsaved.capacity())
                    * size_of::<u32>()
                + self.ranks.memory_bytes(),
            table: self.table.memory_bytes(),
            postings: self.index.memory_bytes(),
        }
    }

    /// Total of [`Registry::memory`].
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory().total()
    }
}

/// Whether bytes are a sequence of labels as far as their lengths tell.
fn are_labels(label_bytes: &[u8]) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for label in label_slices(label_bytes) {
        count += 1;
        bytes += label.len();
    }
    (1..=LABELS_MAX).contains(&count) && bytes == label_bytes.len()
}

#[cfg(test)]
mod tests;
