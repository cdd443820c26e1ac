//! Round trips of every kind of column, damage to them, and the bytes of each encoding.

use super::*;
use crate::codec::crc::crc32c;
use crate::model::STALE_NAN_BITS;
use proptest::prelude::*;

const EFFORTS: [Effort; 2] = [Effort::Fast, Effort::Best];

fn bits_of(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn same(one: &PageSummary, other: &PageSummary) -> bool {
    let bits = |summary: &PageSummary| {
        let figures = [summary.first, summary.last, summary.min, summary.max];
        if summary.has_nan { [0; 4] } else { figures.map(f64::to_bits) }
    };
    let rest = |summary: &PageSummary| (summary.count, summary.has_nan, summary.ascending);
    bits(one) == bits(other) && rest(one) == rest(other)
}

fn encoded(values: &[f64], effort: Effort) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new().encode_values(values, effort, &mut bytes);
    bytes
}

fn encoded_times(times: &[i64], effort: Effort) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new().encode_timestamps(times, effort, &mut bytes);
    bytes
}

/// Everything that must hold of a column of values.
fn check_values(values: &[f64]) {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    // A first column leaves its traces in the scratch memory.
    encoder.encode_values(&[1.5, f64::NAN, 3.25, 1e300], Effort::Best, &mut Vec::new());
    for effort in EFFORTS {
        let mut bytes = vec![9];
        encoder.encode_values(values, effort, &mut bytes);
        let bytes = &bytes[1..];
        assert_eq!(bytes, encoded(values, effort));
        let mut read = vec![7.0];
        decoder.decode_values(bytes, values.len(), &mut read).unwrap();
        assert_eq!(bits_of(&read[1..]), bits_of(values));
        let pages = values.len().div_ceil(PAGE_LEN);
        for (start, end) in [(0, 1), (pages - 1, pages), (pages / 2, pages), (0, pages.div_ceil(2))] {
            if start < end {
                read.clear();
                decoder.decode_values_pages(bytes, values.len(), start..end, &mut read).unwrap();
                let wanted = &values[start * PAGE_LEN..values.len().min(end * PAGE_LEN)];
                assert_eq!(bits_of(&read), bits_of(wanted));
            }
        }
        check_picks(&mut decoder, bytes, values);
        let mut told = Vec::new();
        summaries(bytes, values.len(), &mut told).unwrap();
        assert_eq!(told.len(), pages);
        for (told, page) in told.iter().zip(values.chunks(PAGE_LEN)) {
            assert!(same(told, &PageSummary::of(page)), "{told:?} of {:?}", PageSummary::of(page));
        }
        for cut in [0, bytes.len() / 2, bytes.len() - 1] {
            read.truncate(1);
            let _ = decoder.decode_values(&bytes[..cut], values.len(), &mut read);
            assert!(read.len() == 1 || read.len() == 1 + values.len());
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        read.truncate(1);
        assert!(decoder.decode_values(&longer, values.len(), &mut read).is_err());
        assert_eq!(read.len(), 1);
    }
}

fn check_times(times: &[i64]) {
    for effort in EFFORTS {
        let bytes = encoded_times(times, effort);
        let mut read = vec![7];
        Decoder::new().decode_timestamps(&bytes, times.len(), &mut read).unwrap();
        assert_eq!(read, times);
        for cut in 0..bytes.len() {
            let outcome = Decoder::new().decode_timestamps(&bytes[..cut], times.len(), &mut read);
            assert!(outcome.is_ok() || read.is_empty());
        }
    }
}

/// Walks of whole steps, scaled in one of the ways in which values come about.
fn scaled_walk() -> impl Strategy<Value = Vec<f64>> {
    let steps = prop_oneof![
        proptest::collection::vec(0i64..100, 1..1500),
        proptest::collection::vec(-3i64..4, 1..1500),
        proptest::collection::vec(-1_000_000i64..1_000_000, 1..700),
        proptest::collection::vec(prop_oneof![30 => Just(0i64), 1 => 1i64..9], 1..3000),
        proptest::collection::vec(prop_oneof![50 => 10i64..13, 1 => Just(-400i64)], 1..3000),
    ];
    (steps, 0u8..8, 0i32..10, any::<bool>()).prop_map(|(steps, kind, digits, level)| {
        let (mut walk, mut sum) = (1000i64, 0.0f64);
        let scale = |step: i64| {
            walk = if level { step } else { walk + step };
            let x = walk as f64;
            sum += step as f64 * 1e-6;
            match kind {
                0 => x,
                1 => x / 10f64.powi(digits),
                2 => x * 0.001,
                3 => x / 4_194_304.0,
                4 => sum,
                5 => f64::from((x * 0.37).sin() as f32),
                6 => (x * 0.7).sin().exp() * 1e-3,
                _ => x * 4096.0,
            }
        };
        steps.into_iter().map(scale).collect()
    })
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-20i64..20).prop_map(|integer| integer as f64),
        2 => (0i64..1000).prop_map(|integer| integer as f64 / 100.0),
        1 => any::<u64>().prop_map(f64::from_bits),
        1 => any::<i64>().prop_map(|integer| integer as f64),
        1 => prop_oneof![
            Just(-0.0), Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(f64::MAX),
            Just(f64::MIN_POSITIVE), Just(5e-324), Just(f64::from_bits(STALE_NAN_BITS)),
            Just(f64::from_bits(0x7ff8_0000_0000_0001)), Just(i64::MAX as f64), Just(i64::MIN as f64),
            Just(9_007_199_254_740_993.0), Just(0.1 + 0.2),
        ],
    ]
}

/// A walk with values of another kind in it, and perhaps an end.
fn disturbed() -> impl Strategy<Value = Vec<f64>> {
    let places = proptest::collection::vec((any::<prop::sample::Index>(), any_value()), 0..12);
    (scaled_walk(), places, 0usize..40).prop_map(|(mut values, places, stale)| {
        for (place, value) in places {
            let index = place.index(values.len());
            values[index] = value;
        }
        let len = values.len();
        values[len - stale.min(len)..].fill(f64::from_bits(STALE_NAN_BITS));
        values
    })
}

fn any_times() -> impl Strategy<Value = Vec<i64>> {
    let steps = prop_oneof![
        proptest::collection::vec(15_000i64..15_005, 0..900),
        proptest::collection::vec(Just(15_000i64), 0..900),
        proptest::collection::vec(prop_oneof![60 => 14_998i64..15_003, 1 => Just(90_001i64)], 0..900),
        proptest::collection::vec(prop_oneof![40 => Just(1000i64), 1 => 1i64..1_000_000], 0..900),
        proptest::collection::vec(1i64..100_000, 0..300),
        proptest::collection::vec(1i64..1 << 40, 0..300),
    ];
    (prop_oneof![Just(1_700_000_000_000i64), -5i64..5], steps).prop_map(|(start, steps)| {
        let mut time = start;
        let later = steps.into_iter().map(|step| {
            time += step;
            time
        });
        std::iter::once(start).chain(later).collect()
    })
}

/// Single places have the values that the whole column has there.
fn check_picks(decoder: &mut Decoder, bytes: &[u8], values: &[f64]) {
    for stride in [1, 7, 40, 300, PAGE_LEN, 2 * PAGE_LEN, 5000] {
        for start in [0, stride / 2, PAGE_LEN - 1, stride - 1] {
            let places: Vec<u32> = (start..values.len()).step_by(stride).map(|place| place as u32).collect();
            let mut read = vec![7.0];
            decoder.decode_values_at(bytes, values.len(), &places, &mut read).unwrap();
            let wanted: Vec<f64> = places.iter().map(|place| values[*place as usize]).collect();
            assert_eq!(bits_of(&read[1..]), bits_of(&wanted));
            read.truncate(1);
            if decoder.decode_rising_values_at(bytes, values.len(), &places, &mut read).unwrap() {
                assert_eq!(bits_of(&read[1..]), bits_of(&wanted));
                assert!(values.is_sorted() && values.iter().all(|value| !value.is_nan()));
                let zeros = values.iter().filter(|value| **value == 0.0).map(|value| value.to_bits());
                assert!(zeros.clone().max() == zeros.min(), "zeros of both signs");
            } else {
                assert_eq!(read, [7.0]);
            }
        }
    }
    let beyond = [0, values.len() as u32];
    assert!(decoder.decode_values_at(bytes, values.len(), &beyond, &mut Vec::new()).is_err());
}

/// Decodes bytes as everything; only panics count.
fn decode_anyhow(bytes: &[u8], count: usize) {
    let mut decoder = Decoder::new();
    let (mut values, mut times, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let outcome = decoder.decode_values(bytes, count, &mut values);
    assert_eq!(values.len(), if outcome.is_ok() { count } else { 0 });
    let outcome = decoder.decode_timestamps(bytes, count, &mut times);
    assert_eq!(times.len(), if outcome.is_ok() { count } else { 0 });
    let _ = decoder.decode_values_pages(bytes, count, 1..2, &mut values);
    let places: Vec<u32> = (0..count as u32).step_by(97).collect();
    let _ = decoder.decode_values_at(bytes, count, &places, &mut values);
    let _ = decoder.decode_rising_values_at(bytes, count, &places, &mut values);
    let _ = summaries(bytes, count, &mut told);
    assert!(told.len() <= count.div_ceil(PAGE_LEN));
}

proptest! {
    #[test]
    fn walks_round_trip(values in scaled_walk()) {
        check_values(&values);
    }

    #[test]
    fn disturbed_walks_round_trip(values in disturbed()) {
        check_values(&values);
    }

    #[test]
    fn any_values_round_trip(values in proptest::collection::vec(any_value(), 1..1200)) {
        check_values(&values);
    }

    #[test]
    fn any_bits_round_trip(bits in proptest::collection::vec(any::<u64>(), 1..600)) {
        check_values(&bits.into_iter().map(f64::from_bits).collect::<Vec<_>>());
    }

    #[test]
    fn times_round_trip(times in any_times()) {
        check_times(&times);
    }

    #[test]
    fn noise_is_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), count in 0usize..1400) {
        decode_anyhow(&bytes, count);
        for first in 0..0x80 {
            let mut bytes = bytes.clone();
            if let Some(place) = bytes.first_mut() { *place = first }
            decode_anyhow(&bytes, count);
        }
    }

    #[test]
    fn damage_is_decoded_or_refused(
        values in disturbed(),
        times in any_times(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        count in 1usize..2000,
    ) {
        for effort in EFFORTS {
            for (mut bytes, len) in [(encoded(&values, effort), values.len()), (encoded_times(&times, effort), times.len())] {
                decode_anyhow(&bytes, count);
                for (place, bit) in &flips {
                    let index = place.index(bytes.len());
                    bytes[index] ^= 1 << bit;
                    decode_anyhow(&bytes, len);
                }
            }
        }
    }
}

#[test]
fn times_at_the_ends_of_the_range_round_trip() {
    check_times(&[i64::MIN, 0, i64::MAX]);
    check_times(&[i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX]);
    check_times(&[i64::MAX]);
}

#[test]
fn longest_columns_round_trip() {
    let mut seed = 1u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut counter = 0.0;
    let counters: Vec<f64> = (0..CHUNK_LEN_MAX)
        .map(|_| {
            counter += (next() % 1000) as f64;
            counter
        })
        .collect();
    check_values(&counters);
    check_values(&(0..CHUNK_LEN_MAX).map(|_| (next() >> 11) as f64).collect::<Vec<_>>());
    check_values(&(0..CHUNK_LEN_MAX).map(|_| f64::from_bits(next())).collect::<Vec<_>>());
    check_times(&(0..1000).map(|index| index * 15_000 + (next() % 5) as i64).collect::<Vec<_>>());
}

#[test]
fn counts_out_of_bounds_are_refused() {
    let (mut decoder, mut values) = (Decoder::new(), Vec::new());
    assert_eq!(decoder.decode_values(&[7], 0, &mut values), Err(ChunkError::Empty));
    assert_eq!(decoder.decode_values(&[7], CHUNK_LEN_MAX + 1, &mut values), Err(ChunkError::TooLong));
    assert_eq!(decoder.decode_values(&[7], usize::MAX, &mut values), Err(ChunkError::TooLong));
    assert_eq!(decoder.decode_values_pages(&[7], 600, 1..3, &mut values), Err(ChunkError::NoSuchPage));
    assert_eq!(values.capacity(), 0);
}

#[test]
fn ordinary_columns_are_tiny() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let size = |values: &[f64]| encoded(values, Effort::Best).len();
    assert_eq!(size(&[1.0; 480]), 1);
    assert_eq!(size(&[f64::from_bits(0x7ff8_0000_0000_0001); 480]), 1);
    assert!(size(&[12.5; 480]) <= 4);
    let rate: Vec<f64> = (0..480).map(|index| 1e6 + f64::from(index) * 15.0).collect();
    assert!(size(&rate) <= 9);
    let mut ended = rate;
    ended[470..].fill(stale);
    assert!(size(&ended) <= 15);
    let times: Vec<i64> = (0..480).map(|index| 1_700_000_000_000 + index * 15_000).collect();
    assert!(encoded_times(&times, Effort::Best).len() <= 12);
    let mut random = 7u32;
    let jittered: Vec<i64> = times
        .iter()
        .map(|time| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            time + i64::from(random >> 16) % 5
        })
        .collect();
    // log2(5) is 2.32 bits.
    assert!(encoded_times(&jittered, Effort::Best).len() * 8 <= 480 * 27 / 10);
}

/// Small columns of each scale, order and code.
fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let column = |effort, value: &dyn Fn(i32) -> f64, count| {
        encoded(&(0..count).map(value).collect::<Vec<_>>(), effort)
    };
    let wave = |index: i32| f64::from(index * index % 7);
    let noise = |index: i32| (index.wrapping_mul(index).wrapping_mul(-1_640_531_535) >> 9) & 0xffff;
    let times: Vec<i64> = (0..40)
        .map(|index| {
            1_700_000_000_000
                + index * 15_000
                + i64::from(noise(index as i32) % 5)
                + if index > 4 { 30_000 } else { 0 }
        })
        .collect();
    vec![
        ("small", encoded(&[3.0], Effort::Fast)),
        ("integer", encoded(&[-1000.0], Effort::Fast)),
        ("quotient", encoded(&[0.25], Effort::Fast)),
        ("stale", encoded(&[f64::from_bits(STALE_NAN_BITS)], Effort::Fast)),
        ("bits", encoded(&[f64::INFINITY], Effort::Fast)),
        ("level", column(Effort::Fast, &|index| 100.0 + wave(index), 8)),
        ("delta", column(Effort::Fast, &|index| f64::from(index * 10) + wave(index) * f64::from(index), 8)),
        ("quotients", column(Effort::Fast, &|index| wave(index) / 100.0, 8)),
        ("products", column(Effort::Fast, &|index| f64::from(index * 3) * 0.1, 8)),
        ("binaries", column(Effort::Fast, &|index| (20_000_000.0 + wave(index)) / 1_048_576.0, 8)),
        ("sums", column(Effort::Fast, &|index| (0..=index).map(|term| 0.1 + wave(term) * 1e-3).sum(), 8)),
        ("ordered bits", encoded(&[1e-300, 1e300, -1e-9, f64::NAN], Effort::Fast)),
        (
            "exceptions",
            encoded(&[1.0, 2.0, 3.0, 4.0, f64::NEG_INFINITY, f64::from_bits(STALE_NAN_BITS)], Effort::Fast),
        ),
        ("patched", column(Effort::Fast, &|index| if index < 30 { 5.0 } else { 5e6 }, 40)),
        ("entropy", column(Effort::Best, &|index| f64::from(noise(index * 7).trailing_zeros().pow(2)), 200)),
        (
            "dictionary",
            column(
                Effort::Best,
                &|index| f64::from([0, 1_000_001, 77_777, 5][index as usize * index as usize % 11 % 4]),
                64,
            ),
        ),
        ("change", column(Effort::Fast, &|index| f64::from(index * index * 1000 + index % 2), 16)),
        ("line", column(Effort::Fast, &|index| f64::from(index * 15_000 + noise(index) % 5), 40)),
        (
            "checksum of pages",
            crc32c(&column(Effort::Best, &|index| f64::from(noise(index)), 1100)).to_be_bytes().to_vec(),
        ),
        ("times", encoded_times(&times, Effort::Fast)),
    ]
}

#[test]
fn encodings_are_part_of_the_disk_contract() {
    let told: Vec<String> = golden()
        .into_iter()
        .map(|(name, bytes)| {
            format!("{name}: {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        })
        .collect();
    assert_eq!(told.join("\n"), include_str!("golden.txt").trim_end());
}

#[test]
fn a_fall_between_two_rising_pages_is_seen() {
    let noise = |place: usize| (place.wrapping_mul(2_654_435_761) >> 20 & 0xfff) as f64;
    let values: Vec<f64> =
        (0..3 * PAGE_LEN).map(|place| (place % (2 * PAGE_LEN)) as f64 * 4096.0 + noise(place)).collect();
    let (mut bytes, mut read) = (Vec::new(), Vec::new());
    for effort in EFFORTS {
        for (end, rises) in [(2 * PAGE_LEN, true), (3 * PAGE_LEN, false)] {
            bytes.clear();
            Encoder::new().encode_values(&values[..end], effort, &mut bytes);
            let told = Decoder::new().decode_rising_values_at(&bytes, end, &[0], &mut read);
            assert_eq!(told.unwrap(), rises, "{effort:?} {end}");
        }
    }
}
