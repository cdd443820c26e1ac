//! What a shard does in memory for a batch: look series up by key and append their samples, in
//! stages and one by one, at half a million series in random order; and what it does for a new
//! series. Ends with the bytes a series takes after six samples, counted and resident.
//!
//! `cargo bench --bench memtable`

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use shards::memtable::Memtable;
use shards::model::label::put_label;
use shards::model::{KeyHasher, MatchOp, Matcher, SeriesKey, SeriesRef, TimeRange};
use shards::registry::Registry;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERIES: usize = 500_000;
const METRICS: usize = 500;
const BATCH: usize = 2000;
const SCRAPES: i64 = 6;
const MORE_SCRAPES: i64 = 24;
const INTERVAL_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;

fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Ten labels as a fleet of hosts has them.
fn label_bytes(series: usize, out: &mut Vec<u8>) {
    let (host, metric) = (series / METRICS, series % METRICS);
    out.clear();
    put_label(out, "__name__", &format!("node_subsystem_{metric:03}_seconds_total"));
    put_label(out, "arch", if host.is_multiple_of(3) { "arm64" } else { "x86_64" });
    put_label(out, "cluster", &format!("cluster-{}", host % 7));
    put_label(out, "cpu", &format!("{}", metric % 32));
    put_label(out, "env", if host.is_multiple_of(10) { "staging" } else { "production" });
    put_label(out, "instance", &format!("host-{host:05}.example.com:9100"));
    put_label(out, "job", "node-exporter");
    put_label(out, "rack", &format!("rack-{}", host % 40));
    put_label(out, "region", &format!("region-{}", host % 5));
    put_label(out, "team", &format!("team-{}", metric % 12));
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn per_item(what: &str, elapsed: Duration, items: usize) {
    println!("{what:<52} {:>8.1} ns", elapsed.as_nanos() as f64 / items as f64);
}

/// Values of mixed kinds: constants, counters, gauges with two decimals.
fn value_of(series: usize, scrape: i64, random: &mut u64) -> f64 {
    match series % 4 {
        0 => (series % 1000) as f64,
        1 | 2 => (scrape * 40) as f64 + (next_random(random) % 40) as f64,
        _ => (next_random(random) % 10_000) as f64 / 100.0,
    }
}

struct Batches {
    keys: Vec<SeriesKey>,
    timestamps_ms: Vec<i64>,
    values: Vec<f64>,
}

fn scrape(keys: &[SeriesKey], order: &[u32], scrape: i64, random: &mut u64) -> Batches {
    Batches {
        keys: order.iter().map(|series| keys[*series as usize]).collect(),
        timestamps_ms: vec![START_MS + scrape * INTERVAL_MS; order.len()],
        values: order.iter().map(|series| value_of(*series as usize, scrape, random)).collect(),
    }
}

fn staged(registry: &Registry, memtable: &mut Memtable, batch: &Batches) -> (Duration, Duration) {
    let (mut found, mut refs, mut appended) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lookup, mut append) = (Duration::ZERO, Duration::ZERO);
    let columns =
        batch.keys.chunks(BATCH).zip(batch.timestamps_ms.chunks(BATCH)).zip(batch.values.chunks(BATCH));
    for ((keys, timestamps_ms), values) in columns {
        let start = Instant::now();
        registry.lookup_many(keys, &mut found);
        refs.clear();
        refs.extend(found.iter().flatten().copied());
        lookup += start.elapsed();
        let start = Instant::now();
        memtable.append_many(&refs, timestamps_ms, values, &mut appended);
        black_box(&appended);
        append += start.elapsed();
    }
    (lookup, append)
}

fn naive(registry: &Registry, memtable: &mut Memtable, batch: &Batches) -> Duration {
    let start = Instant::now();
    for ((key, timestamp_ms), value) in batch.keys.iter().zip(&batch.timestamps_ms).zip(&batch.values) {
        if let Some(series) = registry.find(*key) {
            black_box(memtable.append(series, *timestamp_ms, *value));
        }
    }
    start.elapsed()
}

fn main() {
    let before = resident_bytes();
    let hasher = KeyHasher::new(1);
    let mut random = 9;
    let mut order: Vec<u32> = (0..SERIES as u32).collect();
    for index in (1..SERIES).rev() {
        order.swap(index, (next_random(&mut random) % (index as u64 + 1)) as usize);
    }
    let mut keys = vec![SeriesKey(0); SERIES];
    let mut bytes = Vec::new();
    for (series, key) in keys.iter_mut().enumerate() {
        label_bytes(series, &mut bytes);
        *key = hasher.key(&bytes);
    }
    let prepared = resident_bytes();

    let mut registry = Registry::new();
    let mut new_series = Duration::ZERO;
    for (series, key) in keys.iter().enumerate() {
        label_bytes(series, &mut bytes);
        let start = Instant::now();
        black_box(registry.insert(*key, &bytes)).unwrap();
        new_series += start.elapsed();
    }
    per_item("new series", new_series, SERIES);
    let registered = resident_bytes();

    let mut memtable = Memtable::new();
    for step in 0..SCRAPES {
        let batch = scrape(&keys, &order, step, &mut random);
        let (lookup, append) = staged(&registry, &mut memtable, &batch);
        per_item(&format!("scrape {step}: staged lookup"), lookup, SERIES);
        per_item(&format!("scrape {step}: staged append"), append, SERIES);
    }
    let parts = registry.memory();
    let samples = resident_bytes() - registered;
    println!("\nbytes a series, {SERIES} series of 10 labels after {SCRAPES} samples:");
    let row = |what: &str, bytes: usize| println!("  {what:<40} {:>8.1}", bytes as f64 / SERIES as f64);
    row("pairs (counted)", parts.pairs);
    row("keys and label lists (counted)", parts.series);
    row("key table (counted)", parts.table);
    row("posting lists (counted)", parts.postings);
    row("registry and index (counted)", parts.total());
    row("registry and index (resident)", registered - prepared);
    row("memtable (counted)", memtable.memory_bytes());
    row("memtable and batches (resident)", samples);
    row("bench itself (resident)", prepared - before);
    println!();

    let (mut lookup, mut append) = (Duration::ZERO, Duration::ZERO);
    for step in SCRAPES..SCRAPES + MORE_SCRAPES {
        let batch = scrape(&keys, &order, step, &mut random);
        let (one, other) = staged(&registry, &mut memtable, &batch);
        lookup += one;
        append += other;
    }
    per_item("staged lookup, random order", lookup, SERIES * MORE_SCRAPES as usize);
    per_item("staged append, random order", append, SERIES * MORE_SCRAPES as usize);
    let mut elapsed = Duration::ZERO;
    for step in SCRAPES + MORE_SCRAPES..SCRAPES + 2 * MORE_SCRAPES {
        elapsed += naive(&registry, &mut memtable, &scrape(&keys, &order, step, &mut random));
    }
    per_item("naive lookup and append, random order", elapsed, SERIES * MORE_SCRAPES as usize);
    let bytes_a_sample = memtable.memory_bytes() as f64 / memtable.samples() as f64;
    println!(
        "memtable: {bytes_a_sample:.2} bytes a sample at {} samples a series",
        memtable.samples() / SERIES as u64
    );
    reads(&registry, &memtable);
}

fn reads(registry: &Registry, memtable: &Memtable) {
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for series in 0..SERIES as u32 {
        timestamps.clear();
        values.clear();
        memtable.read(SeriesRef(series), TimeRange::ALL, &mut timestamps, &mut values);
        black_box((&timestamps, &values));
    }
    per_item("read, per sample", start.elapsed(), memtable.samples() as usize);
    let matcher = |op, name: &str, value: &str| Matcher::new(op, name, value).unwrap();
    let name = matcher(MatchOp::Equal, "__name__", "node_subsystem_007_seconds_total");
    let selections = [
        ("name", vec![name.clone()]),
        ("name and region", vec![name.clone(), matcher(MatchOp::Equal, "region", "region-3")]),
        (
            "name, not staging, cpu=~.+",
            vec![
                name.clone(),
                matcher(MatchOp::NotEqual, "env", "staging"),
                matcher(MatchOp::Regex, "cpu", ".+"),
            ],
        ),
        ("name, instance=~pattern", vec![name, matcher(MatchOp::Regex, "instance", "host-0+[1-4]2.*:9100")]),
        ("instance=~pattern", vec![matcher(MatchOp::Regex, "instance", "host-0+[1-4]2.*:9100")]),
        ("name=~prefix", vec![matcher(MatchOp::Regex, "__name__", "node_subsystem_0.*")]),
    ];
    for (what, matchers) in selections {
        let start = Instant::now();
        let selected = registry.select(&matchers);
        println!(
            "select {what:<45} {:>8.1} us, {} series",
            start.elapsed().as_secs_f64() * 1e6,
            selected.len()
        );
    }
    let start = Instant::now();
    let mut labels = Vec::new();
    for (series, _) in registry.iter() {
        labels.clear();
        registry.labels_into(series, &mut labels);
        black_box(&labels);
    }
    per_item("labels of a series", start.elapsed(), SERIES);
}
