//! Step invariance: which expressions have one value for all steps because `@` fixes their times.
//!
//! Such an expression is evaluated at the first step only, at the highest place in the tree where it
//! is invariant.

use ahash::AHashMap;

use super::super::ast::{CallExpr, Expr, ExprKind};
use super::super::functions::FunctionId;

/// What is known of one expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invariance {
    pub(crate) invariant: bool,
    /// Worth evaluating once; literals and range vectors are not.
    pub(crate) once: bool,
}

impl Invariance {
    const NO: Self = Self { invariant: false, once: false };
    const YES: Self = Self { invariant: true, once: true };
}

/// The invariance of every expression of a tree, by address.
#[derive(Debug, Default)]
pub(crate) struct InvarianceMap {
    map: AHashMap<*const Expr, Invariance>,
}

impl InvarianceMap {
    pub(crate) fn of(expr: &Expr) -> Self {
        let mut map = Self::default();
        map.visit(expr);
        map
    }

    pub(crate) fn get(&self, expr: &Expr) -> Invariance {
        self.map.get(&std::ptr::from_ref(expr)).copied().unwrap_or(Invariance::NO)
    }

    fn visit(&mut self, expr: &Expr) -> Invariance {
        let invariance = match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => Invariance { invariant: true, once: false },
            ExprKind::Paren(inner) => self.visit(inner),
            ExprKind::Unary(unary) => self.visit(&unary.operand),
            // The parameter does not count: what is invariant is the vector.
            ExprKind::Aggregate(aggregate) => {
                if let Some(parameter) = &aggregate.parameter {
                    self.visit(parameter);
                }
                self.visit(&aggregate.operand)
            }
            ExprKind::Binary(binary) => {
                let left = self.visit(&binary.left).invariant;
                let right = self.visit(&binary.right).invariant;
                if left && right { Invariance::YES } else { Invariance::NO }
            }
            ExprKind::Call(call) => self.visit_call(call),
            ExprKind::Vector(selector) => {
                let fixed = selector.at.is_some();
                Invariance { invariant: fixed, once: fixed }
            }
            ExprKind::Matrix(matrix) => Invariance { invariant: matrix.vector.at.is_some(), once: false },
            ExprKind::Subquery(subquery) => {
                self.visit(&subquery.expr);
                Invariance { invariant: subquery.at.is_some(), once: false }
            }
        };
        self.map.insert(std::ptr::from_ref(expr), invariance);
        invariance
    }

    fn visit_call(&mut self, call: &CallExpr) -> Invariance {
        let mut invariant = !depends_on_step(call.function.id);
        for arg in &call.args {
            invariant &= self.visit(arg).invariant;
        }
        if call.function.id == FunctionId::Timestamp {
            // Safe of a selector only, since other vectors carry the time of the step.
            invariant = call
                .args
                .first()
                .map(unparen)
                .is_some_and(|arg| matches!(&arg.kind, ExprKind::Vector(_)) && self.get(arg).invariant);
        }
        if is_query_constant(call.function.id) {
            return Invariance { invariant: true, once: false };
        }
        if invariant { Invariance::YES } else { Invariance::NO }
    }
}

/// The expression without the parentheses around it.
pub(crate) fn unparen(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

/// Functions that are numbers as soon as the query is known.
pub(crate) const fn is_query_constant(id: FunctionId) -> bool {
    matches!(id, FunctionId::Start | FunctionId::End | FunctionId::Range | FunctionId::Step)
}

const fn depends_on_step(id: FunctionId) -> bool {
    matches!(
        id,
        FunctionId::DaysInMonth
            | FunctionId::DayOfMonth
            | FunctionId::DayOfWeek
            | FunctionId::DayOfYear
            | FunctionId::Hour
            | FunctionId::Minute
            | FunctionId::Month
            | FunctionId::Year
            | FunctionId::PredictLinear
            | FunctionId::Time
            | FunctionId::Timestamp
    )
}
