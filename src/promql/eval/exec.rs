//! Runs the nodes of a plan in order: first the fragments that wait for nothing, several at a time,
//! then node after node.

use futures_util::stream::{self, StreamExt};
use shards::model::Labels;

use super::histogram::QuantileCall;
use super::merge::{Merged, has_twins, merge, merge_twins};
use super::pacer::Pacer;
use super::subquery::{RangeCall, samples};
use super::{EvalError, FragmentHost, binary};
use crate::promql::aggregate::collect::{Members, ValueCounts, quantile};
use crate::promql::aggregate::order::Selection;
use crate::promql::aggregate::partial::{PartialAggregator, PartialOp};
use crate::promql::annotation::Annotations;
use crate::promql::ast::{Grouping, Span};
use crate::promql::functions::math;
use crate::promql::number;
use crate::promql::plan::node::{FragmentTemplate, Node, NodeId, NodeKind};
use crate::promql::plan::{Fragment, NameRule, Plan, QueryTimes, ReduceOp, WindowFunction};
use crate::promql::value::{
    ABSENT, Column, EvalSeries, QueryOutput, RawSeries, Value, is_absent, is_present, without_metadata,
};
use crate::promql::window::Grid;

/// Fragments under way at the same time.
const FETCHES_MAX: usize = 8;

/// Value of a node.
#[derive(Debug)]
enum Evaluated {
    Scalar(Column),
    Vector(Vec<EvalSeries>),
    Matrix(Vec<RawSeries>),
    String(std::sync::Arc<str>),
}

pub(super) async fn evaluate<H: FragmentHost>(plan: &Plan, host: &H) -> Result<QueryOutput, EvalError> {
    let mut slots = Vec::new();
    slots.resize_with(plan.nodes.len(), || None);
    let mut evaluation = Evaluation {
        plan,
        host,
        pacer: Pacer::new(host),
        slots,
        annotations: Annotations::new(),
        samples: 0,
        held: 0,
    };
    evaluation.fetch_ready().await?;
    for index in 0..plan.nodes.len() {
        evaluation.node(index).await?;
    }
    evaluation.finish()
}

/// One evaluation under way.
struct Evaluation<'a, H> {
    plan: &'a Plan,
    host: &'a H,
    pacer: Pacer<'a, H>,
    /// Values of the nodes that are evaluated and not used up.
    slots: Vec<Option<Evaluated>>,
    annotations: Annotations,
    samples: u64,
    /// Values in `slots`.
    held: u64,
}

impl<H: FragmentHost> Evaluation<'_, H> {
    fn node_at(&self, id: NodeId) -> Option<&Node> {
        self.plan.nodes.get(id.0)
    }

    /// Fetches the fragments whose parameters are numbers.
    async fn fetch_ready(&mut self) -> Result<(), EvalError> {
        let mut ready = Vec::new();
        for (index, node) in self.plan.nodes.iter().enumerate() {
            let NodeKind::Fragment(template) = &node.kind else { continue };
            let params: Option<Vec<Column>> = node
                .inputs
                .iter()
                .map(|&input| match self.node_at(input)?.kind {
                    NodeKind::Number(value) => Some(Column::Constant(value)),
                    _ => None,
                })
                .collect();
            if let Some(params) = params {
                ready.push((index, &**template, template.at(&node.grid, params, &self.plan.params)));
            }
        }
        let host = self.host;
        let mut fetches = stream::iter(ready)
            .map(|(index, template, fragment)| async move {
                let outputs = host.fetch(fragment.clone()).await;
                (index, template, fragment, outputs)
            })
            .buffered(FETCHES_MAX);
        while let Some((index, template, fragment, outputs)) = fetches.next().await {
            let merged = merge(&fragment, outputs?, &self.pacer).await?;
            let value = self.fetched(template, fragment, merged).await?;
            self.store(index, value)?;
        }
        Ok(())
    }

    async fn fetch(
        &mut self,
        template: &FragmentTemplate,
        fragment: Fragment,
    ) -> Result<Evaluated, EvalError> {
        let outputs = self.host.fetch(fragment.clone()).await?;
        let merged = merge(&fragment, outputs, &self.pacer).await?;
        self.fetched(template, fragment, merged).await
    }

    /// Checks what the shards sent and makes a value of it.
    async fn fetched(
        &mut self,
        template: &FragmentTemplate,
        mut fragment: Fragment,
        mut merged: Merged,
    ) -> Result<Evaluated, EvalError> {
        self.account(&mut merged)?;
        if matches!(fragment.window, WindowFunction::Raw { .. }) {
            return Ok(Evaluated::Matrix(merged.raw));
        }
        if fragment.name != NameRule::Drop {
            return Ok(Evaluated::Vector(merged.series));
        }
        if fragment.reduce.is_none() {
            return self.unnamed(template, merged.series).map(Evaluated::Vector);
        }
        if !merged.collision {
            return Ok(Evaluated::Vector(merged.series));
        }
        // Series became equal when they lost their names. Whether that is an error depends on
        // steps that are reduced away; so fetch the series themselves.
        let reduction = fragment.reduce.take();
        let outputs = self.host.fetch(fragment.clone()).await?;
        let mut merged = merge(&fragment, outputs, &self.pacer).await?;
        self.account(&mut merged)?;
        let series = self.unnamed(template, merged.series)?;
        let Some(reduction) = reduction else { return Ok(Evaluated::Vector(series)) };
        match reduction.op {
            ReduceOp::Aggregate(op) => {
                self.aggregate(op, &reduction.grouping, fragment.grid.steps, series).await
            }
            ReduceOp::Select { .. } => Ok(Evaluated::Vector(series)),
        }
    }

    fn account(&mut self, merged: &mut Merged) -> Result<(), EvalError> {
        self.annotations.merge(std::mem::take(&mut merged.annotations));
        self.samples += merged.samples;
        if self.held + merged.held > self.plan.params.samples_max {
            return Err(EvalError::TooManySamples);
        }
        Ok(())
    }

    /// Settles series that have become equal by losing their names.
    fn unnamed(
        &self,
        template: &FragmentTemplate,
        series: Vec<EvalSeries>,
    ) -> Result<Vec<EvalSeries>, EvalError> {
        if template.labels_must_differ() && has_twins(&series) {
            return Err(EvalError::same_labelset());
        }
        merge_twins(series)
    }

    fn store(&mut self, index: usize, value: Evaluated) -> Result<(), EvalError> {
        self.held += count(&value);
        if self.held > self.plan.params.samples_max {
            return Err(EvalError::TooManySamples);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(value);
        }
        Ok(())
    }

    fn take(&mut self, node: &Node, input: usize) -> Option<Evaluated> {
        let id = *node.inputs.get(input)?;
        let value = self.slots.get_mut(id.0)?.take()?;
        self.held = self.held.saturating_sub(count(&value));
        Some(value)
    }

    fn vector(&mut self, node: &Node, input: usize) -> Result<Vec<EvalSeries>, EvalError> {
        match self.take(node, input) {
            Some(Evaluated::Vector(series)) => Ok(series),
            other => Err(unexpected("instant vector", other.as_ref())),
        }
    }

    fn scalar(&mut self, node: &Node, input: usize) -> Result<Column, EvalError> {
        match self.take(node, input) {
            Some(Evaluated::Scalar(column)) => Ok(column),
            other => Err(unexpected("scalar", other.as_ref())),
        }
    }

    fn scalars_from(&mut self, node: &Node, first: usize) -> Result<Vec<Column>, EvalError> {
        (first..node.inputs.len()).map(|input| self.scalar(node, input)).collect()
    }

    async fn node(&mut self, index: usize) -> Result<(), EvalError> {
        let plan = self.plan;
        let Some(node) = plan.nodes.get(index) else { return Ok(()) };
        if matches!(node.kind, NodeKind::Moved) || self.slots.get(index).is_some_and(Option::is_some) {
            return Ok(());
        }
        self.pacer.spend(0).await?;
        let value = match &node.kind {
            NodeKind::Binary(_)
            | NodeKind::Aggregate { .. }
            | NodeKind::Select { .. }
            | NodeKind::Quantile { .. }
            | NodeKind::CountValues { .. }
            | NodeKind::HistogramQuantile { .. }
            | NodeKind::RangeOverSubquery { .. }
            | NodeKind::Fragment(_) => self.combine(node).await?,
            NodeKind::Map { .. } | NodeKind::ReplaceLabel(_) | NodeKind::JoinLabels(_) => {
                self.transform(node).await?
            }
            _ => self.simple(node)?,
        };
        self.store(index, value)
    }

    /// Nodes that take little work.
    fn simple(&mut self, node: &Node) -> Result<Evaluated, EvalError> {
        let grid = node.grid;
        let scalar = |column| Ok(Evaluated::Scalar(column));
        match &node.kind {
            NodeKind::Number(value) => scalar(Column::Constant(*value)),
            NodeKind::String(text) => Ok(Evaluated::String(std::sync::Arc::clone(text))),
            NodeKind::Time => scalar(steps(&grid, |step| grid.at(step) as f64 / 1_000.0)),
            NodeKind::Once => match self.take(node, 0) {
                Some(value) => Ok(once(value, grid.steps)),
                None => Err(unexpected("a value", None)),
            },
            NodeKind::Subquery => {
                let inner = node.inputs.first().and_then(|&input| self.node_at(input)).map(|node| node.grid);
                let series = self.vector(node, 0)?;
                let inner = inner.unwrap_or(grid);
                Ok(Evaluated::Matrix(series.into_iter().map(|one| samples(&inner, one)).collect()))
            }
            NodeKind::ScalarBinary(op) => {
                let (left, right) = (self.scalar(node, 0)?, self.scalar(node, 1)?);
                scalar(steps(&grid, |step| math::scalar(*op, left.at(step), right.at(step))))
            }
            NodeKind::ScalarExtreme { largest } => {
                let (left, right) = (self.scalar(node, 0)?, self.scalar(node, 1)?);
                let choose = if *largest { math::max } else { math::min };
                scalar(steps(&grid, |step| choose(left.at(step), right.at(step))))
            }
            NodeKind::DateOfStep(function) => {
                let date = |step| function.of_unix_seconds(grid.at(step) / 1_000);
                Ok(Evaluated::Vector(vec![unlabelled((0..grid.steps).map(date).collect())]))
            }
            NodeKind::TimestampOfStep { name } => {
                let mut series = self.vector(node, 0)?;
                for one in &mut series {
                    for (step, value) in one.values.iter_mut().enumerate() {
                        if is_present(*value) {
                            *value = grid.at(step) as f64 / 1_000.0;
                        }
                    }
                }
                rename(*name, series).map(Evaluated::Vector)
            }
            NodeKind::ScalarOf => {
                let series = self.vector(node, 0)?;
                scalar(steps(&grid, |step| the_only(&series, step)))
            }
            NodeKind::VectorOf => {
                let column = self.scalar(node, 0)?;
                let values = (0..grid.steps).map(|step| column.at(step)).collect();
                Ok(Evaluated::Vector(vec![unlabelled(values)]))
            }
            NodeKind::Absent(labels) => {
                let series = self.vector(node, 0)?;
                Ok(Evaluated::Vector(absent(labels, grid.steps, &series)))
            }
            NodeKind::Sort { descending, span } => {
                let mut series = self.vector(node, 0)?;
                if grid.steps == 1 {
                    sort(*descending, &mut series);
                } else {
                    self.annotations.warn(
                        *span,
                        "sort is ineffective for range queries since results are always ordered by labels",
                    );
                }
                Ok(Evaluated::Vector(series))
            }
            _ => Ok(Evaluated::Vector(Vec::new())),
        }
    }

    /// Nodes that change series one by one.
    async fn transform(&mut self, node: &Node) -> Result<Evaluated, EvalError> {
        let steps = node.grid.steps;
        let mut series = self.vector(node, 0)?;
        match &node.kind {
            NodeKind::Map { map, name } => {
                let params = self.scalars_from(node, 1)?;
                for one in &mut series {
                    map.apply(&mut one.values, &params);
                    self.pacer.spend(steps).await?;
                }
                series.retain(|one| one.values.iter().any(|&value| is_present(value)));
                return rename(*name, series).map(Evaluated::Vector);
            }
            NodeKind::ReplaceLabel(replace) => {
                for one in &mut series {
                    replace.apply(one);
                    self.pacer.spend(1).await?;
                }
            }
            NodeKind::JoinLabels(join) => {
                for one in &mut series {
                    join.apply(one);
                    self.pacer.spend(1).await?;
                }
            }
            _ => {}
        }
        merge_twins(series).map(Evaluated::Vector)
    }

    /// Nodes that fetch, or combine series with each other.
    async fn combine(&mut self, node: &Node) -> Result<Evaluated, EvalError> {
        let params = self.plan.params;
        let grid = node.grid;
        match &node.kind {
            NodeKind::Fragment(template) => {
                let columns = self.scalars_from(node, 0)?;
                self.fetch(template, template.at(&grid, columns, &params)).await
            }
            NodeKind::Binary(binary) => {
                let (left, right) = (self.vector(node, 0)?, self.vector(node, 1)?);
                let delayed = params.delayed_name_removal;
                let result = binary::evaluate(binary, delayed, grid.steps, left, right, &self.pacer).await?;
                Ok(Evaluated::Vector(result))
            }
            NodeKind::Aggregate { op, grouping } => {
                let series = self.vector(node, 0)?;
                self.aggregate(*op, grouping, grid.steps, series).await
            }
            NodeKind::Select { largest, grouping } => {
                let (series, k) = (self.vector(node, 0)?, self.scalar(node, 1)?);
                self.select(*largest, k, grouping, grid, series).await
            }
            NodeKind::Quantile { grouping, span } => {
                let (series, column) = (self.vector(node, 0)?, self.scalar(node, 1)?);
                self.quantile(&column, *span, grouping, grid, series).await
            }
            NodeKind::CountValues { label, grouping } => {
                let series = self.vector(node, 0)?;
                let mut counts = ValueCounts::new(label, grouping, grid.steps);
                let mut held = 0;
                for one in series {
                    held += counts.update(&one.labels, &one.values);
                    if held > params.samples_max {
                        return Err(EvalError::TooManySamples);
                    }
                    self.pacer.spend(grid.steps).await?;
                }
                Ok(Evaluated::Vector(counts.finish()))
            }
            NodeKind::HistogramQuantile { quantile_span, buckets_span } => {
                let (quantile, series) = (self.scalar(node, 0)?, self.vector(node, 1)?);
                let call = QuantileCall {
                    quantile: &quantile,
                    quantile_span: *quantile_span,
                    buckets_span: *buckets_span,
                    grid,
                    delayed_name_removal: params.delayed_name_removal,
                };
                let result = call.evaluate(&series, &mut self.annotations, &self.pacer).await?;
                Ok(Evaluated::Vector(result))
            }
            NodeKind::RangeOverSubquery { function, shape, name, span } => {
                let inner = node.inputs.first().and_then(|&input| self.node_at(input)).map(|node| node.grid);
                let series = self.vector(node, 0)?;
                let columns = self.scalars_from(node, 1)?;
                let call = RangeCall {
                    function: *function,
                    shape: *shape,
                    name: *name,
                    span: *span,
                    params: &columns,
                    grid,
                    inner: inner.unwrap_or(grid),
                    samples_max: params.samples_max,
                };
                let result = call.evaluate(series, &mut self.annotations, &self.pacer).await?;
                if *name == NameRule::Drop && has_twins(&result) {
                    return Err(EvalError::same_labelset());
                }
                Ok(Evaluated::Vector(result))
            }
            _ => Ok(Evaluated::Vector(Vec::new())),
        }
    }

    async fn aggregate(
        &self,
        op: PartialOp,
        grouping: &Grouping,
        steps: usize,
        series: Vec<EvalSeries>,
    ) -> Result<Evaluated, EvalError> {
        let mut aggregator = PartialAggregator::new(op, grouping, steps);
        for one in series {
            aggregator.update(&one.labels, one.drop_name, &one.values);
            self.pacer.spend(steps).await?;
        }
        Ok(Evaluated::Vector(aggregator.finish()))
    }

    async fn select(
        &self,
        largest: bool,
        k: Column,
        grouping: &Grouping,
        grid: Grid,
        series: Vec<EvalSeries>,
    ) -> Result<Evaluated, EvalError> {
        check_k(&k, grid.steps)?;
        let mut selection = Selection::new(largest, k, grouping, grid.steps);
        for one in series {
            selection.offer(&one.labels, one.drop_name, &one.values);
            self.pacer.spend(grid.steps).await?;
        }
        let chosen = if grid.steps == 1 { selection.finish_in_order() } else { selection.finish() };
        Ok(Evaluated::Vector(chosen))
    }

    async fn quantile(
        &mut self,
        column: &Column,
        span: Span,
        grouping: &Grouping,
        grid: Grid,
        series: Vec<EvalSeries>,
    ) -> Result<Evaluated, EvalError> {
        warn_of_quantiles(column, grid.steps, span, &mut self.annotations);
        let members = Members::new(grouping, &series);
        let mut buffer = Vec::new();
        let mut results = Vec::with_capacity(members.groups.len());
        for (mut result, indices) in members.groups {
            for step in 0..grid.steps {
                result.values.push(quantile(column.at(step), step, &indices, &series, &mut buffer));
                self.pacer.spend(indices.len()).await?;
            }
            if result.values.iter().any(|&value| is_present(value)) {
                results.push(result);
            }
        }
        Ok(Evaluated::Vector(results))
    }

    fn finish(mut self) -> Result<QueryOutput, EvalError> {
        let grid = self.plan.params.times.grid();
        let instant = matches!(self.plan.params.times, QueryTimes::Instant { .. });
        let value = match self.slots.pop().flatten() {
            Some(Evaluated::Scalar(column)) => {
                let values = (0..grid.steps).map(|step| column.at(step)).collect();
                if instant { Value::Scalar(values) } else { Value::Vector(vec![unlabelled(values)]) }
            }
            Some(Evaluated::String(text)) => Value::String(text),
            Some(Evaluated::Matrix(mut series)) => {
                series.retain(|one| !one.values.is_empty());
                series.sort_by(|a, b| a.labels.cmp(&b.labels));
                Value::Matrix(series)
            }
            Some(Evaluated::Vector(mut series)) => {
                if self.plan.params.delayed_name_removal {
                    series = remove_names(series)?;
                }
                if !instant {
                    series.sort_by(|a, b| a.labels.cmp(&b.labels));
                }
                Value::Vector(series)
            }
            None => return Err(unexpected("a value", None)),
        };
        Ok(QueryOutput { grid, value, annotations: self.annotations, samples: self.samples })
    }
}

/// A plan that does not fit together: a fault of ours, told instead of panicking.
fn unexpected(wanted: &str, got: Option<&Evaluated>) -> EvalError {
    let got = match got {
        Some(Evaluated::Scalar(_)) => "scalar",
        Some(Evaluated::Vector(_)) => "instant vector",
        Some(Evaluated::Matrix(_)) => "range vector",
        Some(Evaluated::String(_)) => "string",
        None => "nothing",
    };
    EvalError::Execution(format!("expected {wanted}, got {got}"))
}

fn count(value: &Evaluated) -> u64 {
    let present = |values: &[f64]| values.iter().filter(|&&value| is_present(value)).count() as u64;
    match value {
        Evaluated::Scalar(Column::Constant(_)) | Evaluated::String(_) => 1,
        Evaluated::Scalar(Column::Steps(values)) => values.len() as u64,
        Evaluated::Vector(series) => series.iter().map(|series| present(&series.values)).sum(),
        Evaluated::Matrix(series) => series.iter().map(|series| series.values.len() as u64).sum(),
    }
}

fn steps(grid: &Grid, value: impl Fn(usize) -> f64) -> Column {
    Column::Steps((0..grid.steps).map(value).collect())
}

fn unlabelled(values: Vec<f64>) -> EvalSeries {
    EvalSeries { labels: Labels::empty(), drop_name: false, values }
}

/// A value of one step at many.
fn once(value: Evaluated, steps: usize) -> Evaluated {
    match value {
        Evaluated::Scalar(column) => Evaluated::Scalar(Column::Constant(column.at(0))),
        Evaluated::Vector(mut series) => {
            for one in &mut series {
                let value = one.values.first().copied().unwrap_or(ABSENT);
                one.values.clear();
                one.values.resize(steps, value);
            }
            Evaluated::Vector(series)
        }
        other => other,
    }
}

fn rename(name: NameRule, mut series: Vec<EvalSeries>) -> Result<Vec<EvalSeries>, EvalError> {
    match name {
        NameRule::Keep => Ok(series),
        NameRule::Mark => {
            series.iter_mut().for_each(|one| one.drop_name = true);
            Ok(series)
        }
        NameRule::Drop => {
            series.iter_mut().for_each(|one| one.labels = without_metadata(&one.labels));
            merge_twins(series)
        }
    }
}

/// The end of delayed name removal.
fn remove_names(mut series: Vec<EvalSeries>) -> Result<Vec<EvalSeries>, EvalError> {
    for one in series.iter_mut().filter(|one| one.drop_name) {
        one.labels = without_metadata(&one.labels);
        one.drop_name = false;
    }
    merge_twins(series)
}

/// The value of the only series that has one at the step, else NaN.
fn the_only(series: &[EvalSeries], step: usize) -> f64 {
    let mut values = series
        .iter()
        .filter_map(|series| series.values.get(step).copied())
        .filter(|&value| is_present(value));
    match (values.next(), values.next()) {
        (Some(value), None) => value,
        _ => f64::NAN,
    }
}

fn absent(labels: &Labels, steps: usize, series: &[EvalSeries]) -> Vec<EvalSeries> {
    let mut values = vec![1.0; steps];
    for one in series {
        for (absent, &value) in values.iter_mut().zip(&one.values) {
            if is_present(value) {
                *absent = ABSENT;
            }
        }
    }
    if values.iter().all(|&value| is_absent(value)) {
        return Vec::new();
    }
    vec![EvalSeries { labels: labels.clone(), drop_name: false, values }]
}

/// By the value of the only step, NaN last.
fn sort(descending: bool, series: &mut [EvalSeries]) {
    let value = |one: &EvalSeries| one.values.first().copied().unwrap_or(f64::NAN);
    series.sort_by(|a, b| {
        let (a, b) = (value(a), value(b));
        match a.is_nan().cmp(&b.is_nan()) {
            std::cmp::Ordering::Equal => {
                let order = a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
            nan_last => nan_last,
        }
    });
}

/// Refuses numbers of elements that are none.
fn check_k(k: &Column, steps: usize) -> Result<(), EvalError> {
    let values = || (0..steps).map(|step| k.at(step));
    if !values().any(|k| k >= 1.0 || k.is_nan()) {
        return Ok(());
    }
    if values().any(f64::is_nan) {
        return Err(EvalError::execution("Parameter value is NaN"));
    }
    let smallest = values().fold(f64::INFINITY, f64::min);
    let largest = values().fold(f64::NEG_INFINITY, f64::max);
    if smallest <= i64::MIN as f64 {
        return Err(EvalError::Execution(format!(
            "Scalar value {} underflows int64",
            number::general(smallest)
        )));
    }
    if largest >= i64::MAX as f64 {
        return Err(EvalError::Execution(format!(
            "Scalar value {} overflows int64",
            number::general(largest)
        )));
    }
    Ok(())
}

/// Warns of the extremes of quantiles that are none.
fn warn_of_quantiles(column: &Column, steps: usize, span: Span, annotations: &mut Annotations) {
    let values = || (0..steps).map(|step| column.at(step));
    if values().any(f64::is_nan) {
        return annotations.bad_quantile(span, f64::NAN);
    }
    let largest = values().fold(f64::NEG_INFINITY, f64::max);
    if largest > 1.0 {
        annotations.bad_quantile(span, largest);
    }
    let smallest = values().fold(f64::INFINITY, f64::min);
    if smallest < 0.0 {
        annotations.bad_quantile(span, smallest);
    }
}
