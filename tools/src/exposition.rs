//! Text of the exposition format, as scrapes bring it: the labels of a series, and lines of samples.

use anyhow::{Context, Result, bail};

use crate::encode::put_label;

/// Name and value pairs, sorted by name.
pub type LabelPairs = Vec<(String, String)>;

/// The labels of `name{a="b",...}`, its name as `__name__`.
pub fn read_series(text: &str) -> Result<LabelPairs> {
    let (labels, rest) = take_series(text).with_context(|| format!("series {text:?}"))?;
    if !rest.trim().is_empty() {
        bail!("series {text:?}: {rest:?} behind its labels");
    }
    Ok(labels)
}

/// The series and the value of a line; `None` for comments and empty lines. A timestamp is left out.
pub fn read_line(line: &str) -> Result<Option<(&str, f64)>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (_, rest) = take_series(line).with_context(|| format!("line {line:?}"))?;
    let series = line.get(..line.len() - rest.len()).unwrap_or_default().trim_end();
    let value = rest.split_ascii_whitespace().next().unwrap_or_default();
    let value = value.parse().with_context(|| format!("line {line:?}: value {value:?}"))?;
    Ok(Some((series, value)))
}

/// The labels encoded as a `TimeSeries` has them.
#[must_use]
pub fn encode_labels(labels: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        put_label(&mut out, name, value);
    }
    out
}

fn take_series(text: &str) -> Result<(LabelPairs, &str)> {
    let text = text.trim_start();
    let (name, mut rest) = take_word(text);
    let mut labels = LabelPairs::new();
    if !name.is_empty() {
        labels.push(("__name__".to_owned(), name.to_owned()));
    }
    let behind_name = rest.trim_start();
    if let Some(inner) = behind_name.strip_prefix('{') {
        rest = take_labels(inner, &mut labels)?;
    }
    if labels.is_empty() {
        bail!("neither a name nor labels");
    }
    labels.sort();
    if let Some([(name, _), _]) = labels.array_windows().find(|[a, b]| a.0 == b.0) {
        bail!("label {name} twice");
    }
    Ok((labels, rest))
}

/// Takes labels up to the closing bracket.
fn take_labels<'a>(mut text: &'a str, labels: &mut LabelPairs) -> Result<&'a str> {
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Ok(rest);
        }
        let (name, rest) = take_word(text);
        if name.is_empty() {
            bail!("no name of a label at {text:?}");
        }
        let rest =
            rest.trim_start().strip_prefix('=').with_context(|| format!("no = behind label {name}"))?;
        let rest = rest
            .trim_start()
            .strip_prefix('"')
            .with_context(|| format!("value of label {name}: no quote"))?;
        let (value, rest) = take_value(rest).with_context(|| format!("value of label {name}"))?;
        labels.push((name.to_owned(), value));
        text = rest.trim_start();
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None if text.starts_with('}') => {}
            None => bail!("neither , nor }} behind label {name}"),
        }
    }
}

fn take_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text.split_at(end)
}

/// Takes a value and the quote behind it.
fn take_value(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                _ => bail!("unknown escape"),
            },
            c => value.push(c),
        }
    }
    bail!("no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> LabelPairs {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_are_read_and_sorted() {
        assert_eq!(read_series("up").unwrap(), pairs(&[("__name__", "up")]));
        let text = r#"m:sum{ z = "a\\b\"c\nd" , a="} x",}"#;
        let expected = [("__name__", "m:sum"), ("a", "} x"), ("z", "a\\b\"c\nd")];
        assert_eq!(read_series(text).unwrap(), pairs(&expected));
        assert_eq!(read_series(r#"{a="b"}"#).unwrap(), pairs(&[("a", "b")]));
    }

    #[test]
    fn lines_have_a_series_and_a_value() {
        assert_eq!(read_line("# HELP up Whether.").unwrap(), None);
        assert_eq!(read_line("").unwrap(), None);
        let line = r#"m{a="b c"} 1.5e+06 1700000000000"#;
        assert_eq!(read_line(line).unwrap(), Some((r#"m{a="b c"}"#, 1.5e6)));
        assert_eq!(read_line("m +Inf").unwrap(), Some(("m", f64::INFINITY)));
        assert!(read_line("m NaN").unwrap().unwrap().1.is_nan());
    }

    #[test]
    fn other_text_is_refused() {
        let bad = [
            "",
            "{}",
            "m{",
            r#"m{a="b"#,
            r#"m{a="b" c="d"}"#,
            r#"m{a="\x"}"#,
            "m{a=b}",
            r#"m{a="",a=""}"#,
            "m x",
        ];
        for text in bad {
            assert!(read_series(text).is_err(), "{text}");
        }
        for line in ["m", "m one", "{} 1", "-1"] {
            assert!(read_line(line).is_err(), "{line}");
        }
    }
}
