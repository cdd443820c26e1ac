//! Numbers as Prometheus writes them into JSON.
//!
//! A sample value is the shortest text that reads back as the same float, in plain notation from
//! 1e-6 up to 1e21 and with an exponent of at least two digits outside.

/// Integers up to here are exact in a float.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Below, hundredths have at most 15 digits.
const HUNDREDTHS_MAX: f64 = 1e13;

pub(super) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Value of a sample, without the quotes around it.
#[inline]
pub(super) fn float(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size < EXACT_INTEGER_MAX && value.trunc() == value && value.to_bits() != (-0.0_f64).to_bits() {
        // Most samples are counters.
        #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^53")]
        integer(out, value as i64);
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) && value.is_finite() {
        with_digits(value, |digits| exponent_form(out, digits));
    } else if !hundredths(out, value) {
        plain(out, value);
    }
}

/// Writes a value that is nearest to a whole number of hundredths, as seconds of CPU are, if it is
/// one. With so few digits no other number with as few or fewer reads back as the same float.
#[inline]
fn hundredths(out: &mut Vec<u8>, value: f64) -> bool {
    if value.is_nan() || value.abs() >= HUNDREDTHS_MAX {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 2^53")]
    let count = (value * 100.0).round() as i64;
    #[expect(clippy::float_cmp, reason = "it is the same float or not")]
    if count == 0 || count as f64 / 100.0 != value {
        return false;
    }
    if count < 0 {
        out.push(b'-');
    }
    let size = count.unsigned_abs();
    integer(out, size / 100);
    let (tens, ones) = ((size / 10 % 10) as u8, (size % 10) as u8);
    if ones != 0 {
        out.extend_from_slice(&[b'.', b'0' + tens, b'0' + ones]);
    } else if tens != 0 {
        out.extend_from_slice(&[b'.', b'0' + tens]);
    }
    true
}

/// A float without exponent, however large or small: what a scalar result looks like.
pub(super) fn plain(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        if text.bytes().all(|byte| byte != b'e') {
            out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
        } else {
            with_digits(value, |digits| plain_form(out, digits));
        }
    }
}

/// Milliseconds as seconds; a fraction has three digits.
#[inline]
pub(super) fn seconds(out: &mut Vec<u8>, time_ms: i64) {
    if time_ms < 0 {
        out.push(b'-');
    }
    let size = time_ms.unsigned_abs();
    integer(out, size / 1000);
    let fraction = size % 1000;
    if fraction != 0 {
        let digit = |unit: u64| b'0' + (fraction / unit % 10) as u8;
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}

/// The shortest digits of a finite float: its value is `0.<digits> * 10^point`.
struct Digits<'a> {
    negative: bool,
    digits: &'a [u8],
    point: i32,
}

fn with_digits(value: f64, then: impl FnOnce(&Digits<'_>)) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut all = [0_u8; 40];
    let mut count = 0;
    for (slot, byte) in all.iter_mut().zip(whole.bytes().chain(fraction.bytes())) {
        *slot = byte;
        count += 1;
    }
    let digits = all.get(..count).unwrap_or_default();
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    let point = i32::try_from(whole.len()).unwrap_or(0) - i32::try_from(zeros).unwrap_or(0)
        + exponent.parse::<i32>().unwrap_or(0);
    then(&Digits {
        negative: value.is_sign_negative(),
        digits: digits.get(..end).unwrap_or_default(),
        point,
    });
}

fn exponent_form(out: &mut Vec<u8>, number: &Digits<'_>) {
    if number.negative {
        out.push(b'-');
    }
    let (first, rest) = number.digits.split_at_checked(1).unwrap_or((b"0", b""));
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    let exponent = number.point - 1;
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() < 10 {
        out.push(b'0');
    }
    integer(out, exponent.unsigned_abs());
}

fn plain_form(out: &mut Vec<u8>, number: &Digits<'_>) {
    if number.negative {
        out.push(b'-');
    }
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    let Ok(point) = usize::try_from(number.point) else {
        out.extend_from_slice(b"0.");
        zeros(out, number.point.unsigned_abs() as usize);
        out.extend_from_slice(number.digits);
        return;
    };
    let (whole, fraction) = number.digits.split_at_checked(point).unwrap_or((number.digits, b""));
    if whole.is_empty() {
        out.push(b'0');
    }
    out.extend_from_slice(whole);
    zeros(out, point.saturating_sub(whole.len()));
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_read_as_upstream_writes_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.0, "-1"),
            (0.1, "0.1"),
            (1.5, "1.5"),
            (100.0, "100"),
            (123_456_789.123, "123456789.123"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1.234_567_890_123_456_7e18, "1234567890123456800"),
            (1e20, "100000000000000000000"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (-1.5e21, "-1.5e+21"),
            (1e100, "1e+100"),
            (f64::MAX, "1.7976931348623157e+308"),
            (1e-6, "0.000001"),
            (1.5e-6, "0.0000015"),
            (9.99e-7, "9.99e-07"),
            (1e-7, "1e-07"),
            (-1e-10, "-1e-10"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text_of(|out| float(out, value)), expected);
        }
    }

    #[test]
    fn scalars_have_no_exponent() {
        for (value, expected) in [
            (1e21, "1000000000000000000000"),
            (1.25e22, "12500000000000000000000"),
            (1e-7, "0.0000001"),
            (-1.25e-9, "-0.00000000125"),
            (3.0, "3"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text_of(|out| plain(out, value)), expected);
        }
    }

    #[test]
    fn times_have_no_or_three_decimals() {
        for (time_ms, expected) in [
            (0, "0"),
            (1, "0.001"),
            (10, "0.010"),
            (100, "0.100"),
            (-1, "-0.001"),
            (-1500, "-1.500"),
            (1_435_781_451_781, "1435781451.781"),
            (1_435_781_451_000, "1435781451"),
            (i64::MIN, "-9223372036854775.808"),
            (i64::MAX, "9223372036854775.807"),
        ] {
            assert_eq!(text_of(|out| seconds(out, time_ms)), expected);
        }
    }

    proptest! {
        #[test]
        fn hundredths_have_the_shortest_digits(
            count in 1_i64..2_000_000_000_000_000, negative: bool, ulps in -2_i64..3,
        ) {
            let near = f64::from_bits((count as f64 / 100.0).to_bits().wrapping_add_signed(ulps));
            let value = if negative { -near } else { near };
            prop_assert_eq!(text_of(|out| float(out, value)), text_of(|out| plain(out, value)));
        }

        #[test]
        fn floats_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            for text in [text_of(|out| float(out, value)), text_of(|out| plain(out, value))] {
                let back: f64 = text.parse().unwrap();
                prop_assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()), "{}", text);
            }
            prop_assert!(!text_of(|out| plain(out, value)).contains('e'));
        }

        #[test]
        fn ordinary_floats_read_back(whole in -1_000_000_i64..1_000_000, digits in 0_u32..12) {
            let value = whole as f64 / 10_f64.powi(digits as i32);
            let back: f64 = text_of(|out| float(out, value)).parse().unwrap();
            prop_assert_eq!(back.to_bits(), value.to_bits());
        }
    }
}
