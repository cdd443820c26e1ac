//! Sharing a core: the only calls of the router's side to the executor.

use std::future::Future;
use std::time::Duration;

/// Lets other tasks of this core run when this one has run long enough.
pub async fn yield_if_needed() {
    shards::io::coop::yield_if_needed().await;
}

/// Starts a task on this core that goes on when its caller is gone, and gives a future of its end.
pub fn spawn<T: 'static>(work: impl Future<Output = T> + 'static) -> impl Future<Output = Option<T>> {
    glommio::spawn_local(work).detach()
}

pub async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await;
}

/// The result of `work`, or `None` when it takes longer than `limit`.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let timer = async {
        sleep(limit).await;
        None
    };
    futures_lite::future::or(async { Some(work.await) }, timer).await
}
