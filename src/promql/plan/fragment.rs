//! Fragment: the part of a plan that runs where the data is. Plain data, free to cross cores.
//!
//! Per series: a window function over its samples at every step, then value functions; over the
//! series of the shard: optionally a partial aggregation or a preselection.

use std::sync::Arc;

use shards::model::need::{Need, Windows};
use shards::model::{Matcher, TimeRange};

use super::super::aggregate::partial::PartialOp;
use super::super::ast::{BinaryOp, Grouping, Span};
use super::super::functions::math::MathFunction;
use super::super::functions::range::RangeFunction;
use super::super::functions::time::DateFunction;
use super::super::value::Column;
use super::super::window::Grid;

/// What a shard is asked to evaluate.
#[derive(Debug, Clone)]
pub struct Fragment {
    pub matchers: Arc<[Matcher]>,
    /// Times of evaluation, which the results stand for.
    pub grid: Grid,
    /// Times the windows end at: `grid` moved by `offset`, or one time for all steps by `@`.
    pub reference: Grid,
    pub window: WindowFunction,
    /// Applied to the values of each series, in this order.
    pub maps: Arc<[ValueMap]>,
    /// Scalar arguments of `window` and `maps`, by index.
    pub params: Vec<Column>,
    pub name: NameRule,
    pub reduce: Option<Reduction>,
    /// Samples and values a shard may hold for this fragment; more is an error.
    pub samples_max: u64,
    pub lookback_ms: i64,
    /// Place of the selector, for annotations.
    pub span: Span,
}

impl Fragment {
    /// Times of the samples that evaluation needs.
    #[must_use]
    pub const fn range(&self) -> TimeRange {
        match self.window {
            WindowFunction::Instant | WindowFunction::InstantTimestamp => {
                self.reference.reach(self.lookback_ms)
            }
            WindowFunction::Range { range_ms, .. } | WindowFunction::Raw { range_ms } => {
                self.reference.reach(range_ms)
            }
        }
    }

    /// What evaluation needs of the samples in [`Self::range`].
    #[must_use]
    pub const fn need(&self) -> Need {
        let Grid { start_ms, step_ms, steps } = self.reference;
        let count = if step_ms <= 0 && steps > 1 { 1 } else { steps };
        match self.window {
            WindowFunction::Instant | WindowFunction::InstantTimestamp => {
                Need::Last(Windows { end_ms: start_ms, step_ms, count, range_ms: self.lookback_ms })
            }
            WindowFunction::Range { function, range_ms } => {
                function.need(Windows { end_ms: start_ms, step_ms, count, range_ms })
            }
            WindowFunction::Raw { .. } => Need::All,
        }
    }

    /// Whether labels of single series matter: to what comes out, to what is refused, or to what is
    /// told about a series.
    #[must_use]
    pub fn needs_labels(&self) -> bool {
        let total = self.reduce.as_ref().is_some_and(|reduction| {
            matches!(reduction.op, ReduceOp::Aggregate(_)) && reduction.grouping.is_total()
        });
        let instant = matches!(self.window, WindowFunction::Instant | WindowFunction::InstantTimestamp);
        !(total && instant && self.name != NameRule::Drop)
    }
}

/// From the samples of one series to one value per step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WindowFunction {
    /// The last sample not older than the lookback and no staleness marker.
    Instant,
    /// The time in seconds of that sample.
    InstantTimestamp,
    /// A function of all samples in `(reference - range, reference]`.
    Range { function: RangeFunction, range_ms: i64 },
    /// No function: the samples themselves, of the single step.
    Raw { range_ms: i64 },
}

/// What becomes of `__name__` and the other metadata labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    Keep,
    /// Removed at once; two series may then have equal labels, which is an error.
    Drop,
    /// Removed at the end of the evaluation (delayed name removal).
    Mark,
}

/// From value to value. Fields of type `usize` are indices into [`Fragment::params`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueMap {
    Negate,
    Math(MathFunction),
    Date(DateFunction),
    Clamp {
        min: usize,
        max: usize,
    },
    ClampMin(usize),
    ClampMax(usize),
    Round {
        to_nearest: usize,
    },
    /// An operator between the value and a scalar.
    Scalar {
        op: BinaryOp,
        param: usize,
        scalar_on_left: bool,
        return_bool: bool,
    },
}

/// Over the series of one shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    pub op: ReduceOp,
    pub grouping: Grouping,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReduceOp {
    /// Aggregates by group, merged on the router.
    Aggregate(PartialOp),
    /// At each step the largest or smallest values of a group stay, others go; the number of those
    /// to keep is the parameter `k`.
    Select { largest: bool, k: usize },
}
