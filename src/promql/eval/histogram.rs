//! `histogram_quantile` over classic histograms, step by step.

use super::merge::merge_twins;
use super::pacer::Pacer;
use super::{EvalError, FragmentHost};
use crate::promql::annotation::{Annotation, Annotations, ForcedMonotonicity, Severity};
use crate::promql::ast::Span;
use crate::promql::functions::histogram::{ClassicHistogram, ClassicHistograms, bucket_quantile};
use crate::promql::quoted;
use crate::promql::value::{ABSENT, Column, EvalSeries, is_present, without_metadata};
use crate::promql::window::Grid;

/// A call of `histogram_quantile`.
pub(super) struct QuantileCall<'a> {
    pub(super) quantile: &'a Column,
    pub(super) quantile_span: Span,
    pub(super) buckets_span: Span,
    pub(super) grid: Grid,
    pub(super) delayed_name_removal: bool,
}

impl QuantileCall<'_> {
    pub(super) async fn evaluate<H: FragmentHost>(
        &self,
        series: &[EvalSeries],
        annotations: &mut Annotations,
        pacer: &Pacer<'_, H>,
    ) -> Result<Vec<EvalSeries>, EvalError> {
        for step in 0..self.grid.steps {
            let quantile = self.quantile.at(step);
            if !(0.0..=1.0).contains(&quantile) {
                annotations.bad_quantile(self.quantile_span, quantile);
            }
        }
        let found = ClassicHistograms::new(series);
        for one in found.malformed.iter().filter_map(|&index| series.get(index)) {
            let text = one.labels.get("le").unwrap_or_default();
            let mut text =
                format!("bucket label \"le\" is missing or has a malformed value of {}", quoted(text));
            self.name(&one.labels, &mut text);
            annotations.warn(self.buckets_span, text);
        }
        let mut buckets = Vec::new();
        let mut results = Vec::with_capacity(found.histograms.len());
        for histogram in &found.histograms {
            let mut values = vec![ABSENT; self.grid.steps];
            for (step, value) in values.iter_mut().enumerate() {
                histogram.at(step, series, &mut buckets);
                if buckets.is_empty() {
                    continue;
                }
                let (quantile, forced) = bucket_quantile(self.quantile.at(step), &mut buckets);
                *value = quantile;
                if let Some(forced) = forced {
                    let time_ms = self.grid.at(step);
                    let fix = ForcedMonotonicity {
                        first_ms: time_ms,
                        last_ms: time_ms,
                        bucket_min: forced.bucket_min,
                        bucket_max: forced.bucket_max,
                        difference_max: forced.difference_max,
                        samples: 1,
                    };
                    annotations.add(self.forced(histogram, fix));
                }
                pacer.spend(buckets.len()).await?;
            }
            if values.iter().any(|&value| is_present(value)) {
                let labels = if self.delayed_name_removal {
                    histogram.labels.clone()
                } else {
                    without_metadata(&histogram.labels)
                };
                results.push(EvalSeries { labels, drop_name: true, values });
            }
        }
        merge_twins(results)
    }

    fn forced(&self, histogram: &ClassicHistogram, fix: ForcedMonotonicity) -> Annotation {
        let mut text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                        https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
            .to_owned();
        self.name(&histogram.labels, &mut text);
        Annotation { severity: Severity::Info, text, span: self.buckets_span, monotonicity: Some(fix) }
    }

    /// Names the metric where its name is still known.
    fn name(&self, labels: &shards::model::Labels, text: &mut String) {
        if self.delayed_name_removal
            && let Some(name) = labels.metric_name()
        {
            text.push_str(" for metric name ");
            text.push_str(&quoted(name));
        }
    }
}
