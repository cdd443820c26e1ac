//! Label matchers: `=`, `!=`, `=~`, `!~`.
//!
//! Regular expressions are anchored at both ends and a dot matches a newline, as in Prometheus. A
//! missing label is the empty value.

use std::sync::Arc;

use regex::Regex;

/// Largest compiled regular expression.
const REGEX_BYTES_MAX: usize = 10 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    /// The operator as written in PromQL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A regular expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MatcherError {
    pub reason: String,
}

/// Values of a pattern that is only looked up, not run, when it has no more than this many.
const LITERALS_MAX: usize = 1000;

/// The finite set of values that a pattern matches, where it is one: `a|b`, `x(1|2)`, `abc`.
fn literals_of(pattern: &str) -> Option<Arc<[String]>> {
    use regex_syntax::hir::literal::Extractor;
    let hir = regex_syntax::parse(&format!("(?s:{pattern})")).ok()?;
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let mut extractor = Extractor::new();
    extractor.limit_total(LITERALS_MAX).limit_class(LITERALS_MAX).limit_repeat(LITERALS_MAX);
    let sequence = extractor.extract(&hir);
    let literals = sequence.literals().filter(|_| sequence.is_exact())?;
    let values: Option<Vec<String>> =
        literals.iter().map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok()).collect();
    let mut values = values?;
    values.sort();
    values.dedup();
    Some(values.into())
}

/// One condition on one label. Cheap to clone and to send between cores.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    regex: Option<Regex>,
    literals: Option<Arc<[String]>>,
}

impl Matcher {
    pub fn new(op: MatchOp, name: &str, value: &str) -> Result<Self, MatcherError> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(
                regex::RegexBuilder::new(&format!("^(?s:{value})$"))
                    .size_limit(REGEX_BYTES_MAX)
                    .build()
                    .map_err(|error| MatcherError { reason: error.to_string() })?,
            ),
        };
        let literals = regex.as_ref().and_then(|_| literals_of(value));
        Ok(Self { name: name.into(), op, value: value.into(), regex, literals })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// The value or the pattern as it was given.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values that the pattern of a regular expression matches, where they are a known few.
    #[must_use]
    pub fn literals(&self) -> Option<&[String]> {
        self.literals.as_deref()
    }

    /// Whether a label of this value (empty: missing) satisfies the condition.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => value == &*self.value,
            (MatchOp::NotEqual, _) => value != &*self.value,
            (MatchOp::Regex, Some(regex)) => self.pattern_matches(regex, value),
            (MatchOp::NotRegex, Some(regex)) => !self.pattern_matches(regex, value),
            (MatchOp::Regex | MatchOp::NotRegex, None) => unreachable!("built with a regex in new"),
        }
    }

    fn pattern_matches(&self, regex: &Regex, value: &str) -> bool {
        match &self.literals {
            Some(literals) => literals.binary_search_by(|literal| literal.as_str().cmp(value)).is_ok(),
            None => regex.is_match(value),
        }
    }

    /// Whether a series without the label satisfies the condition.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.name == other.name && self.value == other.value
    }
}

impl Eq for Matcher {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regex_is_anchored_and_dot_matches_newline() {
        let matcher = Matcher::new(MatchOp::Regex, "a", "b.c|d").unwrap();
        assert!(matcher.matches("b\nc"));
        assert!(matcher.matches("d"));
        assert!(!matcher.matches("xd"));
        assert!(!matcher.matches_empty());
        assert!(Matcher::new(MatchOp::NotRegex, "a", "b.c|d").unwrap().matches_empty());
        assert!(Matcher::new(MatchOp::Regex, "a", "(").is_err());
    }

    #[test]
    fn finite_patterns_are_sets_of_values() {
        let literals =
            |pattern| Matcher::new(MatchOp::Regex, "a", pattern).unwrap().literals().map(<[_]>::to_vec);
        assert_eq!(literals("b|a"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(literals("x(1|2)?"), Some(vec!["x".into(), "x1".into(), "x2".into()]));
        assert_eq!(literals(""), Some(vec![String::new()]));
        assert_eq!(literals("a.*"), None);
        assert_eq!(literals("^a$"), None);
        for pattern in ["b|a", "x(1|2)?", "(?i)ab", "[a-c]x", "a{2}", "(a|ab)(c|bcd)?"] {
            let matcher = Matcher::new(MatchOp::Regex, "l", pattern).unwrap();
            let plain = regex::Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            for value in
                ["", "a", "b", "ab", "AB", "aB", "x", "x1", "x3", "ax", "bx", "aa", "abc", "abcd", "abbcd"]
            {
                assert_eq!(matcher.matches(value), plain.is_match(value), "{pattern} {value}");
            }
        }
    }
}
