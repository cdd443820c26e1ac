//! `tsdb promql`: what the parser makes of an expression, without a server.

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::promql::{ParserOptions, parse, value_type};

#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print an expression in its canonical form
    Format {
        #[arg(value_name = "EXPRESSION")]
        expression: String,
    },
    /// Say whether an expression is valid, and its type
    Check {
        #[arg(value_name = "EXPRESSION")]
        expression: String,
    },
}

pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    println!("{}", outcome(&flags.action)?);
    Ok(())
}

fn outcome(action: &Action) -> anyhow::Result<String> {
    // Whoever asks here may be about to turn the experimental functions on.
    let options = ParserOptions { experimental_functions: true };
    match action {
        Action::Format { expression } => Ok(parse(expression, &options)?.to_string()),
        Action::Check { expression } => {
            let tree = parse(expression, &options).context("not valid")?;
            Ok(format!("valid: {}", value_type(&tree).as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_formatted_and_checked() {
        let format = |text: &str| outcome(&Action::Format { expression: text.to_owned() });
        let check = |text: &str| outcome(&Action::Check { expression: text.to_owned() });
        assert_eq!(format("sum( up )by(job)").unwrap(), "sum by (job) (up)");
        assert_eq!(check("up[5m]").unwrap(), "valid: range vector");
        assert!(format!("{:#}", check("sum(").unwrap_err()).starts_with("not valid: 1:"));
    }
}
