//! Remote-write bodies, compressed and not: no panic, and what is staged is consistent.
//!
//! The first byte chooses whether the rest is a snappy block as it is or is compressed first, so that
//! the protobuf walk is reached without the fuzzer having to learn snappy.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shards::model::{KeyHasher, Labels};
use tsdb::ingest::{DecodeLimits, Decoder, canonicalise};

const SHARDS: u16 = 3;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    let hasher = KeyHasher::new(1);
    let mut decoder = Decoder::new(hasher.clone(), SHARDS, DecodeLimits::default());
    let result = if *first == 0 {
        decoder.decode(rest)
    } else {
        let Ok(body) = snap::raw::Encoder::new().compress_vec(rest) else { return };
        decoder.decode(&body)
    };
    let Ok(request) = result else { return };
    let mut samples = 0;
    for (shard, batch) in request.batches.iter().enumerate() {
        for series in batch.series() {
            assert_eq!(series.key, hasher.key(series.labels));
            assert_eq!(series.key.shard(SHARDS).index(), shard);
            assert_eq!(series.timestamps_ms.len(), series.values.len());
            assert!(!series.values.is_empty());
            samples += series.values.len() as u64;
            let canonical = canonicalise(series.labels);
            if let Ok(labels) = Labels::from_canonical(series.labels)
                && let Ok(bytes) = &canonical
            {
                assert_eq!(labels.as_bytes(), &bytes[..], "canonical bytes stay as they are");
            }
            if let Ok(bytes) = canonical {
                assert!(Labels::from_canonical(&bytes).is_ok());
            }
        }
    }
    assert_eq!(samples, request.samples);
    assert!(request.refused.to_string().len() < 8192);
});
