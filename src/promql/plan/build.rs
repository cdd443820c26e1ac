//! From the expression tree to the nodes of a plan.

use std::sync::Arc;

use super::super::aggregate::partial::PartialOp;
use super::super::ast::{
    AggregateExpr, AggregateOp, AtModifier, BinaryExpr, CallExpr, Expr, ExprKind, Grouping, MatrixSelector,
    Span, SubqueryExpr, ValueType, VectorSelector,
};
use super::super::eval_error::EvalError;
use super::super::functions::FunctionId;
use super::super::functions::label::{JoinLabels, ReplaceLabel, absent_labels};
use super::super::functions::math::{self, MathFunction};
use super::super::functions::range::RangeFunction;
use super::super::functions::time::DateFunction;
use super::super::window::Grid;
use super::fragment::{NameRule, ReduceOp, Reduction, ValueMap, WindowFunction};
use super::invariant::{InvarianceMap, is_query_constant, unparen};
use super::node::{BinaryNode, FragmentTemplate, Node, NodeId, NodeKind, RangeShape};
use super::{QueryParams, split};

/// Builds the nodes of one query.
///
/// The only part of planning and evaluation that recurses, up to [`EXPR_DEPTH_MAX`] levels; its helpers
/// are kept out of line so that a level takes little stack.
///
/// [`EXPR_DEPTH_MAX`]: super::super::EXPR_DEPTH_MAX
pub(super) struct Builder<'a> {
    params: &'a QueryParams,
    /// Grid of the query itself, which `start()` and `end()` refer to.
    query: Grid,
    invariance: InvarianceMap,
    nodes: Vec<Node>,
}

/// A built expression.
type Built = Result<(NodeId, ValueType), EvalError>;

impl<'a> Builder<'a> {
    pub(super) fn new(params: &'a QueryParams, expr: &Expr) -> Self {
        Self { params, query: params.times.grid(), invariance: InvarianceMap::of(expr), nodes: Vec::new() }
    }

    /// Builds a whole query: its nodes, the last of which is its value.
    pub(super) fn build_query(mut self, expr: &Expr) -> Result<(Vec<Node>, ValueType), EvalError> {
        let grid = self.query;
        let (_, value_type) = self.build_once(expr, grid)?;
        Ok((self.nodes, value_type))
    }

    /// Builds an expression whose parent is not step invariant.
    fn build_once(&mut self, expr: &Expr, grid: Grid) -> Built {
        if grid.steps <= 1 || !self.invariance.get(expr).once {
            return self.build(expr, grid);
        }
        let (input, value_type) = self.build(expr, Grid::instant(grid.start_ms))?;
        Ok((self.push(NodeKind::Once, grid, vec![input]), value_type))
    }

    fn build(&mut self, expr: &Expr, grid: Grid) -> Built {
        match &expr.kind {
            ExprKind::Paren(inner) => self.build(inner, grid),
            ExprKind::Unary(unary) => {
                let (input, value_type) = self.build(&unary.operand, grid)?;
                Ok((if unary.negative { self.negate(input, value_type, grid) } else { input }, value_type))
            }
            ExprKind::Binary(binary) => {
                let whole = self.invariance.get(expr).invariant;
                self.binary(binary, whole, grid)
            }
            ExprKind::Aggregate(aggregate) => {
                let (input, _) = self.build(unparen(&aggregate.operand), grid)?;
                Ok((self.aggregate(aggregate, input, grid)?, ValueType::Vector))
            }
            ExprKind::Call(call) => {
                let whole = self.invariance.get(expr).invariant;
                Ok((self.call(call, whole, grid)?, call.function.returns))
            }
            ExprKind::Subquery(subquery) => {
                let (input, _) = self.subquery(subquery, grid)?;
                Ok((self.push(NodeKind::Subquery, grid, vec![input]), ValueType::Matrix))
            }
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => {
                Ok(self.leaf(expr, grid))
            }
        }
    }

    #[inline(never)]
    fn leaf(&mut self, expr: &Expr, grid: Grid) -> (NodeId, ValueType) {
        match &expr.kind {
            ExprKind::Number(value) => (self.number(*value, grid), ValueType::Scalar),
            ExprKind::String(text) => {
                let text = NodeKind::String(text.as_str().into());
                (self.push(text, grid, Vec::new()), ValueType::String)
            }
            ExprKind::Vector(selector) => {
                let template = self.template(selector, WindowFunction::Instant, NameRule::Keep, expr.span);
                (self.fragment(template, grid, Vec::new()), ValueType::Vector)
            }
            ExprKind::Matrix(matrix) => {
                let window = WindowFunction::Raw { range_ms: matrix.range_ms };
                let template = self.template(&matrix.vector, window, NameRule::Keep, expr.span);
                (self.fragment(template, grid, Vec::new()), ValueType::Matrix)
            }
            _ => unreachable!("other expressions are no leaves"),
        }
    }

    #[inline(never)]
    fn push(&mut self, kind: NodeKind, grid: Grid, inputs: Vec<NodeId>) -> NodeId {
        self.nodes.push(Node { kind, grid, inputs });
        NodeId(self.nodes.len() - 1)
    }

    #[inline(never)]
    fn number(&mut self, value: f64, grid: Grid) -> NodeId {
        self.push(NodeKind::Number(value), grid, Vec::new())
    }

    /// The number that a node is, if it is one.
    fn constant(&self, id: NodeId) -> Option<f64> {
        match self.nodes.get(id.0).map(|node| &node.kind) {
            Some(NodeKind::Number(value)) => Some(*value),
            _ => None,
        }
    }

    /// Takes a node out of its place, to be pushed again behind what it shall depend on.
    fn take(&mut self, id: NodeId) -> (NodeKind, Vec<NodeId>) {
        match self.nodes.get_mut(id.0) {
            Some(node) => {
                (std::mem::replace(&mut node.kind, NodeKind::Moved), std::mem::take(&mut node.inputs))
            }
            None => (NodeKind::Empty, Vec::new()),
        }
    }

    const fn dropped(&self) -> NameRule {
        if self.params.delayed_name_removal { NameRule::Mark } else { NameRule::Drop }
    }

    fn at(&self, at: Option<AtModifier>) -> Option<i64> {
        at.map(|at| match at {
            AtModifier::Timestamp(time_ms) => time_ms,
            AtModifier::Start => self.query.start_ms,
            AtModifier::End => self.params.times.end_ms(),
        })
    }

    fn template(
        &self,
        selector: &VectorSelector,
        window: WindowFunction,
        name: NameRule,
        span: Span,
    ) -> FragmentTemplate {
        FragmentTemplate {
            matchers: selector.matchers.as_slice().into(),
            offset_ms: selector.offset_ms,
            at_ms: self.at(selector.at),
            window,
            maps: Vec::new(),
            name,
            reduce: None,
            span,
        }
    }

    fn fragment(&mut self, template: FragmentTemplate, grid: Grid, params: Vec<NodeId>) -> NodeId {
        self.push(NodeKind::Fragment(Box::new(template)), grid, params)
    }

    /// Applies a value function; `map` gets the index of its first parameter.
    fn map(
        &mut self,
        input: NodeId,
        params: Vec<NodeId>,
        map: impl Fn(usize) -> ValueMap,
        grid: Grid,
    ) -> NodeId {
        let dropped = self.dropped();
        let (mut kind, mut inputs) = self.take(input);
        if let Some(fragment) = split::extensible(&mut kind) {
            let map = map(inputs.len());
            if map.drops_name() {
                fragment.name = dropped;
            }
            fragment.maps.push(map);
            inputs.extend(params);
            return self.push(kind, grid, inputs);
        }
        let input = self.push(kind, self.nodes.get(input.0).map_or(grid, |node| node.grid), inputs);
        let map = map(0);
        let name = if map.drops_name() { dropped } else { NameRule::Keep };
        let mut inputs = vec![input];
        inputs.extend(params);
        self.push(NodeKind::Map { map, name }, grid, inputs)
    }

    #[inline(never)]
    fn negate(&mut self, input: NodeId, value_type: ValueType, grid: Grid) -> NodeId {
        if let Some(value) = self.constant(input) {
            return self.number(-value, grid);
        }
        if value_type == ValueType::Scalar {
            let minus_one = self.number(-1.0, grid);
            return self.push(
                NodeKind::ScalarBinary(super::super::ast::BinaryOp::Mul),
                grid,
                vec![minus_one, input],
            );
        }
        self.map(input, Vec::new(), |_| ValueMap::Negate, grid)
    }

    #[inline(never)]
    fn binary(&mut self, binary: &BinaryExpr, whole_invariant: bool, grid: Grid) -> Built {
        let (left, right) = if whole_invariant {
            (self.build(&binary.left, grid)?, self.build(&binary.right, grid)?)
        } else {
            (self.build_once(&binary.left, grid)?, self.build_once(&binary.right, grid)?)
        };
        self.operator(binary, left, right, grid)
    }

    #[inline(never)]
    fn operator(
        &mut self,
        binary: &BinaryExpr,
        (left, left_type): (NodeId, ValueType),
        (right, right_type): (NodeId, ValueType),
        grid: Grid,
    ) -> Built {
        let op = binary.op;
        match (left_type, right_type) {
            (ValueType::Scalar, ValueType::Scalar) => {
                let id = match (self.constant(left), self.constant(right)) {
                    (Some(left), Some(right)) => self.number(math::scalar(op, left, right), grid),
                    _ => self.push(NodeKind::ScalarBinary(op), grid, vec![left, right]),
                };
                Ok((id, ValueType::Scalar))
            }
            (ValueType::Vector, ValueType::Vector) => {
                let Some(matching) = binary.matching.clone() else {
                    return Err(EvalError::execution("operator between vectors without matching"));
                };
                let node = BinaryNode { op, matching, return_bool: binary.return_bool };
                let id = self.push(NodeKind::Binary(Box::new(node)), grid, vec![left, right]);
                Ok((id, ValueType::Vector))
            }
            _ => {
                let scalar_on_left = left_type == ValueType::Scalar;
                let (vector, scalar) = if scalar_on_left { (right, left) } else { (left, right) };
                let return_bool = binary.return_bool;
                let map = |param| ValueMap::Scalar { op, param, scalar_on_left, return_bool };
                Ok((self.map(vector, vec![scalar], map, grid), ValueType::Vector))
            }
        }
    }

    #[inline(never)]
    fn aggregate(
        &mut self,
        aggregate: &AggregateExpr,
        input: NodeId,
        grid: Grid,
    ) -> Result<NodeId, EvalError> {
        let mut grouping = aggregate.grouping.clone();
        grouping.labels.sort_unstable();
        grouping.labels.dedup();
        if let Some(op) = split::partial_op(aggregate.op) {
            return Ok(self.partial(op, grouping, input, grid));
        }
        let Some(parameter) = aggregate.parameter.as_ref().map(unparen) else {
            return Err(EvalError::execution(format!("{} without parameter", aggregate.op.as_str())));
        };
        let span = parameter.span;
        match aggregate.op {
            AggregateOp::TopK | AggregateOp::BottomK => {
                let (k, _) = self.build(parameter, grid)?;
                let largest = aggregate.op == AggregateOp::TopK;
                Ok(self.select(largest, k, grouping, input, grid))
            }
            AggregateOp::Quantile => {
                let (quantile, _) = self.build(parameter, grid)?;
                Ok(self.push(NodeKind::Quantile { grouping, span }, grid, vec![input, quantile]))
            }
            AggregateOp::CountValues => {
                let label = string(parameter)?;
                if label.is_empty() {
                    return Err(EvalError::execution("invalid label name \"\""));
                }
                Ok(self.push(NodeKind::CountValues { label, grouping }, grid, vec![input]))
            }
            _ => Err(EvalError::Unsupported(format!("aggregation {}", aggregate.op.as_str()))),
        }
    }

    fn partial(&mut self, op: PartialOp, grouping: Grouping, input: NodeId, grid: Grid) -> NodeId {
        if let Some(fragment) = self.nodes.get_mut(input.0).and_then(|node| split::extensible(&mut node.kind))
        {
            fragment.reduce = Some(Reduction { op: ReduceOp::Aggregate(op), grouping });
            return input;
        }
        self.push(NodeKind::Aggregate { op, grouping }, grid, vec![input])
    }

    /// `topk` and `bottomk`. The shards choose among their own series, then the router among what
    /// they chose; so `k` is wanted in two places.
    fn select(&mut self, largest: bool, k: NodeId, grouping: Grouping, input: NodeId, grid: Grid) -> NodeId {
        if let Some(value) = self.constant(k) {
            let (mut kind, mut inputs) = self.take(input);
            if let Some(fragment) = split::extensible(&mut kind) {
                let op = ReduceOp::Select { largest, k: inputs.len() };
                fragment.reduce = Some(Reduction { op, grouping: grouping.clone() });
                let preselected = self.number(value, grid);
                inputs.push(preselected);
            }
            let grid_of_input = self.nodes.get(input.0).map_or(grid, |node| node.grid);
            let input = self.push(kind, grid_of_input, inputs);
            return self.push(NodeKind::Select { largest, grouping }, grid, vec![input, k]);
        }
        self.push(NodeKind::Select { largest, grouping }, grid, vec![input, k])
    }

    /// Builds what a subquery evaluates, on its own grid: the multiples of its step that any window
    /// of the outer grid can reach.
    #[inline(never)]
    fn subquery(&mut self, subquery: &SubqueryExpr, grid: Grid) -> Result<(NodeId, RangeShape), EvalError> {
        let shape = RangeShape {
            range_ms: subquery.range_ms,
            offset_ms: subquery.offset_ms,
            at_ms: self.at(subquery.at),
        };
        let reference = shape.reference(&grid);
        let step = subquery.step_ms.unwrap_or(self.params.subquery_step_ms).max(1);
        let before = reference.start_ms.saturating_sub(shape.range_ms);
        // The first multiple after the left-open bound.
        let start = before.div_euclid(step).saturating_add(1).saturating_mul(step);
        let inner = Grid::range(start, reference.end_ms(), step);
        let id = if inner.steps == 0 || grid.steps == 0 {
            self.push(NodeKind::Empty, inner, Vec::new())
        } else if self.invariance.get(&subquery.expr).invariant && inner.steps > 1 {
            let (input, _) = self.build(&subquery.expr, Grid::instant(inner.start_ms))?;
            self.push(NodeKind::Once, inner, vec![input])
        } else {
            self.build(&subquery.expr, inner)?.0
        };
        Ok((id, shape))
    }

    #[inline(never)]
    fn call(&mut self, call: &CallExpr, whole_invariant: bool, grid: Grid) -> Result<NodeId, EvalError> {
        let id = call.function.id;
        if is_query_constant(id) {
            let (start_ms, end_ms) = (self.query.start_ms, self.params.times.end_ms());
            let value = match id {
                FunctionId::Start => start_ms as f64 / 1_000.0,
                FunctionId::End => end_ms as f64 / 1_000.0,
                FunctionId::Range => (end_ms - start_ms) as f64 / 1_000.0,
                _ if start_ms == end_ms => 0.0,
                _ => self.query.step_ms as f64 / 1_000.0,
            };
            return Ok(self.number(value, grid));
        }
        if let Some(function) = range_function(id) {
            return self.range_call(call, function, whole_invariant, grid);
        }
        if id == FunctionId::AbsentOverTime {
            return self.absent_over_time(call, whole_invariant, grid);
        }
        if id == FunctionId::Timestamp
            && let Some(arg) = call.args.first().map(unparen)
            && let ExprKind::Vector(selector) = &arg.kind
        {
            let template =
                self.template(selector, WindowFunction::InstantTimestamp, self.dropped(), arg.span);
            return Ok(self.fragment(template, grid, Vec::new()));
        }
        let args = self.args(call, whole_invariant, grid)?;
        self.vector_call(call, args, grid)
    }

    /// Builds the arguments but for strings.
    #[inline(never)]
    fn args(&mut self, call: &CallExpr, whole_invariant: bool, grid: Grid) -> Result<Vec<NodeId>, EvalError> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            let arg = unparen(arg);
            let built = match &arg.kind {
                ExprKind::String(_) => continue,
                _ if whole_invariant => self.build(arg, grid)?,
                _ => self.build_once(arg, grid)?,
            };
            args.push(built.0);
        }
        Ok(args)
    }

    /// Calls without range vectors; `args` are the built arguments but for strings.
    #[inline(never)]
    fn vector_call(&mut self, call: &CallExpr, args: Vec<NodeId>, grid: Grid) -> Result<NodeId, EvalError> {
        let id = call.function.id;
        let span_of = |index: usize| call.args.get(index).map_or(call.name_span, |arg| unparen(arg).span);
        let string_arg = |index: usize| {
            call.args.get(index).map_or_else(|| Err(EvalError::execution("missing argument")), string)
        };
        let whole = call_span(call);
        let mut args = args.into_iter();
        let Some(first) = args.next() else {
            if let Some(date) = DateFunction::by_id(id) {
                return Ok(self.push(NodeKind::DateOfStep(date), grid, Vec::new()));
            }
            return match id {
                FunctionId::Time => Ok(self.push(NodeKind::Time, grid, Vec::new())),
                FunctionId::Pi => Ok(self.number(std::f64::consts::PI, grid)),
                _ => Err(unsupported(call)),
            };
        };
        let rest: Vec<NodeId> = args.collect();
        if let Some(function) = MathFunction::by_id(id) {
            return Ok(self.map(first, rest, |_| ValueMap::Math(function), grid));
        }
        if let Some(function) = DateFunction::by_id(id) {
            return Ok(self.map(first, rest, |_| ValueMap::Date(function), grid));
        }
        let inputs = || {
            let mut inputs = vec![first];
            inputs.extend(rest.iter().copied());
            inputs
        };
        Ok(match id {
            FunctionId::Clamp => {
                self.map(first, rest, |param| ValueMap::Clamp { min: param, max: param + 1 }, grid)
            }
            FunctionId::ClampMin => self.map(first, rest, ValueMap::ClampMin, grid),
            FunctionId::ClampMax => self.map(first, rest, ValueMap::ClampMax, grid),
            FunctionId::Round => {
                let rest = if rest.is_empty() { vec![self.number(1.0, grid)] } else { rest };
                self.map(first, rest, |to_nearest| ValueMap::Round { to_nearest }, grid)
            }
            FunctionId::Timestamp => {
                let name = self.dropped();
                self.push(NodeKind::TimestampOfStep { name }, grid, vec![first])
            }
            FunctionId::Scalar => self.push(NodeKind::ScalarOf, grid, vec![first]),
            FunctionId::Vector => self.push(NodeKind::VectorOf, grid, vec![first]),
            FunctionId::MinOf => self.push(NodeKind::ScalarExtreme { largest: false }, grid, inputs()),
            FunctionId::MaxOf => self.push(NodeKind::ScalarExtreme { largest: true }, grid, inputs()),
            FunctionId::Absent => {
                let labels = match call.args.first().map(|arg| &unparen(arg).kind) {
                    Some(ExprKind::Vector(selector)) => absent_labels(&selector.matchers),
                    _ => absent_labels(&[]),
                };
                let all = Grouping { without: false, labels: Vec::new() };
                let input = self.partial(PartialOp::Group, all, first, grid);
                self.push(NodeKind::Absent(labels), grid, vec![input])
            }
            FunctionId::LabelReplace => {
                let replace =
                    ReplaceLabel::new(&string_arg(1)?, &string_arg(2)?, &string_arg(3)?, &string_arg(4)?)?;
                self.push(NodeKind::ReplaceLabel(Box::new(replace)), grid, vec![first])
            }
            FunctionId::LabelJoin => {
                let sources = (3..call.args.len()).map(string_arg).collect::<Result<_, _>>()?;
                let join = JoinLabels::new(&string_arg(1)?, &string_arg(2)?, sources)?;
                self.push(NodeKind::JoinLabels(Box::new(join)), grid, vec![first])
            }
            FunctionId::Sort => {
                self.push(NodeKind::Sort { descending: false, span: whole }, grid, vec![first])
            }
            FunctionId::SortDesc => {
                self.push(NodeKind::Sort { descending: true, span: whole }, grid, vec![first])
            }
            FunctionId::HistogramQuantile => {
                let kind =
                    NodeKind::HistogramQuantile { quantile_span: span_of(0), buckets_span: span_of(1) };
                self.push(kind, grid, inputs())
            }
            _ => return Err(unsupported(call)),
        })
    }

    #[inline(never)]
    fn range_call(
        &mut self,
        call: &CallExpr,
        function: RangeFunction,
        whole_invariant: bool,
        grid: Grid,
    ) -> Result<NodeId, EvalError> {
        let mut params = Vec::new();
        let mut range = None;
        for arg in &call.args {
            let arg = unparen(arg);
            match &arg.kind {
                ExprKind::Matrix(_) | ExprKind::Subquery(_) => range = Some(arg),
                _ if whole_invariant => params.push(self.build(arg, grid)?.0),
                _ => params.push(self.build_once(arg, grid)?.0),
            }
        }
        let span = call.args.first().map_or(call.name_span, |arg| unparen(arg).span);
        let name = if function.keeps_name() { NameRule::Keep } else { self.dropped() };
        match range.map(|range| &range.kind) {
            Some(ExprKind::Matrix(matrix)) => {
                let MatrixSelector { vector, range_ms, .. } = &**matrix;
                let window = WindowFunction::Range { function, range_ms: *range_ms };
                let template = self.template(vector, window, name, span);
                Ok(self.fragment(template, grid, params))
            }
            Some(ExprKind::Subquery(subquery)) => {
                let (input, shape) = self.subquery(subquery, grid)?;
                // Upstream's evaluated subqueries have lost their place.
                let first = call.args.first().map(unparen);
                let span = if range.zip(first).is_some_and(|(range, first)| std::ptr::eq(range, first)) {
                    Span::default()
                } else {
                    span
                };
                let mut inputs = vec![input];
                inputs.extend(params);
                Ok(self.push(NodeKind::RangeOverSubquery { function, shape, name, span }, grid, inputs))
            }
            _ => Err(EvalError::execution(format!("{} without a range vector", call.function.name))),
        }
    }

    #[inline(never)]
    fn absent_over_time(
        &mut self,
        call: &CallExpr,
        whole_invariant: bool,
        grid: Grid,
    ) -> Result<NodeId, EvalError> {
        let labels = match call.args.first().map(|arg| &unparen(arg).kind) {
            Some(ExprKind::Matrix(matrix)) => absent_labels(&matrix.vector.matchers),
            _ => absent_labels(&[]),
        };
        let present = self.range_call(call, RangeFunction::PresentOverTime, whole_invariant, grid)?;
        // Series that differ in their names only are no error here.
        match self.nodes.get_mut(present.0).map(|node| &mut node.kind) {
            Some(NodeKind::Fragment(fragment)) => fragment.name = NameRule::Keep,
            Some(NodeKind::RangeOverSubquery { name, .. }) => *name = NameRule::Keep,
            _ => {}
        }
        let all = Grouping { without: false, labels: Vec::new() };
        let input = self.partial(PartialOp::Group, all, present, grid);
        Ok(self.push(NodeKind::Absent(labels), grid, vec![input]))
    }
}

fn unsupported(call: &CallExpr) -> EvalError {
    EvalError::Unsupported(format!("function {}", call.function.name))
}

fn string(expr: &Expr) -> Result<Arc<str>, EvalError> {
    match &unparen(expr).kind {
        ExprKind::String(text) => Ok(text.as_str().into()),
        _ => Err(EvalError::execution("expected a string literal")),
    }
}

/// Place of a call, which begins with its name.
const fn call_span(call: &CallExpr) -> Span {
    call.name_span
}

/// Range functions by identity. Parameters are numbered in the order of their arguments.
const fn range_function(id: FunctionId) -> Option<RangeFunction> {
    Some(match id {
        FunctionId::Rate => RangeFunction::Rate,
        FunctionId::Increase => RangeFunction::Increase,
        FunctionId::Delta => RangeFunction::Delta,
        FunctionId::Irate => RangeFunction::Irate,
        FunctionId::Idelta => RangeFunction::Idelta,
        FunctionId::Deriv => RangeFunction::Deriv,
        FunctionId::PredictLinear => RangeFunction::PredictLinear { seconds: 0 },
        FunctionId::DoubleExponentialSmoothing => {
            RangeFunction::DoubleExponentialSmoothing { smoothing: 0, trend: 1 }
        }
        FunctionId::Changes => RangeFunction::Changes,
        FunctionId::Resets => RangeFunction::Resets,
        FunctionId::AvgOverTime => RangeFunction::AvgOverTime,
        FunctionId::SumOverTime => RangeFunction::SumOverTime,
        FunctionId::CountOverTime => RangeFunction::CountOverTime,
        FunctionId::MinOverTime => RangeFunction::MinOverTime,
        FunctionId::MaxOverTime => RangeFunction::MaxOverTime,
        FunctionId::StddevOverTime => RangeFunction::StddevOverTime,
        FunctionId::StdvarOverTime => RangeFunction::StdvarOverTime,
        FunctionId::QuantileOverTime => RangeFunction::QuantileOverTime { quantile: 0 },
        FunctionId::MadOverTime => RangeFunction::MadOverTime,
        FunctionId::PresentOverTime => RangeFunction::PresentOverTime,
        FunctionId::LastOverTime => RangeFunction::LastOverTime,
        FunctionId::FirstOverTime => RangeFunction::FirstOverTime,
        FunctionId::TsOfFirstOverTime => RangeFunction::TsOfFirstOverTime,
        FunctionId::TsOfLastOverTime => RangeFunction::TsOfLastOverTime,
        FunctionId::TsOfMinOverTime => RangeFunction::TsOfMinOverTime,
        FunctionId::TsOfMaxOverTime => RangeFunction::TsOfMaxOverTime,
        _ => return None,
    })
}
