//! The house rules, as far as a program can check them.
//!
//! A finding names file and line. Errors make `cargo tidy` and the test below fail; warnings (a file
//! or function that has grown long) only ask for a second look.

mod layers;
mod source;
mod text;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use source::Source;

/// What the top level holds. Names with a dot in front are settings of tools and always allowed.
const TOP_LEVEL: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "deploy",
    "docs",
    "shards",
    "src",
    "tests",
    "tools",
];

/// Entries of the top level that git ignores.
const TOP_LEVEL_IGNORED: [&str; 2] = ["data", "target"];

/// Directories below the root that hold Rust sources; those of generated files are left out.
const SOURCE_ROOTS: [&str; 7] =
    ["benches", "shards/benches", "shards/src", "shards/tests", "src", "tests", "tools/src"];
const GENERATED: [&str; 4] = ["target", "corpus", "artifacts", "coverage"];

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: PathBuf,
    pub line: usize,
    pub fatal: bool,
    pub text: String,
}

impl Finding {
    fn error(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, fatal: true, text: text.into() }
    }

    fn warning(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Self { fatal: false, ..Self::error(path, line, text) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.fatal { "error" } else { "warning" };
        write!(out, "{}:{}: {kind}: {}", self.path.display(), self.line, self.text)
    }
}

/// Checks the workspace at a directory; findings come sorted by place.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = top_level(root)?;
    let mut sources = Vec::new();
    for directory in SOURCE_ROOTS {
        collect(root, &root.join(directory), &mut sources)?;
    }
    for source in &sources {
        text::check(source, &mut findings);
    }
    for crate_root in ["shards/src", "src", "tools/src"] {
        layers::check(crate_root, &sources, &mut findings);
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

fn top_level(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("cannot list {}", root.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known = TOP_LEVEL.contains(&name.as_str()) || TOP_LEVEL_IGNORED.contains(&name.as_str());
        if !known && !name.starts_with('.') {
            findings.push(Finding::error(Path::new(&name), 1, "has no place at the top level"));
        }
    }
    Ok(findings)
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if !GENERATED.iter().any(|name| path.ends_with(name)) {
                collect(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            sources.push(Source::new(relative, &String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_follows_the_house_rules() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let broken: Vec<String> =
            check(&root).unwrap().iter().filter(|finding| finding.fatal).map(Finding::to_string).collect();
        assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    }

    #[test]
    fn strangers_at_the_top_level_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["Cargo.toml", "Makefile", ".gitignore"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let findings = check(dir.path()).unwrap();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].to_string(), "Makefile:1: error: has no place at the top level");
    }
}
