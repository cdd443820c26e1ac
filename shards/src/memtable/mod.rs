//! Samples in memory, by series number.
//!
//! A [`Memtable`] is an active [`Generation`] that takes writes and at most one frozen generation
//! that waits for its flush; reads see both, and where both have a timestamp the active one, which
//! is newer, wins. A generation only grows and is let go as a whole, so its memory is plain
//! pages, and nothing is allocated per series:
//!
//! - a table from series number to head, and one 64-byte [`series::Head`] per series with samples,
//!   which has the first words of the open chunk;
//! - the other words of open chunks in segments of 32 bytes ([`segments`]), in order of arrival;
//! - full chunks, packed one behind the other ([`sealed`]);
//! - what came late or was written again, per series that has such samples ([`ooo`]).
//!
//! Lives on the shard's core, does no I/O, has no limits of its own: the shard freezes by
//! [`Memtable::memory_bytes`].

pub mod freeze;
pub mod generation;
pub mod ooo;
mod read;
mod sealed;
mod segments;
mod series;

pub use freeze::Memtable;
pub use generation::{Appended, Generation};

#[cfg(test)]
mod tests;
