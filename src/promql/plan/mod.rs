//! Plans: a checked expression made ready to evaluate over a grid of steps.
//!
//! Its leaves are [`Fragment`]s, which run where the data is; the rest runs on the router.

mod build;
mod fragment;
mod invariant;
pub(crate) mod node;
pub(crate) mod split;

pub use fragment::{Fragment, NameRule, ReduceOp, Reduction, ValueMap, WindowFunction};

use self::build::Builder;
use self::node::Node;
use super::ast::{Expr, ValueType};
use super::eval_error::EvalError;
use super::window::Grid;

/// Times and limits of one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryParams {
    pub times: QueryTimes,
    /// How far an instant selector looks back; Prometheus' default is 5 minutes.
    pub lookback_ms: i64,
    /// Resolution of subqueries that name none; Prometheus' default is 1 minute.
    pub subquery_step_ms: i64,
    /// Samples and values one query may hold at a time.
    pub samples_max: u64,
    /// Metric names go at the end of the evaluation instead of at each function.
    pub delayed_name_removal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryTimes {
    Instant {
        time_ms: i64,
    },
    /// `step_ms` is positive; both ends are included.
    Range {
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    },
}

impl QueryTimes {
    #[must_use]
    pub fn grid(&self) -> Grid {
        match *self {
            Self::Instant { time_ms } => Grid::instant(time_ms),
            Self::Range { start_ms, end_ms, step_ms } => Grid::range(start_ms, end_ms, step_ms),
        }
    }

    /// The end as it was given; the last step may be earlier.
    #[must_use]
    pub const fn end_ms(&self) -> i64 {
        match *self {
            Self::Instant { time_ms } => time_ms,
            Self::Range { end_ms, .. } => end_ms,
        }
    }
}

/// A query ready for [`super::eval::evaluate`].
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) params: QueryParams,
    /// The last node gives the value of the query.
    pub(crate) nodes: Vec<Node>,
}

impl Plan {
    /// Plans a checked expression.
    pub fn new(expr: &Expr, params: &QueryParams) -> Result<Self, EvalError> {
        let (nodes, value_type) = Builder::new(params, expr).build_query(expr)?;
        if matches!(params.times, QueryTimes::Range { .. })
            && matches!(value_type, ValueType::Matrix | ValueType::String)
        {
            return Err(EvalError::Execution(format!(
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                value_type.as_str()
            )));
        }
        Ok(Self { params: *params, nodes })
    }
}
