//! The functions of PromQL: name, signature and, by family, what they compute.

pub mod math;
pub(crate) mod over_time;
pub mod range;
mod rate;
pub mod time;
mod trend;

use super::ast::ValueType;

/// Signature of one function.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: &'static str,
    /// Types of the arguments; see `optional` and `variadic` for how many must be there.
    pub args: &'static [ValueType],
    /// How many of the last `args` may be left out.
    pub optional: usize,
    /// The last of `args` may be repeated: at most this many more times; `None`: any number.
    pub variadic: Option<usize>,
    pub returns: ValueType,
    /// Needs the flag for experimental functions.
    pub experimental: bool,
}
