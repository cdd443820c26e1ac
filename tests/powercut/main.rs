//! Power cuts on a real file system: an ext4 on a loop device over a disk of our own, which loses
//! what was not flushed.
//!
//! Needs root, FUSE, `losetup` and `mkfs.ext4`; says so and passes where they lack.
//! `TSDB_POWER_CUTS` sets how many cuts there are, `TSDB_POWER_SEED` repeats a choice of moments and
//! of what survives (the scheduler has its say too).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod cuts;
mod disk;
mod export;
mod mounts;
mod operator;
mod promises;
mod volume;
