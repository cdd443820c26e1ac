//! Bounds of every format and queue of the engine, and proofs that they fit each other.

/// Shards of one data directory.
pub const SHARDS_MAX: u16 = 1024;

/// Alignment and unit of every direct write: a sector of the log is never written twice.
pub const BLOCK_LEN: usize = 4096;

/// Payload of one WAL frame; a group commit that is larger becomes several frames.
pub const WAL_FRAME_PAYLOAD_MAX: usize = 4 << 20;
/// Smallest and largest WAL segment.
pub const WAL_SEGMENT_BYTES_MIN: u64 = 1 << 20;
pub const WAL_SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Records that wait to be written; above it writers are told to come back later.
pub const WAL_PENDING_BYTES_MAX: usize = 64 << 20;
/// Segment files of one shard.
pub const WAL_SEGMENTS_MAX: u32 = 100_000;
/// Log after which a shard flushes unless it is told otherwise: what a restart has to read.
pub const FLUSH_WAL_BYTES_DEFAULT: u64 = 64 << 20;
/// Bytes of the writes that a shard takes while it is being opened.
pub const INTAKE_BYTES_MAX: u64 = 64 << 20;

/// Labels of one series.
pub const LABELS_MAX: usize = 256;
/// Bytes of one label name.
pub const LABEL_NAME_BYTES_MAX: usize = 1024;
/// Bytes of one label value.
pub const LABEL_VALUE_BYTES_MAX: usize = 64 << 10;
/// Canonical bytes of the labels of one series.
pub const LABELS_BYTES_MAX: usize = 256 << 10;
/// Series of one shard: their numbers are 32 bits, the last of which means "none".
pub const SERIES_MAX: u32 = u32::MAX - 1;

/// Samples of one XOR chunk.
pub const CHUNK_SAMPLES_MAX: u8 = 120;

/// Metric families whose metadata one shard keeps.
pub const METADATA_MAX: usize = 100_000;
/// Bytes of the texts of one metric family's metadata.
pub const METADATA_BYTES_MAX: usize = 16 << 10;

/// Spans of one sign, buckets of both and custom bounds of one native histogram.
pub const HISTOGRAM_SPANS_MAX: usize = 1024;
pub const HISTOGRAM_BUCKETS_MAX: usize = 2048;
pub const HISTOGRAM_BOUNDS_MAX: usize = 1024;
/// Numbers that the histograms of one chunk may hold together.
pub const HISTOGRAM_CHUNK_NUMBERS_MAX: usize = 1 << 20;
/// Canonical bytes of the labels of one exemplar.
pub const EXEMPLAR_LABELS_BYTES_MAX: usize = 1024;

const _: () = assert!(HISTOGRAM_BUCKETS_MAX < HISTOGRAM_CHUNK_NUMBERS_MAX);
const _: () = assert!(EXEMPLAR_LABELS_BYTES_MAX <= LABELS_BYTES_MAX);
const _: () = assert!(LABELS_BYTES_MAX < WAL_FRAME_PAYLOAD_MAX);
const _: () = assert!(LABEL_NAME_BYTES_MAX + LABEL_VALUE_BYTES_MAX < LABELS_BYTES_MAX);
const _: () = assert!(METADATA_BYTES_MAX < WAL_FRAME_PAYLOAD_MAX);
const _: () = assert!(WAL_FRAME_PAYLOAD_MAX.is_multiple_of(BLOCK_LEN));
