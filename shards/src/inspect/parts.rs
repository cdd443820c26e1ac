//! The parts of a shard: what they say of themselves, and whether their chunks bear it out.

use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use super::{Finding, note};
use crate::block::{self, BlockScanner};
use crate::chunk::column::Decoder;
use crate::codec::crc::unsealed;
use crate::error::Result;
use crate::index::block::verify;
use crate::io::{BulkReader, Disk, dirs};
use crate::part::{ChunkKind, ChunkRef, PartMeta};
use crate::run::{self, RunScanner};

/// A part.
#[derive(Debug)]
pub struct PartSummary {
    pub meta: PartMeta,
    pub path: PathBuf,
    pub bytes: u64,
    /// Bytes of the columns of values, and of the columns of timestamps, each counted once.
    pub value_bytes: u64,
    pub time_bytes: u64,
}

pub(super) fn read(
    disk: &Disk,
    directory: &Path,
    deeply: bool,
    numbers: &RoaringBitmap,
    findings: &mut Vec<Finding>,
) -> Result<Vec<PartSummary>> {
    let mut parts = Vec::new();
    let runs = directory.join(dirs::RUNS_DIRECTORY);
    for name in disk.list(&runs)?.iter().filter(|name| name.ends_with(run::FILE_SUFFIX)) {
        let path = runs.join(name);
        let outcome = read_run(disk, &path, deeply, numbers, findings);
        parts.extend(note(findings, outcome)?);
    }
    let blocks = directory.join(dirs::BLOCKS_DIRECTORY);
    for name in disk.list(&blocks)? {
        if name.ends_with(dirs::TEMPORARY_SUFFIX) || name.ends_with(dirs::DAMAGED_SUFFIX) {
            continue;
        }
        let outcome = read_block(disk, &blocks.join(name), deeply, findings);
        parts.extend(note(findings, outcome)?);
    }
    parts.sort_by_key(|part| (part.meta.window, part.meta.sequences.max));
    Ok(parts)
}

fn read_run(
    disk: &Disk,
    path: &Path,
    deeply: bool,
    numbers: &RoaringBitmap,
    findings: &mut Vec<Finding>,
) -> Result<PartSummary> {
    let mut scanner = RunScanner::open(disk, path)?;
    let meta = scanner.meta().clone();
    let own = scanner.numbers().clone();
    if !own.is_subset(numbers) {
        let what = "the run has series that the series table does not name".to_owned();
        findings.push(Finding { path: path.to_path_buf(), offset: 0, what });
    }
    let mut check = ChunkCheck::open(disk, path, &meta, deeply)?;
    let bytes = check.len();
    let mut seen = RoaringBitmap::new();
    loop {
        let mut page = Vec::new();
        if !scanner.next_page(&mut |series, chunks| page.push((series, chunks.to_vec())))? {
            break;
        }
        for (series, chunks) in page {
            if !seen.insert(series.0) {
                check.found(0, "a series comes twice");
            }
            check.series(&chunks);
        }
    }
    if seen != own {
        check.found(0, "the pages have not the series that the run tells of");
    }
    Ok(check.finish(meta, path.to_path_buf(), bytes, findings))
}

fn read_block(
    disk: &Disk,
    directory: &Path,
    deeply: bool,
    findings: &mut Vec<Finding>,
) -> Result<PartSummary> {
    let mut scanner = BlockScanner::open(disk, directory)?;
    let meta = scanner.meta().clone();
    let index_path = directory.join(block::INDEX_FILE);
    let index = disk.open_bulk(&index_path)?;
    let index_len = index.len();
    if deeply {
        for finding in verify(index, &index_path, index_len)? {
            findings.push(Finding { path: index_path.clone(), offset: finding.offset, what: finding.what });
        }
    }
    let mut check = ChunkCheck::open(disk, &directory.join(block::CHUNKS_FILE), &meta, deeply)?;
    let bytes = check.len() + index_len + disk.open_bulk(&directory.join(block::META_FILE))?.len();
    let (mut labels, mut chunks) = (Vec::new(), Vec::new());
    while scanner.next(&mut labels, &mut chunks)? {
        check.series(&chunks);
    }
    Ok(check.finish(meta, directory.to_path_buf(), bytes, findings))
}

/// Sums up the chunks of a part and, where asked, decodes them.
struct ChunkCheck {
    values: BulkReader,
    times: BulkReader,
    path: PathBuf,
    meta: PartMeta,
    deeply: bool,
    decoder: Decoder,
    times_seen: hashbrown::HashSet<u64>,
    series: u64,
    chunks: u64,
    samples: u64,
    value_bytes: u64,
    time_bytes: u64,
    findings: Vec<Finding>,
}

impl ChunkCheck {
    fn open(disk: &Disk, path: &Path, meta: &PartMeta, deeply: bool) -> Result<Self> {
        Ok(Self {
            values: disk.open_bulk(path)?,
            times: disk.open_bulk(path)?,
            path: path.to_path_buf(),
            meta: meta.clone(),
            deeply,
            decoder: Decoder::default(),
            times_seen: hashbrown::HashSet::new(),
            series: 0,
            chunks: 0,
            samples: 0,
            value_bytes: 0,
            time_bytes: 0,
            findings: Vec::new(),
        })
    }

    const fn len(&self) -> u64 {
        self.values.len()
    }

    fn found(&mut self, offset: u64, what: &str) {
        self.findings.push(Finding { path: self.path.clone(), offset, what: what.to_owned() });
    }

    fn series(&mut self, chunks: &[ChunkRef]) {
        self.series += 1;
        let mut before = i64::MIN;
        for chunk in chunks {
            self.chunks += 1;
            self.value_bytes += u64::from(chunk.values.len);
            if chunk.kind == ChunkKind::Floats {
                self.samples += u64::from(chunk.count);
                if self.times_seen.insert(chunk.times.offset) {
                    self.time_bytes += u64::from(chunk.times.len);
                }
            }
            let range = self.meta.window.range();
            if !range.contains(chunk.first_ms) || !range.contains(chunk.last_ms) {
                self.found(chunk.values.offset, "a chunk lies outside of the window of its part");
            }
            if chunk.first_ms <= before {
                self.found(chunk.values.offset, "the chunks of a series are not in order");
            }
            before = chunk.last_ms;
            if self.deeply && chunk.kind == ChunkKind::Floats {
                self.decode(chunk);
            }
        }
    }

    fn decode(&mut self, chunk: &ChunkRef) {
        let count = chunk.count as usize;
        let mut values = Vec::new();
        let bytes = self.values.read(chunk.values.offset, chunk.values.len as usize);
        let bytes = bytes.ok().and_then(unsealed);
        let decoded =
            bytes.is_some_and(|bytes| self.decoder.decode_values(bytes, count, &mut values).is_ok());
        if !decoded {
            self.found(chunk.values.offset, "a column of values is damaged");
        }
        let mut times = Vec::new();
        let bytes = self.times.read(chunk.times.offset, chunk.times.len as usize);
        let bytes = bytes.ok().and_then(unsealed);
        let decoded =
            bytes.is_some_and(|bytes| self.decoder.decode_timestamps(bytes, count, &mut times).is_ok());
        if !decoded {
            self.found(chunk.times.offset, "a column of timestamps is damaged");
        } else if times.first() != Some(&chunk.first_ms) || times.last() != Some(&chunk.last_ms) {
            self.found(chunk.times.offset, "a chunk has not the times that its part tells of");
        }
    }

    fn finish(
        mut self,
        meta: PartMeta,
        path: PathBuf,
        bytes: u64,
        findings: &mut Vec<Finding>,
    ) -> PartSummary {
        let counted = (self.series, self.chunks, self.samples);
        if counted != (meta.series, meta.chunks, meta.samples) {
            self.found(0, "the part has not as much as it tells of");
        }
        findings.append(&mut self.findings);
        PartSummary { meta, path, bytes, value_bytes: self.value_bytes, time_bytes: self.time_bytes }
    }
}
