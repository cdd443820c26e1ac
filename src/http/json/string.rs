//! Strings as Prometheus writes them into JSON: label sets in the plain form, all other texts in
//! the form that is also safe within HTML.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A label name or value, quoted.
pub(super) fn plain(out: &mut Vec<u8>, text: &str) {
    quoted(out, text, |byte| byte < 0x20 || byte == b'"' || byte == b'\\');
}

/// Any other text, quoted.
pub(super) fn html_safe(out: &mut Vec<u8>, text: &str) {
    // U+2028 and U+2029 end lines in JavaScript; both begin with this byte.
    const LINE_ENDS: u8 = 0xe2;
    quoted(out, text, |byte| byte < 0x20 || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | LINE_ENDS));
}

/// Copies runs of bytes for which `special` does not hold, and escapes the others.
fn quoted(out: &mut Vec<u8>, text: &str, special: impl Fn(u8) -> bool) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(&special) {
        let (run, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.extend_from_slice(run.as_bytes());
        let mut characters = tail.chars();
        let Some(character) = characters.next() else { break };
        escape(out, character);
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, character: char) {
    match character {
        '"' | '\\' => {
            out.push(b'\\');
            out.push(character as u8);
        }
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{2028}' => out.extend_from_slice(b"\\u2028"),
        '\u{2029}' => out.extend_from_slice(b"\\u2029"),
        '\0'..='\x1f' | '<' | '>' | '&' => {
            let byte = character as u8;
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(write: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn labels_and_texts_are_escaped_as_upstream() {
        let text = "a\"b\\c\nd\te\rf\u{1}g\u{1f}<&>\u{7f}\u{2028}\u{20ac}\u{e9}";
        assert_eq!(
            text_of(plain, text),
            "\"a\\\"b\\\\c\\nd\\te\\rf\\u0001g\\u001f<&>\u{7f}\u{2028}\u{20ac}\u{e9}\""
        );
        assert_eq!(
            text_of(html_safe, text),
            "\"a\\\"b\\\\c\\nd\\te\\rf\\u0001g\\u001f\\u003c\\u0026\\u003e\u{7f}\\u2028\u{20ac}\u{e9}\""
        );
        assert_eq!(text_of(plain, ""), "\"\"");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text: String) {
            for write in [plain, html_safe] {
                let back: String = serde_json::from_str(&text_of(write, &text)).unwrap();
                prop_assert_eq!(&back, &text);
            }
        }
    }
}
