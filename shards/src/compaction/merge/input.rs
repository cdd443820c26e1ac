//! The inputs of a merge: the series of each with their chunks, one after the other.

use std::collections::VecDeque;
use std::path::Path;

use crate::block::BlockScanner;
use crate::error::Result;
use crate::io::Disk;
use crate::model::SeriesRef;
use crate::part::ChunkRef;
use crate::run::RunScanner;

/// A run, as input number `index`.
pub(super) struct RunInput {
    index: usize,
    scanner: RunScanner,
    ahead: VecDeque<(SeriesRef, Vec<ChunkRef>)>,
}

impl RunInput {
    pub(super) fn open(disk: &Disk, index: usize, path: &Path) -> Result<Self> {
        Ok(Self { index, scanner: RunScanner::open(disk, path)?, ahead: VecDeque::new() })
    }

    /// The series that comes next.
    pub(super) fn peek(&mut self) -> Result<Option<SeriesRef>> {
        while self.ahead.is_empty() {
            let ahead = &mut self.ahead;
            if !self.scanner.next_page(&mut |series, chunks| ahead.push_back((series, chunks.to_vec())))? {
                return Ok(None);
            }
        }
        Ok(self.ahead.front().map(|(series, _)| *series))
    }

    /// Goes past it, adding its chunks.
    pub(super) fn take(&mut self, out: &mut Vec<(usize, ChunkRef)>) {
        if let Some((_, chunks)) = self.ahead.pop_front() {
            out.extend(chunks.into_iter().map(|chunk| (self.index, chunk)));
        }
    }
}

/// A block, as input number `index`.
pub(super) struct BlockInput {
    index: usize,
    scanner: BlockScanner,
    labels: Vec<u8>,
    chunks: Vec<ChunkRef>,
    loaded: bool,
    ended: bool,
}

impl BlockInput {
    pub(super) fn open(disk: &Disk, index: usize, directory: &Path) -> Result<Self> {
        let scanner = BlockScanner::open(disk, directory)?;
        let (labels, chunks) = (Vec::new(), Vec::new());
        Ok(Self { index, scanner, labels, chunks, loaded: false, ended: false })
    }

    /// Labels of the series that comes next.
    pub(super) fn peek(&mut self) -> Result<Option<&[u8]>> {
        if !self.loaded && !self.ended {
            self.loaded = self.scanner.next(&mut self.labels, &mut self.chunks)?;
            self.ended = !self.loaded;
        }
        Ok(self.loaded.then_some(&self.labels))
    }

    /// Goes past it, adding its chunks.
    pub(super) fn take(&mut self, out: &mut Vec<(usize, ChunkRef)>) {
        out.extend(self.chunks.drain(..).map(|chunk| (self.index, chunk)));
        self.loaded = false;
    }
}
