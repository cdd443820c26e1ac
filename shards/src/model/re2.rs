//! From the syntax of RE2 as Go has it, in which Prometheus patterns are written, to that of our
//! regex engine.
//!
//! | RE2                                   | difference in our engine                           |
//! |---------------------------------------|----------------------------------------------------|
//! | `\d \s \w \b \B` and negations        | would be Unicode; ASCII here                       |
//! | `\Q..\E`, `\1`.. as octal, `\C`       | not known; spelled out, or refused as RE2 does     |
//! | `{` that begins no count              | would be an error; a literal here                  |
//! | `[`, `&&`, `--`, `~~` in brackets     | would be set operators; literals here              |
//! | `a**`, counts above 1000, `(?x)`      | would be taken; refused here                       |
//!
//! Errors have the texts of upstream.

use std::fmt::Write;

/// Largest count of a repetition.
const REPEAT_MAX: u32 = 1000;

/// Why a pattern is refused, with the part at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {what}: `{part}`")]
pub(super) struct Re2Error {
    what: &'static str,
    part: String,
}

fn error<T>(what: &'static str, part: impl Into<String>) -> Result<T, Re2Error> {
    Err(Re2Error { what, part: part.into() })
}

/// Names of bracket classes, ASCII in both engines.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// What a repetition applies to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the beginning of a group or an alternative.
    Nothing,
    Atom,
    /// A repetition that began at this byte.
    Repeat(usize),
}

struct Translator<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
    /// Open groups.
    depth: usize,
    before: Before,
    names: Vec<&'a str>,
}

/// The same pattern for our engine; it still has to parse there.
pub(super) fn translate(pattern: &str) -> Result<String, Re2Error> {
    let mut translator = Translator {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        depth: 0,
        before: Before::Nothing,
        names: Vec::new(),
    };
    while let Some(next) = translator.peek() {
        translator.item(next)?;
    }
    if translator.depth > 0 {
        return error("missing closing )", pattern);
    }
    Ok(translator.out)
}

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        self.pattern.get(self.at..).unwrap_or_default()
    }

    fn since(&self, start: usize) -> &'a str {
        self.pattern.get(start..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn literal(&mut self, literal: char) {
        if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
            // Writing to a string cannot fail.
            let _ = write!(self.out, r"\x{{{:x}}}", literal as u32);
        } else {
            self.out.push(literal);
        }
        self.before = Before::Atom;
    }

    fn item(&mut self, next: char) -> Result<(), Re2Error> {
        match next {
            '(' => return self.group(),
            ')' => {
                if self.depth == 0 {
                    return error("unexpected )", self.pattern);
                }
                self.depth -= 1;
                self.out.push(')');
                self.before = Before::Atom;
            }
            '|' => {
                self.out.push('|');
                self.before = Before::Nothing;
            }
            '*' | '+' | '?' => {
                let start = self.at;
                self.at += 1;
                return self.repeat(start);
            }
            '{' => return self.count(),
            '[' => return self.class(),
            '\\' => return self.escape(),
            '.' | '^' | '$' => {
                self.out.push(next);
                self.before = Before::Atom;
            }
            literal => self.literal(literal),
        }
        self.at += next.len_utf8();
        Ok(())
    }

    /// A group, capturing or not, or a change of flags.
    fn group(&mut self) -> Result<(), Re2Error> {
        let start = self.at;
        self.at += 1;
        if !self.eat("?") {
            self.open("(?:");
            return Ok(());
        }
        if self.eat("P<") || self.eat("<") {
            let Some(len) = self.rest().find('>') else {
                return error("invalid named capture", self.pattern.get(start..).unwrap_or_default());
            };
            let name = self.rest().get(..len).unwrap_or_default();
            self.at += len + 1;
            let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !valid {
                return error("invalid named capture", self.since(start));
            }
            if self.names.contains(&name) {
                return error("duplicate capture group name", name);
            }
            self.names.push(name);
            self.open("(?:");
            return Ok(());
        }
        let (mut minus, mut flag_seen) = (false, false);
        loop {
            match self.next() {
                None => return error("missing closing )", self.pattern),
                Some('i' | 'm' | 's' | 'U') => flag_seen = true,
                Some('-') if !minus => {
                    minus = true;
                    flag_seen = false;
                }
                Some(':' | ')') if minus && !flag_seen => break,
                Some(':') => {
                    let flags = self.since(start);
                    self.open(flags);
                    return Ok(());
                }
                Some(')') => {
                    if flag_seen {
                        self.out.push_str(self.since(start));
                    }
                    self.before = Before::Nothing;
                    return Ok(());
                }
                Some(_) => break,
            }
        }
        error("invalid or unsupported Perl syntax", self.since(start))
    }

    fn open(&mut self, text: &str) {
        self.depth += 1;
        self.out.push_str(text);
        self.before = Before::Nothing;
    }

    /// The rest of a repetition whose operator began at `start` and ends here.
    fn repeat(&mut self, start: usize) -> Result<(), Re2Error> {
        let operator = self.since(start);
        let lazy = self.eat("?");
        match self.before {
            Before::Nothing => error("missing argument to repetition operator", self.since(start)),
            Before::Repeat(first) => error("invalid nested repetition operator", self.since(first)),
            Before::Atom => {
                self.out.push_str(operator);
                if lazy {
                    self.out.push('?');
                }
                self.before = Before::Repeat(start);
                Ok(())
            }
        }
    }

    /// `{n}`, `{n,}` or `{n,m}`; any other brace is a literal.
    fn count(&mut self) -> Result<(), Re2Error> {
        let start = self.at;
        let counts = self.rest().get(1..).and_then(|rest| rest.split_once('}')).map(|(counts, _)| counts);
        let Some((min, max, len)) =
            counts.and_then(parse_counts).zip(counts).map(|((min, max), counts)| (min, max, counts.len()))
        else {
            self.at += 1;
            self.literal('{');
            return Ok(());
        };
        self.at += len + 2;
        let above = min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min);
        if above {
            return error("invalid repeat count", self.since(start));
        }
        self.repeat(start)
    }

    /// An escape outside of brackets.
    fn escape(&mut self) -> Result<(), Re2Error> {
        let start = self.at;
        if self.eat(r"\Q") {
            let (quoted, skipped) = match self.rest().split_once(r"\E") {
                Some((quoted, _)) => (quoted, quoted.len() + 2),
                None => (self.rest(), self.rest().len()),
            };
            for literal in quoted.chars() {
                self.literal(literal);
            }
            self.at += skipped;
            return Ok(());
        }
        let second = self.rest().chars().nth(1);
        let assertion = match second {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            _ => "",
        };
        if !assertion.is_empty() {
            self.at += 2;
            self.out.push_str(assertion);
            self.before = Before::Atom;
            return Ok(());
        }
        if let Some(class) = self.perl_class()? {
            self.out.push_str(&class);
            self.before = Before::Atom;
            return Ok(());
        }
        let literal = self.escaped_char(start)?;
        self.literal(literal);
        Ok(())
    }

    /// `\d`, `\pL` and their like, as a bracket expression; nothing if there is none here.
    fn perl_class(&mut self) -> Result<Option<String>, Re2Error> {
        let class = match self.rest().chars().nth(1) {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('s') => r"[\t\n\x0c\r\x20]",
            Some('S') => r"[^\t\n\x0c\r\x20]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            Some('p') => return self.unicode_class(false).map(Some),
            Some('P') => return self.unicode_class(true).map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(class.to_owned()))
    }

    /// `\pN`, `\p{Name}`, `\p{^Name}`, and the same with `\P`.
    fn unicode_class(&mut self, mut negated: bool) -> Result<String, Re2Error> {
        let start = self.at;
        self.at += 2;
        let mut name = match self.next() {
            Some('{') => {
                let Some(len) = self.rest().find('}') else {
                    return error(
                        "invalid character class range",
                        self.pattern.get(start..).unwrap_or_default(),
                    );
                };
                let name = self.rest().get(..len).unwrap_or_default();
                self.at += len + 1;
                name
            }
            Some(letter) => self.since(self.at - letter.len_utf8()),
            None => "",
        };
        if let Some(rest) = name.strip_prefix('^') {
            negated = !negated;
            name = rest;
        }
        if name == "Any" && !negated {
            return Ok(r"[\x00-\x{10ffff}]".to_owned());
        }
        let class = format!(r"[\{}{{{name}}}]", if negated { 'P' } else { 'p' });
        let known = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if known && regex_syntax::Parser::new().parse(&class).is_ok() {
            return Ok(class);
        }
        error("invalid character class range", self.since(start))
    }

    /// One character after a backslash; `start` is where the backslash is.
    fn escaped_char(&mut self, start: usize) -> Result<char, Re2Error> {
        self.at = start + 1;
        let Some(escaped) = self.next() else {
            return error("trailing backslash at end of expression", "");
        };
        let literal = match escaped {
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '0'..='7' => {
                // A single digit but 0 would be a reference back, which RE2 does not have.
                let more = self.peek().is_some_and(|digit| matches!(digit, '0'..='7'));
                if escaped == '0' || more { self.octal(escaped) } else { None }
            }
            'x' => self.hexadecimal(),
            punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => {
                Some(punctuation)
            }
            _ => None,
        };
        match literal {
            Some(literal) => Ok(literal),
            None => error("invalid escape sequence", self.since(start)),
        }
    }

    fn octal(&mut self, first: char) -> Option<char> {
        let mut code = first.to_digit(8)?;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|digit| digit.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        char::from_u32(code)
    }

    /// `\x7f` or `\x{10ffff}`, after the x.
    fn hexadecimal(&mut self) -> Option<char> {
        let digits = if self.eat("{") {
            let len = self.rest().find('}')?;
            let digits = self.rest().get(..len)?;
            self.at += len + 1;
            digits
        } else {
            let digits = self.rest().get(..2)?;
            self.at += 2;
            digits
        };
        let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        if valid { char::from_u32(u32::from_str_radix(digits, 16).ok()?) } else { None }
    }

    /// A bracket expression.
    fn class(&mut self) -> Result<(), Re2Error> {
        let start = self.at;
        self.at += 1;
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        while first || self.peek() != Some(']') {
            first = false;
            if self.rest().is_empty() {
                return error("missing closing ]", self.pattern.get(start..).unwrap_or_default());
            }
            if self.posix_class()? {
                continue;
            }
            if self.rest().starts_with('\\')
                && let Some(class) = self.perl_class()?
            {
                self.out.push_str(&class);
                continue;
            }
            self.range(start)?;
        }
        self.at += 1;
        self.out.push(']');
        self.before = Before::Atom;
        Ok(())
    }

    /// `[:name:]` within brackets; whether there is one here.
    fn posix_class(&mut self) -> Result<bool, Re2Error> {
        let Some((name, _)) = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]")) else {
            return Ok(false);
        };
        let start = self.at;
        self.at += name.len() + 4;
        if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return error("invalid character class range", self.since(start));
        }
        self.out.push_str(self.since(start));
        Ok(true)
    }

    /// A character or a range of them; the brackets began at `class_start`.
    fn range(&mut self, class_start: usize) -> Result<(), Re2Error> {
        let start = self.at;
        let low = self.class_char(class_start)?;
        let mut high = low;
        let rest = self.rest();
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            self.at += 1;
            high = self.class_char(class_start)?;
            if high < low {
                return error("invalid character class range", self.since(start));
            }
        }
        let _ = write!(self.out, r"\x{{{:x}}}-\x{{{:x}}}", low as u32, high as u32);
        Ok(())
    }

    fn class_char(&mut self, class_start: usize) -> Result<char, Re2Error> {
        match self.peek() {
            None => error("missing closing ]", self.pattern.get(class_start..).unwrap_or_default()),
            Some('\\') => self.escaped_char(self.at),
            Some(literal) => {
                self.at += literal.len_utf8();
                Ok(literal)
            }
        }
    }
}

/// Counts between braces: `n`, `n,` or `n,m`, without leading zeros.
fn parse_counts(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |digits: &str| {
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        (valid && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    match text.split_once(',') {
        None => number(text).map(|count| (count, Some(count))),
        Some((min, "")) => number(min).map(|min| (min, None)),
        Some((min, max)) => Some((number(min)?, Some(number(max)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, value: &str) -> bool {
        let translated = translate(pattern).unwrap();
        regex::Regex::new(&format!(r"\A(?s:{translated})\z")).unwrap().is_match(value)
    }

    #[test]
    fn classes_are_ascii() {
        assert!(matches(r"\d+", "0123"));
        assert!(!matches(r"\d", "\u{663}"));
        assert!(matches(r"\D", "\u{663}"));
        assert!(matches(r"\w[\w-]+", "a-b_9"));
        assert!(!matches(r"\w", "\u{e9}"));
        assert!(matches(r"[^\w]", "\u{e9}"));
        assert!(!matches(r"\s", "\x0b"));
        assert!(matches(r"a\b.b\B", "a b").eq(&false));
        assert!(matches(r"a\b b\b", "a b"));
        assert!(matches(r"\b\x{e9}", "\u{e9}").eq(&false));
        assert!(matches(r"\pL\p{Greek}\P{Lu}\p{^Lu}", "a\u{3b1}bb"));
        assert!(matches(r"\p{Any}", "\n"));
    }

    #[test]
    fn what_our_engine_lacks_is_spelled_out() {
        assert!(matches(r"\Qa.b*\E+", "a.b**"));
        assert!(matches(r"\Qa.b", "a.b"));
        assert!(matches(r"\101\x41\x{41}\0", "AAA\0"));
        assert!(matches("{a}", "{a}"));
        assert!(matches("a{,3}", "a{,3}"));
        assert!(matches("a{01}", "a{01}"));
        assert!(matches("a{2}b{1,}c{1,2}?", "aabcc"));
        assert!(matches("x}]", "x}]"));
        assert!(matches(r"\_\-\/\#", "_-/#"));
        assert!(matches("(?P<a>x)(?<b>y)", "xy"));
        assert!(matches("(?i:X)y(?s-i).()", "xy\n"));
    }

    #[test]
    fn brackets_know_no_set_operators() {
        assert!(matches("[a[b]+", "a[b"));
        assert!(matches("[a&&b]+", "a&b"));
        assert!(matches("[]a]+", "]a"));
        assert!(matches("[^]a]", "b"));
        assert!(matches("[a~~b-]+", "a~b-"));
        assert!(matches("[[:alpha:][:^digit:]]+", "a-"));
        assert!(matches(r"[\]\\^\x41-C]+", r"]\^B"));
    }

    #[test]
    fn errors_read_as_upstream() {
        let refused = |pattern: &str| translate(pattern).unwrap_err().to_string();
        assert_eq!(refused("("), "error parsing regexp: missing closing ): `(`");
        assert_eq!(refused("a)"), "error parsing regexp: unexpected ): `a)`");
        assert_eq!(refused("x[a"), "error parsing regexp: missing closing ]: `[a`");
        assert_eq!(refused("[]"), "error parsing regexp: missing closing ]: `[]`");
        assert_eq!(refused("[z-a]"), "error parsing regexp: invalid character class range: `z-a`");
        assert_eq!(refused("*a"), "error parsing regexp: missing argument to repetition operator: `*`");
        assert_eq!(refused("a|+?"), "error parsing regexp: missing argument to repetition operator: `+?`");
        assert_eq!(refused("a**"), "error parsing regexp: invalid nested repetition operator: `**`");
        assert_eq!(refused("a{2}*"), "error parsing regexp: invalid nested repetition operator: `{2}*`");
        assert_eq!(refused("a{1001}"), "error parsing regexp: invalid repeat count: `{1001}`");
        assert_eq!(refused("a{3,2}"), "error parsing regexp: invalid repeat count: `{3,2}`");
        assert_eq!(refused("a\\"), "error parsing regexp: trailing backslash at end of expression: ``");
        assert_eq!(refused(r"\y"), r"error parsing regexp: invalid escape sequence: `\y`");
        assert_eq!(refused(r"\C"), r"error parsing regexp: invalid escape sequence: `\C`");
        assert_eq!(refused(r"\1"), r"error parsing regexp: invalid escape sequence: `\1`");
        assert_eq!(refused(r"[a-\d]"), r"error parsing regexp: invalid escape sequence: `\d`");
        assert_eq!(refused("(?=a)"), "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
        assert_eq!(refused("(?x)a"), "error parsing regexp: invalid or unsupported Perl syntax: `(?x`");
        assert_eq!(refused("(?i-)a"), "error parsing regexp: invalid or unsupported Perl syntax: `(?i-)`");
        assert_eq!(refused(r"\p{Foo}"), r"error parsing regexp: invalid character class range: `\p{Foo}`");
        assert_eq!(refused("[[:foo:]]"), "error parsing regexp: invalid character class range: `[:foo:]`");
    }

    proptest! {
        #[test]
        fn what_is_translated_is_understood(pattern in r"([a-c.^$|*+?(){}0-9,\[\]\\&~:-]|\\[a-zA-Z0-7]|\(\?|\[:){0,12}") {
            if let Ok(translated) = translate(&pattern) {
                let parsed = regex_syntax::Parser::new().parse(&translated);
                prop_assert!(parsed.is_ok(), "{:?} became {:?}: {:?}", pattern, translated, parsed);
            }
        }

        #[test]
        fn any_text_is_matched_by_its_quotation(text in "[^\\\\]{0,20}") {
            let quoted = [r"\Q", &text, r"\E"].concat();
            prop_assert!(matches(&quoted, &text));
        }
    }
}
