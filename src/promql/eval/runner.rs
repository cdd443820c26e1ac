//! Shard side of an evaluation: series in, evaluated series or partial aggregates out.

use shards::model::{KeyHasher, Labels, METRIC_NAME, MatchOp, SampleColumns, SeriesKey, is_stale_nan};

use super::EvalError;
use super::selector::{find_latest, select};
use crate::promql::aggregate::order::Selection;
use crate::promql::aggregate::partial::{PartialAggregator, PartialGroup};
use crate::promql::annotation::Annotations;
use crate::promql::functions::range::{OfTimes, RangeInput, Scratch};
use crate::promql::plan::{Fragment, NameRule, ReduceOp, WindowFunction};
use crate::promql::value::{Column, EvalSeries, RawSeries, is_metadata, is_present, without_metadata};

/// Runs one fragment over the series of one shard.
#[derive(Debug)]
pub struct FragmentRunner<'a> {
    fragment: &'a Fragment,
    unmarked: Unmarked,
    /// Places of the samples of an instant selection.
    latest: OfTimes<u32>,
    scratch: Scratch,
    /// Values of the series at hand.
    column: Vec<f64>,
    sink: Sink,
    /// Whether the selector allows one metric name only, so that dropping it makes no two series
    /// equal.
    one_name: bool,
    identities: Vec<SeriesKey>,
    annotations: Annotations,
    samples: u64,
    /// Values kept so far, counted as if nothing were aggregated.
    held: u64,
}

/// Where evaluated series go.
#[derive(Debug)]
enum Sink {
    Series(Vec<EvalSeries>),
    Raw(Vec<RawSeries>),
    Aggregate(PartialAggregator),
    Select(Selection),
}

/// What a shard sends back for a fragment. Crosses cores.
#[derive(Debug, Clone)]
pub struct FragmentOutput {
    pub(crate) payload: Payload,
    /// Of aggregated series that may be equal to another after losing their name: their identity
    /// without it.
    pub(crate) identities: Vec<SeriesKey>,
    pub(crate) annotations: Annotations,
    pub(crate) samples: u64,
    pub(crate) held: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Series(Vec<EvalSeries>),
    Raw(Vec<RawSeries>),
    Groups(Vec<PartialGroup>),
}

impl FragmentOutput {
    /// Samples the shard fed into the evaluation.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }
}

impl<'a> FragmentRunner<'a> {
    #[must_use]
    pub fn new(fragment: &'a Fragment) -> Self {
        let steps = fragment.grid.steps;
        let sink = match (&fragment.reduce, fragment.window) {
            (_, WindowFunction::Raw { .. }) => Sink::Raw(Vec::new()),
            (None, _) => Sink::Series(Vec::new()),
            (Some(reduction), _) => match reduction.op {
                ReduceOp::Aggregate(op) => {
                    Sink::Aggregate(PartialAggregator::new(op, &reduction.grouping, steps))
                }
                ReduceOp::Select { largest, k } => {
                    let k = fragment.params.get(k).cloned().unwrap_or(Column::Constant(0.0));
                    Sink::Select(Selection::new(largest, k, &reduction.grouping, steps))
                }
            },
        };
        let one_name = fragment.matchers.iter().any(|matcher| {
            matcher.name() == METRIC_NAME && matcher.op() == MatchOp::Equal && !matcher.value().is_empty()
        });
        Self {
            fragment,
            unmarked: Unmarked::default(),
            latest: OfTimes::default(),
            scratch: Scratch::default(),
            column: Vec::new(),
            sink,
            one_name,
            identities: Vec::new(),
            annotations: Annotations::new(),
            samples: 0,
            held: 0,
        }
    }

    /// Takes in one series with its samples in [`Fragment::range`]: sorted by time, times unique,
    /// staleness markers included. Each series once. If only what is needed comes, see
    /// [`Fragment::need`], there are places, and staleness markers are not counted nor included.
    pub fn push(&mut self, labels: &Labels, columns: &SampleColumns) -> Result<(), EvalError> {
        let (timestamps, values) = (&columns.timestamps_ms, &columns.values);
        assert_eq!(timestamps.len(), values.len(), "a sample has a time and a value");
        self.samples += values.len() as u64;
        let fragment = self.fragment;
        match fragment.window {
            WindowFunction::Instant | WindowFunction::InstantTimestamp => {
                let time_of_sample = fragment.window == WindowFunction::InstantTimestamp;
                let (reference, lookback_ms) = (&fragment.reference, fragment.lookback_ms);
                let places = self.latest.get(columns.times_number(), |places| {
                    find_latest(timestamps, reference, lookback_ms, places);
                });
                let present = select(places, timestamps, values, time_of_sample, &mut self.column);
                self.hold(present)?;
            }
            WindowFunction::Range { function, range_ms } => {
                let input = input(fragment, range_ms, self.unmarked.of(columns));
                input.check_windows(self.held, fragment.samples_max)?;
                function.evaluate(&input, &mut self.scratch, &mut self.column)?;
                function.annotate(&input, labels, &self.column, fragment.span, &mut self.annotations);
                let present = self.column.iter().filter(|&&value| is_present(value)).count();
                self.hold(present as u64)?;
            }
            WindowFunction::Raw { range_ms } => return self.push_raw(labels, range_ms, columns),
        }
        for map in fragment.maps.iter() {
            map.apply(&mut self.column, &fragment.params);
        }
        if self.column.iter().any(|&value| is_present(value)) {
            self.keep(labels);
        }
        Ok(())
    }

    /// Samples taken in so far.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    #[must_use]
    pub fn finish(self) -> FragmentOutput {
        let payload = match self.sink {
            Sink::Series(series) => Payload::Series(series),
            Sink::Raw(raw) => Payload::Raw(raw),
            Sink::Aggregate(aggregator) => Payload::Groups(aggregator.into_groups()),
            Sink::Select(selection) => Payload::Series(selection.finish()),
        };
        FragmentOutput {
            payload,
            identities: self.identities,
            annotations: self.annotations,
            samples: self.samples,
            held: self.held,
        }
    }

    fn hold(&mut self, values: u64) -> Result<(), EvalError> {
        self.held += values;
        if self.held > self.fragment.samples_max { Err(EvalError::TooManySamples) } else { Ok(()) }
    }

    /// Passes the column on under the labels it has from here on.
    fn keep(&mut self, labels: &Labels) {
        let renamed;
        let labels = if self.fragment.name == NameRule::Drop {
            renamed = without_metadata(labels);
            let only_name_dropped =
                self.one_name && !labels.iter().any(|(name, _)| is_metadata(name) && name != METRIC_NAME);
            if matches!(self.sink, Sink::Aggregate(_) | Sink::Select(_)) && !only_name_dropped {
                self.identities.push(KeyHasher::new(0).key(renamed.as_bytes()));
            }
            &renamed
        } else {
            labels
        };
        let drop_name = self.fragment.name == NameRule::Mark;
        match &mut self.sink {
            Sink::Series(series) => {
                let values = std::mem::take(&mut self.column);
                series.push(EvalSeries { labels: labels.clone(), drop_name, values });
            }
            Sink::Aggregate(aggregator) => {
                aggregator.update(labels, drop_name, &self.column);
            }
            Sink::Select(selection) => {
                selection.offer(labels, drop_name, &self.column);
            }
            Sink::Raw(_) => unreachable!("raw samples have no column"),
        }
    }

    fn push_raw(&mut self, labels: &Labels, range_ms: i64, columns: &SampleColumns) -> Result<(), EvalError> {
        let input = input(self.fragment, range_ms, self.unmarked.of(columns));
        let Some((_, window)) = input.windows().next() else { return Ok(()) };
        let samples = input.timestamps.get(window.clone()).zip(input.values.get(window));
        let Some((timestamps, values)) = samples else { return Ok(()) };
        if values.is_empty() {
            return Ok(());
        }
        let raw =
            RawSeries { labels: labels.clone(), timestamps: timestamps.to_vec(), values: values.to_vec() };
        let count = values.len() as u64;
        if let Sink::Raw(series) = &mut self.sink {
            series.push(raw);
        }
        self.hold(count)
    }
}

/// A copy of samples without staleness markers.
#[derive(Debug, Default)]
struct Unmarked(SampleColumns);

impl Unmarked {
    /// The samples but for staleness markers; copied only when there are some.
    fn of<'s>(&'s mut self, columns: &'s SampleColumns) -> &'s SampleColumns {
        // Most have no NaN at all, which is seen at many values a time.
        let has_nan = columns.values.iter().fold(false, |any, value| any | value.is_nan());
        if !has_nan || !columns.values.iter().any(|&value| is_stale_nan(value)) {
            return columns;
        }
        self.0.clear();
        for (&timestamp, &value) in columns.timestamps_ms.iter().zip(&columns.values) {
            if !is_stale_nan(value) {
                self.0.timestamps_ms.push(timestamp);
                self.0.values.push(value);
            }
        }
        &self.0
    }
}

fn input<'s>(fragment: &'s Fragment, range_ms: i64, columns: &'s SampleColumns) -> RangeInput<'s> {
    RangeInput {
        timestamps: &columns.timestamps_ms,
        values: &columns.values,
        places: &columns.places,
        times_number: columns.times_number(),
        grid: fragment.grid,
        reference: fragment.reference,
        range_ms,
        params: &fragment.params,
    }
}
