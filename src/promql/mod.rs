//! PromQL as Prometheus 3.14 answers it: text to tree to plan, and the evaluation of plans.
//!
//! Pure: no I/O and no executor. What a plan needs from storage it asks for as fragments.

pub(crate) mod aggregate;
pub mod annotation;
pub mod ast;
pub mod eval;
mod eval_error;
pub mod functions;
mod kahan;
pub mod number;
pub mod plan;
pub mod value;
pub mod window;
