//! The part of a file that holds chunks: columns one behind the other, each with its checksum.
//!
//! | size | field   | encoding | notes                             |
//! |-----:|---------|----------|-----------------------------------|
//! |    8 | magic   | bytes    | `TSDBRUN1` or `TSDBCHK1`          |
//! |    4 | version | u32      | 1                                 |
//! |    4 | crc     | u32      | of bytes 0 to 12                  |
//! |    n | columns |          | each: bytes, then u32 CRC of them |

use bytemuck::cast_slice;
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128;

use super::chunk::{ChunkKind, ChunkRef, Extent};
use super::meta::FORMAT_VERSION;
use crate::chunk::column::{CHUNK_LEN_MAX, Effort, Encoder};
use crate::codec::crc::seal;
use crate::error::{Error, Result};
use crate::io::BulkWriter;

pub const HEADER_LEN: usize = 16;
/// Columns of timestamps that the writer remembers, to refer to them again.
const TIMES_KNOWN_MAX: usize = 1 << 16;

/// The first bytes of a file with chunks.
#[must_use]
pub fn chunk_file_header(magic: &[u8; 8]) -> Vec<u8> {
    let mut header = magic.to_vec();
    header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    seal(&mut header);
    header
}

/// Whether bytes are the header that is expected; else what is wrong with it.
pub fn check_header(bytes: &[u8], magic: &[u8; 8]) -> std::result::Result<(), &'static str> {
    if bytes == chunk_file_header(magic) {
        Ok(())
    } else {
        Err("the header is damaged or of another version")
    }
}

/// Writes chunks behind each other. Equal columns of timestamps are written once.
pub struct ChunkWriter {
    writer: BulkWriter,
    encoder: Encoder,
    effort: Effort,
    scratch: Vec<u8>,
    /// By hash of the timestamps.
    times_known: HashMap<u128, Extent>,
    chunks: u64,
    samples: u64,
    min_ms: i64,
    max_ms: i64,
}

impl ChunkWriter {
    pub fn new(mut writer: BulkWriter, magic: &[u8; 8], effort: Effort) -> Result<Self> {
        writer.write(&chunk_file_header(magic))?;
        Ok(Self {
            writer,
            encoder: Encoder::new(),
            effort,
            scratch: Vec::new(),
            times_known: HashMap::new(),
            chunks: 0,
            samples: 0,
            min_ms: i64::MAX,
            max_ms: i64::MIN,
        })
    }

    /// Writes samples, ascending in time and at most [`CHUNK_LEN_MAX`], as one chunk.
    pub fn floats(&mut self, timestamps_ms: &[i64], values: &[f64]) -> Result<ChunkRef> {
        assert_eq!(timestamps_ms.len(), values.len(), "columns of samples have one length");
        assert!(values.len() <= CHUNK_LEN_MAX, "a chunk of {} samples", values.len());
        let (Some(first_ms), Some(last_ms)) = (timestamps_ms.first(), timestamps_ms.last()) else {
            return Err(Error::Executor { reason: "a chunk without samples".into() });
        };
        let hash = xxh3_128(cast_slice(timestamps_ms));
        let times = match self.times_known.get(&hash) {
            Some(known) => *known,
            None => {
                let effort = self.effort;
                let times =
                    self.column(|encoder, out| encoder.encode_timestamps(timestamps_ms, effort, out))?;
                if self.times_known.len() >= TIMES_KNOWN_MAX {
                    self.times_known.clear();
                }
                self.times_known.insert(hash, times);
                times
            }
        };
        let effort = self.effort;
        let values_at = self.column(|encoder, out| encoder.encode_values(values, effort, out))?;
        let chunk = ChunkRef {
            kind: ChunkKind::Floats,
            first_ms: *first_ms,
            last_ms: *last_ms,
            count: values.len() as u32,
            values: values_at,
            times,
        };
        self.count(&chunk);
        Ok(chunk)
    }

    fn count(&mut self, chunk: &ChunkRef) {
        self.chunks += 1;
        self.samples += u64::from(chunk.count);
        self.min_ms = self.min_ms.min(chunk.first_ms);
        self.max_ms = self.max_ms.max(chunk.last_ms);
    }

    fn column(&mut self, put: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Result<Extent> {
        self.scratch.clear();
        put(&mut self.encoder, &mut self.scratch);
        seal(&mut self.scratch);
        let extent = Extent { offset: self.writer.position(), len: self.scratch.len() as u32 };
        self.writer.write(&self.scratch)?;
        Ok(extent)
    }

    /// Bytes of the file so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.writer.position()
    }

    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.chunks
    }

    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// Oldest and newest timestamp written, if any.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        (self.chunks > 0).then_some((self.min_ms, self.max_ms))
    }

    /// The file, to be continued or finished.
    #[must_use]
    pub fn into_writer(self) -> BulkWriter {
        self.writer
    }
}
