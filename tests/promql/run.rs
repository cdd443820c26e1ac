//! Runs scripts.
//!
//! Each instant query is asked again at other times with its selectors pinned by `@`, in the text
//! that the printer gives; and each of these as the middle step of a range query. All must agree.

use tsdb::promql::annotation::Severity;
use tsdb::promql::ast::{AtModifier, Expr, ExprKind};
use tsdb::promql::{ParserOptions, parse};

use crate::compare;
use crate::host::Host;
use crate::script::{self, Annotations, Command, Eval, TextMatch, Times};

/// Whose behaviour where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As a server answers by default.
    Server,
    /// As the scripts of Prometheus assume: experimental functions, and names go at the end.
    Upstream,
}

/// Lines of the evals of a script.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) passed: Vec<usize>,
    pub(crate) failed: Vec<(usize, String)>,
}

pub(crate) fn run_script(text: &str, mode: Mode) -> Result<Report, String> {
    let mut host = Host::default();
    let mut report = Report::default();
    for command in script::parse(text)? {
        match command {
            Command::Clear => host.clear(),
            Command::Load(load) => host.load(&load),
            Command::Eval { line, eval } => match eval.and_then(|eval| run_eval(&host, &eval, mode)) {
                Ok(()) => report.passed.push(line),
                Err(reason) => report.failed.push((line, reason)),
            },
        }
    }
    Ok(report)
}

const MINUTE_MS: i64 = 60_000;

fn run_eval(host: &Host, eval: &Eval, mode: Mode) -> Result<(), String> {
    let expr = parse_query(&eval.query, mode)?;
    let Times::Instant { time_ms } = eval.times else {
        return run_query(host, eval, &eval.query, &expr, eval.times, mode).map(|_| ());
    };
    run_instant(host, eval, &eval.query, &expr, time_ms, mode)?;
    let Some(pinned) = pinned(expr, time_ms) else { return Ok(()) };
    let text = pinned.to_string();
    let expr = parse_query(&text, mode).map_err(|error| format!("printed as {text}: {error}"))?;
    let times = if time_ms == 0 {
        vec![-1_000, 0, 1_000]
    } else {
        vec![-10 * time_ms, 0, time_ms / 5, time_ms, 10 * time_ms]
    };
    for other_ms in times {
        run_instant(host, eval, &text, &expr, other_ms, mode)
            .map_err(|error| format!("{text} at {other_ms} ms: {error}"))?;
    }
    Ok(())
}

fn parse_query(text: &str, mode: Mode) -> Result<Expr, String> {
    let options = ParserOptions { experimental_functions: mode == Mode::Upstream };
    parse(text, &options).map_err(|error| error.to_string())
}

fn run_instant(
    host: &Host,
    eval: &Eval,
    text: &str,
    expr: &Expr,
    time_ms: i64,
    mode: Mode,
) -> Result<(), String> {
    if !run_query(host, eval, text, expr, Times::Instant { time_ms }, mode)? {
        return Ok(());
    }
    let depends_on_range = ["start()", "end()", "range()", "step()"].iter().any(|call| text.contains(call));
    let is_vector = matches!(
        tsdb::promql::value_type(expr),
        tsdb::promql::ast::ValueType::Vector | tsdb::promql::ast::ValueType::Scalar
    );
    if depends_on_range || !is_vector || eval.ordered {
        return Ok(());
    }
    let times =
        Times::Range { start_ms: time_ms - MINUTE_MS, end_ms: time_ms + MINUTE_MS, step_ms: MINUTE_MS };
    let delayed = mode == Mode::Upstream;
    let output = host.query(expr, times, delayed).map_err(|error| format!("as a range query: {error}"))?;
    compare::at_time(eval, &output, time_ms).map_err(|error| format!("as a range query: {error}"))
}

/// Runs one query and compares. `false`: it failed as it should.
fn run_query(
    host: &Host,
    eval: &Eval,
    text: &str,
    expr: &Expr,
    times: Times,
    mode: Mode,
) -> Result<bool, String> {
    let result = host.query(expr, times, mode == Mode::Upstream);
    match (result, &eval.fail) {
        (Err(error), Some(expected)) if expected.matches(&error.to_string()) => Ok(false),
        (Err(error), Some(expected)) => Err(format!("expected the error {expected:?}, got: {error}")),
        (Err(error), None) => Err(error.to_string()),
        (Ok(_), Some(expected)) => Err(format!("expected the error {expected:?}")),
        (Ok(output), None) => {
            let warnings = output.annotations.render(text, Severity::Warning);
            let infos = output.annotations.render(text, Severity::Info);
            check_annotations(&eval.warnings, &warnings)?;
            check_annotations(&eval.infos, &infos)?;
            compare::output(eval, times, &output)?;
            Ok(true)
        }
    }
}

fn check_annotations(expected: &Annotations, actual: &[String]) -> Result<(), String> {
    if expected.none && !actual.is_empty() {
        return Err(format!("unexpected annotations: {actual:?}"));
    }
    let found = |one: &TextMatch| actual.iter().any(|text| one.matches(text));
    if let Some(missing) = expected.expected.iter().find(|one| !found(one)) {
        return Err(format!("expected the annotation {missing:?}, got {actual:?}"));
    }
    let stated = |text: &&String| expected.expected.iter().any(|one| one.matches(text));
    match actual.iter().find(|text| !expected.expected.is_empty() && !stated(text)) {
        Some(other) => Err(format!("unexpected annotation: {other}")),
        None => Ok(()),
    }
}

/// The expression with the selectors and subqueries that have no time of their own pinned to this
/// one. `None`: a function in it depends on the time of the evaluation.
fn pinned(mut expr: Expr, time_ms: i64) -> Option<Expr> {
    pin(&mut expr, time_ms, false).then_some(expr)
}

fn pin(expr: &mut Expr, time_ms: i64, below_pinned: bool) -> bool {
    let set = |at: &mut Option<AtModifier>| {
        if !below_pinned && !matches!(at, Some(AtModifier::Timestamp(_))) {
            *at = Some(AtModifier::Timestamp(time_ms));
        }
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Paren(inner) => pin(inner, time_ms, below_pinned),
        ExprKind::Unary(unary) => pin(&mut unary.operand, time_ms, below_pinned),
        ExprKind::Binary(binary) => {
            pin(&mut binary.left, time_ms, below_pinned) && pin(&mut binary.right, time_ms, below_pinned)
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.parameter.as_mut().is_none_or(|parameter| pin(parameter, time_ms, below_pinned))
                && pin(&mut aggregate.operand, time_ms, below_pinned)
        }
        ExprKind::Call(call) => {
            const TIMELY: [&str; 15] = [
                "days_in_month",
                "day_of_month",
                "day_of_week",
                "day_of_year",
                "hour",
                "minute",
                "month",
                "year",
                "predict_linear",
                "time",
                "timestamp",
                "start",
                "end",
                "step",
                "range",
            ];
            !TIMELY.contains(&call.function.name)
                && call.args.iter_mut().all(|arg| pin(arg, time_ms, below_pinned))
        }
        ExprKind::Vector(vector) => {
            set(&mut vector.at);
            true
        }
        ExprKind::Matrix(matrix) => {
            set(&mut matrix.vector.at);
            true
        }
        ExprKind::Subquery(subquery) => {
            set(&mut subquery.at);
            pin(&mut subquery.expr, time_ms, true)
        }
    }
}
