//! The language of the scripts: `load`, `clear`, `eval instant` and `eval range`.
//!
//! A command ends at an empty line or a comment.

use regex::Regex;
use shards::model::Labels;

use crate::series::{self, Point, Series};

#[derive(Debug)]
pub(crate) enum Command {
    Clear,
    Load(Load),
    /// An eval, or what is wrong with how it is written.
    Eval {
        line: usize,
        eval: Result<Eval, String>,
    },
}

#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) step_ms: i64,
    pub(crate) series: Vec<Series>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Instant { time_ms: i64 },
    Range { start_ms: i64, end_ms: i64, step_ms: i64 },
}

/// What a text must be.
#[derive(Debug)]
pub(crate) enum TextMatch {
    Any,
    Exact(String),
    Regex(Regex),
}

impl TextMatch {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(expected) => expected == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Result of a query as far as stated.
#[derive(Debug)]
pub(crate) enum Expected {
    Scalar(f64),
    String(String),
    /// Series in the order of the script.
    Series(Vec<(Labels, Vec<Point>)>),
}

#[derive(Debug)]
pub(crate) struct Eval {
    pub(crate) query: String,
    pub(crate) times: Times,
    pub(crate) expected: Expected,
    /// Times of the samples of a range vector: start and step.
    pub(crate) samples_at: Option<(i64, i64)>,
    pub(crate) ordered: bool,
    pub(crate) fail: Option<TextMatch>,
    pub(crate) warnings: Annotations,
    pub(crate) infos: Annotations,
}

/// What must be true of the annotations of one kind.
#[derive(Debug, Default)]
pub(crate) struct Annotations {
    pub(crate) none: bool,
    pub(crate) expected: Vec<TextMatch>,
}

pub(crate) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let word = line.split_whitespace().next().unwrap_or_default();
        let block = &lines[at..];
        let block = &block[..block.iter().position(|line| line.is_empty()).unwrap_or(block.len())];
        if word.is_empty() {
            continue;
        } else if word == "clear" {
            commands.push(Command::Clear);
            continue;
        } else if word.starts_with("load") {
            let load = load(line, block).map_err(|error| format!("line {number}: {error}"))?;
            commands.push(Command::Load(load));
            at += block.len();
        } else if word.starts_with("eval") {
            let (eval, used) = eval(line, block);
            commands.push(Command::Eval { line: number, eval });
            at += used;
        } else {
            return Err(format!("line {number}: unknown command: {line}"));
        }
    }
    Ok(commands)
}

fn load(line: &str, block: &[&str]) -> Result<Load, String> {
    let (_, step) = line.split_once(char::is_whitespace).ok_or("load without a step")?;
    let series = block
        .iter()
        .filter(|line| !series::is_start_timestamps(line))
        .filter_map(|line| match series::parse(line) {
            // Labels of bytes that are not UTF-8 cannot be stored.
            Err(error) if error.contains("not UTF-8") => None,
            other => Some(other),
        })
        .collect::<Result<_, _>>()?;
    Ok(Load { step_ms: duration_ms(step)?, series })
}

/// Milliseconds of a duration such as `5m` or `0`.
fn duration_ms(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let expr = tsdb::promql::parse(text, &tsdb::promql::ParserOptions::default());
    match expr.map_err(|error| error.to_string())?.kind {
        tsdb::promql::ast::ExprKind::Number(seconds) => Ok((seconds * 1e3).round() as i64),
        _ => Err(format!("not a duration: {text}")),
    }
}

/// An eval and how many lines of the block belong to it.
fn eval(line: &str, block: &[&str]) -> (Result<Eval, String>, usize) {
    let mut eval = match head(line) {
        Ok(eval) => eval,
        Err(error) => return (Err(error), block.len()),
    };
    let mut expected = Vec::new();
    for (index, line) in block.iter().enumerate() {
        if let Some(number) = scalar(line) {
            // A number ends the command.
            eval.expected = Expected::Scalar(number);
            return (Ok(eval), index + 1);
        }
        if let Err(error) = body_line(&mut eval, line, &mut expected) {
            return (Err(error), block.len());
        }
    }
    if matches!(&eval.expected, Expected::Series(_)) {
        eval.expected = Expected::Series(expected);
    }
    (Ok(eval), block.len())
}

/// `eval instant at <time> <query>` or `eval range from <time> to <time> step <duration> <query>`.
fn head(line: &str) -> Result<Eval, String> {
    let mut rest = line;
    let mut word = || {
        let (word, tail) = rest.split_once(char::is_whitespace).ok_or("eval ends early")?;
        rest = tail.trim_start();
        Ok::<_, String>(word)
    };
    let command = word()?;
    let kind = word()?;
    let mut time = |keyword: &str| {
        let found = word()?;
        if found == keyword {
            duration_ms(word()?)
        } else {
            Err(format!("expected {keyword}, found {found}"))
        }
    };
    let times = match kind {
        "instant" => Times::Instant { time_ms: time("at")? },
        "range" => Times::Range { start_ms: time("from")?, end_ms: time("to")?, step_ms: time("step")? },
        other => return Err(format!("unknown kind of eval: {other}")),
    };
    let annotated = |suffix: &str| Annotations {
        none: false,
        expected: if command.ends_with(suffix) { vec![TextMatch::Any] } else { Vec::new() },
    };
    Ok(Eval {
        query: rest.to_owned(),
        times,
        expected: Expected::Series(Vec::new()),
        samples_at: None,
        ordered: command.ends_with("_ordered"),
        fail: command.ends_with("_fail").then_some(TextMatch::Any),
        warnings: annotated("_warn"),
        infos: annotated("_info"),
    })
}

fn body_line(eval: &mut Eval, line: &str, expected: &mut Vec<(Labels, Vec<Point>)>) -> Result<(), String> {
    if let Some(text) = line.strip_prefix("expected_fail_message ") {
        eval.fail = Some(TextMatch::Exact(text.trim().to_owned()));
        return Ok(());
    }
    if let Some(text) = line.strip_prefix("expected_fail_regexp ") {
        eval.fail = Some(TextMatch::Regex(Regex::new(text.trim()).map_err(|error| error.to_string())?));
        return Ok(());
    }
    if let Some(rest) = line.strip_prefix("expect ") {
        return expectation(eval, rest.trim());
    }
    let Series { labels, points } = series::parse(line)?;
    expected.push((labels, points));
    Ok(())
}

fn expectation(eval: &mut Eval, text: &str) -> Result<(), String> {
    if let Some(rest) = text.strip_prefix("string ") {
        let expr = tsdb::promql::parse(rest, &tsdb::promql::ParserOptions::default());
        let tsdb::promql::ast::ExprKind::String(text) = expr.map_err(|error| error.to_string())?.kind else {
            return Err(format!("not a string: {rest}"));
        };
        eval.expected = Expected::String(text);
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix("range vector ") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let ["from", start, "to", end, "step", step] = words[..] else {
            return Err(format!("not a range vector: {rest}"));
        };
        eval.samples_at = Some((duration_ms(start)?, duration_ms(step)?));
        eval.times = Times::Instant { time_ms: duration_ms(end)? };
        return Ok(());
    }
    let (kind, condition) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let condition = text_match(condition.trim())?;
    match kind {
        "ordered" => eval.ordered = true,
        "fail" => eval.fail = Some(condition),
        "warn" => eval.warnings.expected.push(condition),
        "info" => eval.infos.expected.push(condition),
        "no_warn" => eval.warnings.none = true,
        "no_info" => eval.infos.none = true,
        other => return Err(format!("unknown expectation: {other}")),
    }
    Ok(())
}

fn text_match(condition: &str) -> Result<TextMatch, String> {
    if condition.is_empty() {
        return Ok(TextMatch::Any);
    }
    match condition.split_once(':') {
        Some(("msg", text)) => Ok(TextMatch::Exact(text.trim().to_owned())),
        Some(("regex", text)) => {
            Regex::new(text.trim()).map(TextMatch::Regex).map_err(|error| error.to_string())
        }
        _ => Err(format!("unknown condition: {condition}")),
    }
}

/// A number alone on its line.
fn scalar(line: &str) -> Option<f64> {
    let unsigned = line.trim_start_matches(['+', '-']);
    let name = unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("nan");
    if !name && !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let sign = if line.starts_with('-') { -1.0 } else { 1.0 };
    if let Some(hex) = unsigned.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(|value| sign * value as f64);
    }
    unsigned.replace('_', "").parse().ok().map(|value: f64| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_fall_into_commands() {
        let text = "\
# a comment
load 5m
  a 1 2
  b{c=\"d\"} 3

eval instant at 10m a + 1
  expect no_warn
  expect info msg: some text
  {} 5

eval range from 0 to 1m30s step 30s time()
  expect fail regex: a.c

clear
eval_ordered instant at 0 1
  1
";
        let commands = parse(text).unwrap();
        assert_eq!(commands.len(), 5, "{commands:?}");
        let Command::Load(load) = &commands[0] else { panic!("{commands:?}") };
        assert_eq!((load.step_ms, load.series.len()), (300_000, 2));
        let Command::Eval { line: 6, eval: Ok(eval) } = &commands[1] else { panic!("{commands:?}") };
        assert_eq!(eval.query, "a + 1");
        assert_eq!(eval.times, Times::Instant { time_ms: 600_000 });
        assert!(eval.warnings.none && eval.infos.expected[0].matches("some text"));
        let Command::Eval { eval: Ok(eval), .. } = &commands[2] else { panic!("{commands:?}") };
        assert!(eval.fail.as_ref().is_some_and(|fail| fail.matches("abc") && !fail.matches("ab")));
        assert!(matches!(commands[3], Command::Clear));
        let Command::Eval { eval: Ok(eval), .. } = &commands[4] else { panic!("{commands:?}") };
        assert!(eval.ordered && matches!(eval.expected, Expected::Scalar(value) if value == 1.0));
    }
}
