//! HTTP/1.1 on a router core: connections, the route table and the Prometheus API.
//!
//! Modules are listed bottom-up. A request goes conn -> [`Api`] -> one of write, read, metadata,
//! status -> [`service::Service`]; its reply back through [`Api`], which adds what all replies have.

pub mod error;
pub mod service;
pub mod json;
pub mod reply;
pub mod conn;
pub mod request;
mod admin;
mod write;
mod read;
mod metadata;
mod status;
pub mod counters;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, HeaderMap, HeaderValue, ORIGIN,
};
use hyper::{Method, Request, StatusCode};
use shards::clock::Clock;

use crate::limits;
use conn::{BodyBudget, Handler, HandlerFuture, RequestBody};
use counters::{ApiCounters, Endpoint};
use error::{ApiError, ErrorKind};
use reply::Reply;
use service::{Readiness, Service};

/// What an operator may set of the API.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Compressed bytes of a write.
    pub body_bytes_max: usize,
    /// Bytes of all bodies in flight on a core.
    pub bodies_in_flight_bytes_max: u64,
    /// Longest and default time of a query.
    pub query_timeout: Duration,
    /// Whether operators may flush, compact, delete and so on.
    pub admin: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            body_bytes_max: usize::try_from(limits::BODY_BYTES_DEFAULT).unwrap_or(usize::MAX),
            bodies_in_flight_bytes_max: limits::BODIES_IN_FLIGHT_BYTES_DEFAULT,
            query_timeout: limits::QUERY_TIMEOUT_DEFAULT,
            admin: false,
        }
    }
}

/// The HTTP API of one router core.
pub struct Api {
    service: Rc<dyn Service>,
    options: ApiOptions,
    budget: Rc<BodyBudget>,
    clock: Clock,
    counters: Rc<ApiCounters>,
}

impl Api {
    #[must_use]
    pub fn new(
        service: Rc<dyn Service>,
        options: ApiOptions,
        clock: Clock,
        counters: Rc<ApiCounters>,
    ) -> Rc<Self> {
        let budget = BodyBudget::new(options.bodies_in_flight_bytes_max);
        Rc::new(Self { service, options, budget, clock, counters })
    }

    async fn answer(self: Rc<Self>, request: Request<RequestBody>) -> Reply {
        let started = Instant::now();
        let headers = request.headers().clone();
        let route = route(request.uri().path());
        let reply = match route {
            Some(route) if !route.methods.contains(request.method()) => {
                if request.method() == Method::OPTIONS {
                    reply::empty(StatusCode::NO_CONTENT)
                } else {
                    wrong_method(&route, request.method())
                }
            }
            Some(route) if route.needs_ready && self.service.readiness() != Readiness::Ready => {
                status::not_ready(&self.service.readiness())
            }
            Some(route) => (route.run)(Rc::clone(&self), request).await,
            None => not_found(&request),
        };
        let endpoint = route.map_or(Endpoint::Other, |route| route.endpoint);
        self.counters.count(endpoint, reply.status(), started.elapsed());
        finish(reply, &headers)
    }
}

impl Handler for Api {
    fn handle(self: Rc<Self>, request: Request<RequestBody>) -> HandlerFuture {
        Box::pin(self.answer(request))
    }
}

/// What is done at one path.
#[derive(Clone, Copy)]
struct Route {
    endpoint: Endpoint,
    methods: &'static [Method],
    /// Refused while the server starts or stops.
    needs_ready: bool,
    run: fn(Rc<Api>, Request<RequestBody>) -> HandlerFuture,
}

const READ: &[Method] = &[Method::GET, Method::HEAD];
const QUERY: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
const WRITE: &[Method] = &[Method::POST];
const ADMIN: &[Method] = &[Method::POST, Method::PUT];

fn route(path: &str) -> Option<Route> {
    /// An asynchronous function as an entry of the table.
    macro_rules! entry {
        ($endpoint:ident, $methods:expr, $needs_ready:expr, $handler:path) => {
            Some(Route {
                endpoint: Endpoint::$endpoint,
                methods: $methods,
                needs_ready: $needs_ready,
                run: |api, request| Box::pin(async move { $handler(&api, request).await }),
            })
        };
    }
    match path {
        "/api/v1/write" => entry!(Write, WRITE, false, write::write),
        "/api/v1/query" => entry!(Query, QUERY, true, read::query),
        "/api/v1/query_range" => entry!(QueryRange, QUERY, true, read::query_range),
        "/api/v1/labels" => entry!(Labels, QUERY, true, metadata::labels),
        "/api/v1/series" => entry!(Series, QUERY, true, metadata::series),
        "/api/v1/status/buildinfo" => entry!(Status, READ, false, status::build_info),
        "/api/v1/admin/tsdb/flush" => entry!(Admin, ADMIN, true, admin::flush),
        "/api/v1/admin/tsdb/compact" => entry!(Admin, ADMIN, true, admin::compact),
        "/api/v1/admin/tsdb/snapshot" => entry!(Admin, ADMIN, true, admin::snapshot),
        "/api/v1/admin/tsdb/delete_series" => entry!(Admin, ADMIN, true, admin::delete_series),
        "/api/v1/admin/tsdb/clean_tombstones" => entry!(Admin, ADMIN, true, admin::clean_tombstones),
        "/api/v1/admin/tsdb/retention" => entry!(Admin, ADMIN, true, admin::retention),
        "/-/healthy" => entry!(Status, READ, false, status::healthy),
        "/-/ready" => entry!(Status, READ, false, status::ready),
        "/metrics" => entry!(Metrics, READ, false, status::metrics),
        "/" => entry!(Status, READ, false, status::index),
        _ if label_of(path).is_some() => entry!(LabelValues, READ, true, metadata::label_values),
        _ => None,
    }
}

/// The label in `/api/v1/label/<name>/values`, still escaped.
fn label_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/api/v1/label/")?.strip_suffix("/values")?;
    (!name.contains('/')).then_some(name)
}

fn wrong_method(route: &Route, method: &Method) -> Reply {
    let allowed: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
    let allowed = allowed.join(", ");
    let text = format!("method {method} is not allowed here; use {allowed}\n");
    let mut reply = reply::text(StatusCode::METHOD_NOT_ALLOWED, text);
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        reply.headers_mut().insert(ALLOW, value);
    }
    reply
}

fn not_found(request: &Request<RequestBody>) -> Reply {
    let path = request.uri().path();
    let text = format!("nothing is served at {path:?}; see / for what is");
    if path.starts_with("/api/") {
        reply::json_error(&ApiError::new(ErrorKind::NotFound, text))
    } else {
        reply::text(StatusCode::NOT_FOUND, format!("{text}\n"))
    }
}

/// Adds what all replies have: permission for pages of other origins, and compression.
fn finish(reply: Reply, request: &HeaderMap) -> Reply {
    let mut reply = reply::compressed(reply, request);
    if request.contains_key(ORIGIN) {
        let headers = reply.headers_mut();
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    reply
}
