//! Vector selectors: a metric name, label matchers between braces, or both.

use std::sync::Arc;

use shards::model::{MatchOp, Matcher};

use super::{Node, Parsed, Parser};
use crate::promql::ast::{Expr, ExprKind, Span, VectorSelector};
use crate::promql::token::{Token, TokenKind};

const METRIC_NAME: &str = shards::model::METRIC_NAME;

impl Parser<'_> {
    /// A selector whose first token, the name or the opening brace, is already taken.
    pub(super) fn vector(&mut self, name: Option<Arc<str>>, first: Token) -> Parsed<Node> {
        let selector = self.vector_selector(name, first)?;
        let span = Span { start: first.span.start, end: self.last_end };
        Ok(Node { expr: Expr { kind: ExprKind::Vector(Box::new(selector)), span }, height: 1 })
    }

    pub(super) fn vector_selector(&mut self, name: Option<Arc<str>>, first: Token) -> Parsed<VectorSelector> {
        let braces = name.is_none() || self.take(TokenKind::LeftBrace)?;
        let mut matchers = if braces { self.matchers()? } else { Vec::new() };
        if let Some(name) = &name {
            matchers.push(self.matcher(MatchOp::Equal, METRIC_NAME, name, first.span)?);
        }
        Ok(VectorSelector { name, matchers, offset_ms: 0, at: None })
    }

    /// Matchers up to the closing brace; a comma may end the list.
    fn matchers(&mut self) -> Parsed<Vec<Matcher>> {
        let mut matchers = Vec::new();
        while !self.take(TokenKind::RightBrace)? {
            matchers.push(self.label_matcher()?);
            let token = self.advance()?;
            match token.kind {
                TokenKind::RightBrace => break,
                TokenKind::Comma => {}
                _ => return Err(self.unexpected(token, " in label matching, expected \",\" or \"}\"")),
            }
        }
        Ok(matchers)
    }

    /// `name = "value"` and the like, or a quoted metric name alone.
    fn label_matcher(&mut self) -> Parsed<Matcher> {
        let name = self.advance()?;
        let name_text = match name.kind {
            TokenKind::Identifier => self.token_text(name).to_owned(),
            TokenKind::String => self.string(name)?,
            _ => return Err(self.unexpected(name, " in label matching, expected identifier or \"}\"")),
        };
        let next = self.peek()?;
        let op = match next.kind {
            TokenKind::Equal => MatchOp::Equal,
            TokenKind::NotEqual => MatchOp::NotEqual,
            TokenKind::EqualRegex => MatchOp::Regex,
            TokenKind::NotEqualRegex => MatchOp::NotRegex,
            _ if name.kind == TokenKind::String => {
                return self.matcher(MatchOp::Equal, METRIC_NAME, &name_text, name.span);
            }
            _ => return Err(self.unexpected(next, " in label matching, expected label matching operator")),
        };
        self.advance()?;
        let value = self.advance()?;
        if value.kind != TokenKind::String {
            return Err(self.unexpected(value, " in label matching, expected string"));
        }
        let span = Span { start: name.span.start, end: value.span.end };
        let value = self.string(value)?;
        self.matcher(op, &name_text, &value, span)
    }

    fn matcher(&self, op: MatchOp, name: &str, value: &str, span: Span) -> Parsed<Matcher> {
        Matcher::new(op, name, value).map_err(|error| self.error(span, error.reason))
    }
}
