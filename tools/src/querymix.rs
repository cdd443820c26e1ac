//! A mix of dashboard queries over the load's metrics, asked by several connections at once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::client::{Client, Url};
use crate::report::Latencies;

/// What dashboards and alerts ask, from one series up to all of them.
const QUERIES: [(&str, &str); 12] = [
    ("one_series", r#"node_load1{instance="10.0.0.1:9100"}"#),
    ("one_host", r#"rate(node_cpu_seconds_total{instance="10.0.0.1:9100"}[5m])"#),
    ("cpu_by_mode", "sum by (mode) (rate(node_cpu_seconds_total[5m]))"),
    ("cpu_busy", r#"1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))"#),
    ("memory_share", "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"),
    ("top_containers", "topk(10, sum by (pod, container) (rate(container_cpu_usage_seconds_total[5m])))"),
    ("errors_by_service", r#"sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))"#),
    (
        "latency_p99",
        "histogram_quantile(0.99, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))",
    ),
    ("network_max", "max_over_time(node_network_receive_bytes_total[10m])"),
    ("up_by_zone", "count by (zone) (up == 1)"),
    ("fullest_disk", "bottomk(5, min by (instance) (node_filesystem_avail_bytes))"),
    ("regex", r#"sum(node_memory_MemFree_bytes{cluster=~"prod-.*",namespace!="mail-prod"})"#),
];

/// How the mix is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server, without `/api/v1`.
    pub base: Url,
    pub connections: usize,
    /// How often each query is asked.
    pub repeats: usize,
    pub range: Duration,
    pub step: Duration,
    pub timeout: Duration,
}

/// What became of one query of the mix.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    pub latencies: Latencies,
    pub bytes: u64,
    pub errors: u64,
    pub first_error: Option<String>,
}

/// Outcomes by query name.
#[derive(Debug, Default)]
pub struct MixReport(pub BTreeMap<&'static str, Outcome>);

/// Asks the mix; every query in turn, so that load is even.
pub fn run(options: &Options) -> Result<MixReport> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let end = now.to_string();
    let start = now.saturating_sub(options.range.as_secs()).to_string();
    let step = options.step.as_secs_f64().to_string();
    let total = options.repeats * QUERIES.len();
    let next = AtomicUsize::new(0);
    let mut report = MixReport::default();
    std::thread::scope(|scope| -> Result<()> {
        let ask = || -> Result<MixReport> {
            let mut client = Client::new(options.base.join("/api/v1/query_range"), options.timeout);
            let mut own = MixReport::default();
            while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < total)
            {
                let Some(&(name, query)) = QUERIES.get(index % QUERIES.len()) else { continue };
                let outcome = own.0.entry(name).or_default();
                let begun = Instant::now();
                match client.post_form(&[("query", query), ("start", &start), ("end", &end), ("step", &step)])
                {
                    Ok(response) if response.status == 200 => {
                        outcome.latencies.push(begun.elapsed());
                        outcome.bytes += response.body.len() as u64;
                    }
                    Ok(response) => outcome.fail(&format!(
                        "status {}: {}",
                        response.status,
                        String::from_utf8_lossy(&response.body)
                    )),
                    Err(error) => outcome.fail(&format!("{error:#}")),
                }
            }
            Ok(own)
        };
        let handles: Vec<_> = (0..options.connections.max(1)).map(|_| scope.spawn(ask)).collect();
        for handle in handles {
            let own = handle.join().map_err(|_| anyhow!("a querying thread failed"))??;
            for (name, outcome) in own.0 {
                report.0.entry(name).or_default().append(outcome);
            }
        }
        Ok(())
    })?;
    Ok(report)
}

impl Outcome {
    fn fail(&mut self, error: &str) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| error.chars().take(200).collect());
    }

    fn append(&mut self, other: Self) {
        self.latencies.append(other.latencies);
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    fn bytes_each(&self) -> u64 {
        self.bytes / (self.latencies.len() as u64).max(1)
    }
}

impl MixReport {
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.0.values().map(|outcome| outcome.errors).sum()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        let each = |(name, outcome): (&&str, &Outcome)| {
            let figures = json!({
                "count": outcome.latencies.len(),
                "errors": outcome.errors,
                "first_error": outcome.first_error,
                "p50_ms": outcome.latencies.percentile_ms(0.5),
                "p90_ms": outcome.latencies.percentile_ms(0.9),
                "p99_ms": outcome.latencies.percentile_ms(0.99),
                "max_ms": outcome.latencies.percentile_ms(1.0),
                "answer_bytes": outcome.bytes_each(),
            });
            ((*name).to_owned(), figures)
        };
        Value::Object(self.0.iter().map(each).collect())
    }

    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!(
            "{:<18} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9} {:>12}\n",
            "query", "count", "errors", "p50 ms", "p90 ms", "p99 ms", "max ms", "answer bytes"
        );
        for (name, outcome) in &self.0 {
            let ms = |share| outcome.latencies.percentile_ms(share);
            let _ = writeln!(
                out,
                "{name:<18} {:>6} {:>7} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>12}",
                outcome.latencies.len(),
                outcome.errors,
                ms(0.5),
                ms(0.9),
                ms(0.99),
                ms(1.0),
                outcome.bytes_each()
            );
            if let Some(error) = &outcome.first_error {
                let _ = writeln!(out, "  first error: {error}");
            }
        }
        out
    }
}
