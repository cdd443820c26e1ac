//! Range vectors made of the values of an expression.

use super::pacer::Pacer;
use super::{EvalError, FragmentHost};
use crate::promql::annotation::Annotations;
use crate::promql::ast::Span;
use crate::promql::functions::range::{RangeFunction, RangeInput, Scratch};
use crate::promql::plan::NameRule;
use crate::promql::plan::node::RangeShape;
use crate::promql::value::{Column, EvalSeries, RawSeries, is_present, without_metadata};
use crate::promql::window::Grid;

/// A range function over a subquery.
pub(super) struct RangeCall<'a> {
    pub(super) function: RangeFunction,
    pub(super) shape: RangeShape,
    pub(super) name: NameRule,
    pub(super) span: Span,
    pub(super) params: &'a [Column],
    /// Steps of the result.
    pub(super) grid: Grid,
    /// Steps of the subquery.
    pub(super) inner: Grid,
    pub(super) samples_max: u64,
}

impl RangeCall<'_> {
    pub(super) async fn evaluate<H: FragmentHost>(
        &self,
        series: Vec<EvalSeries>,
        annotations: &mut Annotations,
        pacer: &Pacer<'_, H>,
    ) -> Result<Vec<EvalSeries>, EvalError> {
        let mut scratch = Scratch::default();
        let mut results = Vec::with_capacity(series.len());
        for one in series {
            let drop_name = one.drop_name || self.name == NameRule::Mark;
            let raw = samples(&self.inner, one);
            let input = RangeInput {
                timestamps: &raw.timestamps,
                values: &raw.values,
                places: &[],
                times_number: 0,
                grid: self.grid,
                reference: self.shape.reference(&self.grid),
                range_ms: self.shape.range_ms,
                params: self.params,
            };
            input.check_windows(0, self.samples_max)?;
            let mut values = Vec::new();
            self.function.evaluate(&input, &mut scratch, &mut values)?;
            self.function.annotate(&input, &raw.labels, &values, self.span, annotations);
            pacer.spend(raw.values.len().max(values.len())).await?;
            if values.iter().any(|&value| is_present(value)) {
                let labels =
                    if self.name == NameRule::Drop { without_metadata(&raw.labels) } else { raw.labels };
                results.push(EvalSeries { labels, drop_name, values });
            }
        }
        Ok(results)
    }
}

/// The values of a series as samples at the times of their steps.
pub(super) fn samples(grid: &Grid, series: EvalSeries) -> RawSeries {
    let (timestamps, values) =
        grid.times().zip(series.values).filter(|&(_, value)| is_present(value)).unzip();
    RawSeries { labels: series.labels, timestamps, values }
}
