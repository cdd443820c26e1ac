//! Recordings: scrapes a program into a file, and sends such a file to a server.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{Parser, Subcommand};
use tools::client::Url;
use tools::record::{self, RecordOptions};
use tools::recording::Recording;
use tools::replay::{self, ReplayOptions};

const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// The file is written every so many scrapes.
const SAVE_EVERY: u64 = 300;

/// Records real metrics and sends them to a server, in many copies.
#[derive(Debug, Parser)]
#[command(name = "recording", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scrapes an address of exposition text into a file, which is written every 300 scrapes and at the end.
    Record {
        /// What to scrape.
        #[arg(long)]
        url: String,
        /// Where to write the recording.
        #[arg(long)]
        file: PathBuf,
        /// Milliseconds between scrapes.
        #[arg(long, default_value_t = 1000)]
        interval: u64,
        #[arg(long, default_value_t = 1800)]
        scrapes: u64,
    },
    /// Sends a recording by remote write, scrape by scrape in order of time, with copies shifted in time.
    Replay {
        /// The recording.
        #[arg(long)]
        file: PathBuf,
        /// Where to write.
        #[arg(long, default_value = "http://127.0.0.1:8080/api/v1/write")]
        url: String,
        /// Copies, each with an `instance` of its own.
        #[arg(long, default_value_t = 20)]
        copies: u32,
        /// Milliseconds between scrapes in the recording.
        #[arg(long, default_value_t = 1000)]
        recorded: i64,
        /// Milliseconds between scrapes as they are sent.
        #[arg(long, default_value_t = 15_000)]
        interval: i64,
        /// Milliseconds by which a scrape comes late at most.
        #[arg(long, default_value_t = 4)]
        jitter: u32,
        /// Unix seconds at which the samples end, instead of now.
        #[arg(long)]
        end: Option<i64>,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Process of the server, for its CPU.
        #[arg(long)]
        pid: Option<u32>,
        /// File that receives every acknowledged sample, for `loadgen --verify`.
        #[arg(long)]
        ack_log: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("recording: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Record { url, file, interval, scrapes } => {
            let recording = record::run(&RecordOptions {
                url: Url::parse(&url)?,
                file,
                interval: Duration::from_millis(interval),
                scrapes,
                save_every: SAVE_EVERY,
                timeout: SCRAPE_TIMEOUT,
            })?;
            let samples: usize = recording.series.iter().map(|series| series.samples.len()).sum();
            println!("{} series, {samples} samples", recording.series.len());
        }
        Command::Replay { file, url, copies, recorded, interval, jitter, end, seed, pid, ack_log } => {
            let end_ms = match end {
                Some(end) => end.saturating_mul(1000),
                None => i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
            };
            let options = ReplayOptions {
                url: Url::parse(&url)?,
                copies,
                recorded_ms: recorded,
                interval_ms: interval,
                jitter_ms: jitter,
                end_ms,
                seed,
                timeout: WRITE_TIMEOUT,
                pid,
                ack_log,
            };
            print!("{}", replay::run(&Recording::read(&file)?, &options)?.text());
        }
    }
    Ok(())
}
