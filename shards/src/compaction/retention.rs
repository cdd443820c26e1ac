//! Which parts are dropped: those that are too old, and the oldest while there is too much.

use crate::part::{PartId, PartMeta};

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionLimits {
    /// Samples older than this may go; `None`: none by age.
    pub age_ms: Option<i64>,
    /// Bytes of all files together, as far as parts can be dropped for it.
    pub bytes: Option<u64>,
}

/// Parts to drop, given each with the bytes of its files, and the bytes of the files that are
/// not parts. By age a part goes when its newest sample is too old; by bytes the parts with the
/// oldest newest samples go first.
#[must_use]
pub fn expired<'a>(
    parts: impl Iterator<Item = (&'a PartMeta, u64)>,
    other_bytes: u64,
    now_ms: i64,
    limits: RetentionLimits,
) -> Vec<PartId> {
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|(meta, _)| (meta.max_ms, meta.id));
    let horizon = limits.age_ms.map(|age_ms| now_ms.saturating_sub(age_ms));
    let mut total = parts.iter().map(|(_, bytes)| bytes).sum::<u64>().saturating_add(other_bytes);
    let mut gone = Vec::new();
    for (meta, bytes) in parts {
        let too_old = horizon.is_some_and(|horizon| meta.max_ms < horizon);
        let too_much = limits.bytes.is_some_and(|limit| total > limit);
        if too_old || too_much {
            total = total.saturating_sub(bytes);
            gone.push(meta.id);
        }
    }
    gone
}
