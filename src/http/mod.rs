//! HTTP/1.1 on a router core: connections, the route table and the Prometheus API.
//!
//! Modules are listed bottom-up.

pub mod conn;
pub mod error;
pub mod json;
pub mod reply;
pub mod service;
