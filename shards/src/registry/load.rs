//! Taking up the series table at once: labels are looked up once per frame of the table, and posting
//! lists are filled in order of numbers when all series are there.

use std::cmp::Ordering;
use std::ops::Range;

use super::file::Entry;
use super::pairs::label_slices;
use super::{AHEAD, LabelList, Registry, RegistryError};
use crate::io::Disk;
use crate::limits::{LABELS_MAX, SERIES_MAX};
use crate::model::{SeriesKey, SeriesRef};

/// Numbers whose posting lists are gathered at once: those of one container of a bitmap.
const STRETCH: u32 = 1 << 16;
/// Stands for a label of a frame that is none.
const NO_PAIR: u32 = u32::MAX;

/// Takes up series; selects know nothing of them before [`Loader::finish`].
pub struct Loader<'a> {
    registry: &'a mut Registry,
    /// Series whose places in the key table are on their way, the oldest at `oldest`.
    coming: [Option<Coming>; AHEAD],
    oldest: usize,
    /// The first series of the table, as far as they are in label order: most, where a checkpoint
    /// wrote them. Their number, and the last of them.
    ordered: usize,
    last: Option<SeriesRef>,
    in_order: bool,
    /// The entry before could not be taken: what an entry says of it is of no use.
    skipped: bool,
    /// Pairs of the labels of the frame at hand.
    pairs: Vec<u32>,
}

/// A series on its way.
#[derive(Clone, Copy)]
struct Coming {
    series: SeriesRef,
    key: SeriesKey,
    list: LabelList,
    /// Whether it comes after the one before in label order, where the table tells.
    follows: Option<bool>,
}

impl Registry {
    /// Begins to load the table on disk.
    pub fn load(&mut self) -> Loader<'_> {
        Loader {
            registry: self,
            coming: [None; AHEAD],
            oldest: 0,
            ordered: 0,
            last: None,
            in_order: true,
            skipped: false,
            pairs: Vec::new(),
        }
    }
}

impl Loader<'_> {
    /// Takes up a series under the number it has in the table. Who had the number or the key before
    /// was forgotten before the entry was made.
    pub fn add(&mut self, entry: Entry<'_>, key: SeriesKey) -> Result<(), RegistryError> {
        let skipped = std::mem::replace(&mut self.skipped, true);
        let registry = &mut *self.registry;
        if entry.series.0 >= SERIES_MAX {
            return Err(RegistryError::Taken);
        }
        if entry.first {
            self.pairs.clear();
        }
        for label in entry.named.get(self.pairs.len()..).unwrap_or_default() {
            let is_label = label_slices(label).next().is_some_and(|first| first.len() == label.len());
            self.pairs.push(if is_label { registry.pairs.intern(label) } else { NO_PAIR });
        }
        registry.scratch.clear();
        for number in entry.numbers {
            match self.pairs.get(*number as usize) {
                Some(pair) if *pair != NO_PAIR => registry.scratch.push(*pair),
                _ => return Err(RegistryError::Labels),
            }
        }
        if !(1..=LABELS_MAX).contains(&registry.scratch.len()) {
            return Err(RegistryError::Labels);
        }
        registry.table.prefetch(key);
        self.skipped = false;
        let follows = (!entry.first && !skipped).then_some(entry.ascends);
        let coming = Coming { series: entry.series, key, list: registry.keep_list(), follows };
        self.take_up_one(Some(coming));
        Ok(())
    }

    /// Takes up the series that was asked for longest ago; `next` is asked for.
    fn take_up_one(&mut self, next: Option<Coming>) {
        let Some(place) = self.coming.get_mut(self.oldest) else { return };
        let arrived = std::mem::replace(place, next);
        self.oldest = (self.oldest + 1) % AHEAD;
        let Some(Coming { series, key, list, follows }) = arrived else { return };
        let registry = &mut *self.registry;
        let known = registry.find(key);
        if known == Some(series) {
            self.in_order = false;
            return registry.pair_lists.free(list.at, usize::from(list.count));
        }
        if known.is_some() || registry.contains(series) {
            self.in_order = false;
            registry.vacate(series, key);
        }
        registry.enter(series, key, list);
        let is_behind =
            |last: SeriesRef| follows.unwrap_or_else(|| registry.compare(last.0, series.0) == Ordering::Less);
        self.in_order = self.in_order && self.last.is_none_or(is_behind);
        if self.in_order {
            self.ordered += 1;
            self.last = Some(series);
        }
    }

    /// Puts all series into the posting lists, and drops labels that none of them has.
    pub async fn finish(mut self, disk: &Disk) {
        for _ in 0..AHEAD {
            self.take_up_one(None);
        }
        self.registry.rank_first(self.ordered);
        self.registry.fill_index(disk).await;
        self.registry.drop_unused_pairs();
    }
}

impl Registry {
    /// Fills the posting lists, which are empty, in order of numbers. Neighbours have most of their
    /// labels in common, so what is gathered are ranges of numbers.
    async fn fill_index(&mut self, disk: &Disk) {
        let (mut all, mut pairs, mut names) = (Ranges::default(), Ranges::default(), Ranges::default());
        let (mut by_pair, mut by_name) = (Gathered::default(), Gathered::default());
        for start in (0..self.refs_end()).step_by(STRETCH as usize) {
            let end = self.refs_end().min(start.saturating_add(STRETCH));
            for series in start..end {
                let list = self.pairs_of(series);
                for (place, pair) in list.iter().enumerate() {
                    if pairs.put(place, *pair, series) {
                        names.put(place, self.pairs.name_of(*pair), series);
                    }
                }
                pairs.end(list.len(), series);
                names.end(list.len(), series);
                if list.is_empty() {
                    all.end(0, series);
                } else {
                    all.put(0, 0, series);
                }
            }
            for ranges in [&mut all, &mut pairs, &mut names] {
                ranges.end(0, end);
            }
            all.done.drain(..).for_each(|(_, range)| self.index.extend_all(range));
            by_pair.sort(&mut pairs.done, |pair, ranges| self.index.extend_pair(pair, ranges));
            by_name.sort(&mut names.done, |name, ranges| self.index.extend_name(name, ranges));
            disk.yield_if_needed().await;
        }
    }

    /// Labels of series that were replaced while loading.
    fn drop_unused_pairs(&mut self) {
        for pair in 0..self.pairs.end() {
            if !self.pairs.label(pair).is_empty() && self.index.of_pair(pair).is_empty() {
                self.pairs.remove(pair);
            }
        }
    }
}

/// Stands for no pair and no name.
const NO_ID: u32 = u32::MAX;

/// Ranges of series numbers that have the same pair, or name, in the same place of their lists.
#[derive(Default)]
struct Ranges {
    /// By place: whose range is growing, and where it began.
    growing: Vec<(u32, u32)>,
    /// In order of their ends.
    done: Vec<(u32, Range<u32>)>,
}

impl Ranges {
    /// Takes in what a series has in a place; whether the series before had something else there.
    #[inline]
    fn put(&mut self, place: usize, id: u32, series: u32) -> bool {
        while self.growing.len() <= place {
            self.growing.push((NO_ID, 0));
        }
        match self.growing.get_mut(place) {
            Some(growing) if growing.0 != id => {
                let (before, start) = std::mem::replace(growing, (id, series));
                if before != NO_ID {
                    self.done.push((before, start..series));
                }
                true
            }
            _ => false,
        }
    }

    /// Ends the ranges from a place on: the series has nothing there.
    #[inline]
    fn end(&mut self, place: usize, series: u32) {
        for growing in self.growing.iter_mut().skip(place) {
            let (id, start) = std::mem::replace(growing, (NO_ID, series));
            if id != NO_ID {
                self.done.push((id, start..series));
            }
        }
    }
}

/// Brings the ranges of each pair together: they are counted first, then put in place.
#[derive(Default)]
struct Gathered {
    /// By pair: how many, then where the next one goes.
    places: Vec<u32>,
    /// The pairs that occur, with the places where their ranges begin.
    pairs: Vec<(u32, u32)>,
    ranges: Vec<Range<u32>>,
}

impl Gathered {
    /// Hands over the ranges of each pair, and leaves none.
    fn sort(&mut self, found: &mut Vec<(u32, Range<u32>)>, mut on_pair: impl FnMut(u32, &[Range<u32>])) {
        for (pair, _) in &*found {
            if self.places.len() <= *pair as usize {
                self.places.resize(*pair as usize + 1, 0);
            }
            if let Some(count) = self.places.get_mut(*pair as usize) {
                if *count == 0 {
                    self.pairs.push((*pair, 0));
                }
                *count += 1;
            }
        }
        let mut total = 0;
        for (pair, start) in &mut self.pairs {
            if let Some(place) = self.places.get_mut(*pair as usize) {
                *start = total;
                total += std::mem::replace(place, total);
            }
        }
        self.ranges.clear();
        self.ranges.resize(total as usize, 0..0);
        for (pair, range) in found.drain(..) {
            if let Some(place) = self.places.get_mut(pair as usize) {
                if let Some(slot) = self.ranges.get_mut(*place as usize) {
                    *slot = range;
                }
                *place += 1;
            }
        }
        for (pair, start) in self.pairs.drain(..) {
            if let Some(end) = self.places.get_mut(pair as usize).map(std::mem::take) {
                on_pair(pair, self.ranges.get(start as usize..end as usize).unwrap_or_default());
            }
        }
    }
}
