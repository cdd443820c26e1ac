//! Durations and sizes as people write them: `15s`, `1h30m`, `30d`; `512KiB`, `16MiB`.

use std::time::Duration;

/// Units of durations in falling order, with their milliseconds.
const DURATION_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a duration in the form of Prometheus: numbers with units from `y` to `ms`, larger units
/// first, each at most once; or `0`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total_ms = 0_u64;
    let mut units = DURATION_UNITS.iter();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = split_number(rest)?;
        let unit_len = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(unit_len)?;
        let (_, unit_ms) = units.find(|(name, _)| *name == unit)?;
        total_ms = total_ms.checked_add(number.checked_mul(*unit_ms)?)?;
        rest = tail;
    }
    // What does not fit a signed count of nanoseconds is an overflow upstream, too.
    (total_ms <= i64::MAX.unsigned_abs() / 1_000_000).then(|| Duration::from_millis(total_ms))
}

/// Writes a duration so that it reads back, to the millisecond.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let mut left_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if left_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in DURATION_UNITS {
        // Nobody counts a retention in weeks and days, or years.
        if matches!(unit, "y" | "w") {
            continue;
        }
        let count = left_ms / unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            left_ms %= unit_ms;
        }
    }
    text
}

/// Reads a count of bytes: a number with a unit, or plain bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    if unit.is_empty() {
        return Some(number);
    }
    let (_, unit_bytes) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*unit_bytes)
}

/// Writes a count of bytes in the largest binary unit that divides it.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    let unit = SIZE_UNITS.iter().take(5).rev().find(|(_, unit_bytes)| bytes % unit_bytes == 0);
    match unit {
        Some((unit, unit_bytes)) if bytes > 0 => format!("{}{unit}", bytes / unit_bytes),
        _ => format!("{bytes}B"),
    }
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_read_as_in_promql() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("15s", 15_000),
            ("1h30m", 5_400_000),
            ("30d", 2_592_000_000),
            ("1y2w3d4h5m6s7ms", 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007),
            ("007ms", 7),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "1",
            "s",
            "1s1m",
            "1m1m",
            "1.5h",
            "-1s",
            "1 s",
            "1S",
            "1h30",
            "300y",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("16MiB", 16 << 20), ("1GB", 1_000_000_000), ("2KiB", 2048)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "-1", "16mib", "16 MiB", "99999999TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(size_text(128 << 20), "128MiB");
        assert_eq!(size_text(1500), "1500B");
    }

    proptest! {
        #[test]
        fn texts_read_back(ms in 0_u64..9_000_000_000_000, bytes: u64) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&duration_text(duration)), Some(duration));
            prop_assert_eq!(parse_size(&size_text(bytes)), Some(bytes));
        }
    }
}
