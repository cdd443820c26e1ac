//! Label pairs, each kept once, with the series that have them.
//!
//! A pair is kept as its canonical bytes, so that the labels of a series are its pairs' bytes one
//! after the other.

use ahash::RandomState;
use hashbrown::{HashMap, HashTable};
use roaring::RoaringBitmap;

use crate::codec::Cursor;
use crate::index::{Postings, PostingsSource};
use crate::paged::PagedVec;

/// Number of a label pair.
pub(super) type PairId = u32;

#[derive(Debug)]
struct Pair {
    bytes: Box<[u8]>,
    postings: Postings,
}

/// Interned label pairs.
#[derive(Debug, Default)]
pub(super) struct PairTable {
    /// `None`: free for another pair.
    pairs: PagedVec<Option<Pair>>,
    free: Vec<PairId>,
    by_bytes: HashTable<PairId>,
    by_name: HashMap<Box<str>, Vec<PairId>, RandomState>,
    hasher: RandomState,
    /// Heap bytes of the pairs' own bytes.
    text_bytes: usize,
    pub(super) all: RoaringBitmap,
}

/// Name and value of a pair's canonical bytes.
fn split(bytes: &[u8]) -> (&str, &str) {
    let mut cursor = Cursor::new(bytes);
    let mut read = || {
        cursor.u8().ok()?;
        cursor.uvarint().ok()?;
        cursor.u8().ok()?;
        let name = std::str::from_utf8(cursor.length_prefixed().ok()?).ok()?;
        cursor.u8().ok()?;
        Some((name, std::str::from_utf8(cursor.length_prefixed().ok()?).ok()?))
    };
    read().unwrap_or_default()
}

impl PairTable {
    fn pair(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id as usize)?.as_ref()
    }

    pub(super) fn bytes(&self, id: PairId) -> &[u8] {
        self.pair(id).map_or(&[], |pair| &pair.bytes)
    }

    /// Adds a series to the pair with these bytes, which is made where it is new.
    pub(super) fn add(&mut self, bytes: &[u8], series: u32) -> PairId {
        let hash = self.hasher.hash_one(bytes);
        let pairs = &self.pairs;
        let is_same = |id: &PairId| {
            pairs.get(*id as usize).and_then(Option::as_ref).is_some_and(|pair| *pair.bytes == *bytes)
        };
        if let Some(id) = self.by_bytes.find(hash, is_same) {
            let id = *id;
            if let Some(Some(pair)) = self.pairs.get_mut(id as usize) {
                pair.postings.insert(series);
            }
            return id;
        }
        let pair = Pair { bytes: bytes.into(), postings: Postings::one(series) };
        self.text_bytes += bytes.len();
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(slot) = self.pairs.get_mut(id as usize) {
                    *slot = Some(pair);
                }
                id
            }
            None => self.pairs.push(Some(pair)) as PairId,
        };
        let (pairs, hasher) = (&self.pairs, &self.hasher);
        self.by_bytes.insert_unique(hash, id, |id| {
            hasher.hash_one(
                pairs.get(*id as usize).and_then(Option::as_ref).map_or(&[][..], |pair| &pair.bytes),
            )
        });
        let (name, _) = split(bytes);
        match self.by_name.get_mut(name) {
            Some(ids) => ids.push(id),
            None => {
                self.by_name.insert(name.into(), vec![id]);
            }
        }
        id
    }

    /// Takes a series out of a pair; a pair without series goes.
    pub(super) fn remove(&mut self, id: PairId, series: u32) {
        let Some(slot) = self.pairs.get_mut(id as usize) else { return };
        let Some(pair) = slot else { return };
        if !pair.postings.remove(series) {
            return;
        }
        let Some(pair) = slot.take() else { return };
        self.text_bytes -= pair.bytes.len();
        let hash = self.hasher.hash_one(&*pair.bytes);
        if let Ok(entry) = self.by_bytes.find_entry(hash, |candidate| *candidate == id) {
            entry.remove();
        }
        let (name, _) = split(&pair.bytes);
        if let Some(ids) = self.by_name.get_mut(name) {
            ids.retain(|candidate| *candidate != id);
            if ids.is_empty() {
                self.by_name.remove(name);
            }
        }
        self.free.push(id);
    }

    /// Names of labels; of those series only where a set is given.
    pub(super) fn names<'a>(&'a self, among: Option<&'a RoaringBitmap>) -> impl Iterator<Item = &'a str> {
        self.by_name.iter().filter_map(move |(name, ids)| {
            let found = among.is_none_or(|set| {
                ids.iter().any(|id| self.pair(*id).is_some_and(|pair| pair.postings.meets(set)))
            });
            found.then_some(&**name)
        })
    }

    /// Values of a label, likewise.
    pub(super) fn values<'a>(
        &'a self,
        name: &str,
        among: Option<&'a RoaringBitmap>,
    ) -> impl Iterator<Item = &'a str> {
        let ids = self.by_name.get(name).map_or(&[][..], |ids| ids);
        ids.iter().filter_map(move |id| {
            let pair = self.pair(*id)?;
            among.is_none_or(|set| pair.postings.meets(set)).then(|| split(&pair.bytes).1)
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let postings: usize = self.pairs.iter().flatten().map(|pair| pair.postings.memory_bytes()).sum();
        let names: usize = self.by_name.values().map(|ids| ids.capacity() * size_of::<PairId>() + 48).sum();
        self.pairs.memory_bytes()
            + self.text_bytes
            + self.by_bytes.capacity() * (size_of::<PairId>() + 1)
            + postings
            + names
    }
}

impl PostingsSource for PairTable {
    fn all(&self) -> RoaringBitmap {
        self.all.clone()
    }

    fn postings(&self, name: &str, value: &str) -> Option<&Postings> {
        let mut bytes = Vec::with_capacity(name.len() + value.len() + 16);
        crate::model::label::put_label(&mut bytes, name, value);
        let hash = self.hasher.hash_one(&*bytes);
        let id = self.by_bytes.find(hash, |id| self.bytes(*id) == bytes)?;
        self.pair(*id).map(|pair| &pair.postings)
    }

    fn for_each_value(&self, name: &str, visit: &mut dyn FnMut(&str, &Postings)) {
        for id in self.by_name.get(name).map_or(&[][..], |ids| ids) {
            if let Some(pair) = self.pair(*id) {
                visit(split(&pair.bytes).1, &pair.postings);
            }
        }
    }
}
