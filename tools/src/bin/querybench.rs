//! Query benchmark: writes a history of counters to servers and asks all of them the same queries.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tools::backfill::{self, BackfillOptions};
use tools::client::Url;
use tools::history::HistoryShape;
use tools::querybench::{self, BenchOptions, Server};

const TIMEOUT: Duration = Duration::from_secs(120);

/// Measures queries of servers side by side.
#[derive(Debug, Parser)]
#[command(name = "querybench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Name of the metric.
    #[arg(long, global = true, default_value = "node_cpu_seconds_total")]
    metric: String,
    /// Unix seconds at which the history and the queries end.
    #[arg(long, global = true, default_value_t = 1_700_000_400)]
    end: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes a history by remote write, in order of time, as fast as the server takes it.
    Load {
        /// Where to write.
        #[arg(long)]
        url: String,
        #[arg(long, default_value_t = 960)]
        series: u32,
        /// Days that the history has.
        #[arg(long, default_value_t = 7.0)]
        days: f64,
        /// Seconds between scrapes.
        #[arg(long, default_value_t = 15)]
        interval: u32,
        /// Milliseconds by which scrapes come late at most.
        #[arg(long, default_value_t = 0)]
        jitter: u32,
        #[arg(long, default_value_t = 2)]
        connections: usize,
        /// Scrapes of one host in one request.
        #[arg(long, default_value_t = 40)]
        scrapes: u64,
        /// Hosts in one request.
        #[arg(long, default_value_t = 20)]
        hosts: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Asks seven queries, uncached: median of the wall times, mean of the server's CPU.
    Run {
        /// name,pid,http://host:port; more than once, ours first.
        #[arg(long, value_parser = |text: &str| Server::parse(text).map_err(|error| error.to_string()))]
        server: Vec<Server>,
        #[arg(long, default_value_t = 9)]
        repeats: usize,
        /// Numbers of the queries to ask, instead of all.
        #[arg(long, value_delimiter = ',')]
        only: Vec<usize>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("querybench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Arguments { command, metric, end } = arguments;
    match command {
        Command::Load { url, series, days, interval, jitter, connections, scrapes, hosts, seed } => {
            let end_ms = i64::try_from(end)? * 1000;
            let interval_ms = i64::from(interval.max(1)) * 1000;
            let shape = HistoryShape {
                metric,
                series,
                start_ms: end_ms - (days * 86_400_000.0) as i64,
                end_ms,
                interval_ms,
                jitter_ms: i64::from(jitter).min(interval_ms - 1),
                seed,
            };
            let url = Url::parse(&url)?;
            let options = BackfillOptions { url, connections, scrapes, hosts, timeout: TIMEOUT };
            println!("{} samples", backfill::run(&shape, &options)?);
        }
        Command::Run { server, repeats, only } => {
            let options = BenchOptions { metric, end, repeats, only, timeout: TIMEOUT };
            print!("{}", querybench::run(&server, &options)?);
        }
    }
    Ok(())
}
