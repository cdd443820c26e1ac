//! Parameters of a request: from the URL and, of a POST, from a form in its body.

use std::rc::Rc;
use std::time::Duration;

use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{Method, Request};
use shards::model::Matcher;

use super::conn::{BodyBudget, RequestBody};
use super::error::ApiError;
use crate::limits::{FORM_BYTES_MAX, PARAMETERS_MAX};
use crate::units::parse_duration;

/// The first and the last time the API knows, and the texts that mean them.
pub const TIME_MIN_MS: i64 = -9_223_309_901_257_974_000;
pub const TIME_MAX_MS: i64 = 9_223_309_901_257_974_999;
const TIME_MIN_TEXT: &str = "-292273086-05-16T16:47:06Z";
const TIME_MAX_TEXT: &str = "+292277025-08-18T07:12:54.999999999Z";

/// The decoded parameters; those of the body come first and so win.
#[derive(Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the body if it is a form, and both sources.
    pub async fn read(request: Request<RequestBody>, budget: Rc<BodyBudget>) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let mut parameters = Self::default();
        if has_form(&head) {
            let (bytes, _share) = body.read(FORM_BYTES_MAX, budget).await?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| ApiError::bad_data("error parsing form values: the form is not UTF-8"))?;
            parameters.add(text)?;
        }
        parameters.add(head.uri.query().unwrap_or_default())?;
        Ok(parameters)
    }

    /// Adds the pairs of a query string or form.
    pub fn add(&mut self, text: &str) -> Result<(), ApiError> {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if self.pairs.len() == PARAMETERS_MAX {
                return Err(ApiError::bad_data(format!("more than {PARAMETERS_MAX} parameters")));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.pairs.push((unescape(name)?, unescape(value)?));
        }
        Ok(())
    }

    /// The first value of that name; empty if there is none, as upstream treats both alike.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of that name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A time in milliseconds that must be given.
    pub fn time_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_time_ms(self.get(name)).ok_or_else(|| {
            ApiError::parameter(name, format_args!("cannot parse {:?} to a valid timestamp", self.get(name)))
        })
    }

    /// A time in milliseconds with a default.
    pub fn time_ms_or(&self, name: &str, default_ms: i64) -> Result<i64, ApiError> {
        if self.get(name).is_empty() { Ok(default_ms) } else { self.time_ms(name) }
    }

    /// A duration in milliseconds that must be given. May be negative.
    pub fn duration_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_duration_ms(self.get(name)).map_err(|reason| ApiError::parameter(name, reason))
    }

    /// A positive duration, if given.
    pub fn positive_duration(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        if self.get(name).is_empty() {
            return Ok(None);
        }
        match u64::try_from(self.duration_ms(name)?) {
            Ok(ms) if ms > 0 => Ok(Some(Duration::from_millis(ms))),
            _ => Err(ApiError::parameter(name, "must be longer than 0")),
        }
    }

    /// A number of items, if given and not 0, which means "all".
    pub fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>().map(usize::try_from) {
            Ok(Ok(0)) => Ok(None),
            Ok(Ok(limit)) => Ok(Some(limit)),
            Ok(Err(_)) => Err(ApiError::parameter("limit", "limit must be non-negative")),
            Err(_) => {
                Err(ApiError::parameter("limit", format_args!("cannot parse {text:?} to a valid integer")))
            }
        }
    }

    /// The selectors of `match[]`, each a list of matchers.
    pub fn selectors(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        self.all("match[]")
            .map(|text| parse_selector(text).map_err(|reason| ApiError::parameter("match[]", reason)))
            .collect()
    }
}

fn parse_selector(_text: &str) -> Result<Vec<Matcher>, String> {
    Err("selectors are not read yet".to_owned())
}

/// Whether the body is to be read as a form.
fn has_form(head: &Parts) -> bool {
    head.method == Method::POST
        && head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let media = value.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

/// Decodes `%41` and `+`.
fn unescape(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (Some(byte), Some(tail)) = (hex_byte(tail), tail.get(2..)) else {
                    let end = tail.len().min(2);
                    let escape = String::from_utf8_lossy(tail.get(..end).unwrap_or_default()).into_owned();
                    return Err(ApiError::bad_data(format!(
                        "error parsing form values: invalid URL escape \"%{}\"",
                        escape.escape_debug()
                    )));
                };
                bytes.push(byte);
                rest = tail;
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| ApiError::bad_data("error parsing form values: a parameter is not UTF-8"))
}

/// Decodes a segment of a path, in which a plus is a plus.
pub fn unescape_path(text: &str) -> Result<String, ApiError> {
    unescape(&text.replace('+', "%2B"))
}

fn hex_byte(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Reads Unix seconds with an optional fraction, RFC 3339, or one of the two outermost times.
#[must_use]
pub fn parse_time_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds.trunc() * 1000.0 + (seconds.fract() * 1000.0).round();
        return whole_ms(ms);
    }
    match text {
        TIME_MIN_TEXT => Some(TIME_MIN_MS),
        TIME_MAX_TEXT => Some(TIME_MAX_MS),
        _ => parse_rfc3339_ms(text),
    }
}

fn whole_ms(ms: f64) -> Option<i64> {
    let inside = ms >= TIME_MIN_MS as f64 && ms <= TIME_MAX_MS as f64;
    #[expect(clippy::cast_possible_truncation, reason = "inside the range of i64")]
    inside.then_some(ms as i64)
}

/// Reads seconds with an optional fraction or a Prometheus duration.
fn parse_duration_ms(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Nanoseconds must fit, as upstream.
        let fits = (seconds * 1e9).abs() < i64::MAX as f64;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be far inside")]
        return if fits {
            Ok((seconds * 1000.0) as i64)
        } else {
            Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"))
        };
    }
    parse_duration(text)
        .and_then(|duration| i64::try_from(duration.as_millis()).ok())
        .ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

/// Reads `2006-01-02T15:04:05.999Z` or with an offset like `+02:00` at its end.
fn parse_rfc3339_ms(text: &str) -> Option<i64> {
    let mut rest = text;
    let year = take_number(&mut rest, 4)?;
    let month = take_number(take_char(&mut rest, '-')?, 2)?;
    let day = take_number(take_char(&mut rest, '-')?, 2)?;
    let hour = take_number(take_char(&mut rest, 'T')?, 2)?;
    let minute = take_number(take_char(&mut rest, ':')?, 2)?;
    let second = take_number(take_char(&mut rest, ':')?, 2)?;
    let mut fraction_ms = 0;
    if let Some(tail) = rest.strip_prefix(['.', ',']) {
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, tail) = tail.split_at_checked(digits)?;
        if fraction.is_empty() {
            return None;
        }
        fraction_ms = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        rest = tail;
    }
    let offset_minutes = match rest.strip_prefix('Z') {
        Some(tail) => {
            rest = tail;
            0
        }
        None => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            rest = rest.strip_prefix(['+', '-'])?;
            let hours = take_number(&mut rest, 2)?;
            let minutes = take_number(take_char(&mut rest, ':')?, 2)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes)
        }
    };
    let valid = rest.is_empty()
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    valid.then_some((minutes * 60 + second) * 1000 + fraction_ms)
}

fn take_char<'a, 'b>(rest: &'a mut &'b str, expected: char) -> Option<&'a mut &'b str> {
    *rest = rest.strip_prefix(expected)?;
    Some(rest)
}

fn take_number(rest: &mut &str, digits: usize) -> Option<i64> {
    let (number, tail) = rest.split_at_checked(digits)?;
    *rest = tail;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap
/// day is the last of a year.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The name behind its escaped form `U__..`; other names, and broken escapes, are as they are.
#[must_use]
pub fn unescape_label_name(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescape_values).unwrap_or_else(|| name.to_owned())
}

/// `__` is an underscore, `_1f600_` a character by its number.
fn unescape_values(escaped: &str) -> Option<String> {
    const HEX_DIGITS_MAX: usize = 6;
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, tail)) = rest.split_once('_') {
        name.push_str(plain);
        let (number, tail) = tail.split_once('_')?;
        if number.is_empty() {
            name.push('_');
        } else {
            let valid = number.len() <= HEX_DIGITS_MAX && number.bytes().all(|byte| byte.is_ascii_hexdigit());
            let code = u32::from_str_radix(number, 16).ok().filter(|_| valid)?;
            name.push(char::from_u32(code)?);
        }
        rest = tail;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Parameters {
        let mut parameters = Parameters::default();
        parameters.add(text).unwrap();
        parameters
    }

    #[test]
    fn times_are_seconds_or_rfc3339() {
        for (text, ms) in [
            ("0", 0),
            ("123.123", 123_123),
            ("1543578564.705", 1_543_578_564_705),
            ("1.57", 1_570),
            ("1.0005", 1_001),
            ("-1.5", -1_500),
            ("1e3", 1_000_000),
            ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
            ("2015-06-03T14:21:58.555+01:00", 1_433_337_718_555),
            ("2015-06-03T13:21:58Z", 1_433_337_718_000),
            ("2015-06-03T13:21:58.5559999-00:30", 1_433_339_518_555),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            (TIME_MIN_TEXT, TIME_MIN_MS),
            (TIME_MAX_TEXT, TIME_MAX_MS),
        ] {
            assert_eq!(parse_time_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "foo",
            "30s",
            "NaN",
            "inf",
            "1e300",
            "2015-06-03",
            "2015-02-29T00:00:00Z",
            "2015-13-01T00:00:00Z",
            "2015-06-03T24:00:00Z",
            "2015-06-03T13:21:58",
            "2015-06-03T13:21:58.Z",
            "2015-06-03T13:21:58Zx",
            "2015-06-03 13:21:58Z",
            "+015-06-03T13:21:58Z",
            "2015-06-03T13:21:58+25:00",
        ] {
            assert_eq!(parse_time_ms(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_with_units() {
        for (text, ms) in
            [("123", 123_000), ("123.333", 123_333), ("15s", 15_000), ("5m", 300_000), ("-1", -1_000)]
        {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "foo", "2015-06-03T13:21:58.555Z", "1m1h"] {
            assert_eq!(parse_duration_ms(text), Err(format!("cannot parse {text:?} to a valid duration")));
        }
        for text in ["148966367200.372", "1e1234", "inf", "nan"] {
            assert!(parse_duration_ms(text).unwrap_err().contains("overflows int64"), "{text}");
        }
    }

    #[test]
    fn forms_are_decoded_and_faults_named() {
        let found = parameters("query=a%2Bb+c%20d&match[]=x&match%5B%5D=%C3%A9&empty&&x=1=2");
        assert_eq!(found.get("query"), "a+b c d");
        assert_eq!(found.all("match[]").collect::<Vec<_>>(), ["x", "\u{e9}"]);
        assert_eq!((found.get("empty"), found.get("none"), found.get("x")), ("", "", "1=2"));
        for text in ["a=%", "a=%4", "a=%zz", "%ff=1"] {
            let error = Parameters::default().add(text).unwrap_err();
            assert!(error.message.starts_with("error parsing form values: "), "{error}");
        }
    }

    #[test]
    fn parameters_are_refused_in_the_words_of_upstream() {
        let found = parameters("time=x&step=y&limit=-1&timeout=0&zero=0");
        let texts = [
            found.time_ms("time").unwrap_err().message,
            found.duration_ms("step").unwrap_err().message,
            found.limit().unwrap_err().message,
            found.positive_duration("timeout").unwrap_err().message,
        ];
        assert_eq!(
            texts,
            [
                "invalid parameter \"time\": cannot parse \"x\" to a valid timestamp",
                "invalid parameter \"step\": cannot parse \"y\" to a valid duration",
                "invalid parameter \"limit\": limit must be non-negative",
                "invalid parameter \"timeout\": must be longer than 0",
            ]
        );
        assert_eq!(found.time_ms_or("none", 7), Ok(7));
        assert_eq!(parameters("limit=0").limit(), Ok(None));
        assert_eq!(parameters("limit=12").limit(), Ok(Some(12)));
        assert!(parameters("limit=1.5").limit().is_err());
    }

    #[test]
    fn escaped_label_names_are_unescaped() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U___under", "U___under"),
            ("U__a__b", "a_b"),
            ("U___1f600_", "\u{1f600}"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_2e", "U__a_2e"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_1234567_", "U__a_1234567_"),
        ] {
            assert_eq!(unescape_label_name(escaped), name, "{escaped}");
        }
    }
}
