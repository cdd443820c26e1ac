//! Floats that are decimal numbers of few digits, as integers.
//!
//! A float is decimal with exponent `e` if an integer of at most 53 bits, divided by `10^e`, or
//! multiplied by the float `10^-e`, gives exactly its bits. The first is what reading a decimal
//! number from text gives, the second what scaling one gives.

#![deny(clippy::indexing_slicing)]

const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
const INVERSES: [f64; 16] =
    [1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15];
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;
/// Values that are looked at to find the exponent.
const PROBES: usize = 32;

/// How integers become floats again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    exponent: u8,
    by_product: bool,
}

impl Scale {
    pub(super) const fn to_byte(self) -> u8 {
        self.exponent | (self.by_product as u8) << 7
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        let scale = Self { exponent: byte & 0x7f, by_product: byte >> 7 == 1 };
        if (scale.exponent as usize) < POWERS.len() { Some(scale) } else { None }
    }

    #[inline]
    fn power(self) -> f64 {
        POWERS.get(usize::from(self.exponent)).copied().unwrap_or(1.0)
    }

    #[inline]
    fn inverse(self) -> f64 {
        INVERSES.get(usize::from(self.exponent)).copied().unwrap_or(1.0)
    }

    /// The integer of a value, if it is decimal with this scale.
    #[inline]
    pub(super) fn integer(self, value: f64) -> Option<i64> {
        let scaled = (value * self.power()).round_ties_even();
        if !(scaled.abs() <= INTEGER_MAX) {
            return None;
        }
        let integer = scaled as i64;
        (self.float(integer).to_bits() == value.to_bits()).then_some(integer)
    }

    #[inline]
    pub(super) fn float(self, integer: i64) -> f64 {
        if self.by_product { integer as f64 * self.inverse() } else { integer as f64 / self.power() }
    }

    /// Whether integers are floats as they are.
    pub(super) const fn is_identity(self) -> bool {
        self.exponent == 0
    }

    /// Appends the floats of integers.
    pub(super) fn floats(self, integers: &[i64], out: &mut Vec<f64>) {
        if self.is_identity() {
            out.extend(integers.iter().map(|integer| *integer as f64));
        } else if self.by_product {
            let inverse = self.inverse();
            out.extend(integers.iter().map(|integer| *integer as f64 * inverse));
        } else {
            let power = self.power();
            out.extend(integers.iter().map(|integer| *integer as f64 / power));
        }
    }
}

/// Replaces `integers` by those of the values. Values that are not decimal are exceptions: their
/// integers repeat the one before. `None` if there are too many.
pub(super) fn to_integers(
    values: &[f64],
    integers: &mut Vec<i64>,
    exceptions: &mut Vec<(usize, u64)>,
) -> Option<Scale> {
    for by_product in [false, true] {
        let scale = find(values, by_product);
        let Some(scale) = scale else { continue };
        integers.clear();
        exceptions.clear();
        let exceptions_max = values.len() / 8 + 1;
        let mut before = values.iter().find_map(|value| scale.integer(*value)).unwrap_or(0);
        for (at, value) in values.iter().enumerate() {
            match scale.integer(*value) {
                Some(integer) => before = integer,
                None => {
                    exceptions.push((at, value.to_bits()));
                    if exceptions.len() > exceptions_max {
                        break;
                    }
                }
            }
            integers.push(before);
        }
        if exceptions.len() <= exceptions_max {
            return Some(scale);
        }
    }
    None
}

/// The least exponent with which the probed values are decimal; NaNs and infinities aside.
fn find(values: &[f64], by_product: bool) -> Option<Scale> {
    let mut scale = Scale { exponent: 0, by_product };
    let step = (values.len() / PROBES).max(1);
    let mut failed = 0;
    for value in values.iter().step_by(step).filter(|value| value.is_finite()) {
        let mut probe = scale;
        while probe.integer(*value).is_none() {
            probe.exponent += 1;
            if usize::from(probe.exponent) >= POWERS.len() {
                break;
            }
        }
        if usize::from(probe.exponent) < POWERS.len() {
            scale = probe;
        } else if *value != 0.0 {
            failed += 1;
            if failed > PROBES / 8 {
                return None;
            }
        }
    }
    Some(scale)
}
