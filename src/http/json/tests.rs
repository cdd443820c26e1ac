//! Answers as they go over the wire.

use http_body_util::BodyExt;
use serde_json::Value as Json;

use super::*;
use crate::promql::annotation::Annotations;
use crate::promql::value::{ABSENT, EvalSeries, RawSeries};
use crate::promql::window::Grid;

/// All bytes of a body and how large its pieces were.
fn collect(mut body: ReplyBody) -> (String, Vec<usize>) {
    let mut text = Vec::new();
    let mut sizes = Vec::new();
    futures_lite::future::block_on(async {
        while let Some(Ok(frame)) = body.frame().await {
            let piece = frame.into_data().unwrap();
            sizes.push(piece.len());
            text.extend_from_slice(&piece);
        }
    });
    (String::from_utf8(text).unwrap(), sizes)
}

fn output(grid: Grid, value: Value) -> QueryOutput {
    QueryOutput { grid, value, annotations: Annotations::new(), samples: 0 }
}

fn answer(kind: QueryKind, grid: Grid, value: Value) -> String {
    collect(query(kind, output(grid, value), None, &Notes::default())).0
}

fn series(labels: &[(&str, &str)], values: &[f64]) -> EvalSeries {
    EvalSeries {
        labels: Labels::from_pairs(labels.iter().copied()),
        values: values.to_vec(),
        drop_name: false,
    }
}

#[test]
fn each_kind_of_result_reads_as_upstream_writes_it() {
    let grid = Grid::instant(1_435_781_451_781);
    let kind = QueryKind::Instant;
    assert_eq!(
        answer(kind, grid, Value::Scalar(vec![1e21])),
        r#"{"status":"success","data":{"resultType":"scalar","result":[1435781451.781,"1000000000000000000000"]}}"#
    );
    assert_eq!(
        answer(kind, Grid::instant(1_500), Value::String("a<b".into())),
        r#"{"status":"success","data":{"resultType":"string","result":[1.5,"a\u003cb"]}}"#
    );
    let vector = vec![series(&[("__name__", "up"), ("job", "a<b")], &[1.5]), series(&[], &[f64::INFINITY])];
    assert_eq!(
        answer(kind, Grid::instant(1_500), Value::Vector(vector)),
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a<b"},"value":[1.500,"1.5"]},{"metric":{},"value":[1.500,"+Inf"]}]}}"#
    );
    assert_eq!(
        answer(kind, grid, Value::Vector(Vec::new())),
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
    );
    let raw = RawSeries {
        labels: Labels::from_pairs([("a", "1")]),
        timestamps: vec![1_000, 2_500],
        values: vec![f64::NAN, -0.0],
    };
    assert_eq!(
        answer(kind, grid, Value::Matrix(vec![raw.clone(), raw])),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"1"},"values":[[1,"NaN"],[2.500,"-0"]]},{"metric":{"a":"1"},"values":[[1,"NaN"],[2.500,"-0"]]}]}}"#
    );
    let grid_series =
        vec![series(&[("a", "1")], &[1.0, ABSENT, 3.0]), series(&[("a", "2")], &[ABSENT, 2.0, ABSENT])];
    assert_eq!(
        answer(QueryKind::Range, Grid::range(0, 60_000, 30_000), Value::Vector(grid_series)),
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"1"},"values":[[0,"1"],[60,"3"]]},{"metric":{"a":"2"},"values":[[30,"2"]]}]}}"#
    );
}

#[test]
fn notes_and_stats_follow_the_data() {
    let notes = Notes {
        warnings: (0..12).map(|n| format!("PromQL warning: {n}")).collect(),
        infos: vec!["PromQL info: x (1:1)".to_owned()],
    };
    let stats = QueryStats { samples_read: 7, exec_total_seconds: 0.25, ..QueryStats::default() };
    let vector = output(Grid::instant(0), Value::Vector(Vec::new()));
    let (text, _) = collect(query(QueryKind::Instant, vector, Some(&stats), &notes));
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 11);
    assert_eq!(json["warnings"][10], "2 more warning annotations omitted");
    assert_eq!(json["infos"], serde_json::json!(["PromQL info: x (1:1)"]));
    assert_eq!(json["data"]["stats"]["samples"]["samplesRead"], 7);
    assert_eq!(json["data"]["stats"]["timings"]["execTotalTime"], 0.25);
}

#[test]
fn large_answers_come_in_small_pieces() {
    let steps = 5_000;
    let grid = Grid::range(1_700_000_000_000, 1_700_000_000_000 + 15_000 * (steps - 1), 15_000);
    let all: Vec<EvalSeries> = (0..40)
        .map(|n| {
            let values: Vec<f64> = (0..steps).map(|step| (n * step) as f64 / 7.0).collect();
            series(&[("__name__", "m"), ("n", &n.to_string())], &values)
        })
        .collect();
    let expected = all.clone();
    let (text, sizes) =
        collect(query(QueryKind::Range, output(grid, Value::Vector(all)), None, &Notes::default()));
    assert!(text.len() > 4_000_000, "{}", text.len());
    assert!(sizes.iter().all(|size| *size < 2 * ANSWER_PIECE_BYTES), "{sizes:?}");
    let json: Json = serde_json::from_str(&text).unwrap();
    for (found, expected) in json["data"]["result"].as_array().unwrap().iter().zip(&expected) {
        let values: Vec<f64> = found["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point[1].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(values, expected.values);
    }
}

#[test]
fn lists_and_errors_are_enveloped() {
    let listing = |items: &[&str]| Listing {
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        truncated: false,
        warnings: Vec::new(),
    };
    let notes = Notes { warnings: vec!["results truncated due to limit".to_owned()], infos: Vec::new() };
    assert_eq!(
        collect(texts(listing(&["a", "b\"<"]), &notes)).0,
        r#"{"status":"success","data":["a","b\"\u003c"],"warnings":["results truncated due to limit"]}"#
    );
    assert_eq!(collect(texts(listing(&[]), &Notes::default())).0, r#"{"status":"success","data":[]}"#);
    let sets = Listing {
        items: vec![Labels::from_pairs([("a", "1"), ("b", "2")]), Labels::empty()],
        truncated: false,
        warnings: Vec::new(),
    };
    assert_eq!(
        collect(label_sets(sets, &Notes::default())).0,
        r#"{"status":"success","data":[{"a":"1","b":"2"},{}]}"#
    );
    assert_eq!(
        error("bad_data", "1:1: \"x\""),
        r#"{"status":"error","errorType":"bad_data","error":"1:1: \"x\""}"#.as_bytes()
    );
    assert_eq!(collect(object(&[("a", "1")])).0, r#"{"status":"success","data":{"a":"1"}}"#);
}
