//! Evaluation of queries on one shard: from decoded columns to aggregates or series.
//!
//! Throughput is in samples pushed per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_lite::future::block_on;
use shards::model::{Labels, Matcher, SampleColumns};
use tsdb::promql::eval::{EvalError, FragmentHost, FragmentOutput, FragmentRunner, evaluate};
use tsdb::promql::plan::{Fragment, Plan, QueryParams, QueryTimes};
use tsdb::promql::{ParserOptions, parse};

const SERIES: usize = 1_000;
/// Two hours every 15 seconds.
const SAMPLES: usize = 480;
const STEPS: i64 = 240;

struct Stored {
    labels: Labels,
    columns: SampleColumns,
}

/// One shard in memory.
struct MemoryHost(Vec<Stored>);

impl FragmentHost for MemoryHost {
    async fn fetch(&self, fragment: Fragment) -> Result<Vec<FragmentOutput>, EvalError> {
        let mut runner = FragmentRunner::new(&fragment);
        let matches = |one: &Stored, matcher: &Matcher| {
            matcher.matches(one.labels.get(matcher.name()).unwrap_or_default())
        };
        for one in &self.0 {
            if fragment.matchers.iter().all(|matcher| matches(one, matcher)) {
                runner.push(&one.labels, &one.columns)?;
            }
        }
        Ok(vec![runner.finish()])
    }

    async fn yield_now(&self) -> Result<(), EvalError> {
        Ok(())
    }
}

fn host() -> MemoryHost {
    let mut state = 42_u64;
    let mut random = move || {
        // Xorshift: the same series in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let series = (0..SERIES)
        .map(|index| {
            let labels = Labels::from_pairs([
                ("__name__", "node_cpu_seconds_total".to_owned()),
                ("cpu", (index % 16).to_string()),
                ("instance", format!("host-{:03}:9100", index / 64)),
                ("job", "node".to_owned()),
                ("mode", ["idle", "user", "system", "iowait"][index / 16 % 4].to_owned()),
            ]);
            let (mut value, mut columns) = (0.0, SampleColumns::default());
            let values = (0..SAMPLES).map(|_| {
                value += (random() % 1_500) as f64 / 100.0;
                value
            });
            columns.values.extend(values);
            let phase = (random() % 15_000) as i64;
            columns.timestamps_ms.extend((0..SAMPLES as i64).map(|at| at * 15_000 + phase));
            Stored { labels, columns }
        })
        .collect();
    MemoryHost(series)
}

fn queries(criterion: &mut Criterion) {
    let host = host();
    let params = QueryParams {
        times: QueryTimes::Range { start_ms: 0, end_ms: (STEPS - 1) * 30_000, step_ms: 30_000 },
        lookback_ms: 300_000,
        subquery_step_ms: 60_000,
        samples_max: 50_000_000,
        delayed_name_removal: false,
    };
    let mut group = criterion.benchmark_group("promql");
    group.throughput(Throughput::Elements((SERIES * SAMPLES) as u64));
    group.sample_size(20);
    for query in [
        "node_cpu_seconds_total",
        "rate(node_cpu_seconds_total[5m])",
        "sum by (mode) (rate(node_cpu_seconds_total[5m]))",
        "avg by (mode) (avg_over_time(node_cpu_seconds_total[1h]))",
        "max by (instance) (max_over_time(node_cpu_seconds_total[1h]))",
        "quantile by (mode) (0.95, node_cpu_seconds_total)",
        "topk(5, rate(node_cpu_seconds_total[5m]))",
        "node_cpu_seconds_total / on (instance, cpu) group_left () \
         sum without (mode) (node_cpu_seconds_total)",
    ] {
        let plan = parse(query, &ParserOptions::default())
            .map_err(|error| error.to_string())
            .and_then(|expr| Plan::new(&expr, &params).map_err(|error| error.to_string()));
        let Ok(plan) = plan else { continue };
        group.bench_function(query, |bencher| {
            bencher.iter(|| black_box(block_on(evaluate(&plan, &host)).map(|output| output.samples)));
        });
    }
    group.finish();
}

criterion_group!(benches, queries);
criterion_main!(benches);
