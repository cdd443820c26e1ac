//! HTTP/1.1 connections of one router core: accepting, deadlines, limits and the orderly end.
//!
//! hyper speaks the protocol (keep-alive, pipelining, chunks, 100-continue); what belongs to a socket
//! and to time is here. A connection is one task of the core. When its client leaves, the task ends
//! and drops the handler with it: that is how queries are cancelled.

mod body;
mod counters;
mod listener;
mod stream;
#[cfg(test)]
mod tests;
mod timer;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_lite::AsyncWriteExt;
use futures_lite::future::{or, poll_fn};
use glommio::net::TcpStream;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use hyper::server::conn::http1;
use hyper::{Request, Response};

pub use body::{BodyBudget, BodyShare, RequestBody};
pub use counters::{ConnCounters, ConnFigures};
pub use listener::{ListenError, Listener, check_address};
pub use timer::{Elapsed, within};

use super::reply::{Reply, ReplyBody};
use crate::limits;
use stream::{ConnState, ConnStream, Phase, Scratch};

/// What answers requests. One value per core.
pub trait Handler {
    /// The future is dropped when the client goes away.
    fn handle(self: Rc<Self>, request: Request<RequestBody>) -> HandlerFuture;
}

/// The answer to one request, to be.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Reply>>>;

/// How long each phase of a connection may last.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub send: Duration,
    pub drain: Duration,
    pub linger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: limits::HEAD_TIMEOUT,
            body: limits::BODY_TIMEOUT,
            idle: limits::IDLE_TIMEOUT,
            send: limits::SEND_TIMEOUT,
            drain: limits::DRAIN_TIMEOUT,
            linger: limits::LINGER_TIMEOUT,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct ConnOptions {
    pub connections_max: usize,
    pub timeouts: Timeouts,
}

impl Default for ConnOptions {
    fn default() -> Self {
        Self { connections_max: limits::CONNECTIONS_DEFAULT, timeouts: Timeouts::default() }
    }
}

/// Serves connections of `listener` until `stop` is closed (or anything is sent by it). Then it
/// accepts no more, closes idle connections at once and gives requests in flight
/// [`Timeouts::drain`] to finish. When it returns, no connection is left.
pub async fn serve(
    listener: Listener,
    handler: Rc<dyn Handler>,
    options: ConnOptions,
    counters: Rc<ConnCounters>,
    stop: Receiver<()>,
) {
    let (abort, aborted) = async_channel::bounded(1);
    let (alive, all_gone) = async_channel::bounded(1);
    let core = Rc::new(Core {
        handler,
        options,
        counters,
        scratch: Rc::new(RefCell::new(vec![0; limits::SOCKET_READ_BYTES].into_boxed_slice())),
        stop,
        aborted,
    });
    while let Some(accepted) = core.next(&listener).await {
        match accepted {
            Ok(stream) => core.admit(stream, &alive),
            Err(error) => {
                // Out of file descriptors, most likely: connections that end will free some.
                tracing::warn!(%error, "connection not accepted");
                core.counters.accept_failed.inc();
                glommio::timer::sleep(Duration::from_millis(50)).await;
            }
        }
        glommio::executor().yield_if_needed().await;
    }
    drop((listener, alive));
    if within(options.timeouts.drain, all_gone.recv()).await.is_err() {
        tracing::warn!(connections = core.counters.active.get(), "requests cut off at shutdown");
        drop(abort);
        let _ = all_gone.recv().await;
    }
}

/// What the connections of one core share.
struct Core {
    handler: Rc<dyn Handler>,
    options: ConnOptions,
    counters: Rc<ConnCounters>,
    scratch: Scratch,
    /// Closed when the server stops.
    stop: Receiver<()>,
    /// Closed when the time to finish is over.
    aborted: Receiver<Infallible>,
}

impl Core {
    /// The next connection; `None` when the server stops.
    async fn next(&self, listener: &Listener) -> Option<io::Result<TcpStream>> {
        or(
            async {
                let _ = self.stop.recv().await;
                None
            },
            async { Some(listener.accept().await) },
        )
        .await
    }

    /// Starts the task of a connection, or turns it away when there are too many.
    fn admit(self: &Rc<Self>, stream: TcpStream, alive: &Sender<Infallible>) {
        let core = Rc::clone(self);
        let alive = alive.clone();
        let task = if self.counters.active.get() >= self.options.connections_max as u64 {
            self.counters.refused.inc();
            glommio::spawn_local(async move {
                turn_away(stream).await;
                drop(alive);
            })
        } else {
            self.counters.accepted.inc();
            self.counters.active.inc();
            glommio::spawn_local(async move {
                core.converse(stream).await;
                core.counters.active.dec();
                drop(alive);
            })
        };
        task.detach();
    }

    async fn converse(&self, stream: TcpStream) {
        // Answers are written whole, so waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let state = ConnState::new(self.options.timeouts);
        let io = ConnStream::new(stream, Rc::clone(&state), Rc::clone(&self.scratch));
        let service = ConnService {
            handler: Rc::clone(&self.handler),
            state: Rc::clone(&state),
            counters: Rc::clone(&self.counters),
            body_timeout: self.options.timeouts.body,
        };
        let mut conn = http1::Builder::new()
            .max_headers(limits::HEADERS_MAX)
            .max_header_size(limits::HEAD_BYTES_MAX)
            .pipeline_flush(true)
            .serve_connection(io, service);
        let mut stop = pin!(self.stop.recv());
        let mut abort = pin!(self.aborted.recv());
        let mut stopping = false;
        let end = poll_fn(|cx| {
            if !stopping && stop.as_mut().poll(cx).is_ready() {
                stopping = true;
                Pin::new(&mut conn).graceful_shutdown();
            }
            if stopping && abort.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            conn.poll_without_shutdown(cx).map(Some)
        })
        .await;
        match end {
            None => {
                self.counters.aborted.inc();
                return;
            }
            Some(Ok(())) => {}
            Some(Err(error)) => self.conclude(&error, &state),
        }
        conn.into_parts().io.close(self.options.timeouts.linger, limits::BODY_DISCARD_BYTES_MAX).await;
    }

    /// Counts how a connection went wrong.
    fn conclude(&self, error: &hyper::Error, state: &ConnState) {
        let phase = state.phase();
        if error.is_parse() {
            self.counters.malformed.inc();
            state.set_linger(true);
        } else if is_timeout(error) {
            self.counters.timed_out.inc();
        } else if phase == Phase::Handling {
            self.counters.client_gone.inc();
        }
        tracing::debug!(%error, ?phase, "connection ended");
    }
}

fn is_timeout(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::TimedOut;
        }
        cause = current.source();
    }
    false
}

/// Answers without reading: there is no room to look at the request.
async fn turn_away(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
        content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
    let _ = within(Duration::from_secs(1), async {
        stream.write_all(ANSWER).await?;
        stream.close().await
    })
    .await;
}

/// hyper's view of the handler, for one connection.
struct ConnService {
    handler: Rc<dyn Handler>,
    state: Rc<ConnState>,
    counters: Rc<ConnCounters>,
    body_timeout: Duration,
}

impl hyper::service::Service<Request<Incoming>> for ConnService {
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.counters.requests.inc();
        self.state.begin_request();
        let end = RequestEnd(Rc::clone(&self.state));
        let expects_continue = request.headers().contains_key(EXPECT);
        let request = request.map(|incoming| {
            RequestBody::new(incoming, Rc::clone(&self.state), self.body_timeout, expects_continue)
        });
        let answer = Rc::clone(&self.handler).handle(request);
        Box::pin(async move { Ok(answer.await.map(|inner| TrackedBody { inner, _end: end })) })
    }
}

/// Marks the request as answered when dropped.
struct RequestEnd(Rc<ConnState>);

impl Drop for RequestEnd {
    fn drop(&mut self) {
        self.0.end_request();
    }
}

/// A reply's body that tells the connection when it is through.
struct TrackedBody {
    inner: ReplyBody,
    _end: RequestEnd,
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
