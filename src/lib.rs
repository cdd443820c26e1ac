//! The `tsdb` server: remote write in, PromQL out.
//!
//! Modules are listed bottom-up; a module uses only those above it in this list.

#![forbid(unsafe_code)]

pub mod limits;
pub mod units;
pub mod machine;
pub mod telemetry;
pub mod promql;
pub mod ingest;
pub mod router;
pub mod query;
pub mod http;
pub mod config;
pub mod server;
pub mod cli;
