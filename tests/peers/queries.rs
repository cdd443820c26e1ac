//! The questions, by group. Each is asked at two instants and over a range with two steps.
//!
//! Counters that begin during the recording are left out of `rate` and its kin: Prometheus 2.42
//! extrapolates the first step of such a counter by another rule than the version we follow.

use crate::setup::Times;

/// Endpoints of names and series.
pub(crate) const METADATA: &[(&str, &[(&str, &str)])] = &[
    ("/api/v1/label/mode/values", &[]),
    ("/api/v1/label/__name__/values", &[("match[]", "{job=\"node\"}")]),
    ("/api/v1/labels", &[("match[]", "{job=\"node\"}")]),
    ("/api/v1/series", &[("match[]", "node_cpu_seconds_total"), ("match[]", "up")]),
];

const SELECTORS: &[&str] = &[
    "up",
    "{__name__=\"up\",job!=\"node\"}",
    "{__name__=~\"node_memory_(Mem|Swap).*\"}",
    "node_cpu_seconds_total{mode=~\"idle|user|s.*\"}",
    "node_cpu_seconds_total{mode!~\"i.*\",cpu=\"0\"}",
    "node_network_receive_bytes_total{absent_label=\"\"}",
    "node_memory_MemFree_bytes offset 5s",
    "node_load1 offset 1m30s or node_load5",
    "node_memory_MemFree_bytes - node_memory_MemFree_bytes offset 2s",
    "42",
    "-1.5e3 + 0x1f",
];

const RATES: &[&str] = &[
    "rate(node_cpu_seconds_total[5s])",
    "irate(node_cpu_seconds_total[5s])",
    "increase(node_context_switches_total[10s])",
    "delta(node_memory_MemFree_bytes[10s])",
    "idelta(node_memory_MemFree_bytes[3s])",
    "deriv(node_memory_MemAvailable_bytes[10s])",
    "predict_linear(node_memory_MemAvailable_bytes[10s], 60)",
    "changes(node_memory_MemFree_bytes[10s])",
    "changes(up[10s])",
    "resets(node_memory_MemFree_bytes[10s])",
    "rate(prometheus_tsdb_head_samples_appended_total[5s])",
];

const OVER_TIME: &[&str] = &[
    "avg_over_time(node_memory_MemFree_bytes[5s])",
    "min_over_time(node_memory_MemFree_bytes[5s])",
    "max_over_time(go_goroutines[5s])",
    "sum_over_time(up[10s])",
    "count_over_time(node_load1[10s])",
    "quantile_over_time(0.7, node_memory_MemFree_bytes[10s])",
    "stddev_over_time(go_goroutines[10s])",
    "stdvar_over_time(go_goroutines[10s])",
    "last_over_time(node_memory_MemFree_bytes[5s])",
    "present_over_time(node_load1[5s])",
    "absent_over_time(no_such_metric{job=\"x\"}[5s])",
    "absent_over_time(node_load1[1s])",
];

const FUNCTIONS: &[&str] = &[
    "histogram_quantile(0.9, prometheus_http_request_duration_seconds_bucket{handler=\"/metrics\"})",
    "histogram_quantile(0.5, sum by (le, job) (rate(prometheus_http_request_duration_seconds_bucket{handler=\"/metrics\"}[5s])))",
    "abs(node_memory_MemFree_bytes - 1e9)",
    "ceil(node_load1) + floor(node_load5) + round(node_load15, 0.05)",
    "clamp(node_load1, 0.2, 0.4) + clamp_min(node_load5, 0.3) + clamp_max(node_load15, 0.3)",
    "exp(node_load1) + sqrt(node_load5) + ln(node_load1 + 1) + log2(node_load5 + 1) + log10(node_load15 + 1)",
    "sgn(node_load1 - 1)",
    "sin(node_load1) + cos(node_load5) + tan(node_load15) + atan(node_load1) + sinh(node_load5)",
    "deg(node_load1) + rad(node_load5) + pi()",
    "label_replace(node_network_up, \"kind\", \"$1-$2\", \"device\", \"(.)(.*)\")",
    "label_join(node_cpu_seconds_total{cpu=\"0\"}, \"where\", \"/\", \"cpu\", \"mode\", \"job\")",
    "absent(no_such_metric{job=\"x\",instance=~\"y\"})",
    "absent(node_load1)",
    "time()",
    "timestamp(up)",
    "timestamp(node_load1 * 1)",
    "scalar(node_load1) + 1",
    "vector(time() - 5)",
    "year() + month() * 10 + day_of_month() + day_of_week() + day_of_year() + days_in_month() + hour() + minute()",
    "hour(node_boot_time_seconds) + minute(process_start_time_seconds{job=\"node\"})",
    "sort(node_cpu_seconds_total{mode=\"idle\"})",
    "sort_desc(node_memory_MemFree_bytes or node_memory_MemTotal_bytes)",
];

const AGGREGATES: &[&str] = &[
    "sum by (mode) (rate(node_cpu_seconds_total[5s]))",
    "avg without (cpu) (node_cpu_seconds_total)",
    "min(node_cpu_seconds_total) by (cpu)",
    "max by (mode, job) (node_cpu_seconds_total)",
    "count by (__name__) ({job=\"node\"})",
    "group without (mode, cpu) (node_cpu_seconds_total)",
    "stddev by (mode) (rate(node_cpu_seconds_total[5s]))",
    "stdvar(rate(node_cpu_seconds_total[5s]))",
    "topk(3, node_cpu_seconds_total)",
    "bottomk by (cpu) (2, node_cpu_seconds_total)",
    "quantile by (cpu) (0.3, node_cpu_seconds_total)",
    "count_values by (job) (\"value\", up)",
    "sum(up) + count(up)",
];

const OPERATORS: &[&str] = &[
    "node_memory_MemFree_bytes / node_memory_MemTotal_bytes * 100",
    "node_load1 ^ 2 % 3 - -node_load5",
    // Prometheus 2.42 forgets to drop the name of what it computes here.
    "abs(node_load1 atan2 node_load5)",
    "node_cpu_seconds_total > 1",
    "node_cpu_seconds_total >= bool 1",
    "up == 1 or up != bool 1",
    "1 < bool 2",
    "rate(node_cpu_seconds_total[5s]) / on (instance, cpu) group_left () sum by (instance, cpu) (rate(node_cpu_seconds_total[5s]))",
    "node_cpu_seconds_total{mode=\"idle\"} / ignoring (mode) node_cpu_seconds_total{mode=\"user\"}",
    "up * on (instance) group_right (job) node_network_up",
    "node_network_up * on (instance) group_left (version) node_exporter_build_info",
    "up and on (job) node_load1",
    "up unless on (job) node_load1",
    "node_load1 or up or vector(1)",
    "sum(node_load1) > bool sum(node_load5)",
];

/// All queries at their times.
pub(crate) fn all(times: &Times) -> Vec<String> {
    let groups = [SELECTORS, RATES, OVER_TIME, FUNCTIONS, AGGREGATES, OPERATORS];
    let mut all: Vec<String> = groups.into_iter().flatten().map(|query| (*query).to_owned()).collect();
    let at = format!("{}.{:03}", times.alive_ms / 1000, times.alive_ms % 1000);
    let odd = times.odd_ms;
    all.extend([
        format!("node_memory_MemFree_bytes @ {at}"),
        format!("rate(node_cpu_seconds_total[5s] @ {at})"),
        "sum(up @ start()) + sum(up @ end())".to_owned(),
        format!("node_load1 @ {at} offset 2s"),
        "max_over_time(node_load1[10s:1s])".to_owned(),
        format!("max_over_time(rate(node_context_switches_total[5s{odd}ms])[5s:500ms])"),
        format!("sum_over_time(sum by (mode) (rate(node_cpu_seconds_total[4s{odd}ms]))[5s:1s] offset 1s)"),
        "avg_over_time(up[10s:1s] @ end())".to_owned(),
        format!("min_over_time((increase(node_intr_total[3s{odd}ms]) + 1)[4s:2s])"),
    ]);
    all
}
