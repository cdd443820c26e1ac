//! What follows an operand: ranges, subqueries, `offset` and `@`.

use super::{Node, Parsed, Parser};
use crate::promql::ast::{AtModifier, Expr, ExprKind, MatrixSelector, Span, SubqueryExpr};
use crate::promql::literal;
use crate::promql::token::{Keyword, Token, TokenKind};

const EXPECTED_DURATION: &str = "expected number, duration, step(), or range()";

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut node: Node) -> Parsed<Node> {
        loop {
            match self.peek()?.kind {
                TokenKind::LeftBracket => node = self.brackets(node)?,
                TokenKind::Keyword(Keyword::Offset) => {
                    self.advance()?;
                    self.offset(&mut node.expr)?;
                }
                TokenKind::At => {
                    self.advance()?;
                    self.at(&mut node.expr)?;
                }
                TokenKind::Keyword(Keyword::Anchored) => {
                    return Err(
                        self.error(node.expr.span, "anchored modifier is experimental and not enabled")
                    );
                }
                TokenKind::Keyword(Keyword::Smoothed) => {
                    return Err(
                        self.error(node.expr.span, "smoothed modifier is experimental and not enabled")
                    );
                }
                _ => return Ok(node),
            }
        }
    }

    /// `[range]`, `[range:]` or `[range:step]`.
    fn brackets(&mut self, node: Node) -> Parsed<Node> {
        let open = self.advance()?;
        let range_ms =
            self.positive_duration(&format!(" in subquery or range selector, {EXPECTED_DURATION}"))?;
        let token = self.advance()?;
        match token.kind {
            TokenKind::RightBracket => {
                let brackets = Span { start: open.span.start, end: token.span.end };
                self.range_selector(node, range_ms, brackets)
            }
            TokenKind::Colon => self.subquery(node, range_ms),
            _ => Err(self.unexpected(token, " in subquery or range, expected \":\" or \"]\"")),
        }
    }

    fn range_selector(&self, node: Node, range_ms: i64, brackets: Span) -> Parsed<Node> {
        let vector_span = node.expr.span;
        let ExprKind::Vector(vector) = node.expr.kind else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        if vector.offset_ms != 0 {
            return Err(self.error(brackets, "no offset modifiers allowed before range"));
        }
        if vector.at.is_some() {
            return Err(self.error(brackets, "no @ modifiers allowed before range"));
        }
        let span = Span { start: vector_span.start, end: brackets.end };
        let kind = ExprKind::Matrix(Box::new(MatrixSelector { vector: *vector, vector_span, range_ms }));
        Ok(Node { expr: Expr { kind, span }, height: node.height })
    }

    /// The rest of a subquery whose colon is already taken.
    fn subquery(&mut self, node: Node, range_ms: i64) -> Parsed<Node> {
        let step_ms = if self.peek()?.kind == TokenKind::RightBracket {
            None
        } else {
            let context = format!(" in subquery selector, {EXPECTED_DURATION}");
            // This list names one more choice than the others do.
            let context = context.replace(", or range()", ", range(), or \"]\"");
            Some(self.positive_step(&context)?)
        };
        let close = self.advance()?;
        if close.kind != TokenKind::RightBracket {
            return Err(self.unexpected(close, " in subquery selector, expected \"]\""));
        }
        let span = Span { start: node.expr.span.start, end: close.span.end };
        let kind = ExprKind::Subquery(Box::new(SubqueryExpr {
            expr: node.expr,
            range_ms,
            step_ms,
            offset_ms: 0,
            at: None,
        }));
        self.node(kind, span, node.height)
    }

    /// A step must be at least a millisecond, since time goes by them.
    fn positive_step(&mut self, context: &str) -> Parsed<i64> {
        let span = self.peek()?.span;
        match self.positive_duration(context)? {
            0 => Err(self.error(span, "subquery step is shorter than a millisecond")),
            step_ms => Ok(step_ms),
        }
    }

    /// The duration behind `offset`, which is already taken.
    fn offset(&mut self, expr: &mut Expr) -> Parsed<()> {
        let span = expr.span;
        let offset_ms = self.offset_duration(&format!(" in offset, {EXPECTED_DURATION}"))?;
        let end = self.last_end;
        let (offset, _) = modifiers(expr).ok_or_else(|| {
            self.error(
                span,
                "offset modifier must be preceded by an instant vector selector or range vector \
                 selector or a subquery",
            )
        })?;
        if *offset != 0 {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        *offset = offset_ms;
        expr.span.end = end;
        Ok(())
    }

    /// The time behind `@`, which is already taken.
    fn at(&mut self, expr: &mut Expr) -> Parsed<()> {
        let span = expr.span;
        let at = self.at_time(span)?;
        let end = self.last_end;
        let (_, place) = modifiers(expr).ok_or_else(|| {
            self.error(
                span,
                "@ modifier must be preceded by an instant vector selector or range vector selector \
                 or a subquery",
            )
        })?;
        if place.is_some() {
            return Err(self.error(span, "@ <timestamp> may not be set multiple times"));
        }
        *place = Some(at);
        expr.span.end = end;
        Ok(())
    }

    fn at_time(&mut self, operand: Span) -> Parsed<AtModifier> {
        let expected_time = |parser: &Self, token| parser.unexpected(token, " in @, expected timestamp");
        let token = self.advance()?;
        let (sign, number) = match token.kind {
            TokenKind::Keyword(keyword @ (Keyword::Start | Keyword::End)) => {
                for kind in [TokenKind::LeftParen, TokenKind::RightParen] {
                    let token = self.advance()?;
                    if token.kind != kind {
                        return Err(expected_time(self, token));
                    }
                }
                return Ok(if keyword == Keyword::Start { AtModifier::Start } else { AtModifier::End });
            }
            TokenKind::Sub => (-1.0, self.advance()?),
            TokenKind::Add => (1.0, self.advance()?),
            _ => (1.0, token),
        };
        if !is_number(number) {
            return Err(expected_time(self, number));
        }
        let seconds = sign * self.number(number)?;
        let bound = 9_223_372_036_854_775_808.0;
        if !(-bound < seconds && seconds < bound) {
            let text = if seconds.is_nan() {
                "NaN".to_owned()
            } else if seconds.is_infinite() {
                (if seconds > 0.0 { "+Inf" } else { "-Inf" }).to_owned()
            } else {
                format!("{seconds:.6}")
            };
            return Err(self.error(operand, format!("timestamp out of bounds for @ modifier: {text}")));
        }
        #[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of time")]
        let time_ms = (seconds * 1e3).round() as i64;
        Ok(AtModifier::Timestamp(time_ms))
    }

    fn positive_duration(&mut self, context: &str) -> Parsed<i64> {
        let duration = self.duration(context)?;
        if duration.seconds <= 0.0 {
            return Err(self.error(duration.span, "duration must be greater than 0"));
        }
        self.duration_ms(&duration)
    }
}

pub(super) const fn is_number(token: Token) -> bool {
    matches!(token.kind, TokenKind::Number | TokenKind::Duration)
}

/// Places of `offset` and `@` in what can have them.
fn modifiers(expr: &mut Expr) -> Option<(&mut i64, &mut Option<AtModifier>)> {
    match &mut expr.kind {
        ExprKind::Vector(vector) => Some((&mut vector.offset_ms, &mut vector.at)),
        ExprKind::Matrix(matrix) => Some((&mut matrix.vector.offset_ms, &mut matrix.vector.at)),
        ExprKind::Subquery(subquery) => Some((&mut subquery.offset_ms, &mut subquery.at)),
        _ => None,
    }
}

/// Keeps the literal and the computed durations apart, which round differently.
pub(super) fn to_ms(seconds: f64, computed: bool) -> i64 {
    if computed { literal::computed_ms(seconds) } else { literal::literal_ms(seconds) }
}
