//! `/api/v1/query` and `/api/v1/query_range`.

use std::rc::Rc;

use hyper::Request;

use super::Api;
use super::conn::RequestBody;
use super::error::{ApiError, ErrorKind};
use super::json::{self, Notes, QueryKind};
use super::reply::{self, Reply, ReplyBody};
use super::request::Parameters;
use super::service::{QueryAnswer, QueryOptions, QueryRequest, RangeRequest, StatsLevel};
use crate::limits::STEPS_MAX;
use crate::promql::annotation::Severity;
use crate::promql::value::{QueryOutput, Value};

pub(super) async fn query(api: &Api, request: Request<RequestBody>) -> Reply {
    answer(instant(api, request).await)
}

pub(super) async fn query_range(api: &Api, request: Request<RequestBody>) -> Reply {
    answer(range(api, request).await)
}

fn answer(result: Result<ReplyBody, ApiError>) -> Reply {
    match result {
        Ok(body) => reply::json(body),
        Err(error) => reply::json_error(&error),
    }
}

async fn instant(api: &Api, request: Request<RequestBody>) -> Result<ReplyBody, ApiError> {
    let parameters = Parameters::read(request, Rc::clone(&api.budget)).await?;
    let limit = parameters.limit()?;
    let time_ms = parameters.time_ms_or("time", api.clock.now_ms())?;
    let text = parameters.get("query").to_owned();
    let options = options(api, &parameters)?;
    let request = QueryRequest { text: text.clone(), time_ms, options };
    let answer = api.service.query(request).await.map_err(about_query)?;
    Ok(body_of(QueryKind::Instant, answer, &text, limit))
}

async fn range(api: &Api, request: Request<RequestBody>) -> Result<ReplyBody, ApiError> {
    let parameters = Parameters::read(request, Rc::clone(&api.budget)).await?;
    let limit = parameters.limit()?;
    let start_ms = parameters.time_ms("start")?;
    let end_ms = parameters.time_ms("end")?;
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = parameters.duration_ms("step")?;
    if step_ms <= 0 {
        return Err(ApiError::parameter(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    // Times may lie so far apart that only their sum overflows.
    if (i128::from(end_ms) - i128::from(start_ms)) / i128::from(step_ms) > i128::from(STEPS_MAX) {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ));
    }
    let text = parameters.get("query").to_owned();
    let options = options(api, &parameters)?;
    let request = RangeRequest { text: text.clone(), start_ms, end_ms, step_ms, options };
    let answer = api.service.query_range(request).await.map_err(about_query)?;
    Ok(body_of(QueryKind::Range, answer, &text, limit))
}

fn options(api: &Api, parameters: &Parameters) -> Result<QueryOptions, ApiError> {
    let longest = api.options.query_timeout;
    let lookback = parameters.positive_duration("lookback_delta")?;
    Ok(QueryOptions {
        timeout: parameters.positive_duration("timeout")?.map_or(longest, |asked| asked.min(longest)),
        lookback_ms: lookback.and_then(|lookback| i64::try_from(lookback.as_millis()).ok()),
        stats: match parameters.get("stats") {
            "" => StatsLevel::None,
            "all" => StatsLevel::All,
            _ => StatsLevel::Basic,
        },
    })
}

/// What is bad about a query is bad about the parameter of that name.
fn about_query(error: ApiError) -> ApiError {
    if error.kind == ErrorKind::BadData { ApiError::parameter("query", error.message) } else { error }
}

fn body_of(kind: QueryKind, answer: QueryAnswer, text: &str, limit: Option<usize>) -> ReplyBody {
    let QueryAnswer { mut output, stats } = answer;
    let mut notes = Notes {
        warnings: output.annotations.render(text, Severity::Warning),
        infos: output.annotations.render(text, Severity::Info),
    };
    if limit.is_some_and(|limit| truncate(&mut output, limit)) {
        notes.warnings.push("results truncated due to limit".to_owned());
    }
    json::query(kind, output, stats.as_ref(), &notes)
}

/// Cuts a list of series; whether there was anything to cut.
fn truncate(output: &mut QueryOutput, limit: usize) -> bool {
    let before;
    match &mut output.value {
        Value::Vector(series) => {
            before = series.len();
            series.truncate(limit);
        }
        Value::Matrix(series) => {
            before = series.len();
            series.truncate(limit);
        }
        Value::Scalar(_) | Value::String(_) => return false,
    }
    before > limit
}
