//! The real binary from end to end: HTTP in, HTTP out, nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod admin;
mod bad_input;
mod connection;
mod limits;
mod metadata;
mod query;
mod restart;
mod retention;
mod shutdown;
mod startup;
mod write;
