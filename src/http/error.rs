//! The one mapping of every error to an HTTP status and a Prometheus `errorType`.
//!
//! Layers below describe what went wrong by an [`ErrorKind`]; no status code exists outside `http`.

use std::time::Duration;

use hyper::StatusCode;

/// What kind of failure a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong; sending it again will not help.
    BadData,
    /// The body is larger than a limit.
    TooLarge,
    /// The content type or encoding is one we do not speak.
    UnsupportedMedia,
    /// The client was too slow in sending its body.
    SlowBody,
    /// The query is right but could not be evaluated, or needs more than a limit allows.
    Execution,
    /// The client gave up.
    Canceled,
    /// The query ran out of time.
    Timeout,
    /// No room for the request now; the same request may be sent again later.
    Busy,
    /// The server is starting, stopping or cannot write; the request may be sent again later.
    Unavailable,
    NotFound,
    /// A fault of the server.
    Internal,
}

impl ErrorKind {
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // "Client closed request": nobody reads it, but logs and proxies know the number.
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Timeout | Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `errorType` of the envelope.
    #[must_use]
    pub const fn error_type(self) -> &'static str {
        match self {
            Self::BadData | Self::TooLarge | Self::UnsupportedMedia | Self::SlowBody => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Busy | Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::Internal => "internal",
        }
    }
}

/// A failed request: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub kind: ErrorKind,
    pub message: String,
    /// When to try again, sent as `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    #[must_use]
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, message)
    }

    #[must_use]
    pub fn execution(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Execution, message)
    }

    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A parameter that does not parse, in the words of Prometheus.
    #[must_use]
    pub fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }

    /// No room now; tells the sender to come back.
    #[must_use]
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Busy, message).retry_after(Duration::from_secs(1))
    }

    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message).retry_after(Duration::from_secs(5))
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}
