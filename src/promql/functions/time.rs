//! Date functions: seconds since the Unix epoch to parts of a UTC date.

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFunction {
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Hour,
    Minute,
    Month,
    Year,
}

const SECONDS_PER_DAY: i64 = 86_400;

impl DateFunction {
    /// Function of a PromQL name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "day_of_month" => Self::DayOfMonth,
            "day_of_week" => Self::DayOfWeek,
            "day_of_year" => Self::DayOfYear,
            "days_in_month" => Self::DaysInMonth,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        })
    }

    /// The part of the date at `seconds`, truncated to whole seconds.
    #[must_use]
    pub fn apply(self, seconds: f64) -> f64 {
        // As Go on amd64 does: what no i64 can hold, NaN included, becomes the smallest i64.
        let whole = if seconds >= -9.223_372_036_854_775_8e18 && seconds < 9.223_372_036_854_775_8e18 {
            seconds as i64
        } else {
            i64::MIN
        };
        self.of_unix_seconds(whole)
    }

    #[must_use]
    pub fn of_unix_seconds(self, seconds: i64) -> f64 {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let date = Date::of_days(days);
        let part = match self {
            Self::Hour => second_of_day / 3_600,
            Self::Minute => second_of_day % 3_600 / 60,
            // 1 January 1970 was a Thursday; Sunday is 0.
            Self::DayOfWeek => (days + 4).rem_euclid(7),
            Self::DayOfMonth => date.day,
            Self::DayOfYear => days - days_before(date.year, 1, 1) + 1,
            Self::DaysInMonth => {
                let (year, month) =
                    if date.month == 12 { (date.year + 1, 1) } else { (date.year, date.month + 1) };
                days_before(year, month, 1) - days_before(date.year, date.month, 1)
            }
            Self::Month => date.month,
            Self::Year => date.year,
        };
        part as f64
    }
}

/// Year, month and day of a number of days since 1 January 1970.
#[must_use]
pub const fn civil_date(days: i64) -> (i64, i64, i64) {
    let date = Date::of_days(days);
    (date.year, date.month, date.day)
}

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

/// Days of 400 years.
const DAYS_PER_ERA: i64 = 146_097;

impl Date {
    /// Date of a number of days since 1 January 1970.
    ///
    /// Counts in years that begin in March, so that the leap day is the last of its year.
    const fn of_days(days: i64) -> Self {
        // 719,468 days lie between 1 March of year 0 and the epoch.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }
}

/// Days from 1 January 1970 to this date.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_known_dates() {
        // 2024-02-29 23:59:59 UTC, a Thursday.
        let leap = 1_709_251_199.0;
        assert_eq!(DateFunction::Year.apply(leap), 2024.0);
        assert_eq!(DateFunction::Month.apply(leap), 2.0);
        assert_eq!(DateFunction::DayOfMonth.apply(leap), 29.0);
        assert_eq!(DateFunction::DayOfWeek.apply(leap), 4.0);
        assert_eq!(DateFunction::DayOfYear.apply(leap), 60.0);
        assert_eq!(DateFunction::DaysInMonth.apply(leap), 29.0);
        assert_eq!(DateFunction::Hour.apply(leap), 23.0);
        assert_eq!(DateFunction::Minute.apply(leap), 59.0);
        // 1969-12-31 23:59:59, a Wednesday; fractions are cut towards zero.
        assert_eq!(DateFunction::Year.apply(-1.9), 1969.0);
        assert_eq!(DateFunction::DayOfWeek.apply(-1.0), 3.0);
        assert_eq!(DateFunction::DaysInMonth.apply(-1.0), 31.0);
        assert_eq!(DateFunction::DayOfYear.apply(-1.0), 365.0);
        assert_eq!(DateFunction::Year.apply(-0.5), 1970.0);
    }

    proptest! {
        #[test]
        fn dates_and_days_are_inverse(days in -2_000_000_i64..2_000_000) {
            let date = Date::of_days(days);
            prop_assert_eq!(days_before(date.year, date.month, date.day), days);
            prop_assert!((1..=12).contains(&date.month));
            prop_assert!((1..=31).contains(&date.day));
        }
    }
}
