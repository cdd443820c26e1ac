//! Whole queries against a host that keeps series in memory, spread over some shards.

use futures_lite::future::block_on;
use proptest::prelude::*;
use shards::model::{Labels, SampleColumns, stale_nan};

use super::{EvalError, FragmentHost, FragmentOutput, FragmentRunner, evaluate};
use crate::promql::annotation::Severity;
use crate::promql::plan::{Fragment, Plan, QueryParams, QueryTimes};
use crate::promql::value::{QueryOutput, Value, is_present};
use crate::promql::{EXPR_DEPTH_MAX, ParserOptions, parse};

/// One stored series.
#[derive(Debug, Clone)]
struct Stored {
    labels: Labels,
    timestamps: Vec<i64>,
    values: Vec<f64>,
}

/// Series by shard.
#[derive(Debug, Default)]
struct MemoryHost {
    shards: Vec<Vec<Stored>>,
}

impl MemoryHost {
    /// Deals the series out over the shards.
    fn new(shards: usize, series: &[Stored]) -> Self {
        let mut host = Self { shards: vec![Vec::new(); shards] };
        for (index, one) in series.iter().enumerate() {
            host.shards[index % shards].push(one.clone());
        }
        host
    }
}

impl FragmentHost for MemoryHost {
    async fn fetch(&self, fragment: Fragment) -> Result<Vec<FragmentOutput>, EvalError> {
        let range = fragment.range();
        self.shards
            .iter()
            .map(|shard| {
                let mut runner = FragmentRunner::new(&fragment);
                for one in shard {
                    let matches = |matcher: &shards::model::Matcher| {
                        matcher.matches(one.labels.get(matcher.name()).unwrap_or_default())
                    };
                    if !fragment.matchers.iter().all(matches) {
                        continue;
                    }
                    let mut columns = SampleColumns::default();
                    for (time_ms, value) in one.timestamps.iter().zip(&one.values) {
                        if range.contains(*time_ms) {
                            columns.timestamps_ms.push(*time_ms);
                            columns.values.push(*value);
                        }
                    }
                    runner.push(&one.labels, &columns)?;
                }
                Ok(runner.finish())
            })
            .collect()
    }

    async fn yield_now(&self) -> Result<(), EvalError> {
        Ok(())
    }
}

/// Labels of text like `name{a="b",c="d"}`.
fn labels(text: &str) -> Labels {
    let (name, rest) = text.split_once('{').unwrap_or((text, ""));
    let mut pairs = vec![("__name__", name)];
    for pair in rest.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        pairs.push((name, value.trim_matches('"')));
    }
    Labels::from_pairs(pairs)
}

/// Series with a sample every minute from time zero on; `_` leaves one out, `stale` is a marker.
fn series(text: &str, samples: &str) -> Stored {
    let mut one = Stored { labels: labels(text), timestamps: Vec::new(), values: Vec::new() };
    for (index, sample) in samples.split_whitespace().enumerate() {
        let value = match sample {
            "_" => continue,
            "stale" => stale_nan(),
            "NaN" => f64::NAN,
            "Inf" => f64::INFINITY,
            number => number.parse().unwrap(),
        };
        one.timestamps.push(index as i64 * 60_000);
        one.values.push(value);
    }
    one
}

fn params(times: QueryTimes) -> QueryParams {
    QueryParams {
        times,
        lookback_ms: 300_000,
        subquery_step_ms: 60_000,
        samples_max: 10_000,
        delayed_name_removal: false,
    }
}

fn instant(minutes: i64) -> QueryParams {
    params(QueryTimes::Instant { time_ms: minutes * 60_000 })
}

/// Every minute from zero to `minutes`.
fn range(minutes: i64) -> QueryParams {
    params(QueryTimes::Range { start_ms: 0, end_ms: minutes * 60_000, step_ms: 60_000 })
}

fn run_with(host: &MemoryHost, params: &QueryParams, query: &str) -> Result<QueryOutput, EvalError> {
    let options = ParserOptions { experimental_functions: true };
    let expr = parse(query, &options).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    block_on(evaluate(&Plan::new(&expr, params)?, host))
}

fn number(value: f64) -> String {
    if is_present(value) { format!("{value}") } else { "_".to_owned() }
}

/// A value as text: per series its labels and the values of its steps.
fn show(output: &QueryOutput) -> Vec<String> {
    match &output.value {
        Value::Scalar(values) => vec![values.iter().copied().map(number).collect::<Vec<_>>().join(" ")],
        Value::String(text) => vec![text.to_string()],
        Value::Vector(series) => series
            .iter()
            .map(|one| {
                let values: Vec<_> = one.values.iter().copied().map(number).collect();
                format!("{} {}", one.labels, values.join(" "))
            })
            .collect(),
        Value::Matrix(series) => series
            .iter()
            .map(|one| {
                let samples: Vec<_> = one
                    .timestamps
                    .iter()
                    .zip(&one.values)
                    .map(|(timestamp, value)| format!("{value}@{}", timestamp / 1_000))
                    .collect();
                format!("{} {}", one.labels, samples.join(" "))
            })
            .collect(),
    }
}

struct Case {
    series: Vec<Stored>,
}

impl Case {
    fn run(&self, params: &QueryParams, query: &str) -> Result<QueryOutput, EvalError> {
        run_with(&MemoryHost::new(2, &self.series), params, query)
    }

    fn is(&self, params: &QueryParams, query: &str, expected: &[&str]) {
        let output = self.run(params, query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(show(&output), expected, "{query}");
    }

    fn fails(&self, params: &QueryParams, query: &str, expected: &str) {
        let error = self.run(params, query).err().unwrap_or_else(|| panic!("{query} succeeded"));
        assert_eq!(error.to_string(), expected, "{query}");
    }

    /// Warnings and infos of a query.
    fn says(&self, params: &QueryParams, query: &str, expected: &[&str]) {
        let annotations = self.run(params, query).unwrap().annotations;
        let mut texts = annotations.render(query, Severity::Warning);
        texts.extend(annotations.render(query, Severity::Info));
        assert_eq!(texts, expected, "{query}");
    }
}

fn requests() -> Case {
    Case {
        series: vec![
            series("http_requests{job=\"api\",instance=\"0\"}", "0 10 20 30 40 50 60 70 80 90 100"),
            series("http_requests{job=\"api\",instance=\"1\"}", "0 20 40 60 80 100 120 140 160 180 200"),
            series("http_requests{job=\"app\",instance=\"0\"}", "0 30 60 90 120 150 180 210 240 270 300"),
            series("http_requests{job=\"app\",instance=\"1\"}", "0 40 80 120 160 200 240 280 320 360 400"),
        ],
    }
}

#[test]
fn selectors_look_back_and_stop_at_markers() {
    let case = Case { series: vec![series("m{a=\"x\"}", "1 _ 3 stale _ _ 7")] };
    case.is(&range(6), "m", &["{__name__=\"m\", a=\"x\"} 1 1 3 _ _ _ 7"]);
    case.is(&instant(2), "m offset 1m", &["{__name__=\"m\", a=\"x\"} 1"]);
    case.is(&range(2), "m @ 360", &["{__name__=\"m\", a=\"x\"} 7 7 7"]);
    case.is(&range(2), "m @ end() offset 2m", &["{__name__=\"m\", a=\"x\"} 1 1 1"]);
    case.is(&instant(6), "m[6m]", &["{__name__=\"m\", a=\"x\"} 3@120 7@360"]);
    case.is(&instant(2), "m[2m:30s]", &["{__name__=\"m\", a=\"x\"} 1@30 1@60 1@90 3@120"]);
    case.is(&instant(2), "timestamp(m offset 1m)", &["{a=\"x\"} 0"]);
    case.is(&instant(2), "timestamp(abs(m))", &["{a=\"x\"} 120"]);
    case.is(&instant(20), "m", &[]);
}

#[test]
fn literals_and_scalars() {
    let case = requests();
    case.is(&instant(0), "1 + 2 * 3 ^ 2", &["19"]);
    case.is(&instant(0), "-(2 > bool 1)", &["-1"]);
    case.is(&instant(0), "\"text\"", &["text"]);
    case.is(&range(2), "time() / 60", &["{} 0 1 2"]);
    case.is(&range(1), "vector(time())", &["{} 0 60"]);
    case.is(&instant(1), "scalar(http_requests{job=\"api\",instance=\"0\"})", &["10"]);
    case.is(&instant(1), "scalar(http_requests)", &["NaN"]);
    case.is(&instant(1), "hour()", &["{} 0"]);
    case.fails(
        &range(1),
        "http_requests[5m]",
        "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
    );
}

#[test]
fn rates_extrapolate_to_the_bounds() {
    let case = requests();
    case.is(
        &instant(10),
        "rate(http_requests{job=\"api\",instance=\"0\"}[5m])",
        &["{instance=\"0\", job=\"api\"} 0.16666666666666666"],
    );
    case.is(
        &instant(10),
        "sum by (job) (increase(http_requests[5m]))",
        &["{job=\"api\"} 150", "{job=\"app\"} 350"],
    );
    let resets = Case { series: vec![series("c_total", "0 10 20 5 15")] };
    resets.is(&instant(4), "increase(c_total[4m1ms])", &["{} 35"]);
    resets.is(&instant(4), "resets(c_total[5m])", &["{} 1"]);
    resets.is(&instant(4), "changes(c_total[5m])", &["{} 4"]);
    resets.is(&instant(3), "irate(c_total[2m])", &["{} 0.08333333333333333"]);
    resets.is(&instant(3), "idelta(c_total[2m])", &["{} -15"]);
    resets.is(&instant(4), "rate(c_total[1m])", &[]);
}

#[test]
fn range_functions_over_samples_and_subqueries() {
    let case = Case { series: vec![series("m", "1 2 3 4 NaN")] };
    case.is(&instant(3), "sum_over_time(m[3m])", &["{} 9"]);
    case.is(&instant(3), "avg_over_time(m[4m])", &["{} 2.5"]);
    case.is(&instant(4), "max_over_time(m[2m])", &["{} 4"]);
    case.is(&instant(4), "count_over_time(m[10m])", &["{} 5"]);
    case.is(&instant(3), "last_over_time(m[3m])", &["{__name__=\"m\"} 4"]);
    case.is(&instant(3), "quantile_over_time(0.5, m[4m])", &["{} 2.5"]);
    case.is(&instant(3), "stdvar_over_time(m[4m])", &["{} 1.25"]);
    case.is(&instant(3), "deriv(m[4m])", &["{} 0.016666666666666666"]);
    case.is(&instant(3), "predict_linear(m[4m], 60)", &["{} 5"]);
    case.is(&instant(3), "max_over_time(sum(m)[2m:1m])", &["{} 4"]);
    case.is(&range(3), "sum_over_time(m[2m:1m] offset 1m)", &["{} _ 1 3 5"]);
    case.is(
        &range(3),
        "quantile_over_time(time() / 180, m[4m])",
        &["{} 1 1.3333333333333335 2.333333333333333 4"],
    );
    case.is(&instant(3), "absent_over_time(x{a=\"b\"}[1m])", &["{a=\"b\"} 1"]);
    case.is(&range(6), "absent_over_time(m[1m])", &["{} _ _ _ _ _ 1 1"]);
    case.is(&instant(3), "absent(x{a=\"b\",c=~\"d\"})", &["{a=\"b\"} 1"]);
    case.is(&instant(3), "absent(m)", &[]);
    case.fails(
        &instant(3),
        "double_exponential_smoothing(m[4m], 2, 0.5)",
        "invalid smoothing factor. Expected: 0 < sf < 1, got: 2.000000",
    );
}

#[test]
fn aggregations() {
    let case = requests();
    case.is(&instant(1), "sum(http_requests)", &["{} 100"]);
    case.is(&instant(1), "avg without (instance) (http_requests)", &["{job=\"api\"} 15", "{job=\"app\"} 35"]);
    case.is(
        &range(2),
        "max by (job) (http_requests) - min by (job) (http_requests)",
        &["{job=\"api\"} 0 10 20", "{job=\"app\"} 0 10 20"],
    );
    case.is(
        &instant(1),
        "topk(2, http_requests)",
        &[
            "{__name__=\"http_requests\", instance=\"1\", job=\"app\"} 40",
            "{__name__=\"http_requests\", instance=\"0\", job=\"app\"} 30",
        ],
    );
    case.is(
        &instant(1),
        "bottomk by (job) (1, http_requests)",
        &[
            "{__name__=\"http_requests\", instance=\"0\", job=\"api\"} 10",
            "{__name__=\"http_requests\", instance=\"0\", job=\"app\"} 30",
        ],
    );
    case.is(
        &range(2),
        "topk(scalar(vector(1)), http_requests)",
        &[
            "{__name__=\"http_requests\", instance=\"0\", job=\"api\"} 0 _ _",
            "{__name__=\"http_requests\", instance=\"1\", job=\"app\"} _ 40 80",
        ],
    );
    case.is(&instant(1), "quantile(0.5, http_requests)", &["{} 25"]);
    case.is(&instant(1), "stddev(http_requests)", &["{} 11.180339887498949"]);
    case.is(&instant(1), "count_values(\"v\", http_requests > bool 15)", &["{v=\"0\"} 1", "{v=\"1\"} 3"]);
    case.is(&instant(1), "count(http_requests > 15)", &["{} 3"]);
    case.is(&instant(1), "group(nothing)", &[]);
    case.fails(&instant(1), "topk(NaN, http_requests)", "Parameter value is NaN");
    case.fails(&instant(1), "topk(1e30, http_requests)", "Scalar value 1e+30 overflows int64");
}

#[test]
fn operators_between_vectors() {
    let case = Case {
        series: vec![
            series("a{g=\"x\",i=\"1\"}", "1 2 3"),
            series("a{g=\"y\",i=\"1\"}", "10 20 30"),
            series("b{g=\"x\",i=\"1\"}", "5 5 5"),
            series("b{g=\"z\",i=\"1\"}", "7 7 7"),
            series("info{i=\"1\",version=\"v1\"}", "1 1 1"),
        ],
    };
    case.is(&range(1), "a + b", &["{g=\"x\", i=\"1\"} 6 7"]);
    case.is(&instant(0), "a > 5", &["{__name__=\"a\", g=\"y\", i=\"1\"} 10"]);
    case.is(&instant(0), "5 < a", &["{__name__=\"a\", g=\"y\", i=\"1\"} 10"]);
    case.is(&instant(0), "a < bool b", &["{g=\"x\", i=\"1\"} 1"]);
    case.is(&instant(0), "a < b", &["{__name__=\"a\", g=\"x\", i=\"1\"} 1"]);
    case.is(&instant(0), "a and b", &["{__name__=\"a\", g=\"x\", i=\"1\"} 1"]);
    case.is(&instant(0), "a unless b", &["{__name__=\"a\", g=\"y\", i=\"1\"} 10"]);
    case.is(
        &instant(0),
        "a or b",
        &[
            "{__name__=\"a\", g=\"x\", i=\"1\"} 1",
            "{__name__=\"a\", g=\"y\", i=\"1\"} 10",
            "{__name__=\"b\", g=\"z\", i=\"1\"} 7",
        ],
    );
    case.is(
        &instant(0),
        "a * on (i) group_left (version) info",
        &["{g=\"x\", i=\"1\", version=\"v1\"} 1", "{g=\"y\", i=\"1\", version=\"v1\"} 10"],
    );
    case.is(
        &instant(0),
        "info - on (i) group_right (version) a",
        &["{g=\"x\", i=\"1\", version=\"v1\"} 0", "{g=\"y\", i=\"1\", version=\"v1\"} -9"],
    );
    case.fails(
        &instant(0),
        "info / on (i) a",
        "found duplicate series for the match group {i=\"1\"} on the right hand-side of the operation: \
         [{__name__=\"a\", g=\"x\", i=\"1\"}, {__name__=\"a\", g=\"y\", i=\"1\"}];many-to-many matching not \
         allowed: matching labels must be unique on one side",
    );
    case.fails(
        &instant(0),
        "a / on (i) info",
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    );
    case.fails(
        &instant(0),
        "a * on (i) group_left (g) info",
        "multiple matches for labels: grouping labels must ensure unique matches",
    );
}

#[test]
fn equal_labels_after_dropping_names_are_an_error() {
    let case = Case { series: vec![series("a{i=\"1\"}", "1 2 stale"), series("b{i=\"1\"}", "_ _ 5 6")] };
    let twins = "vector cannot contain metrics with the same labelset";
    let any = "{__name__=~\"a|b\"}";
    // Range functions refuse equal labels even where they do not meet.
    case.fails(&range(3), &format!("rate({any}[2m])"), twins);
    case.fails(&range(3), &format!("sum(rate({any}[2m]))"), twins);
    // Elementwise ones merge them.
    case.is(&range(3), &format!("-{any}"), &["{i=\"1\"} -1 -2 -5 -6"]);
    case.is(&range(3), &format!("sum({any} * 2)"), &["{} 2 4 10 12"]);
    case.is(
        &range(3),
        &format!("last_over_time({any}[1m])"),
        &["{__name__=\"a\", i=\"1\"} 1 2 _ _", "{__name__=\"b\", i=\"1\"} _ _ 5 6"],
    );
    let both = Case { series: vec![series("a{i=\"1\"}", "1"), series("b{i=\"1\"}", "5")] };
    both.fails(&instant(0), &format!("abs({any})"), twins);
    both.fails(&instant(0), &format!("sum(abs({any}))"), twins);
    both.fails(&instant(0), &format!("label_replace({any}, \"__name__\", \"c\", \"\", \"\")"), twins);
    let delayed = QueryParams { delayed_name_removal: true, ..instant(0) };
    both.fails(&delayed, &format!("sum by (__name__) (abs({any}))"), twins);
}

#[test]
fn labels_are_replaced_and_joined() {
    let case = Case { series: vec![series("m{src=\"value-10\",b=\"x\"}", "1")] };
    case.is(
        &instant(0),
        "label_replace(m, \"dst\", \"$1\", \"src\", \"value-(.*)\")",
        &["{__name__=\"m\", b=\"x\", dst=\"10\", src=\"value-10\"} 1"],
    );
    case.is(
        &instant(0),
        "label_join(m, \"dst\", \"-\", \"src\", \"b\")",
        &["{__name__=\"m\", b=\"x\", dst=\"value-10-x\", src=\"value-10\"} 1"],
    );
}

#[test]
fn sorting_is_by_value_with_nan_last() {
    let case = Case {
        series: vec![series("m{i=\"1\"}", "2"), series("m{i=\"2\"}", "NaN"), series("m{i=\"3\"}", "1")],
    };
    let of = |i: &str, value: &str| format!("{{__name__=\"m\", i=\"{i}\"}} {value}");
    case.is(&instant(0), "sort(m)", &[&of("3", "1"), &of("1", "2"), &of("2", "NaN")]);
    case.is(&instant(0), "sort_desc(m)", &[&of("1", "2"), &of("3", "1"), &of("2", "NaN")]);
}

#[test]
fn histogram_quantiles_of_classic_buckets() {
    let case = Case {
        series: vec![
            series("h_bucket{le=\"0.1\",i=\"1\"}", "10 10"),
            series("h_bucket{le=\"0.2\",i=\"1\"}", "30 5"),
            series("h_bucket{le=\"+Inf\",i=\"1\"}", "40 40"),
        ],
    };
    case.is(&instant(0), "histogram_quantile(0.5, h_bucket)", &["{i=\"1\"} 0.15000000000000002"]);
    case.is(&instant(0), "histogram_quantile(0.5, sum by (le) (h_bucket))", &["{} 0.15000000000000002"]);
    case.says(
        &range(1),
        "histogram_quantile(0.5, h_bucket)",
        &["PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see \
         https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets \
         0.2 to 0.2, with a max diff of 5, over 1 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:01:00Z \
         (1:25)"],
    );
}

#[test]
fn annotations_name_the_place() {
    let case = Case { series: vec![series("m{le=\"x\"}", "1 2 3")] };
    case.says(&instant(2), "rate(m[5m])", &[
        "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"m\" (1:6)",
    ]);
    case.says(
        &instant(2),
        "quantile(1.5, m)",
        &["PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)"],
    );
    case.says(
        &instant(2),
        "histogram_quantile(NaN,\nm)",
        &[
            "PromQL warning: bucket label \"le\" is missing or has a malformed value of \"x\" (2:1)",
            "PromQL warning: quantile value should be between 0 and 1, got NaN (1:20)",
        ],
    );
    case.says(&range(2), "sort(m)", &[
        "PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)",
    ]);
}

#[test]
fn delayed_name_removal_keeps_names_until_the_end() {
    let case = Case {
        series: vec![series("a_total{i=\"1\"}", "0 60 120"), series("b_total{i=\"1\"}", "0 120 240")],
    };
    let delayed = QueryParams { delayed_name_removal: true, ..instant(2) };
    let query = "label_replace(rate({__name__=~\"._total\"}[3m]), \"__name__\", \"${1}:rate\", \"__name__\", \"(.*)_total\")";
    case.is(
        &delayed,
        query,
        &[
            "{__name__=\"a:rate\", i=\"1\"} 0.6666666666666667",
            "{__name__=\"b:rate\", i=\"1\"} 1.3333333333333335",
        ],
    );
    case.is(&delayed, "rate(a_total[3m])", &["{i=\"1\"} 0.6666666666666667"]);
}

#[test]
fn too_many_samples_are_refused() {
    let case = requests();
    let few = |samples_max| QueryParams { samples_max, ..range(10) };
    let refused = "query processing would load too many samples into memory in query execution";
    case.is(&few(44), "sum(http_requests) * 0 == 1", &[]);
    case.fails(&few(43), "http_requests", refused);
    case.fails(&few(10), "sum_over_time(http_requests[20m])", refused);
}

#[test]
fn the_highest_expressions_fit_a_small_stack() {
    /// Half of what executors have.
    const STACK_BYTES: usize = 128 << 10;
    // A chain of one operator is as high as it is long.
    let terms = usize::from(EXPR_DEPTH_MAX) - 4;
    let nested = |open: &str, close: &str, levels: usize| {
        format!("{}sum(http_requests){}", open.repeat(levels), close.repeat(levels))
    };
    let queries = [
        (vec!["sum(http_requests)"; terms].join(" + "), 100 * terms),
        (nested("abs(", ")", 90), 100),
        (nested("sum(", ")", 90), 100),
        (nested("max_over_time(", "[1m:1m])", 45), 100),
    ];
    for (query, expected) in queries {
        let expr = parse(&query, &ParserOptions::default()).unwrap();
        let evaluate_there = move || {
            let host = MemoryHost::new(2, &requests().series);
            let plan = Plan::new(&expr, &instant(1)).unwrap();
            show(&block_on(evaluate(&plan, &host)).unwrap())
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(evaluate_there).unwrap();
        assert_eq!(thread.join().unwrap(), [format!("{{}} {expected}")]);
    }
}

/// Queries that must not depend on how series are spread.
const QUERIES: &[&str] = &[
    "m",
    "sum by (g) (m)",
    "avg without (i) (m)",
    "stddev by (g) (m)",
    "topk by (g) (2, m)",
    "bottomk(3, m)",
    "quantile by (g) (0.3, m)",
    "count_values by (g) (\"v\", m > bool 50)",
    "sum by (g) (rate(m[3m]))",
    "max_over_time(m[4m]) - on (g, i) min_over_time(m[4m])",
    "m / on (g) group_left () sum by (g) (m)",
    "m and on (i) m{g=\"0\"} > 20",
    "m or on (g) m{i=\"1\"} * 2",
    "avg_over_time(sum by (g) (m)[5m:1m])",
    "absent(m > 90)",
    "count(m @ 300 > 20)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn results_do_not_depend_on_the_shards(
        data in proptest::collection::vec(
            (0_u8..3, proptest::collection::vec(proptest::option::weighted(0.8, 0_u8..100), 12)), 1..12),
        shards in 2_usize..5,
    ) {
        let series: Vec<Stored> = data
            .iter()
            .enumerate()
            .map(|(index, (group, values))| {
                let text: Vec<String> =
                    values.iter().map(|value| value.map_or("_".to_owned(), |value| value.to_string())).collect();
                series(&format!("m{{g=\"{group}\",i=\"{index}\"}}"), &text.join(" "))
            })
            .collect();
        for query in QUERIES {
            let show_sorted = |shards: usize| {
                let output = run_with(&MemoryHost::new(shards, &series), &range(11), query).unwrap();
                let Value::Vector(series) = output.value else { panic!("{query} is no vector") };
                series
            };
            let (one, many) = (show_sorted(1), show_sorted(shards));
            // Which of equal values topk and bottomk choose depends on their order.
            if query.contains("topk") || query.contains("bottomk") {
                continue;
            }
            prop_assert_eq!(one.len(), many.len(), "{}", query);
            for (one, many) in one.iter().zip(&many) {
                prop_assert_eq!(&one.labels, &many.labels, "{}", query);
                for (&a, &b) in one.values.iter().zip(&many.values) {
                    prop_assert_eq!(is_present(a), is_present(b), "{}", query);
                    prop_assert!(!is_present(a) || (a - b).abs() <= 1e-9 * a.abs().max(1.0) || a.to_bits() == b.to_bits(),
                        "{}: {} {}", query, a, b);
                }
            }
        }
    }
}
