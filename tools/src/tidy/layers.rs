//! The order of layers: a module uses only modules listed above it in its crate's `lib.rs`.

use crate::tidy::{Finding, Source};

/// Checks one crate, given the directory of its `lib.rs`.
pub(super) fn check(crate_root: &str, sources: &[Source], findings: &mut Vec<Finding>) {
    let lib_path = format!("{crate_root}/lib.rs");
    let Some(lib) = sources.iter().find(|source| source.path.to_string_lossy() == lib_path) else { return };
    let order: Vec<&str> = lib.code().filter_map(|(_, line)| module_name(line)).collect();
    let rank = |name: &str| order.iter().position(|module| *module == name);
    for source in sources.iter().filter(|source| source.is_below(crate_root)) {
        let Some(own) = owner(crate_root, source) else { continue };
        let Some(own_rank) = rank(&own) else { continue };
        for (number, name) in used_modules(source) {
            if rank(&name).is_some_and(|used| used > own_rank) {
                let text = format!("{own} uses {name}, which stands below it in {lib_path}");
                findings.push(Finding::error(&source.path, number, text));
            }
        }
    }
}

fn module_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
    rest.strip_prefix("mod ")?.trim_end().strip_suffix(';')
}

/// The module of the crate that a file belongs to.
fn owner(crate_root: &str, source: &Source) -> Option<String> {
    let below = source.path.strip_prefix(crate_root).ok()?;
    let first = below.components().next()?.as_os_str().to_string_lossy().into_owned();
    Some(first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first))
}

/// Modules named behind `crate::`, alone or in a braced list.
fn used_modules(source: &Source) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    let mut list: Option<(usize, String)> = None;
    for (number, line) in source.code() {
        if let Some((start, mut text)) = list.take() {
            text.push_str(line);
            if line.contains(';') {
                used.extend(list_heads(&text).into_iter().map(|name| (start, name)));
            } else {
                list = Some((start, text));
            }
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(inner) if inner.contains(';') => {
                    used.extend(list_heads(inner).into_iter().map(|name| (number, name)));
                }
                Some(inner) => list = Some((number, inner.to_owned())),
                None => used.push((number, head(rest))),
            }
        }
    }
    used
}

fn head(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First names of the items in `a::b, c::{d, e}, f};`, whose outer brace was opened before.
fn list_heads(text: &str) -> Vec<String> {
    let (mut depth, mut heads, mut item) = (1_usize, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(head(std::mem::take(&mut item).trim())),
            _ if depth == 1 => item.push(c),
            _ => {}
        }
    }
    heads.push(head(item.trim()));
    heads.retain(|name| !name.is_empty());
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> =
            files.iter().map(|(path, text)| Source::new((*path).into(), text)).collect();
        let mut findings = Vec::new();
        check("src", &sources, &mut findings);
        findings.iter().map(Finding::to_string).collect()
    }

    const LIB: (&str, &str) = ("src/lib.rs", "//! doc\n\npub mod low;\n\npub mod mid;\n\nmod high;\n");

    #[test]
    fn using_what_stands_above_is_fine() {
        let high = ("src/high/a.rs", "use crate::low::A;\nuse crate::{mid, high::b};\n");
        assert_eq!(findings(&[LIB, high]), Vec::<String>::new());
    }

    #[test]
    fn every_form_of_looking_up_is_found() {
        let forms = [
            "use crate::high::A;\n",
            "fn f() { crate::high::g(); }\n",
            "use crate::{low, high};\n",
            "use crate::{\n    low::{a, b},\n    high::c,\n};\n",
        ];
        for form in forms {
            let found = findings(&[LIB, ("src/mid.rs", form)]);
            assert_eq!(
                found,
                ["src/mid.rs:1: error: mid uses high, which stands below it in src/lib.rs"],
                "{form}"
            );
        }
    }

    #[test]
    fn tests_and_comments_may_look_up() {
        let mid = ("src/mid.rs", "// crate::high\n#[cfg(test)]\nmod tests {\n    use crate::high;\n}\n");
        assert_eq!(findings(&[LIB, mid]), Vec::<String>::new());
    }
}
