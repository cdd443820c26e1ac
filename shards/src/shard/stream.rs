//! Series in label order with the references to their chunks, out of the registry and all blocks.
//!
//! Where a reader needs the last sample before a time only, what memory has of a series often makes
//! all older parts unnecessary: these are not even looked into.

use std::collections::VecDeque;
use std::rc::Rc;

use roaring::RoaringBitmap;

use super::parts::{Part, PartBody};
use super::view::View;
use super::{Shard, damage};
use crate::error::Result;
use crate::memtable::Generation;
use crate::model::need::Need;
use crate::model::{Matcher, SampleColumns, SeriesRef, TimeRange};
use crate::part::ChunkRef;

/// Series that are looked up at once.
const BATCH_SERIES: usize = 64;
/// Bytes that the labels of most series have at most.
const LABELS_LEN: usize = 384;

/// One series: where its samples are.
#[derive(Debug, Default)]
pub(super) struct Located {
    /// Canonical label bytes.
    pub(super) labels: Vec<u8>,
    /// Chunks that overlap the range, each with the index of its part in the view.
    pub(super) chunks: Vec<(usize, ChunkRef)>,
    /// Samples of the generations, with their sequences, the older one first.
    pub(super) memory: Vec<(u64, SampleColumns)>,
    /// Nothing is needed of parts that end then or before.
    known_from_ms: Option<i64>,
}

impl Located {
    fn needs(&self, part: &Part) -> bool {
        self.known_from_ms.is_none_or(|known_from_ms| part.meta.max_ms > known_from_ms)
    }
}

/// Series of one block that are still to come.
struct BlockSeries {
    part: usize,
    ordinals: roaring::bitmap::IntoIter,
    ahead: VecDeque<Located>,
}

/// See the module's text.
pub(super) struct SeriesStream {
    view: View,
    range: TimeRange,
    /// Of the samples until then the last one alone is needed.
    last_until_ms: Option<i64>,
    /// Whether series of the registry come with their labels.
    labelled: bool,
    /// Of the registry, in label order.
    refs: std::vec::IntoIter<SeriesRef>,
    ahead: VecDeque<Located>,
    blocks: Vec<BlockSeries>,
}

impl View {
    /// A view in which every series of the registry has a rank.
    pub(super) fn take_ranked(shard: &Rc<Shard>) -> Self {
        shard.state.borrow_mut().registry.rank_new();
        Self::take(shard)
    }

    /// Calls `each` with those series of the registry that memtable and runs have in the range, in
    /// order of their numbers.
    pub(super) fn for_each_present(
        &self,
        candidates: &RoaringBitmap,
        range: TimeRange,
        mut each: impl FnMut(SeriesRef),
    ) {
        let state = self.shard().state.borrow();
        let runs: Vec<_> = self
            .parts
            .iter()
            .filter(|part| part.meta.overlaps(range))
            .filter_map(|part| part.as_run())
            .collect();
        self.with_generations(&state, |generations| {
            let in_memory = |series: u32| {
                generations.iter().any(|(_, generation)| {
                    let bounds = generation.series_bounds(SeriesRef(series));
                    bounds.is_some_and(|(first_ms, last_ms)| range.overlaps_inclusive(first_ms, last_ms))
                })
            };
            for series in candidates {
                if in_memory(series) || runs.iter().any(|run| run.numbers().contains(series)) {
                    each(SeriesRef(series));
                }
            }
        });
    }
}

impl SeriesStream {
    /// Finds the series that satisfy all matchers and may have samples in the range.
    pub(super) async fn begin(
        view: View,
        matchers: &[Matcher],
        range: TimeRange,
        need: &Need,
    ) -> Result<Self> {
        let last_until_ms = match need {
            // The last sample of memory may be deleted.
            Need::Last(windows) if view.deletes.is_empty() => Some(windows.end_ms),
            _ => None,
        };
        let selected = view.shard().state.borrow().registry.select(matchers);
        let mut ranked: Vec<(u32, SeriesRef)> = Vec::new();
        view.for_each_present(&selected, range, |series| {
            ranked.extend(view.rank(series).map(|rank| (rank, series)));
        });
        ranked.sort_unstable();
        let refs: Vec<SeriesRef> = ranked.into_iter().map(|(_, series)| series).collect();
        let mut blocks = Vec::new();
        for (index, part) in view.parts.iter().enumerate() {
            let PartBody::Block(block) = &part.body else { continue };
            if !part.meta.overlaps(range) {
                continue;
            }
            let ordinals = block.index().select(matchers).await;
            let Some(ordinals) = damage::tolerate(view.shard(), part, ordinals)? else { continue };
            if !ordinals.is_empty() {
                blocks.push(BlockSeries {
                    part: index,
                    ordinals: ordinals.into_iter(),
                    ahead: VecDeque::new(),
                });
            }
        }
        let (refs, ahead) = (refs.into_iter(), VecDeque::new());
        Ok(Self { view, range, last_until_ms, labelled: true, refs, ahead, blocks })
    }

    /// Leaves labels out where neither the join with blocks nor deletes ask for them.
    pub(super) fn leave_labels(&mut self) {
        self.labelled = !self.blocks.is_empty() || !self.view.deletes.is_empty();
    }

    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    /// The next series.
    pub(super) async fn next(&mut self) -> Result<Option<Located>> {
        if self.ahead.is_empty() {
            self.look_up().await?;
        }
        for block in &mut self.blocks {
            if block.ahead.is_empty() {
                block.look_up(&self.view, self.range).await?;
            }
        }
        self.blocks.retain(|block| !block.ahead.is_empty());
        // Whose first series is the least, the registry's or that of which block.
        let mut least = self.ahead.front().map(|located| (None, located.labels.as_slice()));
        for (index, block) in self.blocks.iter().enumerate() {
            if let Some(located) = block.ahead.front()
                && least.is_none_or(|(_, labels)| located.labels.as_slice() < labels)
            {
                least = Some((Some(index), located.labels.as_slice()));
            }
        }
        let Some((holder, _)) = least else { return Ok(None) };
        let holder = match holder {
            Some(index) => self.blocks.get_mut(index).map(|block| &mut block.ahead),
            None => Some(&mut self.ahead),
        };
        let Some(mut joined) = holder.and_then(VecDeque::pop_front) else { return Ok(None) };
        for block in &mut self.blocks {
            if block.ahead.front().is_some_and(|located| located.labels == joined.labels)
                && let Some(located) = block.ahead.pop_front()
                && self.view.parts.get(block.part).is_some_and(|part| joined.needs(part))
            {
                joined.chunks.extend(located.chunks);
            }
        }
        Ok(Some(joined))
    }

    /// Gets the next series of the registry: labels and samples in memory in one step, then what
    /// runs have of them.
    async fn look_up(&mut self) -> Result<()> {
        let wanted: Vec<SeriesRef> = self.refs.by_ref().take(BATCH_SERIES).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut found: Vec<Located> = {
            let state = self.view.shard().state.borrow();
            let locate = |series: &SeriesRef| {
                let mut located = Located::default();
                if self.labelled {
                    located.labels.reserve(LABELS_LEN);
                    state.registry.labels_into(*series, &mut located.labels);
                }
                located
            };
            let mut found: Vec<Located> = wanted.iter().map(locate).collect();
            self.view.with_generations(&state, |generations| {
                for (series, located) in wanted.iter().zip(&mut found) {
                    self.read_memory(generations, *series, located);
                }
            });
            found
        };
        for (index, part) in self.view.parts.iter().enumerate() {
            let Some(run) = part.as_run().filter(|_| part.meta.overlaps(self.range)) else { continue };
            let rank = |series| self.view.rank(series);
            let range = self.range;
            let mut needed: Vec<(SeriesRef, &mut Located)> =
                wanted.iter().copied().zip(&mut found).filter(|(_, located)| located.needs(part)).collect();
            let series: Vec<SeriesRef> = needed.iter().map(|(series, _)| *series).collect();
            let mut put = |at: usize, chunks: &[ChunkRef]| {
                if let Some((_, located)) = needed.get_mut(at) {
                    let inside = chunks.iter().filter(|chunk| chunk.overlaps(range));
                    located.chunks.extend(inside.map(|chunk| (index, *chunk)));
                }
            };
            let read = run.chunks_of(&series, &rank, &mut put).await;
            damage::tolerate(self.view.shard(), part, read)?;
        }
        self.ahead.extend(found);
        Ok(())
    }

    /// What the generations have of a series.
    fn read_memory(&self, generations: &[(u64, &Generation)], series: SeriesRef, located: &mut Located) {
        if let Some(until_ms) = self.last_until_ms {
            let newest = generations.iter().filter_map(|(sequence, generation)| {
                generation.newest(series).map(|(time_ms, value)| (time_ms, *sequence, value))
            });
            if let Some((time_ms, sequence, Some(value))) = newest.max_by_key(|newest| (newest.0, newest.1))
                && time_ms <= until_ms
                && self.range.contains(time_ms)
            {
                let mut columns = SampleColumns::default();
                columns.overlay(&[time_ms], &[value]);
                located.memory.push((sequence, columns));
                located.known_from_ms = Some(time_ms);
                return;
            }
        }
        for (sequence, generation) in generations {
            let mut columns = SampleColumns::default();
            generation.read(series, self.range, &mut columns.timestamps_ms, &mut columns.values);
            if let Some(until_ms) = self.last_until_ms {
                let until = columns.timestamps_ms.partition_point(|time_ms| *time_ms <= until_ms);
                let last_ms = until.checked_sub(1).and_then(|last| columns.timestamps_ms.get(last));
                located.known_from_ms = located.known_from_ms.max(last_ms.copied());
            }
            if !columns.is_empty() {
                located.memory.push((*sequence, columns));
            }
        }
    }
}

impl BlockSeries {
    async fn look_up(&mut self, view: &View, range: TimeRange) -> Result<()> {
        let Some(part) = view.parts.get(self.part) else { return Ok(()) };
        let PartBody::Block(block) = &part.body else { return Ok(()) };
        while self.ahead.is_empty() {
            let next: RoaringBitmap = self.ordinals.by_ref().take(BATCH_SERIES).collect();
            if next.is_empty() {
                return Ok(());
            }
            let (index, base_ms) = (self.part, part.meta.window.start_ms);
            let ahead = &mut self.ahead;
            let mut chunks = Vec::new();
            let mut unreadable = false;
            let mut put = |_: u32, labels: &[u8], entry: &[u8]| {
                if crate::part::chunk::read_entry(entry, base_ms, &mut chunks).is_err() {
                    unreadable = true;
                    return Ok(());
                }
                let inside = chunks.iter().filter(|chunk| chunk.overlaps(range));
                let chunks: Vec<_> = inside.map(|chunk| (index, *chunk)).collect();
                if !chunks.is_empty() {
                    ahead.push_back(Located { labels: labels.to_vec(), chunks, ..Located::default() });
                }
                Ok(())
            };
            let read = block.index().for_each(&next, &mut put).await;
            damage::tolerate(view.shard(), part, read)?;
            if unreadable {
                damage::report(view.shard(), part, "the chunks of a series cannot be read");
            }
        }
        Ok(())
    }
}

/// Whether a part is a block, and not a run.
pub(super) const fn as_block(part: &Part) -> Option<&crate::block::Block> {
    match &part.body {
        PartBody::Block(block) => Some(block),
        PartBody::Run(_) => None,
    }
}
