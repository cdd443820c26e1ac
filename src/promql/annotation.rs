//! Warnings and infos that an evaluation hands back beside its value.
//!
//! They are told apart by text without position and merged in the order of evaluation, so the same
//! query gives the same list. Positions are resolved against the query text only when rendered.

use super::ast::Span;
use super::number;

/// Distinct annotations kept for one query; further ones are dropped.
const ANNOTATIONS_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Info,
    Warning,
}

/// How far the buckets of classic histograms had to be bent to be monotonic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForcedMonotonicity {
    pub first_ms: i64,
    pub last_ms: i64,
    pub bucket_min: f64,
    pub bucket_max: f64,
    pub difference_max: f64,
    pub samples: u64,
}

impl ForcedMonotonicity {
    fn merge(&mut self, other: &Self) {
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.bucket_min = self.bucket_min.min(other.bucket_min);
        self.bucket_max = self.bucket_max.max(other.bucket_max);
        self.difference_max = self.difference_max.max(other.difference_max);
        self.samples += other.samples;
    }
}

/// One warning or info about the expression at `span`.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    pub severity: Severity,
    /// Without the `PromQL warning: ` in front and the position behind.
    pub text: String,
    pub span: Span,
    pub monotonicity: Option<ForcedMonotonicity>,
}

/// The annotations of one evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotations {
    items: Vec<Annotation>,
}

impl Annotations {
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.items.iter()
    }

    /// Adds one; of equal texts the position of the last one stays.
    pub fn add(&mut self, annotation: Annotation) {
        let full = self.items.len() >= ANNOTATIONS_MAX;
        let same = self
            .items
            .iter_mut()
            .find(|old| old.severity == annotation.severity && old.text == annotation.text);
        match same {
            Some(old) => match (&mut old.monotonicity, &annotation.monotonicity) {
                (Some(old), Some(new)) => old.merge(new),
                _ => *old = annotation,
            },
            None if full => {}
            None => self.items.push(annotation),
        }
    }

    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.add(Annotation { severity: Severity::Warning, text: text.into(), span, monotonicity: None });
    }

    pub fn info(&mut self, span: Span, text: impl Into<String>) {
        self.add(Annotation { severity: Severity::Info, text: text.into(), span, monotonicity: None });
    }

    pub(crate) fn bad_quantile(&mut self, span: Span, quantile: f64) {
        self.warn(
            span,
            format!("quantile value should be between 0 and 1, got {}", number::general(quantile)),
        );
    }

    pub fn merge(&mut self, other: Self) {
        for annotation in other.items {
            self.add(annotation);
        }
    }

    /// Texts as the API shows them, sorted; `query` is the text that was parsed.
    #[must_use]
    pub fn render(&self, query: &str, severity: Severity) -> Vec<String> {
        let mut texts: Vec<String> = self
            .items
            .iter()
            .filter(|item| item.severity == severity)
            .map(|item| item.render(query))
            .collect();
        texts.sort_unstable();
        texts
    }
}

impl Annotation {
    fn render(&self, query: &str) -> String {
        let kind = match self.severity {
            Severity::Info => "PromQL info",
            Severity::Warning => "PromQL warning",
        };
        let place = place(query, self.span);
        let Some(fix) = &self.monotonicity else {
            return format!("{kind}: {} ({place})", self.text);
        };
        format!(
            "{kind}: {}, from buckets {} to {}, with a max diff of {}, over {} samples from {} to {} ({place})",
            self.text,
            number::general(fix.bucket_min),
            number::general(fix.bucket_max),
            number::two_digits(fix.difference_max),
            fix.samples,
            number::date_time(fix.first_ms),
            number::date_time(fix.last_ms),
        )
    }
}

/// `line:column` of the start of a span, both counted from 1, columns in bytes.
fn place(query: &str, span: Span) -> String {
    if query.is_empty() {
        return "unknown position".to_owned();
    }
    let Some(before) = query.as_bytes().get(..span.start as usize) else {
        return "invalid position".to_owned();
    };
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("{line}:{column}")
}
