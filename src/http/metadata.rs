//! `/api/v1/labels`, `/api/v1/label/<name>/values` and `/api/v1/series`.

use std::rc::Rc;

use hyper::Request;

use super::conn::RequestBody;
use super::error::ApiError;
use super::json::{self, Notes};
use super::reply::{self, Reply, ReplyBody};
use super::request::{Parameters, TIME_MAX_MS, TIME_MIN_MS, unescape_label_name, unescape_path};
use super::service::{Listing, Selection};
use super::{Api, label_of};

pub(super) async fn labels(api: &Api, request: Request<RequestBody>) -> Reply {
    let listed = async {
        let selection = selection(&read(api, request).await?)?;
        let mut listing = api.service.labels(selection).await?;
        let notes = notes_of(&mut listing);
        Ok(json::texts(listing, &notes))
    };
    answer(listed.await)
}

pub(super) async fn label_values(api: &Api, request: Request<RequestBody>) -> Reply {
    let listed = async {
        let name = unescape_path(label_of(request.uri().path()).unwrap_or_default())?;
        if name.is_empty() {
            return Err(ApiError::bad_data("invalid label name: \"\""));
        }
        let name = unescape_label_name(&name);
        let selection = selection(&read(api, request).await?)?;
        let mut listing = api.service.label_values(name, selection).await?;
        let notes = notes_of(&mut listing);
        Ok(json::texts(listing, &notes))
    };
    answer(listed.await)
}

pub(super) async fn series(api: &Api, request: Request<RequestBody>) -> Reply {
    let listed = async {
        let parameters = read(api, request).await?;
        if parameters.all("match[]").next().is_none() {
            return Err(ApiError::bad_data("no match[] parameter provided"));
        }
        let mut listing = api.service.series(selection(&parameters)?).await?;
        let notes = notes_of(&mut listing);
        Ok(json::label_sets(listing, &notes))
    };
    answer(listed.await)
}

async fn read(api: &Api, request: Request<RequestBody>) -> Result<Parameters, ApiError> {
    Parameters::read(request, Rc::clone(&api.budget)).await
}

fn answer(result: Result<ReplyBody, ApiError>) -> Reply {
    match result {
        Ok(body) => reply::json(body),
        Err(error) => reply::json_error(&error),
    }
}

fn selection(parameters: &Parameters) -> Result<Selection, ApiError> {
    let limit = parameters.limit()?;
    let start_ms = parameters.time_ms_or("start", TIME_MIN_MS)?;
    let end_ms = parameters.time_ms_or("end", TIME_MAX_MS)?;
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start timestamp"));
    }
    Ok(Selection { selectors: parameters.selectors()?, start_ms, end_ms, limit })
}

fn notes_of<T>(listing: &mut Listing<T>) -> Notes {
    let mut warnings = std::mem::take(&mut listing.warnings);
    if listing.truncated {
        warnings.push("results truncated due to limit".to_owned());
    }
    Notes { warnings, infos: Vec::new() }
}
