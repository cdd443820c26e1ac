//! What the server says about itself: health, build, figures, and the page at `/`.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, StatusCode};

use super::Api;
use super::conn::RequestBody;
use super::json;
use super::reply::{self, Reply, ReplyBody};
use super::service::Readiness;

/// The Prometheus whose API and PromQL this server speaks. Grafana and others choose by it which
/// endpoints to use.
const PROMETHEUS_VERSION: &str = "3.14.0";

const STOPPING: HeaderName = HeaderName::from_static("x-prometheus-stopping");

pub(super) async fn healthy(_: &Api, _: Request<RequestBody>) -> Reply {
    reply::text(StatusCode::OK, "tsdb is Healthy.\n")
}

pub(super) async fn ready(api: &Api, _: Request<RequestBody>) -> Reply {
    match api.service.readiness() {
        Readiness::Ready => reply::text(StatusCode::OK, "tsdb is Ready.\n"),
        other => not_ready(&other),
    }
}

/// The answer of endpoints that cannot work yet or any more.
pub(super) fn not_ready(readiness: &Readiness) -> Reply {
    let (stopping, text) = match readiness {
        Readiness::Ready => ("false", "Service Unavailable\n".to_owned()),
        Readiness::Starting(progress) => ("false", format!("Service Unavailable: {progress}\n")),
        Readiness::Stopping => ("true", "Service Unavailable: stopping\n".to_owned()),
    };
    let mut reply = reply::text(StatusCode::SERVICE_UNAVAILABLE, text);
    reply.headers_mut().insert(STOPPING, HeaderValue::from_static(stopping));
    reply
}

pub(super) async fn metrics(api: &Api, _: Request<RequestBody>) -> Reply {
    match api.service.metrics_text().await {
        Ok(text) => reply::reply(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            ReplyBody::Whole(text.into()),
        ),
        Err(error) => reply::text_error(&error),
    }
}

pub(super) async fn build_info(_: &Api, _: Request<RequestBody>) -> Reply {
    let revision = concat!("tsdb-", env!("CARGO_PKG_VERSION"));
    reply::json(json::object(&[
        ("version", PROMETHEUS_VERSION),
        ("revision", revision),
        ("branch", "tsdb"),
        ("buildUser", ""),
        ("buildDate", ""),
        ("goVersion", ""),
    ]))
}

/// For people who open the address in a browser.
pub(super) async fn index(_: &Api, _: Request<RequestBody>) -> Reply {
    let page = INDEX.replace("{version}", env!("CARGO_PKG_VERSION"));
    reply::reply(StatusCode::OK, "text/html; charset=utf-8", ReplyBody::Whole(page.into()))
}

const INDEX: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tsdb</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
code,pre{background:#8882;border-radius:4px;padding:.1em .3em}pre{padding:.7em;overflow-x:auto}
input{font:inherit;width:75%}</style></head><body>
<h1>tsdb {version}</h1>
<p>A time-series database: it takes Prometheus remote write and answers PromQL.</p>
<h2>Send</h2>
<pre>remote_write:
  - url: http://<span class="host">HOST:PORT</span>/api/v1/write</pre>
<h2>Query</h2>
<form action="/api/v1/query"><input name="query" value="up" aria-label="PromQL expression">
<button>Run</button></form>
<p>In Grafana, add a data source of type Prometheus with the address
<code>http://<span class="host">HOST:PORT</span></code>.</p>
<h2>Addresses</h2>
<ul>
<li><code>POST /api/v1/write</code>: remote write 1.0</li>
<li><code>/api/v1/query</code>, <code>/api/v1/query_range</code>: PromQL</li>
<li><a href="/api/v1/labels">/api/v1/labels</a>,
<a href="/api/v1/label/__name__/values">/api/v1/label/&lt;name&gt;/values</a>,
<code>/api/v1/series?match[]=..</code>: what there is</li>
<li><a href="/metrics">/metrics</a>: this server's own figures</li>
<li><a href="/-/healthy">/-/healthy</a>, <a href="/-/ready">/-/ready</a>,
<a href="/api/v1/status/buildinfo">/api/v1/status/buildinfo</a>: its state</li>
</ul>
<script>for(const e of document.querySelectorAll(".host"))e.textContent=location.host</script>
</body></html>
"#;
