//! The same queries to several servers, one after the other: wall time, CPU of the server, bytes.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::{Client, Url};
use crate::procstat::ProcStat;
use crate::report::Latencies;

const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;

/// A query of the benchmark.
#[derive(Debug, Clone, Copy)]
struct Question {
    /// `m` stands for the metric.
    text: &'static str,
    /// Seconds back from the end, and between steps; no step: an instant query.
    range: u64,
    step: Option<u64>,
}

const QUESTIONS: [Question; 7] = [
    Question { text: "sum by (mode) (rate(m[5m]))", range: WEEK, step: Some(300) },
    Question { text: "m", range: WEEK, step: Some(600) },
    Question { text: "avg by (mode) (avg_over_time(m[1h]))", range: WEEK, step: Some(600) },
    Question { text: "max by (instance) (max_over_time(m[1h]))", range: WEEK, step: Some(600) },
    Question { text: "quantile by (mode) (0.95, m)", range: WEEK, step: Some(600) },
    Question { text: "topk(5, rate(m[5m]))", range: DAY, step: Some(60) },
    Question { text: "sum by (mode) (increase(m[1w]))", range: 0, step: None },
];

/// A server to ask.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    /// Without `/api/v1`.
    pub base: Url,
    pub pid: u32,
}

impl Server {
    /// Reads `name,pid,http://host:port`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, ',');
        let (Some(name), Some(pid), Some(base)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("{text}: like name,pid,http://host:port");
        };
        let pid = pid.parse().with_context(|| format!("{pid}: no number of a process"))?;
        Ok(Self { name: name.to_owned(), base: Url::parse(base)?, pid })
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    pub metric: String,
    /// Unix seconds at which all queries end.
    pub end: u64,
    pub repeats: usize,
    /// Numbers of the queries to ask, from 1 on; none: all.
    pub only: Vec<usize>,
    pub timeout: Duration,
}

/// One server's answers to one query.
#[derive(Debug, Default, Clone)]
struct Outcome {
    first_ms: f64,
    wall: Latencies,
    cpu_seconds: f64,
    bytes: usize,
}

/// Asks every query of every server in turn and returns a table. The first time counts apart.
pub fn run(servers: &[Server], options: &BenchOptions) -> Result<String> {
    let mut table = String::new();
    for (number, question) in (1..).zip(QUESTIONS) {
        if !options.only.is_empty() && !options.only.contains(&number) {
            continue;
        }
        let text = question.text.replace("m)", "\0)").replace("m[", "\0[");
        let text = if text == "m" { options.metric.clone() } else { text.replace('\0', &options.metric) };
        let _ = writeln!(table, "{number} {text}");
        let mut outcomes = Vec::new();
        for server in servers {
            outcomes.push(ask(server, &text, question, options)?);
        }
        let of_first = outcomes.first().cloned().unwrap_or_default();
        for (server, outcome) in servers.iter().zip(&outcomes) {
            let (wall, cpu) = (outcome.wall.percentile_ms(0.5), outcome.cpu_seconds * 1000.0);
            let _ = writeln!(
                table,
                "  {:<12} wall {wall:>8.1} ms  cpu {cpu:>8.1} ms  first {:>8.1} ms  {:>9} bytes  ours/theirs {:.2} {:.2}",
                server.name,
                outcome.first_ms,
                outcome.bytes,
                of_first.wall.percentile_ms(0.5) / wall,
                of_first.cpu_seconds * 1000.0 / cpu,
            );
        }
    }
    Ok(table)
}

/// The median of the wall times and the mean of the CPU times, since the kernel's clock is coarse.
fn ask(server: &Server, text: &str, question: Question, options: &BenchOptions) -> Result<Outcome> {
    let path = if question.step.is_some() { "/api/v1/query_range" } else { "/api/v1/query" };
    let mut client = Client::new(server.base.join(path), options.timeout);
    let end = options.end.to_string();
    let start = (options.end - question.range).to_string();
    let step = question.step.unwrap_or(0).to_string();
    let parameters = [
        ("query", text),
        ("start", start.as_str()),
        ("end", end.as_str()),
        ("time", end.as_str()),
        ("step", step.as_str()),
        ("nocache", "1"),
    ];
    let parameters: Vec<_> = parameters.into_iter().filter(|(_, value)| *value != "0").collect();
    let mut outcome = Outcome::default();
    let mut before = None;
    for round in 0..=options.repeats {
        let begun = Instant::now();
        let response = client.post_form(&parameters)?;
        let wall = begun.elapsed();
        if response.status != 200 {
            bail!("{}: {text}: {}", server.name, String::from_utf8_lossy(&response.body));
        }
        outcome.bytes = response.body.len();
        if round == 0 {
            outcome.first_ms = wall.as_secs_f64() * 1000.0;
            before = Some(ProcStat::read(server.pid)?.cpu_seconds());
        } else {
            outcome.wall.push(wall);
        }
    }
    let after = ProcStat::read(server.pid)?.cpu_seconds();
    outcome.cpu_seconds = (after - before.unwrap_or(after)) / options.repeats.max(1) as f64;
    Ok(outcome)
}
