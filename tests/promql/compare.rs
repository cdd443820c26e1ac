//! Results against what a script expects.

use std::collections::BTreeMap;

use shards::model::{Labels, is_stale_nan};
use tsdb::promql::value::{EvalSeries, QueryOutput, Value, is_present};

use crate::script::{Eval, Expected, Times};
use crate::series::Point;

/// Relative error that values may have.
const TOLERANCE: f64 = 1e-6;

/// A series of a result: its samples by time.
type Row = (Labels, Vec<(i64, f64)>);

/// The answer of an instant or a range query as the script states it.
pub(crate) fn output(eval: &Eval, times: Times, output: &QueryOutput) -> Result<(), String> {
    match (&eval.expected, &output.value) {
        (Expected::String(expected), Value::String(actual)) if **expected == **actual => Ok(()),
        (Expected::String(expected), actual) => {
            Err(format!("expected the string {expected:?}, got {actual:?}"))
        }
        (Expected::Scalar(expected), Value::Scalar(actual)) => match actual[..] {
            [actual] => value(*expected, actual),
            _ => Err(format!("expected one value, got {actual:?}")),
        },
        (Expected::Scalar(expected), actual) => {
            Err(format!("expected the scalar {expected}, got {actual:?}"))
        }
        (Expected::Series(expected), Value::Vector(actual)) => {
            let mut sorted = actual.windows(2).map(|pair| pair[0].labels <= pair[1].labels);
            if matches!(times, Times::Range { .. }) && !sorted.all(|sorted| sorted) {
                return Err("the series are not sorted by labels".to_owned());
            }
            let (start_ms, step_ms) = match times {
                Times::Instant { time_ms } => (time_ms, 0),
                Times::Range { start_ms, step_ms, .. } => (start_ms, step_ms),
            };
            series(eval, expected, &rows(output, actual), start_ms, step_ms)
        }
        (Expected::Series(expected), Value::Matrix(actual)) => {
            let (start_ms, step_ms) = eval.samples_at.ok_or("got a range vector")?;
            let rows: Vec<Row> = actual
                .iter()
                .map(|series| {
                    let samples = series.timestamps.iter().copied().zip(series.values.iter().copied());
                    (series.labels.clone(), samples.collect())
                })
                .collect();
            series(eval, expected, &rows, start_ms, step_ms)
        }
        (Expected::Series(_), actual) => Err(format!("expected series, got {actual:?}")),
    }
}

/// The answer at one time of a range query, as the script states it for an instant query.
pub(crate) fn at_time(eval: &Eval, output: &QueryOutput, time_ms: i64) -> Result<(), String> {
    let Value::Vector(actual) = &output.value else {
        return Err(format!("expected series, got {:?}", output.value));
    };
    let mut rows = rows(output, actual);
    for (_, samples) in &mut rows {
        samples.retain(|(sample_ms, _)| *sample_ms == time_ms);
    }
    rows.retain(|(_, samples)| !samples.is_empty());
    match (&eval.expected, &rows[..]) {
        (Expected::Scalar(expected), [(labels, samples)]) if labels.is_empty() => match samples[..] {
            [(_, actual)] => value(*expected, actual),
            _ => Err("expected one value".to_owned()),
        },
        (Expected::Series(expected), _) => series(eval, expected, &rows, time_ms, 0),
        (expected, rows) => Err(format!("expected {expected:?}, got {rows:?}")),
    }
}

fn rows(output: &QueryOutput, series: &[EvalSeries]) -> Vec<Row> {
    let row = |one: &EvalSeries| {
        let samples = output.grid.times().zip(one.values.iter().copied());
        (one.labels.clone(), samples.filter(|(_, value)| is_present(*value)).collect())
    };
    series.iter().map(row).collect()
}

fn series(
    eval: &Eval,
    expected: &[(Labels, Vec<Point>)],
    actual: &[Row],
    start_ms: i64,
    step_ms: i64,
) -> Result<(), String> {
    let expected_by_labels: BTreeMap<&Labels, (usize, &Vec<Point>)> =
        expected.iter().enumerate().map(|(at, (labels, points))| (labels, (at, points))).collect();
    let mut found = 0;
    for (position, (labels, samples)) in actual.iter().enumerate() {
        let Some((expected_position, points)) = expected_by_labels.get(labels) else {
            return Err(format!("unexpected series {labels} with {samples:?}"));
        };
        if eval.ordered && *expected_position != position {
            return Err(format!("{labels} is at place {position} instead of {expected_position}"));
        }
        row(points, samples, start_ms, step_ms).map_err(|error| format!("{labels}: {error}"))?;
        found += 1;
    }
    if found == expected_by_labels.len() {
        return Ok(());
    }
    let missing = expected_by_labels.keys().find(|labels| actual.iter().all(|(other, _)| other != **labels));
    Err(format!("missing series {}", missing.map(ToString::to_string).unwrap_or_default()))
}

fn row(points: &[Point], samples: &[(i64, f64)], start_ms: i64, step_ms: i64) -> Result<(), String> {
    let mut expected = Vec::new();
    for (index, point) in points.iter().enumerate() {
        match point {
            Point::Nothing => {}
            Point::Histogram => return Err("expected a native histogram".to_owned()),
            Point::Float(value) => expected.push((start_ms + index as i64 * step_ms, *value)),
        }
    }
    if expected.len() != samples.len() {
        return Err(format!("expected {expected:?}, got {samples:?}"));
    }
    for ((expected_ms, expected), (actual_ms, actual)) in expected.into_iter().zip(samples) {
        if expected_ms != *actual_ms {
            return Err(format!("expected a value at {expected_ms} ms, got one at {actual_ms} ms"));
        }
        value(expected, *actual).map_err(|error| format!("at {actual_ms} ms {error}"))?;
    }
    Ok(())
}

fn value(expected: f64, actual: f64) -> Result<(), String> {
    if equal(expected, actual) { Ok(()) } else { Err(format!("expected {expected}, got {actual}")) }
}

fn equal(a: f64, b: f64) -> bool {
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) && is_stale_nan(b);
    }
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}
