//! The series of a shard.

pub mod file;
