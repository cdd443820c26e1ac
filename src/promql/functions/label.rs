//! Functions of labels: `label_replace`, `label_join`, and the labels of `absent`.

use std::sync::Arc;

use regex::{Captures, Regex};
use shards::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

use crate::promql::eval_error::EvalError;
use crate::promql::value::EvalSeries;

/// Largest compiled regular expression.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// `label_replace` with its arguments checked.
#[derive(Debug, Clone)]
pub(crate) struct ReplaceLabel {
    target: Arc<str>,
    template: Arc<str>,
    source: Arc<str>,
    regex: Regex,
}

impl ReplaceLabel {
    pub(crate) fn new(
        target: &Arc<str>,
        template: &Arc<str>,
        source: &Arc<str>,
        pattern: &str,
    ) -> Result<Self, EvalError> {
        let regex = regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|_| {
                EvalError::execution(format!("invalid regular expression in label_replace(): {pattern}"))
            })?;
        if target.is_empty() {
            return Err(EvalError::execution("invalid destination label name in label_replace(): "));
        }
        Ok(Self {
            target: Arc::clone(target),
            template: Arc::clone(template),
            source: Arc::clone(source),
            regex,
        })
    }

    pub(crate) fn apply(&self, series: &mut EvalSeries) {
        let value = series.labels.get(&self.source).unwrap_or_default();
        let Some(captures) = self.regex.captures(value) else { return };
        let replaced = expand(&self.template, &self.regex, &captures);
        set(series, &self.target, &replaced);
    }
}

/// `label_join` with its arguments checked.
#[derive(Debug, Clone)]
pub(crate) struct JoinLabels {
    target: Arc<str>,
    separator: Arc<str>,
    sources: Vec<Arc<str>>,
}

impl JoinLabels {
    pub(crate) fn new(
        target: &Arc<str>,
        separator: &Arc<str>,
        sources: Vec<Arc<str>>,
    ) -> Result<Self, EvalError> {
        if sources.iter().any(|source| source.is_empty()) {
            return Err(EvalError::execution("invalid source label name in label_join(): "));
        }
        if target.is_empty() {
            return Err(EvalError::execution("invalid destination label name in label_join(): "));
        }
        Ok(Self { target: Arc::clone(target), separator: Arc::clone(separator), sources })
    }

    pub(crate) fn apply(&self, series: &mut EvalSeries) {
        let values: Vec<&str> =
            self.sources.iter().map(|source| series.labels.get(source).unwrap_or_default()).collect();
        let joined = values.join(&self.separator);
        set(series, &self.target, &joined);
    }
}

fn set(series: &mut EvalSeries, label: &str, value: &str) {
    let mut builder = series.labels.builder();
    builder.set(label, value);
    series.labels = builder.build();
    if label == METRIC_NAME {
        series.drop_name = false;
    }
}

/// Replaces `$1`, `$name`, `${1}`, `${name}` by what they captured and `$$` by `$`, with the rules
/// of Go: an unbraced name is as long as letters, digits and underscores go on, an unknown one is
/// empty, and a `$` that begins nothing stays.
fn expand(template: &str, regex: &Regex, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{');
        let name_text = braced.unwrap_or(rest);
        let end = name_text.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(name_text.len());
        let (name, after) = name_text.split_at(end);
        let after = if braced.is_some() { after.strip_prefix('}') } else { Some(after) };
        match after {
            Some(after) if !name.is_empty() => {
                let index = if name.bytes().all(|byte| byte.is_ascii_digit()) {
                    name.parse().ok()
                } else {
                    regex.capture_names().position(|candidate| candidate == Some(name))
                };
                if let Some(group) = index.and_then(|index| captures.get(index)) {
                    out.push_str(group.as_str());
                }
                rest = after;
            }
            _ => out.push('$'),
        }
    }
    out.push_str(rest);
    out
}

/// Labels that the matchers fix, for the series that stands for absent ones: those of the first
/// equality per name, none where a name is matched in other ways too.
pub(crate) fn absent_labels(matchers: &[Matcher]) -> Labels {
    let mut builder = LabelsBuilder::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            builder.set(matcher.name(), matcher.value());
            seen.push(matcher.name());
        } else {
            builder.remove(matcher.name());
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(pairs: &[(&str, &str)]) -> EvalSeries {
        EvalSeries { labels: Labels::from_pairs(pairs.iter().copied()), drop_name: true, values: vec![1.0] }
    }

    fn replaced(template: &str, pattern: &str, value: &str) -> Option<String> {
        let replace = ReplaceLabel::new(&"dst".into(), &template.into(), &"src".into(), pattern).unwrap();
        let mut one = series(&[("src", value), ("dst", "old")]);
        replace.apply(&mut one);
        one.labels.get("dst").map(str::to_owned)
    }

    #[test]
    fn templates_expand_as_in_go() {
        assert_eq!(replaced("value-$1", "source-value-(.*)", "source-value-10").unwrap(), "value-10");
        assert_eq!(replaced("${1}x$$", "(a)b", "ab").unwrap(), "ax$");
        assert_eq!(replaced("$1x", "(a)b", "ab"), None, "1x names no group, and empty removes");
        assert_eq!(replaced("$name-${name}", "(?P<name>a)b", "ab").unwrap(), "a-a");
        assert_eq!(replaced("$-${", "ab", "ab").unwrap(), "$-${");
        assert_eq!(replaced("x", "b", "ab").unwrap(), "old", "the pattern is anchored");
        assert_eq!(replaced("n", ".*", "a\nb").unwrap(), "n", "a dot matches a newline");
    }

    #[test]
    fn bad_arguments_are_named() {
        let error = ReplaceLabel::new(&"d".into(), &"".into(), &"s".into(), "(").unwrap_err();
        assert_eq!(error.to_string(), "invalid regular expression in label_replace(): (");
        let error = ReplaceLabel::new(&"".into(), &"".into(), &"s".into(), "a").unwrap_err();
        assert_eq!(error.to_string(), "invalid destination label name in label_replace(): ");
    }

    #[test]
    fn join_takes_missing_labels_as_empty() {
        let join = JoinLabels::new(&"__name__".into(), &"-".into(), vec!["a".into(), "b".into(), "c".into()])
            .unwrap();
        let mut one = series(&[("a", "1"), ("c", "3")]);
        join.apply(&mut one);
        assert_eq!(one.labels.metric_name(), Some("1--3"));
        assert!(!one.drop_name);
    }

    #[test]
    fn absent_takes_unambiguous_equalities() {
        let matcher = |op, name, value| Matcher::new(op, name, value).unwrap();
        let matchers = [
            matcher(MatchOp::Equal, "__name__", "up"),
            matcher(MatchOp::Equal, "job", "a"),
            matcher(MatchOp::Equal, "job", "b"),
            matcher(MatchOp::Equal, "x", "1"),
            matcher(MatchOp::Regex, "y", ".+"),
        ];
        assert_eq!(absent_labels(&matchers), Labels::from_pairs([("x", "1")]));
    }
}
