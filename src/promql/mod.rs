//! PromQL as Prometheus 3.14 answers it: text to tree to plan, and the evaluation of plans.
//!
//! Pure: no I/O and no executor. What a plan needs from storage it asks for as fragments.

pub(crate) mod aggregate;
pub mod annotation;
pub mod ast;
mod check;
mod error;
pub mod eval;
mod eval_error;
pub mod functions;
mod kahan;
mod lex;
mod literal;
pub mod number;
mod parse;
pub mod plan;
mod print;
mod quote;
mod token;
pub mod value;
pub mod window;

pub use check::value_type;
pub use error::{ParseError, line_column};
pub use literal::duration_text;
pub use parse::{EXPR_DEPTH_MAX, ParserOptions, QUERY_BYTES_MAX, parse, parse_series_selector};
pub use quote::quoted;
