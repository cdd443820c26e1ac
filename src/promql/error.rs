//! Errors of the parser and the checker, with their place in the query text.

use super::ast::Span;

/// Why a query text is not an expression. Renders as `line:column: parse error: message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// Place of what is wrong, in bytes.
    pub span: Span,
    /// Line of the start of `span`, counted from 1.
    pub line: u32,
    /// Column of the start of `span` in bytes, counted from 1.
    pub column: u32,
    pub message: Box<str>,
}

impl ParseError {
    pub(super) fn new(text: &str, span: Span, message: impl Into<Box<str>>) -> Self {
        let (line, column) = line_column(text, span.start);
        Self { span, line, column, message: message.into() }
    }
}

/// Line and column, both counted from 1 and the column in bytes, of a place in the query text.
/// Places past the end count as the end.
#[must_use]
pub fn line_column(text: &str, offset: u32) -> (u32, u32) {
    let bytes = text.as_bytes();
    let before = bytes.get(..offset as usize).unwrap_or(bytes);
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (count(line), count(before.len() - line_start + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_from_one_in_bytes() {
        assert_eq!(line_column("", 0), (1, 1));
        assert_eq!(line_column("a\nbc", 1), (1, 2));
        assert_eq!(line_column("a\nbc", 2), (2, 1));
        assert_eq!(line_column("a\nbc", 3), (2, 2));
        assert_eq!(line_column("\u{e9}x", 2), (1, 3));
        assert_eq!(line_column("ab", 99), (1, 3));
    }

    #[test]
    fn an_error_tells_its_place() {
        let error = ParseError::new("foo\n  bar", Span { start: 6, end: 9 }, "is wrong");
        assert_eq!(error.to_string(), "2:3: parse error: is wrong");
    }
}
