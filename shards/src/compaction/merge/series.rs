//! The samples of one series out of all inputs: read, joined, written again.

use std::sync::Arc;

use hashbrown::HashMap;

use super::MergeSpec;
use crate::chunk::column::Decoder;
use crate::codec::crc::unsealed;
use crate::compaction::flush::pieces;
use crate::error::{Error, Result};
use crate::io::BulkReader;
use crate::model::{SampleColumns, TimeRange};
use crate::part::{ChunkKind, ChunkRef, ChunkWriter, Extent, PartKind};

/// Memory for decoded columns of timestamps, all inputs together.
const TIMES_BYTES_MAX: usize = 8 << 20;

/// Reads the chunks of the inputs.
struct ChunkInput {
    values: BulkReader,
    /// Columns of timestamps may lie far back; they have a window of their own.
    times: BulkReader,
    known: HashMap<u64, Arc<[i64]>>,
    sequence: u64,
}

pub(super) struct SeriesMerge {
    inputs: Vec<ChunkInput>,
    /// Indices of the inputs, the oldest first.
    order: Arc<[usize]>,
    decoder: Decoder,
    known_bytes: usize,
    horizon_ms: i64,
    joined: SampleColumns,
    part: SampleColumns,
    written: Vec<ChunkRef>,
    bytes_read: u64,
    damaged_chunks: u64,
}

impl SeriesMerge {
    pub(super) fn open(spec: &MergeSpec) -> Result<Self> {
        let mut inputs = Vec::new();
        for input in &spec.inputs {
            let path = match input.meta.kind {
                PartKind::Run => input.path.clone(),
                PartKind::Block => input.path.join(crate::block::CHUNKS_FILE),
            };
            inputs.push(ChunkInput {
                values: spec.disk.open_bulk(&path)?,
                times: spec.disk.open_bulk(&path)?,
                known: HashMap::new(),
                sequence: input.meta.sequences.max,
            });
        }
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_by_key(|index| inputs.get(*index).map(|input| input.sequence));
        Ok(Self {
            inputs,
            order: order.into(),
            decoder: Decoder::default(),
            known_bytes: 0,
            horizon_ms: spec.horizon_ms,
            joined: SampleColumns::default(),
            part: SampleColumns::default(),
            written: Vec::new(),
            bytes_read: 0,
            damaged_chunks: 0,
        })
    }

    pub(super) const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub(super) const fn damaged_chunks(&self) -> u64 {
        self.damaged_chunks
    }

    /// Chunks that the last series was written as.
    pub(super) fn written(&self) -> &[ChunkRef] {
        &self.written
    }

    /// Writes the series that has these chunks, each with the number of its input, less what is
    /// `gone` from an input.
    pub(super) fn write(
        &mut self,
        chunks: &[(usize, ChunkRef)],
        gone: &[(usize, TimeRange)],
        out: &mut ChunkWriter,
    ) -> Result<()> {
        self.written.clear();
        self.joined.clear();
        for index in Arc::clone(&self.order).iter().copied() {
            self.part.clear();
            for (_, chunk) in chunks.iter().filter(|(input, _)| *input == index) {
                if chunk.last_ms >= self.horizon_ms && chunk.kind == ChunkKind::Floats {
                    self.read(index, chunk)?;
                }
            }
            for (_, range) in gone.iter().filter(|(input, _)| *input == index) {
                self.part.remove(*range);
            }
            self.part.remove(TimeRange::new(i64::MIN, self.horizon_ms));
            self.joined.overlay(&self.part.timestamps_ms, &self.part.values);
        }
        for piece in pieces(&self.joined.timestamps_ms) {
            let times = self.joined.timestamps_ms.get(piece.clone()).unwrap_or_default();
            let values = self.joined.values.get(piece).unwrap_or_default();
            self.written.push(out.floats(times, values)?);
        }
        Ok(())
    }

    /// Adds the samples of a chunk to `part`. A chunk that is damaged is left out.
    fn read(&mut self, index: usize, chunk: &ChunkRef) -> Result<()> {
        let count = chunk.count as usize;
        let Some(input) = self.inputs.get_mut(index) else { return Ok(()) };
        self.bytes_read += u64::from(chunk.values.len);
        let known = input.known.get(&chunk.times.offset).filter(|times| times.len() == count).cloned();
        let times = match known {
            Some(times) => Some(times),
            None => {
                self.bytes_read += u64::from(chunk.times.len);
                let mut times = Vec::with_capacity(count.min(crate::chunk::column::CHUNK_LEN_MAX));
                let decoded = column(&mut input.times, chunk.times)?
                    .is_some_and(|bytes| self.decoder.decode_timestamps(bytes, count, &mut times).is_ok());
                decoded.then(|| Arc::from(times))
            }
        };
        let before = self.part.values.len();
        let bytes = column(&mut input.values, chunk.values)?;
        let decoded = bytes
            .is_some_and(|bytes| self.decoder.decode_values(bytes, count, &mut self.part.values).is_ok());
        let Some(times) = times.filter(|_| decoded) else {
            self.part.values.truncate(before);
            self.damaged_chunks += 1;
            let path = input.values.path().display();
            tracing::error!(%path, offset = chunk.values.offset, "a chunk is damaged; it is left out of the merge");
            return Ok(());
        };
        self.part.timestamps_ms.extend_from_slice(&times);
        let cost = size_of_val::<[i64]>(&times) + 48;
        if input.known.insert(chunk.times.offset, times).is_none() {
            self.known_bytes += cost;
        }
        if self.known_bytes > TIMES_BYTES_MAX {
            self.inputs.iter_mut().for_each(|input| input.known = HashMap::new());
            self.known_bytes = 0;
        }
        Ok(())
    }
}

/// The bytes of a column, unless they are damaged.
fn column(reader: &mut BulkReader, extent: Extent) -> Result<Option<&[u8]>> {
    match reader.read(extent.offset, extent.len as usize) {
        Ok(bytes) => Ok(unsealed(bytes)),
        Err(Error::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
