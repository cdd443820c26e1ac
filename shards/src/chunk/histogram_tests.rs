//! Round trips of histograms, damage to them, and their bytes.

use super::*;
use crate::model::histogram::SCHEMA_CUSTOM;
use proptest::prelude::*;

/// A histogram whose counts follow from `seed` and grow with `index`.
fn histogram(layout: u8, index: u64, seed: u64) -> NativeHistogram {
    let (spans, negative_spans) = match layout % 3 {
        0 => {
            (vec![Span { offset: -3, len: 4 }, Span { offset: 2, len: 3 }], vec![Span { offset: 0, len: 2 }])
        }
        1 => (vec![Span { offset: 0, len: 3 }], Vec::new()),
        _ => (Vec::new(), Vec::new()),
    };
    let buckets = |spans: &[Span], salt: u64| -> Vec<u64> {
        let count = spans.iter().map(|span| u64::from(span.len)).sum::<u64>();
        (0..count).map(|bucket| index * (bucket + salt) + (seed >> (bucket * 3 + salt)) % 7).collect()
    };
    let custom = layout.is_multiple_of(5) && negative_spans.is_empty();
    let zero_count = if custom { 0 } else { index + seed % 3 };
    let (positive, negative) = (buckets(&spans, 1), buckets(&negative_spans, 5));
    let count = zero_count + positive.iter().chain(&negative).sum::<u64>();
    let floats = |counts: &[u64]| counts.iter().map(|count| *count as f64 / 4.0).collect();
    let counts = if layout < 4 {
        Counts::Integer { count, zero_count, positive, negative }
    } else {
        let (positive, negative) = (floats(&positive), floats(&negative));
        Counts::Float { count: count as f64 / 4.0, zero_count: zero_count as f64 / 4.0, positive, negative }
    };
    NativeHistogram {
        schema: if custom { SCHEMA_CUSTOM } else { 3 },
        zero_threshold: if custom { 0.0 } else { 2.938_735_877_055_719e-39 },
        sum: index as f64 * 0.25 + (seed % 100) as f64 / 8.0,
        counter_reset: if layout.is_multiple_of(2) { CounterReset::NotReset } else { CounterReset::Gauge },
        positive_spans: spans,
        negative_spans,
        custom_bounds: if custom { vec![0.1, 0.5, 2.5] } else { Vec::new() },
        counts,
    }
}

fn series() -> impl Strategy<Value = Vec<(i64, NativeHistogram)>> {
    let runs = proptest::collection::vec(
        (0u8..8, proptest::collection::vec((1i64..20_000, any::<u64>()), 1..60)),
        1..5,
    );
    runs.prop_map(|runs| {
        let (mut time, mut index) = (1_700_000_000_000, 0);
        let mut samples = Vec::new();
        for (layout, steps) in runs {
            for (step, seed) in steps {
                time += step;
                index += 1;
                samples.push((time, histogram(layout, index, seed)));
            }
        }
        samples
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn histograms_round_trip(samples in series()) {
        for (_, histogram) in &samples {
            prop_assert_eq!(histogram.validate(), Ok(()));
        }
        let mut bytes = Vec::new();
        encode_histograms(&samples, &mut bytes).unwrap();
        prop_assert_eq!(&decode_histograms(&bytes).unwrap(), &samples);
        for cut in [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            prop_assert!(decode_histograms(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn damage_is_decoded_or_refused(samples in series(), place: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = Vec::new();
        encode_histograms(&samples, &mut bytes).unwrap();
        let index = place.index(bytes.len());
        bytes[index] ^= 1 << bit;
        let _ = decode_histograms(&bytes);
    }

    #[test]
    fn noise_is_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_histograms(&bytes);
        bytes.splice(0..0, [1, 1, 4, 0, 0, 0, 0, 1, 7]);
        let _ = decode_histograms(&bytes);
    }
}

#[test]
fn what_is_not_allowed_is_refused() {
    let mut out = Vec::new();
    assert_eq!(encode_histograms(&[], &mut out), Err(ChunkError::Empty));
    let twice = [(5, histogram(0, 1, 1)), (5, histogram(0, 2, 2))];
    assert_eq!(encode_histograms(&twice, &mut out), Err(ChunkError::Unordered));
    let mut bad = histogram(0, 1, 1);
    bad.schema = 100;
    assert_eq!(encode_histograms(&[(1, bad)], &mut out), Err(ChunkError::BadHistogram));
}

#[test]
fn regular_histograms_are_small() {
    let samples: Vec<_> = (0..480).map(|index| (index * 15_000, histogram(0, index as u64, 0))).collect();
    let mut bytes = Vec::new();
    encode_histograms(&samples, &mut bytes).unwrap();
    assert!(bytes.len() < 200, "{} bytes", bytes.len());
}

#[test]
fn a_stale_marker_round_trips() {
    let mut stale = histogram(2, 0, 0);
    stale.sum = crate::model::stale_nan();
    let samples = [(1, histogram(0, 1, 1)), (2, stale)];
    let mut bytes = Vec::new();
    encode_histograms(&samples, &mut bytes).unwrap();
    assert_eq!(decode_histograms(&bytes).unwrap(), samples);
}

#[test]
fn encoding_is_part_of_the_disk_contract() {
    let mut bytes = Vec::new();
    let samples = [(1000, histogram(1, 1, 9)), (16_000, histogram(1, 2, 8)), (31_000, histogram(5, 3, 7))];
    encode_histograms(&samples, &mut bytes).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "0103094001d00f987501020209410103be157d010202020603000000000000f0370100030000064001160900020640010203000204000a000206400104020002064001060300020107cb000000000000000000000308410101020403022801070107"
    );
}
