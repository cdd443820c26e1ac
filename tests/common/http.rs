//! A client of the HTTP API.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The `data` of a good answer.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        let mut json = self.json();
        assert_eq!(json["status"], "success", "{}", self.text());
        json["data"].take()
    }
}

/// Talks to one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

type Result<T> = std::result::Result<T, ureq::Error>;

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    pub(crate) fn try_get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Answer> {
        let request = self.agent.get(format!("{}{path}", self.base));
        read(request.query_pairs(parameters.iter().copied()).call()?)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.try_get(path, parameters).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Sends parameters as a form.
    #[track_caller]
    pub(crate) fn post_form(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.base));
        let response = request.send_form(parameters.iter().copied());
        response.and_then(read).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Has the admin API do something, which must succeed.
    #[track_caller]
    pub(crate) fn admin(&self, action: &str, parameters: &[(&str, &str)]) {
        let answer = self.post_form(&format!("/api/v1/admin/tsdb/{action}"), parameters);
        assert_eq!(answer.status, 204, "{action}: {}", answer.text());
    }

    pub(crate) fn try_post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send(body)?)
    }

    /// Sends a remote-write body.
    pub(crate) fn try_write(&self, body: &[u8]) -> Result<Answer> {
        let headers = [
            ("Content-Type", "application/x-protobuf"),
            ("Content-Encoding", "snappy"),
            ("X-Prometheus-Remote-Write-Version", "0.1.0"),
        ];
        self.try_post("/api/v1/write", &headers, body)
    }

    #[track_caller]
    pub(crate) fn write(&self, body: &[u8]) -> Answer {
        self.try_write(body).unwrap_or_else(|error| panic!("write: {error}"))
    }

    /// An instant query at a time in milliseconds.
    #[track_caller]
    pub(crate) fn query(&self, query: &str, time_ms: i64) -> Answer {
        self.post_form("/api/v1/query", &[("query", query), ("time", &seconds(time_ms))])
    }

    #[track_caller]
    pub(crate) fn query_range(&self, query: &str, start_ms: i64, end_ms: i64, step_ms: i64) -> Answer {
        let (start, end, step) = (seconds(start_ms), seconds(end_ms), seconds(step_ms));
        let parameters = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        self.post_form("/api/v1/query_range", &parameters)
    }
}

/// Milliseconds as seconds, exactly.
pub(crate) fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    Ok(Answer { status: response.status().as_u16(), headers, body })
}

/// Samples of the only series of an answer, as (milliseconds, text of the value).
#[track_caller]
pub(crate) fn only_series(data: &Value) -> Vec<(i64, String)> {
    let result = data["result"].as_array().unwrap();
    assert_eq!(result.len(), 1, "not one series: {data}");
    let pair = |pair: &Value| {
        ((pair[0].as_f64().unwrap() * 1000.0).round() as i64, pair[1].as_str().unwrap().to_owned())
    };
    match result[0].get("values") {
        Some(values) => values.as_array().unwrap().iter().map(pair).collect(),
        None => vec![pair(&result[0]["value"])],
    }
}
