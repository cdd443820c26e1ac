//! Taking up the series table at once: labels are looked up once per frame of the table, and posting
//! lists are filled in order of numbers when all series are there.

use std::ops::Range;

use super::file::Entry;
use super::pairs::label_slices;
use super::{NO_LABELS, Registry, RegistryError};
use crate::io::Disk;
use crate::limits::{LABELS_MAX, SERIES_MAX};
use crate::model::SeriesKey;

/// Numbers whose posting lists are gathered at once: those of one container of a bitmap.
const STRETCH: u32 = 1 << 16;
/// Stands for a label of a frame that is none.
const NO_PAIR: u32 = u32::MAX;

/// Takes up series; selects know nothing of them before [`Loader::finish`].
pub struct Loader<'a> {
    registry: &'a mut Registry,
    /// Pairs of the labels of the frame at hand.
    pairs: Vec<u32>,
}

impl Registry {
    /// Begins to load the table on disk.
    pub fn load(&mut self) -> Loader<'_> {
        Loader { registry: self, pairs: Vec::new() }
    }
}

impl Loader<'_> {
    /// Takes up a series under the number it has in the table. Who had the number or the key before
    /// was forgotten before the entry was made.
    pub fn add(&mut self, entry: Entry<'_>, key: SeriesKey) -> Result<(), RegistryError> {
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
        let known = registry.find(key);
        if known == Some(entry.series) {
            return Ok(());
        }
        if known.is_some() || registry.contains(entry.series) {
            registry.vacate(entry.series, key);
        }
        registry.enter(entry.series, key);
        Ok(())
    }

    /// Puts all series into the posting lists, and drops labels that none of them has.
    pub async fn finish(self, disk: &Disk) {
        self.registry.fill_index(disk).await;
        self.registry.drop_unused_pairs();
    }
}

impl Registry {
    /// Fills the posting lists, which are empty, in order of numbers.
    async fn fill_index(&mut self, disk: &Disk) {
        let (mut all, mut names) = (Run::default(), Vec::<Vec<u32>>::new());
        let mut gathered = Gathered::default();
        for start in (0..self.refs_end()).step_by(STRETCH as usize) {
            let numbers = start..self.refs_end().min(start.saturating_add(STRETCH));
            for series in numbers.clone() {
                self.pairs_of(series).iter().for_each(|pair| gathered.count(*pair));
            }
            gathered.make_room();
            for series in numbers {
                let list = self.lists.get(series).copied().unwrap_or(NO_LABELS);
                if list.count == 0 {
                    continue;
                }
                if let Some(done) = all.add(series) {
                    self.index.extend_all(done);
                }
                for pair in self.pair_lists.get(list.at, usize::from(list.count)) {
                    gathered.put(*pair, series);
                    let name = self.pairs.name_of(*pair);
                    if names.len() <= name as usize {
                        names.resize_with(name as usize + 1, Vec::new);
                    }
                    if let Some(numbers) = names.get_mut(name as usize) {
                        numbers.push(series);
                    }
                }
            }
            gathered.drain(|pair, numbers| self.index.extend_pair(pair, numbers));
            for (name, numbers) in (0..).zip(&mut names) {
                self.index.extend_name(name, numbers);
                numbers.clear();
            }
            disk.yield_if_needed().await;
        }
        self.index.extend_all(all.0);
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

/// Neighbouring numbers.
#[derive(Debug, Clone, Default)]
struct Run(Range<u32>);

impl Run {
    /// Adds a number, higher than all before; gives the run before it if it does not follow that.
    #[inline]
    fn add(&mut self, series: u32) -> Option<Range<u32>> {
        if self.0.end == series && !self.0.is_empty() {
            self.0.end += 1;
            return None;
        }
        let done = std::mem::replace(&mut self.0, series..series + 1);
        (!done.is_empty()).then_some(done)
    }
}

/// The numbers of a stretch by pair: counted first, then put in place.
#[derive(Default)]
struct Gathered {
    /// By pair: how many, then where the next one goes.
    places: Vec<u32>,
    /// The pairs that occur, with the places where their numbers begin.
    pairs: Vec<(u32, u32)>,
    numbers: Vec<u32>,
}

impl Gathered {
    #[inline]
    fn count(&mut self, pair: u32) {
        if self.places.len() <= pair as usize {
            self.places.resize(pair as usize + 1, 0);
        }
        if let Some(count) = self.places.get_mut(pair as usize) {
            if *count == 0 {
                self.pairs.push((pair, 0));
            }
            *count += 1;
        }
    }

    fn make_room(&mut self) {
        let mut total = 0;
        for (pair, start) in &mut self.pairs {
            if let Some(place) = self.places.get_mut(*pair as usize) {
                *start = total;
                total += std::mem::replace(place, total);
            }
        }
        self.numbers.clear();
        self.numbers.resize(total as usize, 0);
    }

    #[inline]
    fn put(&mut self, pair: u32, series: u32) {
        if let Some(place) = self.places.get_mut(pair as usize) {
            if let Some(slot) = self.numbers.get_mut(*place as usize) {
                *slot = series;
            }
            *place += 1;
        }
    }

    /// Hands over the numbers of each pair, and is empty again.
    fn drain(&mut self, mut on_pair: impl FnMut(u32, &[u32])) {
        for (pair, start) in self.pairs.drain(..) {
            if let Some(end) = self.places.get_mut(pair as usize).map(std::mem::take) {
                on_pair(pair, self.numbers.get(start as usize..end as usize).unwrap_or_default());
            }
        }
    }
}
