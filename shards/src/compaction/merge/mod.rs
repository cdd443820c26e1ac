//! Several parts become one, series by series, on a background thread.
//!
//! The series of runs are numbers, whose labels only the shard's core knows: so a merge goes in
//! steps. A step tells for which series it needs labels next, and the following step gets them.
//! Memory is bounded: one page of each input's directory, a batch of series, and the samples of
//! the series at hand.

mod input;
mod output;
mod series;

use std::path::PathBuf;
use std::sync::Arc;

use roaring::RoaringBitmap;

use self::input::{BlockInput, RunInput};
use self::output::Output;
use self::series::SeriesMerge;
use crate::error::Result;
use crate::io::Disk;
use crate::model::{Delete, Labels, SeriesRef, TimeRange};
use crate::part::{ChunkRef, PartId, PartKind, PartMeta, Window};
use crate::registry::Ranks;
use crate::tombstone;

/// Series of runs that one step handles.
const BATCH_SERIES: usize = 1024;

/// A part that is merged.
#[derive(Debug, Clone)]
pub struct MergeInput {
    pub meta: PartMeta,
    /// The file of a run, the directory of a block.
    pub path: PathBuf,
}

/// What is to be merged into what.
pub struct MergeSpec {
    pub disk: Disk,
    pub inputs: Vec<MergeInput>,
    pub window: Window,
    pub kind: PartKind,
    pub id: PartId,
    /// Where the output is written; the caller publishes it.
    pub path: PathBuf,
    pub ranks: Arc<Ranks>,
    /// Pending deletes, each with the series that it means by number.
    pub deletes: Vec<(Delete, RoaringBitmap)>,
    /// Samples older than this are dropped.
    pub horizon_ms: i64,
}

/// Labels of the series that a step asked for, one behind the other; empty for series that are not
/// known.
#[derive(Debug, Default)]
pub struct LabelBatch {
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
}

impl LabelBatch {
    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(index).copied());
        range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }
}

/// What a step leads to.
#[derive(Debug)]
pub enum Step {
    /// Go on with the labels of these series; none are needed for a run.
    Labels(Vec<SeriesRef>),
    /// All is written and durable; `None` where nothing was left of the inputs.
    Done(Option<PartMeta>),
}

/// What a merge has read and written, and the damage that it met.
#[derive(Debug, Clone, Copy, Default)]
pub struct MergeFigures {
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub samples: u64,
    /// Chunks that could not be read; they are left out.
    pub damaged_chunks: u64,
    /// Series of runs whose labels are lost; they are left out.
    pub nameless_series: u64,
}

type Batch = Vec<(SeriesRef, Vec<(usize, ChunkRef)>)>;

/// A merge under way.
pub struct Merge {
    spec: MergeSpec,
    runs: Vec<RunInput>,
    blocks: Vec<BlockInput>,
    output: Option<Output>,
    series: SeriesMerge,
    batch: Batch,
    figures: MergeFigures,
}

impl Merge {
    pub fn begin(spec: MergeSpec) -> Result<Self> {
        let (mut runs, mut blocks) = (Vec::new(), Vec::new());
        for (index, input) in spec.inputs.iter().enumerate() {
            match input.meta.kind {
                PartKind::Run => runs.push(RunInput::open(&spec.disk, index, &input.path)?),
                PartKind::Block => blocks.push(BlockInput::open(&spec.disk, index, &input.path)?),
            }
        }
        let output = Output::create(&spec.disk, &spec.path, spec.window, spec.kind)?;
        let series = SeriesMerge::open(&spec)?;
        let figures = MergeFigures::default();
        Ok(Self { spec, runs, blocks, output: Some(output), series, batch: Vec::new(), figures })
    }

    #[must_use]
    pub fn figures(&self) -> MergeFigures {
        MergeFigures { bytes_read: self.series.bytes_read(), ..self.figures }
    }

    /// The next step; the first gets no labels.
    pub fn step(&mut self, labels: &LabelBatch) -> Result<Step> {
        let batch = std::mem::take(&mut self.batch);
        for (index, (series, chunks)) in batch.into_iter().enumerate() {
            let labels = labels.get(index);
            if self.spec.kind == PartKind::Block {
                if labels.is_empty() {
                    self.figures.nameless_series += 1;
                    continue;
                }
                self.write_blocks_before(Some(labels))?;
            }
            self.write(Some(series), labels, chunks)?;
        }
        self.batch = self.next_batch()?;
        if !self.batch.is_empty() {
            return Ok(Step::Labels(self.batch.iter().map(|(series, _)| *series).collect()));
        }
        self.write_blocks_before(None)?;
        let Some(output) = self.output.take() else { return Ok(Step::Done(None)) };
        self.figures.damaged_chunks = self.series.damaged_chunks();
        let meta = output.finish(&self.spec)?;
        if let Some(meta) = &meta {
            self.figures.samples = meta.samples;
        }
        Ok(Step::Done(meta))
    }

    /// Collects the chunks of the next series of the runs, in label order.
    fn next_batch(&mut self) -> Result<Batch> {
        let mut batch: Batch = Vec::new();
        while batch.len() < BATCH_SERIES {
            let mut least: Option<(u32, SeriesRef)> = None;
            for run in &mut self.runs {
                let Some(series) = run.peek()? else { continue };
                // A series without a rank is not known any more: it comes first and is left out.
                let rank = self.spec.ranks.get(series).map_or(0, |rank| rank.saturating_add(1));
                if least.is_none_or(|(least, other)| (rank, series) < (least, other)) {
                    least = Some((rank, series));
                }
            }
            let Some((_, series)) = least else { break };
            let mut chunks = Vec::new();
            for run in &mut self.runs {
                if run.peek()? == Some(series) {
                    run.take(&mut chunks);
                }
            }
            batch.push((series, chunks));
        }
        Ok(batch)
    }

    /// Writes the series that only blocks have, up to those labels; all that are left if `None`.
    fn write_blocks_before(&mut self, end: Option<&[u8]>) -> Result<()> {
        let mut least = Vec::new();
        loop {
            least.clear();
            for block in &mut self.blocks {
                // Labels are never empty, so that nothing found yet is told by that.
                let Some(labels) = block.peek()? else { continue };
                if end.is_none_or(|end| labels < end) && (least.is_empty() || labels < least.as_slice()) {
                    least.clear();
                    least.extend_from_slice(labels);
                }
            }
            if least.is_empty() {
                return Ok(());
            }
            self.write(None, &least, Vec::new())?;
        }
    }

    /// Writes one series: the chunks given and those that blocks have of it.
    fn write(
        &mut self,
        series: Option<SeriesRef>,
        labels: &[u8],
        mut chunks: Vec<(usize, ChunkRef)>,
    ) -> Result<()> {
        for block in &mut self.blocks {
            if block.peek()? == Some(labels) {
                block.take(&mut chunks);
            }
        }
        let mut gone: Vec<(usize, TimeRange)> = Vec::new();
        for (delete, numbers) in &self.spec.deletes {
            let meant = match series {
                Some(series) => numbers.contains(series.0),
                None => delete.matches(&Labels::from_canonical_trusted(labels)),
            };
            if meant {
                let concerned = self
                    .spec
                    .inputs
                    .iter()
                    .enumerate()
                    .filter(|(_, input)| tombstone::concerns(delete, &input.meta));
                gone.extend(concerned.map(|(index, _)| (index, delete.range)));
            }
        }
        if let Some(output) = &mut self.output {
            self.series.write(&chunks, &gone, output.chunks())?;
            if !self.series.written().is_empty() {
                output.add(series, labels, self.series.written())?;
            }
            self.figures.bytes_written = output.position();
        }
        Ok(())
    }
}
