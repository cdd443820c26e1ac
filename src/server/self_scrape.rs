//! The server writes its own figures into itself, so that there is something to ask from the start.

use std::rc::Rc;
use std::time::Duration;

use shards::clock::Clock;

use super::figures::Figures;
use super::shutdown::Stopping;
use crate::ingest::BatchBuilder;
use crate::ingest::text::{self, TextOptions};
use crate::router::{Router, coop};

/// Labels of the server's own series.
#[derive(Debug, Clone)]
pub(super) struct OwnLabels {
    pub(super) job: &'static str,
    pub(super) instance: String,
}

/// Scrapes until the server stops.
pub(super) async fn run(
    router: Router,
    figures: Rc<Figures>,
    labels: OwnLabels,
    interval: Duration,
    stopping: Stopping,
) {
    loop {
        if router.is_ready() {
            let scraped = figures.text(&router).await;
            if let Err(reason) = store(&router, &labels, &scraped).await {
                tracing::warn!(%reason, "own figures not stored");
            }
        }
        // The first scrape comes as soon as there is something to write to.
        let pause = if router.is_ready() { interval } else { Duration::from_millis(100) };
        if coop::within(pause, stopping.ordered()).await.is_some() {
            return;
        }
    }
}

async fn store(router: &Router, own: &OwnLabels, scraped: &str) -> Result<(), String> {
    let timestamp_ms = Clock::System.now_ms();
    let extra_labels = [("job", own.job), ("instance", own.instance.as_str())];
    let mut builder = BatchBuilder::new(router.hasher().clone(), router.shard_count());
    let options = TextOptions { timestamp_ms, extra_labels: &extra_labels };
    text::decode(scraped.as_bytes(), options, &mut builder).map_err(|error| error.to_string())?;
    let [job, instance] = extra_labels;
    let up = &mut [("__name__", "up"), job, instance];
    builder.push(up, timestamp_ms, 1.0).map_err(|fault| fault.to_string())?;
    router.write_request(builder.finish()).await.map(drop).map_err(|error| error.to_string())
}
