//! The parts of a shard: open files, and the set of those that count.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::block::{self, Block};
use crate::error::Result;
use crate::io::{Cache, CachedFile, Disk, dirs};
use crate::part::{PartId, PartKind, PartMeta};
use crate::run::{self, Run};

/// A part that is served. Its files may be deleted while readers hold it.
pub(super) struct Part {
    pub(super) meta: PartMeta,
    /// The file of a run, the directory of a block.
    pub(super) path: PathBuf,
    /// Length of its files together.
    pub(super) bytes: u64,
    pub(super) body: PartBody,
    /// Damage was found in it: its files are kept when it is merged.
    pub(super) damaged: Cell<bool>,
    /// It cannot be merged.
    pub(super) stuck: Cell<bool>,
    /// Of a run: its series that have ended, when that was last looked at.
    pub(super) ended: Cell<u64>,
}

pub(super) enum PartBody {
    Run(Run),
    Block(Block),
}

/// The parts, the oldest sequence first. A snapshot: it never changes.
pub(super) type PartSet = Rc<Vec<Rc<Part>>>;

/// Sorts parts into the order of a set.
pub(super) fn part_set(mut parts: Vec<Rc<Part>>) -> PartSet {
    parts.sort_by_key(|part| (part.meta.sequences.max, part.meta.id));
    Rc::new(parts)
}

impl Part {
    /// Opens a part that is published under its name in the shard's directory.
    pub(super) async fn open(
        disk: &Disk,
        cache: &Cache,
        directory: &Path,
        id: PartId,
        kind: PartKind,
    ) -> Result<Self> {
        let path = path_of(directory, id, kind);
        let (body, meta, bytes) = match kind {
            PartKind::Run => {
                let (run, meta) = Run::open(disk, cache, &path).await?;
                let bytes = run.file().len();
                (PartBody::Run(run), meta, bytes)
            }
            PartKind::Block => {
                let (block, meta) = Block::open(disk, cache, &path).await?;
                let bytes = block.file_bytes();
                (PartBody::Block(block), meta, bytes)
            }
        };
        if meta.id != id {
            let what = "the part is stored under another name than its own";
            return Err(crate::error::Error::Corrupt { path, offset: 0, what });
        }
        let (damaged, stuck, ended) = (Cell::new(false), Cell::new(false), Cell::new(0));
        Ok(Self { meta, path, bytes, body, damaged, stuck, ended })
    }

    /// The file with its chunks.
    pub(super) const fn file(&self) -> &CachedFile {
        match &self.body {
            PartBody::Run(run) => run.file(),
            PartBody::Block(block) => block.file(),
        }
    }

    pub(super) const fn as_run(&self) -> Option<&Run> {
        match &self.body {
            PartBody::Run(run) => Some(run),
            PartBody::Block(_) => None,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match &self.body {
            PartBody::Run(run) => run.memory_bytes(),
            PartBody::Block(block) => block.memory_bytes(),
        }
    }

    /// Deletes its files, or puts them aside if damage was found in it.
    pub(super) fn discard(&self, disk: &Disk) -> Result<()> {
        if self.damaged.get() {
            return quarantine(disk, &self.path);
        }
        match self.meta.kind {
            PartKind::Run => disk.remove(&self.path),
            PartKind::Block => disk.remove_directory(&self.path),
        }
    }
}

/// Where a part is.
pub(super) fn path_of(directory: &Path, id: PartId, kind: PartKind) -> PathBuf {
    match kind {
        PartKind::Run => directory.join(dirs::RUNS_DIRECTORY).join(run::file_name(id)),
        PartKind::Block => directory.join(dirs::BLOCKS_DIRECTORY).join(id.to_string()),
    }
}

/// Gives a file or directory a name under which it is not served.
pub(super) fn quarantine(disk: &Disk, path: &Path) -> Result<()> {
    disk.publish(path, &dirs::with_suffix(path, dirs::DAMAGED_SUFFIX))
}

/// What is in the directories of a shard's parts.
#[derive(Default)]
pub(super) struct Found {
    pub(super) parts: Vec<(PartId, PartKind)>,
    /// What an interrupted flush or merge has left.
    pub(super) leftovers: Vec<(PathBuf, PartKind)>,
    /// Put aside because of damage.
    pub(super) quarantined: u64,
}

/// Lists the parts of a shard.
pub(super) fn find(disk: &Disk, directory: &Path) -> Result<Found> {
    let mut found = Found::default();
    for (kind, name) in [(PartKind::Run, dirs::RUNS_DIRECTORY), (PartKind::Block, dirs::BLOCKS_DIRECTORY)] {
        let directory = directory.join(name);
        disk.create_directory(&directory)?;
        for name in disk.list(&directory)? {
            let id = match kind {
                PartKind::Run => name.strip_suffix(run::FILE_SUFFIX).and_then(|name| name.parse().ok()),
                PartKind::Block => name.parse().ok(),
            };
            match id {
                Some(id) => found.parts.push((id, kind)),
                None if name.ends_with(dirs::TEMPORARY_SUFFIX) => {
                    found.leftovers.push((directory.join(name), kind));
                }
                None if name.ends_with(dirs::DAMAGED_SUFFIX) => found.quarantined += 1,
                None => tracing::warn!(file = name, "not a file of ours; it is left alone"),
            }
        }
    }
    Ok(found)
}

/// Files of a part, for links and sums.
pub(super) fn files_of(part: &Part) -> Vec<PathBuf> {
    match part.meta.kind {
        PartKind::Run => vec![part.path.clone()],
        PartKind::Block => {
            let names = [block::CHUNKS_FILE, block::INDEX_FILE, block::META_FILE];
            names.iter().map(|name| part.path.join(name)).collect()
        }
    }
}
