//! Label order: where a series stands among all others by its canonical label bytes.
//!
//! Ranks are dense and computed anew when asked for; only the series that came since are sorted.
//! The order of two series never changes, so an older snapshot of the ranks stays right for the
//! series it knows.

use std::cmp::Ordering;

use roaring::RoaringBitmap;

use super::Registry;
use crate::model::SeriesRef;

/// No rank.
const NONE: u32 = u32::MAX;

/// Places of all series in label order at one moment. May go to other threads.
#[derive(Debug, Default)]
pub struct Ranks {
    by_number: Vec<u32>,
}

impl Ranks {
    #[inline]
    #[must_use]
    pub fn get(&self, series: SeriesRef) -> Option<u32> {
        self.by_number.get(series.index()).copied().filter(|rank| *rank != NONE)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.by_number.capacity() * size_of::<u32>()
    }
}

impl Registry {
    /// Gives every series a rank that has none.
    pub fn rank_new(&mut self) {
        if self.unranked.is_empty() {
            return;
        }
        let mut fresh = std::mem::take(&mut self.unranked);
        let mut seen = vec![false; self.refs_end() as usize];
        fresh.retain(|series| {
            let first = seen.get_mut(*series as usize).is_some_and(|seen| !std::mem::replace(seen, true));
            first && self.contains(SeriesRef(*series))
        });
        self.sort(&mut fresh);
        // A number that was given away since has the rank of its former owner.
        let renamed: RoaringBitmap = fresh.iter().copied().collect();
        let mut known = self.ranked();
        known.retain(|series| !renamed.contains(*series));
        let mut by_number = vec![NONE; self.refs_end() as usize];
        let mut rank = 0;
        let mut put = |series: u32| {
            if let Some(place) = by_number.get_mut(series as usize) {
                *place = rank;
                rank += 1;
            }
        };
        let mut rest = known.as_slice();
        for new in fresh {
            let before = gallop(rest, |series| self.compare(*series, new) == Ordering::Less);
            let (smaller, larger) = rest.split_at(before);
            smaller.iter().copied().for_each(&mut put);
            put(new);
            rest = larger;
        }
        rest.iter().copied().for_each(put);
        self.ranks = std::sync::Arc::new(Ranks { by_number });
    }

    /// Ranks the first `count` of the series without a rank; they are all there are, in label order.
    pub(super) fn rank_first(&mut self, count: usize) {
        let mut by_number = vec![NONE; self.refs_end() as usize];
        for (series, rank) in self.unranked.drain(..count.min(self.unranked.len())).zip(0..) {
            if let Some(place) = by_number.get_mut(series as usize) {
                *place = rank;
            }
        }
        self.ranks = std::sync::Arc::new(Ranks { by_number });
    }

    /// Sorts series by their labels. The labels that occur are sorted first, so that series are
    /// compared by the places of their labels: many have the same, and numbers compare fast.
    fn sort(&self, fresh: &mut [u32]) {
        let mut occurs = vec![false; self.pairs.end() as usize];
        for pair in fresh.iter().flat_map(|series| self.pairs_of(*series)) {
            if let Some(occurs) = occurs.get_mut(*pair as usize) {
                *occurs = true;
            }
        }
        let mut pairs: Vec<u32> =
            (0..self.pairs.end()).zip(occurs).filter_map(|(pair, it)| it.then_some(pair)).collect();
        pairs.sort_unstable_by(|left, right| self.pairs.label(*left).cmp(self.pairs.label(*right)));
        let mut places = vec![0_u32; self.pairs.end() as usize];
        for (pair, place) in pairs.iter().zip(0..) {
            if let Some(slot) = places.get_mut(*pair as usize) {
                *slot = place;
            }
        }
        let place = |pair: &u32| places.get(*pair as usize).copied().unwrap_or_default();
        // Nearly always the first labels decide: they stand beside the number. None comes before any.
        let first = |series: u32| {
            let mut labels = self.pairs_of(series).iter().map(|pair| u64::from(place(pair)) + 1);
            labels.next().unwrap_or(0) << 32 | labels.next().unwrap_or(0)
        };
        let mut keyed: Vec<(u64, u32)> = fresh.iter().map(|series| (first(*series), *series)).collect();
        keyed.sort_by(|(left_key, left), (right_key, right)| {
            let rest = |series: u32| self.pairs_of(series).iter().skip(2).map(place);
            left_key.cmp(right_key).then_with(|| rest(*left).cmp(rest(*right)))
        });
        for (slot, (_, series)) in fresh.iter_mut().zip(keyed) {
            *slot = series;
        }
    }

    /// The series that have a rank, in label order.
    fn ranked(&self) -> Vec<u32> {
        let mut by_rank = vec![NONE; self.ranks.by_number.len()];
        for (series, rank) in self.ranks.by_number.iter().enumerate() {
            let series = series as u32;
            if self.contains(SeriesRef(series))
                && let Some(place) = by_rank.get_mut(*rank as usize)
            {
                *place = series;
            }
        }
        by_rank.retain(|series| *series != NONE);
        by_rank
    }

    /// All series in label order.
    #[must_use]
    pub fn in_label_order(&mut self) -> Vec<SeriesRef> {
        self.rank_new();
        self.ranked().into_iter().map(SeriesRef).collect()
    }

    /// Compares two series by their canonical label bytes. Labels tell their own lengths, so the
    /// first that differs decides.
    pub(super) fn compare(&self, left: u32, right: u32) -> Ordering {
        let (left, right) = (self.pairs_of(left), self.pairs_of(right));
        let differing = left.iter().zip(right).find(|(left, right)| left != right);
        match differing {
            Some((left, right)) => self.pairs.label(*left).cmp(self.pairs.label(*right)),
            None => left.len().cmp(&right.len()),
        }
    }
}

/// How many items from the first on satisfy a predicate that holds for those of the beginning only.
/// Takes time by the logarithm of the answer.
fn gallop<T>(items: &[T], holds: impl Fn(&T) -> bool) -> usize {
    let mut step = 1;
    while items.get(step - 1).is_some_and(&holds) {
        step *= 2;
    }
    let (from, to) = (step / 2, items.len().min(step));
    from + items.get(from..to).unwrap_or_default().partition_point(holds)
}
