//! XOR chunks: append in order of arrival and decode into columns, for values of several kinds.
//! Columns: encode with either effort and decode, for values and timestamps. Histograms.
//!
//! `cargo bench --bench chunk`

#![allow(clippy::unwrap_used, reason = "a bench may stop where it stands")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shards::chunk::column::{Decoder, Effort, Encoder};
use shards::chunk::{
    CHUNK_SAMPLES_MAX, ChunkBuilder, XorAppender, decode_histograms, decode_words, encode_histograms,
};
use shards::model::{CounterReset, Counts, NativeHistogram, Span};

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

/// Samples of a column: two hours at 15 s.
const COLUMN_LEN: usize = 480;
const COLUMNS: usize = 100;

/// What values of columns are like.
/// A kind of column: its name, and how a value follows from the one before.
type ColumnKind = (&'static str, fn(&mut Random, &mut f64) -> f64);

const COLUMN_KINDS: [ColumnKind; 7] = [
    ("rate", |_, state| {
        *state += 15.0;
        *state
    }),
    ("rare", |random, state| {
        *state += if random.next().is_multiple_of(40) { 1.0 } else { 0.0 };
        *state
    }),
    ("counter", |random, state| {
        *state += (random.next() % 1000) as f64;
        *state
    }),
    ("decimal", |random, _| (random.next() % 10_000) as f64 / 100.0),
    ("sum", |random, state| {
        *state += (random.next() % 1_000_000) as f64 * 1e-9;
        *state
    }),
    ("levels", |random, _| [4096.0, 1e6, 77.0, 123_456.0][random.next() as usize % 4]),
    ("random", |random, _| (random.next() >> 11) as f64 / 9.007e15),
];

fn columns(c: &mut Criterion) {
    let elements = Throughput::Elements((COLUMNS * COLUMN_LEN) as u64);
    for (name, kind) in COLUMN_KINDS {
        let mut random = Random(7);
        let columns: Vec<Vec<f64>> = (0..COLUMNS)
            .map(|_| {
                let mut state = (random.next() % 100_000) as f64;
                (0..COLUMN_LEN).map(|_| kind(&mut random, &mut state)).collect()
            })
            .collect();
        for effort in [Effort::Fast, Effort::Best] {
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let mut group = c.benchmark_group(format!("column/{effort:?}"));
            group.throughput(elements.clone());
            let encoded: Vec<Vec<u8>> = columns
                .iter()
                .map(|values| {
                    let mut bytes = Vec::new();
                    encoder.encode_values(values, effort, &mut bytes);
                    bytes
                })
                .collect();
            let len: usize = encoded.iter().map(Vec::len).sum();
            println!(
                "column/{effort:?}/{name}: {:.3} bytes a sample",
                len as f64 / (COLUMNS * COLUMN_LEN) as f64
            );
            let mut bytes = Vec::new();
            group.bench_function(BenchmarkId::new("encode", name), |b| {
                b.iter(|| {
                    bytes.clear();
                    columns.iter().for_each(|values| encoder.encode_values(values, effort, &mut bytes));
                    black_box(&bytes);
                });
            });
            let mut values = Vec::new();
            group.bench_function(BenchmarkId::new("decode", name), |b| {
                b.iter(|| {
                    for bytes in &encoded {
                        values.clear();
                        decoder.decode_values(bytes, COLUMN_LEN, &mut values).unwrap();
                        black_box(&values);
                    }
                });
            });
            group.finish();
        }
    }
}

fn timestamps(c: &mut Criterion) {
    let mut random = Random(7);
    let times: Vec<i64> = (0..COLUMN_LEN as i64)
        .map(|step| START_MS + step * INTERVAL_MS + (random.next() % 5) as i64)
        .collect();
    for effort in [Effort::Fast, Effort::Best] {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        let mut group = c.benchmark_group(format!("column/{effort:?}"));
        group.throughput(Throughput::Elements(COLUMN_LEN as u64));
        let mut bytes = Vec::new();
        group.bench_function("encode/timestamps", |b| {
            b.iter(|| {
                bytes.clear();
                encoder.encode_timestamps(&times, effort, &mut bytes);
                black_box(&bytes);
            });
        });
        let mut read = Vec::new();
        group.bench_function("decode/timestamps", |b| {
            b.iter(|| {
                decoder.decode_timestamps(&bytes, COLUMN_LEN, &mut read).unwrap();
                black_box(&read);
            });
        });
        let sample = bytes.len() as f64 / COLUMN_LEN as f64;
        println!("column/{effort:?}/timestamps: {sample:.3} bytes a sample");
        group.finish();
    }
}

fn histograms(c: &mut Criterion) {
    let mut random = Random(7);
    let mut positive = vec![0u64; 20];
    let samples: Vec<(i64, NativeHistogram)> = (0..COLUMN_LEN as i64)
        .map(|step| {
            positive.iter_mut().for_each(|count| *count += random.next() % 10);
            let count = positive.iter().sum();
            let counts =
                Counts::Integer { count, zero_count: 0, positive: positive.clone(), negative: Vec::new() };
            let histogram = NativeHistogram {
                schema: 3,
                zero_threshold: 1e-128,
                sum: count as f64 * 0.25,
                counter_reset: CounterReset::NotReset,
                positive_spans: vec![Span { offset: -4, len: 20 }],
                negative_spans: Vec::new(),
                custom_bounds: Vec::new(),
                counts,
            };
            (START_MS + step * INTERVAL_MS, histogram)
        })
        .collect();
    let mut group = c.benchmark_group("histogram");
    group.throughput(Throughput::Elements(COLUMN_LEN as u64));
    let mut bytes = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            bytes.clear();
            encode_histograms(&samples, &mut bytes).unwrap();
            black_box(&bytes);
        });
    });
    group.bench_function("decode", |b| b.iter(|| black_box(decode_histograms(&bytes).unwrap())));
    println!("histogram: {:.2} bytes each", bytes.len() as f64 / COLUMN_LEN as f64);
    group.finish();
}

criterion_group!(benches, append, decode, columns, timestamps, histograms);
criterion_main!(benches);
