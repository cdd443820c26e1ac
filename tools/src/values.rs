//! Sample values as exporters show them, each a pure function of kind, seed and scrape number.
//!
//! Mixed on purpose, since they cost a database differently: integers that grow, decimals with few
//! digits, constants, flags, full 53-bit floats, and buckets that grow together.

use crate::rng::{mix, unit};

/// How the values of a series move from scrape to scrape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Never changes.
    Constant { scale: f64 },
    /// 1, seldom 0.
    Flag,
    /// Grows by whole numbers; about a third of such series stand still, as in reality.
    CounterInt { per_scrape: f64 },
    /// Grows; rounded to so many decimals.
    CounterDecimal { per_scrape: f64, decimals: i32 },
    /// Wanders between 0 and `scale` in steps of `quantum`.
    GaugeInt { scale: f64, quantum: f64 },
    /// Wanders around; rounded to so many decimals.
    GaugeDecimal { scale: f64, decimals: i32 },
    /// Wanders with all bits of the float in use.
    GaugeFloat { scale: f64 },
    /// Bucket `index` of `count` cumulative buckets: never above the next one of the same seed.
    Bucket { index: u32, count: u32, per_scrape: f64 },
    /// Sum that belongs to buckets of the same seed.
    Sum { per_scrape: f64 },
}

/// The value of a series at a scrape, scrapes being counted from its first one.
#[must_use]
pub fn value(kind: Kind, seed: u64, scrape: u32) -> f64 {
    match kind {
        Kind::Constant { scale } => (scale * (1.0 + unit(mix(seed, 1)))).round(),
        Kind::Flag => {
            let spell = u64::from(scrape / 8);
            if mix(seed, spell).is_multiple_of(50) { 0.0 } else { 1.0 }
        }
        Kind::CounterInt { per_scrape } => {
            if seed.is_multiple_of(3) {
                return (1000.0 * per_scrape * unit(mix(seed, 1))).floor();
            }
            total(seed, per_scrape, scrape).floor()
        }
        Kind::CounterDecimal { per_scrape, decimals } => round(total(seed, per_scrape, scrape), decimals),
        Kind::GaugeInt { scale, quantum } => (wander(seed, scrape) * scale / quantum).round() * quantum,
        Kind::GaugeDecimal { scale, decimals } => round(wander(seed, scrape) * scale, decimals),
        Kind::GaugeFloat { scale } => wander(seed, scrape) * scale,
        Kind::Bucket { index, count, per_scrape } => {
            let share = f64::from(index + 1) / f64::from(count);
            (total(seed, per_scrape, scrape).floor() * share * share.sqrt()).floor()
        }
        Kind::Sum { per_scrape } => total(seed, per_scrape, scrape) * 0.0137,
    }
}

/// A never falling total: the jitter stays below one step.
fn total(seed: u64, per_scrape: f64, scrape: u32) -> f64 {
    let rate = per_scrape * (0.2 + unit(mix(seed, 2)));
    let start = 1000.0 * rate * unit(mix(seed, 3));
    start + rate * (f64::from(scrape) + unit(mix(seed, u64::from(scrape) + 16)))
}

/// A smooth path in `[0, 1)`: three octaves of interpolated noise.
fn wander(seed: u64, scrape: u32) -> f64 {
    let octave = |period: u32, salt: u64| {
        let (step, within) = (u64::from(scrape / period), f64::from(scrape % period) / f64::from(period));
        let at = |step: u64| unit(mix(seed ^ salt, step));
        at(step) * (1.0 - within) + at(step + 1) * within
    };
    (4.0 * octave(64, 0xa) + 2.0 * octave(8, 0xb) + octave(1, 0xc)) / 7.0
}

/// The float nearest to the decimal number with so many digits.
fn round(value: f64, decimals: i32) -> f64 {
    let unit = 10_f64.powi(decimals);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_buckets_never_fall() {
        let kinds = [
            Kind::CounterInt { per_scrape: 40.0 },
            Kind::CounterDecimal { per_scrape: 12.0, decimals: 2 },
            Kind::Bucket { index: 3, count: 12, per_scrape: 30.0 },
            Kind::Sum { per_scrape: 30.0 },
        ];
        for kind in kinds {
            for seed in 0..20 {
                for scrape in 0..200 {
                    let (now, next) = (value(kind, seed, scrape), value(kind, seed, scrape + 1));
                    assert!(next >= now, "{kind:?} seed {seed} falls from {now} to {next}");
                }
            }
        }
    }

    #[test]
    fn buckets_are_cumulative() {
        for scrape in 0..50 {
            let bucket = |index| value(Kind::Bucket { index, count: 12, per_scrape: 30.0 }, 9, scrape);
            for index in 0..11 {
                assert!(bucket(index) <= bucket(index + 1));
            }
        }
    }

    #[test]
    fn decimals_have_few_digits() {
        for scrape in 0..100 {
            let text = value(Kind::GaugeDecimal { scale: 80.0, decimals: 1 }, 5, scrape).to_string();
            let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
            assert!(digits <= 1, "{text}");
        }
    }

    #[test]
    fn same_arguments_give_the_same_bits() {
        let kind = Kind::GaugeFloat { scale: 3.0 };
        assert_eq!(value(kind, 77, 5).to_bits(), value(kind, 77, 5).to_bits());
        assert_ne!(value(kind, 77, 5).to_bits(), value(kind, 78, 5).to_bits());
    }
}
