//! Values of expressions, stored by column: one array of values per series over a shared step grid.
//!
//! "No value at this step" is the staleness marker's bit pattern: selection never yields it and
//! arithmetic turns it into another NaN, so no result can be mistaken for it.

use std::sync::Arc;

use shards::model::{Labels, STALE_NAN_BITS};

use super::annotation::Annotations;
use super::window::Grid;

/// Marks a step without a value.
pub const ABSENT: f64 = f64::from_bits(STALE_NAN_BITS);

#[inline]
#[must_use]
pub const fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

#[inline]
#[must_use]
pub const fn is_present(value: f64) -> bool {
    !is_absent(value)
}

/// One series of an instant vector over the steps of a grid.
#[derive(Debug, Clone)]
pub struct EvalSeries {
    pub labels: Labels,
    /// The metric name has to go at the end of the evaluation (delayed name removal); never set in
    /// results.
    pub(crate) drop_name: bool,
    /// One value per step; [`ABSENT`] where there is none.
    pub values: Vec<f64>,
}

/// Samples of one series of a range vector.
#[derive(Debug, Clone)]
pub struct RawSeries {
    pub labels: Labels,
    pub timestamps: Vec<i64>,
    pub values: Vec<f64>,
}

/// A scalar over the steps of a grid.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Constant(f64),
    Steps(Arc<[f64]>),
}

impl Column {
    /// Value at a step; NaN past the end.
    #[inline]
    #[must_use]
    pub fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values.get(step).copied().unwrap_or(f64::NAN),
        }
    }
}

/// The value of a query.
#[derive(Debug, Clone)]
pub enum Value {
    /// One value per step.
    Scalar(Vec<f64>),
    /// Series with at least one value each. Of range queries sorted by labels, of instant queries
    /// in the order of the evaluation (which `sort`, `topk` and others define).
    Vector(Vec<EvalSeries>),
    String(Arc<str>),
    /// Samples as stored: only of an instant query whose expression is a range vector.
    Matrix(Vec<RawSeries>),
}

/// What an evaluation gives.
#[derive(Debug, Clone)]
pub struct QueryOutput {
    /// Times of the steps of `value`; one step in instant queries.
    pub grid: Grid,
    /// In range queries always [`Value::Vector`].
    pub value: Value,
    pub annotations: Annotations,
    /// Samples read from storage.
    pub samples: u64,
}

/// The labels without those that describe the metric itself: its name, type and unit.
#[must_use]
pub(crate) fn without_metadata(labels: &Labels) -> Labels {
    labels.filter(|name, _| !is_metadata(name))
}

pub(crate) fn is_metadata(name: &str) -> bool {
    matches!(name, "__name__" | "__type__" | "__unit__")
}
