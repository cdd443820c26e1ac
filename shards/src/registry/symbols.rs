//! Interned byte strings: each kept once in an arena, named by a 32-bit id.
//!
//! Ids are dense and used again after removal. The table keeps ids only; an entry keeps 32 bits of
//! its hash, so that the table grows without reading the strings.

use hashbrown::HashTable;

use crate::arena::{Pages, SliceArena};

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u32,
    /// 0 for an id that is free.
    len: u32,
    hash: u32,
}

/// Set of byte strings, none of them empty.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    bytes: SliceArena<u8, 8>,
    entries: Pages<Entry, 1024>,
    table: HashTable<u32>,
    free: Vec<u32>,
    hasher: ahash::RandomState,
}

/// The table wants 64 bits; the upper ones of a product depend on all of the 32.
const fn widen(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Symbols {
    #[inline]
    fn find(&self, hash: u32, bytes: &[u8]) -> Option<u32> {
        let found = self.table.find(widen(hash), |id| {
            self.entries.get(*id).is_some_and(|entry| {
                entry.hash == hash && self.bytes.get(entry.bytes, entry.len as usize) == bytes
            })
        });
        found.copied()
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u32 {
        self.hasher.hash_one(bytes) as u32
    }

    /// Id of a string, if it is in the set.
    #[inline]
    pub(super) fn lookup(&self, bytes: &[u8]) -> Option<u32> {
        self.find(self.hash(bytes), bytes)
    }

    /// Id of a string, and whether it is new.
    pub(super) fn intern(&mut self, bytes: &[u8]) -> (u32, bool) {
        let hash = self.hash(bytes);
        if let Some(id) = self.find(hash, bytes) {
            return (id, false);
        }
        let entry = Entry { bytes: self.bytes.alloc(bytes), len: bytes.len() as u32, hash };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.entries.get_mut(id) {
                    *place = entry;
                }
                id
            }
            None => self.entries.push(entry),
        };
        let entries = &self.entries;
        let hash_of = |id: &u32| widen(entries.get(*id).map_or(0, |entry| entry.hash));
        self.table.insert_unique(widen(hash), id, hash_of);
        (id, true)
    }

    /// The string of an id; empty for an id that is free.
    #[inline]
    pub(super) fn get(&self, id: u32) -> &[u8] {
        self.entries.get(id).map_or(&[], |entry| self.bytes.get(entry.bytes, entry.len as usize))
    }

    /// Takes a string out of the set.
    pub(super) fn remove(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.len > 0) else { return };
        let removed = std::mem::replace(entry, Entry { bytes: 0, len: 0, hash: 0 });
        self.bytes.free(removed.bytes, removed.len as usize);
        if let Ok(found) = self.table.find_entry(widen(removed.hash), |candidate| *candidate == id) {
            found.remove();
        }
        self.free.push(id);
    }

    /// Strings in the set.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.memory_bytes()
            + self.entries.memory_bytes()
            + self.table.allocation_size()
            + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn equals_a_map_and_uses_ids_again(steps in proptest::collection::vec(("[a-c]{1,3}", any::<bool>()), 0..300)) {
            let mut symbols = Symbols::default();
            let mut model: BTreeMap<String, u32> = BTreeMap::new();
            let mut most = 0;
            for (text, keep) in steps {
                if keep {
                    let (id, new) = symbols.intern(text.as_bytes());
                    prop_assert_eq!(new, !model.contains_key(&text));
                    model.insert(text, id);
                    most = most.max(model.len());
                    prop_assert!((id as usize) < most);
                } else if let Some(id) = model.remove(&text) {
                    symbols.remove(id);
                    prop_assert_eq!(symbols.get(id), b"");
                    prop_assert_eq!(symbols.lookup(text.as_bytes()), None);
                }
            }
            prop_assert_eq!(symbols.len(), model.len());
            for (text, id) in model {
                prop_assert_eq!(symbols.get(id), text.as_bytes());
                prop_assert_eq!(symbols.lookup(text.as_bytes()), Some(id));
            }
        }
    }
}
