//! XOR chunks: append in order of arrival and decode into columns, for values of several kinds.
//!
//! `cargo bench --bench chunk`

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shards::chunk::{CHUNK_SAMPLES_MAX, ChunkBuilder, XorAppender, decode_words};

const INTERVAL_MS: i64 = 15_000;
const START_MS: i64 = 1_700_000_000_000;
const SERIES: usize = 1000;

/// Small generator with a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Constant,
    Counter,
    Gauge,
    Random,
}

const KINDS: [(&str, Kind); 4] = [
    ("constant", Kind::Constant),
    ("counter", Kind::Counter),
    ("gauge", Kind::Gauge),
    ("random", Kind::Random),
];

/// One chunk of samples; every fourth timestamp is off by a few milliseconds.
fn samples(kind: Kind, random: &mut Random) -> Vec<(i64, f64)> {
    let mut value = (random.next() % 100_000) as f64;
    (0..i64::from(CHUNK_SAMPLES_MAX))
        .map(|step| {
            let jitter = if random.next().is_multiple_of(4) { (random.next() % 5) as i64 } else { 0 };
            match kind {
                Kind::Constant => {}
                Kind::Counter => value += (random.next() % 100) as f64,
                Kind::Gauge => value = (random.next() % 10_000) as f64 / 100.0,
                Kind::Random => value = (random.next() >> 11) as f64 / 9.007e15,
            }
            (START_MS + step * INTERVAL_MS + jitter, value)
        })
        .collect()
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunk/append");
    group.throughput(Throughput::Elements(SERIES as u64 * u64::from(CHUNK_SAMPLES_MAX)));
    for (name, kind) in KINDS {
        let mut random = Random(7);
        let columns: Vec<_> = (0..SERIES).map(|_| samples(kind, &mut random)).collect();
        // One sample of every series, then the next of every series: as scrapes arrive.
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                let mut words = 0;
                let mut chunks: Vec<_> = columns
                    .iter()
                    .map(|samples| XorAppender::start(samples[0].0, samples[0].1.to_bits(), |_, _| {}))
                    .collect();
                for step in 1..usize::from(CHUNK_SAMPLES_MAX) {
                    for (chunk, samples) in chunks.iter_mut().zip(&columns) {
                        let (timestamp_ms, value) = samples[step];
                        chunk.append(timestamp_ms, value.to_bits(), |_, word| words ^= word);
                    }
                }
                black_box((words, chunks))
            });
        });
    }
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunk/decode");
    group.throughput(Throughput::Elements(SERIES as u64 * u64::from(CHUNK_SAMPLES_MAX)));
    for (name, kind) in KINDS {
        let mut random = Random(7);
        let mut bits = 0;
        let chunks: Vec<_> = (0..SERIES)
            .map(|_| {
                let mut builder = ChunkBuilder::new();
                for (timestamp_ms, value) in samples(kind, &mut random) {
                    builder.append(timestamp_ms, value);
                }
                let len_bits = builder.len_bits();
                bits += len_bits;
                (builder.finish(), len_bits)
            })
            .collect();
        let bytes = bits as f64 / 8.0 / (SERIES as f64 * f64::from(CHUNK_SAMPLES_MAX));
        println!("chunk/decode/{name}: {bytes:.2} bytes a sample");
        let (mut timestamps, mut values) = (Vec::new(), Vec::new());
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                for (words, len_bits) in &chunks {
                    timestamps.clear();
                    values.clear();
                    let count = u16::from(CHUNK_SAMPLES_MAX);
                    decode_words(words, *len_bits, count, &mut timestamps, &mut values).unwrap();
                    black_box((&timestamps, &values));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, decode);
criterion_main!(benches);
