//! The server writes its own figures into itself, so that there is something to ask from the start.

use std::rc::Rc;
use std::time::Duration;

use shards::clock::Clock;

use super::figures::Figures;
use super::shutdown::Stopping;
use crate::ingest::BatchBuilder;
use crate::ingest::text;
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
    let now_ms = Clock::System.now_ms();
    let mut builder = BatchBuilder::new(router.hasher().clone(), router.shard_count());
    let mut add = |labels: &mut Vec<(&str, &str)>, timestamp_ms: i64, value: f64| {
        labels.push(("job", own.job));
        labels.push(("instance", &own.instance));
        builder.push(labels, timestamp_ms, value).map_err(|fault| fault.to_string())
    };
    let parsed = text::parse(scraped).map_err(|error| error.to_string())?;
    for sample in &parsed.samples {
        let mut labels = sample.labels();
        add(&mut labels, now_ms, sample.value)?;
    }
    add(&mut vec![("__name__", "up")], now_ms, 1.0)?;
    let mut request = builder.finish();
    request.metadata = parsed.metadata;
    router.write_request(request).await.map(drop).map_err(|error| error.to_string())
}
