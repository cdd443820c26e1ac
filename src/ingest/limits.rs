//! Bounds of one write request.
//!
//! The bounds of labels and metadata are those of the engine (`shards::limits`). Those of series and
//! samples are above what a sensible message of the largest size can hold: they bound the memory that
//! degenerate messages (millions of empty series) would take.

/// Uncompressed bytes of one request, as upstream's receiver has it.
pub const DECODED_BYTES_MAX: usize = 32 << 20;
/// Series of one request.
pub const SERIES_PER_REQUEST_MAX: usize = 1 << 20;
/// Samples of one request.
pub const SAMPLES_PER_REQUEST_MAX: usize = 2 << 20;
/// Metadata entries of one request; those above it are dropped and counted.
pub const METADATA_PER_REQUEST_MAX: usize = 100_000;
/// Buffers for uncompressed bodies that a decoder keeps for its next requests.
pub const POOLED_BODIES_MAX: usize = 16;
/// Largest buffer that is kept: a rare huge request must not hold its memory for ever.
pub const POOLED_BODY_BYTES_MAX: usize = 4 << 20;

/// A block-format copy element of three bytes yields at most 64 bytes, and nothing yields more for
/// its size: a body that declares more than this many bytes per compressed byte is a fraud.
pub const SNAPPY_RATIO_MAX: usize = 22;

/// Refused samples that an answer describes one by one; all others are only counted.
pub const REFUSED_EXAMPLES_MAX: usize = 5;
/// Bytes of the labels of a refused sample in an answer or a log line.
pub const REFUSED_LABELS_BYTES_MAX: usize = 300;

/// Labels start at 32-bit offsets of the uncompressed body, gathered labels behind it.
const _: () = assert!(DECODED_BYTES_MAX as u64 * 2 <= u32::MAX as u64);
const _: () = assert!(SERIES_PER_REQUEST_MAX <= SAMPLES_PER_REQUEST_MAX);

/// The bounds a decoder works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// At most 2 GiB are heeded.
    pub decoded_bytes: usize,
    pub series: usize,
    pub samples: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            decoded_bytes: DECODED_BYTES_MAX,
            series: SERIES_PER_REQUEST_MAX,
            samples: SAMPLES_PER_REQUEST_MAX,
        }
    }
}

impl DecodeLimits {
    /// Uncompressed bytes allowed, so that every label offset fits 32 bits.
    #[must_use]
    pub fn decoded_bytes_effective(&self) -> usize {
        self.decoded_bytes.min(1 << 31)
    }
}
