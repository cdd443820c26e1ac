//! `tsdb query`: an instant query, or a range query when a start is given.

use std::io::Write as _;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use shards::clock::system_now_ms;

use super::client::{Answer, Client, ServerFlag};
use super::table;
use crate::http::request::parse_time_ms;
use crate::units::parse_duration;

/// Points of a range query that names no step.
const POINTS: i64 = 60;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// PromQL expression
    #[arg(value_name = "EXPRESSION")]
    expression: String,

    /// Time of an instant query: Unix seconds, RFC 3339, now, or a distance back as in -1h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["start", "end", "step"])]
    time: Option<String>,

    /// First time of a range query
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,

    /// Last time of a range query [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "start")]
    end: Option<String>,

    /// Distance between points of a range query [default: a sixtieth of the range]
    #[arg(long, value_name = "DURATION", requires = "start")]
    step: Option<String>,

    /// Print the answer as it came
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerFlag,
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let now_ms = system_now_ms();
    let client = Client::new(&flags.server)?;
    let expression = ("query", flags.expression.clone());
    let answer = match &flags.start {
        None => {
            let time_ms = time("time", flags.time.as_deref().unwrap_or("now"), now_ms)?;
            client.form("/api/v1/query", &[expression, ("time", seconds(time_ms))])?
        }
        Some(start) => {
            let start_ms = time("start", start, now_ms)?;
            let end_ms = time("end", flags.end.as_deref().unwrap_or("now"), now_ms)?;
            let step = match &flags.step {
                Some(step) => step.clone(),
                None => (((end_ms - start_ms) / POINTS / 1000).max(1)).to_string(),
            };
            let times = [("start", seconds(start_ms)), ("end", seconds(end_ms)), ("step", step)];
            client.form("/api/v1/query_range", &[[expression].as_slice(), &times].concat())?
        }
    };
    show(&answer, flags.json)
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    let envelope: Value = serde_json::from_str(&answer.body).with_context(|| {
        let text: String = answer.body.chars().take(200).collect();
        format!("status {}, and no answer to a query: {:?}; check --server", answer.status, text.trim())
    })?;
    if let Some(error) = envelope.get("error").and_then(Value::as_str) {
        bail!("{error}");
    }
    for list in ["warnings", "infos"] {
        for note in envelope.get(list).and_then(Value::as_array).into_iter().flatten() {
            eprintln!("{}", note.as_str().unwrap_or_default());
        }
    }
    let text = if json {
        format!("{}\n", answer.body)
    } else {
        table::render(envelope.get("data").unwrap_or(&Value::Null))
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // A pager or `head` that has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot print"),
    }
}

/// A time as the API takes it, or relative to now.
fn time(flag: &str, text: &str, now_ms: i64) -> anyhow::Result<i64> {
    if text == "now" {
        return Ok(now_ms);
    }
    if let Some(back) = text.strip_prefix('-').and_then(parse_duration) {
        return Ok(now_ms - i64::try_from(back.as_millis())?);
    }
    parse_time_ms(text).with_context(|| {
        format!(
            "--{flag} {text:?} is no time; give Unix seconds, RFC 3339, now, or a distance back as in -1h"
        )
    })
}

fn seconds(time_ms: i64) -> String {
    let sign = if time_ms < 0 { "-" } else { "" };
    let size = time_ms.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1000, size % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_be_relative() {
        assert_eq!(time("time", "now", 7_200_000).unwrap(), 7_200_000);
        assert_eq!(time("time", "-1h", 7_200_000).unwrap(), 3_600_000);
        assert_eq!(time("time", "12.5", 0).unwrap(), 12_500);
        assert_eq!(time("time", "1970-01-01T00:00:01Z", 0).unwrap(), 1_000);
        assert!(time("end", "soon", 0).unwrap_err().to_string().starts_with("--end \"soon\" is no time"));
        assert_eq!((seconds(1_001), seconds(-1_500)), ("1.001".to_owned(), "-1.500".to_owned()));
    }
}
