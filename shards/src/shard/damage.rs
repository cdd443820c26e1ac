//! Damage met while serving: reported once per part, counted, and served around.

use super::Shard;
use super::metrics::add;
use super::parts::Part;
use crate::error::{Error, Result};

/// Turns damage into nothing; other errors stay errors.
pub(super) fn tolerate<T>(shard: &Shard, part: &Part, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error @ Error::Corrupt { .. }) => {
            report(shard, part, &error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Counts damage of a part and tells of the first.
pub(super) fn report(shard: &Shard, part: &Part, what: &str) {
    add(&shard.counters.damage_found, 1);
    if !part.damaged.replace(true) {
        let path = part.path.display();
        tracing::error!(shard = shard.id().0, %path, what, "damage found; the rest is served, and the files are kept");
    }
}
