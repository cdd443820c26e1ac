//! Nodes of a plan: what is computed on the router from what came before.

use std::sync::Arc;

use shards::model::{Labels, Matcher};

use super::super::aggregate::partial::PartialOp;
use super::super::ast::{BinaryOp, Grouping, Span, VectorMatching};
use super::super::functions::label::{JoinLabels, ReplaceLabel};
use super::super::functions::range::RangeFunction;
use super::super::functions::time::DateFunction;
use super::super::value::Column;
use super::super::window::Grid;
use super::QueryParams;
use super::fragment::{Fragment, NameRule, Reduction, ValueMap, WindowFunction};

/// Index of a node in its plan. Inputs come before the nodes that use them, and each node is the
/// input of one other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) usize);

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// Steps of its value.
    pub(crate) grid: Grid,
    pub(crate) inputs: Vec<NodeId>,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    /// Became part of a later node.
    Moved,
    /// A vector without series.
    Empty,
    Number(f64),
    String(Arc<str>),
    /// The time of each step in seconds.
    Time,
    /// Vector from the shards; the inputs are its scalar parameters.
    Fragment(Box<FragmentTemplate>),
    /// The input, which has one step, at all steps.
    Once,
    /// Samples of the input as a range vector.
    Subquery,
    /// A range function over the subquery that is the first input; the rest are its parameters.
    RangeOverSubquery {
        function: RangeFunction,
        shape: RangeShape,
        name: NameRule,
        span: Span,
    },
    /// Operator between two scalars.
    ScalarBinary(BinaryOp),
    /// The larger or the smaller of two scalars.
    ScalarExtreme {
        largest: bool,
    },
    /// Value function of the first input; the rest are its parameters.
    Map {
        map: ValueMap,
        name: NameRule,
    },
    /// A part of the date of each step.
    DateOfStep(DateFunction),
    /// The time of each step where the input has a value.
    TimestampOfStep {
        name: NameRule,
    },
    ScalarOf,
    VectorOf,
    Aggregate {
        op: PartialOp,
        grouping: Grouping,
    },
    /// The second input is `k`.
    Select {
        largest: bool,
        grouping: Grouping,
    },
    /// The second input is the quantile.
    Quantile {
        grouping: Grouping,
        span: Span,
    },
    CountValues {
        label: Arc<str>,
        grouping: Grouping,
    },
    /// 1 where the input has no value.
    Absent(Labels),
    ReplaceLabel(Box<ReplaceLabel>),
    JoinLabels(Box<JoinLabels>),
    Sort {
        descending: bool,
        span: Span,
    },
    /// Quantile of classic histograms: first input the quantile, second the buckets.
    HistogramQuantile {
        quantile_span: Span,
        buckets_span: Span,
    },
    /// Operator between two vectors.
    Binary(Box<BinaryNode>),
}

#[derive(Debug, Clone)]
pub(crate) struct BinaryNode {
    pub(crate) op: BinaryOp,
    pub(crate) matching: VectorMatching,
    pub(crate) return_bool: bool,
}

/// Range, offset and `@` of a subquery.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RangeShape {
    pub(crate) range_ms: i64,
    pub(crate) offset_ms: i64,
    pub(crate) at_ms: Option<i64>,
}

impl RangeShape {
    /// Times at which the windows end.
    pub(crate) const fn reference(&self, grid: &Grid) -> Grid {
        reference(grid, self.offset_ms, self.at_ms)
    }
}

const fn reference(grid: &Grid, offset_ms: i64, at_ms: Option<i64>) -> Grid {
    match at_ms {
        Some(at_ms) => grid.fixed_at(at_ms.saturating_sub(offset_ms)),
        None => grid.earlier(offset_ms),
    }
}

/// A fragment but for its grid and the values of its parameters.
#[derive(Debug, Clone)]
pub(crate) struct FragmentTemplate {
    pub(crate) matchers: Arc<[Matcher]>,
    pub(crate) offset_ms: i64,
    pub(crate) at_ms: Option<i64>,
    pub(crate) window: WindowFunction,
    pub(crate) maps: Vec<ValueMap>,
    pub(crate) name: NameRule,
    pub(crate) reduce: Option<Reduction>,
    pub(crate) span: Span,
}

impl FragmentTemplate {
    pub(crate) fn at(&self, grid: &Grid, params: Vec<Column>, query: &QueryParams) -> Fragment {
        Fragment {
            matchers: Arc::clone(&self.matchers),
            grid: *grid,
            reference: reference(grid, self.offset_ms, self.at_ms),
            window: self.window,
            maps: self.maps.as_slice().into(),
            params,
            name: self.name,
            reduce: self.reduce.clone(),
            samples_max: query.samples_max,
            lookback_ms: query.lookback_ms,
            span: self.span,
        }
    }

    /// Whether two series with the same labels are an error at once, even at different steps: so
    /// it is after range functions.
    pub(crate) const fn labels_must_differ(&self) -> bool {
        match self.window {
            WindowFunction::Range { function, .. } => !function.keeps_name(),
            _ => false,
        }
    }
}
