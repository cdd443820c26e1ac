//! The Prometheus text exposition format, version 0.0.4, to staged samples.
//!
//! ```text
//! # HELP http_requests_total Requests by status.
//! # TYPE http_requests_total counter
//! http_requests_total{status="200",path="C:\\x"} 1027 1395066363000
//! ```
//!
//! Blanks separate, lines end a sample, the timestamp is optional. Names in quotes, as the format has
//! them since version 1.0.0 (`{"http.requests", status="200"} 1`), are understood as well. A text
//! that breaks these rules is refused as a whole with the line at fault; labels that break a limit or
//! are given twice only cost their own sample.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod line;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use shards::limits::METADATA_BYTES_MAX;
use shards::model::{Metadata, MetricType};

use super::batch::BatchBuilder;
use super::error::TextError;
use super::limits::DECODED_BYTES_MAX;
use line::{Line, Pairs, shown};

/// What the text does not say itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions<'a> {
    /// Time of samples without one.
    pub timestamp_ms: i64,
    /// Labels that every sample gets; they take the place of those of the same name.
    pub extra_labels: &'a [(&'a str, &'a str)],
}

/// Stages all samples and descriptions of a text. After an error the builder holds those of the lines
/// before it and is to be dropped.
pub fn decode(text: &[u8], options: TextOptions<'_>, builder: &mut BatchBuilder) -> Result<(), TextError> {
    if text.len() > DECODED_BYTES_MAX {
        let what = format!("text of {} bytes, the limit is {DECODED_BYTES_MAX}", text.len());
        return Err(TextError { line: 1, what });
    }
    let mut families = Families::default();
    let mut pairs = Pairs::new();
    for (index, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let fault = |what: String| TextError { line: index + 1, what };
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let line = std::str::from_utf8(bytes).map_err(|_| fault("not UTF-8".into()))?;
        let mut line = Line::new(line);
        if line.is_empty() {
            continue;
        }
        if line.take('#') {
            families.comment(&mut line).map_err(fault)?;
            continue;
        }
        pairs.clear();
        let (value, timestamp_ms) = line.sample(&mut pairs).map_err(fault)?;
        stage(&pairs, value, timestamp_ms.unwrap_or(options.timestamp_ms), options, builder);
    }
    families.into_builder(builder);
    Ok(())
}

fn stage(
    pairs: &Pairs<'_>,
    value: f64,
    timestamp_ms: i64,
    options: TextOptions<'_>,
    builder: &mut BatchBuilder,
) {
    let own = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let is_extra = |name: &str| options.extra_labels.iter().any(|(extra, _)| *extra == name);
    let mut labels: Vec<(&str, &str)> =
        own.filter(|(name, _)| !is_extra(name)).chain(options.extra_labels.iter().copied()).collect();
    if let Err(fault) = builder.push(&mut labels, timestamp_ms, value) {
        builder.refuse(&fault, &labels);
    }
}

/// Descriptions of metric families, gathered from several lines.
#[derive(Default)]
struct Families {
    entries: Vec<Metadata>,
    by_name: HashMap<String, usize>,
}

impl Families {
    /// Reads what follows a `#`; anything but HELP and TYPE is for humans.
    fn comment(&mut self, line: &mut Line<'_>) -> Result<(), String> {
        match line.word() {
            "HELP" => {
                let name = line.family_name()?;
                let help = line.help();
                if let Some(entry) = self.entry(&name) {
                    entry.help = help;
                }
            }
            "TYPE" => {
                let name = line.family_name()?;
                let metric_type = metric_type(line.word())?;
                line.end()?;
                if let Some(entry) = self.entry(&name) {
                    entry.metric_type = metric_type;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, name: &str) -> Option<&mut Metadata> {
        let at = match self.by_name.get(name) {
            Some(at) => *at,
            None => {
                let at = self.entries.len();
                self.entries.push(Metadata { metric: name.to_owned(), ..Metadata::default() });
                self.by_name.insert(name.to_owned(), at);
                at
            }
        };
        self.entries.get_mut(at)
    }

    fn into_builder(self, builder: &mut BatchBuilder) {
        for entry in self.entries {
            if entry.metric.len() + entry.help.len() <= METADATA_BYTES_MAX {
                builder.push_metadata(entry);
            } else {
                builder.ignore_metadata();
            }
        }
    }
}

fn metric_type(word: &str) -> Result<MetricType, String> {
    Ok(match word {
        "untyped" | "unknown" => MetricType::Unknown,
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" => MetricType::Histogram,
        "gaugehistogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "stateset" => MetricType::StateSet,
        "" => return Err("TYPE without a type".into()),
        other => return Err(format!("unknown metric type {}", shown(other))),
    })
}
