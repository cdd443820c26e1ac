//! The head of one series in one generation: one cache line, with the first words of its open chunk.

use crate::chunk::{PackedAppender, XorAppender};

use super::sealed;
use super::segments::{self, Segments};
use crate::arena::Pages;

/// Words of the open chunk that its head keeps; the others are in segments.
const HEAD_WORDS: u32 = 3;

/// State of a series with samples.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Head {
    /// The open chunk; its last sample is the newest of the series in this generation. Its flag tells
    /// that this is not newer than the newest of the frozen generation, so that an append has to look
    /// there.
    chunk: PackedAppender,
    words: [u64; HEAD_WORDS as usize],
    /// Last segment of the open chunk.
    segment: u32,
    /// What few series have, [`NO_EXTRAS`] if this one has not.
    pub(super) extras: u32,
}

const _: () = assert!(size_of::<Head>() == 64);

/// No extras.
pub(super) const NO_EXTRAS: u32 = u32::MAX;

/// What a series has besides its open chunk.
#[derive(Debug)]
pub(super) struct Extras {
    /// Oldest timestamp in this generation, late samples included.
    pub(super) min_ms: i64,
    /// Newest full chunk.
    pub(super) sealed: u32,
    /// Late and rewritten samples, [`NO_OOO`] if none.
    pub(super) ooo: u32,
}

/// No late samples.
pub(super) const NO_OOO: u32 = u32::MAX;

impl Head {
    /// Begins with the first sample of an open chunk.
    pub(super) fn start(timestamp_ms: i64, bits: u64, behind_frozen: bool, segments: &mut Segments) -> Self {
        let (mut words, mut segment) = ([0; HEAD_WORDS as usize], segments::NONE);
        let chunk = XorAppender::start(timestamp_ms, bits, |at, word| {
            put(&mut words, &mut segment, segments, at, word);
        });
        Self { chunk: PackedAppender::pack(&chunk, behind_frozen), words, segment, extras: NO_EXTRAS }
    }

    /// Adds a sample that the chunk [takes](Head::takes).
    #[inline]
    pub(super) fn append(
        &mut self,
        timestamp_ms: i64,
        bits: u64,
        behind_frozen: bool,
        segments: &mut Segments,
    ) {
        let mut chunk = self.chunk.unpack();
        let (words, segment) = (&mut self.words, &mut self.segment);
        chunk.append(timestamp_ms, bits, |at, word| put(words, segment, segments, at, word));
        self.chunk = PackedAppender::pack(&chunk, behind_frozen);
    }

    /// Whether a sample newer than all others goes into the open chunk.
    #[inline]
    pub(super) const fn takes(&self, timestamp_ms: i64) -> bool {
        self.chunk.takes(timestamp_ms)
    }

    #[inline]
    pub(super) const fn is_behind_frozen(&self) -> bool {
        self.chunk.flag()
    }

    #[inline]
    pub(super) const fn max_ms(&self) -> i64 {
        self.chunk.last_ms()
    }

    #[inline]
    pub(super) const fn last_bits(&self) -> u64 {
        self.chunk.last_bits()
    }

    /// First timestamp of the open chunk: the first word of its stream.
    pub(super) const fn open_first_ms(&self) -> i64 {
        self.words[0] as i64
    }

    pub(super) const fn chunk(&self) -> XorAppender {
        self.chunk.unpack()
    }

    /// Starts loading the place of the next word, if that is not in the head.
    #[inline]
    pub(super) fn prefetch_words(&self, segments: &Segments) {
        segments.prefetch(self.segment);
    }

    /// Replaces `out` by the whole stream of the open chunk.
    pub(super) fn gather(&self, segments: &Segments, out: &mut Vec<u64>) {
        let chunk = self.chunk();
        let full = chunk.words() as usize;
        out.clear();
        out.extend(self.words.iter().take(full));
        segments.gather(full.saturating_sub(self.words.len()), self.segment, out);
        if chunk.has_pending() {
            out.push(chunk.pending());
        }
    }

    /// Begins another chunk, in the place of the open one.
    pub(super) fn restart(
        &mut self,
        timestamp_ms: i64,
        bits: u64,
        behind_frozen: bool,
        segments: &mut Segments,
    ) {
        segments.release(self.segment);
        let extras = self.extras;
        *self = Self { extras, ..Self::start(timestamp_ms, bits, behind_frozen, segments) };
    }

    /// Oldest timestamp in this generation, late samples included.
    pub(super) fn min_ms(&self, extras: &Pages<Extras, 256>) -> i64 {
        extras.get(self.extras).map_or(self.open_first_ms(), |extras| extras.min_ms)
    }
}

impl Extras {
    pub(super) const fn new(head: &Head) -> Self {
        Self { min_ms: head.open_first_ms(), sealed: sealed::NONE, ooo: NO_OOO }
    }
}

/// Puts a word of the stream in its place.
#[inline]
fn put(
    words: &mut [u64; HEAD_WORDS as usize],
    segment: &mut u32,
    segments: &mut Segments,
    at: u32,
    word: u64,
) {
    match words.get_mut(at as usize) {
        Some(place) => *place = word,
        None => segments.put(segment, at - HEAD_WORDS, word),
    }
}
