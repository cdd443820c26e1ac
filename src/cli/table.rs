//! Results of queries as text to read.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use shards::model::METRIC_NAME;

/// The data of a query's answer, a line per value.
pub(super) fn render(data: &Value) -> String {
    let result = data.get("result").unwrap_or(&Value::Null);
    match data.get("resultType").and_then(Value::as_str) {
        Some("scalar" | "string") => format!("{}\n", value_of(result)),
        Some("vector") => vector(result),
        Some("matrix") => matrix(result),
        _ => format!("{data}\n"),
    }
}

fn vector(result: &Value) -> String {
    let lines: Vec<(String, String)> = items(result)
        .map(|item| (series_name(item), value_of(item.get("value").unwrap_or(&Value::Null))))
        .collect();
    if lines.is_empty() {
        return "no series\n".to_owned();
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in lines {
        let _ = writeln!(out, "{name:<width$}  {value}");
    }
    out
}

fn matrix(result: &Value) -> String {
    let mut out = String::new();
    for item in items(result) {
        let _ = writeln!(out, "{}", series_name(item));
        for point in items(item.get("values").unwrap_or(&Value::Null)) {
            let time = point.get(0).and_then(Value::as_f64).unwrap_or(f64::NAN);
            let _ = writeln!(out, "  {time:<14}  {}", value_of(point));
        }
    }
    if out.is_empty() { "no series\n".to_owned() } else { out }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The second of a pair of time and value.
fn value_of(point: &Value) -> String {
    point.get(1).and_then(Value::as_str).unwrap_or("?").to_owned()
}

/// `name{label="value", ..}`
fn series_name(item: &Value) -> String {
    let none = Map::new();
    let metric = item.get("metric").and_then(Value::as_object).unwrap_or(&none);
    let name = metric.get(METRIC_NAME).and_then(Value::as_str).unwrap_or_default();
    let labels: Vec<String> = metric
        .iter()
        .filter(|(label, _)| *label != METRIC_NAME)
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    if labels.is_empty() && !name.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", labels.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_read_as_lines() {
        let data = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(render(&data(r#"{"resultType":"scalar","result":[1,"2.5"]}"#)), "2.5\n");
        assert_eq!(render(&data(r#"{"resultType":"vector","result":[]}"#)), "no series\n");
        assert_eq!(
            render(&data(
                r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[1,"1"]},{"metric":{},"value":[1,"NaN"]}]}"#
            )),
            "up{job=\"a\"}  1\n{}           NaN\n"
        );
        assert_eq!(
            render(&data(
                r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[1,"1"],[2.5,"0"]]}]}"#
            )),
            "up\n  1               1\n  2.5             0\n"
        );
    }
}
