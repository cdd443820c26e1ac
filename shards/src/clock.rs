//! The only place that reads the wall clock.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, from the system or set by a test.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Manual(Rc<Cell<i64>>),
}

impl Clock {
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => system_now_ms(),
            Self::Manual(now) => now.get(),
        }
    }
}

/// The system's time.
#[must_use]
pub fn system_now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}
