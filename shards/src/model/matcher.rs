//! Label matchers: `=`, `!=`, `=~`, `!~`.
//!
//! Regular expressions are anchored at both ends and a dot matches a newline, as in Prometheus (see
//! [`super::regex`]). A missing label is the empty value.

use std::sync::Arc;

use super::regex::{Pattern, Shape};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    /// The operator that is written so.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Equal, Self::NotEqual, Self::Regex, Self::NotRegex].into_iter().find(|op| op.as_str() == text)
    }

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

/// A regular expression that does not compile; the reason is that of upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MatcherError {
    pub reason: String,
}

/// One condition on one label. Cheap to clone and to send between cores.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: Arc<str>,
    op: MatchOp,
    value: Arc<str>,
    pattern: Arc<Pattern>,
}

impl Matcher {
    pub fn new(op: MatchOp, name: &str, value: &str) -> Result<Self, MatcherError> {
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => Pattern::literal(value),
            MatchOp::Regex | MatchOp::NotRegex => {
                Pattern::new(value).map_err(|reason| MatcherError { reason })?
            }
        };
        Ok(Self { name: name.into(), op, value: value.into(), pattern: Arc::new(pattern) })
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

    /// The values that the condition takes, or, if it is negative, those that it refuses.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        self.pattern.shape()
    }

    /// Whether a label of this value (empty: missing) satisfies the condition.
    #[inline]
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let negative = matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex);
        self.pattern.matches(value) != negative
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
}
