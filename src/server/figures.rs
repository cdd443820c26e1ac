//! The server's figures, gathered from all cores when somebody asks.

use std::cell::Cell;
use std::rc::Rc;

use async_channel::{Receiver, Sender};
use shards::shard::ShardMetrics;

use crate::http::conn::{ConnCounters, ConnFigures};
use crate::http::counters::{ApiCounters, ApiFigures};
use crate::query::Answer;
use crate::router::Router;
use crate::telemetry::Exposition;
use crate::telemetry::process::ProcessFigures;

/// Answers that one core's clients may be waiting for at a time.
const REQUESTS_WAITING_MAX: usize = 64;

/// What queries cost on one core.
#[derive(Debug, Default)]
pub(super) struct QueryCounters {
    answered: Cell<u64>,
    samples: Cell<u64>,
    seconds: Cell<f64>,
    queued_seconds: Cell<f64>,
}

impl QueryCounters {
    pub(super) fn count(&self, answer: &Answer) {
        self.answered.set(self.answered.get() + 1);
        self.samples.set(self.samples.get() + answer.samples_read);
        let worked = answer.prepared + answer.evaluated;
        self.seconds.set(self.seconds.get() + worked.as_secs_f64());
        self.queued_seconds.set(self.queued_seconds.get() + answer.queued.as_secs_f64());
    }
}

/// The figures of one router core at one moment.
#[derive(Debug, Clone, Default)]
struct CoreFigures {
    api: ApiFigures,
    conn: ConnFigures,
    queries_answered: u64,
    query_samples: u64,
    query_seconds: f64,
    query_queued_seconds: f64,
}

impl CoreFigures {
    fn merge(&mut self, other: &Self) {
        self.api.merge(&other.api);
        self.conn.merge(&other.conn);
        self.queries_answered += other.queries_answered;
        self.query_samples += other.query_samples;
        self.query_seconds += other.query_seconds;
        self.query_queued_seconds += other.query_queued_seconds;
    }
}

/// A question for a core's figures.
type Ask = oneshot::Sender<CoreFigures>;

/// How to reach the figures of every router core; each core takes its own end.
#[derive(Clone)]
pub(super) struct FigureLinks {
    links: Vec<(Sender<Ask>, Receiver<Ask>)>,
}

impl FigureLinks {
    pub(super) fn new(router_cores: usize) -> Self {
        Self { links: (0..router_cores).map(|_| async_channel::bounded(REQUESTS_WAITING_MAX)).collect() }
    }
}

/// The live figures of one router core, and the way to those of the others.
pub(super) struct Figures {
    pub(super) api: Rc<ApiCounters>,
    pub(super) conn: Rc<ConnCounters>,
    pub(super) queries: QueryCounters,
    links: FigureLinks,
}

impl Figures {
    pub(super) fn new(links: FigureLinks) -> Rc<Self> {
        Rc::new(Self { api: Rc::default(), conn: Rc::default(), queries: QueryCounters::default(), links })
    }

    /// Answers what other cores ask of core number `core`, until the server stops.
    pub(super) async fn serve(self: Rc<Self>, core: usize) {
        let Some((_, asked)) = self.links.links.get(core) else { return };
        while let Ok(ask) = asked.recv().await {
            // Who asked may have gone.
            let _ = ask.send(self.snapshot());
        }
    }

    fn snapshot(&self) -> CoreFigures {
        CoreFigures {
            api: self.api.figures(),
            conn: self.conn.figures(),
            queries_answered: self.queries.answered.get(),
            query_samples: self.queries.samples.get(),
            query_seconds: self.queries.seconds.get(),
            query_queued_seconds: self.queries.queued_seconds.get(),
        }
    }

    async fn all_cores(&self) -> CoreFigures {
        let asked: Vec<_> = self
            .links
            .links
            .iter()
            .filter_map(|(link, _)| {
                let (ask, answer) = oneshot::async_channel();
                link.try_send(ask).ok().map(|()| answer)
            })
            .collect();
        let mut total = CoreFigures::default();
        for answer in asked {
            if let Ok(figures) = answer.await {
                total.merge(&figures);
            }
        }
        total
    }

    /// Everything in the text exposition format.
    pub(super) async fn text(&self, router: &Router) -> String {
        let cores = self.all_cores().await;
        let shards = router.metrics().await;
        let mut exposition = Exposition::new();
        ProcessFigures::read().expose(&mut exposition);
        router.ingest_figures().await.expose(&mut exposition);
        expose_queries(&mut exposition, &cores);
        expose_shards(&mut exposition, &shards);
        let mut text = exposition.finish();
        cores.api.put_text(&mut text);
        cores.conn.put_text(&mut text);
        text
    }
}

fn expose_queries(exposition: &mut Exposition, cores: &CoreFigures) {
    exposition.counter("tsdb_query_answered_total", "Queries answered.").count(&[], cores.queries_answered);
    exposition
        .counter("tsdb_query_samples_read_total", "Samples read for queries.")
        .count(&[], cores.query_samples);
    exposition
        .counter("tsdb_query_seconds_total", "Time spent on queries, waiting left out.")
        .sample(&[], cores.query_seconds);
    exposition
        .counter("tsdb_query_queued_seconds_total", "Time that queries waited for a free slot.")
        .sample(&[], cores.query_queued_seconds);
}

/// One family of the shards' figures: name, help, whether it only grows, and its value.
type ShardFamily = (&'static str, &'static str, bool, fn(&ShardMetrics) -> u64);

const SHARD_FAMILIES: &[ShardFamily] = &[
    ("tsdb_registry_series", "Series in memory.", false, |m| m.series),
    ("tsdb_registry_series_created_total", "Series seen for the first time.", true, |m| m.series_created),
    ("tsdb_registry_bytes", "Memory of series, labels and posting lists.", false, |m| m.registry_bytes),
    ("tsdb_registry_metadata_entries", "Metric families with metadata.", false, |m| m.metadata_entries),
    ("tsdb_registry_metadata_refused_total", "Metadata over a limit.", true, |m| m.metadata_refused),
    ("tsdb_memtable_bytes", "Memory of samples.", false, |m| m.memtable_bytes),
    ("tsdb_memtable_samples", "Samples in memory.", false, |m| m.memtable_samples),
    ("tsdb_shard_samples_stored_total", "Samples stored.", true, |m| m.samples_stored),
    ("tsdb_shard_samples_duplicate_total", "Samples that were there already.", true, |m| m.samples_duplicate),
    ("tsdb_shard_samples_replaced_total", "Samples that replaced a value.", true, |m| m.samples_replaced),
    ("tsdb_shard_samples_out_of_order_total", "Samples older than the newest of their series.", true, |m| {
        m.samples_out_of_order
    }),
    ("tsdb_shard_selects_total", "Reads begun.", true, |m| m.selects),
    ("tsdb_shard_select_series_total", "Series read.", true, |m| m.select_series),
    ("tsdb_shard_select_samples_total", "Samples read.", true, |m| m.select_samples),
    ("tsdb_flushes_total", "Flushes of the memtable.", true, |m| m.flushes),
    ("tsdb_flush_failures_total", "Flushes that failed and are tried again.", true, |m| m.flush_failures),
    ("tsdb_flush_samples_total", "Samples flushed.", true, |m| m.flushed_samples),
    ("tsdb_flush_bytes_total", "Bytes of runs flushed.", true, |m| m.flushed_bytes),
    ("tsdb_compactions_total", "Merges of parts.", true, |m| m.merges),
    ("tsdb_compaction_failures_total", "Merges that failed.", true, |m| m.merge_failures),
    ("tsdb_compaction_samples_total", "Samples written by merges.", true, |m| m.merge_samples),
    ("tsdb_compaction_read_bytes_total", "Bytes of chunks read by merges.", true, |m| m.merge_bytes_read),
    ("tsdb_compaction_written_bytes_total", "Bytes of parts written by merges.", true, |m| {
        m.merge_bytes_written
    }),
    ("tsdb_runs", "Runs on disk.", false, |m| m.runs),
    ("tsdb_run_bytes", "Bytes of runs.", false, |m| m.run_bytes),
    ("tsdb_blocks", "Blocks on disk.", false, |m| m.blocks),
    ("tsdb_block_bytes", "Bytes of blocks.", false, |m| m.block_bytes),
    ("tsdb_part_samples", "Samples in runs and blocks.", false, |m| m.part_samples),
    ("tsdb_part_memory_bytes", "Memory of open runs and blocks, the cache aside.", false, |m| {
        m.part_memory_bytes
    }),
    ("tsdb_parts_expired_total", "Runs and blocks dropped by retention.", true, |m| m.parts_expired),
    ("tsdb_parts_quarantined", "Runs and blocks put aside because of damage.", false, |m| {
        m.parts_quarantined
    }),
    ("tsdb_damage_found_total", "Places of damage found in files.", true, |m| m.damage_found),
    ("tsdb_deletes_pending", "Deletes not yet carried out on everything on disk.", false, |m| {
        m.deletes_pending
    }),
    ("tsdb_registry_series_forgotten_total", "Series without data that left memory.", true, |m| {
        m.series_forgotten
    }),
    ("tsdb_series_table_bytes", "Bytes of the series table.", false, |m| m.series_file_bytes),
    ("tsdb_disk_reserve_bytes", "Room kept on the disk.", false, |m| m.reserve_bytes),
    ("tsdb_disk_full", "1 while the disk is full.", false, |m| u64::from(m.disk_full)),
    ("tsdb_cache_bytes", "Memory of the cache.", false, |m| m.cache.bytes),
    ("tsdb_cache_hits_total", "Pieces found in the cache.", true, |m| m.cache.hits),
    ("tsdb_cache_misses_total", "Pieces read from disk.", true, |m| m.cache.misses),
    ("tsdb_wal_commits_total", "Group commits.", true, |m| m.wal.commits),
    ("tsdb_wal_frames_total", "Frames written to the log.", true, |m| m.wal.frames),
    ("tsdb_wal_payload_bytes_total", "Bytes of records written to the log.", true, |m| m.wal.payload_bytes),
    ("tsdb_wal_written_bytes_total", "Bytes written to the log, padding included.", true, |m| {
        m.wal.written_bytes
    }),
    ("tsdb_wal_failed_writes_total", "Writes to the log that failed.", true, |m| m.wal.failed_writes),
    ("tsdb_wal_segments", "Log segments in use.", false, |m| m.wal.segments),
    ("tsdb_wal_segment_bytes", "Bytes of log segment files.", false, |m| m.wal.segment_bytes),
    ("tsdb_wal_pending_bytes", "Bytes that wait to be written to the log.", false, |m| m.wal.pending_bytes),
    ("tsdb_wal_replayed_frames", "Frames read at the start.", false, |m| m.replay.frames),
    ("tsdb_wal_replayed_bytes", "Bytes of records read at the start.", false, |m| m.replay.bytes),
    ("tsdb_wal_damaged_frames", "Places of damage found at the start.", false, |m| m.replay.damaged_frames),
    ("tsdb_wal_missing_frames", "Frames found missing at the start.", false, |m| m.replay.missing_frames),
    ("tsdb_wal_damaged_segments", "Unreadable segments found at the start.", false, |m| {
        m.replay.damaged_segments
    }),
];

fn expose_shards(exposition: &mut Exposition, shards: &[(u16, ShardMetrics)]) {
    for (name, help, grows, value) in SHARD_FAMILIES {
        let mut family = if *grows { exposition.counter(name, help) } else { exposition.gauge(name, help) };
        for (shard, metrics) in shards {
            family.count(&[("shard", &shard.to_string())], value(metrics));
        }
    }
}
