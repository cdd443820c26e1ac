//! Puts together what the shards sent, always in shard order: same query, same bits.

use ahash::{AHashMap, AHashSet};
use shards::model::Labels;

use super::pacer::Pacer;
use super::runner::{FragmentOutput, Payload};
use super::{EvalError, FragmentHost};
use crate::promql::aggregate::partial::PartialAggregator;
use crate::promql::annotation::Annotations;
use crate::promql::plan::{Fragment, ReduceOp};
use crate::promql::value::{EvalSeries, RawSeries, is_absent, is_present};

/// The outputs of all shards as one.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) series: Vec<EvalSeries>,
    pub(super) raw: Vec<RawSeries>,
    pub(super) annotations: Annotations,
    pub(super) samples: u64,
    pub(super) held: u64,
    /// Two series that were reduced away would have had the same labels.
    pub(super) collision: bool,
}

pub(super) async fn merge<H: FragmentHost>(
    fragment: &Fragment,
    outputs: Vec<FragmentOutput>,
    pacer: &Pacer<'_, H>,
) -> Result<Merged, EvalError> {
    let mut merged = Merged::default();
    let steps = fragment.grid.steps;
    let mut identities = AHashSet::new();
    let mut aggregator = fragment.reduce.as_ref().and_then(|reduction| match reduction.op {
        ReduceOp::Aggregate(op) => Some(PartialAggregator::new(op, &reduction.grouping, steps)),
        ReduceOp::Select { .. } => None,
    });
    for output in outputs {
        merged.annotations.merge(output.annotations);
        merged.samples += output.samples;
        merged.held += output.held;
        for identity in output.identities {
            merged.collision |= !identities.insert(identity.0);
        }
        match output.payload {
            Payload::Series(mut series) => merged.series.append(&mut series),
            Payload::Raw(mut raw) => merged.raw.append(&mut raw),
            Payload::Groups(groups) => {
                for group in groups {
                    if let Some(aggregator) = &mut aggregator {
                        aggregator.merge_group(group);
                    }
                    pacer.spend(steps).await?;
                }
            }
        }
    }
    if let Some(aggregator) = aggregator {
        merged.series = aggregator.finish();
    }
    Ok(merged)
}

/// Whether two series have the same labels.
pub(super) fn has_twins(series: &[EvalSeries]) -> bool {
    let mut seen: AHashSet<&Labels> = AHashSet::with_capacity(series.len());
    !series.iter().all(|series| seen.insert(&series.labels))
}

/// Makes one series of those with the same labels; two values at one step are an error.
pub(super) fn merge_twins(series: Vec<EvalSeries>) -> Result<Vec<EvalSeries>, EvalError> {
    if !has_twins(&series) {
        return Ok(series);
    }
    let mut by_labels: AHashMap<Labels, usize> = AHashMap::with_capacity(series.len());
    let mut merged: Vec<EvalSeries> = Vec::with_capacity(series.len());
    for one in series {
        let at = *by_labels.entry(one.labels.clone()).or_insert(merged.len());
        let Some(first) = merged.get_mut(at) else {
            merged.push(one);
            continue;
        };
        for (value, other) in first.values.iter_mut().zip(one.values) {
            if is_absent(other) {
                continue;
            }
            if is_present(*value) {
                return Err(EvalError::same_labelset());
            }
            *value = other;
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::value::ABSENT;

    fn series(job: &str, values: &[f64]) -> EvalSeries {
        EvalSeries { labels: Labels::from_pairs([("job", job)]), drop_name: false, values: values.to_vec() }
    }

    #[test]
    fn twins_merge_where_they_do_not_meet() {
        let merged = merge_twins(vec![
            series("a", &[1.0, ABSENT, ABSENT]),
            series("b", &[5.0, 5.0, 5.0]),
            series("a", &[ABSENT, 2.0, ABSENT]),
        ])
        .unwrap();
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].values[..2], [1.0, 2.0]);
        let error = merge_twins(vec![series("a", &[1.0]), series("a", &[1.0])]).unwrap_err();
        assert_eq!(error, EvalError::same_labelset());
    }
}
