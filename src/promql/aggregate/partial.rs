//! Aggregations that can be computed in parts: update per series, merge per shard, finish once.
//!
//! The order of updates and merges is fixed (series in the order of the shard, shards by number),
//! so the same query gives the same bits.

use shards::model::Labels;

use super::Grouper;
use crate::promql::ast::Grouping;
use crate::promql::kahan;
use crate::promql::value::{ABSENT, EvalSeries, is_absent, is_present};

/// Operators with partial aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
}

/// The aggregate of one group at every step.
#[derive(Debug, Clone)]
pub(crate) struct PartialGroup {
    pub(crate) labels: Labels,
    /// Some series of the group still carries a name that has to go at the end.
    pub(crate) drop_name: bool,
    columns: Columns,
}

/// State by step. Steps without a value hold [`ABSENT`], or a count of zero.
#[derive(Debug, Clone)]
enum Columns {
    /// `count`, `group`, `min`, `max`.
    One(Vec<f64>),
    Sum {
        sum: Vec<f64>,
        compensation: Vec<f64>,
    },
    Mean(Vec<Option<kahan::Mean>>),
    /// Count, mean and sum of squared distances from the mean.
    Moments(Vec<[f64; 3]>),
}

impl Columns {
    fn new(op: PartialOp, steps: usize) -> Self {
        match op {
            PartialOp::Sum => Self::Sum { sum: vec![ABSENT; steps], compensation: vec![0.0; steps] },
            PartialOp::Avg => Self::Mean(vec![None; steps]),
            PartialOp::Min | PartialOp::Max | PartialOp::Count | PartialOp::Group => {
                Self::One(vec![ABSENT; steps])
            }
            PartialOp::Stddev | PartialOp::Stdvar => Self::Moments(vec![[0.0; 3]; steps]),
        }
    }

    fn update(&mut self, op: PartialOp, values: &[f64]) {
        match self {
            Self::One(column) => {
                for (state, &value) in column.iter_mut().zip(values) {
                    if is_present(value) {
                        *state = update_one(op, *state, value);
                    }
                }
            }
            Self::Sum { sum, compensation } => {
                for ((sum, compensation), &value) in sum.iter_mut().zip(compensation).zip(values) {
                    if is_absent(value) {
                        continue;
                    }
                    if is_absent(*sum) {
                        *sum = value;
                    } else {
                        (*sum, *compensation) = kahan::add(value, *sum, *compensation);
                    }
                }
            }
            Self::Mean(column) => {
                for (state, &value) in column.iter_mut().zip(values) {
                    if is_present(value) {
                        match state {
                            Some(mean) => mean.add(value),
                            None => *state = Some(kahan::Mean::of(value)),
                        }
                    }
                }
            }
            Self::Moments(column) => {
                for ([count, mean, squares], &value) in column.iter_mut().zip(values) {
                    if is_absent(value) {
                        continue;
                    }
                    *count += 1.0;
                    if *count == 1.0 {
                        *mean = value;
                        *squares = if value.is_finite() { 0.0 } else { f64::NAN };
                    } else {
                        let delta = value - *mean;
                        *mean += delta / *count;
                        *squares += delta * (value - *mean);
                    }
                }
            }
        }
    }

    fn merge(&mut self, op: PartialOp, other: &Self) {
        match (self, other) {
            (Self::One(column), Self::One(other)) => {
                for (state, &other) in column.iter_mut().zip(other) {
                    if is_present(other) {
                        *state = merge_one(op, *state, other);
                    }
                }
            }
            (
                Self::Sum { sum, compensation },
                Self::Sum { sum: other_sum, compensation: other_compensation },
            ) => {
                let mine = sum.iter_mut().zip(compensation);
                for ((sum, compensation), (&value, &lost)) in
                    mine.zip(other_sum.iter().zip(other_compensation))
                {
                    if is_absent(value) {
                        continue;
                    }
                    if is_absent(*sum) {
                        (*sum, *compensation) = (value, lost);
                    } else {
                        (*sum, *compensation) = kahan::add(value, *sum, *compensation);
                        if sum.is_finite() {
                            *compensation += lost;
                        }
                    }
                }
            }
            (Self::Mean(column), Self::Mean(other)) => {
                for (state, &other) in column.iter_mut().zip(other) {
                    match (state.as_mut(), other) {
                        (Some(mean), Some(other)) => mean.merge(other),
                        (None, Some(_)) => *state = other,
                        (_, None) => {}
                    }
                }
            }
            (Self::Moments(column), Self::Moments(other)) => {
                for (state, &[count, mean, squares]) in column.iter_mut().zip(other) {
                    if count == 0.0 {
                        continue;
                    }
                    if state[0] == 0.0 {
                        *state = [count, mean, squares];
                        continue;
                    }
                    let total = state[0] + count;
                    let delta = mean - state[1];
                    state[2] += squares + delta * delta * (state[0] * count / total);
                    state[1] += delta * (count / total);
                    state[0] = total;
                }
            }
            _ => unreachable!("partial aggregates of one fragment have one operator"),
        }
    }

    fn finish(self, op: PartialOp) -> Vec<f64> {
        match self {
            Self::One(column) => column,
            Self::Sum { mut sum, compensation } => {
                for (sum, compensation) in sum.iter_mut().zip(compensation) {
                    if is_present(*sum) {
                        *sum += compensation;
                    }
                }
                sum
            }
            Self::Mean(column) => {
                column.into_iter().map(|state| state.map_or(ABSENT, kahan::Mean::value)).collect()
            }
            Self::Moments(column) => column
                .into_iter()
                .map(|[count, _, squares]| match op {
                    _ if count == 0.0 => ABSENT,
                    PartialOp::Stddev => (squares / count).sqrt(),
                    _ => squares / count,
                })
                .collect(),
        }
    }
}

#[inline]
fn update_one(op: PartialOp, state: f64, value: f64) -> f64 {
    match op {
        PartialOp::Count if is_absent(state) => 1.0,
        PartialOp::Count => state + 1.0,
        PartialOp::Group => 1.0,
        _ => extreme(op, state, value),
    }
}

#[inline]
fn merge_one(op: PartialOp, state: f64, other: f64) -> f64 {
    match op {
        PartialOp::Count if is_absent(state) => other,
        PartialOp::Count => state + other,
        PartialOp::Group => 1.0,
        _ => extreme(op, state, other),
    }
}

/// NaN gives way to any other value; the staleness pattern of an empty state is a NaN too.
#[inline]
fn extreme(op: PartialOp, state: f64, value: f64) -> f64 {
    let beaten = if op == PartialOp::Min { value < state } else { value > state };
    if beaten || state.is_nan() { value } else { state }
}

/// Partial aggregates of all groups of one shard, or of all shards.
#[derive(Debug)]
pub(crate) struct PartialAggregator {
    op: PartialOp,
    steps: usize,
    grouper: Grouper,
    groups: Vec<PartialGroup>,
}

impl PartialAggregator {
    pub(crate) fn new(op: PartialOp, grouping: &Grouping, steps: usize) -> Self {
        Self { op, steps, grouper: Grouper::new(grouping), groups: Vec::new() }
    }

    /// Takes in one series. Returns how many values the aggregates grew by.
    pub(crate) fn update(&mut self, labels: &Labels, drop_name: bool, values: &[f64]) -> u64 {
        let (group, new) = self.grouper.group(labels);
        let mut grown = 0;
        if let Some(labels) = new {
            grown = self.steps as u64;
            self.groups.push(PartialGroup {
                labels,
                drop_name: false,
                columns: Columns::new(self.op, self.steps),
            });
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.columns.update(self.op, values);
            group.drop_name |= drop_name;
        }
        grown
    }

    /// Takes in the groups of another shard.
    pub(crate) fn merge(&mut self, groups: Vec<PartialGroup>) {
        for other in groups {
            // The labels of a group are their own group.
            match self.grouper.group(&other.labels) {
                (_, Some(_)) => self.groups.push(other),
                (group, None) => {
                    if let Some(group) = self.groups.get_mut(group) {
                        group.columns.merge(self.op, &other.columns);
                        group.drop_name |= other.drop_name;
                    }
                }
            }
        }
    }

    pub(crate) fn into_groups(self) -> Vec<PartialGroup> {
        self.groups
    }

    /// The final values, groups in order of appearance; groups without any value left out.
    pub(crate) fn finish(self) -> Vec<EvalSeries> {
        let op = self.op;
        self.groups
            .into_iter()
            .map(|group| EvalSeries {
                labels: group.labels,
                drop_name: group.drop_name,
                values: group.columns.finish(op),
            })
            .filter(|series| series.values.iter().any(|&value| is_present(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPS: [PartialOp; 8] = [
        PartialOp::Sum,
        PartialOp::Avg,
        PartialOp::Min,
        PartialOp::Max,
        PartialOp::Count,
        PartialOp::Group,
        PartialOp::Stddev,
        PartialOp::Stdvar,
    ];

    fn by_job() -> Grouping {
        Grouping { without: false, labels: vec!["job".into()] }
    }

    fn aggregate(op: PartialOp, series: &[(Labels, Vec<f64>)]) -> Vec<EvalSeries> {
        let mut whole = PartialAggregator::new(op, &by_job(), 3);
        for (labels, values) in series {
            whole.update(labels, false, values);
        }
        whole.finish()
    }

    fn one(op: PartialOp, values: &[f64]) -> f64 {
        let series: Vec<_> = values.iter().map(|&value| (Labels::empty(), vec![value; 3])).collect();
        aggregate(op, &series)[0].values[0]
    }

    #[test]
    fn known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(one(PartialOp::Sum, &values), 40.0);
        assert_eq!(one(PartialOp::Avg, &values), 5.0);
        assert_eq!(one(PartialOp::Min, &values), 2.0);
        assert_eq!(one(PartialOp::Max, &values), 9.0);
        assert_eq!(one(PartialOp::Count, &values), 8.0);
        assert_eq!(one(PartialOp::Group, &values), 1.0);
        assert_eq!(one(PartialOp::Stddev, &values), 2.0);
        assert_eq!(one(PartialOp::Stdvar, &values), 4.0);
    }

    #[test]
    fn nan_gives_way_in_min_and_max_only() {
        assert_eq!(one(PartialOp::Max, &[f64::NAN, 1.0, f64::NAN]), 1.0);
        assert_eq!(one(PartialOp::Min, &[f64::NAN, 1.0, 2.0]), 1.0);
        assert!(one(PartialOp::Max, &[f64::NAN]).is_nan());
        assert!(is_present(one(PartialOp::Max, &[f64::NAN])));
        assert!(one(PartialOp::Sum, &[f64::NAN, 1.0]).is_nan());
        assert!(one(PartialOp::Stddev, &[f64::INFINITY]).is_nan());
        assert_eq!(one(PartialOp::Count, &[f64::NAN, 1.0]), 2.0);
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            6 => -1e6..1e6_f64,
            2 => Just(ABSENT),
            1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
            1 => prop_oneof![Just(f64::MAX), Just(f64::MIN)],
        ]
    }

    fn close(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits()
            || (a.is_nan() && b.is_nan() && is_absent(a) == is_absent(b))
            || a == b
            || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
    }

    proptest! {
        #[test]
        fn merging_any_split_equals_the_whole(
            series in proptest::collection::vec((0_u8..3, proptest::collection::vec(value(), 3), 0_usize..4), 0..24),
        ) {
            for op in OPS {
                // Sums of the largest floats overflow or not depending on the order.
                let huge = series.iter().any(|(_, values, _)| values.iter().any(|v| v.abs() == f64::MAX));
                if huge && matches!(op, PartialOp::Sum | PartialOp::Avg | PartialOp::Stddev | PartialOp::Stdvar) {
                    continue;
                }
                let mut shards: Vec<_> =
                    (0..4).map(|_| PartialAggregator::new(op, &by_job(), 3)).collect();
                let mut all = Vec::new();
                for (job, values, shard) in &series {
                    let labels = Labels::from_pairs([("job", job.to_string())]);
                    shards[*shard].update(&labels, false, values);
                    all.push((labels, values.clone()));
                }
                let mut merged = PartialAggregator::new(op, &by_job(), 3);
                for shard in shards {
                    merged.merge(shard.into_groups());
                }
                let mut whole = aggregate(op, &all);
                let mut merged = merged.finish();
                whole.sort_by(|a, b| a.labels.cmp(&b.labels));
                merged.sort_by(|a, b| a.labels.cmp(&b.labels));
                prop_assert_eq!(whole.len(), merged.len());
                for (whole, merged) in whole.iter().zip(&merged) {
                    prop_assert_eq!(&whole.labels, &merged.labels);
                    for (&a, &b) in whole.values.iter().zip(&merged.values) {
                        prop_assert!(close(a, b) || (a - b).abs() < 1e-3, "{:?} {} {}", op, a, b);
                    }
                }
            }
        }
    }
}
