//! `tsdb write`: text exposition in, remote write out.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use shards::clock::system_now_ms;
use shards::codec::varint::{put_uvarint, uvarint_len};

use super::client::{Client, ServerFlag};
use super::exposition::{Line, parse_line};
use crate::units::{parse_size, size_text};

/// Series in one message.
const SERIES_PER_MESSAGE: u64 = 5_000;
/// How often a message is sent to a server that has no room for it.
const ATTEMPTS_MAX: usize = 10;
const INPUT_BYTES_MAX: u64 = 4 << 30;

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// File to read [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Label that every series gets unless it has it, as in job=batch
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// Largest input
    #[arg(long, default_value = "256MiB", value_name = "SIZE", value_parser = input_bytes)]
    max_input_bytes: u64,

    #[command(flatten)]
    server: ServerFlag,
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected a label such as job=batch".to_owned())
}

fn input_bytes(text: &str) -> Result<u64, String> {
    parse_size(text)
        .filter(|size| (1..=INPUT_BYTES_MAX).contains(size))
        .ok_or_else(|| format!("expected a size such as 16MiB, up to {}", size_text(INPUT_BYTES_MAX)))
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let client = Client::new(&flags.server)?;
    let text = read(flags)?;
    let now_ms = system_now_ms();
    let mut message = Vec::new();
    let mut waiting = 0;
    let mut sent = 0_u64;
    for (number, line) in text.lines().enumerate() {
        let line = parse_line(line).map_err(|fault| anyhow::anyhow!("line {}: {fault}", number + 1))?;
        match line {
            Line::Nothing => continue,
            Line::Family { .. } => put_family(&mut message, &line),
            Line::Sample { mut labels, value, timestamp_ms } => {
                for (name, value) in &flags.labels {
                    if labels.get(name).is_none() {
                        labels.set(name, value);
                    }
                }
                let labels = labels.build();
                put_series(&mut message, labels.as_bytes(), value, timestamp_ms.unwrap_or(now_ms));
                waiting += 1;
            }
        }
        if waiting == SERIES_PER_MESSAGE {
            sent += send(&client, &message, waiting)?;
            message.clear();
            waiting = 0;
        }
    }
    if !message.is_empty() {
        sent += send(&client, &message, waiting)?;
    }
    eprintln!("{sent} samples stored");
    Ok(())
}

fn read(flags: &Flags) -> anyhow::Result<String> {
    let mut text = String::new();
    let limit = flags.max_input_bytes;
    let count = match &flags.file {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_string(&mut text))
            .with_context(|| format!("cannot read {}", path.display()))?,
        None => std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_string(&mut text)
            .context("cannot read standard input")?,
    };
    if count as u64 > limit {
        bail!("the input is larger than {}; split it or raise --max-input-bytes", size_text(limit));
    }
    Ok(text)
}

/// Sends a message until the server has taken or refused it.
fn send(client: &Client, message: &[u8], samples: u64) -> anyhow::Result<u64> {
    let body = snap::raw::Encoder::new().compress_vec(message).context("cannot compress")?;
    for _ in 0..ATTEMPTS_MAX {
        let answer = client.write(&body)?;
        match answer.status {
            200..=299 => return Ok(samples),
            429 | 503 => std::thread::sleep(answer.retry_after.unwrap_or(Duration::from_secs(1))),
            status => bail!("the server answered {status}: {}", answer.body.trim()),
        }
    }
    bail!("the server has had no room for {ATTEMPTS_MAX} attempts; try again later")
}

const SERIES_FIELD: u8 = 0x0a;
const METADATA_FIELD: u8 = 0x1a;

/// A series with one sample. Canonical label bytes are label fields already.
fn put_series(out: &mut Vec<u8>, label_bytes: &[u8], value: f64, timestamp_ms: i64) {
    const SAMPLE_FIELD: u8 = 0x12;
    const VALUE_FIELD: u8 = 0x09;
    const TIMESTAMP_FIELD: u8 = 0x10;
    let timestamp = timestamp_ms.cast_unsigned();
    let sample_len = 1 + 8 + 1 + uvarint_len(timestamp);
    let series_len = label_bytes.len() + 1 + uvarint_len(sample_len as u64) + sample_len;
    out.push(SERIES_FIELD);
    put_uvarint(out, series_len as u64);
    out.extend_from_slice(label_bytes);
    out.push(SAMPLE_FIELD);
    put_uvarint(out, sample_len as u64);
    out.push(VALUE_FIELD);
    out.extend_from_slice(&value.to_le_bytes());
    out.push(TIMESTAMP_FIELD);
    put_uvarint(out, timestamp);
}

/// What `# TYPE` or `# HELP` says about a family.
fn put_family(out: &mut Vec<u8>, line: &Line) {
    const TYPE_FIELD: u8 = 0x08;
    const NAME_FIELD: u8 = 0x12;
    const HELP_FIELD: u8 = 0x22;
    let Line::Family { name, metric_type, help } = line else { return };
    let mut inner = Vec::new();
    if let Some(metric_type) = metric_type {
        inner.extend_from_slice(&[TYPE_FIELD, *metric_type as u8]);
    }
    for (field, text) in [(NAME_FIELD, Some(name)), (HELP_FIELD, help.as_ref())] {
        if let Some(text) = text {
            inner.push(field);
            put_uvarint(&mut inner, text.len() as u64);
            inner.extend_from_slice(text.as_bytes());
        }
    }
    out.push(METADATA_FIELD);
    put_uvarint(out, inner.len() as u64);
    out.extend_from_slice(&inner);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::model::Labels;

    #[test]
    fn a_series_is_encoded_as_in_the_protocol() {
        let mut message = Vec::new();
        put_series(&mut message, Labels::from_pairs([("a", "b")]).as_bytes(), 1.5, 1);
        let expected = [
            0x0a, 21, 0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b', 0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f,
            0x10, 1,
        ];
        assert_eq!(message, expected);
    }
}
