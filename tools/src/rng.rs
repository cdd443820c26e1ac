//! Repeatable randomness without state: every drawn number is a hash of what it is for, so any
//! series, scrape or batch can be produced on its own, in any order and on any thread.

/// Mixes two numbers into one that looks random (the finisher of SplitMix64).
#[must_use]
pub fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `[0, 1)` drawn from the upper 53 bits.
#[must_use]
pub fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number in `[0, bound)`; 0 when the bound is 0.
#[must_use]
pub fn below(hash: u64, bound: u64) -> u64 {
    if bound == 0 { 0 } else { hash % bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_stays_in_its_range() {
        assert_eq!(unit(0), 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }

    #[test]
    fn neighbours_differ() {
        let mut seen: Vec<u64> = (0..1000).map(|i| mix(7, i)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
