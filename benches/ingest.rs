//! Decoding of write bodies, in samples a second: the whole, and its parts alone.
//!
//! `cargo bench --bench ingest`
//!
//! Bodies hold 2,000 series with ten labels each, as a collector of node metrics sends them: one
//! sample a series (live traffic) or twenty (a sender that catches up). They are made with a fixed
//! seed and take turns, so that none is in the cache from the round before.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shards::codec::varint::put_uvarint;
use shards::model::label::put_label;
use shards::model::{KeyHasher, SampleBatch};
use tsdb::ingest::text::{TextOptions, decode as decode_text};
use tsdb::ingest::{BatchBuilder, DecodeLimits, Decoder};

/// As in the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BODIES: u64 = 16;
const SERIES: u64 = 2_000;

/// A small generator of numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn labels(index: u64, random: &mut Random) -> Vec<(String, String)> {
    const SUBSYSTEMS: [&str; 6] = [
        "cpu_seconds",
        "disk_io_time_seconds",
        "network_receive_bytes",
        "filesystem_avail_bytes",
        "memory_cached_bytes",
        "netstat_tcp_segments",
    ];
    let host = index / 400;
    let pairs = [
        ("__name__", format!("node_{}_total", SUBSYSTEMS[(index % 6) as usize])),
        ("cluster", "prod-eu-west-1".into()),
        ("cpu", (index % 64).to_string()),
        ("device", format!("nvme{}n1", index % 8)),
        ("env", "production".into()),
        ("instance", format!("host-{host:05}.example.net:9100")),
        ("job", "node-exporter".into()),
        ("mode", ["idle", "user", "system", "iowait"][(index % 4) as usize].into()),
        ("rack", format!("r{:02}", host % 40)),
        ("uid", format!("{:016x}", random.below(1 << 30) << 30 | random.below(1 << 30))),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    put_uvarint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Bodies before compression.
fn bodies(samples: u64) -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let one = |body: u64, random: &mut Random| {
        let mut out = Vec::new();
        for series in 0..SERIES {
            let mut message = Vec::new();
            for (name, value) in labels(body * SERIES + series, random) {
                put_label(&mut message, &name, &value);
            }
            for sample in 0..samples {
                let mut content = vec![0x09];
                let value = random.below(1 << 24) as f64 / 8.0;
                content.extend_from_slice(&value.to_bits().to_le_bytes());
                content.push(0x10);
                put_uvarint(&mut content, 1_790_000_000_000 + sample * 15_000);
                field(&mut message, 2, &content);
            }
            field(&mut out, 1, &message);
        }
        out
    };
    (0..BODIES).map(|body| one(body, &mut random)).collect()
}

fn compress(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap_or_default()
}

fn remote_write(criterion: &mut Criterion) {
    for samples in [1, 20] {
        let plain = bodies(samples);
        let packed: Vec<_> = plain.iter().map(|body| compress(body)).collect();
        let mut group = criterion.benchmark_group(format!("remote_write/{samples}_per_series"));
        group.throughput(Throughput::Elements(SERIES * samples));

        for shards in [1, 2, 8] {
            let mut decoder = Decoder::new(KeyHasher::new(1), shards, DecodeLimits::default());
            let mut turn = packed.iter().cycle();
            group.bench_function(BenchmarkId::new("whole", format!("{shards}_shards")), |bencher| {
                bencher.iter(|| turn.next().map(|body| black_box(decoder.decode(body))));
            });
        }

        let mut snappy = snap::raw::Decoder::new();
        let mut out = vec![0; plain.iter().map(Vec::len).max().unwrap_or_default()];
        let mut turn = packed.iter().cycle();
        group.bench_function("snappy_alone", |bencher| {
            bencher.iter(|| turn.next().map(|body| black_box(snappy.decompress(body, &mut out))));
        });

        let hasher = KeyHasher::new(1);
        let mut decoder = Decoder::new(hasher.clone(), 1, DecodeLimits::default());
        let staged: Vec<SampleBatch> = packed
            .iter()
            .filter_map(|body| decoder.decode(body).ok())
            .flat_map(|request| request.batches)
            .collect();
        let mut turn = staged.iter().cycle();
        group.bench_function("hash_alone", |bencher| {
            bencher.iter(|| {
                let batch = turn.next();
                batch.map(|batch| {
                    batch.series().map(|series| hasher.key(series.labels).0).fold(0, |a, b| a ^ b)
                })
            });
        });
        group.finish();
    }
}

fn text(criterion: &mut Criterion) {
    let mut random = Random(7);
    let mut text = String::new();
    for index in 0..SERIES {
        let labels = labels(index, &mut random);
        let pairs: Vec<_> =
            labels.iter().skip(1).map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        text.push_str(&format!("{}{{{}}} {}\n", labels[0].1, pairs.join(","), random.below(1 << 24)));
    }
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Elements(SERIES));
    group.bench_function("exposition", |bencher| {
        bencher.iter(|| {
            let mut builder = BatchBuilder::new(KeyHasher::new(1), 2);
            let result = decode_text(text.as_bytes(), TextOptions::default(), &mut builder);
            black_box((result, builder.finish()))
        });
    });
    group.finish();
}

criterion_group!(benches, remote_write, text);
criterion_main!(benches);
