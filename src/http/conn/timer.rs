//! Deadlines on a router core.

use std::future::Future;
use std::time::Duration;

use futures_lite::future;
use glommio::timer::Timer;

/// What a deadline cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Runs `work` until it is done or `limit` has passed; then it is dropped.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    future::or(async { Ok(work.await) }, async {
        Timer::new(limit).await;
        Err(Elapsed)
    })
    .await
}
