//! Durations in ranges and offsets: literals and arithmetic over them, computed while parsing.
//!
//! `step()` and `range()` depend on the query's times and are refused.

use super::modifier::{is_number, to_ms};
use super::{Parsed, Parser};
use crate::promql::ast::Span;
use crate::promql::literal;
use crate::promql::token::{Keyword, Token, TokenKind};

/// A duration and whether arithmetic was needed to get it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Duration {
    pub(super) seconds: f64,
    pub(super) span: Span,
    computed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Sum,
    Product,
    Power,
}

const fn operator(kind: TokenKind) -> Option<Precedence> {
    match kind {
        TokenKind::Add | TokenKind::Sub => Some(Precedence::Sum),
        TokenKind::Mul | TokenKind::Div | TokenKind::Mod => Some(Precedence::Product),
        TokenKind::Pow => Some(Precedence::Power),
        _ => None,
    }
}

impl Parser<'_> {
    /// A duration in brackets; `context` says what was expected where something else stands.
    pub(super) fn duration(&mut self, context: &str) -> Parsed<Duration> {
        self.duration_expr(Precedence::Sum, context)
    }

    /// A duration behind `offset`, in milliseconds. It ends as early as possible, so that what
    /// follows is an operator of the expression: `a offset 5m + b`. Only behind a parenthesis that
    /// comes first the arithmetic goes on.
    pub(super) fn offset_duration(&mut self, context: &str) -> Parsed<i64> {
        let first = self.peek()?;
        let duration = match first.kind {
            TokenKind::Add | TokenKind::Sub => {
                self.advance()?;
                if matches!(self.peek()?.kind, TokenKind::Add | TokenKind::Sub) {
                    let inner = self.duration_expr(Precedence::Power, context)?;
                    let inner = self.signed(first, inner)?;
                    self.duration_operators(inner, Precedence::Sum, context)?
                } else {
                    let inner = self.duration_primary(context)?;
                    self.signed(first, inner)?
                }
            }
            TokenKind::LeftParen => self.duration(context)?,
            _ => self.duration_primary(context)?,
        };
        self.duration_ms(&duration)
    }

    pub(super) fn duration_ms(&self, duration: &Duration) -> Parsed<i64> {
        if !duration.seconds.is_finite() {
            return Err(self.error(duration.span, "duration is NaN or infinite"));
        }
        self.check_range(duration.seconds, duration.span)?;
        Ok(to_ms(duration.seconds, duration.computed))
    }

    fn check_range(&self, seconds: f64, span: Span) -> Parsed<()> {
        if literal::fits_duration(seconds) { Ok(()) } else { Err(self.error(span, "duration out of range")) }
    }

    fn duration_expr(&mut self, min: Precedence, context: &str) -> Parsed<Duration> {
        self.enter()?;
        let first = self.peek()?;
        let left = if matches!(first.kind, TokenKind::Add | TokenKind::Sub) {
            self.advance()?;
            let inner = self.duration_expr(Precedence::Power, context)?;
            self.signed(first, inner)?
        } else {
            self.duration_primary(context)?
        };
        let duration = self.duration_operators(left, min, context)?;
        self.leave();
        Ok(duration)
    }

    fn duration_operators(&mut self, mut left: Duration, min: Precedence, context: &str) -> Parsed<Duration> {
        while let Some(precedence) = operator(self.peek()?.kind)
            && precedence >= min
        {
            let op = self.advance()?;
            let right_min = match precedence {
                Precedence::Sum => Precedence::Product,
                Precedence::Product | Precedence::Power => Precedence::Power,
            };
            let right = self.duration_expr(right_min, context)?;
            left = self.computed(left, op, right)?;
        }
        Ok(left)
    }

    fn computed(&self, left: Duration, op: Token, right: Duration) -> Parsed<Duration> {
        let (a, b) = (left.seconds, right.seconds);
        let seconds = match op.kind {
            TokenKind::Add => a + b,
            TokenKind::Sub => a - b,
            TokenKind::Mul => a * b,
            TokenKind::Div if b == 0.0 => return Err(self.error(op.span, "division by zero")),
            TokenKind::Div => a / b,
            TokenKind::Mod if b == 0.0 => return Err(self.error(op.span, "modulo by zero")),
            TokenKind::Mod => a % b,
            _ => a.powf(b),
        };
        let span = Span { start: left.span.start, end: right.span.end };
        Ok(Duration { seconds, span, computed: true })
    }

    fn signed(&self, sign: Token, inner: Duration) -> Parsed<Duration> {
        let seconds = if sign.kind == TokenKind::Sub { -inner.seconds } else { inner.seconds };
        let span = Span { start: sign.span.start, end: inner.span.end };
        Ok(Duration { seconds, span, computed: inner.computed })
    }

    fn duration_primary(&mut self, context: &str) -> Parsed<Duration> {
        let token = self.advance()?;
        match token.kind {
            _ if is_number(token) => {
                let seconds = self.number(token)?;
                self.check_range(seconds, token.span)?;
                Ok(Duration { seconds, span: token.span, computed: false })
            }
            TokenKind::LeftParen => {
                let inner = self.duration_expr(Precedence::Sum, context)?;
                self.expect_in_duration(TokenKind::RightParen, context)?;
                Ok(self.closed(token, inner.seconds))
            }
            TokenKind::Keyword(keyword @ (Keyword::MaxOf | Keyword::MinOf)) => {
                self.expect_in_duration(TokenKind::LeftParen, context)?;
                let left = self.duration_expr(Precedence::Sum, context)?.seconds;
                self.expect_in_duration(TokenKind::Comma, context)?;
                let right = self.duration_expr(Precedence::Sum, context)?.seconds;
                self.expect_in_duration(TokenKind::RightParen, context)?;
                let greater = (left > right) == (keyword == Keyword::MaxOf);
                Ok(self.closed(token, if greater { left } else { right }))
            }
            TokenKind::Keyword(Keyword::Step | Keyword::Range) => {
                self.expect_in_duration(TokenKind::LeftParen, context)?;
                self.expect_in_duration(TokenKind::RightParen, context)?;
                let span = Span { start: token.span.start, end: self.last_end };
                let name = self.token_text(token).to_ascii_lowercase();
                Err(self.error(span, format!("{name}() in a duration is not supported")))
            }
            _ => Err(self.unexpected(token, context)),
        }
    }

    /// A computed duration from `open` up to the token just taken.
    const fn closed(&self, open: Token, seconds: f64) -> Duration {
        let span = Span { start: open.span.start, end: self.last_end };
        Duration { seconds, span, computed: true }
    }

    fn expect_in_duration(&mut self, kind: TokenKind, context: &str) -> Parsed<()> {
        let token = self.advance()?;
        if token.kind == kind { Ok(()) } else { Err(self.unexpected(token, context)) }
    }
}
