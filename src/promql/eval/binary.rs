//! Operators between two vectors.

use super::matching::{Presence, Signatures, match_labels, result_labels};
use super::merge::merge_twins;
use super::pacer::Pacer;
use super::{EvalError, FragmentHost};
use crate::promql::ast::{BinaryOp, Cardinality};
use crate::promql::functions::math;
use crate::promql::plan::node::BinaryNode;
use crate::promql::value::{ABSENT, EvalSeries, is_present};

/// Evaluates any operator between vectors.
pub(super) async fn evaluate<H: FragmentHost>(
    node: &BinaryNode,
    delayed_name_removal: bool,
    steps: usize,
    left: Vec<EvalSeries>,
    right: Vec<EvalSeries>,
    pacer: &Pacer<'_, H>,
) -> Result<Vec<EvalSeries>, EvalError> {
    if node.op.is_set() {
        let result = set(node, steps, left, right, pacer).await?;
        return merge_twins(result);
    }
    let pairing = Pairing::new(node, steps, left, right);
    pairing.check_one_side(pacer).await?;
    pairing.evaluate(delayed_name_removal, pacer).await
}

async fn set<H: FragmentHost>(
    node: &BinaryNode,
    steps: usize,
    mut left: Vec<EvalSeries>,
    mut right: Vec<EvalSeries>,
    pacer: &Pacer<'_, H>,
) -> Result<Vec<EvalSeries>, EvalError> {
    let signatures = Signatures::new(&node.matching, &left, &right);
    // The side whose presence decides, and the side that it decides about.
    let is_or = node.op == BinaryOp::Or;
    let mut presence = Presence::new(signatures.count, steps);
    let (deciding, deciding_groups) =
        if is_or { (&left, &signatures.left) } else { (&right, &signatures.right) };
    for (series, &group) in deciding.iter().zip(deciding_groups) {
        presence.add(group, &series.values);
        pacer.spend(steps).await?;
    }
    let keep_present = node.op == BinaryOp::And;
    let (decided, groups) =
        if is_or { (&mut right, &signatures.right) } else { (&mut left, &signatures.left) };
    for (series, &group) in decided.iter_mut().zip(groups) {
        let present = presence.of(group);
        for (step, value) in series.values.iter_mut().enumerate() {
            if present.get(step).copied().unwrap_or(false) != keep_present {
                *value = ABSENT;
            }
        }
        pacer.spend(steps).await?;
    }
    decided.retain(|series| series.values.iter().any(|&value| is_present(value)));
    if is_or {
        left.append(&mut right);
    }
    Ok(left)
}

/// Two vectors about to be combined. `one` is the side where a match group may occur once.
struct Pairing<'a> {
    node: &'a BinaryNode,
    steps: usize,
    many: Vec<EvalSeries>,
    one: Vec<EvalSeries>,
    many_groups: Vec<usize>,
    /// Series of the one side by match group.
    one_by_group: Vec<Vec<usize>>,
    /// The left operand is the one side.
    swapped: bool,
}

/// A result and the pair it came from.
struct Combined {
    series: EvalSeries,
    group: usize,
    many: usize,
    one: usize,
}

impl<'a> Pairing<'a> {
    fn new(node: &'a BinaryNode, steps: usize, left: Vec<EvalSeries>, right: Vec<EvalSeries>) -> Self {
        let signatures = Signatures::new(&node.matching, &left, &right);
        let swapped = node.matching.cardinality == Cardinality::OneToMany;
        let (many, one, many_groups, one_groups) = if swapped {
            (right, left, signatures.right, signatures.left)
        } else {
            (left, right, signatures.left, signatures.right)
        };
        let mut one_by_group = vec![Vec::new(); signatures.count];
        for (index, &group) in one_groups.iter().enumerate() {
            if let Some(members) = one_by_group.get_mut(group) {
                members.push(index);
            }
        }
        Self { node, steps, many, one, many_groups, one_by_group, swapped }
    }

    /// Fails when a match group has two values at one step on the side where it may have one,
    /// unless the other side has no value at all at that step.
    async fn check_one_side<H: FragmentHost>(&self, pacer: &Pacer<'_, H>) -> Result<(), EvalError> {
        let mut first: Option<(usize, usize, usize)> = None;
        for members in self.one_by_group.iter().filter(|members| members.len() > 1) {
            let mut holder = vec![usize::MAX; self.steps];
            for &member in members {
                let Some(series) = self.one.get(member) else { continue };
                for (step, (holder, &value)) in holder.iter_mut().zip(&series.values).enumerate() {
                    if !is_present(value) {
                        continue;
                    }
                    if *holder != usize::MAX
                        && first.is_none_or(|(earliest, ..)| step < earliest)
                        && self.many.iter().any(|many| has(many, step))
                    {
                        first = Some((step, *holder, member));
                    }
                    *holder = member;
                }
                pacer.spend(self.steps).await?;
            }
        }
        let Some((_, a, b)) = first else { return Ok(()) };
        let (Some(a), Some(b)) = (self.one.get(a), self.one.get(b)) else { return Ok(()) };
        let mut twins = [a.labels.to_string(), b.labels.to_string()];
        twins.sort_unstable();
        let [first, second] = twins;
        let side = if self.swapped { "left" } else { "right" };
        let group = match_labels(&self.node.matching, &b.labels);
        Err(EvalError::execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
             [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
        )))
    }

    async fn evaluate<H: FragmentHost>(
        &self,
        delayed_name_removal: bool,
        pacer: &Pacer<'_, H>,
    ) -> Result<Vec<EvalSeries>, EvalError> {
        let node = self.node;
        let drop_metadata = !node.op.is_comparison() || (node.return_bool && !delayed_name_removal);
        if node.matching.cardinality == Cardinality::OneToOne {
            self.check_many_side(pacer).await?;
        }
        let mut results: Vec<Combined> = Vec::new();
        for (many_index, (many, &group)) in self.many.iter().zip(&self.many_groups).enumerate() {
            for &one_index in self.one_by_group.get(group).map_or(&[][..], Vec::as_slice) {
                let Some(one) = self.one.get(one_index) else { continue };
                let values = self.combine(&many.values, &one.values);
                pacer.spend(self.steps).await?;
                let labels = result_labels(&node.matching, drop_metadata, &many.labels, &one.labels);
                let series = EvalSeries { labels, drop_name: node.return_bool, values };
                results.push(Combined { series, group, many: many_index, one: one_index });
            }
        }
        if node.matching.cardinality != Cardinality::OneToOne {
            self.check_groups(&results)?;
        }
        let series = results
            .into_iter()
            .map(|combined| combined.series)
            .filter(|series| series.values.iter().any(|&value| is_present(value)))
            .collect();
        merge_twins(series)
    }

    fn combine(&self, many: &[f64], one: &[f64]) -> Vec<f64> {
        let BinaryNode { op, return_bool, .. } = *self.node;
        let pairs = many.iter().zip(one);
        pairs
            .map(|(&many, &one)| {
                if !is_present(many) || !is_present(one) {
                    return ABSENT;
                }
                let (left, right) = if self.swapped { (one, many) } else { (many, one) };
                if !op.is_comparison() {
                    math::arithmetic(op, left, right)
                } else if return_bool {
                    f64::from(u8::from(math::compare(op, left, right)))
                } else if math::compare(op, left, right) {
                    left
                } else {
                    ABSENT
                }
            })
            .collect()
    }

    /// One to one: two values of a match group at one step are too many where they find a partner.
    async fn check_many_side<H: FragmentHost>(&self, pacer: &Pacer<'_, H>) -> Result<(), EvalError> {
        let mut members = vec![Vec::new(); self.one_by_group.len()];
        for (index, &group) in self.many_groups.iter().enumerate() {
            if let Some(members) = members.get_mut(group) {
                members.push(index);
            }
        }
        for (members, partners) in members.iter().zip(&self.one_by_group) {
            if members.len() < 2 || partners.is_empty() {
                continue;
            }
            let mut count = vec![0_u8; self.steps];
            for series in members.iter().filter_map(|&member| self.many.get(member)) {
                for (count, &value) in count.iter_mut().zip(&series.values) {
                    *count = count.saturating_add(u8::from(is_present(value)));
                }
                pacer.spend(self.steps).await?;
            }
            let matched = |step: usize| {
                partners.iter().filter_map(|&partner| self.one.get(partner)).any(|one| has(one, step))
            };
            if count.iter().enumerate().any(|(step, &count)| count > 1 && matched(step)) {
                return Err(EvalError::execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)",
                ));
            }
        }
        Ok(())
    }

    /// Many to one: two pairs of a match group must not give the same labels at one step, even
    /// where a comparison filters one of them out.
    fn check_groups(&self, results: &[Combined]) -> Result<(), EvalError> {
        let mut by_labels: ahash::AHashMap<_, Vec<&Combined>> = ahash::AHashMap::new();
        for result in results {
            by_labels.entry((&result.series.labels, result.group)).or_default().push(result);
        }
        for twins in by_labels.into_values().filter(|twins| twins.len() > 1) {
            for step in 0..self.steps {
                let matched = twins.iter().filter(|twin| {
                    self.many.get(twin.many).is_some_and(|many| has(many, step))
                        && self.one.get(twin.one).is_some_and(|one| has(one, step))
                });
                if matched.count() > 1 {
                    return Err(EvalError::execution(
                        "multiple matches for labels: grouping labels must ensure unique matches",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn has(series: &EvalSeries, step: usize) -> bool {
    series.values.get(step).is_some_and(|&value| is_present(value))
}
