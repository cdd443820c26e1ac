//! `/api/v1/admin/tsdb/*`: what an operator may have the engine do. Only with `--enable-admin-api`.

use std::rc::Rc;
use std::time::Duration;

use hyper::{Request, StatusCode};

use super::Api;
use super::conn::RequestBody;
use super::error::{ApiError, ErrorKind};
use super::json;
use super::reply::{self, Reply};
use super::request::{Parameters, TIME_MAX_MS, TIME_MIN_MS};
use super::service::{AdminAction, RetentionChange};
use crate::units::{parse_duration, parse_size};

pub(super) async fn flush(api: &Api, _: Request<RequestBody>) -> Reply {
    act(api, Ok(AdminAction::Flush)).await
}

pub(super) async fn compact(api: &Api, _: Request<RequestBody>) -> Reply {
    act(api, Ok(AdminAction::Compact)).await
}

pub(super) async fn clean_tombstones(api: &Api, _: Request<RequestBody>) -> Reply {
    act(api, Ok(AdminAction::CleanTombstones)).await
}

pub(super) async fn snapshot(api: &Api, _: Request<RequestBody>) -> Reply {
    if !api.options.admin {
        return disabled();
    }
    match api.service.admin(AdminAction::Snapshot).await {
        Ok(done) => reply::json(json::object(&[("name", done.snapshot.as_deref().unwrap_or_default())])),
        Err(error) => reply::json_error(&error),
    }
}

pub(super) async fn delete_series(api: &Api, request: Request<RequestBody>) -> Reply {
    let action = async {
        let parameters = Parameters::read(request, Rc::clone(&api.budget)).await?;
        if parameters.all("match[]").next().is_none() {
            return Err(ApiError::bad_data("no match[] parameter provided"));
        }
        let start_ms = parameters.time_ms_or("start", TIME_MIN_MS)?;
        let end_ms = parameters.time_ms_or("end", TIME_MAX_MS)?;
        if end_ms < start_ms {
            return Err(ApiError::parameter("end", "end timestamp must not be before start timestamp"));
        }
        Ok(AdminAction::Delete { selectors: parameters.selectors()?, start_ms, end_ms })
    };
    let action = action.await;
    act(api, action).await
}

/// `age`, `bytes` and `percent`: what is given is changed, an empty `bytes` or `percent` lifts that
/// limit.
pub(super) async fn retention(api: &Api, request: Request<RequestBody>) -> Reply {
    let action = async {
        let parameters = Parameters::read(request, Rc::clone(&api.budget)).await?;
        let given = |name| parameters.all(name).next();
        let mut change = RetentionChange::default();
        if let Some(age) = given("age") {
            let age = parse_duration(age).filter(|age| !age.is_zero());
            change.age =
                Some(age.ok_or_else(|| ApiError::parameter("age", "expected a duration such as 30d"))?);
        }
        if let Some(bytes) = given("bytes") {
            let fault = || ApiError::parameter("bytes", "expected a size such as 100GiB");
            change.bytes =
                Some(if bytes.is_empty() { None } else { Some(parse_size(bytes).ok_or_else(fault)?) });
        }
        if let Some(percent) = given("percent") {
            let number = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
            let fault = || ApiError::parameter("percent", "expected a number from 1 to 100");
            change.percent = Some(if percent.is_empty() { None } else { Some(number.ok_or_else(fault)?) });
        }
        if change == RetentionChange::default() {
            return Err(ApiError::bad_data("none of age, bytes and percent was given"));
        }
        Ok(AdminAction::Retention(change))
    };
    let action = action.await;
    act(api, action).await
}

async fn act(api: &Api, action: Result<AdminAction, ApiError>) -> Reply {
    if !api.options.admin {
        return disabled();
    }
    let done = match action {
        Ok(action) => api.service.admin(action).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => reply::empty(StatusCode::NO_CONTENT),
        Err(error) => reply::json_error(&error),
    }
}

fn disabled() -> Reply {
    let text = "admin APIs disabled; start the server with --enable-admin-api";
    reply::json_error(&ApiError::new(ErrorKind::Unavailable, text).retry_after(Duration::ZERO))
}
