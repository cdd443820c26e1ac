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
        // The table on disk is in order for long stretches, which the sort makes use of.
        fresh.sort_by(|left, right| self.compare(*left, *right));
        // A number that was given away since has the rank of its former owner.
        let renamed: RoaringBitmap = fresh.iter().copied().collect();
        let mut known = self.ranked();
        known.retain(|series| !renamed.contains(*series));
        let mut by_number = vec![NONE; self.refs_end() as usize];
        let mut fresh = fresh.into_iter().peekable();
        let mut rank = 0;
        let mut put = |series: u32| {
            if let Some(place) = by_number.get_mut(series as usize) {
                *place = rank;
                rank += 1;
            }
        };
        for series in known {
            while let Some(new) = fresh.next_if(|new| self.compare(*new, series) == Ordering::Less) {
                put(new);
            }
            put(series);
        }
        fresh.for_each(put);
        self.ranks = std::sync::Arc::new(Ranks { by_number });
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
    fn compare(&self, left: u32, right: u32) -> Ordering {
        let (left, right) = (self.pairs_of(left), self.pairs_of(right));
        let differing = left.iter().zip(right).find(|(left, right)| left != right);
        match differing {
            Some((left, right)) => self.pairs.label(*left).cmp(self.pairs.label(*right)),
            None => left.len().cmp(&right.len()),
        }
    }
}
