//! From references to samples: the bytes of many chunks are read at once, then decoded series by
//! series.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

use super::damage;
use super::stream::{Located, SeriesStream};
use super::view::View;
use crate::chunk::column::Decoder;
use crate::codec::crc::unsealed;
use crate::error::Result;
use crate::io::cache::Loaded;
use crate::model::columns::trim;
use crate::model::{SampleColumns, TimeRange};
use crate::part::{ChunkKind, ChunkRef};
use crate::tombstone;

/// Series whose chunks are read at once, and bytes of these.
const BATCH_SERIES: usize = 64;
const BATCH_BYTES: u64 = 4 << 20;
/// Memory for decoded columns of timestamps.
const TIMES_BYTES_MAX: usize = 8 << 20;

/// A series whose chunks are in memory.
pub(super) struct Fetched {
    pub(super) labels: Vec<u8>,
    located: Located,
    /// Pages of the files of its parts.
    pages: Rc<HashMap<usize, Loaded>>,
}

/// Reads and decodes chunks.
#[derive(Default)]
pub(super) struct Fetcher {
    decoder: Decoder,
    /// By part and offset: columns of timestamps are shared by many series.
    times: HashMap<(usize, u64), Rc<[i64]>>,
    times_bytes: usize,
    part: SampleColumns,
    scratch: Vec<u8>,
    ranges: Vec<TimeRange>,
}

impl Fetcher {
    /// Reads the chunks of the next series of a stream.
    pub(super) async fn fill(
        &mut self,
        stream: &mut SeriesStream,
        range: TimeRange,
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
            if chunk.kind != ChunkKind::Floats || !chunk.overlaps(range) {
                continue;
            }
            let extents = extents.entry(*part).or_default();
            extents.push((chunk.values.offset, chunk.values.len as usize));
            if !self.times.contains_key(&(*part, chunk.times.offset)) {
                extents.push((chunk.times.offset, chunk.times.len as usize));
            }
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
    pub(super) fn decode(
        &mut self,
        view: &View,
        fetched: &Fetched,
        range: TimeRange,
        columns: &mut SampleColumns,
    ) {
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
                    && self.chunk(index, chunk, pages, range, &mut own).is_none()
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
        range: TimeRange,
        out: &mut SampleColumns,
    ) -> Option<()> {
        if chunk.kind != ChunkKind::Floats {
            return Some(());
        }
        let count = chunk.count as usize;
        let key = (part, chunk.times.offset);
        let known = self.times.get(&key).filter(|times| times.len() == count).cloned();
        let times = match known {
            Some(times) => times,
            None => {
                let bytes = pages.get(chunk.times.offset, chunk.times.len as usize, &mut self.scratch)?;
                let mut times = Vec::with_capacity(count.min(crate::chunk::column::CHUNK_LEN_MAX));
                self.decoder.decode_timestamps(unsealed(bytes)?, count, &mut times).ok()?;
                let times: Rc<[i64]> = times.into();
                self.remember(key, &times);
                times
            }
        };
        let base = out.values.len();
        let bytes = pages.get(chunk.values.offset, chunk.values.len as usize, &mut self.scratch)?;
        self.decoder.decode_values(unsealed(bytes)?, count, &mut out.values).ok()?;
        out.timestamps_ms.extend_from_slice(&times);
        if !range.contains(chunk.first_ms) || !range.contains(chunk.last_ms) {
            trim(base, range, &mut out.timestamps_ms, &mut out.values);
        }
        Some(())
    }

    fn remember(&mut self, key: (usize, u64), times: &Rc<[i64]>) {
        self.times_bytes += size_of_val::<[i64]>(times) + 64;
        if self.times_bytes > TIMES_BYTES_MAX {
            self.times = HashMap::new();
            self.times_bytes = size_of_val::<[i64]>(times) + 64;
        }
        self.times.insert(key, Rc::clone(times));
    }
}
