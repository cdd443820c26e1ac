//! Which series of two vectors belong together, and the labels of what they give.

use shards::model::Labels;

use crate::promql::aggregate::Grouper;
use crate::promql::ast::{Cardinality, Grouping, VectorMatching};
use crate::promql::value::{EvalSeries, is_metadata, is_present};

/// Numbers of the match groups of the series on both sides.
#[derive(Debug)]
pub(super) struct Signatures {
    pub(super) left: Vec<usize>,
    pub(super) right: Vec<usize>,
    pub(super) count: usize,
}

impl Signatures {
    pub(super) fn new(matching: &VectorMatching, left: &[EvalSeries], right: &[EvalSeries]) -> Self {
        let mut grouper = Grouper::new(&grouping(matching));
        let mut number = |series: &[EvalSeries]| {
            series.iter().map(|series| grouper.group(&series.labels).0).collect::<Vec<_>>()
        };
        let (left, right) = (number(left), number(right));
        Self { left, right, count: grouper.len() }
    }
}

/// Match groups are groups: `on` is `by`, `ignoring` is `without`.
pub(super) fn grouping(matching: &VectorMatching) -> Grouping {
    Grouping { without: !matching.on, labels: matching.labels.clone() }
}

/// The labels that make a series a member of its match group.
pub(super) fn match_labels(matching: &VectorMatching, labels: &Labels) -> Labels {
    let mut grouping = grouping(matching);
    grouping.labels.sort_unstable();
    labels.filter(|name, _| crate::promql::aggregate::is_kept(&grouping, name))
}

/// Labels of the result of one pair; `one` is the side that has a match group once.
pub(super) fn result_labels(
    matching: &VectorMatching,
    drop_metadata: bool,
    many: &Labels,
    one: &Labels,
) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| **label == *name);
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    let kept = many.filter(|name, _| {
        if drop_metadata && is_metadata(name) {
            return false;
        }
        !one_to_one || listed(name) == matching.on
    });
    if matching.include.is_empty() {
        return kept;
    }
    let mut builder = kept.builder();
    for label in &matching.include {
        builder.set(label, one.get(label).unwrap_or_default());
    }
    builder.build()
}

/// Where each match group has a value.
#[derive(Debug)]
pub(super) struct Presence {
    steps: usize,
    bits: Vec<Vec<bool>>,
}

impl Presence {
    pub(super) fn new(groups: usize, steps: usize) -> Self {
        Self { steps, bits: vec![Vec::new(); groups] }
    }

    pub(super) fn add(&mut self, group: usize, values: &[f64]) {
        if let Some(bits) = self.bits.get_mut(group) {
            bits.resize(self.steps, false);
            for (bit, &value) in bits.iter_mut().zip(values) {
                *bit |= is_present(value);
            }
        }
    }

    /// Whether the group has a value at each step; nothing for a group without any.
    pub(super) fn of(&self, group: usize) -> &[bool] {
        self.bits.get(group).map_or(&[], Vec::as_slice)
    }
}
