//! A glommio socket as hyper wants it, with the deadlines of a connection.
//!
//! hyper's own timers want futures that are `Send`, which nothing on a core is. So time is kept
//! here, where the bytes pass: each read that has to wait is held against the deadline of the phase
//! the connection is in, each write against [`Timeouts::send`].

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::future::poll_fn;
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use glommio::timer::Timer;
use hyper::rt::ReadBufCursor;

use super::Timeouts;

/// Reads pass through one buffer per core: it stays in the cache, and a copy out of it costs less
/// than zeroing hyper's buffer would.
pub(super) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Where a connection stands; decides how long a read may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// New: waiting for the first byte.
    New,
    /// Between requests.
    Idle,
    /// Within a request head.
    Head,
    /// A handler has the request; reads only notice that the client left. The handler itself
    /// limits how long a body takes.
    Handling,
}

/// The state that socket, body and service of one connection share.
#[derive(Debug)]
pub(super) struct ConnState {
    timeouts: Timeouts,
    phase: Cell<Phase>,
    read_deadline: Cell<Option<Instant>>,
    /// The client may still be sending what nobody reads: closing at once could destroy the answer.
    linger: Cell<bool>,
    requests: Cell<u64>,
}

impl ConnState {
    pub(super) fn new(timeouts: Timeouts) -> Rc<Self> {
        Rc::new(Self {
            timeouts,
            phase: Cell::new(Phase::New),
            read_deadline: Cell::new(Some(Instant::now() + timeouts.head)),
            linger: Cell::new(false),
            requests: Cell::new(0),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// A request head is complete.
    pub(super) fn begin_request(&self) {
        self.phase.set(Phase::Handling);
        self.read_deadline.set(None);
        self.requests.set(self.requests.get() + 1);
    }

    /// The last byte of an answer went to hyper.
    pub(super) fn end_request(&self) {
        self.phase.set(Phase::Idle);
        self.read_deadline.set(Some(Instant::now() + self.timeouts.idle));
    }

    pub(super) fn set_linger(&self, linger: bool) {
        self.linger.set(linger);
    }

    pub(super) fn linger(&self) -> bool {
        self.linger.get()
    }

    fn bytes_arrived(&self) {
        if matches!(self.phase.get(), Phase::Idle | Phase::New) {
            self.phase.set(Phase::Head);
            self.read_deadline.set(Some(Instant::now() + self.timeouts.head));
        }
    }
}

/// A timer that is only touched when an operation has to wait. Deadlines move with every request;
/// the armed timer is kept while it fires no later than the deadline.
#[derive(Default)]
struct Alarm {
    armed: Option<(Instant, Timer)>,
}

impl Alarm {
    /// Ready when `deadline` has passed.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            if self.armed.as_ref().is_none_or(|(at, _)| *at > deadline) {
                let left = deadline.saturating_duration_since(Instant::now());
                self.armed = Some((deadline, Timer::new(left)));
            }
            let Some((at, timer)) = &mut self.armed else { return Poll::Pending };
            let at = *at;
            match Pin::new(timer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => {
                    self.armed = None;
                    if at >= deadline {
                        return Poll::Ready(());
                    }
                }
            }
        }
    }
}

/// The socket of one connection.
pub(super) struct ConnStream {
    stream: TcpStream,
    state: Rc<ConnState>,
    scratch: Scratch,
    read_alarm: Alarm,
    send_alarm: Alarm,
    send_deadline: Option<Instant>,
    peer_closed: bool,
}

impl ConnStream {
    pub(super) fn new(stream: TcpStream, state: Rc<ConnState>, scratch: Scratch) -> Self {
        Self {
            stream,
            state,
            scratch,
            read_alarm: Alarm::default(),
            send_alarm: Alarm::default(),
            send_deadline: None,
            peer_closed: false,
        }
    }

    /// Closes in an order that lets the client read the answer: a socket that is closed with unread
    /// input is reset, and the reset overtakes the answer.
    pub(super) async fn close(mut self, linger_max: Duration, bytes_max: usize) {
        // A peer that is already gone makes this fail, which is as good.
        let _ = self.stream.shutdown(Shutdown::Write).await;
        if self.peer_closed || !self.state.linger() {
            return;
        }
        let drain = async {
            let mut left = bytes_max;
            while left > 0 {
                let read = poll_fn(|cx| {
                    let mut scratch = self.scratch.borrow_mut();
                    Pin::new(&mut self.stream).poll_read(cx, &mut scratch)
                })
                .await;
                match read {
                    Ok(0) | Err(_) => return,
                    Ok(count) => left = left.saturating_sub(count),
                }
            }
        };
        let _ = super::timer::within(linger_max, drain).await;
    }
}

impl hyper::rt::Read for ConnStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut target: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        {
            let mut scratch = this.scratch.borrow_mut();
            let want = target.remaining().min(scratch.len());
            let Some(room) = scratch.get_mut(..want) else { return Poll::Ready(Ok(())) };
            match Pin::new(&mut this.stream).poll_read(cx, room) {
                Poll::Ready(Ok(count)) => {
                    if count == 0 {
                        this.peer_closed = true;
                    } else {
                        this.state.bytes_arrived();
                    }
                    target.put_slice(room.get(..count).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        let Some(deadline) = this.state.read_deadline.get() else { return Poll::Pending };
        this.read_alarm.poll(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl hyper::rt::Write for ConnStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match Pin::new(&mut this.stream).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                this.send_deadline = None;
                Poll::Ready(written)
            }
            Poll::Pending => {
                let limit = this.state.timeouts.send;
                let deadline = *this.send_deadline.get_or_insert_with(|| Instant::now() + limit);
                this.send_alarm.poll(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
