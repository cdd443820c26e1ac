//! Request bodies, read whole, within limits of size, time and memory.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::stream::ConnState;
use super::timer::within;
use crate::http::error::{ApiError, ErrorKind};
use crate::limits::BODY_DISCARD_BYTES_MAX;

/// Bytes that the bodies of all requests of one core may hold.
#[derive(Debug)]
pub struct BodyBudget {
    bytes_max: u64,
    bytes_used: Cell<u64>,
}

impl BodyBudget {
    #[must_use]
    pub fn new(bytes_max: u64) -> Rc<Self> {
        Rc::new(Self { bytes_max, bytes_used: Cell::new(0) })
    }

    #[must_use]
    pub const fn bytes_used(&self) -> u64 {
        self.bytes_used.get()
    }

    fn take(&self, bytes: u64) -> bool {
        let used = self.bytes_used.get().saturating_add(bytes);
        let fits = used <= self.bytes_max;
        if fits {
            self.bytes_used.set(used);
        }
        fits
    }
}

/// A share of a [`BodyBudget`]; gives it back when dropped.
#[derive(Debug)]
pub struct BodyShare {
    budget: Rc<BodyBudget>,
    bytes: u64,
}

impl BodyShare {
    const fn new(budget: Rc<BodyBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let bytes = bytes as u64;
        if !self.budget.take(bytes) {
            return Err(ApiError::busy(format!(
                "request bodies in flight take more than {} bytes; send again later",
                self.budget.bytes_max
            )));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        let used = self.budget.bytes_used.get();
        assert!(used >= self.bytes, "a share of {} bytes was taken from {used}", self.bytes);
        self.budget.bytes_used.set(used - self.bytes);
    }
}

/// The body of a request, not yet read.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    state: Rc<ConnState>,
    timeout: Duration,
    expects_continue: bool,
}

impl RequestBody {
    pub(super) fn new(
        incoming: Incoming,
        state: Rc<ConnState>,
        timeout: Duration,
        expects_continue: bool,
    ) -> Self {
        state.set_linger(!incoming.is_end_stream());
        Self { incoming, state, timeout, expects_continue }
    }

    /// Reads to the end. The share belongs to the bytes: keep it as long as them.
    pub async fn read(
        mut self,
        bytes_max: usize,
        budget: Rc<BodyBudget>,
    ) -> Result<(Bytes, BodyShare), ApiError> {
        let timeout = self.timeout;
        match within(timeout, self.read_within(bytes_max, budget)).await {
            Ok(result) => result,
            Err(_) => Err(ApiError::new(
                ErrorKind::SlowBody,
                format!("the body did not arrive within {} s", timeout.as_secs_f64()),
            )),
        }
    }

    async fn read_within(
        &mut self,
        bytes_max: usize,
        budget: Rc<BodyBudget>,
    ) -> Result<(Bytes, BodyShare), ApiError> {
        let mut share = BodyShare::new(budget);
        let declared = self.incoming.size_hint().exact();
        if declared.is_some_and(|bytes| bytes > bytes_max as u64) {
            // A sender that waits for "100 Continue" learns it before it has sent anything.
            if !self.expects_continue {
                self.discard(0).await;
            }
            return Err(too_large(bytes_max));
        }
        // Most bodies come as one piece, which is then used as it is.
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            let bytes = whole.len() + joined.len() + piece.len();
            if bytes > bytes_max {
                self.discard(bytes).await;
                return Err(too_large(bytes_max));
            }
            if let Err(busy) = share.grow(piece.len()) {
                self.discard(bytes).await;
                return Err(busy);
            }
            if joined.is_empty() && whole.is_empty() {
                whole = piece;
                continue;
            }
            if joined.is_empty() {
                let declared = declared.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(bytes);
                joined.reserve(declared.min(bytes_max));
                joined.extend_from_slice(&whole);
                whole = Bytes::new();
            }
            joined.extend_from_slice(&piece);
        }
        self.state.set_linger(false);
        Ok((if joined.is_empty() { whole } else { joined.freeze() }, share))
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            match self.incoming.frame().await {
                None => return Ok(None),
                // Trailers tell nothing we use.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => {
                    return Err(ApiError::bad_data(format!("the body broke off: {error}")));
                }
            }
        }
    }

    /// Reads on without keeping, so that the sender comes to read the answer.
    async fn discard(&mut self, mut bytes: usize) {
        while bytes < BODY_DISCARD_BYTES_MAX {
            match self.piece().await {
                Ok(Some(piece)) => bytes = bytes.saturating_add(piece.len()),
                Ok(None) => {
                    self.state.set_linger(false);
                    return;
                }
                Err(_) => return,
            }
        }
    }
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::new(
        ErrorKind::TooLarge,
        format!(
            "the body is larger than {bytes_max} bytes; send less at once or raise the limit (--max-body-bytes)"
        ),
    )
}
