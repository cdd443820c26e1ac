//! From references to samples: the bytes of many chunks are read at once, then decoded series by
//! series.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

use super::damage;
use super::sieve::Sieve;
use super::stream::{Located, SeriesStream};
use super::times::{Times, TimesCache};
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

/// Reads and decodes chunks.
pub(super) struct Fetcher {
    decoder: Decoder,
    range: TimeRange,
    sieve: Sieve,
    /// For series of which all samples are needed, whatever the reader needs.
    whole: Sieve,
    times: TimesCache,
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

    /// Adds the samples of a series in the range to `columns`: sorted, unique, newest write wins.
    /// Where nothing overlaps, those that are not needed are left out.
    pub(super) fn decode(&mut self, view: &View, fetched: &mut Fetched, columns: &mut SampleColumns) {
        if self.is_plain(view, fetched) {
            self.decode_in_turn(view, fetched, columns);
        } else {
            self.decode_overlaid(view, fetched, columns);
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

    fn decode_in_turn(&mut self, view: &View, fetched: &Fetched, columns: &mut SampleColumns) {
        self.sieve.begin();
        for (index, chunk) in &fetched.located.chunks {
            if let Some(pages) = fetched.pages.get(index)
                && self.chunk(*index, chunk, pages, true, columns).is_none()
                && let Some(part) = view.parts.get(*index)
            {
                damage::report(view.shard(), part, "a chunk is damaged");
            }
        }
        for (_, memory) in &fetched.located.memory {
            self.sieve.memory(&memory.timestamps_ms, &memory.values, columns);
        }
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
                    && self.chunk(index, chunk, pages, false, &mut own).is_none()
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

    /// Adds the samples of a chunk that are in the range; `None` if it is damaged.
    fn chunk(
        &mut self,
        part: usize,
        chunk: &ChunkRef,
        pages: &Loaded,
        sieved: bool,
        out: &mut SampleColumns,
    ) -> Option<()> {
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
        let sieve = if sieved { &mut self.sieve } else { &mut self.whole };
        sieve.column(&mut self.decoder, unsealed(bytes)?, &times, out).ok()
    }
}
