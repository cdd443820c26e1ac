//! Sharing a core among tasks.
//!
//! glommio's own way, its preemption timer, must not be short: when the timer fires between the poll
//! for events and the first task, the executor goes to sleep with tasks ready. One of 500 us did so
//! in one of a hundred starts on a busy machine. So the timer only bounds how long events wait
//! behind busy tasks, and tasks take turns by a clock of their own.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The preemption timer of every executor: events are looked for this often while tasks are busy.
pub const PREEMPT: Duration = Duration::from_millis(5);

/// How long tasks of one queue may run before those of another get their turn.
const TURN: Duration = Duration::from_micros(500);

thread_local! {
    static TURN_BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets other tasks of this core run when a turn is over. For executors only.
pub async fn yield_if_needed() {
    let now = Instant::now();
    let began = TURN_BEGAN.get();
    if began.is_some_and(|began| now.duration_since(began) < TURN) {
        return;
    }
    if began.is_some() {
        glommio::executor().yield_task_queue_now().await;
    }
    TURN_BEGAN.set(Some(Instant::now()));
}
