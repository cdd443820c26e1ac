//! The key of a series: a seeded 128-bit hash of its canonical label bytes.
//!
//! The key routes a series to its shard and finds it there. The seed is drawn once per data
//! directory and recorded in it, so keys of different directories have nothing in common.

use xxhash_rust::const_xxh3::const_custom_default_secret;
use xxhash_rust::xxh3::xxh3_128_with_secret;

use super::series::ShardId;

/// 128-bit name of a series within a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey(pub u128);

impl SeriesKey {
    /// Owner of the series among `shards` shards.
    #[inline]
    #[must_use]
    pub fn shard(self, shards: u16) -> ShardId {
        assert!(shards > 0, "a data directory has at least one shard");
        // The high half scaled to 0..shards: no division, and independent of the low half that
        // the shard's own table indexes by.
        let high = (self.0 >> 64) as u64;
        ShardId(((u128::from(high) * u128::from(shards)) >> 64) as u16)
    }
}

/// Computes [`SeriesKey`]s with the seed of one data directory.
#[derive(Clone)]
pub struct KeyHasher {
    secret: [u8; 192],
}

impl KeyHasher {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { secret: const_custom_default_secret(seed) }
    }

    /// Key of the series with these label bytes (see [`super::Labels`]).
    #[inline]
    #[must_use]
    pub fn key(&self, label_bytes: &[u8]) -> SeriesKey {
        SeriesKey(xxh3_128_with_secret(label_bytes, &self.secret))
    }
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_part_of_the_disk_contract() {
        let hasher = KeyHasher::new(42);
        let key = hasher.key(b"\x0a\x0b\x0a\x01a\x12\x06values");
        assert_eq!(key, KeyHasher::new(42).key(b"\x0a\x0b\x0a\x01a\x12\x06values"));
        assert_ne!(key, KeyHasher::new(43).key(b"\x0a\x0b\x0a\x01a\x12\x06values"));
        assert_eq!(SeriesKey(0).shard(3), ShardId(0));
        assert_eq!(SeriesKey(u128::MAX).shard(3), ShardId(2));
    }
}
