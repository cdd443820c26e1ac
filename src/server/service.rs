//! The server as the HTTP layer of one router core sees it.

use std::rc::Rc;
use std::time::Duration;

use shards::model::TimeRange;

use super::figures::Figures;
use super::retention::SharedRetention;
use super::shutdown::Stopping;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::service::{
    AdminAction, AdminDone, Answer, Listing, QueryAnswer, QueryOptions, QueryRequest, QueryStats,
    RangeRequest, Readiness, Selection, Service, StatsLevel, WriteAnswer, WriteRequest,
};
use crate::promql::eval::EvalError;
use crate::promql::plan::QueryTimes;
use crate::query::{Answer as QueryResult, QueryError, QueryService, Question};
use crate::router::write::WriteError;
use crate::router::{Router, RouterError, coop};

/// Items of a listing when the request sets no limit of its own.
const LISTING_MAX: usize = 10_000_000;

/// See the module's text. Lives on its router core.
pub(super) struct CoreService {
    router: Router,
    queries: QueryService,
    figures: Rc<Figures>,
    retention: SharedRetention,
    stopping: Stopping,
}

impl CoreService {
    pub(super) const fn new(
        router: Router,
        queries: QueryService,
        figures: Rc<Figures>,
        retention: SharedRetention,
        stopping: Stopping,
    ) -> Self {
        Self { router, queries, figures, retention, stopping }
    }

    async fn answer(
        &self,
        text: &str,
        times: QueryTimes,
        options: &QueryOptions,
    ) -> Result<QueryAnswer, ApiError> {
        let question = Question { text, times, timeout: options.timeout, lookback_ms: options.lookback_ms };
        let answer = self.queries.answer(question).await.map_err(query_error)?;
        self.figures.queries.count(&answer);
        let stats = (options.stats != StatsLevel::None).then(|| stats_of(&answer));
        Ok(QueryAnswer { output: answer.output, stats })
    }
}

impl Service for CoreService {
    fn readiness(&self) -> Readiness {
        if self.stopping.is_stopping() {
            return Readiness::Stopping;
        }
        if self.router.is_ready() {
            return Readiness::Ready;
        }
        let (ready, all) = (self.router.ready_shards(), self.router.shard_count());
        Readiness::Starting(format!("reading the log, {ready} of {all} shards are done"))
    }

    fn write(&self, request: WriteRequest) -> Answer<'_, WriteAnswer> {
        // The write goes on to its end on the shards' cores, whether or not this future is polled.
        Box::pin(async move {
            let summary = self.router.write_body(request.body).await.map_err(write_error)?;
            Ok(WriteAnswer {
                samples_written: summary.stored(),
                histograms_written: 0,
                exemplars_written: 0,
                samples_refused: summary.refused(),
                refusals: summary.examples().iter().map(ToString::to_string).collect(),
            })
        })
    }

    fn query(&self, request: QueryRequest) -> Answer<'_, QueryAnswer> {
        Box::pin(async move {
            let times = QueryTimes::Instant { time_ms: request.time_ms };
            self.answer(&request.text, times, &request.options).await
        })
    }

    fn query_range(&self, request: RangeRequest) -> Answer<'_, QueryAnswer> {
        Box::pin(async move {
            let RangeRequest { start_ms, end_ms, step_ms, .. } = request;
            let times = QueryTimes::Range { start_ms, end_ms, step_ms };
            self.answer(&request.text, times, &request.options).await
        })
    }

    fn labels(&self, request: Selection) -> Answer<'_, Listing<String>> {
        Box::pin(async move {
            let range = range_of(&request);
            let names = self.router.label_names(request.selectors, range).await.map_err(router_error)?;
            Ok(listing(names, request.limit))
        })
    }

    fn label_values(&self, name: String, request: Selection) -> Answer<'_, Listing<String>> {
        Box::pin(async move {
            let range = range_of(&request);
            let values = self.router.label_values(name, request.selectors, range).await;
            Ok(listing(values.map_err(router_error)?, request.limit))
        })
    }

    fn series(&self, request: Selection) -> Answer<'_, Listing<shards::model::Labels>> {
        Box::pin(async move {
            let range = range_of(&request);
            // One more than asked for shows that there are more.
            let limit = request.limit.unwrap_or(LISTING_MAX).saturating_add(1);
            let series = self.router.series(request.selectors, range, limit).await;
            Ok(listing(series.map_err(router_error)?, request.limit))
        })
    }

    fn admin(&self, action: AdminAction) -> Answer<'_, AdminDone> {
        Box::pin(async move {
            let mut done = AdminDone::default();
            let outcome = match action {
                AdminAction::Flush => self.router.flush().await,
                AdminAction::Compact => self.router.compact().await,
                AdminAction::CleanTombstones => self.router.clean_tombstones().await,
                AdminAction::Delete { selectors, start_ms, end_ms } => {
                    self.router.delete(selectors, TimeRange::inclusive(start_ms, end_ms)).await
                }
                AdminAction::Snapshot => {
                    let name = snapshot_name(shards::clock::system_now_ms());
                    let made = self.router.snapshot(&name).await.map(drop);
                    done.snapshot = Some(name);
                    made
                }
                AdminAction::Retention(change) => self.retention.change(&self.router, change).await,
            };
            outcome.map_err(router_error)?;
            Ok(done)
        })
    }

    fn metrics_text(&self) -> Answer<'_, String> {
        Box::pin(async move { Ok(self.figures.text(&self.router).await) })
    }
}

/// Name of a snapshot: its time in milliseconds and a part that is drawn.
fn snapshot_name(now_ms: i64) -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{now_ms}-{:016x}", RandomState::new().hash_one(now_ms))
}

fn range_of(selection: &Selection) -> TimeRange {
    TimeRange::inclusive(selection.start_ms, selection.end_ms)
}

fn listing<T>(items: impl IntoIterator<Item = T>, limit: Option<usize>) -> Listing<T> {
    let limit = limit.unwrap_or(LISTING_MAX);
    let mut items = items.into_iter();
    let kept: Vec<T> = items.by_ref().take(limit).collect();
    Listing { items: kept, truncated: items.next().is_some(), warnings: Vec::new() }
}

fn stats_of(answer: &QueryResult) -> QueryStats {
    let seconds = |duration: Duration| duration.as_secs_f64();
    QueryStats {
        eval_total_seconds: seconds(answer.prepared + answer.evaluated),
        result_sort_seconds: 0.0,
        query_preparation_seconds: seconds(answer.prepared),
        inner_eval_seconds: seconds(answer.evaluated),
        exec_queue_seconds: seconds(answer.queued),
        exec_total_seconds: seconds(answer.queued + answer.prepared + answer.evaluated),
        total_queryable_samples: answer.samples_read,
        samples_read: answer.samples_read,
        peak_samples: answer.samples_read,
    }
}

fn router_error(error: RouterError) -> ApiError {
    match error {
        RouterError::TryLater(text) => ApiError::busy(text),
        RouterError::Failed(text) => ApiError::internal(text),
    }
}

fn write_error(error: WriteError) -> ApiError {
    match error {
        WriteError::Decode(error) => ApiError::bad_data(error.to_string()),
        WriteError::Router(error) => router_error(error),
    }
}

fn query_error(error: QueryError) -> ApiError {
    match error {
        QueryError::Parse(error) => ApiError::bad_data(error.to_string()),
        QueryError::Eval(error) => {
            let kind = match &error {
                EvalError::Timeout => ErrorKind::Timeout,
                EvalError::Canceled => ErrorKind::Canceled,
                EvalError::Unavailable(_) => return ApiError::busy(error.to_string()),
                EvalError::Storage(_) => ErrorKind::Internal,
                _ => ErrorKind::Execution,
            };
            ApiError::new(kind, error.to_string())
        }
    }
}

/// Runs `work` beside the caller; it goes on when the caller is dropped.
pub(super) fn detached(work: impl Future<Output = ()> + 'static) {
    drop(coop::spawn(work));
}
