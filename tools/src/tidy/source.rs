//! One Rust file, cut into lines that know whether they are tests and where their comment begins.

use std::path::{Path, PathBuf};

/// A file below the root of the workspace.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    pub lines: Vec<String>,
    /// Lines in front of the test module at the end of the file.
    pub code_lines: usize,
}

impl Source {
    #[must_use]
    pub fn new(path: PathBuf, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let test_module = |pair: &[String]| {
            matches!(pair, [first, second, ..] if first == "#[cfg(test)]" && is_module(second))
                || matches!(pair, [first, second, third] if first == "#[cfg(test)]" && second.starts_with("#[") && is_module(third))
        };
        let code_lines = lines.windows(3).position(test_module).unwrap_or(lines.len());
        Self { path, lines, code_lines }
    }

    /// Whether the whole file is a test or a helper of tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let in_tests = self.path.components().any(|part| part.as_os_str() == "tests");
        in_tests || name == "tests.rs" || name.ends_with("_tests.rs") || self.path.starts_with("benches")
    }

    /// Line numbers and text of what is neither test nor comment.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let until = if self.is_test() { 0 } else { self.code_lines };
        (1..).zip(self.lines.iter().take(until)).map(|(number, line)| (number, without_comment(line)))
    }

    #[must_use]
    pub fn is_below(&self, prefix: &str) -> bool {
        self.path.starts_with(Path::new(prefix))
    }
}

fn is_module(line: &str) -> bool {
    ["mod ", "pub(crate) mod ", "pub mod "].iter().any(|start| line.starts_with(start))
}

/// The line up to a comment. A `//` inside of a string ends it too, which hides little: rules look
/// for words of code.
fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_ends_where_the_test_module_begins() {
        let text = "//! doc\nfn a() {} // why\n#[cfg(test)]\nmod tests {\n}\n";
        let source = Source::new("src/a.rs".into(), text);
        let code: Vec<_> = source.code().collect();
        assert_eq!(code, [(1, ""), (2, "fn a() {} ")]);
        assert!(Source::new("tests/e2e/main.rs".into(), text).is_test());
        assert!(Source::new("src/wal/tests.rs".into(), text).is_test());
        assert!(!source.is_test());
    }
}
