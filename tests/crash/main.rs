//! SIGKILL in a loop: after each kill every acknowledged sample is there, bit by bit.
//!
//! `TSDB_CRASH_KILLS` sets how many kills there are, `TSDB_CRASH_SEED` repeats a choice of moments
//! (the scheduler has its say too). A power cut is another matter: the page cache survives a
//! SIGKILL, so that is tested in `tests/powercut`, and on the simulated disk of the engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod kill;
