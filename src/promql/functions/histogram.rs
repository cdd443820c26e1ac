//! Classic histograms: `histogram_quantile` over buckets with cumulative counts.

use ahash::AHashMap;
use shards::model::Labels;

use crate::promql::value::{EvalSeries, is_absent};

/// Label with the upper bound of a bucket.
const BUCKET_LABEL: &str = "le";

/// Relative difference between neighbouring buckets that passes for rounding.
const SMALL_DELTA_TOLERANCE: f64 = 1e-12;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) upper_bound: f64,
    pub(crate) count: f64,
}

/// The buckets of one histogram: upper bounds, ascending, and the series that count them.
#[derive(Debug)]
pub(crate) struct ClassicHistogram {
    /// Labels but for the bound.
    pub(crate) labels: Labels,
    buckets: Vec<(f64, usize)>,
}

impl ClassicHistogram {
    /// Collects the buckets that have a count at a step.
    pub(crate) fn at(&self, step: usize, series: &[EvalSeries], buckets: &mut Vec<Bucket>) {
        buckets.clear();
        for &(upper_bound, index) in &self.buckets {
            if let Some(&count) = series.get(index).and_then(|series| series.values.get(step))
                && !is_absent(count)
            {
                buckets.push(Bucket { upper_bound, count });
            }
        }
    }
}

/// Series sorted into histograms.
#[derive(Debug, Default)]
pub(crate) struct ClassicHistograms {
    pub(crate) histograms: Vec<ClassicHistogram>,
    /// Series whose bound is missing or no number.
    pub(crate) malformed: Vec<usize>,
}

impl ClassicHistograms {
    pub(crate) fn new(series: &[EvalSeries]) -> Self {
        let mut by_labels: AHashMap<Labels, usize> = AHashMap::new();
        let mut found = Self::default();
        for (index, one) in series.iter().enumerate() {
            let Some(bound) = one.labels.get(BUCKET_LABEL).and_then(parse_bound) else {
                found.malformed.push(index);
                continue;
            };
            let labels = one.labels.filter(|name, _| name != BUCKET_LABEL);
            let at = *by_labels.entry(labels).or_insert_with_key(|labels| {
                found.histograms.push(ClassicHistogram { labels: labels.clone(), buckets: Vec::new() });
                found.histograms.len() - 1
            });
            if let Some(histogram) = found.histograms.get_mut(at) {
                histogram.buckets.push((bound, index));
            }
        }
        for histogram in &mut found.histograms {
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        found
    }
}

/// A bound as Go's float parser reads it.
fn parse_bound(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // Rust reads what is out of range as infinite; Go refuses it.
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) { None } else { Some(value) }
}

/// What had to be changed to make counts grow with the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forced {
    pub(crate) bucket_min: f64,
    pub(crate) bucket_max: f64,
    pub(crate) difference_max: f64,
}

/// Quantile by linear interpolation inside the bucket where its rank falls; `buckets` are sorted
/// by bound and not empty. Changes them.
pub(crate) fn bucket_quantile(quantile: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Forced>) {
    if quantile.is_nan() {
        return (f64::NAN, None);
    }
    if quantile < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if quantile > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|last| last.upper_bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let forced = make_monotonic(buckets);
    (quantile_of_monotonic(quantile, buckets), forced)
}

fn quantile_of_monotonic(quantile: f64, buckets: &[Bucket]) -> f64 {
    let [below @ .., last] = buckets else { return f64::NAN };
    let Some(last_finite) = below.last() else { return f64::NAN };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = quantile * last.count;
    // The first bucket whose count reaches the rank; a NaN count reaches none.
    let at = below.partition_point(|bucket| bucket.count < rank || bucket.count.is_nan() || rank.is_nan());
    let Some(bucket) = below.get(at) else { return last_finite.upper_bound };
    match at.checked_sub(1).and_then(|before| below.get(before)) {
        None if bucket.upper_bound <= 0.0 => bucket.upper_bound,
        None => bucket.upper_bound * (rank / bucket.count),
        Some(before) => {
            let width = bucket.upper_bound - before.upper_bound;
            before.upper_bound + width * ((rank - before.count) / (bucket.count - before.count))
        }
    }
}

/// Merges buckets of equal bounds.
#[expect(clippy::float_cmp, reason = "bounds that differ at all are different buckets")]
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.upper_bound == kept.upper_bound;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// Lifts counts that are below the count before; differences that look like rounding are levelled
/// silently.
#[expect(clippy::float_cmp, reason = "equal counts need no correction")]
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let (first, rest) = buckets.split_first_mut()?;
    let mut previous = first.count;
    for bucket in rest {
        let count = bucket.count;
        if count == previous {
            continue;
        }
        if is_almost(previous, count, SMALL_DELTA_TOLERANCE) {
            bucket.count = previous;
        } else if count < previous {
            bucket.count = previous;
            let forced = forced.get_or_insert(Forced {
                bucket_min: f64::INFINITY,
                bucket_max: f64::NEG_INFINITY,
                difference_max: 0.0,
            });
            forced.bucket_min = forced.bucket_min.min(bucket.upper_bound);
            forced.bucket_max = forced.bucket_max.max(bucket.upper_bound);
            forced.difference_max = forced.difference_max.max(previous - count);
        } else {
            previous = count;
        }
    }
    forced
}

/// Whether two floats differ by less than `tolerance` of the sum of their magnitudes.
#[expect(clippy::float_cmp, reason = "the shortcut for equal floats")]
fn is_almost(a: f64, b: f64, tolerance: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|&(upper_bound, count)| Bucket { upper_bound, count }).collect()
    }

    fn quantile(q: f64, pairs: &[(f64, f64)]) -> f64 {
        bucket_quantile(q, &mut buckets(pairs)).0
    }

    #[test]
    fn quantiles_are_interpolated_inside_buckets() {
        let counts = [(0.1, 10.0), (0.2, 30.0), (f64::INFINITY, 40.0)];
        assert_eq!(quantile(0.5, &counts), 0.15000000000000002);
        assert_eq!(quantile(0.125, &counts), 0.05);
        assert_eq!(quantile(0.99, &counts), 0.2, "the last bucket has no width");
        assert_eq!(quantile(1.5, &counts), f64::INFINITY);
        assert_eq!(quantile(-0.5, &counts), f64::NEG_INFINITY);
        assert!(quantile(f64::NAN, &counts).is_nan());
        assert_eq!(quantile(0.5, &[(-1.0, 40.0), (f64::INFINITY, 40.0)]), -1.0);
        assert!(quantile(0.5, &[(0.1, 1.0), (0.2, 2.0)]).is_nan(), "no +Inf bucket");
        assert!(quantile(0.5, &[(f64::INFINITY, 2.0)]).is_nan(), "one bucket only");
        assert!(quantile(0.5, &[(0.1, 0.0), (f64::INFINITY, 0.0)]).is_nan(), "no observation");
    }

    #[test]
    fn decreasing_counts_are_lifted_and_told() {
        let mut falling = buckets(&[(1.0, 5.0), (2.0, 3.0), (4.0, 4.0), (f64::INFINITY, 10.0)]);
        let (_, forced) = bucket_quantile(0.5, &mut falling);
        assert_eq!(forced, Some(Forced { bucket_min: 2.0, bucket_max: 4.0, difference_max: 2.0 }));
        assert_eq!(falling[1].count, 5.0);
        let rounding = 5.0 - 1e-12;
        let (_, forced) = bucket_quantile(0.5, &mut buckets(&[(1.0, 5.0), (f64::INFINITY, rounding)]));
        assert_eq!(forced, None);
    }

    #[test]
    fn equal_bounds_are_one_bucket() {
        let mut twice = buckets(&[(1.0, 5.0), (1.0, 5.0), (f64::INFINITY, 20.0)]);
        assert_eq!(bucket_quantile(0.25, &mut twice).0, 0.5);
    }

    #[test]
    fn series_are_sorted_into_histograms() {
        let series = |le: &str| EvalSeries {
            labels: Labels::from_pairs([("__name__", "h_bucket"), ("job", "a"), ("le", le)]),
            drop_name: false,
            values: vec![1.0],
        };
        let input = [series("+Inf"), series("0.1"), series("x"), series("1e999")];
        let found = ClassicHistograms::new(&input);
        assert_eq!(found.malformed, vec![2, 3]);
        assert_eq!(found.histograms.len(), 1);
        let mut at = Vec::new();
        found.histograms[0].at(0, &input, &mut at);
        assert_eq!(at.iter().map(|bucket| bucket.upper_bound).collect::<Vec<_>>(), vec![0.1, f64::INFINITY]);
    }
}
