//! Requests of the command line to a server.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use ureq::Agent;

/// Answers longer than this are not worth a terminal.
const ANSWER_BYTES_MAX: u64 = 1 << 30;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(super) struct ServerFlag {
    /// Address of the server
    #[arg(long, env = "TSDB_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    server: String,
}

/// A server and the way to it.
pub(super) struct Client {
    agent: Agent,
    server: String,
}

/// What a server said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
}

impl Client {
    pub(super) fn new(flag: &ServerFlag) -> anyhow::Result<Self> {
        let mut server = flag.server.trim_end_matches('/').to_owned();
        if server.starts_with("https://") {
            bail!(
                "{server}: TLS is not supported; give the plain address of the server with --server http://.."
            );
        }
        if !server.starts_with("http://") {
            server = format!("http://{server}");
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Ok(Self { agent, server })
    }

    /// Posts a form.
    pub(super) fn form(&self, path: &str, form: &[(&str, String)]) -> anyhow::Result<Answer> {
        let request = self.agent.post(format!("{}{path}", self.server));
        self.answer(request.send_form(form.iter().map(|(name, value)| (*name, value.as_str()))))
    }

    /// Posts a remote-write message that is compressed already.
    pub(super) fn write(&self, body: &[u8]) -> anyhow::Result<Answer> {
        let request = self
            .agent
            .post(format!("{}/api/v1/write", self.server))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        self.answer(request.send(body))
    }

    fn answer(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Answer> {
        let mut response = sent.with_context(|| {
            format!("no answer from {}; is the server running? name another with --server", self.server)
        })?;
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .with_context(|| format!("the answer of {} broke off", self.server))?;
        Ok(Answer { status: response.status().as_u16(), retry_after, body })
    }
}
