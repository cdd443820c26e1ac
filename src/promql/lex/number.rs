//! Numbers and durations: `1_000.5e-3`, `0x1F`, `017`, `1h30m`.

use super::{Lexer, is_alphanumeric};
use crate::promql::error::ParseError;
use crate::promql::quote::quoted;
use crate::promql::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn number_or_duration(&mut self) -> Result<TokenKind, ParseError> {
        if self.number() {
            Ok(TokenKind::Number)
        } else if self.rest_of_duration() {
            Ok(TokenKind::Duration)
        } else {
            let read = quoted(self.token_text());
            Err(self.error(format!("bad number or duration syntax: {read}")))
        }
    }

    /// Reads what looks like a number and says whether it ends like one. If not, the digits read so
    /// far may be the start of a duration.
    fn number(&mut self) -> bool {
        let hex = self.accept(|c| c == '0') && self.accept(|c| matches!(c, 'x' | 'X'));
        let is_digit = |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        let mut dot_seen = false;
        let mut exponent_seen = false;
        let mut first = true;
        while let Some(c) = self.peek() {
            if is_digit(c) {
                self.bump();
            } else if c == '_' && (hex || !first) {
                self.bump();
                if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E') && !is_digit(c))
                    || self.peek().is_none()
                {
                    return false;
                }
            } else if c == '.' {
                self.bump();
                if dot_seen || hex || self.accept(|c| matches!(c, '.' | '_')) {
                    return false;
                }
                dot_seen = true;
            } else if matches!(c, 'e' | 'E') {
                self.bump();
                if exponent_seen {
                    return false;
                }
                exponent_seen = true;
                self.accept(|c| matches!(c, '+' | '-'));
                if self.accept(|c| matches!(c, '.' | '_' | 'e' | 'E')) || self.peek().is_none() {
                    return false;
                }
            } else {
                break;
            }
            first = false;
        }
        !self.peek().is_some_and(is_alphanumeric)
    }

    /// The unit behind a number and further pairs of number and unit. Wrong units and wrong order
    /// are left to the parser.
    fn rest_of_duration(&mut self) -> bool {
        if !self.unit(|c| matches!(c, 's' | 'm' | 'h' | 'd' | 'w' | 'y')) {
            return false;
        }
        while self.accept(|c| c.is_ascii_digit()) {
            self.skip_while(|c| c.is_ascii_digit());
            // Years come first or not at all.
            if !self.unit(|c| matches!(c, 's' | 'm' | 'h' | 'd' | 'w')) {
                return false;
            }
        }
        !self.accept(is_alphanumeric)
    }

    fn unit(&mut self, fits: impl Fn(char) -> bool) -> bool {
        let found = self.accept(fits);
        if found {
            self.accept(|c| c == 's');
        }
        found
    }
}
