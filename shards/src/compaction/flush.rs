//! A frozen generation becomes runs.

use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use roaring::RoaringBitmap;

use super::placement;
use crate::chunk::column::{CHUNK_LEN_MAX, Effort};
use crate::error::Result;
use crate::io::{Disk, dirs};
use crate::memtable::Generation;
use crate::model::{SampleColumns, SeriesRef, TimeRange};
use crate::part::meta::FORMAT_VERSION;
use crate::part::{PartId, PartKind, PartMeta, Sequences, Window, slot_end};
use crate::registry::Ranks;
use crate::run::{RunWriter, file_name};

/// Windows written at the same time; a generation that touches more is gone through again.
const WINDOWS_AT_ONCE: usize = 16;

/// What is to be written.
pub struct Flush {
    pub disk: Disk,
    /// Directory of the runs.
    pub directory: PathBuf,
    pub generation: Arc<Generation>,
    pub sequence: u64,
    pub ranks: Arc<Ranks>,
    /// Newest sample of the shard.
    pub frontier_ms: i64,
    /// What was deleted since the generation was frozen: series and range.
    pub deleted: Vec<(RoaringBitmap, TimeRange)>,
    /// The last of these deletes.
    pub deletes_applied: u64,
}

struct OpenRun {
    writer: RunWriter,
    id: PartId,
    path: PathBuf,
}

impl Flush {
    /// Writes the runs and publishes them. Runs that were published before a failure are harmless:
    /// the log still has what they hold. Runs on a background thread.
    pub fn run(&self) -> Result<Vec<PartMeta>> {
        let mut order: Vec<(u32, SeriesRef)> = Vec::with_capacity(self.generation.series_count());
        let ranked = |series: SeriesRef| self.ranks.get(series).map(|rank| (rank, series));
        order.extend(self.generation.series().filter_map(ranked));
        order.sort_unstable();
        let mut done = HashSet::new();
        let mut metas = Vec::new();
        loop {
            let mut open: HashMap<Window, OpenRun> = HashMap::new();
            let outcome = self.pass(&order, &mut open, &done);
            let more = match outcome {
                Ok(more) => more,
                Err(error) => {
                    for run in open.into_values() {
                        // Left behind, it is deleted at the next start.
                        let _ = self.disk.remove(&run.path);
                    }
                    return Err(error);
                }
            };
            for (window, run) in open {
                done.insert(window);
                if !run.writer.is_empty() {
                    metas.push(self.publish(window, run)?);
                }
            }
            if !more {
                return Ok(metas);
            }
        }
    }

    /// Writes the samples of up to [`WINDOWS_AT_ONCE`] windows that are not done. Whether there are
    /// more.
    fn pass(
        &self,
        order: &[(u32, SeriesRef)],
        open: &mut HashMap<Window, OpenRun>,
        done: &HashSet<Window>,
    ) -> Result<bool> {
        let mut more = false;
        let mut columns = SampleColumns::default();
        let mut chunks = Vec::new();
        for (_, series) in order {
            columns.clear();
            self.generation.read(*series, TimeRange::ALL, &mut columns.timestamps_ms, &mut columns.values);
            for (numbers, range) in &self.deleted {
                if numbers.contains(series.0) {
                    columns.remove(*range);
                }
            }
            let mut at = 0;
            while let Some(first_ms) = columns.timestamps_ms.get(at) {
                let window = placement(*first_ms, self.frontier_ms);
                let rest = columns.timestamps_ms.get(at..).unwrap_or_default();
                let end = at + rest.partition_point(|time| *time < window.end_ms());
                if !done.contains(&window) {
                    if !open.contains_key(&window) && open.len() >= WINDOWS_AT_ONCE {
                        more = true;
                    } else {
                        let run = match open.entry(window) {
                            hashbrown::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                            hashbrown::hash_map::Entry::Vacant(entry) => entry.insert(self.create(window)?),
                        };
                        let times = columns.timestamps_ms.get(at..end).unwrap_or_default();
                        let values = columns.values.get(at..end).unwrap_or_default();
                        chunks.clear();
                        for piece in pieces(times) {
                            let times = times.get(piece.clone()).unwrap_or_default();
                            let values = values.get(piece).unwrap_or_default();
                            chunks.push(run.writer.chunks().floats(times, values)?);
                        }
                        run.writer.add(*series, &chunks);
                    }
                }
                at = end.max(at + 1);
            }
        }
        Ok(more)
    }

    fn create(&self, window: Window) -> Result<OpenRun> {
        let id = PartId::generate();
        let path = dirs::temporary(&self.directory.join(file_name(id)));
        Ok(OpenRun { writer: RunWriter::create(&self.disk, &path, window, Effort::Fast)?, id, path })
    }

    fn publish(&self, window: Window, run: OpenRun) -> Result<PartMeta> {
        let meta = PartMeta {
            format_version: FORMAT_VERSION,
            id: run.id,
            kind: PartKind::Run,
            window,
            min_ms: 0,
            max_ms: 0,
            series: 0,
            chunks: 0,
            samples: 0,
            sequences: Sequences { min: self.sequence, max: self.sequence },
            deletes_applied: self.deletes_applied,
            parents: Vec::new(),
        };
        let meta = run.writer.finish(meta)?;
        self.disk.publish(&run.path, &self.directory.join(file_name(run.id)))?;
        Ok(meta)
    }
}

/// Cuts sorted timestamps into what one chunk takes: of one slot, and not too many.
pub(super) fn pieces(timestamps_ms: &[i64]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = timestamps_ms.get(at..)?;
        let first = rest.first()?;
        let end = slot_end(*first);
        let len = rest.partition_point(|time| *time < end).clamp(1, CHUNK_LEN_MAX);
        let piece = at..at + len;
        at += len;
        Some(piece)
    })
}
