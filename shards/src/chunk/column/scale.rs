//! Scales: how values become integers and integers become values again, bit for bit.

use crate::chunk::ChunkError;
use crate::codec::Cursor;

/// Largest decimal exponent.
pub(super) const DECIMAL_MAX: usize = 18;
/// Integers below this have every bit in a double.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;
/// Adding and subtracting it rounds to an integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

const POWERS: [f64; DECIMAL_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
const FRACTIONS: [f64; DECIMAL_MAX + 1] = [
    1e0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15,
    1e-16, 1e-17, 1e-18,
];

/// How the integers `m` of a column stand for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// `m`.
    Integer,
    /// `m / 10^e`, the nearest double to a decimal number.
    Quotient(u8),
    /// `m * 10^-e`, with `10^-e` rounded to a double first.
    Product(u8),
    /// `m * 2^-e`.
    Binary(u8),
    /// `m / 10^e`, to whose bits a second integer is added: sums of decimal numbers.
    Sum(u8),
    /// The bits of the value, those of negative ones but the sign inverted: in the order of values.
    Bits,
}

impl Scale {
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Integer => 0,
            Self::Quotient(_) => 1,
            Self::Product(_) => 2,
            Self::Binary(_) => 3,
            Self::Sum(_) => 4,
            Self::Bits => 5,
        }
    }

    pub(super) const fn exponent(self) -> Option<u8> {
        match self {
            Self::Quotient(e) | Self::Product(e) | Self::Binary(e) | Self::Sum(e) => Some(e),
            Self::Integer | Self::Bits => None,
        }
    }

    /// Reads the exponent of a scale of this number, if it has one.
    pub(super) fn read(number: u8, cursor: &mut Cursor<'_>) -> Result<Self, ChunkError> {
        let decimal = |cursor: &mut Cursor<'_>| match cursor.u8()? {
            e if usize::from(e) <= DECIMAL_MAX => Ok(e),
            _ => Err(ChunkError::Corrupt),
        };
        Ok(match number {
            0 => Self::Integer,
            1 => Self::Quotient(decimal(cursor)?),
            2 => Self::Product(decimal(cursor)?),
            3 => Self::Binary(cursor.u8()?),
            4 => Self::Sum(decimal(cursor)?),
            5 => Self::Bits,
            other => return Err(ChunkError::UnknownEncoding(other)),
        })
    }

    /// Factor by which integers are divided or multiplied.
    fn factor(self) -> f64 {
        let at = |table: &[f64; DECIMAL_MAX + 1], e: u8| table.get(usize::from(e)).copied().unwrap_or(1.0);
        match self {
            Self::Quotient(e) | Self::Sum(e) => at(&POWERS, e),
            Self::Product(e) => at(&FRACTIONS, e),
            Self::Binary(e) => f64::from_bits((1023 - u64::from(e)) << 52),
            Self::Integer | Self::Bits => 1.0,
        }
    }

    /// The integer of a value, if there is one that turns back into it; not for [`Scale::Sum`].
    #[inline]
    pub(super) fn integer(self, value: f64) -> Option<i64> {
        let factor = self.factor();
        let integer = match self {
            Self::Integer => value as i64,
            Self::Quotient(_) => rounded(value * factor)?,
            Self::Product(_) => rounded(value / factor)?,
            Self::Binary(_) => (value / factor) as i64,
            Self::Sum(_) => return None,
            Self::Bits => ordered(value),
        };
        (self.value(integer).to_bits() == value.to_bits()).then_some(integer)
    }

    /// Appends the integers of all values; those without one are given to `odd` and get 0.
    pub(super) fn integers(self, values: &[f64], out: &mut Vec<i64>, mut odd: impl FnMut(usize)) {
        // One loop per scale, so that what depends on the scale is decided once.
        macro_rules! each {
            ($scale:expr) => {
                out.extend(values.iter().enumerate().map(|(index, value)| match $scale.integer(*value) {
                    Some(integer) => integer,
                    None => {
                        odd(index);
                        0
                    }
                }))
            };
        }
        match self {
            Self::Integer => each!(Self::Integer),
            Self::Quotient(e) => each!(Self::Quotient(e)),
            Self::Product(e) => each!(Self::Product(e)),
            Self::Binary(e) => each!(Self::Binary(e)),
            Self::Sum(_) | Self::Bits => each!(Self::Bits),
        }
    }

    /// The value of an integer; of a [`Scale::Sum`] that whose second integer is 0.
    #[inline]
    pub(super) fn value(self, integer: i64) -> f64 {
        let factor = self.factor();
        match self {
            Self::Integer => integer as f64,
            Self::Quotient(_) | Self::Sum(_) => integer as f64 / factor,
            Self::Product(_) | Self::Binary(_) => integer as f64 * factor,
            Self::Bits => unordered(integer),
        }
    }

    /// Appends the values of integers.
    pub(super) fn values(self, integers: &[i64], out: &mut Vec<f64>) {
        let factor = self.factor();
        match self {
            Self::Integer => out.extend(integers.iter().map(|integer| *integer as f64)),
            Self::Quotient(_) | Self::Sum(_) => {
                out.extend(integers.iter().map(|integer| *integer as f64 / factor));
            }
            Self::Product(_) | Self::Binary(_) => {
                out.extend(integers.iter().map(|integer| *integer as f64 * factor));
            }
            Self::Bits => out.extend(integers.iter().map(|integer| unordered(*integer))),
        }
    }
}

/// The nearest integer, if its magnitude allows.
#[inline]
pub(super) fn rounded(value: f64) -> Option<i64> {
    let rounded = (value + ROUNDER) - ROUNDER;
    if rounded.abs() < EXACT / 4.0 {
        return Some(rounded as i64);
    }
    // Also for what is not finite.
    if value.abs() < EXACT { Some(value.round() as i64) } else { None }
}

/// Bits of a value as an integer that is ordered as values are.
#[inline]
pub(super) const fn ordered(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Inverse of [`ordered`].
#[inline]
pub(super) const fn unordered(integer: i64) -> f64 {
    f64::from_bits((integer ^ (((integer >> 63) as u64) >> 1) as i64) as u64)
}

/// The second integer of a [`Scale::Sum`]: what is added to the bits of `about` to give `value`.
#[inline]
pub(super) const fn excess(value: f64, about: f64) -> i64 {
    value.to_bits().wrapping_sub(about.to_bits()) as i64
}

/// Inverse of [`excess`].
#[inline]
pub(super) const fn exceed(about: f64, excess: i64) -> f64 {
    f64::from_bits(about.to_bits().wrapping_add(excess as u64))
}
