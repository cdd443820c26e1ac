//! The series that have one label pair: a list while they are few, a bitmap when they are many.

use roaring::RoaringBitmap;

/// Longest list; above it a bitmap is smaller and faster.
const LIST_LEN_MAX: usize = 16;

/// A set of series numbers.
#[derive(Debug, Clone)]
pub enum Postings {
    One(u32),
    /// Sorted.
    List(Vec<u32>),
    Bitmap(Box<RoaringBitmap>),
}

impl Postings {
    #[must_use]
    pub const fn one(series: u32) -> Self {
        Self::One(series)
    }

    /// Adds a series; cheapest when numbers rise.
    pub fn insert(&mut self, series: u32) {
        match self {
            Self::One(only) if *only == series => {}
            Self::One(only) => {
                let mut list = vec![*only, series];
                list.sort_unstable();
                *self = Self::List(list);
            }
            Self::List(list) => {
                if let Err(at) = list.binary_search(&series) {
                    list.insert(at, series);
                }
                if list.len() > LIST_LEN_MAX {
                    *self = Self::Bitmap(Box::new(list.iter().copied().collect()));
                }
            }
            Self::Bitmap(bitmap) => {
                bitmap.insert(series);
            }
        }
    }

    /// Takes a series out; says whether none is left.
    #[must_use]
    pub fn remove(&mut self, series: u32) -> bool {
        match self {
            Self::One(only) => *only == series,
            Self::List(list) => {
                list.retain(|candidate| *candidate != series);
                list.is_empty()
            }
            Self::Bitmap(bitmap) => {
                bitmap.remove(series);
                bitmap.is_empty()
            }
        }
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::One(_) => 1,
            Self::List(list) => list.len() as u64,
            Self::Bitmap(bitmap) => bitmap.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds all of these series to a set.
    pub fn add_to(&self, set: &mut RoaringBitmap) {
        match self {
            Self::One(only) => {
                set.insert(*only);
            }
            Self::List(list) => set.extend(list.iter().copied()),
            Self::Bitmap(bitmap) => *set |= &**bitmap,
        }
    }

    /// Leaves of a set only these series.
    pub fn intersect(&self, set: &mut RoaringBitmap) {
        match self {
            Self::One(only) => {
                let kept = set.contains(*only);
                set.clear();
                if kept {
                    set.insert(*only);
                }
            }
            Self::List(list) => *set = list.iter().copied().filter(|series| set.contains(*series)).collect(),
            Self::Bitmap(bitmap) => *set &= &**bitmap,
        }
    }

    /// Takes these series out of a set.
    pub fn subtract_from(&self, set: &mut RoaringBitmap) {
        match self {
            Self::One(only) => {
                set.remove(*only);
            }
            Self::List(list) => {
                for series in list {
                    set.remove(*series);
                }
            }
            Self::Bitmap(bitmap) => *set -= &**bitmap,
        }
    }

    /// Whether any of these series is in a set.
    #[must_use]
    pub fn meets(&self, set: &RoaringBitmap) -> bool {
        match self {
            Self::One(only) => set.contains(*only),
            Self::List(list) => list.iter().any(|series| set.contains(*series)),
            Self::Bitmap(bitmap) => !bitmap.is_disjoint(set),
        }
    }

    /// Heap bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::List(list) => list.capacity() * size_of::<u32>(),
            Self::Bitmap(bitmap) => {
                let statistics = bitmap.statistics();
                size_of::<RoaringBitmap>()
                    + statistics.n_containers as usize * 32
                    + statistics.n_bytes_array_containers as usize
                    + statistics.n_bytes_bitset_containers as usize
                    + statistics.n_bytes_run_containers as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(first in 0u32..60, steps in proptest::collection::vec((any::<bool>(), 0u32..60), 0..80), other in proptest::collection::btree_set(0u32..60, 0..40)) {
            let mut postings = Postings::one(first);
            let mut model = BTreeSet::from([first]);
            for (insert, series) in steps {
                if insert {
                    postings.insert(series);
                    model.insert(series);
                } else {
                    model.remove(&series);
                    if postings.remove(series) {
                        prop_assert!(model.is_empty());
                        return Ok(());
                    }
                }
            }
            prop_assert_eq!(postings.len(), model.len() as u64);
            let other_set: RoaringBitmap = other.iter().copied().collect();
            let mut set = other_set.clone();
            postings.add_to(&mut set);
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), &model | &other);
            let mut set = other_set.clone();
            postings.intersect(&mut set);
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), &model & &other);
            let mut set = other_set.clone();
            postings.subtract_from(&mut set);
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), &other - &model);
            prop_assert_eq!(postings.meets(&other_set), !model.is_disjoint(&other));
        }
    }
}
