//! Posting lists of the live series: by pair, by label name, and of all.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::arena::Pages;

use super::postings::{Postings, PostingsView, bitmap_bytes};

/// The lists, by the ids that the registry gives to pairs and names.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    all: RoaringBitmap,
    by_pair: Pages<Postings, 1024>,
    by_name: Vec<Postings>,
}

impl MemoryIndex {
    /// Adds a series to the list of all.
    pub fn insert(&mut self, series: u32) {
        self.all.insert(series);
    }

    /// Adds a series to the lists of one of its pairs and of the pair's name.
    pub fn insert_pair(&mut self, pair: u32, name: u32, series: u32) {
        if let Some(postings) = self.list_of_pair(pair) {
            postings.insert(series);
        }
        if let Some(postings) = self.list_of_name(name) {
            postings.insert(series);
        }
    }

    /// Adds series to the list of all, and nothing else.
    pub fn extend_all(&mut self, series: Range<u32>) {
        self.all.insert_range(series);
    }

    /// Adds ranges of series, which ascend, to the list of a pair alone.
    pub fn extend_pair(&mut self, pair: u32, series: &[Range<u32>]) {
        if let Some(postings) = self.list_of_pair(pair) {
            postings.extend(series);
        }
    }

    /// Adds ranges of series, which ascend, to the list of a name alone.
    pub fn extend_name(&mut self, name: u32, series: &[Range<u32>]) {
        if let Some(postings) = self.list_of_name(name) {
            postings.extend(series);
        }
    }

    #[inline]
    fn list_of_pair(&mut self, pair: u32) -> Option<&mut Postings> {
        while self.by_pair.len() <= pair as usize {
            self.by_pair.push(Postings::Empty);
        }
        self.by_pair.get_mut(pair)
    }

    #[inline]
    fn list_of_name(&mut self, name: u32) -> Option<&mut Postings> {
        if self.by_name.len() <= name as usize {
            self.by_name.resize_with(name as usize + 1, Postings::default);
        }
        self.by_name.get_mut(name as usize)
    }

    /// Takes a series out of the list of all.
    pub fn remove(&mut self, series: u32) {
        self.all.remove(series);
    }

    /// Takes a series out of the lists of one of its pairs and of the pair's name. Whether the
    /// pair has no series left.
    pub fn remove_pair(&mut self, pair: u32, name: u32, series: u32) -> bool {
        if let Some(postings) = self.by_name.get_mut(name as usize) {
            postings.remove(series);
        }
        self.by_pair.get_mut(pair).is_some_and(|postings| {
            postings.remove(series);
            postings.is_empty()
        })
    }

    #[must_use]
    pub const fn all(&self) -> &RoaringBitmap {
        &self.all
    }

    #[must_use]
    pub fn of_pair(&self, pair: u32) -> PostingsView<'_> {
        self.by_pair.get(pair).map_or(PostingsView::Empty, Postings::view)
    }

    #[must_use]
    pub fn of_name(&self, name: u32) -> PostingsView<'_> {
        self.by_name.get(name as usize).map_or(PostingsView::Empty, Postings::view)
    }

    /// Bytes held; takes a walk over all lists.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let behind: usize = self.by_pair.iter().chain(&self.by_name).map(Postings::heap_bytes).sum();
        bitmap_bytes(&self.all)
            + self.by_pair.memory_bytes()
            + self.by_name.capacity() * size_of::<Postings>()
            + behind
    }
}
