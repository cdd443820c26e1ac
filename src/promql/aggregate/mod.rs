//! Aggregation operators: grouping here, the operators by how they can be computed.
//!
//! - `partial`: those that shards do in part and the router merges;
//! - `order`: `topk` and `bottomk`, which choose series;
//! - `collect`: those that need all values of a group at once.

pub(crate) mod collect;
pub(crate) mod order;
pub(crate) mod partial;

use ahash::AHashMap;
use shards::model::label::put_label;
use shards::model::{Labels, METRIC_NAME};

use super::ast::Grouping;

/// Gives each set of grouping labels a number, dense and in order of appearance.
#[derive(Debug)]
pub(crate) struct Grouper {
    grouping: Grouping,
    groups: AHashMap<Box<[u8]>, usize>,
    /// Canonical bytes of the group of the series at hand.
    key: Vec<u8>,
}

impl Grouper {
    pub(crate) fn new(grouping: &Grouping) -> Self {
        let mut grouping = grouping.clone();
        grouping.labels.sort_unstable();
        Self { grouping, groups: AHashMap::new(), key: Vec::new() }
    }

    /// Number of the group of a series; the labels when the group is new.
    pub(crate) fn group(&mut self, labels: &Labels) -> (usize, Option<Labels>) {
        self.key.clear();
        if self.grouping.is_total() {
            if !self.groups.is_empty() {
                return (0, None);
            }
        } else {
            for (name, value) in labels.iter() {
                if is_kept(&self.grouping, name) {
                    put_label(&mut self.key, name, value);
                }
            }
        }
        if let Some(&group) = self.groups.get(self.key.as_slice()) {
            return (group, None);
        }
        let group = self.groups.len();
        self.groups.insert(self.key.as_slice().into(), group);
        (group, Some(Labels::from_canonical_trusted(&self.key)))
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }
}

/// Whether a label belongs to the identity of a group; the labels of `grouping` are sorted.
pub(crate) fn is_kept(grouping: &Grouping, name: &str) -> bool {
    let listed = grouping.labels.binary_search_by(|label| (**label).cmp(name)).is_ok();
    if grouping.without { !listed && name != METRIC_NAME } else { listed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouping(without: bool, labels: &[&str]) -> Grouping {
        Grouping { without, labels: labels.iter().map(|&label| label.into()).collect() }
    }

    #[test]
    fn groups_are_numbered_in_order_of_appearance() {
        let a = Labels::from_pairs([("__name__", "m"), ("job", "a"), ("x", "1")]);
        let b = Labels::from_pairs([("__name__", "m"), ("job", "b"), ("x", "1")]);
        let mut by = Grouper::new(&grouping(false, &["x", "job"]));
        assert_eq!(by.group(&a), (0, Some(Labels::from_pairs([("job", "a"), ("x", "1")]))));
        assert_eq!(by.group(&b).0, 1);
        assert_eq!(by.group(&a), (0, None));
        let mut without = Grouper::new(&grouping(true, &["job"]));
        assert_eq!(without.group(&a), (0, Some(Labels::from_pairs([("x", "1")]))));
        assert_eq!(without.group(&b), (0, None));
        let mut all = Grouper::new(&grouping(false, &[]));
        assert_eq!(all.group(&a), (0, Some(Labels::empty())));
        assert_eq!(all.group(&b), (0, None));
    }
}
