//! Label names, label values and series, out of memory and all parts.
//!
//! Times are respected as far as a part is inside or outside of the range. Where samples were
//! deleted that some part still holds, series are looked at one by one, so that what has no data
//! left is not told of.

use std::collections::BTreeSet;
use std::rc::Rc;

use roaring::RoaringBitmap;

use super::stream::{Located, SeriesStream, as_block};
use super::view::View;
use super::{Shard, damage};
use crate::error::Result;
use crate::model::need::Need;
use crate::model::{Labels, Matcher, TimeRange};
use crate::tombstone;

impl Shard {
    /// Names of the labels of the series that satisfy one of the selectors (none: of all series)
    /// and have samples in the range.
    pub async fn label_names(
        self: &Rc<Self>,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        if self.has_deletes() {
            self.for_each_series(selectors, range, &mut |labels| {
                names.extend(labels.iter().map(|(name, _)| name.to_owned()));
                true
            })
            .await?;
            return Ok(names);
        }
        let view = View::take_ranked(self);
        let present = self.present(&view, selectors, range);
        names.extend(self.state.borrow().registry.label_names(Some(&present)));
        for part in view.parts.iter().filter(|part| part.meta.overlaps(range)) {
            let Some(block) = as_block(part) else { continue };
            let found = async {
                let within = chosen(block.index(), selectors).await?;
                block.index().label_names(within.as_ref()).await
            };
            names.extend(damage::tolerate(self, part, found.await)?.unwrap_or_default());
        }
        Ok(names)
    }

    /// Values of one label, likewise.
    pub async fn label_values(
        self: &Rc<Self>,
        name: &str,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Result<BTreeSet<String>> {
        let mut values = BTreeSet::new();
        if self.has_deletes() {
            self.for_each_series(selectors, range, &mut |labels| {
                values.extend(labels.get(name).map(str::to_owned));
                true
            })
            .await?;
            return Ok(values);
        }
        let view = View::take_ranked(self);
        let present = self.present(&view, selectors, range);
        values.extend(self.state.borrow().registry.label_values(name, Some(&present)));
        for part in view.parts.iter().filter(|part| part.meta.overlaps(range)) {
            let Some(block) = as_block(part) else { continue };
            let found = async {
                let within = chosen(block.index(), selectors).await?;
                block.index().label_values(name, within.as_ref()).await
            };
            values.extend(damage::tolerate(self, part, found.await)?.unwrap_or_default());
        }
        Ok(values)
    }

    /// The series themselves, likewise; at most `limit`.
    pub async fn series(
        self: &Rc<Self>,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Labels>> {
        let mut series = BTreeSet::new();
        self.for_each_series(selectors, range, &mut |labels| {
            if series.len() < limit {
                series.insert(labels);
            }
            series.len() < limit
        })
        .await?;
        Ok(series.into_iter().collect())
    }

    fn has_deletes(&self) -> bool {
        !self.state.borrow().deletes.is_empty()
    }

    /// Series of the registry that are meant and have samples in the range.
    fn present(&self, view: &View, selectors: &[Vec<Matcher>], range: TimeRange) -> RoaringBitmap {
        let candidates = {
            let state = self.state.borrow();
            if selectors.is_empty() {
                state.registry.select(&[])
            } else {
                let selected = selectors.iter().map(|matchers| state.registry.select(matchers));
                selected.fold(RoaringBitmap::new(), |union, selected| union | selected)
            }
        };
        let mut present = RoaringBitmap::new();
        view.for_each_present(&candidates, range, |series| {
            let _ = present.try_push(series.0);
        });
        present
    }

    /// Hands over the series that satisfy one of the selectors and have samples in the range, some
    /// of them more than once, until `put` returns false.
    async fn for_each_series(
        self: &Rc<Self>,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
        put: &mut dyn FnMut(Labels) -> bool,
    ) -> Result<()> {
        let all = [Vec::new()];
        let selectors = if selectors.is_empty() { &all } else { selectors };
        for matchers in selectors {
            let mut stream =
                SeriesStream::begin(View::take_ranked(self), matchers, range, &Need::All).await?;
            while let Some(located) = stream.next().await? {
                if is_there(stream.view(), &located) && !put(Labels::from_canonical_trusted(&located.labels))
                {
                    return Ok(());
                }
                self.disk.yield_if_needed().await;
            }
        }
        Ok(())
    }
}

/// Series of a block that satisfy one of the selectors; `None` means all.
async fn chosen<S: crate::index::block::PageSource>(
    index: &crate::index::block::BlockIndex<S>,
    selectors: &[Vec<Matcher>],
) -> Result<Option<RoaringBitmap>> {
    if selectors.is_empty() {
        return Ok(None);
    }
    let mut union = RoaringBitmap::new();
    for matchers in selectors {
        union |= index.select(matchers).await?;
    }
    Ok(Some(union))
}

/// Whether a series has samples that were not deleted: its chunks are, if their ends are.
fn is_there(view: &View, located: &Located) -> bool {
    let mut ranges = Vec::new();
    for (index, chunk) in &located.chunks {
        let Some(part) = view.parts.get(*index) else { continue };
        let concerns = |delete: &crate::model::Delete| tombstone::concerns(delete, &part.meta);
        tombstone::ranges_of(&view.deletes, &located.labels, concerns, &mut ranges);
        let gone = |time| ranges.iter().any(|range: &TimeRange| range.contains(time));
        if !gone(chunk.first_ms)
            || !gone(chunk.last_ms)
            || !joined(&mut ranges, chunk.first_ms, chunk.last_ms)
        {
            return true;
        }
    }
    located.memory.iter().any(|(sequence, columns)| {
        tombstone::ranges_of(
            &view.deletes,
            &located.labels,
            |delete| delete.sequence >= *sequence,
            &mut ranges,
        );
        let left = |time: &i64| !ranges.iter().any(|range| range.contains(*time));
        columns.timestamps_ms.iter().any(left)
    })
}

/// Whether ranges together cover all of time between two moments.
fn joined(ranges: &mut [TimeRange], first_ms: i64, last_ms: i64) -> bool {
    ranges.sort_by_key(|range| range.start_ms);
    let mut covered = first_ms;
    for range in ranges.iter().filter(|range| range.end_ms > first_ms) {
        if range.start_ms > covered {
            return false;
        }
        covered = covered.max(range.end_ms);
    }
    covered > last_ms
}
