use super::*;
use crate::model::STALE_NAN_BITS;
use proptest::prelude::*;

const EFFORTS: [Effort; 2] = [Effort::Fast, Effort::Best];

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn round_trip(values: &[f64]) {
    for effort in EFFORTS {
        let (mut encoder, mut decoder, mut bytes) = (Encoder::new(), Decoder::default(), Vec::new());
        encoder.encode_values(values, effort, &mut bytes);
        let mut read = vec![7.0];
        decoder.decode_values(&bytes, values.len(), &mut read).unwrap();
        assert_eq!(read.remove(0), 7.0);
        assert_eq!(bits(&read), bits(values));
        let mut pages = Vec::new();
        summaries(&bytes, values.len(), &mut pages).unwrap();
        assert_eq!(pages.len(), values.len().div_ceil(PAGE_LEN));
        for (number, (page, summary)) in values.chunks(PAGE_LEN).zip(&pages).enumerate() {
            let mut part = Vec::new();
            decoder.decode_values_pages(&bytes, values.len(), number..number + 1, &mut part).unwrap();
            assert_eq!(bits(&part), bits(page));
            assert_eq!(summary.count, page.len());
            let usual = page.iter().all(|value| value.is_finite() && value.to_bits() != (-0.0f64).to_bits());
            assert!(usual || summary.has_nan);
            if !summary.has_nan {
                assert_eq!(summary.first.to_bits(), page[0].to_bits());
                assert_eq!(summary.last.to_bits(), page[page.len() - 1].to_bits());
                assert_eq!(summary.min, page.iter().copied().fold(f64::INFINITY, f64::min));
                assert_eq!(summary.max, page.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                assert_eq!(summary.ascending, page.is_sorted());
            }
        }
        // Damage is an error or other values, never a panic.
        let noisy = [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1];
        for at in noisy {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let mut read = Vec::new();
                let _ = decoder.decode_values(&damaged, values.len(), &mut read);
                let _ = summaries(&damaged, values.len(), &mut pages);
            }
        }
    }
}

fn times_round_trip(times: &[i64]) -> usize {
    let mut smallest = usize::MAX;
    for effort in EFFORTS {
        let mut bytes = Vec::new();
        Encoder::new().encode_timestamps(times, effort, &mut bytes);
        let mut read = vec![i64::MIN];
        Decoder::default().decode_timestamps(&bytes, times.len(), &mut read).unwrap();
        read.remove(0);
        assert_eq!(read, times);
        smallest = smallest.min(bytes.len());
    }
    smallest
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<f64>(),
        (-1000i32..1000).prop_map(f64::from),
        (0u32..100_000).prop_map(|n| f64::from(n) / 1000.0),
        (0u32..100_000).prop_map(|n| f64::from(n) * 0.001),
        Just(f64::from_bits(STALE_NAN_BITS)),
        Just(-0.0),
        Just(f64::INFINITY),
    ]
}

/// A series as it is scraped: a walk of decimal steps with resets, markers and odd values.
fn walk() -> impl Strategy<Value = Vec<f64>> {
    let step = (0..40u32, -20..200i64);
    (proptest::collection::vec(step, 1..3000), 0..5u32, any::<bool>()).prop_map(
        |(steps, exponent, counter)| {
            let mut integer = 1000i64;
            let scale = 10f64.powi(exponent as i32);
            let values = steps.into_iter().map(|(kind, step)| {
                match kind {
                    0 => integer = 0,
                    1 => return f64::from_bits(STALE_NAN_BITS),
                    2..10 => {}
                    _ => integer += if counter { step.abs() } else { step },
                }
                integer as f64 / scale
            });
            values.collect()
        },
    )
}

proptest! {
    #[test]
    fn any_values_round_trip(values in proptest::collection::vec(any_value(), 1..700)) {
        round_trip(&values);
    }

    #[test]
    fn scraped_values_round_trip(values in walk()) {
        round_trip(&values);
    }

    #[test]
    fn any_times_round_trip(mut times in proptest::collection::vec(any::<i64>(), 1..300)) {
        times.sort_unstable();
        times.dedup();
        times_round_trip(&times);
    }

    #[test]
    fn scraped_times_round_trip(steps in proptest::collection::vec((0..20u32, 0..5i64), 1..2000), step in 1i64..100_000) {
        let mut now = 1_700_000_000_000;
        let times: Vec<i64> = steps.into_iter().map(|(gap, jitter)| {
            now += step * if gap == 0 { 7 } else { 1 };
            now + jitter.min(step - 1)
        }).collect();
        times_round_trip(&times);
    }

    #[test]
    fn noise_never_panics(bytes: Vec<u8>, tag in 0..6u8, count in 0..3000usize) {
        let bytes = [vec![tag], bytes].concat();
        let (mut values, mut times, mut pages) = (Vec::new(), Vec::new(), Vec::new());
        let mut decoder = Decoder::default();
        let decoded = decoder.decode_values(&bytes, count, &mut values);
        prop_assert_eq!(values.len(), if decoded.is_ok() { count } else { 0 });
        let decoded = decoder.decode_timestamps(&bytes, count, &mut times);
        prop_assert_eq!(times.len(), if decoded.is_ok() { count } else { 0 });
        let _ = summaries(&bytes, count, &mut pages);
    }
}

fn encoded(values: &[f64], effort: Effort) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new().encode_values(values, effort, &mut bytes);
    bytes
}

#[test]
fn what_is_regular_is_small() {
    let regular: Vec<i64> = (0..480).map(|n| 1_700_000_000_123 + n * 15_000).collect();
    assert!(times_round_trip(&regular) < 16);
    let jitter: Vec<i64> = regular.iter().enumerate().map(|(n, time)| time + (n as i64 * 7919) % 5).collect();
    assert!(times_round_trip(&jitter) < 480 * 3 / 8 + 40);
    assert!(encoded(&[5.0; 5000], Effort::Fast).len() <= 4);
    let counter: Vec<f64> = (0..480).map(|n| f64::from(n * 30)).collect();
    assert!(encoded(&counter, Effort::Fast).len() <= 12);
    let mut rare = vec![17.0; 480];
    rare[100..].fill(18.0);
    rare[333..].fill(20.0);
    assert!(encoded(&rare, Effort::Fast).len() <= 16);
}

/// The bytes of format version 1: one column of each encoding.
#[test]
fn golden_columns() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&encoded(&[1e300; 3], Effort::Fast)), "01 9c7500883ce4377e".replace(' ', ""));
    assert_eq!(hex(&encoded(&[1.5; 3], Effort::Fast)), "05011e");
    let stale = f64::from_bits(STALE_NAN_BITS);
    assert_eq!(hex(&encoded(&[1.0, 2.0, 4.0, 4.0, stale], Effort::Fast)), GOLDEN_DECIMAL);
    let odd = [1.0f64, 2.0, 3.0, 4.0].map(f64::sqrt).map(|value| value * std::f64::consts::PI);
    assert_eq!(hex(&encoded(&odd, Effort::Fast)), GOLDEN_XOR);
    let mut times = Vec::new();
    Encoder::new().encode_timestamps(&[1000, 2001, 3000, 4002, 9000], Effort::Fast, &mut times);
    assert_eq!(hex(&times), GOLDEN_TIMES);
}

const GOLDEN_DECIMAL: &str = "02000102010109010002000154";
const GOLDEN_XOR: &str = "0";
const GOLDEN_TIMES: &str = "";
