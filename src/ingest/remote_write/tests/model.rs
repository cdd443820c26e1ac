//! Whatever a sender encodes, in whatever order of fields, is what is staged.

use proptest::collection::vec;
use proptest::prelude::*;
use shards::model::{Labels, Metadata, MetricType, STALE_NAN_BITS};

use super::encode::{
    SHARDS, Staged, bytes, compress, decode, double, hasher, label, number, sample, series, staged,
};
use crate::ingest::limits::DecodeLimits;
use crate::ingest::remote_write::Decoder;

/// A field of a time series.
#[derive(Debug, Clone)]
enum Field {
    Label(String, String),
    Sample(i64, u64),
    Exemplar(Vec<u8>),
    Histogram(Vec<u8>),
    Unknown(Vec<u8>),
}

impl Field {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Label(name, value) => label(name, value),
            Self::Sample(time, bits) => sample(*time, f64::from_bits(*bits)),
            Self::Exemplar(content) => bytes(3, content),
            Self::Histogram(content) => bytes(4, content),
            Self::Unknown(field) => field.clone(),
        }
    }
}

fn unknown() -> impl Strategy<Value = Vec<u8>> {
    (5_u64..1_000_000, any::<u64>(), vec(any::<u8>(), 0..20), 0..4).prop_map(
        |(field, value, content, kind)| match kind {
            0 => number(field, value),
            1 => double(field, f64::from_bits(value)),
            2 => bytes(field, &content),
            _ => [super::encode::varint(field * 8 + 5), vec![1, 2, 3, 4]].concat(),
        },
    )
}

fn field() -> impl Strategy<Value = Field> {
    let bits = prop_oneof![any::<u64>(), Just(STALE_NAN_BITS), any::<f64>().prop_map(f64::to_bits)];
    let time = prop_oneof![any::<i64>(), 1_700_000_000_000_i64..1_800_000_000_000];
    prop_oneof![
        3 => ("[a-z]{1,5}", ".{0,200}").prop_map(|(name, value)| Field::Label(name, value)),
        1 => ".{0,9}".prop_map(|value| Field::Label("__name__".into(), value)),
        4 => (time, bits).prop_map(|(time, bits)| Field::Sample(time, bits)),
        1 => vec(any::<u8>(), 0..9).prop_map(Field::Exemplar),
        1 => vec(any::<u8>(), 0..9).prop_map(Field::Histogram),
        1 => unknown().prop_map(Field::Unknown),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_staged(all in vec(vec(field(), 0..12), 0..20), between in unknown()) {
        let mut body = Vec::new();
        let mut expected: Vec<Staged> = vec![Vec::new(); usize::from(SHARDS)];
        let (mut refused, mut exemplars) = (0, 0);
        for fields in &all {
            body.extend(series(&fields.iter().map(Field::encode).collect::<Vec<_>>()));
            body.extend(&between);
            let (mut labels, mut times, mut values, mut named) = (Vec::new(), Vec::new(), Vec::new(), false);
            for field in fields {
                match field {
                    Field::Label(name, _) => {
                        labels.extend(field.encode());
                        named |= name == "__name__";
                    }
                    Field::Sample(time, bits) => {
                        times.push(*time);
                        values.push(*bits);
                    }
                    Field::Exemplar(_) => exemplars += 1,
                    Field::Histogram(_) => refused += 1,
                    Field::Unknown(_) => {}
                }
            }
            if named && !values.is_empty() {
                let shard = hasher().key(&labels).shard(SHARDS).index();
                expected[shard].push((labels, times, values));
            } else {
                refused += values.len() as u64;
            }
        }
        let request = decode(&body).unwrap();
        prop_assert_eq!(staged(&request), expected.concat());
        prop_assert_eq!(request.series, all.len() as u64);
        prop_assert_eq!(request.refused.refused(), refused);
        prop_assert_eq!(request.exemplars_ignored, exemplars);
        prop_assert_eq!(request.samples, staged(&request).iter().map(|s| s.1.len() as u64).sum::<u64>());
    }

    #[test]
    fn canonical_labels_reach_the_shard_as_canonical(
        pairs in proptest::collection::btree_map("[a-z]{1,9}", ".{1,200}", 0..12),
    ) {
        let mut pairs = pairs;
        pairs.insert("__name__".into(), "up".into());
        let labels = Labels::from_pairs(&pairs);
        let mut fields: Vec<_> = pairs.iter().map(|(name, value)| label(name, value)).collect();
        fields.push(sample(1, 2.0));
        let staged = staged(&decode(&series(&fields)).unwrap());
        prop_assert_eq!(&staged[0].0[..], labels.as_bytes());
        prop_assert_eq!(Labels::from_canonical(&staged[0].0), Ok(labels));
    }

    #[test]
    fn noise_never_panics(bytes: Vec<u8>) {
        let mut decoder = Decoder::new(hasher(), SHARDS, DecodeLimits::default());
        let _ = decoder.decode(&bytes);
        let _ = decoder.decode(&compress(&bytes));
    }

    #[test]
    fn a_decoder_remembers_nothing_of_other_requests(bodies in vec(vec(vec(field(), 0..8), 0..8), 0..6)) {
        let mut decoder = Decoder::new(hasher(), SHARDS, DecodeLimits::default());
        for all in bodies {
            let body: Vec<u8> =
                all.iter().flat_map(|fields| series(&fields.iter().map(Field::encode).collect::<Vec<_>>())).collect();
            let _ = decoder.decode(&compress(&body[..body.len() / 2]));
            let again = decoder.decode(&compress(&body)).unwrap();
            prop_assert_eq!(staged(&again), staged(&decode(&body).unwrap()));
        }
    }
}

#[test]
fn metadata_is_read_and_bad_entries_are_counted() {
    let entry = |name: &[u8], kind: u64| {
        let fields = [bytes(2, name), number(1, kind), bytes(4, b"Help."), bytes(5, b"s"), number(9, 9)];
        bytes(3, &fields.concat())
    };
    let body =
        [entry(b"a_seconds", 4), entry(b"\xff", 1), entry(b"", 1), entry(&[b'x'; 20_000], 1), bytes(3, b"")];
    let request = decode(&body.concat()).unwrap();
    let expected = Metadata {
        metric: "a_seconds".into(),
        metric_type: MetricType::GaugeHistogram,
        help: "Help.".into(),
        unit: "s".into(),
    };
    assert_eq!(request.metadata, [expected]);
    assert_eq!(request.metadata_ignored, 4);
}

#[test]
fn absent_fields_of_a_sample_are_zero_and_the_last_of_equal_ones_counts() {
    let empty = bytes(2, b"");
    let twice = bytes(2, &[number(2, 5), double(1, 1.0), number(2, 6), double(1, 2.0)].concat());
    let request = decode(&series(&[label("__name__", "up"), empty, twice])).unwrap();
    assert_eq!(staged(&request)[0].1, [0, 6]);
    assert_eq!(staged(&request)[0].2, [0.0_f64.to_bits(), 2.0_f64.to_bits()]);
}

#[test]
fn series_without_samples_are_accepted_and_leave_nothing() {
    let request = decode(&[series(&[label("__name__", "up")]), series(&[])].concat()).unwrap();
    assert_eq!((request.series, request.samples), (2, 0));
    assert!(request.refused.is_all_stored());
    let nothing = decode(b"").unwrap();
    assert_eq!((nothing.series, nothing.batches.len()), (0, usize::from(SHARDS)));
}

#[test]
fn metric_names_are_found_wherever_they_are() {
    let long = "v".repeat(20_000);
    for value in ["u", &long[..150], &long] {
        let labels = [label("A", "b"), label("__name__", value), label("x", "y")];
        for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
            let mut fields: Vec<_> = order.iter().map(|at| labels[*at].clone()).collect();
            fields.push(sample(1, 1.0));
            let request = decode(&series(&fields)).unwrap();
            assert_eq!(request.samples, 1, "{order:?}");
        }
    }
    // A label whose name looks like the bytes of a metric name.
    let trick = series(&[label("\u{8}__name__\u{12}", "x"), sample(1, 1.0)]);
    assert_eq!(decode(&trick).unwrap().refused.refused(), 1);
}
