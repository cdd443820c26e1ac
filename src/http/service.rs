//! What the HTTP layer asks of the rest of the server.
//!
//! [`Service`] is the only thing handlers call. It lives on a router core, is not `Send`, and every
//! method returns a future of that core. Dropping such a future is how a query is cancelled: hyper
//! drops the handler when the client goes away. A write that has begun must therefore run in a task
//! of its own and not in the returned future.
//!
//! Answers are plain data in the order in which they are to be sent; only `http::json` knows how they
//! look on the wire.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use shards::model::{Labels, Matcher};

use super::error::ApiError;
use crate::promql::value::QueryOutput;

/// A future of the router core.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + 'a>>;

/// The server behind the HTTP API. One value per router core, shared by its connections.
pub trait Service {
    /// Whether the server takes requests.
    fn readiness(&self) -> Readiness;

    /// Stores a write body; `Ok` means that every accepted sample is as durable as the sync policy
    /// promises. Refused samples are not an error of the request, see [`WriteAnswer`].
    fn write(&self, request: WriteRequest) -> Answer<'_, WriteAnswer>;

    /// Evaluates a query at one time.
    fn query(&self, request: QueryRequest) -> Answer<'_, QueryAnswer>;

    /// Evaluates a query at each step of a range.
    fn query_range(&self, request: RangeRequest) -> Answer<'_, QueryAnswer>;

    /// Names of the labels of the selected series, sorted, unique.
    fn labels(&self, request: Selection) -> Answer<'_, Listing<String>>;

    /// Values of one label of the selected series, sorted, unique.
    fn label_values(&self, name: String, request: Selection) -> Answer<'_, Listing<String>>;

    /// The selected series, sorted, unique.
    fn series(&self, request: Selection) -> Answer<'_, Listing<Labels>>;

    /// Does what an operator asks for, and answers when it is done.
    fn admin(&self, action: AdminAction) -> Answer<'_, AdminDone>;

    /// The server's own figures in the text exposition format.
    fn metrics_text(&self) -> Answer<'_, String>;
}

/// What an operator may ask for.
#[derive(Debug, Clone)]
pub enum AdminAction {
    /// Write what is in memory to disk.
    Flush,
    /// Flush, and merge everything to the highest level.
    Compact,
    /// Copy the data directory as it is now.
    Snapshot,
    /// Delete samples; both times are inclusive.
    Delete {
        selectors: Vec<Vec<Matcher>>,
        start_ms: i64,
        end_ms: i64,
    },
    /// Carry out deletes on everything on disk.
    CleanTombstones,
    Retention(RetentionChange),
}

/// Limits of retention that change; `Some(None)` lifts one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionChange {
    pub age: Option<Duration>,
    pub bytes: Option<Option<u64>>,
    pub percent: Option<Option<u8>>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminDone {
    /// Name of the snapshot that was made, below `snapshots/` in the data directory.
    pub snapshot: Option<String>,
}

/// Whether and why not the server takes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Replaying the log; the text says how far it is.
    Starting(String),
    Stopping,
}

/// The message type of a write body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFormat {
    /// `prometheus.WriteRequest`, snappy block.
    RemoteWriteV1,
}

#[derive(Debug, Clone)]
pub struct WriteRequest {
    pub format: WriteFormat,
    /// As received, still compressed.
    pub body: Bytes,
}

/// What became of the samples of a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteAnswer {
    pub samples_written: u64,
    pub histograms_written: u64,
    pub exemplars_written: u64,
    /// Samples that were refused while the others were stored.
    pub samples_refused: u64,
    /// Text about the first few of them, one line each; not empty when `samples_refused > 0`.
    pub refusals: Vec<String>,
}

/// What instant and range queries have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOptions {
    /// At most the server's own timeout; already capped.
    pub timeout: Duration,
    /// Overrides the server's lookback delta.
    pub lookback_ms: Option<i64>,
    pub stats: StatsLevel,
}

/// How much the caller wants to know about the work of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatsLevel {
    #[default]
    None,
    Basic,
    /// Also per step.
    All,
}

#[derive(Debug, Clone, PartialEq)]
pub struct QueryRequest {
    pub text: String,
    pub time_ms: i64,
    pub options: QueryOptions,
}

/// Steps `start_ms, start_ms + step_ms, ..` up to and including `end_ms`.
/// `start_ms <= end_ms`, `step_ms > 0`, and the number of steps is within the limit.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeRequest {
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub step_ms: i64,
    pub options: QueryOptions,
}

#[derive(Debug, Clone)]
pub struct QueryAnswer {
    /// In the order of the answer; see [`QueryOutput`] for what each kind of query gives.
    pub output: QueryOutput,
    /// Present when the request asked for it.
    pub stats: Option<QueryStats>,
}

/// The work of one query, as the `stats` parameter shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryStats {
    pub eval_total_seconds: f64,
    pub result_sort_seconds: f64,
    pub query_preparation_seconds: f64,
    pub inner_eval_seconds: f64,
    pub exec_queue_seconds: f64,
    pub exec_total_seconds: f64,
    pub total_queryable_samples: u64,
    pub samples_read: u64,
    pub peak_samples: u64,
}

/// Which series a metadata request is about.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Series that satisfy all matchers of at least one of these; empty means all series.
    pub selectors: Vec<Vec<Matcher>>,
    /// First and last millisecond, both inclusive.
    pub start_ms: i64,
    pub end_ms: i64,
    /// At most so many items; `None` means as many as the server's own limits allow.
    pub limit: Option<usize>,
}

/// A list that a limit may have cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// There were more than the limit of the request.
    pub truncated: bool,
    pub warnings: Vec<String>,
}
