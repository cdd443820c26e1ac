//! Parts of the tools: the load generator (what it sends, how it sends it, what it measures),
//! recordings of real metrics, and the house rules.
//!
//! Modules are listed bottom-up; a module uses only those above it in this list.

#![forbid(unsafe_code)]

pub mod rng;
pub mod values;
pub mod encode;
pub mod series;
pub mod fleet;
pub mod client;
#[cfg(test)]
mod fake;
pub mod procstat;
pub mod report;
pub mod acklog;
pub mod prepare;
pub mod load;
pub mod verify;
pub mod querymix;
pub mod history;
pub mod backfill;
pub mod querybench;
pub mod exposition;
pub mod recording;
pub mod record;
pub mod replay;
pub mod tidy;
