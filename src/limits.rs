//! Bounds of everything the server takes in or gives out, and proofs that they fit each other.
//!
//! What an operator may want to move is a flag with its default here; the rest is fixed.

use std::time::Duration;

pub use shards::limits::FLUSH_WAL_BYTES_DEFAULT;

pub const FLUSH_INTERVAL_DEFAULT: Duration = Duration::from_secs(2 * 3600);
/// Room on the disk for compaction and retention.
pub const DISK_RESERVE_DEFAULT: u64 = 4 << 20;

/// Compressed body of a write.
pub const BODY_BYTES_DEFAULT: u64 = 32 << 20;
/// The largest value an operator may set: a body is held in memory as one piece.
pub const BODY_BYTES_MAX: u64 = 1 << 30;
/// A write body after decompression.
pub const DECOMPRESSED_BYTES_DEFAULT: u64 = 64 << 20;
pub const DECOMPRESSED_BYTES_MAX: u64 = 4 << 30;
/// Body of a form: a query and its parameters.
pub const FORM_BYTES_MAX: usize = 10 << 20;
/// Bodies of all requests in flight on one router core.
pub const BODIES_IN_FLIGHT_BYTES_DEFAULT: u64 = 512 << 20;
/// What is read and thrown away of a body that is too large, so that the sender sees the answer.
pub const BODY_DISCARD_BYTES_MAX: usize = 64 << 20;

/// Request line and headers of one request.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Header fields of one request.
pub const HEADERS_MAX: usize = 100;
/// Parameters of one request.
pub const PARAMETERS_MAX: usize = 10_000;

/// Connections of one router core.
pub const CONNECTIONS_DEFAULT: usize = 4096;
pub const CONNECTIONS_MAX: usize = 1 << 20;

/// From the first byte of a request to the end of its head; also how long a new connection may be
/// silent.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// From the end of the head to the end of the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence between two requests of a connection.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a client may take to accept the next piece of an answer.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests in flight may go on after the server was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a refused sender is listened to, so that it reads the answer before the connection goes.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// One read from a socket.
pub const SOCKET_READ_BYTES: usize = 64 << 10;
/// One piece of a streamed answer.
pub const ANSWER_PIECE_BYTES: usize = 64 << 10;
/// Smaller, since making it takes ten times as long.
pub const COMPRESSED_PIECE_BYTES: usize = 16 << 10;
/// Answers smaller than this are not compressed.
pub const COMPRESS_BYTES_MIN: usize = 1 << 10;

/// Steps between the first and the last point of a series in an answer.
pub const STEPS_MAX: i64 = 11_000;
/// Warnings, and infos, that an answer shows.
pub const ANNOTATIONS_SHOWN_MAX: usize = 10;
/// Refused samples that the answer to a write describes.
pub const REFUSALS_SHOWN_MAX: usize = 10;

pub const QUERY_SAMPLES_DEFAULT: u64 = 50_000_000;
pub const QUERY_CONCURRENCY_DEFAULT: usize = 20;
pub const QUERY_CONCURRENCY_MAX: usize = 10_000;
pub const QUERY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);
pub const LOOKBACK_DEFAULT: Duration = Duration::from_secs(300);

pub const RETENTION_DEFAULT: Duration = Duration::from_secs(30 * 86_400);
/// How far ahead of the clock a sample may lie.
pub const FUTURE_DEFAULT: Duration = Duration::from_secs(600);
pub const WAL_SEGMENT_BYTES_DEFAULT: u64 = 128 << 20;
pub const SELF_SCRAPE_INTERVAL_DEFAULT: Duration = Duration::from_secs(15);
pub const SERIES_DEFAULT: u64 = 50_000_000;

const _: () = assert!(BODY_BYTES_DEFAULT <= BODY_BYTES_MAX);
const _: () = assert!(BODY_BYTES_DEFAULT <= BODIES_IN_FLIGHT_BYTES_DEFAULT);
const _: () = assert!(BODY_BYTES_DEFAULT <= DECOMPRESSED_BYTES_DEFAULT);
const _: () = assert!(DECOMPRESSED_BYTES_DEFAULT <= DECOMPRESSED_BYTES_MAX);
const _: () = assert!(COMPRESS_BYTES_MIN < ANSWER_PIECE_BYTES);
