//! Writes the Prometheus text exposition format, version 0.0.4.
//!
//! ```
//! use tsdb::telemetry::Exposition;
//!
//! let mut exposition = Exposition::new();
//! let mut family = exposition.counter("tsdb_wal_commits_total", "Durable writes of the log.");
//! family.sample(&[("shard", "0")], 7.0);
//! assert_eq!(
//!     exposition.finish(),
//!     "# HELP tsdb_wal_commits_total Durable writes of the log.\n\
//!      ## TYPE tsdb_wal_commits_total counter\n\
//!      tsdb_wal_commits_total{shard=\"0\"} 7\n"
//! );
//! ```

use std::collections::HashSet;

use super::counters::HistogramFigures;

/// Content type of what is written here.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metric families as text.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    names: HashSet<&'static str>,
}

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a family of counters; by convention its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        debug_assert!(name.ends_with("_total"), "counter {name} says that it is a total");
        self.family(name, help, "counter")
    }

    /// Begins a family of gauges.
    pub fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Begins a family of histograms.
    pub fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> Family<'_> {
        let fresh = self.names.insert(name);
        debug_assert!(fresh, "family {name} is written once");
        debug_assert!(is_metric_name(name), "{name} is a metric name");
        self.text.push_str("# HELP ");
        self.text.push_str(name);
        self.text.push(' ');
        escape(&mut self.text, help, false);
        self.text.push_str("\n# TYPE ");
        self.text.push_str(name);
        self.text.push(' ');
        self.text.push_str(kind);
        self.text.push('\n');
        Family { text: &mut self.text, name }
    }

    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Writes a sample of a counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// Writes a count, which is exact up to 2^53.
    pub fn count(&mut self, labels: &[(&str, &str)], value: u64) -> &mut Self {
        self.sample(labels, value as f64)
    }

    /// Writes the buckets, sum and count of a histogram.
    pub fn observations(&mut self, labels: &[(&str, &str)], figures: &HistogramFigures) -> &mut Self {
        let mut cumulated = 0;
        let bounds = figures.bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, count) in bounds.zip(&figures.counts) {
            cumulated += count;
            self.line("_bucket", labels, Some(bound), cumulated as f64);
        }
        self.line("_sum", labels, None, figures.sum);
        self.line("_count", labels, None, cumulated as f64);
        self
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], le: Option<f64>, value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        if !labels.is_empty() || le.is_some() {
            self.text.push('{');
            let mut comma = "";
            for (name, value) in labels {
                self.text.push_str(comma);
                self.text.push_str(name);
                self.text.push_str("=\"");
                escape(self.text, value, true);
                self.text.push('"');
                comma = ",";
            }
            if let Some(le) = le {
                self.text.push_str(comma);
                self.text.push_str("le=\"");
                put_float(self.text, le);
                self.text.push('"');
            }
            self.text.push('}');
        }
        self.text.push(' ');
        put_float(self.text, value);
        self.text.push('\n');
    }
}

/// Appends a text with the escapes of the format; quotes are escaped in label values only.
fn escape(out: &mut String, text: &str, quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

/// Appends a number in its shortest exact form.
fn put_float(out: &mut String, value: f64) {
    use std::fmt::Write;

    let magnitude = value.abs();
    // Writing to a string cannot fail.
    let _ = if value.is_nan() {
        write!(out, "NaN")
    } else if value.is_infinite() {
        write!(out, "{}Inf", if value > 0.0 { '+' } else { '-' })
    } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    };
}

fn is_metric_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(allowed) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Histogram;

    #[test]
    fn histograms_are_cumulated() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        for value in [0.1, 0.75, 3.0, 4.0] {
            histogram.observe(value);
        }
        let mut exposition = Exposition::new();
        exposition.histogram("x_seconds", "X.").observations(&[("route", "write")], &histogram.figures());
        assert_eq!(
            exposition.finish(),
            "# HELP x_seconds X.\n# TYPE x_seconds histogram\n\
             x_seconds_bucket{route=\"write\",le=\"0.5\"} 1\n\
             x_seconds_bucket{route=\"write\",le=\"1\"} 2\n\
             x_seconds_bucket{route=\"write\",le=\"+Inf\"} 4\n\
             x_seconds_sum{route=\"write\"} 7.85\n\
             x_seconds_count{route=\"write\"} 4\n"
        );
    }

    #[test]
    fn texts_are_escaped_and_numbers_are_exact() {
        let mut exposition = Exposition::new();
        let mut family = exposition.gauge("g", "a \\ \"b\"\nc");
        family.sample(&[("l", "a \\ \"b\"\nc")], f64::NAN);
        for value in [f64::NEG_INFINITY, 0.1, 1e300, 5e-324, 0.0, 123_456_789_012.0] {
            family.sample(&[], value);
        }
        assert_eq!(
            exposition.finish(),
            "# HELP g a \\\\ \"b\"\\nc\n# TYPE g gauge\n\
             g{l=\"a \\\\ \\\"b\\\"\\nc\"} NaN\ng -Inf\ng 0.1\ng 1e300\ng 5e-324\ng 0\ng 123456789012\n"
        );
    }
}
