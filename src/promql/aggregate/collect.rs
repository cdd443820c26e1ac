//! `quantile` and `count_values`: aggregations that need all values of a group at one step.

use ahash::AHashMap;
use shards::model::Labels;

use super::{Grouper, is_kept};
use crate::promql::ast::Grouping;
use crate::promql::functions::over_time::quantile_in_place;
use crate::promql::number;
use crate::promql::value::{ABSENT, EvalSeries, is_present};

/// The series of each group, for aggregations group by group.
#[derive(Debug)]
pub(crate) struct Members {
    /// Result series without values, and the indices of the series in the group.
    pub(crate) groups: Vec<(EvalSeries, Vec<usize>)>,
}

impl Members {
    pub(crate) fn new(grouping: &Grouping, series: &[EvalSeries]) -> Self {
        let mut grouper = Grouper::new(grouping);
        let mut groups: Vec<(EvalSeries, Vec<usize>)> = Vec::new();
        for (index, one) in series.iter().enumerate() {
            let (group, new) = grouper.group(&one.labels);
            if let Some(labels) = new {
                groups.push((EvalSeries { labels, drop_name: false, values: Vec::new() }, Vec::new()));
            }
            if let Some((result, members)) = groups.get_mut(group) {
                result.drop_name |= one.drop_name;
                members.push(index);
            }
        }
        Self { groups }
    }
}

/// Quantile of the values that `members` have at one step; `buffer` is scratch.
pub(crate) fn quantile(
    quantile: f64,
    step: usize,
    members: &[usize],
    series: &[EvalSeries],
    buffer: &mut Vec<f64>,
) -> f64 {
    buffer.clear();
    let column = members.iter().filter_map(|&member| series.get(member)?.values.get(step).copied());
    buffer.extend(column.filter(|&value| is_present(value)));
    if buffer.is_empty() { ABSENT } else { quantile_in_place(quantile, buffer) }
}

/// Counts how many series of each group have each value, which becomes the label `label`.
#[derive(Debug)]
pub(crate) struct ValueCounts {
    label: Box<str>,
    grouping: Grouping,
    steps: usize,
    by_labels: AHashMap<Labels, usize>,
    results: Vec<EvalSeries>,
}

impl ValueCounts {
    pub(crate) fn new(label: &str, grouping: &Grouping, steps: usize) -> Self {
        let mut grouping = grouping.clone();
        if !grouping.without {
            grouping.labels.push(label.into());
        }
        grouping.labels.sort_unstable();
        Self { label: label.into(), grouping, steps, by_labels: AHashMap::new(), results: Vec::new() }
    }

    /// Takes in one series. Returns how many more values are held now.
    pub(crate) fn update(&mut self, labels: &Labels, values: &[f64]) -> u64 {
        // Values repeat, so the labels of a value are made once per series.
        let mut by_value: AHashMap<u64, usize> = AHashMap::new();
        let before = self.results.len();
        for (step, &value) in values.iter().enumerate() {
            if !is_present(value) {
                continue;
            }
            let result = match by_value.get(&value.to_bits()) {
                Some(&result) => result,
                None => {
                    let result = self.result_for(labels, value);
                    by_value.insert(value.to_bits(), result);
                    result
                }
            };
            if let Some(count) = self.results.get_mut(result).and_then(|result| result.values.get_mut(step)) {
                *count = if is_present(*count) { *count + 1.0 } else { 1.0 };
            }
        }
        ((self.results.len() - before) * self.steps) as u64
    }

    fn result_for(&mut self, labels: &Labels, value: f64) -> usize {
        let mut builder = labels.builder();
        builder.set(&self.label, &number::plain(value));
        let labels = builder.build().filter(|name, _| is_kept(&self.grouping, name));
        if let Some(&result) = self.by_labels.get(&labels) {
            return result;
        }
        let result = self.results.len();
        self.by_labels.insert(labels.clone(), result);
        self.results.push(EvalSeries { labels, drop_name: false, values: vec![ABSENT; self.steps] });
        result
    }

    pub(crate) fn finish(self) -> Vec<EvalSeries> {
        self.results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(job: &str, values: &[f64]) -> EvalSeries {
        EvalSeries {
            labels: Labels::from_pairs([("__name__", "m"), ("job", job)]),
            drop_name: false,
            values: values.to_vec(),
        }
    }

    #[test]
    fn quantile_is_by_group_and_step() {
        let input = [series("a", &[1.0, 10.0]), series("a", &[3.0, ABSENT]), series("b", &[7.0, ABSENT])];
        let by = Grouping { without: false, labels: vec!["job".into()] };
        let members = Members::new(&by, &input);
        let mut buffer = Vec::new();
        let mut of = |group: usize, step| quantile(0.5, step, &members.groups[group].1, &input, &mut buffer);
        assert_eq!([of(0, 0), of(0, 1), of(1, 0)], [2.0, 10.0, 7.0]);
        assert!(!is_present(of(1, 1)));
    }

    #[test]
    fn values_become_labels() {
        let all = Grouping { without: false, labels: Vec::new() };
        let mut counts = ValueCounts::new("v", &all, 2);
        for one in [series("a", &[1.0, 1.0]), series("b", &[1.0, 0.5])] {
            counts.update(&one.labels, &one.values);
        }
        let result = counts.finish();
        assert_eq!(result[0].labels, Labels::from_pairs([("v", "1")]));
        assert_eq!(result[0].values, vec![2.0, 1.0]);
        assert_eq!(result[1].labels, Labels::from_pairs([("v", "0.5")]));
        assert_eq!(result[1].values[1], 1.0);
    }
}
