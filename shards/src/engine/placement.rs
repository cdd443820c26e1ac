//! Which executor hosts which shards: a pure function of counts.

use crate::model::ShardId;

/// Shards of each executor, for `shards` shards on at most `cores` cores. Every executor hosts at
/// least one shard; the counts differ by at most one.
#[must_use]
pub(super) fn place(shards: u16, cores: usize) -> Vec<Vec<ShardId>> {
    let executors = usize::from(shards).min(cores.max(1));
    let mut hosted = vec![Vec::new(); executors];
    for (shard, slot) in (0..shards).zip((0..executors).cycle()) {
        if let Some(list) = hosted.get_mut(slot) {
            list.push(ShardId(shard));
        }
    }
    hosted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_one_home() {
        for (shards, cores) in [(1, 1), (2, 2), (8, 3), (2, 16), (5, 0)] {
            let placed = place(shards, cores);
            assert!(placed.len() <= cores.max(1));
            assert!(placed.iter().all(|hosted| !hosted.is_empty()));
            let mut all: Vec<_> = placed.into_iter().flatten().collect();
            all.sort();
            assert_eq!(all, (0..shards).map(ShardId).collect::<Vec<_>>());
        }
    }
}
