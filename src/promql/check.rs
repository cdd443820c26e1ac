//! Checker: types of operands and arguments, counts of arguments and what else syntax cannot say.
//!
//! It also finishes the tree: set operators become many-to-many, and matching stays only between two
//! instant vectors. The parser bounds the height of the tree and so the recursion here.

use shards::model::METRIC_NAME;

use super::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, CallExpr, Cardinality, Expr, ExprKind, Span, UnaryExpr,
    ValueType, VectorSelector,
};
use super::error::ParseError;
use super::functions::{Function, FunctionId};
use super::quote::quoted;

/// Type of the value of a checked expression.
#[must_use]
pub fn value_type(expr: &Expr) -> ValueType {
    match &expr.kind {
        ExprKind::Number(_) => ValueType::Scalar,
        ExprKind::String(_) => ValueType::String,
        ExprKind::Aggregate(_) | ExprKind::Vector(_) => ValueType::Vector,
        ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::Matrix,
        ExprKind::Call(call) => call.function.returns,
        ExprKind::Paren(inner) => value_type(inner),
        ExprKind::Unary(unary) => value_type(&unary.operand),
        ExprKind::Binary(binary) => binary_type(value_type(&binary.left), value_type(&binary.right)),
    }
}

const fn binary_type(left: ValueType, right: ValueType) -> ValueType {
    match (left, right) {
        (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
        _ => ValueType::Vector,
    }
}

/// Checks and finishes the tree that was parsed from `text`.
pub(super) fn check(text: &str, expr: &mut Expr) -> Result<(), ParseError> {
    Checker { text }.expr(expr).map(|_| ())
}

struct Checker<'a> {
    text: &'a str,
}

type Checked<T> = Result<T, ParseError>;

impl Checker<'_> {
    fn error(&self, span: Span, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    fn expr(&self, expr: &mut Expr) -> Checked<ValueType> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Number(_) => Ok(ValueType::Scalar),
            ExprKind::String(_) => Ok(ValueType::String),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Unary(unary) => self.unary(unary, span),
            ExprKind::Binary(binary) => self.binary(binary, span),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Vector(vector) => self.selector(vector, span, false).map(|()| ValueType::Vector),
            ExprKind::Matrix(matrix) => {
                self.selector(&matrix.vector, matrix.vector_span, false).map(|()| ValueType::Matrix)
            }
            ExprKind::Subquery(subquery) => match self.expr(&mut subquery.expr)? {
                ValueType::Vector => Ok(ValueType::Matrix),
                // Upstream has its internal name here.
                ValueType::Matrix => Err(self.subquery_over(span, "matrix")),
                other => Err(self.subquery_over(span, other.as_str())),
            },
        }
    }

    fn subquery_over(&self, span: Span, what: &str) -> ParseError {
        self.error(span, format!("subquery is only allowed on instant vector, got {what} instead"))
    }

    fn expect(&self, expr: &mut Expr, expected: ValueType, place: &str) -> Checked<()> {
        let actual = self.expr(expr)?;
        self.expect_type(expr.span, actual, expected, place)
    }

    fn expect_type(&self, span: Span, actual: ValueType, expected: ValueType, place: &str) -> Checked<()> {
        if actual == expected {
            return Ok(());
        }
        let (expected, actual) = (expected.as_str(), actual.as_str());
        Err(self.error(span, format!("expected type {expected} in {place}, got {actual}")))
    }

    fn unary(&self, unary: &mut UnaryExpr, span: Span) -> Checked<ValueType> {
        let operand = self.expr(&mut unary.operand)?;
        if matches!(operand, ValueType::Scalar | ValueType::Vector) {
            return Ok(operand);
        }
        let message = format!(
            "unary expression only allowed on expressions of type scalar or instant vector, got {}",
            quoted(operand.as_str())
        );
        Err(self.error(span, message))
    }

    fn aggregate(&self, aggregate: &mut AggregateExpr) -> Checked<ValueType> {
        self.expect(&mut aggregate.operand, ValueType::Vector, "aggregation expression")?;
        if let Some(parameter) = &mut aggregate.parameter {
            let expected =
                if aggregate.op == AggregateOp::CountValues { ValueType::String } else { ValueType::Scalar };
            self.expect(parameter, expected, "aggregation parameter")?;
        }
        Ok(ValueType::Vector)
    }

    fn binary(&self, binary: &mut BinaryExpr, span: Span) -> Checked<ValueType> {
        let left = self.expr(&mut binary.left)?;
        let right = self.expr(&mut binary.right)?;
        self.binary_operator(binary, left, right)?;
        self.binary_operand(binary.left.span, left)?;
        self.binary_operand(binary.right.span, right)?;
        self.matching(binary, span, left, right)?;
        Ok(binary_type(left, right))
    }

    fn binary_operand(&self, span: Span, operand: ValueType) -> Checked<()> {
        if matches!(operand, ValueType::Scalar | ValueType::Vector) {
            return Ok(());
        }
        Err(self.error(span, "binary expression must contain only scalar and instant vector types"))
    }

    fn binary_operator(&self, binary: &BinaryExpr, left: ValueType, right: ValueType) -> Checked<()> {
        let comparison = binary.op.is_comparison();
        if binary.return_bool && !comparison {
            return Err(self.error(binary.op_span, "bool modifier can only be used on comparison operators"));
        }
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        if comparison && !binary.return_bool && scalars {
            return Err(self.error(binary.op_span, "comparisons between scalars must use BOOL modifier"));
        }
        let Some(matching) = binary.matching.as_ref().filter(|matching| matching.on) else { return Ok(()) };
        match matching.labels.iter().find(|label| matching.include.contains(label)) {
            Some(label) => {
                let label = quoted(label);
                let message = format!("label {label} must not occur in ON and GROUP clause at once");
                Err(self.error(binary.op_span, message))
            }
            None => Ok(()),
        }
    }

    fn matching(
        &self,
        binary: &mut BinaryExpr,
        span: Span,
        left: ValueType,
        right: ValueType,
    ) -> Checked<()> {
        let set = binary.op.is_set();
        let op = quoted(binary.op.as_str());
        let Some(matching) = &mut binary.matching else { return Ok(()) };
        if left != ValueType::Vector || right != ValueType::Vector {
            if !matching.labels.is_empty() {
                return Err(self.error(span, "vector matching only allowed between instant vectors"));
            }
            if set {
                let message = format!("set operator {op} not allowed in binary scalar expression");
                return Err(self.error(span, message));
            }
            binary.matching = None;
        } else if set {
            if matching.cardinality != Cardinality::OneToOne {
                return Err(self.error(span, format!("no grouping allowed for {op} operation")));
            }
            matching.cardinality = Cardinality::ManyToMany;
        }
        Ok(())
    }

    fn call(&self, call: &mut CallExpr, span: Span) -> Checked<ValueType> {
        let function = call.function;
        self.argument_count(function, call.args.len(), span)?;
        let place = format!("call to function {}", quoted(function.name));
        for (index, arg) in call.args.iter_mut().enumerate() {
            let actual = if function.id == FunctionId::Info && index == 1 {
                self.info_selector(arg, &place)?
            } else {
                self.expr(arg)?
            };
            if let Some(expected) = function.arg_type(index) {
                self.expect_type(arg.span, actual, expected, &place)?;
            }
        }
        Ok(function.returns)
    }

    fn argument_count(&self, function: &Function, count: usize, span: Span) -> Checked<()> {
        let (min, max) = (function.args_min(), function.args_max());
        let (bound, expected) = match max {
            Some(max) if max == min && count != min => ("", min),
            _ if count < min => ("at least ", min),
            Some(max) if count > max => ("at most ", max),
            _ => return Ok(()),
        };
        let name = quoted(function.name);
        Err(self
            .error(span, format!("expected {bound}{expected} argument(s) in call to {name}, got {count}")))
    }

    /// The second argument of `info`: matchers of labels only, which may match everything.
    fn info_selector(&self, arg: &mut Expr, place: &str) -> Checked<ValueType> {
        match &arg.kind {
            ExprKind::Vector(vector) if vector.name.is_some() => {
                Err(self.error(arg.span, "expected label selectors only, got vector selector instead"))
            }
            ExprKind::Vector(vector) => self.selector(vector, arg.span, true).map(|()| ValueType::Vector),
            _ => {
                self.expect(arg, ValueType::Vector, place)?;
                Err(self.error(arg.span, "expected label selectors only"))
            }
        }
    }

    fn selector(&self, vector: &VectorSelector, span: Span, may_be_empty: bool) -> Checked<()> {
        let Some(name) = &vector.name else {
            if may_be_empty || vector.matchers.iter().any(|matcher| !matcher.matches_empty()) {
                return Ok(());
            }
            return Err(self.error(span, "vector selector must contain at least one non-empty matcher"));
        };
        // The last matcher stands for the name before the braces.
        let written = vector.matchers.split_last().map_or(&[][..], |(_, written)| written);
        match written.iter().find(|matcher| matcher.name() == METRIC_NAME) {
            Some(matcher) => {
                let (name, other) = (quoted(name), quoted(matcher.value()));
                Err(self.error(span, format!("metric name must not be set twice: {name} or {other}")))
            }
            None => Ok(()),
        }
    }
}
