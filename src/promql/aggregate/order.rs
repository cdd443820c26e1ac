//! `topk` and `bottomk`: at each step the k largest or smallest values of each group.

use shards::model::Labels;

use super::Grouper;
use crate::promql::ast::Grouping;
use crate::promql::value::{ABSENT, Column, EvalSeries, is_absent};

/// Value of a series at the step at hand, and the number of the series.
type Entry = (f64, usize);

/// Whether `a` leaves the chosen ones before `b`. NaN leaves first.
#[inline]
fn leaves_first(largest: bool, a: f64, b: f64) -> bool {
    a.is_nan() || if largest { a < b } else { a > b }
}

/// What became of an offered value.
enum Offer {
    Added,
    /// The value of this series had to go.
    Replaced(usize),
    Refused,
}

/// Binary heap with the value that leaves next on top. Which of equal values leaves is part of the
/// results, so the order of comparisons is fixed: that of a textbook heap.
#[derive(Debug, Default)]
struct Heap {
    entries: Vec<Entry>,
}

impl Heap {
    fn offer(&mut self, largest: bool, k: usize, entry: Entry) -> Offer {
        if self.entries.len() < k {
            self.entries.push(entry);
            self.rise(largest);
            return Offer::Added;
        }
        let Some(top) = self.entries.first_mut() else { return Offer::Refused };
        let beats = if largest { top.0 < entry.0 } else { top.0 > entry.0 };
        if beats || (top.0.is_nan() && !entry.0.is_nan()) {
            let evicted = top.1;
            *top = entry;
            self.sink(largest);
            Offer::Replaced(evicted)
        } else {
            Offer::Refused
        }
    }

    fn is_before(&self, largest: bool, a: usize, b: usize) -> bool {
        match (self.entries.get(a), self.entries.get(b)) {
            (Some(a), Some(b)) => leaves_first(largest, a.0, b.0),
            _ => false,
        }
    }

    fn rise(&mut self, largest: bool) {
        let mut at = self.entries.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_before(largest, at, parent) {
                break;
            }
            self.entries.swap(at, parent);
            at = parent;
        }
    }

    fn sink(&mut self, largest: bool) {
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.entries.len() {
                break;
            }
            let right = left + 1;
            let child =
                if right < self.entries.len() && self.is_before(largest, right, left) { right } else { left };
            if !self.is_before(largest, child, at) {
                break;
            }
            self.entries.swap(at, child);
            at = child;
        }
    }

    /// Best first, NaN last.
    fn sort(&mut self, largest: bool) {
        self.entries.sort_by(|a, b| match (a.0.is_nan(), b.0.is_nan()) {
            (true, true) => std::cmp::Ordering::Equal,
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            (false, false) => {
                let order = a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal);
                if largest { order.reverse() } else { order }
            }
        });
    }
}

/// Chooses among series that come one by one. Holds the chosen values only.
#[derive(Debug)]
pub(crate) struct Selection {
    largest: bool,
    k: Column,
    steps: usize,
    grouper: Grouper,
    /// One per group and step.
    heaps: Vec<Heap>,
    /// Series in the order they came, and how many of their values are chosen.
    series: Vec<(Labels, bool, usize)>,
}

impl Selection {
    pub(crate) fn new(largest: bool, k: Column, grouping: &Grouping, steps: usize) -> Self {
        Self { largest, k, steps, grouper: Grouper::new(grouping), heaps: Vec::new(), series: Vec::new() }
    }

    /// Offers one series. Returns how many more values are held now.
    pub(crate) fn offer(&mut self, labels: &Labels, drop_name: bool, values: &[f64]) -> u64 {
        let (group, _) = self.grouper.group(labels);
        let needed = self.grouper.len() * self.steps;
        if self.heaps.len() < needed {
            self.heaps.resize_with(needed, Heap::default);
        }
        let index = self.series.len();
        let mut chosen = 0;
        let mut held = 0;
        let first = group * self.steps;
        for ((step, heap), &value) in
            self.heaps.iter_mut().skip(first).take(self.steps).enumerate().zip(values)
        {
            // Truncated as Go does.
            let k = self.k.at(step);
            if is_absent(value) || k.is_nan() || k < 1.0 {
                continue;
            }
            match heap.offer(self.largest, k as usize, (value, index)) {
                Offer::Added => {
                    chosen += 1;
                    held += 1;
                }
                Offer::Replaced(evicted) => {
                    chosen += 1;
                    if let Some((labels, _, left)) = self.series.get_mut(evicted) {
                        *left -= 1;
                        if *left == 0 {
                            *labels = Labels::empty();
                        }
                    }
                }
                Offer::Refused => {}
            }
        }
        let labels = if chosen > 0 { labels.clone() } else { Labels::empty() };
        self.series.push((labels, drop_name, chosen));
        held
    }

    /// The series with chosen values, in the order they came.
    pub(crate) fn finish(self) -> Vec<EvalSeries> {
        let mut columns: Vec<Vec<f64>> = Vec::new();
        columns.resize_with(self.series.len(), Vec::new);
        for (at, heap) in self.heaps.into_iter().enumerate() {
            let step = at % self.steps;
            for (value, index) in heap.entries {
                if let Some(column) = columns.get_mut(index) {
                    column.resize(self.steps, ABSENT);
                    if let Some(slot) = column.get_mut(step) {
                        *slot = value;
                    }
                }
            }
        }
        self.series
            .into_iter()
            .zip(columns)
            .filter(|((_, _, chosen), _)| *chosen > 0)
            .map(|((labels, drop_name, _), values)| EvalSeries { labels, drop_name, values })
            .collect()
    }

    /// The chosen values of the only step: group by group, best first.
    pub(crate) fn finish_in_order(self) -> Vec<EvalSeries> {
        let largest = self.largest;
        let mut chosen = Vec::new();
        for mut heap in self.heaps {
            heap.sort(largest);
            for (value, index) in heap.entries {
                if let Some((labels, drop_name, _)) = self.series.get(index) {
                    chosen.push(EvalSeries {
                        labels: labels.clone(),
                        drop_name: *drop_name,
                        values: vec![value],
                    });
                }
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shards::model::Labels;

    fn series(values: &[f64]) -> Vec<EvalSeries> {
        values
            .iter()
            .enumerate()
            .map(|(index, &value)| EvalSeries {
                labels: Labels::from_pairs([("i", format!("{index:03}"))]),
                drop_name: false,
                values: vec![value],
            })
            .collect()
    }

    fn all() -> Grouping {
        Grouping { without: false, labels: Vec::new() }
    }

    fn selection(largest: bool, k: f64, series: &[EvalSeries]) -> Selection {
        let mut selection = Selection::new(largest, Column::Constant(k), &all(), 1);
        for series in series {
            selection.offer(&series.labels, false, &series.values);
        }
        selection
    }

    fn chosen(largest: bool, k: f64, values: &[f64]) -> Vec<f64> {
        selection(largest, k, &series(values))
            .finish_in_order()
            .iter()
            .map(|series| series.values[0])
            .collect()
    }

    #[test]
    fn best_come_first_and_nan_last() {
        assert_eq!(chosen(true, 2.0, &[1.0, 5.0, 3.0, 4.0]), vec![5.0, 4.0]);
        assert_eq!(chosen(false, 3.9, &[1.0, 5.0, 3.0, 4.0]), vec![1.0, 3.0, 4.0]);
        let with_nan = chosen(true, 3.0, &[f64::NAN, 1.0, 2.0]);
        assert_eq!(with_nan[..2], [2.0, 1.0]);
        assert!(with_nan[2].is_nan());
        assert_eq!(chosen(false, 2.0, &[f64::NAN, 1.0, 2.0]), vec![1.0, 2.0]);
        assert!(chosen(true, 0.5, &[1.0]).is_empty());
    }

    #[test]
    fn series_keep_their_order_over_several_steps() {
        let mut selection = Selection::new(true, Column::Constant(1.0), &all(), 2);
        let labels = |name: &str| Labels::from_pairs([("i", name)]);
        selection.offer(&labels("a"), false, &[1.0, 9.0]);
        selection.offer(&labels("b"), false, &[0.0, 0.0]);
        selection.offer(&labels("c"), false, &[2.0, ABSENT]);
        let result = selection.finish();
        assert_eq!(result.len(), 2);
        assert_eq!((&result[0].labels, result[0].values[1]), (&labels("a"), 9.0));
        assert!(is_absent(result[0].values[0]));
        assert_eq!((&result[1].labels, result[1].values[0]), (&labels("c"), 2.0));
        assert!(is_absent(result[1].values[1]));
    }

    proptest! {
        #[test]
        fn selection_equals_sorting_and_survives_a_split(
            values in proptest::collection::vec(0_i32..40, 0..40), k in 1_u8..8, largest: bool, cut in 0_usize..40,
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let k = f64::from(k);
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| if largest { b.total_cmp(a) } else { a.total_cmp(b) });
            sorted.truncate(k as usize);
            prop_assert_eq!(&chosen(largest, k, &values), &sorted);
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut kept = selection(largest, k, &series(left)).finish();
            kept.extend(selection(largest, k, &series(right)).finish());
            let merged: Vec<f64> =
                selection(largest, k, &kept).finish_in_order().iter().map(|series| series.values[0]).collect();
            prop_assert_eq!(merged, sorted);
        }
    }
}
