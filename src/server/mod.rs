//! The running server: the engine, the router cores, and the orderly end.

mod figures;
pub mod probe;
mod retention;
mod router_core;
mod self_scrape;
mod service;
mod shutdown;

use std::io::Write;

use anyhow::Context;
use shards::engine::{Engine, EngineOptions, Retention};

use self::figures::FigureLinks;
use self::retention::{SharedRetention, read_settings};
use self::router_core::RouterCore;
use self::self_scrape::OwnLabels;
use self::shutdown::{stop_order, watch_signals};
use crate::config::Config;
use crate::http::ApiOptions;
use crate::http::conn::{ConnOptions, Listener};
use crate::ingest::DecodeLimits;
use crate::promql::ParserOptions;
use crate::query::QuerySettings;
use crate::query::admission::Gate;
use crate::router::Router;

/// Resolution of subqueries that name none, as Prometheus has it.
const SUBQUERY_STEP_MS: i64 = 60_000;
/// Value of the label `job` of the server's own series.
const OWN_JOB: &str = "tsdb";

/// Runs the server until a signal stops it.
pub fn run(config: &Config) -> anyhow::Result<()> {
    probe::check(config)?;
    let (order, stopping) = stop_order();
    let hangups = watch_signals(order).context("cannot wait for signals")?;
    // The directory first: who holds it holds the port too, most likely, and says who it is.
    let mut options = engine_options(config);
    let settings = config.settings_file.as_ref().map(read_settings).transpose()?.unwrap_or_default();
    let shared_retention = SharedRetention::new(options.retention, settings);
    options.retention = shared_retention.now();
    let engine = Engine::open(&options)?;
    let listener = Listener::bind(config.listen)?;
    let address = listener.address();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", config.banner(address, engine.meta().shards));
    let _ = out.flush();
    drop(out);

    let limits = DecodeLimits { decoded_bytes: config.decompressed_bytes_max, ..DecodeLimits::default() };
    let router = Router::new(&engine, limits);
    let links = FigureLinks::new(config.router_cores);
    let gate = Gate::new(config.query_concurrency_max);
    let mut cores = Vec::new();
    for (number, incoming) in listener.start(config.router_cores)?.into_iter().enumerate() {
        let own = OwnLabels { job: OWN_JOB, instance: address.to_string() };
        let core = RouterCore {
            number,
            incoming,
            router: router.clone(),
            gate: gate.clone(),
            query_settings: query_settings(config),
            api_options: ApiOptions {
                body_bytes_max: config.body_bytes_max,
                bodies_in_flight_bytes_max: config.bodies_in_flight_bytes_max,
                query_timeout: config.query_timeout,
                admin: config.admin_api,
            },
            conn_options: ConnOptions { connections_max: config.connections_max, ..ConnOptions::default() },
            links: links.clone(),
            retention: shared_retention.clone(),
            hangups: config.settings_file.clone().filter(|_| number == 0).map(|path| (path, hangups.clone())),
            self_scrape: config.self_scrape_interval.filter(|_| number == 0).map(|every| (every, own)),
            stopping: stopping.clone(),
        };
        cores.push(core.spawn()?);
    }
    let mut outcome = Ok(());
    for core in cores {
        match core.join() {
            Ok(ended) => outcome = outcome.and(ended),
            Err(error) => outcome = outcome.and(Err(anyhow::anyhow!("router core: {error}"))),
        }
    }
    engine.close()?;
    tracing::info!("stopped");
    outcome
}

fn engine_options(config: &Config) -> EngineOptions {
    EngineOptions {
        directory: config.data_dir.clone(),
        shards: config.shards,
        cpus: allowed_cpus(),
        wal: config.wal.clone(),
        future_ms_max: i64::try_from(config.future_max.as_millis()).unwrap_or(i64::MAX),
        series_max: config.series_max,
        memtable_bytes: config.memtable_bytes,
        flush_wal_bytes: config.flush_wal_bytes,
        flush_after: config.flush_interval,
        cache_bytes: config.cache_bytes,
        merge_bytes_per_second: config.compaction_rate,
        reserve_bytes: config.disk_reserve,
        retention: Retention {
            age: config.retention,
            bytes: config.retention_bytes,
            percent: config.retention_percent,
        },
    }
}

fn query_settings(config: &Config) -> QuerySettings {
    QuerySettings {
        samples_max: config.query_samples_max,
        lookback_ms: i64::try_from(config.query_lookback.as_millis()).unwrap_or(i64::MAX),
        subquery_step_ms: SUBQUERY_STEP_MS,
        parser: ParserOptions::default(),
    }
}

/// CPUs that this process may run on.
fn allowed_cpus() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => (0..std::thread::available_parallelism().map_or(1, usize::from)).collect(),
    }
}
