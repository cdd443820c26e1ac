//! What runs on the shards: decides which operations join the fragment they apply to.
//!
//! Elementwise functions and partial aggregations do, as long as nothing has been reduced yet.

use super::super::aggregate::partial::PartialOp;
use super::super::ast::AggregateOp;
use super::fragment::WindowFunction;
use super::node::{FragmentTemplate, NodeKind};

/// The fragment of a node that may still take on work.
pub(crate) fn extensible(kind: &mut NodeKind) -> Option<&mut FragmentTemplate> {
    match kind {
        NodeKind::Fragment(fragment)
            if fragment.reduce.is_none() && !matches!(fragment.window, WindowFunction::Raw { .. }) =>
        {
            Some(fragment)
        }
        _ => None,
    }
}

/// Operators whose partial results of the shards can be merged.
pub(crate) const fn partial_op(op: AggregateOp) -> Option<PartialOp> {
    Some(match op {
        AggregateOp::Sum => PartialOp::Sum,
        AggregateOp::Avg => PartialOp::Avg,
        AggregateOp::Min => PartialOp::Min,
        AggregateOp::Max => PartialOp::Max,
        AggregateOp::Count => PartialOp::Count,
        AggregateOp::Group => PartialOp::Group,
        AggregateOp::Stddev => PartialOp::Stddev,
        AggregateOp::Stdvar => PartialOp::Stdvar,
        AggregateOp::TopK
        | AggregateOp::BottomK
        | AggregateOp::Quantile
        | AggregateOp::CountValues
        | AggregateOp::LimitK
        | AggregateOp::LimitRatio => return None,
    })
}
