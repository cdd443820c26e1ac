//! Quoted strings: `"` and `'` with escapes, and raw ones between backquotes.
//!
//! The lexer checks the escapes; [`crate::promql::literal`] resolves them.

use super::Lexer;
use crate::promql::error::ParseError;
use crate::promql::quote::code_point;
use crate::promql::token::TokenKind;

impl Lexer<'_> {
    /// A string whose opening quote is already read.
    pub(super) fn string(&mut self, quote: char) -> Result<TokenKind, ParseError> {
        loop {
            match self.bump() {
                None | Some('\n') => return Err(self.error("unterminated quoted string")),
                Some('\\') => self.escape(quote)?,
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.error("invalid UTF-8 rune")),
                Some(c) if c == quote => return Ok(TokenKind::String),
                Some(_) => {}
            }
        }
    }

    /// A raw string whose opening quote is already read.
    pub(super) fn raw_string(&mut self) -> Result<TokenKind, ParseError> {
        loop {
            match self.bump() {
                None => return Err(self.error("unterminated raw string")),
                Some(char::REPLACEMENT_CHARACTER) => return Err(self.error("invalid UTF-8 rune")),
                Some('`') => return Ok(TokenKind::String),
                Some(_) => {}
            }
        }
    }

    /// The rest of an escape sequence whose backslash is already read.
    fn escape(&mut self, quote: char) -> Result<(), ParseError> {
        let (digits, radix, max) = match self.peek() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => {
                self.bump();
                return Ok(());
            }
            Some(c) if c == quote => {
                self.bump();
                return Ok(());
            }
            Some('0'..='7') => (3, 8, 0xff),
            Some('x') => (2, 16, 0xff),
            Some('u') => (4, 16, 0x10_ffff),
            Some('U') => (8, 16, 0x10_ffff),
            Some(c) => return Err(self.error(format!("unknown escape sequence {}", code_point(c)))),
            None => return Err(self.error("escape sequence not terminated")),
        };
        if radix == 16 {
            self.bump();
        }
        let mut code: u32 = 0;
        for _ in 0..digits {
            let Some(c) = self.bump() else { return Err(self.error("escape sequence not terminated")) };
            let Some(digit) = c.to_digit(radix) else {
                return Err(self.error(format!("illegal character {} in escape sequence", code_point(c))));
            };
            // Eight hexadecimal digits fill the 32 bits.
            code = code.wrapping_mul(radix) | digit;
        }
        if code > max || (digits > 3 && char::from_u32(code).is_none()) {
            return Err(self.error("escape sequence is an invalid Unicode code point"));
        }
        Ok(())
    }
}
