//! Replies: status, headers and a body that is either whole or made piece by piece.

use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, VARY,
};
use hyper::{Response, StatusCode};

use super::error::ApiError;
use super::json;
use crate::limits::{ANSWER_PIECE_BYTES, COMPRESS_BYTES_MIN, COMPRESSED_PIECE_BYTES};

pub type Reply = Response<ReplyBody>;

/// A body that is made while it is sent.
pub trait Pieces {
    /// The next piece, of about [`ANSWER_PIECE_BYTES`]; `None` at the end.
    fn next_piece(&mut self) -> Option<Bytes>;
}

pub enum ReplyBody {
    Whole(Bytes),
    Pieces {
        pieces: Box<dyn Pieces>,
        /// The first two were made already, to see whether there is more than one.
        first: Option<Bytes>,
        second: Option<Bytes>,
        /// Other tasks of the core had their turn since the last piece.
        rested: bool,
    },
}

impl ReplyBody {
    #[must_use]
    pub const fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    /// Body of `pieces`, whole if there is only one.
    #[must_use]
    pub fn from_pieces(mut pieces: impl Pieces + 'static) -> Self {
        let Some(first) = pieces.next_piece() else { return Self::empty() };
        match pieces.next_piece() {
            None => Self::Whole(first),
            second => Self::Pieces { pieces: Box::new(pieces), first: Some(first), second, rested: true },
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Pieces { pieces, first, second, rested } => {
                // Between two pieces the socket is fed and other connections have their turn.
                if !*rested {
                    *rested = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                *rested = false;
                first.take().or_else(|| second.take()).or_else(|| pieces.next_piece())
            }
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces { .. } => SizeHint::default(),
        }
    }
}

/// Reply with a body of some content type.
#[must_use]
pub fn reply(status: StatusCode, content_type: &'static str, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

#[must_use]
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::empty());
    *reply.status_mut() = status;
    reply
}

#[must_use]
pub fn text(status: StatusCode, text: impl Into<String>) -> Reply {
    reply(status, "text/plain; charset=utf-8", ReplyBody::Whole(Bytes::from(text.into())))
}

#[must_use]
pub fn json(body: ReplyBody) -> Reply {
    reply(StatusCode::OK, "application/json", body)
}

/// The error envelope of the API.
#[must_use]
pub fn json_error(error: &ApiError) -> Reply {
    let body = ReplyBody::Whole(json::error(error.kind.error_type(), &error.message));
    let mut reply = reply(error.kind.status(), "application/json", body);
    put_retry_after(reply.headers_mut(), error);
    reply
}

/// An error as a line of text, as senders of samples expect it.
#[must_use]
pub fn text_error(error: &ApiError) -> Reply {
    let mut reply = text(error.kind.status(), format!("{}\n", error.message));
    put_retry_after(reply.headers_mut(), error);
    reply
}

fn put_retry_after(headers: &mut HeaderMap, error: &ApiError) {
    if let Some(after) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
}

/// Compresses the body if the client takes it and it is worth it.
#[must_use]
pub fn compressed(reply: Reply, request: &HeaderMap) -> Reply {
    let (mut head, body) = reply.into_parts();
    let body = match body {
        ReplyBody::Whole(bytes) if bytes.len() < COMPRESS_BYTES_MIN => ReplyBody::Whole(bytes),
        body if !accepts_gzip(request) => {
            head.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
            body
        }
        body => {
            head.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            ReplyBody::from_pieces(Gzip::new(body))
        }
    };
    Response::from_parts(head, body)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let refused = parts
                .filter_map(|parameter| parameter.strip_prefix("q="))
                .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
            named && !refused
        })
}

/// Pieces of a body, compressed. The fast level: a matrix shrinks to a tenth by it already.
struct Gzip {
    body: ReplyBody,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    fn new(body: ReplyBody) -> Self {
        let out = Vec::with_capacity(2 * COMPRESSED_PIECE_BYTES);
        Self { body, encoder: Some(GzEncoder::new(out, Compression::fast())) }
    }

    fn next_input(&mut self) -> Option<Bytes> {
        match &mut self.body {
            ReplyBody::Whole(bytes) if bytes.is_empty() => None,
            ReplyBody::Whole(bytes) => {
                // Bounded work per turn for bodies that were made whole, too.
                Some(bytes.split_to(bytes.len().min(4 * ANSWER_PIECE_BYTES)))
            }
            ReplyBody::Pieces { pieces, first, second, .. } => {
                first.take().or_else(|| second.take()).or_else(|| pieces.next_piece())
            }
        }
    }
}

impl Pieces for Gzip {
    fn next_piece(&mut self) -> Option<Bytes> {
        loop {
            let input = self.next_input();
            let encoder = self.encoder.as_mut()?;
            let Some(input) = input else {
                // Writing into memory does not fail.
                let rest = self.encoder.take().and_then(|encoder| encoder.finish().ok()).unwrap_or_default();
                return (!rest.is_empty()).then(|| Bytes::from(rest));
            };
            let _ = encoder.write_all(&input);
            if encoder.get_ref().len() >= COMPRESSED_PIECE_BYTES {
                let full =
                    std::mem::replace(encoder.get_mut(), Vec::with_capacity(2 * COMPRESSED_PIECE_BYTES));
                return Some(Bytes::from(full));
            }
        }
    }
}
