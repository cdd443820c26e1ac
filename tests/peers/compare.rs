//! Compares two answers: labels and times exactly, values to a relative 1e-9.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::common::http::Answer;

const TOLERANCE: f64 = 1e-9;
/// Below this a value is what rounding left of zero, such as the deviation of equal numbers.
const ROUNDING: f64 = 1e-13;
/// Differences of one query that are spelled out.
const SHOWN_MAX: usize = 3;

/// Values by time, by labels. A scalar has no labels.
type Series = BTreeMap<String, Vec<(String, f64)>>;

/// Adds what differs to the list; returns how many values Prometheus gave.
pub(crate) fn differences(query: &str, theirs: &Answer, ours: &Answer, wrong: &mut Vec<String>) -> usize {
    if theirs.status != ours.status {
        wrong.push(format!("{query}\n  status {} against {}: {}", theirs.status, ours.status, ours.text()));
        return 0;
    }
    if theirs.status != 200 {
        wrong.push(format!("{query}\n  fails on both sides: {}", theirs.text()));
        return 0;
    }
    let (theirs, ours) = (theirs.data(), ours.data());
    if theirs["resultType"] != ours["resultType"] {
        wrong.push(format!("{query}\n  {} against {}", theirs["resultType"], ours["resultType"]));
        return 0;
    }
    let (expected, found) = (series(&theirs), series(&ours));
    let mut found_wrong = Vec::new();
    for (labels, values) in &expected {
        match found.get(labels) {
            None => found_wrong.push(format!("{labels}: missing")),
            Some(others) => {
                if let Some(text) = first_difference(values, others) {
                    found_wrong.push(format!("{labels}: {text}"));
                }
            }
        }
    }
    let surplus = found.keys().filter(|labels| !expected.contains_key(*labels));
    found_wrong.extend(surplus.map(|labels| format!("{labels}: only ours")));
    if query.starts_with("sort") && theirs["resultType"] == "vector" && !same_order(&theirs, &ours) {
        found_wrong.push("values come in another order".to_owned());
    }
    if !found_wrong.is_empty() {
        let shown: Vec<_> = found_wrong.iter().take(SHOWN_MAX).cloned().collect();
        wrong.push(format!(
            "{query}\n  {} of {} series; {}",
            found_wrong.len(),
            expected.len(),
            shown.join("\n  ")
        ));
    }
    expected.values().map(Vec::len).sum()
}

/// Compares lists of names or label sets, order apart.
pub(crate) fn same_rows(path: &str, theirs: &Answer, ours: &Answer, wrong: &mut Vec<String>) {
    if ours.status != 200 {
        wrong.push(format!("{path}: status {}: {}", ours.status, ours.text()));
        return;
    }
    let rows = |data: &Value| -> BTreeSet<String> {
        data.as_array().unwrap().iter().map(Value::to_string).collect()
    };
    let (theirs, ours) = (rows(&theirs.data()), rows(&ours.data()));
    if theirs != ours || theirs.is_empty() {
        let missing: Vec<_> = theirs.difference(&ours).take(SHOWN_MAX).collect();
        let surplus: Vec<_> = ours.difference(&theirs).take(SHOWN_MAX).collect();
        wrong.push(format!(
            "{path}: {} rows against {}; missing {missing:?}, only ours {surplus:?}",
            theirs.len(),
            ours.len()
        ));
    }
}

fn series(data: &Value) -> Series {
    let pair = |pair: &Value| (pair[0].to_string(), pair[1].as_str().unwrap().parse::<f64>().unwrap());
    let result = &data["result"];
    match data["resultType"].as_str().unwrap() {
        "scalar" => Series::from([(String::new(), vec![pair(result)])]),
        "vector" => rows(result).map(|row| (row["metric"].to_string(), vec![pair(&row["value"])])).collect(),
        "matrix" => rows(result)
            .map(|row| {
                (row["metric"].to_string(), row["values"].as_array().unwrap().iter().map(pair).collect())
            })
            .collect(),
        other => panic!("no rule to compare a {other}"),
    }
}

fn rows(result: &Value) -> impl Iterator<Item = &Value> {
    result.as_array().unwrap().iter()
}

fn same_order(theirs: &Value, ours: &Value) -> bool {
    let values = |data: &Value| -> Vec<f64> {
        rows(&data["result"]).map(|row| row["value"][1].as_str().unwrap().parse().unwrap()).collect()
    };
    let (theirs, ours) = (values(theirs), values(ours));
    theirs.iter().zip(&ours).all(|(a, b)| close(*a, *b))
}

fn first_difference(expected: &[(String, f64)], found: &[(String, f64)]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} values against {}", expected.len(), found.len()));
    }
    expected.iter().zip(found).find_map(|((time, value), (other_time, other))| {
        if time == other_time && close(*value, *other) {
            return None;
        }
        Some(format!("{value} at {time} against {other} at {other_time}"))
    })
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= ROUNDING.max(TOLERANCE * a.abs().max(b.abs()))
}
