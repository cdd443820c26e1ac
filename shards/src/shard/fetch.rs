//! From references to samples: the bytes of many chunks are read at once, then decoded series by
//! series.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

use super::damage;
use super::sieve::Sieve;
use super::stream::{Located, SeriesStream};
use super::times::{Times, TimesCache, TimesKey};
use super::view::View;
use crate::chunk::column::Decoder;
use crate::codec::crc::unsealed;
use crate::error::Result;
use crate::io::cache::Loaded;
use crate::model::need::Need;
use crate::model::{SampleColumns, TimeRange};
use crate::part::{ChunkKind, ChunkRef};
use crate::tombstone;

/// Series whose chunks are read at once, and bytes of these.
const BATCH_SERIES: usize = 64;
const BATCH_BYTES: u64 = 4 << 20;

/// A series whose chunks are in memory.
pub(super) struct Fetched {
    pub(super) labels: Vec<u8>,
    located: Located,
    /// Pages of the files of its parts.
    pages: Rc<HashMap<usize, Loaded>>,
}

/// Which samples of a chunk are wanted.
#[derive(Clone, Copy)]
enum Sieved {
    All,
    /// Those that the reader needs; their times and places are added if `tell` is set.
    Needed {
        tell: bool,
    },
}

/// The timestamps and places of the series before, if another series may have them as well.
#[derive(Default)]
struct SharedTimes {
    /// See [`SampleColumns::times_number`].
    number: u64,
    outline: Outline,
    /// Columns of timestamps, in order of time, with their lengths.
    columns: Vec<(TimesKey, u32)>,
}

/// Lengths of both columns, first and last timestamp: whether the reader has taken or moved them.
type Outline = (usize, usize, Option<i64>, Option<i64>);

fn outline(columns: &SampleColumns) -> Outline {
    let times = &columns.timestamps_ms;
    (times.len(), columns.places.len(), times.first().copied(), times.last().copied())
}

impl SharedTimes {
    /// Whether `columns` still hold them and `located` has them too.
    fn are_of(&self, located: &Located, columns: &SampleColumns) -> bool {
        self.number != 0
            && columns.times_number() == self.number
            && outline(columns) == self.outline
            && located.memory.is_empty()
            && keys(located).eq(self.columns.iter().copied())
    }

    fn set(&mut self, located: &Located, columns: &mut SampleColumns) {
        self.number = columns.number_times();
        self.outline = outline(columns);
        self.columns.clear();
        self.columns.extend(keys(located));
    }
}

fn keys(located: &Located) -> impl Iterator<Item = (TimesKey, u32)> {
    located.chunks.iter().map(|(part, chunk)| ((*part, chunk.times.offset), chunk.count))
}

/// Reads and decodes chunks.
pub(super) struct Fetcher {
    decoder: Decoder,
    range: TimeRange,
    sieve: Sieve,
    /// For series of which all samples are needed, whatever the reader needs.
    whole: Sieve,
    times: TimesCache,
    shared: SharedTimes,
    part: SampleColumns,
    scratch: Vec<u8>,
    ranges: Vec<TimeRange>,
}

impl Fetcher {
    pub(super) fn new(range: TimeRange, need: Need) -> Self {
        Self {
            decoder: Decoder::new(),
            range,
            sieve: Sieve::new(need),
            whole: Sieve::new(Need::All),
            times: TimesCache::default(),
            shared: SharedTimes::default(),
            part: SampleColumns::default(),
            scratch: Vec::new(),
            ranges: Vec::new(),
        }
    }

    pub(super) const fn need(&self) -> &Need {
        self.sieve.need()
    }

    /// Reads the chunks of the next series of a stream.
    pub(super) async fn fill(
        &mut self,
        stream: &mut SeriesStream,
        out: &mut VecDeque<Fetched>,
    ) -> Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_SERIES && bytes < BATCH_BYTES {
            let Some(located) = stream.next().await? else { break };
            bytes += located.chunks.iter().map(|(_, chunk)| u64::from(chunk.values.len)).sum::<u64>();
            batch.push(located);
        }
        let mut extents: HashMap<usize, Vec<(u64, usize)>> = HashMap::new();
        for (part, chunk) in batch.iter().flat_map(|located| &located.chunks) {
            if chunk.kind != ChunkKind::Floats || !chunk.overlaps(self.range) {
                continue;
            }
            let extents = extents.entry(*part).or_default();
            // Also of times that are known by now: until the chunk is decoded they may be forgotten.
            extents.push((chunk.values.offset, chunk.values.len as usize));
            extents.push((chunk.times.offset, chunk.times.len as usize));
        }
        let mut pages = HashMap::new();
        for (index, extents) in extents {
            let Some(part) = stream.view().parts.get(index) else { continue };
            let loaded = part.file().load(extents).await;
            if let Some(loaded) = damage::tolerate(stream.view().shard(), part, loaded)? {
                pages.insert(index, loaded);
            }
        }
        let pages = Rc::new(pages);
        out.extend(batch.into_iter().map(|mut located| {
            let labels = std::mem::take(&mut located.labels);
            Fetched { labels, located, pages: Rc::clone(&pages) }
        }));
        Ok(())
    }

    /// Replaces `columns` by the samples of a series in the range: sorted, unique, newest write wins.
    /// Where nothing overlaps, those that are not needed are left out. Best given the columns of the
    /// series before.
    pub(super) fn decode(&mut self, view: &View, fetched: &mut Fetched, columns: &mut SampleColumns) {
        if !self.is_plain(view, fetched) {
            columns.clear();
            self.decode_overlaid(view, fetched, columns);
            return;
        }
        if self.shared.are_of(&fetched.located, columns) {
            columns.values.clear();
            if self.decode_in_turn(view, fetched, false, columns) {
                return;
            }
        }
        columns.clear();
        if self.decode_in_turn(view, fetched, true, columns) {
            self.shared.set(&fetched.located, columns);
        }
    }

    /// Puts the chunks in order of time. Whether they and memory do not overlap and nothing of the
    /// series is deleted.
    fn is_plain(&mut self, view: &View, fetched: &mut Fetched) -> bool {
        tombstone::ranges_of(&view.deletes, &fetched.labels, |_| true, &mut self.ranges);
        let Located { chunks, memory, .. } = &mut fetched.located;
        chunks.retain(|(_, chunk)| chunk.kind == ChunkKind::Floats);
        chunks.sort_by_key(|(_, chunk)| chunk.first_ms);
        let mut spans = chunks.iter().map(|(_, chunk)| (chunk.first_ms, chunk.last_ms)).chain(
            memory.iter().filter_map(|(_, samples)| {
                samples.timestamps_ms.first().copied().zip(samples.timestamps_ms.last().copied())
            }),
        );
        let mut before = i64::MIN;
        self.ranges.is_empty()
            && spans.all(|(first_ms, last_ms)| {
                let behind = first_ms > before;
                before = last_ms;
                behind
            })
    }

    /// Whether the times decided alone which samples are needed. With `tell` false these are in
    /// `columns` already, and if the answer is false, values are missing.
    fn decode_in_turn(
        &mut self,
        view: &View,
        fetched: &Fetched,
        tell: bool,
        columns: &mut SampleColumns,
    ) -> bool {
        self.sieve.begin();
        let mut by_times = true;
        for (index, chunk) in &fetched.located.chunks {
            let pages = fetched.pages.get(index);
            let decoded =
                pages.map(|pages| self.chunk(*index, chunk, pages, Sieved::Needed { tell }, columns));
            by_times &= decoded == Some(Some(true));
            if !by_times && !tell {
                return false;
            }
            if decoded == Some(None)
                && let Some(part) = view.parts.get(*index)
            {
                damage::report(view.shard(), part, "a chunk is damaged");
            }
        }
        for (_, memory) in &fetched.located.memory {
            self.sieve.memory(&memory.timestamps_ms, &memory.values, columns);
        }
        by_times && fetched.located.memory.is_empty()
    }

    fn decode_overlaid(&mut self, view: &View, fetched: &Fetched, columns: &mut SampleColumns) {
        let chunks = &fetched.located.chunks;
        let mut parts: Vec<usize> = chunks.iter().map(|(part, _)| *part).collect();
        // The parts of a view are in order of their sequences.
        parts.sort_unstable();
        parts.dedup();
        for index in parts {
            let Some(part) = view.parts.get(index) else { continue };
            let mut own = std::mem::take(&mut self.part);
            own.clear();
            for (_, chunk) in chunks.iter().filter(|(other, _)| *other == index) {
                if let Some(pages) = fetched.pages.get(&index)
                    && self.chunk(index, chunk, pages, Sieved::All, &mut own).is_none()
                {
                    damage::report(view.shard(), part, "a chunk is damaged");
                }
            }
            tombstone::ranges_of(
                &view.deletes,
                &fetched.labels,
                |delete| tombstone::concerns(delete, &part.meta),
                &mut self.ranges,
            );
            self.ranges.iter().for_each(|range| own.remove(*range));
            columns.overlay(&own.timestamps_ms, &own.values);
            self.part = own;
        }
        for (sequence, memory) in &fetched.located.memory {
            tombstone::ranges_of(
                &view.deletes,
                &fetched.labels,
                |delete| delete.sequence >= *sequence,
                &mut self.ranges,
            );
            if self.ranges.is_empty() {
                columns.overlay(&memory.timestamps_ms, &memory.values);
            } else {
                let mut rest = memory.clone();
                self.ranges.iter().for_each(|range| rest.remove(*range));
                columns.overlay(&rest.timestamps_ms, &rest.values);
            }
        }
    }

    /// Adds the samples of a chunk that are in the range, see [`Sieve::column`]; `None` if it is
    /// damaged.
    fn chunk(
        &mut self,
        part: usize,
        chunk: &ChunkRef,
        pages: &Loaded,
        sieved: Sieved,
        out: &mut SampleColumns,
    ) -> Option<bool> {
        let count = chunk.count as usize;
        let key = (part, chunk.times.offset);
        let times = match self.times.get(key, count) {
            Some(times) => times,
            None => {
                let bytes = pages.get(chunk.times.offset, chunk.times.len as usize, &mut self.scratch)?;
                let mut times = self.times.buffer();
                self.decoder.decode_timestamps(unsealed(bytes)?, count, &mut times).ok()?;
                let times = Rc::new(Times::new(times, self.sieve.need(), self.range));
                self.times.put(key, &times);
                times
            }
        };
        let bytes = pages.get(chunk.values.offset, chunk.values.len as usize, &mut self.scratch)?;
        let (sieve, tell) = match sieved {
            Sieved::All => (&mut self.whole, true),
            Sieved::Needed { tell } => (&mut self.sieve, tell),
        };
        sieve.column(&mut self.decoder, unsealed(bytes)?, &times, tell, out).ok()
    }
}
