//! Which scale suits values: found by looking at a few, decided by all of them.

use super::scale::{EXACT, Scale, excess, rounded};

/// Values looked at first.
const PROBES: usize = 24;
/// Largest decimal exponent tried for quotients and products, and for sums.
const DECIMAL_TRIED: u8 = 15;
const SUM_TRIED: u8 = 12;
/// Largest magnitude of an integer of a sum, and of what is added to its bits: with more there is
/// little left to be saved.
const SUM_INTEGER: f64 = 17_592_186_044_416.0;
const SUM_EXCESS: u64 = 64;
/// Most bits that integers of a binary scale may span.
const BINARY_SPAN: i32 = 60;

/// Whether no scale but the bits has an integer for the value.
pub(super) fn is_special(value: f64) -> bool {
    !value.is_finite() || value.to_bits() == (-0.0f64).to_bits()
}

/// Fills `probes` with some of the values that are not special.
pub(super) fn take_probes(values: impl Iterator<Item = f64>, count: usize, probes: &mut Vec<f64>) {
    let stride = count.div_ceil(PROBES).max(1);
    probes.extend(values.filter(|value| !is_special(*value)).step_by(stride).take(PROBES));
}

/// Scale that suits the probes.
pub(super) fn scale_of(probes: &[f64], values: &[f64]) -> Scale {
    let allowed = probes.len() / 8;
    let misses = |scale: Scale| probes.iter().filter(|probe| scale.integer(**probe).is_none()).count();
    if misses(Scale::Integer) == 0 {
        return Scale::Integer;
    }
    decimal(probes, allowed, Scale::Quotient)
        .or_else(|| decimal(probes, allowed, Scale::Product))
        .or_else(|| sum(probes))
        .or_else(|| binary(values))
        .unwrap_or(Scale::Bits)
}

/// The smallest exponent that all but a few probes have an integer for.
fn decimal(probes: &[f64], allowed: usize, scale: impl Fn(u8) -> Scale) -> Option<Scale> {
    let (mut exponent, mut misses) = (1, 0);
    for probe in probes {
        let found = (exponent..=DECIMAL_TRIED).find(|e| {
            scale(*e).integer(*probe).is_some_and(|integer| (integer.unsigned_abs() as f64) < EXACT / 4.0)
        });
        match found {
            Some(e) => exponent = e,
            None => misses += 1,
        }
        if misses > allowed {
            return None;
        }
    }
    Some(scale(exponent))
}

/// The smallest exponent that brings all probes close.
fn sum(probes: &[f64]) -> Option<Scale> {
    let mut exponent = 1;
    for probe in probes {
        exponent = (exponent..=SUM_TRIED).find(|e| {
            let factor = Scale::Sum(*e).value(1).recip();
            let scaled = probe * factor;
            rounded(scaled).is_some_and(|integer| {
                let about = Scale::Sum(*e).value(integer);
                scaled.abs() < SUM_INTEGER && excess(*probe, about).unsigned_abs() <= SUM_EXCESS
            })
        })?;
    }
    Some(Scale::Sum(exponent))
}

/// The exponent by which all values are integers, if they are of about the same size.
fn binary(values: &[f64]) -> Option<Scale> {
    let (mut lowest, mut highest) = (i32::MAX, i32::MIN);
    for value in values.iter().filter(|value| !is_special(**value) && **value != 0.0) {
        let bits = value.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
        lowest = lowest.min(exponent - 52 + ((bits | 1 << 52).trailing_zeros() as i32));
        highest = highest.max(exponent);
    }
    let fits = lowest <= highest && highest - lowest <= BINARY_SPAN;
    let exponent = u8::try_from(lowest.checked_neg()?).ok()?;
    fits.then_some(Scale::Binary(exponent))
}
