//! Storage engine of `tsdb`: series sharded over cores, each shard with its own WAL, series
//! registry and memtable.
//!
//! Modules are listed bottom-up; a module uses only those above it in this list.

pub mod limits;
pub mod clock;
pub mod waiters;
pub mod arena;
pub mod codec;
pub mod model;
pub mod error;
pub mod io;
pub mod chunk;
pub mod index;
pub mod wal;
pub mod registry;
pub mod memtable;
pub mod part;
pub mod tombstone;
pub mod run;
pub mod block;
pub mod compaction;
pub mod shard;
pub mod engine;
pub mod inspect;
