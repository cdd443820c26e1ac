//! The output of a merge: a run or a block.

use std::path::Path;

use super::MergeSpec;
use crate::block::BlockWriter;
use crate::chunk::column::Effort;
use crate::error::Result;
use crate::io::Disk;
use crate::model::SeriesRef;
use crate::part::meta::FORMAT_VERSION;
use crate::part::{ChunkRef, ChunkWriter, Level, PartKind, PartMeta, Sequences, Window};
use crate::run::RunWriter;

pub(super) enum Output {
    Run(Box<RunWriter>),
    Block(Box<BlockWriter>),
}

impl Output {
    pub(super) fn create(disk: &Disk, path: &Path, window: Window, kind: PartKind) -> Result<Self> {
        Ok(match kind {
            PartKind::Run => Self::Run(Box::new(RunWriter::create(disk, path, window, Effort::Fast)?)),
            // Blocks of 2 h are merged again within a day.
            PartKind::Block => {
                let effort = if window.level == Level::Hours2 { Effort::Fast } else { Effort::Best };
                Self::Block(Box::new(BlockWriter::create(disk, path, window, effort)?))
            }
        })
    }

    pub(super) const fn chunks(&mut self) -> &mut ChunkWriter {
        match self {
            Self::Run(writer) => writer.chunks(),
            Self::Block(writer) => writer.chunks(),
        }
    }

    pub(super) fn position(&mut self) -> u64 {
        self.chunks().position()
    }

    pub(super) fn add(
        &mut self,
        series: Option<SeriesRef>,
        labels: &[u8],
        chunks: &[ChunkRef],
    ) -> Result<()> {
        match (self, series) {
            (Self::Run(writer), Some(series)) => writer.add(series, chunks),
            // Only runs are merged to runs.
            (Self::Run(_), None) => {}
            (Self::Block(writer), _) => writer.add(labels, chunks)?,
        }
        Ok(())
    }

    /// Makes it durable; nothing is left behind where it would be empty.
    pub(super) fn finish(self, spec: &MergeSpec) -> Result<Option<PartMeta>> {
        let sequences = spec.inputs.iter().map(|input| input.meta.sequences);
        let last_delete = spec.deletes.iter().map(|(delete, _)| delete.id).max().unwrap_or(0);
        let applied = spec.inputs.iter().map(|input| input.meta.deletes_applied).min().unwrap_or(0);
        let meta = PartMeta {
            format_version: FORMAT_VERSION,
            id: spec.id,
            kind: spec.kind,
            window: spec.window,
            min_ms: 0,
            max_ms: 0,
            series: 0,
            chunks: 0,
            samples: 0,
            sequences: Sequences {
                min: sequences.clone().map(|one| one.min).min().unwrap_or(0),
                max: sequences.map(|one| one.max).max().unwrap_or(0),
            },
            deletes_applied: last_delete.max(applied),
            parents: spec.inputs.iter().map(|input| input.meta.id).collect(),
        };
        match self {
            Self::Run(writer) if writer.is_empty() => {
                spec.disk.remove(&spec.path)?;
                Ok(None)
            }
            Self::Run(writer) => writer.finish(meta).map(Some),
            Self::Block(writer) if writer.is_empty() => {
                spec.disk.remove_directory(&spec.path)?;
                Ok(None)
            }
            Self::Block(writer) => writer.finish(meta).map(Some),
        }
    }
}
