//! Bad input of every kind: a clear error, or a refusal that costs nothing else.

use proptest::prelude::*;
use shards::limits::LABEL_VALUE_BYTES_MAX;
use shards::model::{Labels, LabelsError, STALE_NAN_BITS};

use super::encode::{
    SHARDS, bytes, compress, decode, decode_within, double, hasher, label, number, sample, series, staged,
    varint,
};
use crate::ingest::canonical::{LabelFault, canonicalise};
use crate::ingest::limits::{DECODED_BYTES_MAX, DecodeLimits};
use crate::ingest::refusal::RefuseReason;
use crate::ingest::remote_write::Decoder;

fn decode_raw(compressed: &[u8]) -> String {
    let mut decoder = Decoder::new(hasher(), SHARDS, DecodeLimits::default());
    decoder.decode(compressed).unwrap_err().to_string()
}

fn good() -> Vec<u8> {
    series(&[label("__name__", "up"), label("job", "a"), sample(1_000, 1.0), sample(2_000, 2.0)])
}

#[test]
fn broken_snappy_is_told() {
    assert!(decode_raw(b"").starts_with("body of 0 bytes is not a snappy block: "));
    let whole = compress(&good().repeat(100));
    for end in 1..whole.len() {
        assert!(decode_raw(&whole[..end]).contains("snappy"), "cut at {end}");
    }
    let framed = b"\xff\x06\x00\x00sNaPpY";
    assert!(decode_raw(framed).contains("snappy"));
}

#[test]
fn length_bombs_are_refused_before_anything_is_allocated() {
    let bomb = |declared: u64| decode_raw(&[varint(declared), vec![0, 0, 0]].concat());
    assert_eq!(
        bomb(33_554_433),
        "body declares 33554433 uncompressed bytes, the limit is 33554432; send smaller requests"
    );
    assert!(bomb(u64::from(u32::MAX)).contains("the limit is 33554432"));
    assert!(bomb(u64::MAX).contains("is not a snappy block"));
    assert_eq!(
        bomb(33_554_432),
        "body of 7 bytes declares 33554432 uncompressed bytes, which snappy cannot yield"
    );
}

#[test]
fn the_most_compressible_body_is_no_bomb() {
    let body = series(&[label("__name__", "a".repeat(4 << 20)), sample(1, 1.0)]);
    let compressed = compress(&body);
    assert!(body.len() / compressed.len() >= 20, "{}", body.len() / compressed.len());
    let mut decoder = Decoder::new(hasher(), SHARDS, DecodeLimits::default());
    assert_eq!(decoder.decode(&compressed).unwrap().samples, 1);
}

#[test]
fn broken_protobuf_is_told_with_its_place() {
    let fault = |body: &[u8]| decode(body).unwrap_err().to_string();
    let prefix = "not a prometheus.WriteRequest:";
    let place = "byte 0 of the uncompressed body";
    assert_eq!(fault(&[0x0b]), format!("{prefix} group, which is not supported, at {place}"));
    assert_eq!(fault(&[0x0f]), format!("{prefix} invalid wire type at {place}"));
    assert_eq!(
        fault(&[0x0a, 9, 1]),
        format!("{prefix} truncated or overlong value at byte 1 of the uncompressed body")
    );
    assert_eq!(
        fault(&number(1, 5)),
        format!("{prefix} field of another wire type than the message has at {place}")
    );
    let good = good();
    let bad = [good.clone(), bytes(1, &[label("a", "b"), vec![0x12, 1, 0x09]].concat())].concat();
    let offset = bad.len() - 1;
    assert_eq!(
        fault(&bad),
        format!(
            "{prefix} truncated or overlong value at byte {} of the uncompressed body (time series 1)",
            offset + 1
        )
    );
    let wrong = [good, series(&[bytes(2, &double(2, 1.0))])].concat();
    assert!(fault(&wrong).contains("another wire type"), "{}", fault(&wrong));
}

#[test]
fn a_cut_body_is_an_error_or_what_was_whole() {
    let body = [good(), bytes(3, &[number(1, 1), bytes(2, b"up")].concat()), good()].concat();
    for end in 0..body.len() {
        if let Ok(request) = decode(&body[..end]) {
            assert!([0, 2].contains(&request.samples), "cut at {end}");
        }
    }
}

#[test]
fn degenerate_messages_stay_within_the_limits() {
    let limits = DecodeLimits { series: 10, samples: 20, ..DecodeLimits::default() };
    let error = decode_within(&series(&[]).repeat(11), limits).unwrap_err();
    assert_eq!(error.to_string(), "request holds more than 10 series; send smaller requests");
    let many = series(&[label("__name__", "a"), sample(1, 1.0).repeat(21)]);
    let error = decode_within(&many, limits).unwrap_err();
    assert_eq!(error.to_string(), "request holds more than 20 samples; send smaller requests");
    let full = series(&[label("__name__", "a"), sample(1, 1.0).repeat(20)]);
    assert_eq!(decode_within(&full, limits).unwrap().samples, 20);
    assert!(decode_within(&[full, good()].concat(), limits).is_err());
}

#[test]
fn values_and_times_at_the_edge_are_kept_bit_by_bit() {
    let bits = [
        STALE_NAN_BITS,
        f64::NAN.to_bits(),
        0xfff8_0000_dead_beef,
        f64::INFINITY.to_bits(),
        f64::NEG_INFINITY.to_bits(),
        (-0.0_f64).to_bits(),
        1,
    ];
    let times = [0, 1, -1, i64::MAX, i64::MIN, 4_102_444_800_000, 5];
    let samples = times.iter().zip(bits).map(|(time, bits)| sample(*time, f64::from_bits(bits)));
    let request = decode(&series(&[vec![label("__name__", "a")], samples.collect()].concat())).unwrap();
    let staged = staged(&request);
    assert_eq!((&staged[0].1[..], &staged[0].2[..]), (&times[..], &bits[..]));
}

#[test]
fn one_refused_series_costs_nothing_else() {
    let bad = series(&[label("job", "a"), sample(1, 1.0), sample(2, 1.0), bytes(4, b"")]);
    let request = decode(&[good(), bad, good()].concat()).unwrap();
    assert_eq!(request.samples, 4);
    let refused: Vec<_> = request.refused.by_reason().collect();
    assert_eq!(refused, [(RefuseReason::MissingMetricName, 2), (RefuseReason::HistogramUnsupported, 1)]);
    assert_eq!(
        request.refused.to_string(),
        "all 3 samples refused: 2 no metric name (label __name__), \
         1 native histograms are not supported yet\n\
         {job=\"a\"}: native histograms are not supported yet\n\
         {job=\"a\"}: no metric name (label __name__)\n..."
    );
}

/// Decodes one series with these label fields; gives what the shard would say, then what
/// canonicalising says.
fn on_first_sight(labels: &[Vec<u8>]) -> (Result<Labels, LabelsError>, Result<Labels, LabelFault>) {
    let name = label("__name__", "up");
    let staged =
        staged(&decode(&series(&[vec![name], labels.to_vec(), vec![sample(1, 1.0)]].concat())).unwrap());
    let canonical = canonicalise(&staged[0].0);
    (Labels::from_canonical(&staged[0].0), canonical.map(|bytes| Labels::from_canonical(&bytes).unwrap()))
}

#[test]
fn labels_that_can_be_repaired_are() {
    let expected = Labels::from_pairs([("__name__", "up"), ("a", "1"), ("b", "2")]);
    let swapped = bytes(1, &[bytes(2, b"1"), bytes(1, b"a")].concat());
    let overlong = [vec![0x0a, 0x87, 0x00], vec![0x0a, 1, b'a', 0x12, 0x81, 0x00, b'1']].concat();
    let with_unknown = bytes(1, &[bytes(1, b"a"), bytes(2, b"1"), number(3, 7)].concat());
    let encodings: [&[Vec<u8>]; 5] = [
        &[label("b", "2"), label("a", "1")],
        &[label("a", "1"), label("b", "2"), label("c", "")],
        &[swapped, label("b", "2")],
        &[overlong, label("b", "2")],
        &[with_unknown, label("b", "2")],
    ];
    for labels in encodings {
        let (shard, canonical) = on_first_sight(labels);
        assert!(shard.is_err(), "{labels:?}");
        assert_eq!(canonical.as_ref(), Ok(&expected), "{labels:?}");
    }
}

#[test]
fn labels_that_cannot_be_repaired_are_refused_with_a_reason() {
    let fault = |labels: &[Vec<u8>]| {
        let (_, canonical) = on_first_sight(labels);
        let fault = canonical.unwrap_err();
        (fault.reason(), fault.to_string())
    };
    use RefuseReason::{DuplicateLabels, InvalidLabels, LabelsTooLarge};
    assert_eq!(
        fault(&[label("a", "1"), label("a", "2")]),
        (DuplicateLabels, "label \"a\" is given twice".into())
    );
    assert_eq!(fault(&[label("", "1")]), (InvalidLabels, "name of label 0 is empty".into()));
    assert_eq!(fault(&[label("a", b"\xff")]), (InvalidLabels, "value of label \"a\" is not UTF-8".into()));
    assert_eq!(fault(&[label(b"\xff", "a")]), (InvalidLabels, "name of label 1 is not UTF-8".into()));
    assert_eq!(fault(&[bytes(1, &[0x0a])]).0, InvalidLabels);
    assert_eq!(fault(&[bytes(1, &[0x0b])]).0, InvalidLabels);
    assert_eq!(fault(&[bytes(1, &number(1, 1))]).0, InvalidLabels);
    let huge = "x".repeat(10_000_000);
    assert_eq!(
        fault(&[label("a", &huge)]),
        (LabelsTooLarge, "value of label \"a\" has 10000000 bytes, the limit is 65536".into())
    );
    assert_eq!(fault(&[label(&huge, "a")]).0, LabelsTooLarge);
    let many: Vec<_> = (0..10_000).map(|index| label(format!("l{index}"), "x")).collect();
    assert_eq!(fault(&many).0, LabelsTooLarge);
    let wide: Vec<_> =
        (0..5).map(|index| label(format!("l{index}"), "x".repeat(LABEL_VALUE_BYTES_MAX))).collect();
    assert_eq!(fault(&wide).0, LabelsTooLarge);
    let name = "\u{1}".repeat(1000);
    assert!(fault(&[label(&name, "a"), label(&name, "b")]).1.len() < 1000);
    assert_eq!(canonicalise(&label("__name__", "")), Err(LabelFault::MissingMetricName));
    assert_eq!(canonicalise(b""), Err(LabelFault::MissingMetricName));
}

#[test]
fn labels_with_other_fields_between_are_put_together() {
    let fields = [label("__name__", "up"), sample(1, 1.0), label("a", "1"), bytes(9, b"x"), label("b", "2")];
    let request = decode(&[good(), series(&fields), good(), series(&fields)].concat()).unwrap();
    let labels = Labels::from_pairs([("__name__", "up"), ("a", "1"), ("b", "2")]);
    let found = staged(&request).into_iter().filter(|(bytes, _, _)| bytes == labels.as_bytes()).count();
    assert_eq!((found, request.samples), (2, 6));
}

#[test]
fn the_largest_body_is_decoded() {
    let limit = DECODED_BYTES_MAX - 64;
    let one = good();
    let body = one.repeat(limit / one.len());
    assert_eq!(decode(&body).unwrap().samples, 2 * (limit / one.len()) as u64);
}

proptest! {
    #[test]
    fn canonical_form_does_not_depend_on_the_order(
        pairs in proptest::collection::btree_map("[a-z]{1,5}", ".{0,9}", 0..9),
        turn in 0_usize..9,
    ) {
        let mut fields: Vec<_> = pairs.iter().map(|(name, value)| label(name, value)).collect();
        fields.push(label("__name__", "up"));
        let len = fields.len();
        fields.rotate_left(turn % len);
        let expected = Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("__name__", "up")]));
        prop_assert_eq!(&canonicalise(&fields.concat()).unwrap()[..], expected.as_bytes());
    }

    #[test]
    fn noise_is_never_canonicalised_wrongly(bytes: Vec<u8>) {
        if let Ok(canonical) = canonicalise(&bytes) {
            prop_assert!(Labels::from_canonical(&canonical).is_ok());
        }
    }
}
