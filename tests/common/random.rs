//! Random numbers that a seed repeats.

/// A random number for a purpose, the same for the same seed.
pub(crate) fn random(seed: u64, purpose: u64) -> u64 {
    let mut z = seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A value for a purpose that does not compress.
pub(crate) fn noise(seed: u64, purpose: u64) -> f64 {
    f64::from_bits(random(seed, purpose) >> 2 | 0x3000_0000_0000_0000)
}
