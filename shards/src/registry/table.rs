//! Hash table from series key to series number, built for looking up many keys at once.
//!
//! Open addressing with linear probing over 8-byte slots: 32 bits of the key and the number. The
//! whole key is then compared with that of the series, so a lookup touches two cache lines, and
//! both can be asked for ahead of time.

use crate::codec::prefetch::prefetch;
use crate::model::{SeriesKey, SeriesRef};

const EMPTY: u32 = u32::MAX;
const SLOTS_MIN: usize = 16;
/// The table grows when more than this share of the slots, in eighths, is taken.
const LOAD_EIGHTHS_MAX: usize = 6;

#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: u32,
    series: u32,
}

const FREE: Slot = Slot { tag: 0, series: EMPTY };

/// The table; keys are kept by the registry, by series number.
#[derive(Debug)]
pub(super) struct KeyTable {
    slots: Vec<Slot>,
    taken: usize,
}

impl KeyTable {
    pub(super) fn new() -> Self {
        Self { slots: vec![FREE; SLOTS_MIN], taken: 0 }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    const fn mask(&self) -> usize {
        self.slots.len() - 1
    }

    #[inline]
    const fn home(&self, key: SeriesKey) -> usize {
        key.0 as usize & self.mask()
    }

    #[inline]
    const fn tag(key: SeriesKey) -> u32 {
        (key.0 >> 64) as u32
    }

    /// Brings the slot of a key near.
    #[inline]
    pub(super) fn prefetch(&self, key: SeriesKey) {
        if let Some(slot) = self.slots.get(self.home(key)) {
            prefetch(slot);
        }
    }

    /// The first series under the key's tag: nearly always the right one. For prefetching only.
    #[inline]
    pub(super) fn candidate(&self, key: SeriesKey) -> Option<SeriesRef> {
        self.find(key, |_| true)
    }

    /// The series for which `is_key` confirms the key.
    #[inline]
    pub(super) fn find(&self, key: SeriesKey, is_key: impl Fn(SeriesRef) -> bool) -> Option<SeriesRef> {
        let tag = Self::tag(key);
        let mut at = self.home(key);
        loop {
            let slot = self.slots.get(at)?;
            if slot.series == EMPTY {
                return None;
            }
            if slot.tag == tag && is_key(SeriesRef(slot.series)) {
                return Some(SeriesRef(slot.series));
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a key that is not there. `key_of` gives the keys of the others when the table grows.
    pub(super) fn insert(
        &mut self,
        key: SeriesKey,
        series: SeriesRef,
        key_of: impl Fn(SeriesRef) -> SeriesKey,
    ) {
        assert_ne!(series.0, EMPTY, "this number means a free slot");
        if (self.taken + 1) * 8 > self.slots.len() * LOAD_EIGHTHS_MAX {
            let grown = vec![FREE; self.slots.len() * 2];
            let old = std::mem::replace(&mut self.slots, grown);
            for slot in old.into_iter().filter(|slot| slot.series != EMPTY) {
                self.place(key_of(SeriesRef(slot.series)), slot);
            }
        }
        self.place(key, Slot { tag: Self::tag(key), series: series.0 });
        self.taken += 1;
    }

    fn place(&mut self, key: SeriesKey, slot: Slot) {
        let mask = self.mask();
        let mut at = self.home(key);
        while let Some(there) = self.slots.get_mut(at) {
            if there.series == EMPTY {
                *there = slot;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Takes a key out and moves up those that had to make way for it.
    pub(super) fn remove(
        &mut self,
        key: SeriesKey,
        series: SeriesRef,
        key_of: impl Fn(SeriesRef) -> SeriesKey,
    ) {
        let mask = self.mask();
        let mut at = self.home(key);
        while let Some(slot) = self.slots.get(at) {
            if slot.series == EMPTY {
                return;
            }
            if slot.series == series.0 {
                break;
            }
            at = (at + 1) & mask;
        }
        let mut hole = at;
        let mut next = (at + 1) & mask;
        while let Some(slot) = self.slots.get(next).copied().filter(|slot| slot.series != EMPTY) {
            let home = self.home(key_of(SeriesRef(slot.series)));
            // The slot may move to the hole unless its home lies behind the hole.
            let distance_home = next.wrapping_sub(home) & mask;
            let distance_hole = next.wrapping_sub(hole) & mask;
            if distance_home >= distance_hole {
                if let Some(there) = self.slots.get_mut(hole) {
                    *there = slot;
                }
                hole = next;
            }
            next = (next + 1) & mask;
        }
        if let Some(there) = self.slots.get_mut(hole) {
            *there = FREE;
        }
        self.taken -= 1;
    }
}
