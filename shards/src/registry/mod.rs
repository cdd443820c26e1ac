//! The shard's series: by key, by number and by label.
//!
//! Lives on the shard's core; no I/O and no interior mutability. Every live series has a dense
//! number ([`SeriesRef`]), its key in a table built for lookups of many keys at once, its labels
//! as a list of interned pairs, and a place in the posting list of each of its pairs.

mod registry_impl;

pub use registry_impl::{Registry, RegistryError, RegistryMemory};
