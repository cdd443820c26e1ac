//! Series as scripts write them: `name{label="value"} 1 2+3x4 _ stale {{schema:1}}x2`.

use shards::model::{Labels, MatchOp, stale_nan};

/// One place in a row of values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Point {
    Nothing,
    Float(f64),
    /// A native histogram, which is recognised but neither stored nor compared.
    Histogram,
}

#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) points: Vec<Point>,
}

/// Longest row of values that an item may expand to.
const REPEAT_MAX: usize = 100_000;

pub(crate) fn parse(line: &str) -> Result<Series, String> {
    let (metric, values) = split_metric(line);
    Ok(Series { labels: labels(metric)?, points: points(values)? })
}

/// Whether the line gives start timestamps of the series below it, which are not stored.
pub(crate) fn is_start_timestamps(line: &str) -> bool {
    let (metric, _) = split_metric(line);
    metric.ends_with("@st")
}

/// Parts a line behind the metric: at the first white space outside of braces and quotes.
fn split_metric(line: &str) -> (&str, &str) {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            (None, ' ' | '\t') if depth == 0 => {
                let rest = line[at..].trim_start();
                // The braces of the labels may stand apart from the name.
                if rest.starts_with('{') && !rest.starts_with("{{") && !line[..at].contains('{') {
                    continue;
                }
                return (&line[..at], rest);
            }
            (None, _) => {}
        }
    }
    (line, "")
}

fn labels(metric: &str) -> Result<Labels, String> {
    let matchers =
        tsdb::promql::parse_series_selector(metric).map_err(|error| format!("{metric}: {error}"))?;
    if matchers.iter().any(|matcher| matcher.op() != MatchOp::Equal) {
        return Err(format!("not a series: {metric}"));
    }
    Ok(Labels::from_pairs(matchers.iter().map(|matcher| (matcher.name(), matcher.value()))))
}

fn points(mut text: &str) -> Result<Vec<Point>, String> {
    let mut points = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return Ok(points);
        }
        let end = item_end(text);
        item(&text[..end], &mut points).map_err(|error| format!("{error} in item {}", &text[..end]))?;
        text = &text[end..];
    }
}

/// End of an item: the first white space outside of histograms.
fn item_end(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ' ' | '\t' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn item(text: &str, points: &mut Vec<Point>) -> Result<(), String> {
    if let Some(rest) = text.strip_prefix('_') {
        let count = if rest.is_empty() { 1 } else { repeats(rest)? };
        points.extend(std::iter::repeat_n(Point::Nothing, count));
        return Ok(());
    }
    if text.starts_with("{{") {
        let rest = text.rsplit_once("}}").map_or("", |(_, rest)| rest);
        let count = if rest.is_empty() { 1 } else { repeats(rest)? + 1 };
        points.extend(std::iter::repeat_n(Point::Histogram, count));
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("stale") {
        let count = if rest.is_empty() { 1 } else { repeats(rest)? + 1 };
        points.extend(std::iter::repeat_n(Point::Float(stale_nan()), count));
        return Ok(());
    }
    let (first, rest) = float(text)?;
    if rest.is_empty() {
        points.push(Point::Float(first));
        return Ok(());
    }
    let (step, rest) = if rest.starts_with(['+', '-']) { float(rest)? } else { (0.0, rest) };
    let mut value = first;
    for _ in 0..=repeats(rest)? {
        points.push(Point::Float(value));
        value += step;
    }
    Ok(())
}

fn repeats(text: &str) -> Result<usize, String> {
    text.strip_prefix('x')
        .and_then(|count| count.parse().ok())
        .filter(|count| *count <= REPEAT_MAX)
        .ok_or_else(|| format!("not a repetition: {text}"))
}

/// A number, with its sign, in front of the text, and the rest.
fn float(text: &str) -> Result<(f64, &str), String> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if unsigned.len() + 1 < text.len() {
        return Err("two signs".to_owned());
    }
    for (name, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if unsigned.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name)) {
            return Ok((sign * value, &unsigned[name.len()..]));
        }
    }
    let mut end = 0;
    let bytes = unsigned.as_bytes();
    while let Some(byte) = bytes.get(end) {
        let exponent_sign = matches!(byte, b'+' | b'-') && end > 0 && matches!(bytes[end - 1], b'e' | b'E');
        if !(byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'_') || exponent_sign) {
            break;
        }
        end += 1;
    }
    let value: f64 =
        unsigned[..end].replace('_', "").parse().map_err(|_| format!("not a number: {unsigned}"))?;
    Ok((sign * value, &unsigned[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let series = parse(line).unwrap();
        let points: Vec<String> = series
            .points
            .iter()
            .map(|point| match point {
                Point::Nothing => "_".to_owned(),
                Point::Float(value) if shards::model::is_stale_nan(*value) => "stale".to_owned(),
                Point::Float(value) => value.to_string(),
                Point::Histogram => "h".to_owned(),
            })
            .collect();
        format!("{} {}", series.labels, points.join(" "))
    }

    #[test]
    fn rows_expand() {
        assert_eq!(shown("a 1 -2.5 _ stale"), r#"{__name__="a"} 1 -2.5 _ stale"#);
        assert_eq!(shown("a{b=\"c d\", e='}'} 1+2x2 3x1"), r#"{__name__="a", b="c d", e="}"} 1 3 5 3 3"#);
        assert_eq!(shown("{} 1-0.5x1 _x2 -Inf NaN"), "{} 1 0.5 _ _ -inf NaN");
        assert_eq!(shown("{\"a.b\", x=\"y\"} 1e-1+1e1x1"), r#"{__name__="a.b", x="y"} 0.1 10.1"#);
        assert_eq!(shown("a {{schema:1 buckets:[1 2]}}x1 {{}}+{{sum:1}}x2"), r#"{__name__="a"} h h h h h"#);
        assert_eq!(shown("a {b=\"c\"} 1"), r#"{__name__="a", b="c"} 1"#);
        assert!(parse("a 1x").is_err());
        assert!(parse("a b").is_err());
        assert!(parse("a{b!=\"c\"} 1").is_err());
        assert!(is_start_timestamps("a{b=\"c\"}@st 1m"));
    }
}
