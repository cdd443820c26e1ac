//! How data moves down: generations to runs, runs to blocks of 2 h, 12 h and 7 d.
//!
//! - [`flush`] writes a frozen generation as runs, one per window that it touches.
//! - [`plan`] decides what is merged next: a pure function of what the parts say of themselves.
//! - [`merge`] merges parts series by series, dropping what was deleted or has expired.
//! - [`retention`] decides which parts go: a pure function too.
//!
//! A window is *closed* when samples [`CLOSE_GRACE_MS`] newer than its end have come. Then all that
//! lies loose in it is merged to one block of its level, and if a block is there already, only when
//! enough has come to be worth it. So late data of any age costs no rewriting of the world.

pub mod flush;
pub mod merge;
pub mod plan;
pub mod retention;

use crate::part::{Level, Window};

/// How much newer than the end of a window samples must be for the window to be closed.
pub const CLOSE_GRACE_MS: i64 = 10 * 60_000;

/// Whether a window is closed when the newest sample is of time `frontier_ms`.
#[must_use]
pub const fn is_closed(window: Window, frontier_ms: i64) -> bool {
    window.end_ms().saturating_add(CLOSE_GRACE_MS) <= frontier_ms
}

/// Window of the run that takes a sample: of the largest level that is closed there, for then the
/// run can be merged into the block of that level at once.
#[must_use]
pub fn placement(timestamp_ms: i64, frontier_ms: i64) -> Window {
    let mut larger = [Level::Days7, Level::Hours12].into_iter().map(|level| level.window_at(timestamp_ms));
    let closed = larger.find(|window| is_closed(*window, frontier_ms));
    closed.unwrap_or_else(|| Level::Hours2.window_at(timestamp_ms))
}
