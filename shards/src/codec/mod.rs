//! Byte-level building blocks of every format: bounds-checked reading, variable-length integers,
//! bit streams and checksums. Knows no format itself.

pub mod bits;
pub mod crc;
pub mod cursor;
pub mod prefetch;
pub mod varint;

pub use cursor::{Cursor, Truncated};
