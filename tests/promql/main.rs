//! PromQL scripts: own cases in `cases/`, and those of Prometheus where a copy of them is at hand.
//!
//! The scripts load series and state what queries give. Queries go through parser, planner and
//! evaluator, against series kept in memory and dealt out over some shards, as a server would have
//! them. Own cases must all hold. Of the scripts of Prometheus, `pending.txt` lists the lines that do
//! not hold yet; that list may only shrink. `TSDB_PENDING=write` writes it anew.

mod compare;
mod depth;
mod host;
mod pending;
mod run;
mod script;
mod series;

use std::path::{Path, PathBuf};

use run::{Mode, Report, run_script};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The scripts of a directory with their names, sorted.
fn scripts(dir: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "test") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            scripts.push((name, std::fs::read_to_string(&path)?));
        }
    }
    scripts.sort();
    Ok(scripts)
}

#[test]
fn own_cases_hold() {
    let mut evals = 0;
    let mut failures = Vec::new();
    for (name, text) in scripts(&root().join("tests/promql/cases")).unwrap() {
        let Report { passed, failed } =
            run_script(&text, Mode::Server).unwrap_or_else(|error| panic!("{name}: {error}"));
        evals += passed.len() + failed.len();
        failures.extend(failed.iter().map(|(line, reason)| format!("{name}:{line}: {reason}")));
    }
    assert!(failures.is_empty(), "{} of {evals} evals fail:\n{}", failures.len(), failures.join("\n"));
    assert!(evals >= 150, "only {evals} evals were found");
}

#[test]
fn scripts_of_prometheus_hold_as_far_as_they_did() {
    let dir = root().join("../shared/promqltest");
    if !dir.is_dir() {
        println!("skipped: no scripts of Prometheus at {}", dir.display());
        return;
    }
    let path = root().join("tests/promql/pending.txt");
    let expected = pending::read(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap();
    let mut actual = pending::Pending::new();
    let mut problems = Vec::new();
    let (mut passed_sum, mut evals_sum) = (0, 0);
    for (name, text) in scripts(&dir).unwrap() {
        let Report { passed, failed } =
            run_script(&text, Mode::Upstream).unwrap_or_else(|error| panic!("{name}: {error}"));
        let evals = passed.len() + failed.len();
        println!("{name}: {} of {evals} evals hold", passed.len());
        passed_sum += passed.len();
        evals_sum += evals;
        let lines = expected.get(&name).cloned().unwrap_or_default();
        for (line, reason) in &failed {
            println!("  {name}:{line}: {reason}");
            if !lines.contains(line) {
                problems.push(format!("{name}:{line} held before: {reason}"));
            }
        }
        let held = passed.iter().filter(|line| lines.contains(line));
        problems.extend(held.map(|line| format!("{name}:{line} holds now; take it off pending.txt")));
        if !failed.is_empty() {
            actual.insert(name, failed.into_iter().map(|(line, _)| line).collect());
        }
    }
    println!("{passed_sum} of {evals_sum} evals hold");
    if std::env::var_os("TSDB_PENDING").is_some_and(|value| value == "write") {
        std::fs::write(&path, pending::write(&actual)).unwrap();
        return;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
