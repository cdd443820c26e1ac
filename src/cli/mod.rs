//! The command line: `tsdb start`, `write`, `query`, `promql`, `inspect`.
//!
//! Whatever fails is told in one line on standard error, cause first, remedy after it.

mod client;
mod exposition;
mod inspect;
mod promql;
mod query;
mod start;
mod table;
mod write;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

/// Exit code of a command line that cannot be read.
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "tsdb",
    version,
    about = "Time-series database: Prometheus remote write in, PromQL out",
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Start(Box<start::Flags>),
    /// Send samples in the text exposition format to a server
    Write(write::Flags),
    /// Evaluate a PromQL expression on a server
    Query(query::Flags),
    /// Read a PromQL expression without a server
    Promql(promql::Flags),
    /// Look into a data directory, or check it, without a server
    Inspect(inspect::Flags),
}

/// Runs the command of this process.
#[must_use]
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    let done = match line.command {
        Command::Start(flags) => start::run(*flags),
        Command::Write(flags) => write::run(&flags),
        Command::Query(flags) => query::run(&flags),
        Command::Promql(flags) => promql::run(&flags),
        Command::Inspect(flags) => inspect::run(&flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tsdb: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// Help and version as clap shows them; a mistake in one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = error.print();
        return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    }
    eprintln!("tsdb: {}", mistake(&error.to_string()));
    ExitCode::from(USAGE)
}

/// The mistake and the tip out of clap's paragraphs.
fn mistake(text: &str) -> String {
    let mut paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    let first = paragraphs.next().unwrap_or_default();
    let mut line = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    match paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned)) {
        Some(tip) => line.push_str(&format!("; {tip}")),
        None if !line.contains(": ") => line.push_str("; see tsdb --help"),
        None => {}
    }
    line
}

/// An error with its causes. A cause that the error tells already is not told twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(text.trim_end());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn mistakes_fit_one_line() {
        for (arguments, expected) in [
            (
                &["tsdb", "start", "--retention=x"][..],
                "invalid value 'x' for '--retention <DURATION>': expected a duration such as 15s, 1h30m or 30d",
            ),
            (
                &["tsdb", "start", "--retentoin=1d"],
                "unexpected argument '--retentoin' found; a similar argument exists: '--retention'",
            ),
            (&["tsdb", "strat"], "unrecognized subcommand 'strat'; a similar subcommand exists: 'start'"),
            (&["tsdb", "query"], "the following required arguments were not provided: <EXPRESSION>"),
        ] {
            let error = Line::try_parse_from(arguments).unwrap_err();
            assert_eq!(mistake(&error.to_string()), expected);
        }
    }

    #[test]
    fn causes_are_joined_and_not_repeated() {
        let error = anyhow::anyhow!("disk on fire").context("cannot write: disk on fire").context("stopping");
        assert_eq!(one_line(&error), "stopping: cannot write: disk on fire");
    }
}
