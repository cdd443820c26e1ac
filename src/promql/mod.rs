//! PromQL as Prometheus 3.14 answers it: text to tree to plan, and the evaluation of plans.
//!
//! Pure: no I/O and no executor. What a plan needs from storage it asks for as fragments.

pub mod ast;
pub mod functions;
