//! What lives on a router core: a listener, its connections, and the service behind them.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use async_channel::Receiver;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use shards::clock::Clock;
use shards::io::coop::PREEMPT;
use shards::io::nudge::nudge_this_thread;

use super::figures::{FigureLinks, Figures};
use super::retention::{SharedRetention, read_settings};
use super::self_scrape::{self, OwnLabels};
use super::service::{CoreService, detached};
use super::shutdown::Stopping;
use crate::http::conn::{self, ConnOptions, Incoming};
use crate::http::{Api, ApiOptions};
use crate::query::QueryService;
use crate::query::QuerySettings;
use crate::query::admission::Gate;
use crate::router::Router;

/// Memory that the kernel pins for direct I/O, of which a router core does none: the least there is.
const IO_MEMORY: usize = 64 << 10;

/// Everything a router core is made of. Plain data on its way to the core.
#[derive(Clone)]
pub(super) struct RouterCore {
    pub(super) number: usize,
    pub(super) incoming: Incoming,
    pub(super) router: Router,
    pub(super) gate: Gate,
    pub(super) query_settings: QuerySettings,
    pub(super) api_options: ApiOptions,
    pub(super) conn_options: ConnOptions,
    pub(super) links: FigureLinks,
    pub(super) retention: SharedRetention,
    /// Set on one core: the file of settings, and the signals to read it again.
    pub(super) hangups: Option<(PathBuf, Receiver<()>)>,
    /// Set on one core: how often the server writes its own figures into itself.
    pub(super) self_scrape: Option<(Duration, OwnLabels)>,
    pub(super) stopping: Stopping,
}

impl RouterCore {
    /// Starts the core. It ends when the server stops and its connections are done.
    pub(super) fn spawn(self) -> anyhow::Result<ExecutorJoinHandle<anyhow::Result<()>>> {
        LocalExecutorBuilder::new(Placement::Unbound)
            .name(&format!("router-core-{}", self.number))
            .preempt_timer(PREEMPT)
            .io_memory(IO_MEMORY)
            .spawn(move || self.run())
            .map_err(|error| anyhow::anyhow!("router core not started: {error}"))
    }

    async fn run(self) -> anyhow::Result<()> {
        let _nudged = nudge_this_thread().context("the router core cannot be watched over")?;
        let figures = Figures::new(self.links);
        detached(Rc::clone(&figures).serve(self.number));
        if let Some((interval, labels)) = self.self_scrape {
            detached(self_scrape::run(
                self.router.clone(),
                Rc::clone(&figures),
                labels,
                interval,
                self.stopping.clone(),
            ));
        }
        if let Some((path, hangups)) = self.hangups {
            detached(follow_settings(path, hangups, self.router.clone(), self.retention.clone()));
        }
        let queries = QueryService::new(self.router.clone(), self.query_settings, self.gate);
        let stop = self.stopping.receiver();
        let service =
            CoreService::new(self.router, queries, Rc::clone(&figures), self.retention, self.stopping);
        let api = Api::new(Rc::new(service), self.api_options, Clock::System, Rc::clone(&figures.api));
        conn::serve(self.incoming, api, self.conn_options, Rc::clone(&figures.conn), stop).await;
        Ok(())
    }
}

/// Reads the file of settings again at each signal.
async fn follow_settings(path: PathBuf, hangups: Receiver<()>, router: Router, retention: SharedRetention) {
    while hangups.recv().await.is_ok() {
        match read_settings(&path) {
            Ok(change) => {
                if let Err(error) = retention.reload(&router, change).await {
                    tracing::error!(%error, "the settings were read but not all shards follow");
                }
            }
            Err(error) => tracing::error!("settings stay as they are: {error:#}"),
        }
    }
}
