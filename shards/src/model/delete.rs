//! A request to delete samples.

use super::{Labels, Matcher, TimeRange};

/// Samples of the series that satisfy all matchers, in a range, written before a moment.
#[derive(Debug, Clone)]
pub struct Delete {
    /// Grows with every delete of the shard.
    pub id: u64,
    /// Generations of the memtable up to this sequence are concerned.
    pub sequence: u64,
    pub range: TimeRange,
    pub matchers: Vec<Matcher>,
}

impl Delete {
    /// Whether a series is meant.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels.get(matcher.name()).unwrap_or_default()))
    }
}
