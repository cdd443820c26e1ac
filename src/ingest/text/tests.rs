//! The text format against generated texts, upstream's rules, and noise.

use proptest::prelude::*;
use shards::model::{KeyHasher, Labels, Metadata, MetricType};

use super::super::batch::{BatchBuilder, WriteRequest};
use super::super::error::TextError;
use super::{TextOptions, decode};
use crate::telemetry::{Exposition, Histogram};

fn parse_with(text: &[u8], options: TextOptions<'_>) -> Result<WriteRequest, TextError> {
    let mut builder = BatchBuilder::new(KeyHasher::new(1), 2);
    decode(text, options, &mut builder)?;
    Ok(builder.finish())
}

fn parse(text: &str) -> Result<WriteRequest, TextError> {
    parse_with(text.as_bytes(), TextOptions { timestamp_ms: 77, ..TextOptions::default() })
}

/// All samples, sorted, with the bits of their values.
fn samples(request: &WriteRequest) -> Vec<(String, i64, u64)> {
    let mut all: Vec<_> = request
        .batches
        .iter()
        .flat_map(|batch| batch.series())
        .map(|series| {
            let labels = Labels::from_canonical(series.labels).unwrap().to_string();
            (labels, series.timestamps_ms[0], series.values[0].to_bits())
        })
        .collect();
    all.sort();
    all
}

fn fault(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn samples_of_all_forms_are_read() {
    let request = parse(
        "# a comment\n\
         #HELP up  Is it \\\\ up?\\n\n\
         # TYPE up gauge\n\
         \n\
         up 1\n\
         \t up{ job = \"a\\\\b\\\"c\\nd\" , zone=\"\", } -1.5e3 -12  \n\
         up:x{le=\"+Inf\"}\t+Inf 1395066363000\r\n\
         { \"http.requests\", \"a b\"=\"c\"} NaN\n\
         last{x=\"}\"} 0",
    )
    .unwrap();
    let expected = [
        (r#"{__name__="up"}"#, 77, 1.0),
        (r#"{__name__="up", job="a\\b\"c\nd"}"#, -12, -1500.0),
        (r#"{__name__="up:x", le="+Inf"}"#, 1_395_066_363_000, f64::INFINITY),
        (r#"{__name__="http.requests", a b="c"}"#, 77, f64::NAN),
        (r#"{__name__="last", x="}"}"#, 77, 0.0),
    ];
    let mut expected = expected.map(|(labels, time, value)| (labels.to_owned(), time, value.to_bits()));
    expected.sort();
    assert_eq!(samples(&request), expected);
    let metadata = Metadata {
        metric: "up".into(),
        metric_type: MetricType::Gauge,
        help: "Is it \\ up?\n".into(),
        unit: String::new(),
    };
    assert_eq!(request.metadata, [metadata]);
    assert!(request.refused.is_all_stored());
}

#[test]
fn faults_name_their_line() {
    assert_eq!(fault("up 1\n\nup\n"), "line 3: sample without a value");
    assert_eq!(fault("up one"), "line 1: \"one\" is not a number");
    assert_eq!(fault("up 1 1.5"), "line 1: \"1.5\" is not a timestamp");
    assert_eq!(fault("up 1 2 3"), "line 1: expected the end of the line, found \"3\"");
    assert_eq!(fault("9up 1"), "line 1: expected a metric name, found \"9up 1\"");
    assert_eq!(fault("{} 1"), "line 1: sample without a metric name");
    assert_eq!(fault("up{a=\"b} 1"), "line 1: text in quotes without its end");
    assert_eq!(fault("up{a=\"\\t\"} 1"), "line 1: unknown escape \\t");
    assert_eq!(fault("up{a=\"b\\"), "line 1: text in quotes without its end");
    assert_eq!(fault("up{a=b} 1"), "line 1: expected a label value in quotes, found \"b} 1\"");
    assert_eq!(fault("up{a} 1"), "line 1: expected = behind label \"a\", found \"} 1\"");
    assert_eq!(
        fault("up{a=\"b\" c=\"d\"} 1"),
        "line 1: expected , or } between labels, found \"c=\\\"d\\\"} 1\""
    );
    assert_eq!(fault("up{,} 1"), "line 1: expected a label name, found \",} 1\"");
    assert_eq!(fault("up{"), "line 1: expected a label name, found the end of the line");
    assert_eq!(fault("# TYPE up thing"), "line 1: unknown metric type \"thing\"");
    assert_eq!(fault("# TYPE up"), "line 1: TYPE without a type");
    assert_eq!(fault("# HELP"), "line 1: expected a metric name, found the end of the line");
    let noise = parse_with(b"up 1\nup{a=\"\xff\"} 1", TextOptions::default()).unwrap_err();
    assert_eq!(noise.to_string(), "line 2: not UTF-8");
    let long = "\u{1}x".repeat(1_000_000);
    for head in ["up ", "# TYPE up ", "up{", "up{a", "up{a=\"b\"", "", "up 1 ", "# TYPE "] {
        assert!(fault(&format!("{head}{long}")).len() < 1000, "{head}");
    }
    assert!(fault(&format!("up{{{} 1", "x".repeat(1_000_000))).len() < 1000);
}

#[test]
fn labels_at_fault_cost_only_their_sample() {
    let text = format!("up{{a=\"1\",a=\"2\"}} 1\nup{{a=\"{}\"}} 1\nup 1\n", "x".repeat(100_000));
    let request = parse(&text).unwrap();
    assert_eq!((request.samples, request.refused.refused()), (1, 2));
    assert!(request.refused.to_string().contains("label \"a\" is given twice"), "{}", request.refused);
}

#[test]
fn extra_labels_take_the_place_of_given_ones() {
    let options = TextOptions { timestamp_ms: 5, extra_labels: &[("job", "tsdb"), ("instance", "here")] };
    let request = parse_with(b"up{job=\"other\",x=\"y\"} 1", options).unwrap();
    let labels = r#"{__name__="up", instance="here", job="tsdb", x="y"}"#;
    assert_eq!(samples(&request), [(labels.to_owned(), 5, 1.0_f64.to_bits())]);
}

#[test]
fn no_text_makes_a_staleness_marker() {
    let request = parse("a NaN\nb -nan\nc nan").unwrap();
    for (_, _, bits) in samples(&request) {
        assert_eq!(bits, f64::NAN.to_bits());
    }
}

#[test]
fn our_own_exposition_is_read_back() {
    let histogram = Histogram::latency();
    histogram.observe(0.3);
    let mut exposition = Exposition::new();
    exposition.counter("tsdb_a_total", "A \"b\" \\ c\nd").count(&[("path", "a\\b\"c\nd")], 12);
    exposition.histogram("tsdb_b_seconds", "B.").observations(&[], &histogram.figures());
    crate::telemetry::process::ProcessFigures::read().expose(&mut exposition);
    let request = parse(&exposition.finish()).unwrap();
    assert_eq!(request.metadata[0].help, "A \"b\" \\ c\nd");
    assert_eq!(request.metadata[1].metric_type, MetricType::Histogram);
    let all = samples(&request);
    assert!(all.contains(&(
        r#"{__name__="tsdb_a_total", path="a\\b\"c\nd"}"#.into(),
        77,
        12.0_f64.to_bits()
    )));
    assert!(all.iter().any(|(labels, _, _)| labels.contains("tsdb_b_seconds_bucket\", le=\"+Inf\"")));
    assert_eq!(all.len() as u64, request.samples);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        (-1000_i64..1000).prop_map(|v| v as f64)
    ]
}

prop_compose! {
    fn sample()(
        name in "[a-z_:][a-z0-9_:]{0,8}",
        labels in proptest::collection::btree_map("[a-z][a-z0-9_]{0,5}", "\\PC{0,9}|[\\\\\"\n{},= ]{0,6}", 0..5),
        value in value(),
        time in proptest::option::of(any::<i64>()),
        blanks in "[ \t]{0,2}",
    ) -> (String, Vec<(String, String)>, f64, Option<i64>, String) {
        (name, labels.into_iter().collect(), value, time, blanks)
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(all in proptest::collection::vec(sample(), 0..20)) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (name, labels, value, time, blanks) in &all {
            text.push_str(&format!("{blanks}{name}{blanks}{{"));
            for (label, value) in labels {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                text.push_str(&format!("{blanks}{label}{blanks}={blanks}\"{escaped}\"{blanks},"));
            }
            text.push_str(&format!("}}{blanks} {value:?}"));
            if let Some(time) = time {
                text.push_str(&format!(" {time}"));
            }
            text.push('\n');
            let pairs = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("__name__", name.as_str())]);
            let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
            expected.push((Labels::from_pairs(pairs).to_string(), time.unwrap_or(77), bits));
        }
        expected.sort();
        prop_assert_eq!(samples(&parse(&text).unwrap()), expected);
    }

    #[test]
    fn noise_never_panics(bytes: Vec<u8>) {
        let _ = parse_with(&bytes, TextOptions::default());
    }

    #[test]
    fn noise_of_the_format_never_panics(text in "(up|# (HELP|TYPE)|[{}=,\"\\\\ \n#]|a|1|NaN){0,40}") {
        let _ = parse(&text);
    }
}
