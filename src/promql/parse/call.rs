//! Calls of functions, aggregations and lists of labels.

use std::sync::Arc;

use super::{Node, Parsed, Parser, Precedence};
use crate::promql::ast::{AggregateExpr, AggregateOp, CallExpr, Expr, ExprKind, Grouping, Span};
use crate::promql::functions::Function;
use crate::promql::quote::quoted;
use crate::promql::token::{Keyword, Token, TokenKind};

/// Arguments between parentheses.
struct Arguments {
    exprs: Vec<Expr>,
    height: u16,
}

impl Parser<'_> {
    /// The rest of a call whose name is already taken and whose parenthesis follows.
    pub(super) fn call(&mut self, name: Token) -> Parsed<Node> {
        let args = self.arguments()?;
        let name_text = self.token_text(name);
        let Some(function) = Function::by_name(name_text) else {
            return Err(self.error(name.span, format!("unknown function with name {}", quoted(name_text))));
        };
        if function.experimental && !self.experimental_functions {
            return Err(self.error(name.span, format!("function {} is not enabled", quoted(name_text))));
        }
        let span = Span { start: name.span.start, end: self.last_end };
        let kind = ExprKind::Call(Box::new(CallExpr { function, name_span: name.span, args: args.exprs }));
        self.node(kind, span, args.height)
    }

    /// The rest of an aggregation whose operator is already taken.
    pub(super) fn aggregation(&mut self, op: AggregateOp, token: Token) -> Parsed<Node> {
        let mut grouping = self.grouping()?;
        self.aggregations += 1;
        let args = self.arguments()?;
        self.aggregations -= 1;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let span = Span { start: token.span.start, end: self.last_end };
        let height = args.height;
        let (parameter, operand) = self.aggregation_arguments(op, args.exprs, span)?;
        let grouping = grouping.unwrap_or(Grouping { without: false, labels: Vec::new() });
        let kind = ExprKind::Aggregate(Box::new(AggregateExpr { op, grouping, parameter, operand }));
        self.node(kind, span, height)
    }

    fn aggregation_arguments(
        &self,
        op: AggregateOp,
        args: Vec<Expr>,
        span: Span,
    ) -> Parsed<(Option<Expr>, Expr)> {
        let count = args.len();
        let mut args = args.into_iter();
        let Some(first) = args.next() else {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        };
        let expected = if op.takes_parameter() { 2 } else { 1 };
        if matches!(op, AggregateOp::LimitK | AggregateOp::LimitRatio) && !self.experimental_functions {
            let message = format!(
                "{}() is experimental and must be enabled with \
                 --enable-feature=promql-experimental-functions",
                op.as_str()
            );
            return Err(self.error(span, message));
        }
        match (op.takes_parameter(), args.next(), args.next()) {
            (false, None, None) => Ok((None, first)),
            (true, Some(operand), None) => Ok((Some(first), operand)),
            _ => {
                let message = format!(
                    "wrong number of arguments for aggregate expression provided, \
                     expected {expected}, got {count}"
                );
                Err(self.error(span, message))
            }
        }
    }

    /// `by (..)` or `without (..)`, if one of them follows.
    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = self.take_keyword(Keyword::Without)?;
        if !without && !self.take_keyword(Keyword::By)? {
            return Ok(None);
        }
        Ok(Some(Grouping { without, labels: self.grouping_labels()? }))
    }

    fn arguments(&mut self) -> Parsed<Arguments> {
        let open = self.advance()?;
        if open.kind != TokenKind::LeftParen {
            return Err(self.unexpected_here(open));
        }
        let mut args = Arguments { exprs: Vec::new(), height: 0 };
        if self.take(TokenKind::RightParen)? {
            return Ok(args);
        }
        loop {
            let arg = self.expr(Precedence::Or)?;
            args.height = args.height.max(arg.height);
            args.exprs.push(arg.expr);
            let token = self.advance()?;
            match token.kind {
                TokenKind::RightParen => return Ok(args),
                TokenKind::Comma => {
                    let next = self.peek()?;
                    if !self.starts_expr(next) {
                        return Err(
                            self.error(token.span, "trailing commas not allowed in function call args")
                        );
                    }
                }
                _ => return Err(self.unexpected_here(token)),
            }
        }
    }

    pub(super) fn starts_expr(&self, token: Token) -> bool {
        matches!(
            token.kind,
            TokenKind::Number
                | TokenKind::Duration
                | TokenKind::String
                | TokenKind::LeftParen
                | TokenKind::LeftBrace
                | TokenKind::Add
                | TokenKind::Sub
        ) || self.names_metric(token)
    }

    /// Labels between parentheses; a comma may end the list.
    pub(super) fn grouping_labels(&mut self) -> Parsed<Vec<Arc<str>>> {
        let open = self.advance()?;
        if open.kind != TokenKind::LeftParen {
            return Err(self.unexpected(open, " in grouping opts, expected \"(\""));
        }
        let mut labels = Vec::new();
        while !self.take(TokenKind::RightParen)? {
            labels.push(self.grouping_label()?);
            let token = self.advance()?;
            match token.kind {
                TokenKind::RightParen => break,
                TokenKind::Comma => {}
                _ => return Err(self.unexpected(token, " in grouping opts, expected \",\" or \")\"")),
            }
        }
        Ok(labels)
    }

    fn grouping_label(&mut self) -> Parsed<Arc<str>> {
        let token = self.advance()?;
        match token.kind {
            TokenKind::Identifier | TokenKind::MetricIdentifier => Ok(self.token_text(token).into()),
            TokenKind::Keyword(keyword) if keyword.is_label_name() => Ok(self.token_text(token).into()),
            TokenKind::String => {
                let name = self.string(token)?;
                if name.is_empty() {
                    return Err(self.error(token.span, "invalid label name for grouping: \"\""));
                }
                Ok(name.into())
            }
            _ => Err(self.unexpected(token, " in grouping opts, expected label")),
        }
    }
}
