//! Tokens of query text and how error messages name them.

use super::ast::{AggregateOp, Span};
use super::quote::quoted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// End of the text.
    End,
    Identifier,
    /// An identifier with a colon in it.
    MetricIdentifier,
    Number,
    Duration,
    /// A quoted string with its quotes.
    String,
    Keyword(Keyword),
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    Equal,
    EqualRegex,
    NotEqualRegex,
    At,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    EqualEqual,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    TrimUpper,
    TrimLower,
}

/// Words with a meaning of their own, in any case of letters. Nearly all of them may also be names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Unless,
    Atan2,
    Aggregate(AggregateOp),
    Offset,
    Smoothed,
    Anchored,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Start,
    End,
    Step,
    Range,
    MaxOf,
    MinOf,
}

const KEYWORDS: [(&str, Keyword); 37] = [
    ("and", Keyword::And),
    ("or", Keyword::Or),
    ("unless", Keyword::Unless),
    ("atan2", Keyword::Atan2),
    ("sum", Keyword::Aggregate(AggregateOp::Sum)),
    ("avg", Keyword::Aggregate(AggregateOp::Avg)),
    ("count", Keyword::Aggregate(AggregateOp::Count)),
    ("min", Keyword::Aggregate(AggregateOp::Min)),
    ("max", Keyword::Aggregate(AggregateOp::Max)),
    ("group", Keyword::Aggregate(AggregateOp::Group)),
    ("stddev", Keyword::Aggregate(AggregateOp::Stddev)),
    ("stdvar", Keyword::Aggregate(AggregateOp::Stdvar)),
    ("topk", Keyword::Aggregate(AggregateOp::TopK)),
    ("bottomk", Keyword::Aggregate(AggregateOp::BottomK)),
    ("count_values", Keyword::Aggregate(AggregateOp::CountValues)),
    ("quantile", Keyword::Aggregate(AggregateOp::Quantile)),
    ("limitk", Keyword::Aggregate(AggregateOp::LimitK)),
    ("limit_ratio", Keyword::Aggregate(AggregateOp::LimitRatio)),
    ("offset", Keyword::Offset),
    ("smoothed", Keyword::Smoothed),
    ("anchored", Keyword::Anchored),
    ("by", Keyword::By),
    ("without", Keyword::Without),
    ("on", Keyword::On),
    ("ignoring", Keyword::Ignoring),
    ("group_left", Keyword::GroupLeft),
    ("group_right", Keyword::GroupRight),
    ("fill", Keyword::Fill),
    ("fill_left", Keyword::FillLeft),
    ("fill_right", Keyword::FillRight),
    ("bool", Keyword::Bool),
    ("start", Keyword::Start),
    ("end", Keyword::End),
    ("step", Keyword::Step),
    ("range", Keyword::Range),
    ("max_of", Keyword::MaxOf),
    ("min_of", Keyword::MinOf),
];

impl Keyword {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, keyword)| *keyword)
    }

    /// Whether it can name a metric where an expression is expected.
    pub(super) const fn is_metric_name(self) -> bool {
        !matches!(
            self,
            Self::Atan2 | Self::Bool | Self::On | Self::Ignoring | Self::GroupLeft | Self::GroupRight
        )
    }

    /// Whether it can name a label in a list of labels.
    pub(super) const fn is_label_name(self) -> bool {
        !matches!(self, Self::Without)
    }

    /// Whether it is also the name of a function.
    pub(super) const fn is_function_name(self) -> bool {
        matches!(self, Self::Start | Self::End | Self::Step | Self::Range | Self::MaxOf | Self::MinOf)
    }

    /// Whether it is a function inside of durations.
    pub(super) const fn is_duration_function(self) -> bool {
        matches!(self, Self::Step | Self::Range | Self::MaxOf | Self::MinOf)
    }
}

/// Characters of a long literal that an error message shows.
const SHOWN_CHARS: usize = 10;

impl Token {
    /// The token as messages about something unexpected name it.
    pub(super) fn describe(self, text: &str) -> String {
        match self.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Identifier => format!("identifier {}", quoted(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quoted(text)),
            TokenKind::Number => format!("number {}", shortened(text)),
            TokenKind::Duration => format!("duration {}", shortened(text)),
            TokenKind::String => format!("string {}", shortened(text)),
            TokenKind::Keyword(keyword) => match keyword {
                Keyword::Aggregate(_) => format!("<aggr:{text}>"),
                Keyword::And | Keyword::Or | Keyword::Unless | Keyword::Atan2 => format!("<op:{text}>"),
                _ if keyword.is_function_name() => shortened(text),
                _ => format!("<{text}>"),
            },
            TokenKind::At
            | TokenKind::EqualRegex
            | TokenKind::NotEqualRegex
            | TokenKind::Add
            | TokenKind::Sub
            | TokenKind::Mul
            | TokenKind::Div
            | TokenKind::Mod
            | TokenKind::Pow
            | TokenKind::EqualEqual
            | TokenKind::NotEqual
            | TokenKind::Less
            | TokenKind::LessEqual
            | TokenKind::Greater
            | TokenKind::GreaterEqual
            | TokenKind::TrimUpper
            | TokenKind::TrimLower => format!("<op:{text}>"),
            TokenKind::LeftParen
            | TokenKind::RightParen
            | TokenKind::LeftBrace
            | TokenKind::RightBrace
            | TokenKind::LeftBracket
            | TokenKind::RightBracket
            | TokenKind::Comma
            | TokenKind::Colon
            | TokenKind::Equal => quoted(text),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= SHOWN_CHARS {
        return quoted(text);
    }
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    format!("{}...", quoted(&shown))
}
