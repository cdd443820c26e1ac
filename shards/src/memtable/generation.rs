//! One generation: the samples of one stretch of the WAL.
//!
//! A sample newer than all others of its series goes into the series' open chunk. Every other one
//! is looked up first, so that a repetition is told from a rewrite, and goes into the series'
//! [`OooSamples`], which hide equal timestamps of the chunks.

use crate::arena::Pages;
use crate::codec::prefetch::{prefetch, prefetch_at};
use crate::model::{SampleColumns, SeriesRef, TimeRange};

use super::ooo::OooSamples;
use super::sealed::{self, SealedChunks};
use super::segments::Segments;
use super::series::{Extras, Head, NO_EXTRAS, NO_OOO};

/// What became of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Newer than all others of its series.
    Stored,
    /// Same timestamp and bits as a stored one: nothing to do.
    Duplicate,
    /// Same timestamp as a stored one, other bits: the new value is read from now on.
    Replaced,
    /// Older than the newest of its series, and stored.
    OutOfOrder,
}

/// No head.
const NO_HEAD: u32 = 0;

/// Samples of many series, frozen and let go as a whole.
#[derive(Debug)]
pub struct Generation {
    /// By series number: index of the head plus one.
    heads_of: Vec<u32>,
    pub(super) heads: Pages<Head, 1024>,
    pub(super) extras: Pages<Extras, 256>,
    pub(super) segments: Segments,
    pub(super) sealed: SealedChunks,
    pub(super) ooo: Pages<OooSamples, 256>,
    ooo_bytes: usize,
    /// Heads that no series has any more.
    removed_heads: usize,
    sample_count: u64,
    min_ms: i64,
    max_ms: i64,
    /// Memory in which full chunks are gathered.
    scratch: Vec<u64>,
}

impl Default for Generation {
    fn default() -> Self {
        Self::new()
    }
}

impl Generation {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heads_of: Vec::new(),
            heads: Pages::new(),
            extras: Pages::new(),
            segments: Segments::new(),
            sealed: SealedChunks::new(),
            ooo: Pages::new(),
            ooo_bytes: 0,
            removed_heads: 0,
            sample_count: 0,
            min_ms: i64::MAX,
            max_ms: i64::MIN,
            scratch: Vec::new(),
        }
    }

    #[inline]
    fn head_index(&self, series: SeriesRef) -> Option<u32> {
        match self.heads_of.get(series.index()) {
            None | Some(&NO_HEAD) => None,
            Some(index) => Some(*index - 1),
        }
    }

    #[inline]
    pub(super) fn head(&self, series: SeriesRef) -> Option<&Head> {
        self.heads.get(self.head_index(series)?)
    }

    /// First stage of an append: where is the head?
    #[inline]
    pub(super) fn prefetch_index(&self, series: SeriesRef) {
        prefetch_at(&self.heads_of, series.index());
    }

    /// Second stage: the head itself, if there is one; or where the frozen generation has it.
    #[inline]
    pub(super) fn find_head(&self, series: SeriesRef, frozen: Option<&Self>) -> Option<u32> {
        let index = self.head_index(series);
        if let Some(head) = index.and_then(|index| self.heads.get(index)) {
            prefetch(head);
        } else if let Some(frozen) = frozen {
            frozen.prefetch_index(series);
        }
        index
    }

    /// Third stage: the place of the next word of the open chunk.
    #[inline]
    pub(super) fn prefetch_words(&self, head: Option<u32>) {
        if let Some(head) = head.and_then(|head| self.heads.get(head)) {
            head.prefetch_words(&self.segments);
        }
    }

    /// Appends one sample. `frozen` holds older writes: what it has at the same time is repeated
    /// or replaced by this one.
    #[inline]
    pub(super) fn append(
        &mut self,
        series: SeriesRef,
        timestamp_ms: i64,
        bits: u64,
        frozen: Option<&Self>,
    ) -> Appended {
        self.append_to(None, series, timestamp_ms, bits, frozen)
    }

    /// Likewise; the series has this head, or maybe one that was not found before.
    #[inline]
    pub(super) fn append_to(
        &mut self,
        head: Option<u32>,
        series: SeriesRef,
        timestamp_ms: i64,
        bits: u64,
        frozen: Option<&Self>,
    ) -> Appended {
        let Some(index) = head.or_else(|| self.head_index(series)) else {
            return self.append_first(series, timestamp_ms, bits, frozen);
        };
        let Some(head) = self.heads.get_mut(index) else { return Appended::Duplicate };
        if timestamp_ms > head.max_ms() && !head.is_behind_frozen() && head.takes(timestamp_ms) {
            head.append(timestamp_ms, bits, false, &mut self.segments);
            self.sample_count += 1;
            self.max_ms = self.max_ms.max(timestamp_ms);
            return Appended::Stored;
        }
        self.append_slowly(series, index, timestamp_ms, bits, frozen)
    }

    /// What a sample for a newer generation is beside the samples of this one; `None` where it is
    /// newer than all of its series here.
    fn against(&self, series: SeriesRef, timestamp_ms: i64, bits: u64) -> Option<Appended> {
        if timestamp_ms > self.head(series)?.max_ms() {
            return None;
        }
        Some(match self.value_at(series, timestamp_ms) {
            Some(stored) if stored == bits => Appended::Duplicate,
            Some(_) => Appended::Replaced,
            None => Appended::OutOfOrder,
        })
    }

    /// The first sample of a series in this generation.
    #[cold]
    fn append_first(
        &mut self,
        series: SeriesRef,
        timestamp_ms: i64,
        bits: u64,
        frozen: Option<&Self>,
    ) -> Appended {
        let against = frozen.and_then(|frozen| frozen.against(series, timestamp_ms, bits));
        if against == Some(Appended::Duplicate) {
            return Appended::Duplicate;
        }
        let behind = against.is_some();
        let appended = against.unwrap_or(Appended::Stored);
        let index = self.heads.push(Head::start(timestamp_ms, bits, behind, &mut self.segments));
        if self.heads_of.len() <= series.index() {
            self.heads_of.resize(series.index() + 1, NO_HEAD);
        }
        if let Some(place) = self.heads_of.get_mut(series.index()) {
            *place = index + 1;
        }
        self.count(timestamp_ms);
        appended
    }

    const fn count(&mut self, timestamp_ms: i64) {
        self.sample_count += 1;
        if timestamp_ms < self.min_ms {
            self.min_ms = timestamp_ms;
        }
        if timestamp_ms > self.max_ms {
            self.max_ms = timestamp_ms;
        }
    }

    /// Whatever is not the next sample of a chunk that has room.
    #[inline(never)]
    fn append_slowly(
        &mut self,
        series: SeriesRef,
        index: u32,
        timestamp_ms: i64,
        bits: u64,
        frozen: Option<&Self>,
    ) -> Appended {
        let Some(head) = self.heads.get(index) else { return Appended::Duplicate };
        let newest_here = timestamp_ms > head.max_ms();
        let mut appended = if newest_here { Appended::Stored } else { Appended::OutOfOrder };
        let mut here = false;
        if !newest_here {
            match self.value_here(index, timestamp_ms) {
                Some(stored) if stored == bits => return Appended::Duplicate,
                Some(_) => {
                    appended = Appended::Replaced;
                    here = true;
                }
                None => {}
            }
        }
        let mut behind = false;
        if !here && let Some(against) = frozen.and_then(|frozen| frozen.against(series, timestamp_ms, bits)) {
            if against == Appended::Duplicate {
                return Appended::Duplicate;
            }
            behind = true;
            appended = against;
        }
        if newest_here {
            self.append_in_order(index, timestamp_ms, bits, behind);
        } else {
            self.insert_ooo(index, timestamp_ms, bits);
        }
        if !here {
            self.count(timestamp_ms);
        }
        appended
    }

    /// Appends to the open chunk, after sealing it if it does not take the sample.
    fn append_in_order(&mut self, index: u32, timestamp_ms: i64, bits: u64, behind: bool) {
        let Some(head) = self.heads.get_mut(index) else { return };
        if head.takes(timestamp_ms) {
            return head.append(timestamp_ms, bits, behind, &mut self.segments);
        }
        let Some(extras) = extras_of(head, &mut self.extras) else { return };
        head.gather(&self.segments, &mut self.scratch);
        extras.sealed = self.sealed.push(&head.chunk(), &self.scratch, extras.sealed);
        head.restart(timestamp_ms, bits, behind, &mut self.segments);
    }

    fn insert_ooo(&mut self, index: u32, timestamp_ms: i64, bits: u64) {
        let Some(head) = self.heads.get_mut(index) else { return };
        let Some(extras) = extras_of(head, &mut self.extras) else { return };
        extras.min_ms = extras.min_ms.min(timestamp_ms);
        if extras.ooo == NO_OOO {
            extras.ooo = self.ooo.push(OooSamples::new());
        }
        if let Some(ooo) = self.ooo.get_mut(extras.ooo) {
            let before = ooo.memory_bytes();
            ooo.insert(timestamp_ms, bits);
            self.ooo_bytes = self.ooo_bytes + ooo.memory_bytes() - before;
        }
    }

    /// Value bits at a timestamp that is not above the newest, for a writer.
    fn value_here(&mut self, index: u32, timestamp_ms: i64) -> Option<u64> {
        let head = self.heads.get(index)?;
        if timestamp_ms < head.min_ms(&self.extras) {
            return None;
        }
        let late = self.extras.get(head.extras).map_or(NO_OOO, |extras| extras.ooo);
        if let Some(ooo) = self.ooo.get_mut(late) {
            let before = ooo.memory_bytes();
            let found = ooo.get(timestamp_ms);
            self.ooo_bytes = self.ooo_bytes + ooo.memory_bytes() - before;
            if found.is_some() {
                return found;
            }
        }
        self.value_in_chunks(head, timestamp_ms)
    }

    /// Value bits of a series at a timestamp.
    #[must_use]
    pub fn value_at(&self, series: SeriesRef, timestamp_ms: i64) -> Option<u64> {
        let head = self.head(series)?;
        if timestamp_ms < head.min_ms(&self.extras) || timestamp_ms > head.max_ms() {
            return None;
        }
        let late = self.ooo_of(head).and_then(|ooo| ooo.peek(timestamp_ms));
        late.or_else(|| self.value_in_chunks(head, timestamp_ms))
    }

    /// Late samples of a series.
    pub(super) fn ooo_of(&self, head: &Head) -> Option<&OooSamples> {
        self.ooo.get(self.extras.get(head.extras)?.ooo)
    }

    /// Newest full chunk of a series.
    pub(super) fn sealed_of(&self, head: &Head) -> u32 {
        self.extras.get(head.extras).map_or(sealed::NONE, |extras| extras.sealed)
    }

    /// Takes out the samples of a series in a range. The memory is freed with the generation.
    pub(super) fn remove(&mut self, series: SeriesRef, range: TimeRange) {
        let Some((first_ms, last_ms)) = self.series_bounds(series) else { return };
        if !range.overlaps_inclusive(first_ms, last_ms) {
            return;
        }
        let mut columns = SampleColumns::default();
        self.read(series, TimeRange::ALL, &mut columns.timestamps_ms, &mut columns.values);
        let before = columns.len();
        columns.remove(range);
        if columns.len() == before {
            return;
        }
        if let Some(place) = self.heads_of.get_mut(series.index()) {
            *place = NO_HEAD;
        }
        self.removed_heads += 1;
        self.sample_count -= before as u64;
        for (timestamp_ms, value) in columns.timestamps_ms.iter().zip(&columns.values) {
            self.append(series, *timestamp_ms, value.to_bits(), None);
        }
    }

    /// Series with samples, in order of their numbers.
    pub fn series(&self) -> impl Iterator<Item = SeriesRef> + '_ {
        let used = self.heads_of.iter().enumerate().filter(|(_, index)| **index != NO_HEAD);
        used.map(|(number, _)| SeriesRef(number as u32))
    }

    #[must_use]
    pub fn series_count(&self) -> usize {
        self.heads.len() - self.removed_heads
    }

    /// Samples, each timestamp of a series counted once.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.sample_count
    }

    /// Oldest and newest timestamp of a series, both inclusive.
    #[must_use]
    pub fn series_bounds(&self, series: SeriesRef) -> Option<(i64, i64)> {
        self.head(series).map(|head| (head.min_ms(&self.extras), head.max_ms()))
    }

    /// Newest sample of a series: its time, and its value where that is told without a search.
    #[must_use]
    pub fn newest(&self, series: SeriesRef) -> Option<(i64, Option<f64>)> {
        let head = self.head(series)?;
        // One that was written again stands among the late ones.
        let value = self.ooo_of(head).is_none().then(|| f64::from_bits(head.last_bits()));
        Some((head.max_ms(), value))
    }

    /// Oldest and newest timestamp of all.
    #[must_use]
    pub const fn bounds(&self) -> Option<(i64, i64)> {
        if self.sample_count == 0 { None } else { Some((self.min_ms, self.max_ms)) }
    }

    /// Bytes held, counted.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.heads_of.capacity() * size_of::<u32>()
            + self.heads.memory_bytes()
            + self.extras.memory_bytes()
            + self.segments.memory_bytes()
            + self.sealed.memory_bytes()
            + self.ooo.memory_bytes()
            + self.ooo_bytes
    }
}

/// The extras of a series, made if it has none.
fn extras_of<'a>(head: &mut Head, extras: &'a mut Pages<Extras, 256>) -> Option<&'a mut Extras> {
    if head.extras == NO_EXTRAS {
        head.extras = extras.push(Extras::new(head));
    }
    extras.get_mut(head.extras)
}
