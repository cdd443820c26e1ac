//! Lexer: query text to tokens, one at a time.
//!
//! What a character means depends on what is open: inside of braces there are only names, strings
//! and match operators, directly behind a bracket only durations. The lexer follows that itself, so
//! it also finds what is never closed.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod number;
mod string;
#[cfg(test)]
mod tests;

use super::ast::Span;
use super::error::ParseError;
use super::quote::quoted_char;
use super::token::{Keyword, Token, TokenKind};

/// Where the lexer is between two tokens, apart from braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Statement,
    /// From an opening bracket up to the first number.
    DurationStart,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Next byte to read; on a character boundary.
    pos: usize,
    /// Start of the token being read.
    start: usize,
    mode: Mode,
    parens_open: usize,
    brace_open: bool,
    bracket_open: bool,
    colon_seen: bool,
    number_seen: bool,
}

impl<'a> Lexer<'a> {
    /// The text is shorter than 4 GiB.
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            start: 0,
            mode: Mode::Statement,
            parens_open: 0,
            brace_open: false,
            bracket_open: false,
            colon_seen: false,
            number_seen: false,
        }
    }

    /// The next token; at the end [`TokenKind::End`] again and again.
    pub(super) fn next_token(&mut self) -> Result<Token, ParseError> {
        self.skip_blank();
        let kind = if self.brace_open {
            self.inside_braces()?
        } else if self.mode == Mode::DurationStart {
            self.duration_start()?
        } else {
            self.statement()?
        };
        Ok(Token { kind, span: self.span() })
    }

    /// Skips white space and comments, and starts a token.
    fn skip_blank(&mut self) {
        loop {
            self.skip_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let comments_allowed = self.brace_open || self.mode == Mode::Statement;
            if !comments_allowed || self.peek() != Some('#') {
                break;
            }
            self.skip_while(|c| !matches!(c, '\n' | '\r'));
        }
        self.start = self.pos;
    }

    fn statement(&mut self) -> Result<TokenKind, ParseError> {
        let Some(c) = self.peek() else { return self.end() };
        if c.is_ascii_digit() || (c == '.' && self.peek_second().is_some_and(|c| c.is_ascii_digit())) {
            return self.number_or_duration();
        }
        self.bump();
        Ok(match c {
            ',' => TokenKind::Comma,
            '*' => TokenKind::Mul,
            '/' => TokenKind::Div,
            '%' => TokenKind::Mod,
            '+' => TokenKind::Add,
            '-' => TokenKind::Sub,
            '^' => TokenKind::Pow,
            '@' => TokenKind::At,
            '=' => match self.peek() {
                Some('=') => self.take(TokenKind::EqualEqual),
                Some('~') => return Err(self.error("unexpected character after '=': '~'")),
                _ => TokenKind::Equal,
            },
            '!' => match self.peek() {
                Some('=') => self.take(TokenKind::NotEqual),
                other => {
                    let other = quoted_char(other.unwrap_or(char::REPLACEMENT_CHARACTER));
                    return Err(self.error(format!("unexpected character after '!': {other}")));
                }
            },
            '<' => match self.peek() {
                Some('=') => self.take(TokenKind::LessEqual),
                Some('/') => self.take(TokenKind::TrimUpper),
                _ => TokenKind::Less,
            },
            '>' => match self.peek() {
                Some('=') => self.take(TokenKind::GreaterEqual),
                Some('/') => self.take(TokenKind::TrimLower),
                _ => TokenKind::Greater,
            },
            '"' | '\'' => return self.string(c),
            '`' => return self.raw_string(),
            '(' => self.open_paren(),
            ')' => return self.close_paren(),
            '{' => {
                self.brace_open = true;
                TokenKind::LeftBrace
            }
            '[' => return self.open_bracket(),
            ']' if !self.bracket_open => return Err(self.error("unexpected right bracket ']'")),
            ']' => {
                self.bracket_open = false;
                TokenKind::RightBracket
            }
            'a'..='z' | 'A'..='Z' | '_' | ':' if self.bracket_open => return self.word_in_brackets(c),
            'a'..='z' | 'A'..='Z' | '_' | ':' => self.word(),
            _ => return Err(self.error(format!("unexpected character: {}", quoted_char(c)))),
        })
    }

    fn end(&self) -> Result<TokenKind, ParseError> {
        if self.parens_open > 0 {
            Err(self.error("unclosed left parenthesis"))
        } else if self.bracket_open {
            Err(self.error("unclosed left bracket"))
        } else {
            Ok(TokenKind::End)
        }
    }

    fn open_paren(&mut self) -> TokenKind {
        self.parens_open += 1;
        TokenKind::LeftParen
    }

    fn close_paren(&mut self) -> Result<TokenKind, ParseError> {
        let Some(open) = self.parens_open.checked_sub(1) else {
            self.start = self.pos;
            return Err(self.error("unexpected right parenthesis ')'"));
        };
        self.parens_open = open;
        Ok(TokenKind::RightParen)
    }

    fn open_bracket(&mut self) -> Result<TokenKind, ParseError> {
        if self.bracket_open {
            return Err(self.error("unexpected left bracket '['"));
        }
        self.colon_seen = false;
        self.bracket_open = true;
        self.mode = Mode::DurationStart;
        Ok(TokenKind::LeftBracket)
    }

    fn duration_start(&mut self) -> Result<TokenKind, ParseError> {
        let Some(c) = self.peek() else {
            return Err(self.error("unexpected end of input in duration expression"));
        };
        if c.is_ascii_digit() || (c == '.' && self.peek_second().is_some_and(|c| c.is_ascii_digit())) {
            self.number_seen = true;
            self.mode = Mode::Statement;
            return self.number_or_duration();
        }
        self.bump();
        Ok(match c {
            ']' => {
                self.bracket_open = false;
                self.mode = Mode::Statement;
                TokenKind::RightBracket
            }
            ':' => return self.colon_at_duration_start(),
            '(' => self.open_paren(),
            ')' => return self.close_paren(),
            '+' => TokenKind::Add,
            '-' => TokenKind::Sub,
            '*' => TokenKind::Mul,
            '/' => TokenKind::Div,
            '%' => TokenKind::Mod,
            '^' => TokenKind::Pow,
            ',' => TokenKind::Comma,
            _ => match self.duration_function(c) {
                Some(keyword) => TokenKind::Keyword(keyword),
                None => {
                    let c = quoted_char(c);
                    return Err(self.error(format!("unexpected character in duration expression: {c}")));
                }
            },
        })
    }

    fn colon_at_duration_start(&mut self) -> Result<TokenKind, ParseError> {
        let message = if !self.number_seen {
            "unexpected colon before duration in duration expression"
        } else if self.colon_seen {
            "unexpected repeated colon in duration expression"
        } else {
            self.colon_seen = true;
            return Ok(TokenKind::Colon);
        };
        self.start = self.pos;
        Err(self.error(message))
    }

    /// A word behind a number in brackets. Its first character is already read.
    fn word_in_brackets(&mut self, first: char) -> Result<TokenKind, ParseError> {
        if first == ':' {
            if self.colon_seen {
                return Err(self.error("unexpected colon ':'"));
            }
            self.colon_seen = true;
            return Ok(TokenKind::Colon);
        }
        match self.duration_function(first) {
            Some(keyword) => Ok(TokenKind::Keyword(keyword)),
            None => Err(self.error(format!("unexpected character: {}, expected ':'", quoted_char(first)))),
        }
    }

    /// The name of a function of durations, if there is one. Its first character is already read.
    fn duration_function(&mut self, first: char) -> Option<Keyword> {
        if !first.is_ascii_alphabetic() {
            return None;
        }
        self.skip_while(|c| c.is_ascii_alphabetic() || c == '_');
        Keyword::from_word(self.token_text()).filter(|keyword| keyword.is_duration_function())
    }

    /// A keyword or a name. Its first character is already read.
    fn word(&mut self) -> TokenKind {
        self.skip_while(|c| is_alphanumeric(c) || c == ':');
        let word = self.token_text();
        if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan") {
            return TokenKind::Number;
        }
        match Keyword::from_word(word) {
            // Younger than the others: a keyword only where its parenthesis follows.
            Some(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight) if !self.paren_follows() => {
                TokenKind::Identifier
            }
            Some(keyword) => TokenKind::Keyword(keyword),
            None if word.contains(':') => TokenKind::MetricIdentifier,
            None => TokenKind::Identifier,
        }
    }

    fn paren_follows(&self) -> bool {
        self.rest().trim_start_matches([' ', '\t', '\n', '\r']).starts_with('(')
    }

    fn inside_braces(&mut self) -> Result<TokenKind, ParseError> {
        let Some(c) = self.bump() else {
            return Err(self.error("unexpected end of input inside braces"));
        };
        Ok(match c {
            ',' => TokenKind::Comma,
            '=' if self.peek() == Some('~') => self.take(TokenKind::EqualRegex),
            '=' => TokenKind::Equal,
            '!' => match self.peek() {
                Some('~') => self.take(TokenKind::NotEqualRegex),
                Some('=') => self.take(TokenKind::NotEqual),
                other => {
                    let other = quoted_char(other.unwrap_or(char::REPLACEMENT_CHARACTER));
                    return Err(self.error(format!("unexpected character after '!' inside braces: {other}")));
                }
            },
            '"' | '\'' => return self.string(c),
            '`' => return self.raw_string(),
            '{' => return Err(self.error("unexpected left brace '{'")),
            '}' => {
                self.brace_open = false;
                TokenKind::RightBrace
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                self.skip_while(is_alphanumeric);
                TokenKind::Identifier
            }
            _ => {
                return Err(self.error(format!("unexpected character inside braces: {}", quoted_char(c))));
            }
        })
    }

    /// Reads the second character of an operator.
    fn take(&mut self, kind: TokenKind) -> TokenKind {
        self.bump();
        kind
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn token_text(&self) -> &'a str {
        self.text.get(self.start..self.pos).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Reads the next character if it fits.
    fn accept(&mut self, fits: impl Fn(char) -> bool) -> bool {
        let found = self.peek().is_some_and(fits);
        if found {
            self.bump();
        }
        found
    }

    fn skip_while(&mut self, fits: impl Fn(char) -> bool) {
        while self.accept(&fits) {}
    }

    fn span(&self) -> Span {
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: offset(self.start), end: offset(self.pos) }
    }

    fn error(&self, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, self.span(), message)
    }
}

const fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
