//! Figures and how they are printed, for people or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::procstat::ProcStat;

/// Durations of which percentiles are wanted.
#[derive(Debug, Default, Clone)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest duration that so large a share does not exceed, in milliseconds.
    #[must_use]
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
    }
}

/// What happened to the requests of one scrape.
#[derive(Debug, Default, Clone)]
pub struct Posts {
    pub samples: u64,
    pub requests: u64,
    pub body_bytes: u64,
    pub retries: u64,
    /// Requests that were given up, by status; 0 stands for a broken connection.
    pub failed: BTreeMap<u16, u64>,
    pub first_error: Option<String>,
    pub latencies: Latencies,
}

impl Posts {
    pub fn append(&mut self, other: Self) {
        self.samples += other.samples;
        self.requests += other.requests;
        self.body_bytes += other.body_bytes;
        self.retries += other.retries;
        for (status, count) in other.failed {
            *self.failed.entry(status).or_default() += count;
        }
        self.first_error = self.first_error.take().or(other.first_error);
        self.latencies.append(other.latencies);
    }

    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// One line of the table: one scrape, or several together.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    pub new_series: u64,
    pub seconds: f64,
    pub posts: Posts,
    /// CPU the server used until the next scrape began, and its memory then.
    pub cpu_seconds: Option<f64>,
    pub memory: Option<ProcStat>,
}

impl Figures {
    /// Adds a scrape that came later.
    pub fn append(&mut self, other: Self) {
        self.new_series += other.new_series;
        self.seconds += other.seconds;
        self.posts.append(other.posts);
        self.cpu_seconds = match (self.cpu_seconds, other.cpu_seconds) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.memory = other.memory.or(self.memory);
    }

    #[must_use]
    pub fn samples_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.posts.samples as f64 / self.seconds } else { 0.0 }
    }

    #[must_use]
    pub fn cpu_per_million(&self) -> Option<f64> {
        let samples = self.posts.samples as f64;
        self.cpu_seconds.filter(|_| samples > 0.0).map(|seconds| seconds * 1e6 / samples)
    }

    fn json(&self) -> Value {
        json!({
            "samples": self.posts.samples,
            "new_series": self.new_series,
            "seconds": self.seconds,
            "samples_per_second": self.samples_per_second(),
            "requests": self.posts.requests,
            "body_bytes": self.posts.body_bytes,
            "retries": self.posts.retries,
            "failed": self.posts.failed.iter().map(|(status, count)| (status.to_string(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
            "post_p50_ms": self.posts.latencies.percentile_ms(0.5),
            "post_p99_ms": self.posts.latencies.percentile_ms(0.99),
            "cpu_seconds": self.cpu_seconds,
            "cpu_seconds_per_million_samples": self.cpu_per_million(),
            "resident_bytes": self.memory.map(|memory| memory.resident_bytes),
            "resident_peak_bytes": self.memory.map(|memory| memory.resident_peak_bytes),
        })
    }
}

/// The outcome of a run.
#[derive(Debug, Default, Clone)]
pub struct Report {
    pub scrapes: Vec<Figures>,
    /// CPU the server used in the pause after the last scrape (`--settle`).
    pub settle_cpu_seconds: Option<f64>,
    /// CPU of the load generator itself, preparation apart.
    pub own_cpu_seconds: f64,
}

impl Report {
    fn sum(scrapes: &[Figures]) -> Figures {
        scrapes.iter().cloned().fold(Figures::default(), |mut sum, scrape| {
            sum.append(scrape);
            sum
        })
    }

    fn parts(&self) -> Vec<(&'static str, Figures)> {
        let (first, later) = self.scrapes.split_at(self.scrapes.len().min(1));
        let mut parts = vec![("first", Self::sum(first))];
        if !later.is_empty() {
            parts.push(("later", Self::sum(later)));
        }
        parts.push(("all", Self::sum(&self.scrapes)));
        parts
    }

    #[must_use]
    pub fn failures(&self) -> u64 {
        self.scrapes.iter().map(|scrape| scrape.posts.failures()).sum()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        let parts: serde_json::Map<String, Value> =
            self.parts().iter().map(|(name, figures)| ((*name).to_owned(), figures.json())).collect();
        json!({
            "summary": parts,
            "scrapes": self.scrapes.iter().map(Figures::json).collect::<Vec<_>>(),
            "settle_cpu_seconds": self.settle_cpu_seconds,
            "loadgen_cpu_seconds": self.own_cpu_seconds,
        })
    }

    /// A table: the first scrapes one by one, then the sums.
    #[must_use]
    pub fn text(&self) -> String {
        const LINES_MAX: usize = 24;
        let mut out = format!(
            "{:>7} {:>11} {:>10} {:>9} {:>11} {:>8} {:>8} {:>7} {:>7} {:>9} {:>8} {:>8}\n",
            "scrape",
            "samples",
            "new",
            "seconds",
            "samples/s",
            "p50 ms",
            "p99 ms",
            "retries",
            "failed",
            "cpu s/M",
            "rss MiB",
            "peak MiB"
        );
        for (number, figures) in self.scrapes.iter().enumerate().take(LINES_MAX) {
            push_row(&mut out, &(number + 1).to_string(), figures);
        }
        if self.scrapes.len() > LINES_MAX {
            out.push_str("    ...\n");
        }
        for (name, figures) in self.parts() {
            push_row(&mut out, name, &figures);
        }
        let all = Self::sum(&self.scrapes);
        for (status, count) in &all.posts.failed {
            let what = if *status == 0 { "broken connection".to_owned() } else { format!("status {status}") };
            let _ = writeln!(out, "given up: {count} requests, {what}");
        }
        if let Some(error) = &all.posts.first_error {
            let _ = writeln!(out, "first error: {error}");
        }
        if let Some(seconds) = self.settle_cpu_seconds {
            let _ = writeln!(out, "server CPU in the pause afterwards: {seconds:.2} s");
        }
        let _ = writeln!(
            out,
            "bodies: {:.1} bytes a sample; load generator's own CPU while sending: {:.2} s",
            all.posts.body_bytes as f64 / (all.posts.samples as f64).max(1.0),
            self.own_cpu_seconds
        );
        out
    }
}

fn push_row(out: &mut String, name: &str, figures: &Figures) {
    let optional = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => "-".to_owned(),
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let posts = &figures.posts;
    let _ = writeln!(
        out,
        "{name:>7} {:>11} {:>10} {:>9.2} {:>11.0} {:>8.2} {:>8.2} {:>7} {:>7} {:>9} {:>8} {:>8}",
        posts.samples,
        figures.new_series,
        figures.seconds,
        figures.samples_per_second(),
        posts.latencies.percentile_ms(0.5),
        posts.latencies.percentile_ms(0.99),
        posts.retries,
        posts.failures(),
        optional(figures.cpu_per_million(), 3),
        optional(figures.memory.map(|memory| mib(memory.resident_bytes)), 0),
        optional(figures.memory.map(|memory| mib(memory.resident_peak_bytes)), 0),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_take_the_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile_ms(0.5), 0.0);
        for ms in (1..=100).rev() {
            latencies.push(Duration::from_millis(ms));
        }
        assert_eq!(latencies.percentile_ms(0.5), 50.0);
        assert_eq!(latencies.percentile_ms(0.99), 99.0);
        assert_eq!(latencies.percentile_ms(1.0), 100.0);
    }

    #[test]
    fn the_first_scrape_is_told_apart_from_later_ones() {
        let scrape = |samples, cpu| Figures {
            seconds: 1.0,
            cpu_seconds: Some(cpu),
            posts: Posts { samples, ..Posts::default() },
            ..Figures::default()
        };
        let report = Report {
            scrapes: vec![scrape(1_000_000, 2.0), scrape(1_000_000, 0.5), scrape(1_000_000, 0.7)],
            ..Report::default()
        };
        let json = report.json();
        let cpu = |part: &str| json["summary"][part]["cpu_seconds_per_million_samples"].as_f64().unwrap();
        assert_eq!(cpu("first"), 2.0);
        assert!((cpu("later") - 0.6).abs() < 1e-9);
        assert_eq!(json["summary"]["all"]["samples"], 3_000_000);
        assert!(report.text().contains("later"));
    }
}
