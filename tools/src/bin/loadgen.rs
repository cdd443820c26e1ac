//! Load generator: realistic remote-write load to any server that speaks remote write 1.0, a query
//! mix, and a check that every acknowledged sample can be read back.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use tools::client::Url;
use tools::fleet::Shape;
use tools::series::LABELS_MAX;
use tools::{load, querymix, verify};

/// Sends realistic remote-write load and measures the server.
///
/// Without --query-mix or --verify it writes: hosts that are scraped, each with the metrics of
/// node_exporter, cadvisor and an instrumented program. The first scrape, in which all series are
/// new, is reported apart from later ones. CPU and memory of the server are read from /proc when its
/// --pid is given; a scrape's CPU includes what the server does until the next scrape begins.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version)]
struct Arguments {
    /// Where to write.
    #[arg(long, default_value = "http://127.0.0.1:8080/api/v1/write")]
    url: String,
    /// Series at any one time. Or give --hosts.
    #[arg(long, default_value_t = 100_000, conflicts_with = "hosts")]
    series: u32,
    /// Hosts; each has --metrics series.
    #[arg(long)]
    hosts: Option<u32>,
    /// Series of a host.
    #[arg(long, default_value_t = 500)]
    metrics: u32,
    /// Labels of a series, its name included.
    #[arg(long, default_value_t = 10)]
    labels: usize,
    /// How often every host is scraped.
    #[arg(long, default_value_t = 20)]
    scrapes: u32,
    /// Simulated time between scrapes. Timestamps end now, or begin now with --pace interval.
    #[arg(long, default_value = "15s", value_parser = duration)]
    interval: Duration,
    /// Share of the hosts that are replaced by new ones: 5%/h, or 1%/scrape.
    #[arg(long, default_value = "0")]
    churn: String,
    /// Share of the samples that come 1 to 3 scrapes late: 1%.
    #[arg(long, default_value = "0", value_parser = share)]
    out_of_order: f64,
    #[arg(long, default_value_t = 2)]
    connections: usize,
    /// Samples of one request.
    #[arg(long, default_value_t = 2000)]
    batch: usize,
    /// full (as fast as answers come), interval (a scrape every --interval), or samples a second.
    #[arg(long, default_value = "full")]
    pace: String,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Process of the server, for its CPU and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Pause after the load; CPU that the server uses in it is reported apart.
    #[arg(long, default_value = "0s", value_parser = duration)]
    settle: Duration,
    /// Megabytes of bodies that may be prepared ahead of sending.
    #[arg(long, default_value_t = 512)]
    prepare_mib: usize,
    /// How often a request is repeated after 429, 5xx or a broken connection.
    #[arg(long, default_value_t = 10)]
    retries: u32,
    /// Longest wait for an answer.
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// File that receives every acknowledged sample, for --verify.
    #[arg(long)]
    ack_log: Option<PathBuf>,
    /// Read back every sample of this file from --query-url and compare bits, instead of writing.
    #[arg(long, requires = "query_url")]
    verify: Option<PathBuf>,
    /// Server to read from, without /api/v1.
    #[arg(long)]
    query_url: Option<String>,
    /// Ask a mix of range queries of this server (address without /api/v1), instead of writing.
    #[arg(long, conflicts_with = "verify")]
    query_mix: Option<String>,
    /// How often each query of the mix is asked.
    #[arg(long, default_value_t = 20)]
    repeats: usize,
    /// Time range of the mix.
    #[arg(long, default_value = "1h", value_parser = duration)]
    range: Duration,
    /// Step of the mix.
    #[arg(long, default_value = "30s", value_parser = duration)]
    step: Duration,
    /// Print JSON in place of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(arguments: &Arguments) -> Result<bool> {
    if let Some(list) = &arguments.verify {
        let base = Url::parse(arguments.query_url.as_deref().unwrap_or_default())?;
        let verdict = verify::verify(list, &base, arguments.timeout)?;
        println!(
            "{} series, {} samples: {} missing, {} different; {} stale markers, {} samples beyond the list",
            verdict.series,
            verdict.samples,
            verdict.missing,
            verdict.different,
            verdict.stale,
            verdict.beyond
        );
        for example in &verdict.examples {
            println!("  {example}");
        }
        return Ok(verdict.good());
    }
    if let Some(base) = &arguments.query_mix {
        let report = querymix::run(&querymix::Options {
            base: Url::parse(base)?,
            connections: arguments.connections,
            repeats: arguments.repeats,
            range: arguments.range,
            step: arguments.step,
            timeout: arguments.timeout,
        })?;
        if arguments.json {
            println!("{:#}", report.json());
        } else {
            print!("{}", report.text());
        }
        return Ok(report.errors() == 0);
    }
    let shape = shape(arguments)?;
    let rate = match arguments.pace.as_str() {
        "full" => None,
        "interval" => Some(f64::from(shape.series) / arguments.interval.as_secs_f64()),
        rate => {
            Some(rate.parse().ok().filter(|rate| *rate > 0.0).context("--pace: full, interval or a number")?)
        }
    };
    let report = load::run(
        shape,
        &load::Options {
            url: Url::parse(&arguments.url)?,
            connections: arguments.connections,
            batch: arguments.batch,
            rate,
            prepare_bytes: arguments.prepare_mib << 20,
            pid: arguments.pid,
            retries: arguments.retries,
            timeout: arguments.timeout,
            settle: arguments.settle,
            ack_log: arguments.ack_log.clone(),
        },
    )?;
    if arguments.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.text());
    }
    Ok(report.failures() == 0)
}

fn shape(arguments: &Arguments) -> Result<Shape> {
    let interval_ms = i64::try_from(arguments.interval.as_millis())?;
    if interval_ms < 10 {
        bail!("--interval: at least 10ms");
    }
    if !(3..=LABELS_MAX).contains(&arguments.labels) {
        bail!("--labels: from 3 to {LABELS_MAX}");
    }
    if arguments.metrics == 0 || arguments.scrapes == 0 {
        bail!("--metrics and --scrapes: at least 1");
    }
    let series = match arguments.hosts {
        Some(hosts) => {
            hosts.checked_mul(arguments.metrics).context("--hosts times --metrics is too large")?
        }
        None => arguments.series,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis())?;
    let start_ms = if arguments.pace == "interval" {
        now_ms - interval_ms
    } else {
        now_ms - interval_ms * i64::from(arguments.scrapes)
    };
    Ok(Shape {
        series,
        metrics: arguments.metrics,
        labels: arguments.labels,
        scrapes: arguments.scrapes,
        interval_ms,
        start_ms,
        churn: churn(&arguments.churn, arguments.interval)?,
        out_of_order: arguments.out_of_order,
        seed: arguments.seed,
    })
}

/// The share replaced at each scrape.
fn churn(text: &str, interval: Duration) -> Result<f64> {
    let parse = |text: &str| share(text).map_err(anyhow::Error::msg);
    match text.split_once('/') {
        Some((text, "scrape")) => parse(text),
        Some((text, "h")) => Ok(parse(text)? * interval.as_secs_f64() / 3600.0),
        None if text == "0" => Ok(0.0),
        _ => bail!("--churn: like 5%/h or 1%/scrape"),
    }
}

/// A share such as `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let share = digits.parse::<f64>().map_err(|error| error.to_string())? / unit;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share lies between 0% and 100%".to_owned()) }
}

/// A duration such as `500ms`, `15s` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err("a duration reads like 500ms, 15s, 5m, 1h or 30d".to_owned()),
    };
    let number: f64 = digits.parse().map_err(|_| "a duration begins with a number".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_shares_read_as_written() {
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("5").is_err());
        assert_eq!(share("5%"), Ok(0.05));
        assert!(share("200%").is_err());
        assert_eq!(churn("60%/h", Duration::from_secs(60)).unwrap(), 0.01);
        assert_eq!(churn("1%/scrape", Duration::from_secs(60)).unwrap(), 0.01);
        assert!(churn("1%", Duration::from_secs(60)).is_err());
    }
}
