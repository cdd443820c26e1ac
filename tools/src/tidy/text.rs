//! Rules about single files and lines.

use crate::tidy::{Finding, Source};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Words that must not stay in code. In two halves, so that this file may pass.
const BANNED: [(&str, &str); 5] =
    [("dbg", "!("), ("todo", "!("), ("unimplemented", "!("), ("FIX", "ME"), ("XX", "X")];

/// Who may name the executor library, so that replacing it stays a local job.
const GLOMMIO_PLACES: [&str; 9] = [
    "benches",
    "shards/src/engine",
    "shards/src/io",
    "shards/tests",
    "src/http/conn",
    "src/query",
    "src/router",
    "src/server",
    "tools",
];

pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let path = &source.path;
    if !source.lines.first().is_some_and(|line| line.starts_with("//!")) {
        findings.push(Finding::error(path, 1, "the file does not begin with what it owns (//!)"));
    }
    for (number, line) in (1..).zip(&source.lines) {
        if !line.is_ascii() {
            findings.push(Finding::error(path, number, "not ASCII; write an escape"));
        }
        for (start, end) in BANNED {
            if line.contains(&format!("{start}{end}")) {
                findings.push(Finding::error(path, number, format!("{start}{end} must not stay")));
            }
        }
    }
    let lines = if source.is_test() { source.lines.len() } else { source.code_lines };
    if lines > FILE_LINES_MAX {
        findings.push(Finding::warning(path, 1, format!("{lines} lines; split around {FILE_LINES_MAX}")));
    }
    glommio(source, findings);
    unsafe_code(source, findings);
    function_lengths(source, findings);
}

fn glommio(source: &Source, findings: &mut Vec<Finding>) {
    let allowed = GLOMMIO_PLACES
        .iter()
        .any(|place| source.is_below(place) || source.path.to_string_lossy() == format!("{place}.rs"));
    if allowed {
        return;
    }
    for (number, line) in source.code() {
        if line.contains("glommio::") {
            let text =
                "glommio is named only in shards/src/{io,engine}, src/{router,query,server}, src/http/conn";
            findings.push(Finding::error(&source.path, number, text));
        }
    }
}

/// The tools forbid unsafe code; this file would only find its own words there.
fn unsafe_code(source: &Source, findings: &mut Vec<Finding>) {
    const LINES_ABOVE: usize = 8;
    if source.is_below("tools") {
        return;
    }
    for (number, line) in source.code() {
        if !line.contains("unsafe {") && !line.contains("unsafe impl ") {
            continue;
        }
        let above = number.saturating_sub(LINES_ABOVE + 1)..number;
        let told =
            source.lines.get(above).is_some_and(|lines| lines.iter().any(|line| line.contains("SAFETY:")));
        if !told {
            findings.push(Finding::error(&source.path, number, "unsafe without a SAFETY comment above"));
        }
    }
}

/// A function reaches from its signature to the closing brace of the same indentation.
fn function_lengths(source: &Source, findings: &mut Vec<Finding>) {
    let mut open: Option<(usize, String)> = None;
    for (number, line) in source.code() {
        let indentation = &line[..line.len() - line.trim_start().len()];
        match &open {
            None if begins_function(line) && !line.trim_end().ends_with(['}', ';']) => {
                open = Some((number, format!("{indentation}}}")));
            }
            Some((start, end)) if line.trim_end() == end => {
                let lines = number - start + 1;
                if lines > FUNCTION_LINES_MAX {
                    let text = format!("a function of {lines} lines; aim for {FUNCTION_LINES_MAX}");
                    findings.push(Finding::warning(&source.path, *start, text));
                }
                open = None;
            }
            _ => {}
        }
    }
}

fn begins_function(line: &str) -> bool {
    let words = line.trim_start();
    let words = words.strip_prefix("pub(crate) ").unwrap_or(words);
    let words = words.strip_prefix("pub(super) ").unwrap_or(words);
    let words = words.strip_prefix("pub ").unwrap_or(words);
    let words = words.strip_prefix("const ").unwrap_or(words);
    let words = words.strip_prefix("async ").unwrap_or(words);
    words.starts_with("fn ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&Source::new(path.into(), text), &mut findings);
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_clean_file_passes() {
        assert_eq!(findings("src/a.rs", "//! doc\nfn a() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn each_rule_finds_its_case() {
        let cases = [
            ("fn a() {}\n", "src/a.rs:1: error: the file does not begin with what it owns (//!)"),
            ("//! doc \u{e9}\n", "src/a.rs:1: error: not ASCII; write an escape"),
            (concat!("//! doc\n// FIX", "ME later\n"), concat!("src/a.rs:2: error: FIX", "ME must not stay")),
            (
                "//! doc\nfn a() {\n    unsafe { b() }\n}\n",
                "src/a.rs:3: error: unsafe without a SAFETY comment above",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(findings("src/a.rs", text), [expected]);
        }
        assert_eq!(findings("src/a.rs", "//! doc\n// SAFETY: fine\nunsafe { b() }\n"), Vec::<String>::new());
    }

    #[test]
    fn glommio_is_named_in_its_places_only() {
        let text = "//! glommio::Task is not used here\nuse glommio::Task;\n";
        assert_eq!(findings("src/a.rs", text).len(), 1);
        for place in ["src/http/conn.rs", "src/router/mesh.rs", "shards/src/io/dma.rs"] {
            assert_eq!(findings(place, text), Vec::<String>::new());
        }
    }

    #[test]
    fn long_files_and_functions_are_warned_of() {
        let body = "    a();\n".repeat(80);
        let text = format!("//! doc\nfn a() {{\n{body}}}\n");
        assert_eq!(findings("src/a.rs", &text), ["src/a.rs:2: warning: a function of 82 lines; aim for 70"]);
        let long = format!("//! doc\n{}", "// x\n".repeat(700));
        assert_eq!(findings("src/a.rs", &long), ["src/a.rs:1: warning: 701 lines; split around 600"]);
    }
}
