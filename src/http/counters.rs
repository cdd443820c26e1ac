//! What the API of one core was asked and how it answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hyper::StatusCode;

use super::conn::ConnFigures;

/// What requests are told apart by in the figures. Bounded, whatever clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    Write,
    Query,
    QueryRange,
    Labels,
    LabelValues,
    Series,
    Admin,
    Metrics,
    Status,
    Other,
}

impl Endpoint {
    /// Value of the `handler` label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "/api/v1/write",
            Self::Query => "/api/v1/query",
            Self::QueryRange => "/api/v1/query_range",
            Self::Labels => "/api/v1/labels",
            Self::LabelValues => "/api/v1/label/:name/values",
            Self::Series => "/api/v1/series",
            Self::Admin => "/api/v1/admin/tsdb/:action",
            Self::Metrics => "/metrics",
            Self::Status => "status",
            Self::Other => "other",
        }
    }
}

/// Upper bounds of the duration histogram, in seconds, and how they are written.
const BUCKETS: [(f64, &str); 10] = [
    (0.001, "0.001"),
    (0.003, "0.003"),
    (0.01, "0.01"),
    (0.03, "0.03"),
    (0.1, "0.1"),
    (0.3, "0.3"),
    (1.0, "1"),
    (3.0, "3"),
    (10.0, "10"),
    (60.0, "60"),
];

/// Figures of one endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EndpointFigures {
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// Answers by how long they took, not cumulative; the last are the slower ones.
    pub buckets: [u64; BUCKETS.len() + 1],
    pub seconds: f64,
}

/// Figures of the API; a snapshot may cross cores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiFigures {
    pub endpoints: BTreeMap<Endpoint, EndpointFigures>,
}

impl ApiFigures {
    /// Adds those of another core.
    pub fn merge(&mut self, other: &Self) {
        for (endpoint, theirs) in &other.endpoints {
            let ours = self.endpoints.entry(*endpoint).or_default();
            for (status, count) in &theirs.answers {
                *ours.answers.entry(*status).or_default() += count;
            }
            for (ours, theirs) in ours.buckets.iter_mut().zip(theirs.buckets) {
                *ours += theirs;
            }
            ours.seconds += theirs.seconds;
        }
    }

    /// Writes them in the text exposition format.
    pub fn put_text(&self, out: &mut String) {
        put_family(out, "tsdb_http_requests_total", "counter", "Requests by endpoint and status.");
        for (endpoint, figures) in &self.endpoints {
            for (status, count) in &figures.answers {
                let handler = endpoint.as_str();
                let _ = writeln!(
                    out,
                    "tsdb_http_requests_total{{handler=\"{handler}\",code=\"{status}\"}} {count}"
                );
            }
        }
        let name = "tsdb_http_request_duration_seconds";
        put_family(out, name, "histogram", "Time from the head of a request to the head of its answer.");
        for (endpoint, figures) in &self.endpoints {
            let handler = endpoint.as_str();
            let mut total = 0;
            let bounds = BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
            for (bound, count) in bounds.zip(figures.buckets) {
                total += count;
                let _ = writeln!(out, "{name}_bucket{{handler=\"{handler}\",le=\"{bound}\"}} {total}");
            }
            let _ = writeln!(out, "{name}_sum{{handler=\"{handler}\"}} {}", figures.seconds);
            let _ = writeln!(out, "{name}_count{{handler=\"{handler}\"}} {total}");
        }
    }
}

/// Live figures of one core.
#[derive(Debug, Default)]
pub struct ApiCounters {
    figures: RefCell<ApiFigures>,
}

impl ApiCounters {
    pub(super) fn count(&self, endpoint: Endpoint, status: StatusCode, took: Duration) {
        let mut figures = self.figures.borrow_mut();
        let figures = figures.endpoints.entry(endpoint).or_default();
        *figures.answers.entry(status.as_u16()).or_default() += 1;
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|(bound, _)| seconds <= *bound).unwrap_or(BUCKETS.len());
        if let Some(count) = figures.buckets.get_mut(bucket) {
            *count += 1;
        }
        figures.seconds += seconds;
    }

    #[must_use]
    pub fn figures(&self) -> ApiFigures {
        self.figures.borrow().clone()
    }
}

impl ConnFigures {
    /// Adds those of another core.
    pub const fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.active += other.active;
        self.requests += other.requests;
        self.malformed += other.malformed;
        self.timed_out += other.timed_out;
        self.client_gone += other.client_gone;
        self.aborted += other.aborted;
    }

    /// Writes them in the text exposition format.
    pub fn put_text(&self, out: &mut String) {
        put_family(out, "tsdb_http_connections", "gauge", "Open connections.");
        let _ = writeln!(out, "tsdb_http_connections {}", self.active);
        put_family(out, "tsdb_http_connections_accepted_total", "counter", "Connections served.");
        let _ = writeln!(out, "tsdb_http_connections_accepted_total {}", self.accepted);
        let failed = "tsdb_http_connections_failed_total";
        put_family(out, failed, "counter", "Connections that ended otherwise than in good order.");
        for (reason, count) in [
            ("too_many", self.refused),
            ("malformed", self.malformed),
            ("timeout", self.timed_out),
            ("client_gone", self.client_gone),
            ("shutdown", self.aborted),
        ] {
            let _ = writeln!(out, "{failed}{{reason=\"{reason}\"}} {count}");
        }
    }
}

fn put_family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_and_read_as_text() {
        let counters = ApiCounters::default();
        counters.count(Endpoint::Write, StatusCode::NO_CONTENT, Duration::from_millis(2));
        counters.count(Endpoint::Write, StatusCode::BAD_REQUEST, Duration::from_secs(100));
        let mut figures = counters.figures();
        figures.merge(&counters.figures());
        let mut text = String::new();
        figures.put_text(&mut text);
        for line in [
            "tsdb_http_requests_total{handler=\"/api/v1/write\",code=\"204\"} 2",
            "tsdb_http_request_duration_seconds_bucket{handler=\"/api/v1/write\",le=\"0.001\"} 0",
            "tsdb_http_request_duration_seconds_bucket{handler=\"/api/v1/write\",le=\"0.003\"} 2",
            "tsdb_http_request_duration_seconds_bucket{handler=\"/api/v1/write\",le=\"+Inf\"} 4",
            "tsdb_http_request_duration_seconds_count{handler=\"/api/v1/write\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
