//! `POST /api/v1/write`: remote write.
//!
//! Faults are told as a line of text, since senders log the answer. Only 5xx makes them try again.

use std::fmt::Write as _;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};

use super::Api;
use super::conn::RequestBody;
use super::error::{ApiError, ErrorKind};
use super::reply::{self, Reply};
use super::service::{Readiness, WriteAnswer, WriteFormat, WriteRequest};
use crate::limits::REFUSALS_SHOWN_MAX;

const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName =
    HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

pub(super) async fn write(api: &Api, request: Request<RequestBody>) -> Reply {
    match write_body(api, request).await {
        Ok(answer) => written(&answer),
        Err(error) => reply::text_error(&error),
    }
}

async fn write_body(api: &Api, request: Request<RequestBody>) -> Result<WriteAnswer, ApiError> {
    let (head, body) = request.into_parts();
    let format = format_of(&head.headers)?;
    if api.service.readiness() == Readiness::Stopping {
        return Err(ApiError::unavailable("the server is stopping; send again"));
    }
    let budget = std::rc::Rc::clone(&api.budget);
    // The share is held until the samples are stored: they live in the body.
    let (body, _share) = body.read(api.options.body_bytes_max, budget).await?;
    api.service.write(WriteRequest { format, body }).await
}

/// The message type by the headers; missing headers mean what old senders mean.
fn format_of(headers: &HeaderMap) -> Result<WriteFormat, ApiError> {
    let unsupported = |message: String| Err(ApiError::new(ErrorKind::UnsupportedMedia, message));
    let text_of = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?").trim());
    match text_of(CONTENT_ENCODING) {
        None | Some("") => {}
        Some(encoding) if encoding.eq_ignore_ascii_case("snappy") => {}
        Some(other) => {
            return unsupported(format!("content encoding {other:?} is not supported; send snappy blocks"));
        }
    }
    let Some(content_type) = text_of(CONTENT_TYPE).filter(|text| !text.is_empty()) else {
        return Ok(WriteFormat::RemoteWriteV1);
    };
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/x-protobuf")) {
        return unsupported(format!(
            "content type {content_type:?} is not supported; send application/x-protobuf"
        ));
    }
    let message = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
    });
    match message {
        None | Some("prometheus.WriteRequest") => Ok(WriteFormat::RemoteWriteV1),
        Some(other) => unsupported(format!(
            "message {other:?} is not supported; configure the sender for remote write 1.0 \
             (protobuf_message: prometheus.WriteRequest)"
        )),
    }
}

fn written(answer: &WriteAnswer) -> Reply {
    let mut reply = if answer.samples_refused == 0 {
        reply::empty(StatusCode::NO_CONTENT)
    } else {
        reply::text(StatusCode::BAD_REQUEST, refusal_text(answer))
    };
    for (name, count) in [
        (SAMPLES_WRITTEN, answer.samples_written),
        (HISTOGRAMS_WRITTEN, answer.histograms_written),
        (EXEMPLARS_WRITTEN, answer.exemplars_written),
    ] {
        reply.headers_mut().insert(name, HeaderValue::from(count));
    }
    reply
}

fn refusal_text(answer: &WriteAnswer) -> String {
    let mut text =
        format!("refused {} samples, stored the other {}\n", answer.samples_refused, answer.samples_written);
    for refusal in answer.refusals.iter().take(REFUSALS_SHOWN_MAX) {
        let _ = writeln!(text, "{refusal}");
    }
    text
}
