//! The head of one series in one generation: one cache line.

use crate::chunk::XorAppender;

use super::{sealed, segments};

/// State of a series with samples.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Head {
    /// The open chunk; its last sample is the newest of the series in this generation.
    pub(super) chunk: XorAppender,
    /// Oldest timestamp in this generation, late samples included.
    pub(super) min_ms: i64,
    /// Last segment of the open chunk.
    pub(super) segment: u32,
    /// Newest full chunk.
    pub(super) sealed: u32,
    /// Late and rewritten samples, [`NO_OOO`] if none.
    pub(super) ooo: u32,
}

const _: () = assert!(size_of::<Head>() == 64);

/// No late samples.
pub(super) const NO_OOO: u32 = u32::MAX;

/// Flag of [`XorAppender::flags`]: the newest sample here is not newer than that of the frozen
/// generation, so an append has to look there.
pub(super) const BEHIND_FROZEN: u8 = 1;

impl Head {
    pub(super) const fn new(chunk: XorAppender, segment: u32) -> Self {
        Self { min_ms: chunk.last_ms(), chunk, segment, sealed: sealed::NONE, ooo: NO_OOO }
    }

    #[inline]
    pub(super) const fn max_ms(&self) -> i64 {
        self.chunk.last_ms()
    }
}

const _: () = assert!(segments::NONE == u32::MAX);
