//! Texts and their tokens.

use super::*;
use crate::promql::ast::AggregateOp;
use TokenKind::{
    Add, Colon, Comma, Duration, Equal, Identifier, LeftBrace, LeftBracket, LeftParen, MetricIdentifier,
    NotEqual, NotEqualRegex, Number, RightBrace, RightBracket, RightParen, String, Sub,
};

fn kinds(text: &str) -> Vec<TokenKind> {
    let mut lexer = Lexer::new(text);
    let mut kinds = Vec::new();
    loop {
        match lexer.next_token() {
            Ok(Token { kind: TokenKind::End, .. }) => return kinds,
            Ok(token) => kinds.push(token.kind),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[test]
fn words_and_numbers() {
    for number in
        ["1", "1.5", ".5", "5.", "1e3", "1E-3", "1_000", "0x1F", "0x1_f", "017", "inf", "NaN", "1.e3", "0xae"]
    {
        assert_eq!(kinds(number), [Number], "{number}");
    }
    for duration in ["5m", "1h30m", "1y2w3d4h5m6s7ms", "100ms"] {
        assert_eq!(kinds(duration), [Duration], "{duration}");
    }
    for bad in ["5mh", "1__0", "1_", "1e", "1e+", "5m2", "1a", "1.2.3", "1e3e4", "0x1g", "0b1"] {
        assert!(Lexer::new(bad).next_token().is_err(), "{bad}");
    }
    assert_eq!(kinds("_a1 a:b :c fill"), [Identifier, MetricIdentifier, MetricIdentifier, Identifier]);
    assert_eq!(kinds("SuM"), [TokenKind::Keyword(Keyword::Aggregate(AggregateOp::Sum))]);
    assert_eq!(kinds("fill \n ()"), [TokenKind::Keyword(Keyword::Fill), LeftParen, RightParen]);
}

#[test]
fn what_a_character_means_depends_on_the_place() {
    assert_eq!(
        kinds("{sum!~'x', on!=\"y\",\"z\" = `w`}"),
        [
            LeftBrace,
            Identifier,
            NotEqualRegex,
            String,
            Comma,
            Identifier,
            NotEqual,
            String,
            Comma,
            String,
            Equal,
            String,
            RightBrace
        ]
    );
    assert_eq!(
        kinds("a[5m:(1 + -1m)]"),
        [
            Identifier,
            LeftBracket,
            Duration,
            Colon,
            LeftParen,
            Number,
            Add,
            Sub,
            Duration,
            RightParen,
            RightBracket
        ]
    );
    assert_eq!(kinds("a # b\r\n+ # c\n{ # d }\n }"), [Identifier, Add, LeftBrace, RightBrace]);
}

#[test]
fn the_end_repeats() {
    let mut lexer = Lexer::new(" ");
    for _ in 0..3 {
        let token = lexer.next_token().unwrap();
        assert_eq!((token.kind, token.span), (TokenKind::End, Span { start: 1, end: 1 }));
    }
}
