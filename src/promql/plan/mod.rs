//! Plans: a checked expression made ready to evaluate over a grid of steps.
//!
//! Its leaves are [`Fragment`]s, which run where the data is; the rest runs on the router.

mod fragment;

pub use fragment::{Fragment, NameRule, ReduceOp, Reduction, ValueMap, WindowFunction};

use super::ast::Expr;
use super::eval::EvalError;
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
}

/// A query ready for [`super::eval::evaluate`].
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) params: QueryParams,
}

impl Plan {
    /// Plans a checked expression.
    pub fn new(expr: &Expr, params: &QueryParams) -> Result<Self, EvalError> {
        let _ = expr;
        Ok(Self { params: *params })
    }
}
