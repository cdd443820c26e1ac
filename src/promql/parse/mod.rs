//! Parser: tokens to the expression tree, by precedence climbing.
//!
//! Recursion and the height of the tree are bounded, so that neither parsing nor anything that later
//! walks the tree can run out of stack. The first thing wrong ends the parse; what is said about it
//! and where follows upstream, whose parser knows in which construct an unexpected token stands.

mod call;
mod duration;
mod modifier;
mod selector;
#[cfg(test)]
mod tests;

use shards::model::Matcher;

use super::ast::{BinaryExpr, BinaryOp, Cardinality, Expr, ExprKind, Span, UnaryExpr, VectorMatching};
use super::check;
use super::error::ParseError;
use super::lex::Lexer;
use super::literal;
use super::token::{Keyword, Token, TokenKind};

/// Longest query text. Alternations of thousands of host names do fit.
pub const QUERY_BYTES_MAX: usize = 1 << 20;

/// Greatest height of an expression tree, which bounds the recursion of all that walks it. Long
/// chains of one operator are as high as they are long.
pub const EXPR_DEPTH_MAX: u16 = 200;

/// Deepest nesting of parentheses, calls, signs and powers while parsing. A level takes the parser up
/// to 1.8 KiB of stack in debug builds; the tests run on 256 KiB, less than any executor has.
const NESTING_MAX: u16 = 100;

/// What the parser accepts beyond the stable language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParserOptions {
    /// Functions and aggregations that upstream calls experimental.
    pub experimental_functions: bool,
}

/// Parses and checks the text of a query.
pub fn parse(text: &str, options: &ParserOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, options)?;
    let mut expr = parser.query()?;
    check::check(text, &mut expr)?;
    Ok(expr)
}

/// Parses the text of a vector selector, as in the `match[]` parameters of the API. Whether it may
/// select every series is for the caller to decide.
pub fn parse_series_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    Parser::new(text, &ParserOptions::default())?.series_selector()
}

/// How tight an operator binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Power,
}

const fn binary_op(kind: TokenKind) -> Option<(BinaryOp, Precedence)> {
    Some(match kind {
        TokenKind::Keyword(Keyword::Or) => (BinaryOp::Or, Precedence::Or),
        TokenKind::Keyword(Keyword::And) => (BinaryOp::And, Precedence::And),
        TokenKind::Keyword(Keyword::Unless) => (BinaryOp::Unless, Precedence::And),
        TokenKind::EqualEqual => (BinaryOp::Equal, Precedence::Comparison),
        TokenKind::NotEqual => (BinaryOp::NotEqual, Precedence::Comparison),
        TokenKind::Less => (BinaryOp::Less, Precedence::Comparison),
        TokenKind::LessEqual => (BinaryOp::LessEqual, Precedence::Comparison),
        TokenKind::Greater => (BinaryOp::Greater, Precedence::Comparison),
        TokenKind::GreaterEqual => (BinaryOp::GreaterEqual, Precedence::Comparison),
        TokenKind::Add => (BinaryOp::Add, Precedence::Sum),
        TokenKind::Sub => (BinaryOp::Sub, Precedence::Sum),
        TokenKind::Mul => (BinaryOp::Mul, Precedence::Product),
        TokenKind::Div => (BinaryOp::Div, Precedence::Product),
        TokenKind::Mod => (BinaryOp::Mod, Precedence::Product),
        TokenKind::Keyword(Keyword::Atan2) => (BinaryOp::Atan2, Precedence::Product),
        TokenKind::Pow => (BinaryOp::Pow, Precedence::Power),
        _ => return None,
    })
}

/// The precedence that operators of the right operand must have at least.
const fn right_min(precedence: Precedence) -> Precedence {
    match precedence {
        Precedence::Or => Precedence::And,
        Precedence::And => Precedence::Comparison,
        Precedence::Comparison => Precedence::Sum,
        Precedence::Sum => Precedence::Product,
        // Powers group to the right.
        Precedence::Product | Precedence::Power => Precedence::Power,
    }
}

/// An expression and the height of its tree.
struct Node {
    expr: Expr,
    height: u16,
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    peeked: Option<Token>,
    /// End of the last token taken.
    last_end: u32,
    nesting: u16,
    /// Aggregations around the current token whose arguments are not complete.
    aggregations: u16,
    experimental_functions: bool,
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: &ParserOptions) -> Parsed<Self> {
        if text.len() > QUERY_BYTES_MAX {
            let message =
                format!("query text of {} bytes is longer than the limit of {QUERY_BYTES_MAX}", text.len());
            return Err(ParseError::new(text, Span::default(), message));
        }
        Ok(Self {
            text,
            lexer: Lexer::new(text),
            peeked: None,
            last_end: 0,
            nesting: 0,
            aggregations: 0,
            experimental_functions: options.experimental_functions,
        })
    }

    fn query(&mut self) -> Parsed<Expr> {
        if self.peek()?.kind == TokenKind::End {
            return Err(self.error(Span::default(), "no expression found in input"));
        }
        let node = self.expr(Precedence::Or)?;
        self.expect_end()?;
        Ok(node.expr)
    }

    fn series_selector(&mut self) -> Parsed<Vec<Matcher>> {
        let token = self.advance()?;
        let selector = match token.kind {
            TokenKind::LeftBrace => self.vector_selector(None, token)?,
            _ if self.names_metric(token) => {
                let name = self.token_text(token).into();
                self.vector_selector(Some(name), token)?
            }
            _ => return Err(self.unexpected(token, "")),
        };
        self.expect_end()?;
        Ok(selector.matchers)
    }

    fn expect_end(&mut self) -> Parsed<()> {
        let token = self.advance()?;
        if token.kind == TokenKind::End { Ok(()) } else { Err(self.unexpected_here(token)) }
    }

    /// An expression of operators that bind at least as tight as `min`.
    fn expr(&mut self, min: Precedence) -> Parsed<Node> {
        self.enter()?;
        let mut left = self.unary_or_primary()?;
        while let Some((op, precedence)) = self.peek_operator()?
            && precedence >= min
        {
            let op_span = self.advance()?.span;
            left = self.binary(left, op, op_span, right_min(precedence))?;
        }
        self.leave();
        Ok(left)
    }

    fn peek_operator(&mut self) -> Parsed<Option<(BinaryOp, Precedence)>> {
        let token = self.peek()?;
        if matches!(token.kind, TokenKind::TrimUpper | TokenKind::TrimLower) {
            let message = format!("histogram trim operator {} is not supported", self.token_text(token));
            return Err(self.error(token.span, message));
        }
        Ok(binary_op(token.kind))
    }

    /// The rest of a binary expression whose operator is already taken.
    fn binary(&mut self, left: Node, op: BinaryOp, op_span: Span, min: Precedence) -> Parsed<Node> {
        let (return_bool, matching) = self.binary_modifiers(left.expr.span)?;
        let right = self.expr(min)?;
        let span = Span { start: left.expr.span.start, end: right.expr.span.end };
        let height = left.height.max(right.height);
        let kind = ExprKind::Binary(Box::new(BinaryExpr {
            op,
            op_span,
            left: left.expr,
            right: right.expr,
            return_bool,
            matching: Some(matching),
        }));
        self.node(kind, span, height)
    }

    /// `bool`, `on (..)`, `ignoring (..)`, `group_left (..)`, `group_right (..)`.
    fn binary_modifiers(&mut self, left: Span) -> Parsed<(bool, VectorMatching)> {
        let mut matching = VectorMatching {
            cardinality: Cardinality::OneToOne,
            on: false,
            labels: Vec::new(),
            include: Vec::new(),
        };
        let return_bool = self.take_keyword(Keyword::Bool)?;
        matching.on = self.take_keyword(Keyword::On)?;
        if matching.on || self.take_keyword(Keyword::Ignoring)? {
            matching.labels = self.grouping_labels()?;
            if self.take_keyword(Keyword::GroupLeft)? {
                matching.cardinality = Cardinality::ManyToOne;
            } else if self.take_keyword(Keyword::GroupRight)? {
                matching.cardinality = Cardinality::OneToMany;
            }
            if matching.cardinality != Cardinality::OneToOne {
                let next = self.peek()?;
                // The list may be left out, but then the operand follows.
                if next.kind == TokenKind::LeftParen || !self.starts_expr(next) {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        if let TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight) = self.peek()?.kind
        {
            return Err(self.error(left, "binop fill modifiers are experimental and not supported"));
        }
        Ok((return_bool, matching))
    }

    fn unary_or_primary(&mut self) -> Parsed<Node> {
        let token = self.advance()?;
        if matches!(token.kind, TokenKind::Add | TokenKind::Sub) {
            return self.unary(token);
        }
        let node = self.primary(token)?;
        self.postfix(node)
    }

    /// The rest of a unary expression. The sign binds like a product: `-2 ^ 2` is `-(2 ^ 2)`.
    fn unary(&mut self, sign: Token) -> Parsed<Node> {
        let negative = sign.kind == TokenKind::Sub;
        let Node { expr: operand, height } = self.expr(Precedence::Power)?;
        let span = Span { start: sign.span.start, end: operand.span.end };
        if let ExprKind::Number(value) = operand.kind {
            let kind = ExprKind::Number(if negative { -value } else { value });
            return Ok(Node { expr: Expr { kind, span }, height });
        }
        self.node(ExprKind::Unary(Box::new(UnaryExpr { negative, operand })), span, height)
    }

    fn primary(&mut self, token: Token) -> Parsed<Node> {
        let leaf = |kind| Node { expr: Expr { kind, span: token.span }, height: 1 };
        match token.kind {
            TokenKind::Number | TokenKind::Duration => Ok(leaf(ExprKind::Number(self.number(token)?))),
            TokenKind::String => Ok(leaf(ExprKind::String(self.string(token)?))),
            TokenKind::LeftParen => self.paren(token),
            TokenKind::LeftBrace => self.vector(None, token),
            _ => self.named(token),
        }
    }

    fn paren(&mut self, open: Token) -> Parsed<Node> {
        let inner = self.expr(Precedence::Or)?;
        let close = self.advance()?;
        if close.kind != TokenKind::RightParen {
            return Err(self.unexpected_here(close));
        }
        let span = Span { start: open.span.start, end: close.span.end };
        self.node(ExprKind::Paren(Box::new(inner.expr)), span, inner.height)
    }

    /// What starts with a name: an aggregation, a call or a selector.
    fn named(&mut self, token: Token) -> Parsed<Node> {
        if !self.names_metric(token) {
            return Err(self.unexpected_here(token));
        }
        let next = self.peek()?.kind;
        match token.kind {
            TokenKind::Keyword(Keyword::Aggregate(op))
                if matches!(
                    next,
                    TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without)
                ) =>
            {
                self.aggregation(op, token)
            }
            TokenKind::Identifier if next == TokenKind::LeftParen => self.call(token),
            TokenKind::Keyword(keyword) if keyword.is_function_name() && next == TokenKind::LeftParen => {
                self.call(token)
            }
            _ => {
                let name = self.token_text(token).into();
                self.vector(Some(name), token)
            }
        }
    }

    fn names_metric(&self, token: Token) -> bool {
        match token.kind {
            TokenKind::Identifier | TokenKind::MetricIdentifier => true,
            TokenKind::Keyword(keyword) => keyword.is_metric_name(),
            _ => false,
        }
    }

    fn number(&self, token: Token) -> Parsed<f64> {
        let text = self.token_text(token);
        let value = if token.kind == TokenKind::Duration {
            literal::duration_seconds(text)
        } else {
            literal::number(text)
        };
        value.map_err(|message| self.error(token.span, message))
    }

    fn string(&self, token: Token) -> Parsed<String> {
        literal::string(self.token_text(token))
            .ok_or_else(|| self.error(token.span, "escapes of the string give bytes that are not UTF-8"))
    }

    /// A node over children of this height.
    fn node(&self, kind: ExprKind, span: Span, children: u16) -> Parsed<Node> {
        if children >= EXPR_DEPTH_MAX {
            return Err(self.too_deep(span, EXPR_DEPTH_MAX));
        }
        Ok(Node { expr: Expr { kind, span }, height: children + 1 })
    }

    /// One level deeper; paired with [`Self::leave`] unless the parse ends with an error.
    fn enter(&mut self) -> Parsed<()> {
        if self.nesting >= NESTING_MAX {
            let span = self.peek()?.span;
            return Err(self.too_deep(span, NESTING_MAX));
        }
        self.nesting += 1;
        Ok(())
    }

    const fn leave(&mut self) {
        self.nesting -= 1;
    }

    fn too_deep(&self, span: Span, limit: u16) -> ParseError {
        self.error(span, format!("expression is nested deeper than the limit of {limit} levels"))
    }

    fn peek(&mut self) -> Parsed<Token> {
        if let Some(token) = self.peeked {
            return Ok(token);
        }
        let token = self.lexer.next_token()?;
        self.peeked = Some(token);
        Ok(token)
    }

    fn advance(&mut self) -> Parsed<Token> {
        let token = self.peek()?;
        self.peeked = None;
        self.last_end = token.span.end;
        Ok(token)
    }

    fn take(&mut self, kind: TokenKind) -> Parsed<bool> {
        let found = self.peek()?.kind == kind;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn take_keyword(&mut self, keyword: Keyword) -> Parsed<bool> {
        self.take(TokenKind::Keyword(keyword))
    }

    fn token_text(&self, token: Token) -> &'a str {
        self.text.get(token.span.start as usize..token.span.end as usize).unwrap_or_default()
    }

    fn error(&self, span: Span, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// A token that fits nowhere, with the construct around it where there is one to tell.
    fn unexpected_here(&self, token: Token) -> ParseError {
        self.unexpected(token, if self.aggregations > 0 { " in aggregation" } else { "" })
    }

    /// A token that does not fit; `context` goes behind its description.
    fn unexpected(&self, token: Token, context: &str) -> ParseError {
        let token_text = token.describe(self.token_text(token));
        self.error(token.span, format!("unexpected {token_text}{context}"))
    }
}
