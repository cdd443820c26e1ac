//! The values of number, duration and string literals.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use super::quote::quoted;

/// Longest duration, as upstream counts them: nanoseconds in 64 bits.
const DURATION_NS_MAX: u64 = i64::MAX as u64;

/// Units from large to small with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Value of a number token; the error is the message.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let fault =
        |what: &str| format!("error parsing number: strconv.ParseFloat: parsing {}: {what}", quoted(text));
    let invalid = || fault("invalid syntax");
    if text.ends_with('_') {
        return Err(invalid());
    }
    let digits = text.replace('_', "");
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).map(|value| value as f64).map_err(|_| invalid());
    }
    if digits.len() > 1
        && digits.starts_with('0')
        && let Ok(octal) = i64::from_str_radix(&digits, 8)
    {
        return Ok(octal as f64);
    }
    let value: f64 = digits.parse().map_err(|_| invalid())?;
    if value.is_infinite() && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(fault("value out of range"));
    }
    Ok(value)
}

/// Nanoseconds of a duration such as `1h30m`; the error is the message.
fn duration_ns(text: &str) -> Result<u64, String> {
    let invalid = || format!("not a valid duration string: {}", quoted(text));
    let out_of_range = || "duration out of range".to_owned();
    let mut total: u64 = 0;
    let mut units = UNITS.as_slice();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, tail) = rest.split_at(digits);
        let count: u64 = count.parse().map_err(|_| invalid())?;
        let unit_len = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        if unit.is_empty() {
            return Err(invalid());
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("unknown unit {} in duration {}", quoted(unit), quoted(text)));
        }
        // Units go from large to small, each at most once.
        let at = units.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let (used, smaller) = units.split_at(at + 1);
        let length = used.last().map_or(0, |(_, length)| *length);
        let part = count.checked_mul(length).ok_or_else(out_of_range)?;
        total = total.checked_add(part).filter(|total| *total <= DURATION_NS_MAX).ok_or_else(out_of_range)?;
        units = smaller;
        rest = tail;
    }
    Ok(total)
}

/// Seconds of a duration such as `1h30m`; the error is the message.
pub(super) fn duration_seconds(text: &str) -> Result<f64, String> {
    let ns = duration_ns(text)?;
    Ok((ns / 1_000_000_000) as f64 + (ns % 1_000_000_000) as f64 / 1e9)
}

/// Whether so many seconds fit a duration.
pub(super) fn fits_duration(seconds: f64) -> bool {
    seconds.abs() <= 9_223_372_036.854_775
}

/// Whole milliseconds of a literal: cut, but not where only the binary fraction falls short.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and the parser checks the range before")]
pub(super) fn literal_ms(seconds: f64) -> i64 {
    let ms = seconds * 1e3;
    let nearest = ms.round();
    if (ms - nearest).abs() < 2e-3 { nearest as i64 } else { ms as i64 }
}

/// Whole milliseconds of a computed duration: cut.
#[expect(clippy::cast_possible_truncation, reason = "saturates, and the parser checks the range before")]
pub(super) fn computed_ms(seconds: f64) -> i64 {
    (seconds * 1e3) as i64
}

/// Value of a string token with its quotes, whose escapes the lexer has checked. `None`: its bytes
/// are not UTF-8.
pub(super) fn string(token: &str) -> Option<String> {
    let mut chars = token.chars();
    let quote = chars.next()?;
    chars.next_back();
    let inner = chars.as_str();
    if quote == '`' || !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            put_escape(&mut bytes, &mut chars)?;
        } else {
            put_char(&mut bytes, c);
        }
    }
    String::from_utf8(bytes).ok()
}

fn put_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn put_escape(bytes: &mut Vec<u8>, chars: &mut std::str::Chars<'_>) -> Option<()> {
    match chars.next()? {
        'a' => bytes.push(0x07),
        'b' => bytes.push(0x08),
        'f' => bytes.push(0x0c),
        'n' => bytes.push(b'\n'),
        'r' => bytes.push(b'\r'),
        't' => bytes.push(b'\t'),
        'v' => bytes.push(0x0b),
        // These two give one byte, which need not be a character by itself.
        'x' => bytes.push(u8::try_from(code(chars, 2, 16, 0)?).ok()?),
        c @ '0'..='7' => bytes.push(u8::try_from(code(chars, 2, 8, c.to_digit(8)?)?).ok()?),
        'u' => put_char(bytes, char::from_u32(code(chars, 4, 16, 0)?)?),
        'U' => put_char(bytes, char::from_u32(code(chars, 8, 16, 0)?)?),
        c => put_char(bytes, c),
    }
    Some(())
}

fn code(chars: &mut std::str::Chars<'_>, digits: usize, radix: u32, first: u32) -> Option<u32> {
    let mut code = first;
    for _ in 0..digits {
        code = code.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(code)
}

/// A duration with units, as upstream writes it: `1h30m`. Years and weeks only where nothing is
/// left over.
#[must_use]
pub fn duration_text(ms: i64) -> String {
    const EXACT: [(&str, u64); 2] = [("y", 365 * 86_400_000), ("w", 7 * 86_400_000)];
    const OTHERS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    if ms < 0 {
        out.push('-');
    }
    let mut rest = ms.unsigned_abs();
    let exact = EXACT.iter().find(|(_, length)| rest.is_multiple_of(*length));
    for (unit, length) in exact.into_iter().chain(&OTHERS) {
        let count = rest / length;
        if count > 0 {
            out.push_str(&count.to_string());
            out.push_str(unit);
            rest %= length;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_of_all_notations() {
        for (text, value) in [
            ("0", 0.0),
            ("1_000", 1000.0),
            ("1_000.5", 1000.5),
            ("1_0e1_0", 1e11),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e-3", 0.001),
            ("0x1F", 31.0),
            ("0x1_f", 31.0),
            ("0xae", 174.0),
            ("010", 8.0),
            ("0_17", 15.0),
            ("08", 8.0),
            ("Inf", f64::INFINITY),
            ("iNF", f64::INFINITY),
            ("9223372036854775807", 9_223_372_036_854_775_807.0),
            ("123456789012345678901", 123_456_789_012_345_678_901.0),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        assert!(number("NaN").unwrap().is_nan());
        assert_eq!(
            number("1e400").unwrap_err(),
            "error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range"
        );
        assert_eq!(
            number("0x").unwrap_err(),
            "error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax"
        );
    }

    #[test]
    fn durations_sum_their_units() {
        for (text, seconds) in [
            ("5m", 300.0),
            ("1h30m", 5_400.0),
            ("1y1w1d1h1m1s1ms", 32_230_861.001),
            ("0s", 0.0),
            ("100y", 3_153_600_000.0),
        ] {
            assert_eq!(duration_seconds(text), Ok(seconds), "{text}");
        }
        for (text, message) in [
            ("1m1h", "not a valid duration string: \"1m1h\""),
            ("1m1m", "not a valid duration string: \"1m1m\""),
            ("1hs", "unknown unit \"hs\" in duration \"1hs\""),
            ("1.5h", "unknown unit \".\" in duration \"1.5h\""),
            ("300y", "duration out of range"),
            ("99999999999999999999s", "not a valid duration string: \"99999999999999999999s\""),
        ] {
            assert_eq!(duration_seconds(text).unwrap_err(), message);
        }
    }

    #[test]
    fn strings_lose_quotes_and_escapes() {
        for (token, value) in [
            (r#""a b""#, Some("a b")),
            (r"'a\'b'", Some("a'b")),
            (r"`a\n`", Some(r"a\n")),
            (r#""\a\b\f\n\r\t\v\\\"""#, Some("\u{7}\u{8}\u{c}\n\r\t\u{b}\\\"")),
            (r#""\x41\102\u00e9\U0001f600""#, Some("AB\u{e9}\u{1f600}")),
            (r#""\xc3\xa9""#, Some("\u{e9}")),
            (r#""\xff""#, None),
            ("\"\"", Some("")),
        ] {
            assert_eq!(string(token).as_deref(), value, "{token}");
        }
    }

    #[test]
    fn durations_print_with_few_units() {
        for (ms, text) in [
            (0, "0s"),
            (1, "1ms"),
            (300_000, "5m"),
            (5_400_000, "1h30m"),
            (14 * 86_400_000, "2w"),
            (15 * 86_400_000, "15d"),
            (365 * 86_400_000, "1y"),
            (-1_500, "-1s500ms"),
        ] {
            assert_eq!(duration_text(ms), text);
        }
    }

    proptest! {
        #[test]
        fn printed_durations_read_back(ms in 0..=9_223_372_036_854_i64) {
            let seconds = duration_seconds(&duration_text(ms)).unwrap();
            prop_assert_eq!(literal_ms(seconds), ms);
        }
    }
}
