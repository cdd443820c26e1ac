//! The expression tree of a PromQL query. Every node knows its place in the text.
//!
//! Built by the parser, typed by the checker; printing it gives text that parses to the same tree.

use std::sync::Arc;

use shards::model::Matcher;

/// Byte range `[start, end)` in the query text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// An expression and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Number(f64),
    String(String),
    Paren(Box<Expr>),
    Unary(Box<UnaryExpr>),
    Binary(Box<BinaryExpr>),
    Aggregate(Box<AggregateExpr>),
    Call(Box<CallExpr>),
    Vector(Box<VectorSelector>),
    Matrix(Box<MatrixSelector>),
    Subquery(Box<SubqueryExpr>),
}

/// Type of the value of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    Scalar,
    String,
    Vector,
    Matrix,
}

impl ValueType {
    /// Name in error messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct UnaryExpr {
    pub negative: bool,
    pub operand: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual
        )
    }

    #[must_use]
    pub const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    pub op: BinaryOp,
    /// Place of the operator itself.
    pub op_span: Span,
    pub left: Expr,
    pub right: Expr,
    /// Comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// Present when both sides are instant vectors.
    pub matching: Option<VectorMatching>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cardinality {
    OneToOne,
    /// `group_left`: many on the left.
    ManyToOne,
    /// `group_right`: many on the right.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorMatching {
    pub cardinality: Cardinality,
    /// `on (labels)` when set, else `ignoring (labels)`.
    pub on: bool,
    pub labels: Vec<Arc<str>>,
    /// Labels of the one side that `group_left` or `group_right` copies.
    pub include: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    Quantile,
    CountValues,
    LimitK,
    LimitRatio,
}

impl AggregateOp {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::TopK => "topk",
            Self::BottomK => "bottomk",
            Self::Quantile => "quantile",
            Self::CountValues => "count_values",
            Self::LimitK => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// Whether a parameter comes before the operand.
    #[must_use]
    pub const fn takes_parameter(self) -> bool {
        matches!(
            self,
            Self::TopK | Self::BottomK | Self::Quantile | Self::CountValues | Self::LimitK | Self::LimitRatio
        )
    }
}

/// `by (labels)` or `without (labels)`; `by ()` where nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<Arc<str>>,
}

impl Grouping {
    /// Whether all series are in one group.
    #[must_use]
    pub const fn is_total(&self) -> bool {
        !self.without && self.labels.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AggregateExpr {
    pub op: AggregateOp,
    pub grouping: Grouping,
    pub parameter: Option<Expr>,
    pub operand: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CallExpr {
    pub function: &'static super::functions::Function,
    /// Place of the function's name.
    pub name_span: Span,
    pub args: Vec<Expr>,
}

/// `@ t`, `@ start()`, `@ end()`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AtModifier {
    Timestamp(i64),
    Start,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// The name before the braces, as written; it is also among the matchers.
    pub name: Option<Arc<str>>,
    pub matchers: Vec<Matcher>,
    pub offset_ms: i64,
    pub at: Option<AtModifier>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    pub vector: VectorSelector,
    /// Place of the vector selector without the range.
    pub vector_span: Span,
    pub range_ms: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SubqueryExpr {
    pub expr: Expr,
    pub range_ms: i64,
    /// `None`: the default resolution.
    pub step_ms: Option<i64>,
    pub offset_ms: i64,
    pub at: Option<AtModifier>,
}
