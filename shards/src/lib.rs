//! Storage engine of `tsdb`: series sharded over cores, each shard with its own WAL, series
//! registry and memtable.
//!
//! Modules are listed bottom-up; a module uses only those above it in this list.

pub mod chunk;
pub mod clock;
pub mod codec;
pub mod engine;
pub mod error;
pub mod index;
pub mod io;
pub mod limits;
pub mod memtable;
pub mod model;
pub mod registry;
pub mod shard;
pub mod wal;
