//! Shard side of an evaluation: series in, evaluated series or partial aggregates out.

use shards::model::Labels;

use super::EvalError;
use crate::promql::annotation::Annotations;
use crate::promql::plan::Fragment;
use crate::promql::value::{EvalSeries, RawSeries};

/// Runs one fragment over the series of one shard.
#[derive(Debug)]
pub struct FragmentRunner<'a> {
    fragment: &'a Fragment,
    output: FragmentOutput,
}

/// What a shard sends back for a fragment. Crosses cores.
#[derive(Debug, Clone, Default)]
pub struct FragmentOutput {
    pub(crate) series: Vec<EvalSeries>,
    pub(crate) raw: Vec<RawSeries>,
    pub(crate) annotations: Annotations,
    pub(crate) samples: u64,
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
        Self { fragment, output: FragmentOutput::default() }
    }

    /// Takes in one series with all its samples in [`Fragment::range`]: sorted by time, times
    /// unique, staleness markers included. Each series once.
    pub fn push(&mut self, labels: &Labels, timestamps: &[i64], values: &[f64]) -> Result<(), EvalError> {
        let _ = (labels, timestamps, values, self.fragment);
        Ok(())
    }

    /// Samples taken in so far.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.output.samples
    }

    #[must_use]
    pub fn finish(self) -> FragmentOutput {
        self.output
    }
}
