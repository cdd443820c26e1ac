//! The list of evals that do not hold yet: per script the numbers of their lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub(crate) type Pending = BTreeMap<String, BTreeSet<usize>>;

const HEADER: &str = "\
# Evals of the scripts of Prometheus that do not hold yet, by the lines they start at: what is missing
# are native histograms, experimental syntax and functions, and start timestamps.
# TSDB_PENDING=write cargo test --test promql writes this file.
";

const COLUMNS_MAX: usize = 100;

/// Reads `script: line line ..`; indented lines go on with the script before.
pub(crate) fn read(text: &str) -> Result<Pending, String> {
    let mut pending = Pending::new();
    let mut script = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let numbers = match line.split_once(':') {
            Some((name, numbers)) => {
                script = Some(name.trim().to_owned());
                numbers
            }
            None => line,
        };
        let script = script.clone().ok_or_else(|| format!("lines of no script: {line}"))?;
        let lines = pending.entry(script).or_default();
        for number in numbers.split_whitespace() {
            lines.insert(number.parse().map_err(|_| format!("not a line number: {number}"))?);
        }
    }
    Ok(pending)
}

pub(crate) fn write(pending: &Pending) -> String {
    let mut out = HEADER.to_owned();
    for (script, lines) in pending {
        let mut row = format!("{script}:");
        for line in lines {
            if row.len() + 8 > COLUMNS_MAX {
                let _ = writeln!(out, "{row}");
                row = "   ".to_owned();
            }
            let _ = write!(row, " {line}");
        }
        let _ = writeln!(out, "{row}");
    }
    out
}

#[test]
fn what_is_written_reads_back() {
    let pending =
        Pending::from([("a".to_owned(), (1..200).collect()), ("b_c".to_owned(), BTreeSet::from([7]))]);
    assert_eq!(read(&write(&pending)), Ok(pending));
    assert!(read("1 2").is_err());
    assert!(read("a: x").is_err());
}
