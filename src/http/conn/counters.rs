//! What the connections of one core did.

use std::cell::Cell;

/// A figure of one core.
#[derive(Debug, Default)]
pub(super) struct Count(Cell<u64>);

impl Count {
    pub(super) fn inc(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, by: u64) {
        self.0.set(self.0.get().wrapping_add(by));
    }

    pub(super) fn dec(&self) {
        assert!(self.get() > 0, "a gauge does not fall below zero");
        self.0.set(self.0.get() - 1);
    }

    #[must_use]
    pub(super) const fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Live figures; see [`ConnFigures`] for what they mean.
#[derive(Debug, Default)]
pub struct ConnCounters {
    pub(super) accepted: Count,
    pub(super) accept_failed: Count,
    pub(super) refused: Count,
    pub(super) active: Count,
    pub(super) requests: Count,
    pub(super) malformed: Count,
    pub(super) timed_out: Count,
    pub(super) client_gone: Count,
    pub(super) aborted: Count,
}

impl ConnCounters {
    #[must_use]
    pub const fn figures(&self) -> ConnFigures {
        ConnFigures {
            accepted: self.accepted.get(),
            accept_failed: self.accept_failed.get(),
            refused: self.refused.get(),
            active: self.active.get(),
            requests: self.requests.get(),
            malformed: self.malformed.get(),
            timed_out: self.timed_out.get(),
            client_gone: self.client_gone.get(),
            aborted: self.aborted.get(),
        }
    }
}

/// The figures of one core at one moment; may cross cores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnFigures {
    pub accepted: u64,
    /// The system gave no connection, mostly for want of file descriptors.
    pub accept_failed: u64,
    /// Turned away, because there were too many.
    pub refused: u64,
    /// Open now.
    pub active: u64,
    pub requests: u64,
    /// Ended because what the client sent is not HTTP or exceeds a limit.
    pub malformed: u64,
    /// Ended because the client was too slow.
    pub timed_out: u64,
    /// Ended by the client while its request was being handled.
    pub client_gone: u64,
    /// Cut off when the server stopped.
    pub aborted: u64,
}
