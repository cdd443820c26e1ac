//! Series keys to series numbers: open addressing, made for lookups of many keys at once.
//!
//! A slot is 8 bytes: 32 bits of the key and the number; the whole key is compared where the
//! number leads. The home of a slot is its tag scaled to the capacity, so slots lie in order of
//! their tags but for collisions, and growing is one pass over both tables that reads no keys.

use crate::codec::prefetch::prefetch_at;
use crate::model::SeriesKey;

/// Number that marks an empty slot; no series has it.
const EMPTY: u32 = u32::MAX;
const CAPACITY_MIN: usize = 64;
/// The table grows when more than this share of its slots, in eighths, is taken.
const LOAD_EIGHTHS_MAX: usize = 5;

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    series: u32,
}

/// Table of the numbers of all live series.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    slots: Vec<Slot>,
    len: usize,
}

/// The part of a key that the table keeps; independent of the half that chose the shard.
#[inline]
const fn tag(key: SeriesKey) -> u32 {
    (key.0 as u64 >> 32) as u32
}

impl KeyTable {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 < self.slots.len() { at + 1 } else { 0 }
    }

    /// Slot and number of the first series from the home of `key` on that has its tag and for
    /// which `is_it` holds. Ends at an empty slot, of which there is always one.
    #[inline]
    fn find(&self, key: SeriesKey, is_it: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let tag = tag(key);
        let mut at = self.home(tag);
        loop {
            let slot = self.slots.get(at)?;
            if slot.series == EMPTY {
                return None;
            }
            if slot.tag == tag && is_it(slot.series) {
                return Some((at, slot.series));
            }
            at = self.next(at);
        }
    }

    /// Starts loading the slots of a key.
    #[inline]
    pub(super) fn prefetch(&self, key: SeriesKey) {
        prefetch_at(&self.slots, self.home(tag(key)));
    }

    /// A series that probably has this key.
    #[inline]
    pub(super) fn candidate(&self, key: SeriesKey) -> Option<u32> {
        self.find(key, |_| true).map(|(_, series)| series)
    }

    /// The series for which `is_it` holds among those with the tag of `key`.
    #[inline]
    pub(super) fn get(&self, key: SeriesKey, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.find(key, is_it).map(|(_, series)| series)
    }

    /// Adds a series whose key is not in the table.
    pub(super) fn insert(&mut self, key: SeriesKey, series: u32) {
        assert!(series != EMPTY, "the last number means none");
        if (self.len + 1) * 8 > self.slots.len() * LOAD_EIGHTHS_MAX {
            self.grow();
        }
        self.len += 1;
        self.place(Slot { tag: tag(key), series });
    }

    fn place(&mut self, slot: Slot) {
        let mut at = self.home(slot.tag);
        while let Some(there) = self.slots.get_mut(at) {
            if there.series == EMPTY {
                *there = slot;
                return;
            }
            at = self.next(at);
        }
    }

    fn grow(&mut self) {
        let capacity = (self.slots.len() + self.slots.len() / 2).max(CAPACITY_MIN);
        let empty = Slot { tag: 0, series: EMPTY };
        let slots = std::mem::replace(&mut self.slots, vec![empty; capacity]);
        for slot in slots {
            if slot.series != EMPTY {
                self.place(slot);
            }
        }
    }

    /// Takes out a series. What follows it moves up, so no marks of deleted slots pile up.
    pub(super) fn remove(&mut self, key: SeriesKey, series: u32) -> bool {
        let Some((mut hole, _)) = self.find(key, |candidate| candidate == series) else { return false };
        self.len -= 1;
        let mut at = hole;
        loop {
            at = self.next(at);
            let Some(slot) = self.slots.get(at).copied().filter(|slot| slot.series != EMPTY) else { break };
            let home = self.home(slot.tag);
            // It may move to the hole unless its home lies behind the hole, up to where it is.
            let stays = if hole <= at { hole < home && home <= at } else { hole < home || home <= at };
            if !stays {
                if let Some(place) = self.slots.get_mut(hole) {
                    *place = slot;
                }
                hole = at;
            }
        }
        if let Some(place) = self.slots.get_mut(hole) {
            place.series = EMPTY;
        }
        true
    }

    /// Series in the table.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn equals_a_map_under_insertions_and_removals(
            steps in proptest::collection::vec((0u32..300, any::<bool>(), 0u32..4), 0..600)
        ) {
            // Keys of few tags, some at the very end, so that runs collide and wrap around.
            let key = |number: u32, spread: u32| {
                let tag = [number % 3, u32::MAX - number % 3, number << 20, number][spread as usize];
                SeriesKey(u128::from(u64::from(tag) << 32 | u64::from(number)))
            };
            let mut table = KeyTable::new();
            let mut model: BTreeMap<u32, SeriesKey> = BTreeMap::new();
            for (number, insert, spread) in steps {
                if insert {
                    if let std::collections::btree_map::Entry::Vacant(entry) = model.entry(number) {
                        let key = *entry.insert(key(number, spread));
                        table.insert(key, number);
                    }
                } else if let Some(key) = model.remove(&number) {
                    prop_assert!(table.remove(key, number));
                    prop_assert!(!table.remove(key, number));
                }
                prop_assert_eq!(table.len, model.len());
            }
            for number in 0..300 {
                match model.get(&number) {
                    Some(key) => prop_assert_eq!(table.get(*key, |series| series == number), Some(number)),
                    None => for spread in 0..4 {
                        prop_assert_eq!(table.get(key(number, spread), |series| series == number), None);
                    },
                }
            }
        }
    }
}
