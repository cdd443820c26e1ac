//! The `tsdb` server: remote write in, PromQL out.
//!
//! Modules are listed bottom-up; a module uses only those above it in this list.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod http;
pub mod ingest;
pub mod limits;
pub mod promql;
pub mod query;
pub mod router;
pub mod server;
pub mod telemetry;
