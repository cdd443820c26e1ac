//! What runs and blocks have in common: an identity, a window of time, and chunks in a file.
//!
//! A *part* is an immutable piece of the shard's data on disk. Its samples lie in one window; its
//! series stand in label order (the order of their canonical label bytes). Where two parts have a
//! sample of the same series and time, that of the part with the higher sequence counts.

pub mod chunk;
mod columns;
pub mod meta;
mod window;

pub use self::chunk::{ChunkKind, ChunkRef, Extent};
pub use self::columns::{ChunkWriter, HEADER_LEN, check_header, chunk_file_header};
pub use self::meta::{PartId, PartKind, PartMeta, Sequences};
pub use self::window::{CHUNK_SLOT_MS, Level, Window, slot_end};
