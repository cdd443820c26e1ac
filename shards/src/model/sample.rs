//! A float sample and the staleness marker.

/// Bit pattern of the NaN by which Prometheus marks that a series has ended.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Value of a staleness marker.
#[inline]
#[must_use]
pub const fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether `value` is a staleness marker: its bits decide, other NaNs are ordinary values.
#[inline]
#[must_use]
pub const fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// One value at one time; equality of values means equality of bits everywhere in the engine.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub timestamp_ms: i64,
    pub value: f64,
}

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp_ms == other.timestamp_ms && self.value.to_bits() == other.value.to_bits()
    }
}

impl Eq for Sample {}
