//! Series in memory, dealt out over shards, and queries against them.

use std::collections::BTreeMap;

use futures_lite::future::block_on;
use shards::model::{Labels, Matcher, SampleColumns};
use tsdb::promql::ast::Expr;
use tsdb::promql::eval::{EvalError, FragmentHost, FragmentOutput, FragmentRunner, evaluate};
use tsdb::promql::plan::{Fragment, Plan, QueryParams, QueryTimes};
use tsdb::promql::value::QueryOutput;

use crate::script::{Load, Times};
use crate::series::Point;

/// More than one, so that partial results have to be merged.
const SHARDS: usize = 3;

/// As the scripts of Prometheus assume.
const LOOKBACK_MS: i64 = 300_000;
const SUBQUERY_STEP_MS: i64 = 60_000;
const SAMPLES_MAX: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(crate) struct Host {
    series: BTreeMap<Labels, BTreeMap<i64, f64>>,
}

impl Host {
    pub(crate) fn load(&mut self, load: &Load) {
        for series in &load.series {
            let samples = self.series.entry(series.labels.clone()).or_default();
            for (index, point) in series.points.iter().enumerate() {
                if let Point::Float(value) = point {
                    samples.insert(index as i64 * load.step_ms, *value);
                }
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.series.clear();
    }

    pub(crate) fn query(
        &self,
        expr: &Expr,
        times: Times,
        delayed_name_removal: bool,
    ) -> Result<QueryOutput, EvalError> {
        let params = QueryParams {
            times: match times {
                Times::Instant { time_ms } => QueryTimes::Instant { time_ms },
                Times::Range { start_ms, end_ms, step_ms } => QueryTimes::Range { start_ms, end_ms, step_ms },
            },
            lookback_ms: LOOKBACK_MS,
            subquery_step_ms: SUBQUERY_STEP_MS,
            samples_max: SAMPLES_MAX,
            delayed_name_removal,
        };
        block_on(evaluate(&Plan::new(expr, &params)?, self))
    }
}

impl FragmentHost for Host {
    async fn fetch(&self, fragment: Fragment) -> Result<Vec<FragmentOutput>, EvalError> {
        let range = fragment.range();
        let mut runners: Vec<FragmentRunner<'_>> =
            (0..SHARDS).map(|_| FragmentRunner::new(&fragment)).collect();
        // Series that have the same times say so, as those of a shard do.
        let mut times: BTreeMap<Vec<i64>, SampleColumns> = BTreeMap::new();
        for (index, (labels, samples)) in self.series.iter().enumerate() {
            let matches = |matcher: &Matcher| matcher.matches(labels.get(matcher.name()).unwrap_or_default());
            if !fragment.matchers.iter().all(matches) {
                continue;
            }
            let (timestamps, values): (Vec<i64>, Vec<f64>) =
                samples.iter().filter(|(time_ms, _)| range.contains(**time_ms)).unzip();
            let columns = times.entry(timestamps).or_insert_with_key(|timestamps| {
                let mut columns = SampleColumns::default();
                columns.timestamps_ms.extend_from_slice(timestamps);
                columns.number_times();
                columns
            });
            columns.values = values;
            let labels = if fragment.needs_labels() { labels } else { &Labels::empty() };
            // Not in the order of labels, as hashing would do it.
            if let Some(runner) = runners.get_mut(index * 7 % SHARDS) {
                runner.push(labels, columns)?;
            }
        }
        Ok(runners.into_iter().map(FragmentRunner::finish).collect())
    }

    async fn yield_now(&self) -> Result<(), EvalError> {
        Ok(())
    }
}
