//! Reading: series by matchers with their samples, label names and values, metadata.

use std::collections::BTreeSet;
use std::rc::Rc;

use roaring::RoaringBitmap;

use super::metrics::add;
use super::{Shard, State};
use crate::error::Result;
use crate::model::{Labels, Matcher, Metadata, SeriesRef, TimeRange};

/// Samples of one series as two columns of equal length, sorted by time, times unique.
#[derive(Debug, Clone, Default)]
pub struct SampleColumns {
    pub timestamps_ms: Vec<i64>,
    pub values: Vec<f64>,
}

/// The selected series, one after the other. Lives on the shard's core.
///
/// It sees the samples that are there when a series is reached; dropping it ends the read.
pub struct SeriesCursor {
    shard: Rc<Shard>,
    refs: roaring::bitmap::IntoIter,
    range: TimeRange,
}

impl SeriesCursor {
    /// The next series that has samples in the range, with these samples in `columns`.
    pub async fn next(&mut self, columns: &mut SampleColumns) -> Result<Option<Labels>> {
        self.shard.disk.yield_if_needed().await;
        let state = self.shard.state.borrow();
        for series in self.refs.by_ref().map(SeriesRef) {
            columns.timestamps_ms.clear();
            columns.values.clear();
            state.memtable.read(series, self.range, &mut columns.timestamps_ms, &mut columns.values);
            if columns.timestamps_ms.is_empty() {
                continue;
            }
            add(&self.shard.counters.select_series, 1);
            add(&self.shard.counters.select_samples, columns.timestamps_ms.len() as u64);
            return Ok(Some(state.registry.labels(series)));
        }
        Ok(None)
    }
}

impl Shard {
    /// Begins a read of the series that satisfy all matchers.
    #[must_use]
    pub fn select(self: &Rc<Self>, matchers: &[Matcher], range: TimeRange) -> SeriesCursor {
        add(&self.counters.selects, 1);
        let refs = self.state.borrow().registry.select(matchers);
        SeriesCursor { shard: Rc::clone(self), refs: refs.into_iter(), range }
    }

    /// Names of the labels of the series that satisfy one of the selectors (none: of all series)
    /// and have samples in the range.
    #[must_use]
    pub fn label_names(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> BTreeSet<String> {
        let state = self.state.borrow();
        let chosen = state.chosen(selectors, range);
        state.registry.label_names(chosen.as_ref()).into_iter().collect()
    }

    /// Values of one label, likewise.
    #[must_use]
    pub fn label_values(&self, name: &str, selectors: &[Vec<Matcher>], range: TimeRange) -> BTreeSet<String> {
        let state = self.state.borrow();
        let chosen = state.chosen(selectors, range);
        state.registry.label_values(name, chosen.as_ref()).into_iter().collect()
    }

    /// The series themselves, likewise; at most `limit`.
    #[must_use]
    pub fn series(&self, selectors: &[Vec<Matcher>], range: TimeRange, limit: usize) -> Vec<Labels> {
        let state = self.state.borrow();
        let chosen = match state.chosen(selectors, range) {
            Some(chosen) => chosen,
            None => state.registry.select(&[]),
        };
        chosen.into_iter().take(limit).map(|series| state.registry.labels(SeriesRef(series))).collect()
    }

    /// What senders said about their metric families, in no order.
    #[must_use]
    pub fn metadata(&self) -> Vec<Metadata> {
        self.state.borrow().metadata.values().cloned().collect()
    }
}

impl State {
    /// The chosen series; `None` means all.
    fn chosen(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Option<RoaringBitmap> {
        let selected = if selectors.is_empty() {
            None
        } else {
            let mut union = RoaringBitmap::new();
            for matchers in selectors {
                union |= self.registry.select(matchers);
            }
            Some(union)
        };
        let covered = self
            .memtable
            .bounds()
            .is_none_or(|(first_ms, last_ms)| range.contains(first_ms) && range.contains(last_ms));
        if covered {
            return selected;
        }
        let candidates = selected.unwrap_or_else(|| self.registry.select(&[]));
        let inside = candidates.into_iter().filter(|series| {
            let bounds = self.memtable.series_bounds(SeriesRef(*series));
            bounds.is_some_and(|(first_ms, last_ms)| range.overlaps_inclusive(first_ms, last_ms))
        });
        Some(inside.collect())
    }
}
