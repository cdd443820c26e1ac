//! Full chunks: their streams packed into pages of words, and per chunk what a read must know to
//! leave it out. The chunks of a series are linked, the newest first.

use crate::arena::{Pages, SliceArena};
use crate::chunk::{XorAppender, decode_words};

/// No chunk.
pub(super) const NONE: u32 = u32::MAX;

/// A full chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct SealedChunk {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    words: u32,
    /// The chunk before this one.
    pub(super) previous: u32,
    len_bits: u16,
    count: u8,
}

/// Store of the full chunks of a generation.
#[derive(Debug)]
pub(super) struct SealedChunks {
    chunks: Pages<SealedChunk, 256>,
    words: SliceArena<u64, 1>,
}

impl SealedChunks {
    pub(super) const fn new() -> Self {
        Self { chunks: Pages::new(), words: SliceArena::new() }
    }

    /// Keeps a chunk whose stream is `words`, behind chunk `previous` of its series.
    pub(super) fn push(&mut self, chunk: &XorAppender, words: &[u64], previous: u32) -> u32 {
        let first_ms = words.first().map_or(0, |word| *word as i64);
        let sealed = SealedChunk {
            first_ms,
            last_ms: chunk.last_ms(),
            words: self.words.alloc(words),
            previous,
            len_bits: chunk.len_bits(),
            count: chunk.count(),
        };
        assert!(first_ms <= sealed.last_ms, "chunk from {first_ms} to {}", sealed.last_ms);
        self.chunks.push(sealed)
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&SealedChunk> {
        self.chunks.get(index)
    }

    /// Appends the samples of a chunk to the columns.
    pub(super) fn decode(&self, chunk: &SealedChunk, timestamps_ms: &mut Vec<i64>, values: &mut Vec<f64>) {
        let len_bits = usize::from(chunk.len_bits);
        let words = self.words.get(chunk.words, len_bits.div_ceil(64));
        let decoded = decode_words(words, len_bits, u16::from(chunk.count), timestamps_ms, values);
        assert!(decoded.is_ok(), "sealed chunk of {} samples: {decoded:?}", chunk.count);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.memory_bytes() + self.words.memory_bytes()
    }
}
