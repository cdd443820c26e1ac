//! Regular expressions of matchers, and what they come down to.
//!
//! Patterns are written in the syntax of RE2 ([`super::re2`]), are anchored at both ends, and a dot
//! matches a newline. Many are no more than a text, a list of texts, or a text with `.*` beside it:
//! [`Shape`] tells, so that an index can look values up instead of trying them all.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::re2;

/// Largest compiled regular expression.
const REGEX_BYTES_MAX: usize = 10 << 20;
/// Depth of nested groups, as upstream.
const NESTING_MAX: u32 = 1000;
/// Most values, and bytes of them, that a pattern is spelled out to.
const VALUES_MAX: usize = 10_000;
const VALUES_BYTES_MAX: usize = 1 << 20;
/// Values up to which a list is searched from one end to the other.
const LINEAR_MAX: usize = 8;

/// The values that a condition takes, before any negation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Any value, also the empty one.
    AnyValue,
    /// Any value but the empty one.
    NotEmpty,
    /// One of these, sorted.
    OneOf(Vec<String>),
    /// Values that begin with this.
    Prefix(String),
    /// Values that end with this.
    Suffix(String),
    /// Values that contain this.
    Contains(String),
    /// Only trying tells.
    Pattern,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    shape: Shape,
    /// Where the shape does not say it all.
    regex: Option<Regex>,
}

impl Pattern {
    /// Compiles a pattern; the error is a sentence.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let translated = re2::translate(pattern).map_err(|error| error.to_string())?;
        let hir = regex_syntax::ParserBuilder::new()
            .dot_matches_new_line(true)
            .nest_limit(NESTING_MAX)
            .build()
            .parse(&translated)
            .map_err(|error| refused(pattern, &error.to_string()))?;
        let shape = shape(&hir);
        let regex = if shape == Shape::Pattern {
            let anchored = format!(r"\A(?s:{translated})\z");
            let compiled = regex::RegexBuilder::new(&anchored)
                .size_limit(REGEX_BYTES_MAX)
                .nest_limit(NESTING_MAX)
                .build()
                .map_err(|error| refused(pattern, &error.to_string()))?;
            Some(compiled)
        } else {
            None
        };
        Ok(Self { shape, regex })
    }

    /// A pattern that takes one value only.
    pub(super) fn literal(value: &str) -> Self {
        Self { shape: Shape::OneOf(vec![value.to_owned()]), regex: None }
    }

    pub(super) const fn shape(&self) -> &Shape {
        &self.shape
    }

    #[inline]
    pub(super) fn matches(&self, value: &str) -> bool {
        match &self.shape {
            Shape::AnyValue => true,
            Shape::NotEmpty => !value.is_empty(),
            Shape::OneOf(values) if values.len() <= LINEAR_MAX => {
                values.iter().any(|candidate| candidate == value)
            }
            Shape::OneOf(values) => {
                values.binary_search_by(|candidate| candidate.as_str().cmp(value)).is_ok()
            }
            Shape::Prefix(text) => value.starts_with(text.as_str()),
            Shape::Suffix(text) => value.ends_with(text.as_str()),
            Shape::Contains(text) => value.contains(text.as_str()),
            Shape::Pattern => self.regex.as_ref().is_some_and(|regex| regex.is_match(value)),
        }
    }
}

/// What our parser finds wrong though the translation was fine; its last line says why.
fn refused(pattern: &str, error: &str) -> String {
    let reason = error.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("error parsing regexp: {reason}: `{pattern}`")
}

/// What an anchored pattern comes down to.
fn shape(hir: &Hir) -> Shape {
    let parts = flatten(hir);
    let text = |parts: &[&Hir]| -> Option<String> {
        let mut text = String::new();
        for part in parts {
            let HirKind::Literal(literal) = part.kind() else { return None };
            text.push_str(std::str::from_utf8(&literal.0).ok()?);
        }
        Some(text)
    };
    let shape = match parts.as_slice() {
        [only] if repeats_any(only, 0) => Some(Shape::AnyValue),
        [only] if repeats_any(only, 1) => Some(Shape::NotEmpty),
        [first, middle @ .., last] if repeats_any(first, 0) && repeats_any(last, 0) => {
            text(middle).map(|text| if text.is_empty() { Shape::AnyValue } else { Shape::Contains(text) })
        }
        [first, rest @ ..] if repeats_any(first, 0) => text(rest).map(Shape::Suffix),
        [rest @ .., last] if repeats_any(last, 0) => text(rest).map(Shape::Prefix),
        _ => None,
    };
    if let Some(shape) = shape {
        return shape;
    }
    match values_of_all(&parts) {
        Some(mut values) => {
            values.sort_unstable();
            values.dedup();
            Shape::OneOf(values)
        }
        None => Shape::Pattern,
    }
}

/// The parts of a pattern one after the other, without groups and without the anchors at its ends,
/// which are there anyway.
fn flatten(hir: &Hir) -> Vec<&Hir> {
    fn push<'a>(hir: &'a Hir, parts: &mut Vec<&'a Hir>) {
        match hir.kind() {
            HirKind::Capture(capture) => push(&capture.sub, parts),
            HirKind::Concat(subs) => subs.iter().for_each(|sub| push(sub, parts)),
            HirKind::Empty => {}
            _ => parts.push(hir),
        }
    }
    let mut parts = Vec::new();
    push(hir, &mut parts);
    let first = parts.iter().take_while(|part| matches!(part.kind(), HirKind::Look(Look::Start))).count();
    parts.drain(..first);
    while parts.last().is_some_and(|part| matches!(part.kind(), HirKind::Look(Look::End))) {
        parts.pop();
    }
    parts
}

/// Whether this is any character, at least `min` times and without a maximum.
fn repeats_any(hir: &Hir, min: u32) -> bool {
    let HirKind::Repetition(repetition) = hir.kind() else { return false };
    let HirKind::Class(Class::Unicode(class)) = repetition.sub.kind() else { return false };
    let any = matches!(class.ranges(), [range] if range.start() == '\0' && range.end() == char::MAX);
    any && repetition.min == min && repetition.max.is_none()
}

/// All texts that the parts, one after the other, can be; `None` if there are too many.
fn values_of_all(parts: &[&Hir]) -> Option<Vec<String>> {
    parts.iter().try_fold(vec![String::new()], |values, part| product(&values, &values_of(part)?))
}

fn values_of(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(literal) => Some(vec![std::str::from_utf8(&literal.0).ok()?.to_owned()]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize =
                class.ranges().iter().map(|range| range.end() as usize - range.start() as usize + 1).sum();
            let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            (count <= VALUES_MAX).then(|| chars.map(String::from).collect())
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => None,
        HirKind::Capture(capture) => values_of(&capture.sub),
        HirKind::Concat(subs) => values_of_all(&subs.iter().collect::<Vec<_>>()),
        HirKind::Alternation(subs) => {
            let mut values = Vec::new();
            for sub in subs {
                values.extend(values_of(sub)?);
                bounded(&values)?;
            }
            Some(values)
        }
        HirKind::Repetition(repetition) => {
            let max = repetition.max.filter(|max| *max as usize <= VALUES_MAX)?;
            let once = values_of(&repetition.sub)?;
            let mut values = Vec::new();
            let mut power = vec![String::new()];
            for times in 0..=max {
                if times > 0 {
                    power = product(&power, &once)?;
                }
                if times >= repetition.min {
                    values.extend_from_slice(&power);
                    bounded(&values)?;
                }
            }
            Some(values)
        }
    }
}

fn product(left: &[String], right: &[String]) -> Option<Vec<String>> {
    if left.len() * right.len() > VALUES_MAX {
        return None;
    }
    let mut values = Vec::with_capacity(left.len() * right.len());
    for left in left {
        values.extend(right.iter().map(|right| format!("{left}{right}")));
    }
    bounded(&values)?;
    Some(values)
}

/// Nothing if the values are too many or too long.
fn bounded(values: &[String]) -> Option<()> {
    let small =
        values.len() <= VALUES_MAX && values.iter().map(String::len).sum::<usize>() <= VALUES_BYTES_MAX;
    small.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape_of(pattern: &str) -> Shape {
        Pattern::new(pattern).unwrap().shape
    }

    fn one_of(values: &[&str]) -> Shape {
        Shape::OneOf(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn simple_patterns_are_recognised() {
        assert_eq!(shape_of(""), one_of(&[""]));
        assert_eq!(shape_of("abc"), one_of(&["abc"]));
        assert_eq!(shape_of("^abc$"), one_of(&["abc"]));
        assert_eq!(shape_of("a|b|"), one_of(&["", "a", "b"]));
        assert_eq!(shape_of("(foo|foobar|bar)"), one_of(&["bar", "foo", "foobar"]));
        assert_eq!(shape_of("host(1|2)\\.example"), one_of(&["host1.example", "host2.example"]));
        assert_eq!(shape_of("5.."), Shape::Pattern);
        assert_eq!(shape_of("[45]0[0-2]x?"), {
            let codes = ["400", "401", "402", "500", "501", "502"];
            let both: Vec<_> =
                codes.iter().flat_map(|code| [(*code).to_owned(), format!("{code}x")]).collect();
            Shape::OneOf(both)
        });
        assert_eq!(shape_of("(?i)ab"), one_of(&["AB", "Ab", "aB", "ab"]));
        assert_eq!(shape_of(".*"), Shape::AnyValue);
        assert_eq!(shape_of("(.*)"), Shape::AnyValue);
        assert_eq!(shape_of("^.*$"), Shape::AnyValue);
        assert_eq!(shape_of(".*.*"), Shape::AnyValue);
        assert_eq!(shape_of(".+"), Shape::NotEmpty);
        assert_eq!(shape_of("(?-s).*"), Shape::Pattern);
        assert_eq!(shape_of("abc.*"), Shape::Prefix("abc".into()));
        assert_eq!(shape_of(".*abc"), Shape::Suffix("abc".into()));
        assert_eq!(shape_of("(.*)a(b).*"), Shape::Contains("ab".into()));
        assert_eq!(shape_of("abc.+"), Shape::Pattern);
        assert_eq!(shape_of("a$b"), Shape::Pattern);
        assert_eq!(shape_of("[a-z]{8}"), Shape::Pattern);
        assert_eq!(
            shape_of("(a{100}){100}{100}".replace("}{100}", "}").as_str()),
            one_of(&[&"a".repeat(10_000)])
        );
    }

    #[test]
    fn every_shape_matches_as_its_pattern_does() {
        let values = ["", "a", "ab", "b", "ba", "bab", "a\nb", "AB", "xabx"];
        for pattern in [
            "", ".*", ".+", "a.*", ".*a", ".*a.*", "a|b", "ab?", "a.b", "[^a]*", "(a|b)+", "(?i)ab",
            "(?-s)a.*",
        ] {
            let compiled = Pattern::new(pattern).unwrap();
            let reference = Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            for value in values {
                assert_eq!(compiled.matches(value), reference.is_match(value), "{pattern:?} on {value:?}");
            }
        }
    }

    #[test]
    fn long_lists_are_looked_up() {
        let values: Vec<_> = (0..5000).map(|number| format!("host-{number}")).collect();
        let pattern = Pattern::new(&values.join("|")).unwrap();
        assert!(matches!(&pattern.shape, Shape::OneOf(values) if values.len() == 5000));
        assert!(pattern.matches("host-4999"));
        assert!(!pattern.matches("host-5000"));
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(Pattern::new(&"(".repeat(100_000)).is_err());
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(Pattern::new(&deep).is_err());
        assert!(Pattern::new("((a{1000}){1000}){1000}b+").is_err());
    }
}
