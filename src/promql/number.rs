//! Floats and times as text, the way Go's formatting shows them.

use super::functions::time::civil_date;

/// Go's `%g` and `%v`: shortest digits that read back; an exponent when it is below -4 or at
/// least 6.
#[must_use]
pub fn general(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let (digits, exponent) = shortest(value);
    if (-4..6).contains(&exponent) { plain(value) } else { format!("{digits}e{}", signed_exponent(exponent)) }
}

/// Go's `strconv` format `f` with the fewest digits: never an exponent.
#[must_use]
pub fn plain(value: f64) -> String {
    special(value).map_or_else(|| format!("{value}"), str::to_owned)
}

/// Go's `%.2g`.
#[must_use]
pub fn two_digits(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let text = format!("{value:.1e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..2).contains(&exponent) {
        // Two significant digits, without zeros at the end.
        let decimals = usize::try_from(1 - exponent).unwrap_or(0);
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        format!("{mantissa}e{}", signed_exponent(exponent))
    }
}

/// RFC 3339 in UTC, whole seconds.
#[must_use]
pub fn date_time(time_ms: i64) -> String {
    // Division towards zero, like the upstream rendering.
    let seconds = time_ms / 1_000;
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// Go's `%q`: a double-quoted string with escapes for what cannot be printed.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\x0b' => quoted.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// Mantissa text and exponent of the shortest form.
fn shortest(value: f64) -> (String, i32) {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_owned(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

/// At least two digits and always a sign.
fn signed_exponent(exponent: i32) -> String {
    format!("{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_like_those_of_go() {
        assert_eq!(general(0.1), "0.1");
        assert_eq!(general(1e21), "1e+21");
        assert_eq!(general(123_456_789.0), "1.23456789e+08");
        assert_eq!(general(1e-5), "1e-05");
        assert_eq!(general(f64::INFINITY), "+Inf");
        assert_eq!(general(-2.5), "-2.5");
        assert_eq!(plain(1e21), "1000000000000000000000");
        assert_eq!(plain(f64::NAN), "NaN");
        assert_eq!(two_digits(0.001_234), "0.0012");
        assert_eq!(two_digits(123.4), "1.2e+02");
        assert_eq!(two_digits(1.0), "1");
        assert_eq!(two_digits(12.0), "12");
        assert_eq!(date_time(1_709_251_199_999), "2024-02-29T23:59:59Z");
    }
}
