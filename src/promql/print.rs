//! Printer: the canonical text of an expression. Parsed again it gives the same tree.
//!
//! The tree says where parentheses are, so the printer adds none. Durations come out computed,
//! matchers sorted.

use std::fmt::{self, Display, Formatter, Write as _};
use std::sync::Arc;

use shards::model::{METRIC_NAME, MatchOp, Matcher};

use super::ast::{
    AggregateExpr, AtModifier, BinaryExpr, Cardinality, Expr, ExprKind, MatrixSelector, SubqueryExpr,
    VectorMatching, VectorSelector,
};
use super::literal::duration_text;
use super::number;
use super::quote::quoted;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(value) => f.write_str(&number::plain(*value)),
            ExprKind::String(text) => f.write_str(&quoted(text)),
            ExprKind::Paren(inner) => {
                f.write_char('(')?;
                inner.fmt(f)?;
                f.write_char(')')
            }
            ExprKind::Unary(unary) => {
                f.write_char(if unary.negative { '-' } else { '+' })?;
                unary.operand.fmt(f)
            }
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => {
                f.write_str(call.function.name)?;
                f.write_char('(')?;
                for (index, arg) in call.args.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    arg.fmt(f)?;
                }
                f.write_char(')')
            }
            ExprKind::Vector(vector) => vector.fmt(f),
            ExprKind::Matrix(matrix) => matrix.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
        }
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.left.fmt(f)?;
        write!(f, " {}", self.op.as_str())?;
        if self.return_bool {
            f.write_str(" bool")?;
        }
        if let Some(matching) = &self.matching {
            matching.fmt(f)?;
        }
        f.write_char(' ')?;
        self.right.fmt(f)
    }
}

impl Display for VectorMatching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            write!(f, " {} (", if self.on { "on" } else { "ignoring" })?;
            label_names(&self.labels, f)?;
            f.write_char(')')?;
        }
        if let Some(group) = group {
            write!(f, " {group} (")?;
            label_names(&self.include, f)?;
            f.write_char(')')?;
        }
        Ok(())
    }
}

impl Display for AggregateExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        if !self.grouping.is_total() {
            write!(f, " {} (", if self.grouping.without { "without" } else { "by" })?;
            label_names(&self.grouping.labels, f)?;
            f.write_str(") ")?;
        }
        f.write_char('(')?;
        if let Some(parameter) = &self.parameter {
            parameter.fmt(f)?;
            f.write_str(", ")?;
        }
        self.operand.fmt(f)?;
        f.write_char(')')
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        name_and_matchers(self, f)?;
        modifiers(self.at, self.offset_ms, f)
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        name_and_matchers(&self.vector, f)?;
        write!(f, "[{}]", duration_text(self.range_ms))?;
        modifiers(self.vector.at, self.vector.offset_ms, f)
    }
}

impl Display for SubqueryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)?;
        write!(f, "[{}:", duration_text(self.range_ms))?;
        if let Some(step_ms) = self.step_ms {
            f.write_str(&duration_text(step_ms))?;
        }
        f.write_char(']')?;
        modifiers(self.at, self.offset_ms, f)
    }
}

fn name_and_matchers(vector: &VectorSelector, f: &mut Formatter<'_>) -> fmt::Result {
    if let Some(name) = &vector.name {
        f.write_str(name)?;
    }
    let is_name = |matcher: &&Matcher| {
        matcher.op() == MatchOp::Equal
            && matcher.name() == METRIC_NAME
            && vector.name.as_deref() == Some(matcher.value())
    };
    let mut matchers: Vec<String> =
        vector.matchers.iter().filter(|matcher| !is_name(matcher)).map(matcher_text).collect();
    if matchers.is_empty() && vector.name.is_some() {
        return Ok(());
    }
    matchers.sort_unstable();
    write!(f, "{{{}}}", matchers.join(","))
}

fn matcher_text(matcher: &Matcher) -> String {
    let name = label_name(matcher.name());
    format!("{name}{}{}", matcher.op().as_str(), quoted(matcher.value()))
}

fn modifiers(at: Option<AtModifier>, offset_ms: i64, f: &mut Formatter<'_>) -> fmt::Result {
    match at {
        Some(AtModifier::Timestamp(time_ms)) => {
            let sign = if time_ms < 0 { "-" } else { "" };
            let ms = time_ms.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", ms / 1_000, ms % 1_000)?;
        }
        Some(AtModifier::Start) => f.write_str(" @ start()")?,
        Some(AtModifier::End) => f.write_str(" @ end()")?,
        None => {}
    }
    if offset_ms != 0 {
        write!(f, " offset {}", duration_text(offset_ms))?;
    }
    Ok(())
}

fn label_names(labels: &[Arc<str>], f: &mut Formatter<'_>) -> fmt::Result {
    for (index, label) in labels.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        f.write_str(&label_name(label))?;
    }
    Ok(())
}

/// A label name as written: in quotes unless it has only letters, digits and underscores.
fn label_name(name: &str) -> String {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // This keyword is refused as the name of a label in groupings.
    if plain && !name.eq_ignore_ascii_case("without") { name.to_owned() } else { quoted(name) }
}
