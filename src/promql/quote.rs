//! Text between quotes, written the way Go writes it: in error messages and in printed expressions.

use std::fmt::Write as _;

/// The text in double quotes, with escapes for what does not print.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        put_char(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// The character in single quotes, with an escape if it does not print.
pub(super) fn quoted_char(c: char) -> String {
    let mut out = String::from("'");
    put_char(&mut out, c, '\'');
    out.push('\'');
    out
}

/// Code point and, if it prints, the character: `U+0063 'c'`.
pub(super) fn code_point(c: char) -> String {
    let code = u32::from(c);
    if is_printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

fn put_char(out: &mut String, c: char, quote: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if is_printable(c) => out.push(c),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                ..=0x7f => write!(out, "\\x{code:02x}"),
                0x80..=0xffff => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Whether a character stands for itself between quotes.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\u{9f}' => false,
        // Combining marks print, though Rust's debug form escapes them.
        '\u{300}'..='\u{36f}' => true,
        c => !c.is_whitespace() && c.escape_debug().len() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1}\u{7f}"), r#""a\"b\\c\n\x01\x7f""#);
        assert_eq!(
            quoted("it's \u{e9} \u{2028} \u{e000} \u{10ffff}"),
            "\"it's \u{e9} \\u2028 \\ue000 \\U0010ffff\""
        );
        assert_eq!(quoted_char('\''), r"'\''");
        assert_eq!(quoted_char('"'), "'\"'");
        assert_eq!(code_point('c'), "U+0063 'c'");
        assert_eq!(code_point('\u{1}'), "U+0001");
    }
}
