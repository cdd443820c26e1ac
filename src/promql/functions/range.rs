//! Functions of range vectors: which there are, and how one series passes through one of them.
//!
//! A series slides through in one pass over all steps. The values a function needs of a window are
//! those a fresh computation of that window would give, bit by bit.

use shards::model::Labels;
use shards::model::need::{Need, Windows};

use crate::promql::annotation::Annotations;
use crate::promql::ast::Span;
use crate::promql::eval_error::EvalError;
use crate::promql::functions::{lockstep, over_time, rate, trend};
use crate::promql::quoted;
use crate::promql::value::{ABSENT, Column, is_present};
use crate::promql::window::{self, Grid};

/// A function of the samples in a window. Fields of type `usize` are indices of scalar parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFunction {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear {
        seconds: usize,
    },
    DoubleExponentialSmoothing {
        smoothing: usize,
        trend: usize,
    },
    Changes,
    Resets,
    AvgOverTime,
    SumOverTime,
    CountOverTime,
    MinOverTime,
    MaxOverTime,
    StddevOverTime,
    StdvarOverTime,
    QuantileOverTime {
        quantile: usize,
    },
    MadOverTime,
    /// Also the base of `absent_over_time`.
    PresentOverTime,
    LastOverTime,
    FirstOverTime,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMinOverTime,
    TsOfMaxOverTime,
}

/// One series on its way through a range function. No staleness markers are among the samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RangeInput<'a> {
    pub(crate) timestamps: &'a [i64],
    pub(crate) values: &'a [f64],
    /// If samples are left out: the place of each among all. Only where the function needs no more
    /// than the ends of windows and what falls between.
    pub(crate) places: &'a [u32],
    /// Inputs of the same number, if it is not 0, have the same timestamps and places.
    pub(crate) times_number: u64,
    /// Times of evaluation.
    pub(crate) grid: Grid,
    /// Times the windows end at.
    pub(crate) reference: Grid,
    pub(crate) range_ms: i64,
    pub(crate) params: &'a [Column],
}

impl<'a> RangeInput<'a> {
    /// All samples of a series and windows that end at the times of evaluation.
    #[cfg(test)]
    pub(crate) const fn whole(timestamps: &'a [i64], values: &'a [f64], grid: Grid, range_ms: i64) -> Self {
        Self {
            timestamps,
            values,
            places: &[],
            times_number: 0,
            grid,
            reference: grid,
            range_ms,
            params: &[],
        }
    }

    pub(crate) const fn windows(&self) -> window::Windows<'a> {
        window::Windows::new(self.timestamps, self.reference, self.range_ms)
    }

    /// Calls `value` with the samples of every window that has some.
    pub(crate) fn each_window(
        &self,
        out: &mut [f64],
        mut value: impl FnMut(usize, &'a [i64], &'a [f64]) -> f64,
    ) {
        for (step, window) in self.windows() {
            let samples = self.timestamps.get(window.clone()).zip(self.values.get(window));
            if let Some((timestamps, values)) = samples
                && !values.is_empty()
                && let Some(out) = out.get_mut(step)
            {
                *out = value(step, timestamps, values);
            }
        }
    }

    /// Fails when a window and the `held` values together are more samples than a query may hold.
    pub(crate) fn check_windows(&self, held: u64, samples_max: u64) -> Result<(), EvalError> {
        if held + self.values.len() as u64 <= samples_max {
            return Ok(());
        }
        let largest = self.windows().map(|(_, window)| window.len()).max().unwrap_or(0);
        if held + largest as u64 > samples_max { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    /// Number of samples from one index to another, both included.
    #[inline]
    pub(crate) fn count(&self, first: usize, last: usize) -> usize {
        match (self.places.get(first), self.places.get(last)) {
            (Some(first), Some(last)) => last.saturating_sub(*first) as usize + 1,
            _ => last - first + 1,
        }
    }

    pub(crate) fn param(&self, index: usize, step: usize) -> f64 {
        self.params.get(index).map_or(f64::NAN, |column| column.at(step))
    }
}

/// Something that follows from the times of a series, kept for others that have the same.
#[derive(Debug)]
pub(crate) struct OfTimes<T> {
    number: u64,
    list: Vec<T>,
}

impl<T> Default for OfTimes<T> {
    fn default() -> Self {
        Self { number: 0, list: Vec::new() }
    }
}

impl<T> OfTimes<T> {
    /// What `fill` makes of the times of this number, 0 if they have none.
    pub(crate) fn get(&mut self, times_number: u64, fill: impl FnOnce(&mut Vec<T>)) -> &[T] {
        if times_number == 0 || times_number != self.number {
            self.number = times_number;
            self.list.clear();
            fill(&mut self.list);
        }
        &self.list
    }
}

/// Buffers that outlive a series. All series pass through one function with the same windows.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) floats: Vec<f64>,
    pub(crate) indices: Vec<u32>,
    pub(crate) deque: std::collections::VecDeque<usize>,
    pub(crate) totals: Vec<i64>,
    pub(crate) windows: OfTimes<StepWindow>,
    pub(crate) reaches: OfTimes<rate::Reach>,
}

/// A step and the samples of its window, of which there is one at least.
pub(crate) type StepWindow = (usize, std::ops::Range<usize>);

impl RangeFunction {
    /// What it needs of the samples in its windows.
    #[must_use]
    pub(crate) const fn need(self, windows: Windows) -> Need {
        match self {
            Self::Rate
            | Self::Increase
            | Self::Delta
            | Self::Resets
            | Self::PresentOverTime
            | Self::FirstOverTime
            | Self::LastOverTime
            | Self::TsOfFirstOverTime
            | Self::TsOfLastOverTime => Need::Ends(windows),
            Self::MaxOverTime => Need::Greatest(windows),
            Self::MinOverTime => Need::Least(windows),
            _ => Need::All,
        }
    }

    /// Whether the metric name stays, since values are those of the metric.
    #[must_use]
    pub const fn keeps_name(self) -> bool {
        matches!(self, Self::LastOverTime | Self::FirstOverTime)
    }

    /// Fills `out` with one value per step, [`ABSENT`] where there is none.
    pub(crate) fn evaluate(
        self,
        input: &RangeInput<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<f64>,
    ) -> Result<(), EvalError> {
        out.clear();
        out.resize(input.reference.steps, ABSENT);
        match self {
            Self::Rate => rate::extrapolated(input, rate::Kind::Rate, scratch, out),
            Self::Increase => rate::extrapolated(input, rate::Kind::Increase, scratch, out),
            Self::Delta => rate::extrapolated(input, rate::Kind::Delta, scratch, out),
            Self::Irate => rate::of_last_two(input, true, out),
            Self::Idelta => rate::of_last_two(input, false, out),
            Self::Changes => rate::changes(input, scratch, out),
            Self::Resets => rate::resets(input, scratch, out),
            Self::Deriv => trend::deriv(input, out),
            Self::PredictLinear { seconds } => trend::predict_linear(input, seconds, out),
            Self::DoubleExponentialSmoothing { smoothing, trend } => {
                trend::double_exponential_smoothing(input, smoothing, trend, out)?;
            }
            Self::AvgOverTime => {
                let mean = |sum, lost, count| sum / count + lost / count;
                lockstep::each_sum(input, scratch, out, mean, over_time::avg);
            }
            Self::SumOverTime => {
                let sum = |sum, lost, _| sum + lost;
                lockstep::each_sum(input, scratch, out, sum, over_time::sum);
            }
            Self::CountOverTime => input.each_window(out, |_, _, values| values.len() as f64),
            Self::MinOverTime => over_time::extreme(input, scratch, out, |new, old| new < old),
            Self::MaxOverTime => over_time::extreme(input, scratch, out, |new, old| new > old),
            Self::StddevOverTime => input.each_window(out, |_, _, values| over_time::variance(values).sqrt()),
            Self::StdvarOverTime => input.each_window(out, |_, _, values| over_time::variance(values)),
            Self::QuantileOverTime { quantile } => {
                input.each_window(out, |step, _, values| {
                    over_time::quantile(input.param(quantile, step), values, &mut scratch.floats)
                });
            }
            Self::MadOverTime => {
                input.each_window(out, |_, _, values| {
                    over_time::median_absolute_deviation(values, &mut scratch.floats)
                });
            }
            Self::PresentOverTime => input.each_window(out, |_, _, _| 1.0),
            Self::LastOverTime => {
                input.each_window(out, |_, _, values| values.last().copied().unwrap_or(ABSENT));
            }
            Self::FirstOverTime => {
                input.each_window(out, |_, _, values| values.first().copied().unwrap_or(ABSENT));
            }
            Self::TsOfFirstOverTime => input.each_window(out, |_, timestamps, _| seconds(timestamps.first())),
            Self::TsOfLastOverTime => input.each_window(out, |_, timestamps, _| seconds(timestamps.last())),
            Self::TsOfMinOverTime => input.each_window(out, |_, timestamps, values| {
                over_time::time_of(timestamps, values, |new, old| new <= old)
            }),
            Self::TsOfMaxOverTime => input.each_window(out, |_, timestamps, values| {
                over_time::time_of(timestamps, values, |new, old| new >= old)
            }),
        }
        Ok(())
    }
}

impl RangeFunction {
    /// Says what is odd about the function of this series; `span` is the place of the range vector.
    pub(crate) fn annotate(
        self,
        input: &RangeInput<'_>,
        labels: &Labels,
        column: &[f64],
        span: Span,
        annotations: &mut Annotations,
    ) {
        match self {
            Self::Rate | Self::Increase => {
                if let Some(name) = labels.metric_name()
                    && !["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end))
                    && column.iter().any(|&value| is_present(value))
                {
                    annotations.info(
                        span,
                        format!(
                            "metric might not be a counter, name does not end in \
                             _total/_sum/_count/_bucket: {}",
                            quoted(name)
                        ),
                    );
                }
            }
            Self::QuantileOverTime { quantile } => {
                for (step, _) in column.iter().enumerate().filter(|(_, value)| is_present(**value)) {
                    let quantile = input.param(quantile, step);
                    if !(0.0..=1.0).contains(&quantile) {
                        annotations.bad_quantile(span, quantile);
                    }
                }
            }
            _ => {}
        }
    }
}

fn seconds(timestamp: Option<&i64>) -> f64 {
    timestamp.map_or(ABSENT, |&timestamp| timestamp as f64 / 1_000.0)
}
