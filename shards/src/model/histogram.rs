//! Native histograms: sparse buckets, of exponential or of custom bounds.

use crate::limits::{HISTOGRAM_BOUNDS_MAX, HISTOGRAM_BUCKETS_MAX, HISTOGRAM_SPANS_MAX};

/// Schema of histograms with custom bounds.
pub const SCHEMA_CUSTOM: i8 = -53;
/// Coarsest and finest schema of exponential buckets.
pub const SCHEMA_MIN: i8 = -4;
pub const SCHEMA_MAX: i8 = 8;

/// What is known of a reset between this histogram and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum CounterReset {
    #[default]
    Unknown = 0,
    Reset = 1,
    NotReset = 2,
    /// Counts may fall; there are no resets.
    Gauge = 3,
}

/// Buckets in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Buckets left out since the end of the span before; of the first one: index of its bucket.
    pub offset: i32,
    pub len: u32,
}

/// Counts of all buckets, each as it is, not relative to another.
#[derive(Debug, Clone)]
pub enum Counts {
    Integer { count: u64, zero_count: u64, positive: Vec<u64>, negative: Vec<u64> },
    Float { count: f64, zero_count: f64, positive: Vec<f64>, negative: Vec<f64> },
}

/// One native histogram; equality of floats means equality of bits.
#[derive(Debug, Clone)]
pub struct NativeHistogram {
    /// -4 to 8, or [`SCHEMA_CUSTOM`].
    pub schema: i8,
    pub zero_threshold: f64,
    pub sum: f64,
    pub counter_reset: CounterReset,
    pub positive_spans: Vec<Span>,
    pub negative_spans: Vec<Span>,
    /// Upper bounds of buckets, ascending, without infinity; for [`SCHEMA_CUSTOM`] only.
    pub custom_bounds: Vec<f64>,
    pub counts: Counts,
}

/// Why a histogram cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistogramError {
    #[error("histogram has unknown schema {0}")]
    UnknownSchema(i8),
    #[error("histogram has more spans, buckets or bounds than any may have")]
    TooLarge,
    #[error("a span of a histogram begins before the one before it ends, or ends nowhere")]
    BadSpan,
    #[error("spans of a histogram tell of {told} buckets, there are {found}")]
    BucketsMismatch { told: u64, found: usize },
    #[error("a histogram of custom bounds has a zero bucket or negative buckets, or another has bounds")]
    CustomMismatch,
    #[error("custom bounds of a histogram are not finite and ascending")]
    BadBounds,
    #[error("zero threshold of a histogram is not a number from 0 on")]
    BadZeroThreshold,
    #[error("a count of a histogram is negative")]
    NegativeCount,
    #[error("count of a histogram is not that of its buckets")]
    CountMismatch,
}

impl Counts {
    /// Numbers of positive and negative buckets.
    #[must_use]
    pub const fn lens(&self) -> (usize, usize) {
        match self {
            Self::Integer { positive, negative, .. } => (positive.len(), negative.len()),
            Self::Float { positive, negative, .. } => (positive.len(), negative.len()),
        }
    }

    fn validate(&self, sum: f64) -> Result<(), HistogramError> {
        match self {
            Self::Integer { count, zero_count, positive, negative } => {
                let buckets = positive.iter().chain(negative).chain([zero_count]);
                let total = buckets.map(|count| u128::from(*count)).sum::<u128>();
                // Observations that are NaN are in no bucket.
                let right =
                    if sum.is_nan() { total <= u128::from(*count) } else { total == u128::from(*count) };
                if right { Ok(()) } else { Err(HistogramError::CountMismatch) }
            }
            Self::Float { count, zero_count, positive, negative } => {
                let negative =
                    positive.iter().chain(negative).chain([zero_count, count]).any(|count| *count < 0.0);
                if negative { Err(HistogramError::NegativeCount) } else { Ok(()) }
            }
        }
    }
}

impl NativeHistogram {
    /// Whether the layout is possible and the counts fit it.
    pub fn validate(&self) -> Result<(), HistogramError> {
        self.validate_layout()?;
        self.counts.validate(self.sum)
    }

    /// Whether the layout is possible and has as many buckets as there are counts.
    pub fn validate_layout(&self) -> Result<(), HistogramError> {
        let custom = self.schema == SCHEMA_CUSTOM;
        if !custom && !(SCHEMA_MIN..=SCHEMA_MAX).contains(&self.schema) {
            return Err(HistogramError::UnknownSchema(self.schema));
        }
        let (positive, negative) = self.counts.lens();
        if positive + negative > HISTOGRAM_BUCKETS_MAX || self.custom_bounds.len() > HISTOGRAM_BOUNDS_MAX {
            return Err(HistogramError::TooLarge);
        }
        if self.zero_threshold.is_nan() || self.zero_threshold < 0.0 {
            return Err(HistogramError::BadZeroThreshold);
        }
        validate_spans(&self.positive_spans, positive)?;
        validate_spans(&self.negative_spans, negative)?;
        if !custom {
            return if self.custom_bounds.is_empty() { Ok(()) } else { Err(HistogramError::CustomMismatch) };
        }
        let has_zero = match &self.counts {
            Counts::Integer { zero_count, .. } => *zero_count != 0,
            Counts::Float { zero_count, .. } => *zero_count != 0.0,
        };
        let first = self.positive_spans.first().map_or(0, |span| span.offset);
        if has_zero || self.zero_threshold != 0.0 || !self.negative_spans.is_empty() || first < 0 {
            return Err(HistogramError::CustomMismatch);
        }
        let ascending = self.custom_bounds.is_sorted_by(|before, bound| before < bound);
        if !ascending || !self.custom_bounds.iter().all(|bound| bound.is_finite()) {
            return Err(HistogramError::BadBounds);
        }
        let end: i64 =
            self.positive_spans.iter().map(|span| i64::from(span.offset) + i64::from(span.len)).sum();
        // One bucket more than bounds: up to infinity.
        if end > self.custom_bounds.len() as i64 + 1 { Err(HistogramError::BadSpan) } else { Ok(()) }
    }

    /// Whether the other one has the same kind of counts in the same buckets.
    #[must_use]
    pub fn same_layout(&self, other: &Self) -> bool {
        let kind = |histogram: &Self| matches!(histogram.counts, Counts::Integer { .. });
        self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.counter_reset == other.counter_reset
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && same_bits(&self.custom_bounds, &other.custom_bounds)
            && kind(self) == kind(other)
            && self.counts.lens() == other.counts.lens()
    }
}

fn validate_spans(spans: &[Span], found: usize) -> Result<(), HistogramError> {
    if spans.len() > HISTOGRAM_SPANS_MAX {
        return Err(HistogramError::TooLarge);
    }
    if spans.iter().skip(1).any(|span| span.offset < 0) {
        return Err(HistogramError::BadSpan);
    }
    let end: i64 = spans.iter().map(|span| i64::from(span.offset) + i64::from(span.len)).sum();
    if i32::try_from(end).is_err() {
        return Err(HistogramError::BadSpan);
    }
    let told = spans.iter().map(|span| u64::from(span.len)).sum();
    if told == found as u64 { Ok(()) } else { Err(HistogramError::BucketsMismatch { told, found }) }
}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits())
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Integer { count, zero_count, positive, negative },
                Self::Integer { count: count2, zero_count: zero2, positive: positive2, negative: negative2 },
            ) => (count, zero_count, positive, negative) == (count2, zero2, positive2, negative2),
            (
                Self::Float { count, zero_count, positive, negative },
                Self::Float { count: count2, zero_count: zero2, positive: positive2, negative: negative2 },
            ) => {
                same_bits(&[*count, *zero_count], &[*count2, *zero2])
                    && same_bits(positive, positive2)
                    && same_bits(negative, negative2)
            }
            _ => false,
        }
    }
}

impl Eq for Counts {}

impl PartialEq for NativeHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.same_layout(other) && self.sum.to_bits() == other.sum.to_bits() && self.counts == other.counts
    }
}

impl Eq for NativeHistogram {}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> NativeHistogram {
        NativeHistogram {
            schema: 3,
            zero_threshold: 1e-128,
            sum: 12.5,
            counter_reset: CounterReset::Unknown,
            positive_spans: vec![Span { offset: -2, len: 2 }, Span { offset: 3, len: 1 }],
            negative_spans: Vec::new(),
            custom_bounds: Vec::new(),
            counts: Counts::Integer {
                count: 10,
                zero_count: 1,
                positive: vec![2, 3, 4],
                negative: Vec::new(),
            },
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(histogram().validate(), Ok(()));
        let broken = |change: &dyn Fn(&mut NativeHistogram)| {
            let mut histogram = histogram();
            change(&mut histogram);
            histogram.validate()
        };
        assert_eq!(broken(&|histogram| histogram.schema = 9), Err(HistogramError::UnknownSchema(9)));
        assert_eq!(
            broken(&|histogram| histogram.zero_threshold = f64::NAN),
            Err(HistogramError::BadZeroThreshold)
        );
        assert_eq!(
            broken(&|histogram| histogram.positive_spans[1].offset = -1),
            Err(HistogramError::BadSpan)
        );
        assert_eq!(
            broken(&|histogram| histogram.positive_spans[1].len = 2),
            Err(HistogramError::BucketsMismatch { told: 4, found: 3 })
        );
        assert_eq!(
            broken(&|histogram| histogram.custom_bounds.push(1.0)),
            Err(HistogramError::CustomMismatch)
        );
        let counts =
            Counts::Integer { count: 11, zero_count: 1, positive: vec![2, 3, 4], negative: Vec::new() };
        assert_eq!(
            broken(&|histogram| histogram.counts = counts.clone()),
            Err(HistogramError::CountMismatch)
        );
        let with_nan = |histogram: &mut NativeHistogram| {
            histogram.counts = counts.clone();
            histogram.sum = f64::NAN;
        };
        assert_eq!(broken(&with_nan), Ok(()));
    }

    #[test]
    fn custom_bounds_are_checked() {
        let mut histogram = histogram();
        histogram.schema = SCHEMA_CUSTOM;
        histogram.zero_threshold = 0.0;
        histogram.positive_spans = vec![Span { offset: 0, len: 3 }];
        histogram.counts =
            Counts::Integer { count: 9, zero_count: 0, positive: vec![2, 3, 4], negative: Vec::new() };
        histogram.custom_bounds = vec![0.5, 1.0];
        assert_eq!(histogram.validate(), Ok(()));
        histogram.custom_bounds = vec![1.0];
        assert_eq!(histogram.validate(), Err(HistogramError::BadSpan));
        histogram.custom_bounds = vec![1.0, 1.0];
        assert_eq!(histogram.validate(), Err(HistogramError::BadBounds));
    }
}
