//! Starts the programs, lets them run for a while and chooses the times at which both hold the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::http::Client;
use crate::common::program::{Program, free_address};
use crate::common::server::{Server, temp_dir};
use crate::common::wait;

/// Simulated life is short: two scrapes a second.
const SCRAPE_INTERVAL_MS: i64 = 500;
/// Scrapes with the exporter alive, and after it was stopped.
const SCRAPES_ALIVE: i64 = 40;
const SCRAPES_ENDED: i64 = 6;

/// Prometheus, the exporter it scrapes, and our server it writes to.
pub(crate) struct Peers {
    pub(crate) theirs: Client,
    pub(crate) ours: Server,
    prometheus: Program,
    exporter: Program,
    _dir: TempDir,
}

/// Times for queries. All lie equally far from the samples around them: with ranges, offsets and
/// steps that are multiples of the scrape interval, no sample then lies on the bound of a window.
#[derive(Debug)]
pub(crate) struct Times {
    /// While the exporter was scraped.
    pub(crate) alive_ms: i64,
    /// When its series had ended.
    pub(crate) ended_ms: i64,
    /// Late enough that windows of 10 s lie within the recording.
    pub(crate) range_start_ms: i64,
    /// To be added to ranges within subqueries, whose steps lie on multiples of the step.
    pub(crate) odd_ms: i64,
}

impl Peers {
    pub(crate) fn start(prometheus: &Path, exporter: &Path) -> Self {
        let dir = temp_dir();
        let ours = Server::start(&dir.path().join("ours"), &[]);
        let exporter_at = free_address();
        let exporter = Program::start(
            exporter,
            &[format!("--web.listen-address={exporter_at}"), "--no-collector.systemd".to_owned()],
            &dir.path().join("exporter.log"),
        )
        .unwrap();
        let theirs_at = free_address();
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: {SCRAPE_INTERVAL_MS}ms, scrape_timeout: {SCRAPE_INTERVAL_MS}ms}}\n\
             scrape_configs:\n\
             - {{job_name: prometheus, static_configs: [{{targets: ['{theirs_at}']}}]}}\n\
             - {{job_name: node, static_configs: [{{targets: ['{exporter_at}']}}]}}\n\
             remote_write:\n\
             - url: http://{}/api/v1/write\n  \
               queue_config: {{min_shards: 1, max_shards: 1, batch_send_deadline: 100ms}}\n  \
               metadata_config: {{send_interval: 1s}}\n",
            ours.address
        );
        fs::write(&config, text).unwrap();
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", dir.path().join("theirs").display()),
            format!("--web.listen-address={theirs_at}"),
            "--log.level=warn".to_owned(),
        ];
        let prometheus = Program::start(prometheus, &arguments, &dir.path().join("prometheus.log")).unwrap();
        Self { theirs: Client::new(theirs_at), ours, prometheus, exporter, _dir: dir }
    }

    /// Lets scrapes happen until there are enough, on both sides.
    pub(crate) fn record(&mut self) -> Times {
        self.wait_for("min(count_over_time(up[1h])) and count(up) == 2", SCRAPES_ALIVE);
        self.exporter.kill();
        let failed = "sum(count_over_time(up{job=\"node\"}[1h]) - sum_over_time(up{job=\"node\"}[1h]))";
        self.wait_for(failed, SCRAPES_ENDED);
        let stamps = self.scrape_times();
        let first = stamps.first().copied().unwrap();
        let last = stamps.last().copied().unwrap();
        let phase = widest_gap(&stamps);
        let at = |time_ms: i64| time_ms - time_ms.rem_euclid(SCRAPE_INTERVAL_MS) + phase;
        let scrapes = |count: i64| count * SCRAPE_INTERVAL_MS;
        let times = Times {
            alive_ms: at(last - scrapes(SCRAPES_ENDED + 4)),
            ended_ms: at(last - scrapes(2)),
            range_start_ms: at(first + scrapes(24)),
            odd_ms: SCRAPE_INTERVAL_MS - phase,
        };
        self.wait_for_same_data(times.ended_ms);
        times
    }

    /// Waits until Prometheus answers a query with at least so much.
    fn wait_for(&mut self, query: &str, wanted: i64) {
        wait::until(query, || {
            assert_eq!(self.prometheus.ended(), None, "Prometheus ended");
            let answer = self.theirs.try_get("/api/v1/query", &[("query", query)]).ok()?;
            let value = Some(answer)
                .filter(|answer| answer.status == 200)
                .and_then(|answer| number(&answer.json()))?;
            (value >= wanted as f64).then_some(())
        });
    }

    /// Timestamps of all scrapes so far.
    fn scrape_times(&self) -> BTreeSet<i64> {
        let data = self.theirs.get("/api/v1/query", &[("query", "up[1h]")]).data();
        let series = data["result"].as_array().unwrap();
        assert_eq!(series.len(), 2, "{data}");
        let pairs = series.iter().flat_map(|series| series["values"].as_array().unwrap());
        pairs.map(|pair| (pair[0].as_f64().unwrap() * 1000.0).round() as i64).collect()
    }

    /// Waits until we hold every sample that Prometheus holds, bit by bit.
    fn wait_for_same_data(&self, time_ms: i64) {
        let query = "{__name__=~\".+\"}[1h]";
        let expected = samples(&self.theirs.query(query, time_ms).data());
        assert!(expected.len() > 10_000, "a poor recording: {} samples", expected.len());
        wait::until("our server to hold what Prometheus holds", || {
            let found = samples(&self.ours.client.query(query, time_ms).data());
            let surplus = found.difference(&expected).next();
            assert_eq!(surplus, None, "a sample that Prometheus does not have");
            (found.len() == expected.len()).then_some(())
        });
    }
}

/// Labels, time and value bits of the raw samples of an answer.
fn samples(data: &Value) -> BTreeSet<(String, i64, u64)> {
    let mut all = BTreeSet::new();
    for series in data["result"].as_array().unwrap() {
        let labels = series["metric"].to_string();
        for pair in series["values"].as_array().unwrap() {
            let time_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
            let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
            all.insert((labels.clone(), time_ms, value.to_bits()));
        }
    }
    all
}

/// The one value of an answer.
fn number(answer: &Value) -> Option<f64> {
    answer.pointer("/data/result/0/value/1")?.as_str()?.parse().ok()
}

/// The middle of the widest gap that scrapes leave within their interval.
fn widest_gap(stamps: &BTreeSet<i64>) -> i64 {
    let mut phases: Vec<i64> = stamps.iter().map(|stamp| stamp.rem_euclid(SCRAPE_INTERVAL_MS)).collect();
    // The grid of subqueries lies on multiples of the interval: keep clear of it too.
    phases.push(0);
    phases.sort_unstable();
    phases.dedup();
    let wrapped = phases.first().unwrap() + SCRAPE_INTERVAL_MS;
    phases.push(wrapped);
    let (start, end) = phases.windows(2).map(|pair| (pair[0], pair[1])).max_by_key(|(a, b)| b - a).unwrap();
    assert!(end - start > 20, "scrapes leave no gap: {phases:?}");
    (start + (end - start) / 2).rem_euclid(SCRAPE_INTERVAL_MS)
}
