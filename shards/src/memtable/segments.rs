//! Words of open chunks that their heads have no room for: chains of small segments, used again after
//! their chunk is sealed.
//!
//! Segments are handed out in order of arrival, so series that are written one after the other
//! have their words side by side, in whatever order their numbers are. A segment is half a cache
//! line; links to the one before lie apart, where a whole chain is followed at little cost, and the
//! series' head knows the last.

use crate::arena::Pages;
use crate::codec::prefetch::prefetch;

/// Words of a segment.
const SEGMENT_WORDS: u32 = 4;
const PAGE: usize = 2048;

/// No segment.
pub(super) const NONE: u32 = u32::MAX;

/// Half a cache line of words.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Segment([u64; SEGMENT_WORDS as usize]);

/// Store of all open chunks of a generation.
#[derive(Debug)]
pub(super) struct Segments {
    words: Pages<Segment, PAGE>,
    /// Per segment: the one before it in its chunk, or the next free one.
    links: Pages<u32, PAGE>,
    free: u32,
}

impl Segments {
    pub(super) const fn new() -> Self {
        Self { words: Pages::new(), links: Pages::new(), free: NONE }
    }

    /// Puts word number `index` of a chain whose last segment is `last`; words come in order.
    #[inline]
    pub(super) fn put(&mut self, last: &mut u32, index: u32, word: u64) {
        let offset = index % SEGMENT_WORDS;
        if offset == 0 {
            *last = self.chain(*last, word);
        } else if let Some(place) =
            self.words.get_mut(*last).and_then(|segment| segment.0.get_mut(offset as usize))
        {
            *place = word;
        }
    }

    /// A segment behind `before` that begins with `word`.
    #[inline]
    fn chain(&mut self, before: u32, word: u64) -> u32 {
        let mut segment = Segment([0; SEGMENT_WORDS as usize]);
        segment.0[0] = word;
        if self.free == NONE {
            let links = self.links.push(before);
            let words = self.words.push(segment);
            debug_assert_eq!(links, words, "one link per segment");
            return words;
        }
        let reused = self.free;
        if let (Some(link), Some(words)) = (self.links.get_mut(reused), self.words.get_mut(reused)) {
            self.free = *link;
            *link = before;
            *words = segment;
        }
        reused
    }

    /// Starts loading the place of the next word.
    #[inline]
    pub(super) fn prefetch(&self, last: u32) {
        if let Some(segment) = self.words.get(last) {
            prefetch(segment);
        }
    }

    /// Appends the first `count` words of a chain of which `last` is the last segment.
    pub(super) fn gather(&self, count: usize, last: u32, out: &mut Vec<u64>) {
        // Once along the links, so that all segments are on their way, and once to copy them.
        let mut segment = last;
        for _ in 1..count.div_ceil(SEGMENT_WORDS as usize) {
            segment = self.links.get(segment).copied().unwrap_or(NONE);
            self.prefetch(segment);
        }
        let base = out.len();
        out.resize(base + count, 0);
        let mut end = count;
        let mut segment = last;
        while end > 0 {
            let begin = (end - 1) / SEGMENT_WORDS as usize * SEGMENT_WORDS as usize;
            if let (Some(words), Some(place)) =
                (self.words.get(segment), out.get_mut(base + begin..base + end))
            {
                place.copy_from_slice(&words.0[..end - begin]);
            }
            segment = self.links.get(segment).copied().unwrap_or(NONE);
            end = begin;
        }
    }

    /// Gives back all segments of a chunk of which `last` is the last.
    pub(super) fn release(&mut self, last: u32) {
        if last == NONE {
            return;
        }
        let mut first = last;
        while let Some(&before) = self.links.get(first)
            && before != NONE
        {
            first = before;
        }
        if let Some(link) = self.links.get_mut(first) {
            *link = self.free;
            self.free = last;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.words.memory_bytes() + self.links.memory_bytes()
    }
}
